"""What the stand-ins for alert receivers have in common: faults by a script, and a record of what arrived.

`answers` is the script: statuses (or a status and headers) for the next requests, each in place of doing anything;
after it, things are done. `dropping` does it and breaks off; `hanging` does it and never answers.
"""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    authorization: str
    body: Any
    size: int


class FakeReceiver(ABC):
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.arrived = asyncio.Event()
        """Set by every request; whoever waits clears it."""
        self.elsewhere = 0
        self.hanging = False
        self.dropping = False
        self.url = ""
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> Self:
        app = web.Application(middlewares=[self._play])
        self.add_routes(app.router)
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/s3cret-path"
        return self

    async def stop(self) -> None:
        self._let_go.set()
        if self._runner:
            await self._runner.cleanup()

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None: ...

    @property
    @abstractmethod
    def changes(self) -> list[Any]:
        """What has come of it: one entry per thing that a person would see."""

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()

    @web.middleware
    async def _play(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/elsewhere":
            return await handler(request)
        raw = await request.read()
        body = await request.json() if raw else None
        authorization = request.headers.get("Authorization", "")
        self.asked.append(Asked(request.method, request.path_qs, authorization, body, len(raw)))
        self.arrived.set()
        if self.answers:
            answer = self.answers.pop(0)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            return web.Response(status=status, headers=headers, text="s3cret <!channel>")
        done = await handler(request)
        if self.hanging:
            await self._let_go.wait()
        if self.dropping:
            request.transport.abort()
        return done
