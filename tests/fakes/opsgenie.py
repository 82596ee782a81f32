"""Opsgenie's Alert API: alerts by alias, closed by alias; whatever is well formed is answered 202 before it is done."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.receiver import FakeReceiver

API_KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"


@dataclass
class Called:
    alias: str
    body: dict[str, Any]
    count: int = 1
    open: bool = True


class FakeOpsgenie(FakeReceiver):
    def __init__(self, api_key: str = API_KEY) -> None:
        super().__init__()
        self.alerts: list[Called] = []
        self._api_key = api_key

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/s3cret-path/v2/alerts", self._create)
        router.add_post("/s3cret-path/v2/alerts/{alias}/close", self._close)

    @property
    def changes(self) -> list[Any]:
        return [one.alias for one in self.alerts]

    def open(self) -> list[str]:
        return [one.alias.rpartition("-")[2] for one in self.alerts if one.open]

    async def _create(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        body = await request.json()
        details = body.get("details", {})
        well_formed = (
            0 < len(body.get("message", "")) <= 130
            and len(body.get("alias", "")) <= 512
            and len(body.get("description", "")) <= 15_000
            and len(body.get("entity", "")) <= 512
            and body.get("priority", "P3") in {"P1", "P2", "P3", "P4", "P5"}
            and all(isinstance(value, str) for value in details.values())
            and sum(len(key) + len(value) for key, value in details.items()) <= 8000
        )
        if not well_formed:
            return web.json_response({"message": "Request body is not processable."}, status=422)
        known = [one for one in self.alerts if one.open and one.alias == body["alias"]]
        if known:
            known[0].count += 1
        else:
            self.alerts.append(Called(body["alias"], body))
        return _accepted()

    async def _close(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        if request.query.get("identifierType") != "alias":
            return web.json_response({"message": "Alert does not exist"}, status=404)
        for one in self.alerts:
            if one.alias == request.match_info["alias"]:
                one.open = False
        return _accepted()

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"GenieKey {self._api_key}":
            return None
        return web.json_response({"message": "API Key is not valid"}, status=403)


def _accepted() -> web.Response:
    return web.json_response({"result": "Request will be processed"}, status=202)
