"""Runner nodes behind one loopback port, each under a path of its own: version, health, and taking an update.

Driven by a clock: a node that was told a version shows it at once and is healthy some seconds later. Faults are set on
a node; while `holding` updates are kept on their way until `land`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from aiohttp import web


@dataclass(slots=True)
class Runner:
    """One node."""

    version: str
    since: datetime
    fence: str = ""
    answers: int = 0
    """The status with which it answers everything; 0: as it should."""
    dead: bool = False
    hangs: bool = False
    """It never answers."""
    deaf: bool = False
    """It answers questions, but an update with 500."""
    hates: str = ""
    """A version with which this one never gets healthy."""
    updates: list[str] = field(default_factory=list)
    """The versions that it was told."""


class Late(NamedTuple):
    """An update that is still on its way."""

    node: str
    version: str


class Runners:
    """All nodes of one fleet."""

    def __init__(self, clock: Callable[[], datetime], names: list[str], version: str) -> None:
        self.clock = clock
        self.start_seconds = 10.0
        self.keeps_fences = False
        self.token = ""
        """The bearer token that is asked for; `""`: none."""
        self.broken: set[str] = set()
        """Versions that never get healthy."""
        self.redirect = ""
        """Where every answer leads instead."""
        self.headers: list[dict[str, str]] = []
        """Of the updates that arrived."""
        self.asked: list[str] = []
        """The paths of all requests."""
        self.holding = False
        born = clock() - timedelta(days=1)
        self.nodes = {name: Runner(version, born) for name in names}
        self._late: list[Late] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{node}/{what:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def instances(self) -> list[dict[str, str]]:
        """The nodes as they are configured."""
        return [{"name": name, "url": f"{self.url}/{name}"} for name in self.nodes]

    @property
    def versions(self) -> dict[str, int]:
        """How many healthy nodes run which version."""
        counts: dict[str, int] = {}
        for node in self.nodes.values():
            counts[node.version] = counts.get(node.version, 0) + self.is_healthy(node)
        return {version: n for version, n in counts.items() if n}

    @property
    def updates(self) -> int:
        """How many updates were taken in all."""
        return sum(len(node.updates) for node in self.nodes.values())

    def is_healthy(self, node: Runner) -> bool:
        age = self.clock() - node.since
        sick = node.version in {*self.broken, node.hates}
        return not sick and age >= timedelta(seconds=self.start_seconds)

    def land(self) -> None:
        """Let the updates that were held arrive now."""
        late, self._late = self._late, []
        for one in late:
            self._take(self.nodes[one.node], one.version)

    def _take(self, node: Runner, version: str) -> None:
        node.updates.append(version)
        if version != node.version:
            node.version, node.since = version, self.clock()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        node = self.nodes[request.match_info["node"]]
        if node.hangs:
            await asyncio.Event().wait()
        if node.dead:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if node.answers:
            return web.Response(status=node.answers)
        if self.redirect:
            return web.Response(status=302, headers={"Location": self.redirect})
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        match request.method, request.match_info["what"]:
            case "GET", "version":
                headers = {"Sluice-Fence": node.fence} if node.fence else {}
                body = {"runner": {"version": node.version}}
                return web.json_response(body, headers=headers)
            case "GET", "health":
                return web.Response(status=200 if self.is_healthy(node) else 503)
            case "POST", "functions/auth-service":
                return await self._update(node, request)
            case _:
                return web.Response(status=404)

    async def _update(self, node: Runner, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.headers.append(dict(request.headers))
        if node.deaf:
            return web.Response(status=500)
        if self.holding:
            self._late.append(Late(request.match_info["node"], body["version"]))
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.keeps_fences:
            node.fence = request.headers["Sluice-Fence"]
        self._take(node, body["version"])
        return web.Response(status=202)
