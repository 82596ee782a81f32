"""Real servers in place of the ready pods of a fake cluster: each answers with its version and counts its answers.

A pod that leaves the cluster finishes the requests that it has and refuses others from that moment on, unless `linger`
gives it the pause of a preStop hook: who is still sent to it is lost.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from integrations.base import version_of
from tests.fakes.kubernetes import FakeCluster

QUICK, SLOW = 0.01, 0.4
_FINISHING = 5.0


class Answer(NamedTuple):
    """One request that a pod answered."""

    at: float
    """When it was answered, on the monotonic clock."""
    workload: str
    seconds: float
    """What the version takes for it: what a busy machine adds says nothing about a version."""


@dataclass(slots=True)
class Pod:
    """One server. A request for `/slow` takes its time."""

    workload: str
    version: str
    labels: Mapping[str, str]
    delay: float
    answers: list[Answer]
    port: int = 0
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=3600, shutdown_timeout=_FINISHING
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        seconds = self.delay + (SLOW if request.path == "/slow" else QUICK)
        await asyncio.sleep(seconds)
        self.answers.append(Answer(time.monotonic(), self.workload, seconds))
        return web.json_response({"version": self.version, "workload": self.workload})


@dataclass(slots=True)
class Pods:
    """The servers of one namespace; `follow` lets them be what the cluster has now."""

    cluster: FakeCluster
    namespace: str
    delays: dict[str, float] = field(default_factory=dict)
    """By version: the seconds that every answer takes longer."""
    linger: float = 0.0
    """Seconds for which a pod that leaves takes requests as before."""
    answers: list[Answer] = field(default_factory=list)
    standing: dict[str, Pod] = field(default_factory=dict)
    """By name."""
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)

    async def follow(self) -> None:
        ready = {pod["metadata"]["name"]: pod for pod in self.cluster.ready_pods(self.namespace)}
        for name in self.standing.keys() - ready.keys():
            task = asyncio.create_task(self._dismiss(self.standing.pop(name)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        for name in ready.keys() - self.standing.keys():
            pod = self._pod(ready[name])
            await pod.start()
            self.standing[name] = pod

    async def stop(self) -> None:
        await asyncio.gather(*self._leaving, *(pod.stop() for pod in self.standing.values()))

    async def _dismiss(self, pod: Pod) -> None:
        await asyncio.sleep(self.linger)
        await pod.stop()

    def _pod(self, body: Mapping[str, Any]) -> Pod:
        version = version_of(body["spec"]["containers"][0]["image"])
        return Pod(
            workload=body["metadata"]["name"].rsplit("-", 2)[0],
            version=version,
            labels=body["metadata"]["labels"],
            delay=self.delays.get(version, 0.0),
            answers=self.answers,
        )
