"""The data plane of a fake cluster: real pods behind a real Envoy that follows the cluster's objects, a little late.

Pods come and go at once; routes and endpoints reach the proxy `lag` seconds after the objects changed, in order, as a
control plane delivers them. Nothing that Sluice does may count on a faster one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.fakes.envoy import Envoy
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.pods import Pods

_EVERY = 0.02
_ALL = "all"
"""The one cluster of a service without a VirtualService: what its Service selects."""

State = tuple[list[Any], dict[str, list[int]]]


class Mesh:
    """One service, from the caller's proxy to its pods."""

    def __init__(self, cluster: FakeCluster, namespace: str, service: str, lag: float) -> None:
        self.pods = Pods(cluster, namespace)
        self.lag = lag
        self._cluster = cluster
        self._where = (namespace, service)
        self._seen: State | None = None
        self._coming: deque[tuple[float, State]] = deque()
        self._envoy = Envoy([*self._subsets()])
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Return the URL for callers."""
        await self.pods.follow()
        self._seen = self._state()
        url = await self._envoy.start(*self._seen)
        self._loop = asyncio.create_task(self._follow())
        return url

    async def stop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
        await self._envoy.stop()
        await self.pods.stop()

    async def followed(self) -> None:
        """Wait until the proxy knows the cluster as it is now."""
        async with asyncio.timeout(10 + self.lag):
            while self._coming or self._state() != self._seen:
                assert self._loop is not None
                if self._loop.done():
                    await self._loop
                await asyncio.sleep(_EVERY)

    async def _follow(self) -> None:
        while True:
            await self.pods.follow()
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._coming.append((time.monotonic() + self.lag, state))
            while self._coming and self._coming[0][0] <= time.monotonic():
                await self._envoy.push(*self._coming[0][1])
                self._coming.popleft()
            await asyncio.sleep(_EVERY)

    def _state(self) -> State:
        ports = {
            name: sorted(
                pod.port
                for pod in self.pods.standing.values()
                if labels.items() <= pod.labels.items()
            )
            for name, labels in self._subsets().items()
        }
        return self._routes(), ports

    def _subsets(self) -> Mapping[str, Mapping[str, str]]:
        rule = self._cluster.object("destinationrules", *self._where)
        if rule is not None:
            return {subset["name"]: subset["labels"] for subset in rule["spec"]["subsets"]}
        service = self._cluster.object("services", *self._where)
        assert service is not None
        return {_ALL: service["spec"]["selector"]}

    def _routes(self) -> list[Any]:
        service = self._cluster.object("virtualservices", *self._where)
        if service is None:
            return [{"match": {"prefix": "/"}, "route": {"cluster": _ALL}}]
        return [
            envoy_route(block, http) for http in service["spec"]["http"] for block in _blocks(http)
        ]


def _blocks(http: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return http.get("match") or [{}]


def envoy_route(block: Mapping[str, Any], http: Mapping[str, Any]) -> Any:
    """Return one route of a VirtualService in Envoy's words: headers by their exact value, subsets by weight."""
    headers = [
        {"name": name, "string_match": {"exact": condition["exact"]}}
        for name, condition in (block.get("headers") or {}).items()
    ]
    weights = [
        {"name": part["destination"]["subset"], "weight": part.get("weight", 0)}
        for part in http["route"]
    ]
    return {
        "match": {"prefix": "/", "headers": headers},
        "route": {"weighted_clusters": {"clusters": weights}},
    }
