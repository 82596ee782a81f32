"""What can go wrong at a side effect, and the servers of the world at which it does.

Every request that reaches one of them is a point; so is every commit (`tests.scenario.crashing`).
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.fakes.dark_lane import Target as DarkLane
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.sink import Sink
from tests.fakes.slack import FakeSlack

Mode = Literal["before", "after", "lost", "late"]

_FENCE = re.compile(rb'sluice(?:~1|/)fence"[^0-9]*(\d+)\.(\d+)')


@dataclass
class Points:
    """Counts side effects, and says at the chosen one what shall go wrong: the n-th of that name."""

    chosen: tuple[str, int] | None = None
    mode: Mode = "before"
    names: list[str] = field(default_factory=list)
    counting: bool = False
    struck: bool = False
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    buried: asyncio.Event = field(default_factory=asyncio.Event)
    rash: list[str] = field(default_factory=list)
    """Writes that came before their commit."""

    def reach(self, name: str) -> Mode | None:
        """Return what goes wrong at this side effect."""
        if not self.counting:
            return None
        self.names.append(name)
        if self.struck or (name, self.names.count(name) - 1) != self.chosen:
            return None
        self.struck = True
        return self.mode

    async def die(self) -> None:
        """End the process: nothing after this happens in it."""
        self.dead.set()
        await self.buried.wait()


class DoomedCluster(FakeCluster):
    points: Points
    committed: Callable[[], tuple[int, Any]]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PATCH" and "dryRun" not in request.query:
            self._expect_commit(await request.read())
        mode = self.points.reach(f"cluster {request.method} {request.path}")
        if mode == "before":
            return await _cut(request, self.points)
        if mode == "late" and request.method == "PATCH":
            self.hold()
        response = await super()._handle(request)
        return await _afterwards(mode, request, response, self.points)

    def _expect_commit(self, body: bytes) -> None:
        """Note a write whose intent was not committed before it (G1); its fence names the revision."""
        fence = _FENCE.search(body)
        revision, intent = self.committed()
        if fence is None or int(fence[2]) > revision or intent is None:
            self.points.rash.append(body.decode())


class DoomedSlack(FakeSlack):
    points: Points

    async def answer(self, request, method, args):
        mode = self.points.reach(f"slack {method}")
        if mode == "before":
            return await _cut(request, self.points)
        response = await super().answer(request, method, args)
        return await _afterwards(mode, request, response, self.points)


class DoomedSink(Sink):
    points: Points

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        mode = self.points.reach("sink")
        if mode == "before":
            return await _cut(request, self.points)
        return await _afterwards(mode, request, await super()._receive(request), self.points)


class DoomedDarkLane(DarkLane):
    points: Points

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        mode = self.points.reach("smoke")
        if mode == "before":
            return await _cut(request, self.points)
        return await _afterwards(mode, request, await super()._handle(request), self.points)


async def _cut(request: web.Request, points: Points) -> web.Response:
    await points.die()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _afterwards(
    mode: Mode | None, request: web.Request, response: web.StreamResponse, points: Points
) -> web.StreamResponse:
    if mode == "after":
        return await _cut(request, points)
    if mode == "lost" and request.transport is not None:
        request.transport.abort()
    return response
