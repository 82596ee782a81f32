"""Google Cloud Run v2 on loopback: the platform behind HTTP, and the place that gives out tokens.

Faults are set on it: what the next requests are answered, what is not allowed, writes whose answer is lost, writes that
are held on their way.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from aiohttp import web

from tests.fakes.cloud_run_platform import LATEST, PLACE, REVISION, Body, Refusal, RunPlatform

__all__ = ["LATEST", "PLACE", "REVISION", "FakeCloudRun", "Refusal"]


@dataclass(slots=True)
class Late:
    """A write that is still on its way."""

    name: str
    query: dict[str, str]
    body: Body


class FakeCloudRun(RunPlatform):
    """All services of one project, as they are spoken to."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.faults: list[Refusal] = []
        """What the next requests are answered."""
        self.may: set[str] | None = None
        """The methods that are allowed; None: all."""
        self.drops = 0
        """How many of the next writes are applied and never answered."""
        self.holding = False
        self.bearer = ""
        """The token that is asked for; `""`: none."""
        self.grant: Refusal | str = "token-1"
        """What is answered to who asks for a token."""
        self.lasts = 3600
        """Seconds for which a token is good."""
        self.grants = 0
        self.asked: list[tuple[str, str]] = []
        self._late: list[Late] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_get("/v2/{name:.*}", self._answer)
        app.router.add_patch("/v2/{name:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def land(self) -> list[int]:
        """Let the writes that were held arrive now, and return what they would have been answered."""
        late, self._late = self._late, []
        return [self._status_of(one) for one in late]

    def _status_of(self, one: Late) -> int:
        try:
            self.write(one.name, one.query, one.body)
        except Refusal as refusal:
            return refusal.http
        return 200

    async def _token(self, request: web.Request) -> web.Response:
        self.grants += 1
        if isinstance(self.grant, Refusal):
            # Not as elsewhere: this is OAuth.
            refused = {"error": "invalid_grant", "error_description": str(self.grant)}
            return web.json_response(refused, status=self.grant.http)
        answer = {"access_token": self.grant, "expires_in": self.lasts, "token_type": "Bearer"}
        return web.json_response(answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name, method = request.match_info["name"], request.method
        self.asked.append((method, name))
        query = {key: values[0] for key, values in parse_qs(request.query_string).items()}
        try:
            self._admit(request, name)
            if method == "GET":
                return web.json_response(self.get(name))
            body = json.loads(await request.text())
            for one in body.get("traffic", ()):
                # The client asks for enums as numbers, and sends them so.
                one["type"] = ("", LATEST, REVISION)[one["type"]]
            if self.holding:
                self._late.append(Late(name, query, body))
                return _cut(request)
            answer = self.write(name, query, body)
            if self.drops:
                self.drops -= 1
                return _cut(request)
            return web.json_response(answer)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.http, headers=refusal.headers)

    def _admit(self, request: web.Request, name: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        if self.bearer and request.headers.get("Authorization") != f"Bearer {self.bearer}":
            raise Refusal(401, "UNAUTHENTICATED", "invalid authentication credentials")
        if self.may is not None and request.method not in self.may:
            right = "run.services.update" if request.method == "PATCH" else "run.services.get"
            raise Refusal(
                403,
                "PERMISSION_DENIED",
                f"Permission '{right}' denied on resource '{name}' (or resource may not exist).",
            )


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
