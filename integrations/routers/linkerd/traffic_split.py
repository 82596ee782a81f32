"""The `Router` of an SMI TrafficSplit: one GET to read, one JSON Patch to write.

Nobody reports when a TrafficSplit is in force: the extension of Linkerd copies it into a ServiceProfile, which the
clients' proxies follow. Its first version is asked for first: it alone takes every form of weight that may be stored.
One that somebody mangled so that the lanes cannot be told any more is never written, but for one thing: giving
everything back to stable.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from integrations.base import (
    Finding,
    HeaderRule,
    Lane,
    RefusedError,
    Split,
)
from integrations.kube import Cluster, path_to
from integrations.kube.backing import backing
from integrations.kube.fence import fence_of, mark_of, refuse_newer
from integrations.kube.lanes import ServiceLanes, service_at
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.reading import last_editor
from integrations.kube.way_back import Restore, way_back
from integrations.routers.linkerd.backends import (
    Pair,
    backends_of,
    find_pair,
    patch_for,
    with_fence,
)
from integrations.routers.linkerd.cut_off import Wreck
from integrations.splitting.sighting import sight_for, told_split
from integrations.splitting.trying import unwritable

_VERSIONS = ("v1alpha1", "v1alpha4", "v1alpha3", "v1alpha2")
_WEIGHTS = ".spec.backends[].weight"


@dataclass(frozen=True, slots=True)
class Sight:
    """One TrafficSplit, as far as a write needs it."""

    body: Mapping[str, Any]
    split: Split
    pair: Pair | None = None
    """The two lanes; None where they cannot be told."""
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""


class TrafficSplitRouter:
    """Splits the requests that meshed clients send to the Service of one TrafficSplit."""

    def __init__(
        self, cluster: Cluster, *, namespace: str, traffic_split: str, stable: str, canary: str
    ) -> None:
        """`stable` and `canary` are the names of the pair's Deployments."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = traffic_split
        self._stable = stable
        self._canary = canary
        self._lanes = ServiceLanes(cluster, namespace, stable, canary)
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split as it is now, with one GET once the lanes are known. Raises `MangledError` too."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent to the canary and write the fence, in one patch, only if `token` still holds.

        Raises `RefusedError` `no_header_routes` for rules.
        """
        _refuse_rules(rules)
        sight = await sight_for(self._last, self._look, token, str(self))
        refuse_newer(sight.split.fence, fence, str(self))
        ops = await self._ops(sight, canary, fence)
        return (await self._remember(await self._cluster.patch(await self._path(), ops))).split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail; looks at one namespace only."""
        self._lanes.forget()
        try:
            sight = await self._look()
            if sight.pair is None:
                return [Finding(sight.wrong.code, str(sight.wrong))] if sight.wrong else []
            pair = sight.pair
            return [
                *await self._findings(sight.body, pair, canary_pods=canary_pods),
                *unwritable(partial(_refuse_unreachable, pair), weights, rules),
            ]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def __str__(self) -> str:
        return f"TrafficSplit {self._name} in namespace {self._namespace}"

    async def _ops(self, sight: Sight, canary: float, fence: str) -> list[dict[str, Any]]:
        if sight.pair is not None:
            return patch_for(sight.body, sight.pair, canary, fence, self._canary)
        if canary and sight.wrong is not None:
            raise sight.wrong
        wreck = Wreck(sight.body, self._lanes.lane_of)
        known = wreck.needs_stable and await service_at(
            self._cluster, self._stable, self._namespace
        )
        ops = wreck.ops(self._stable if known else "", str(self))
        return with_fence(sight.body, ops, fence, self._canary)

    async def _findings(
        self, body: Mapping[str, Any], pair: Pair, *, canary_pods: bool
    ) -> list[Finding]:
        path = await self._path()
        listed, stable, canary, restore = await asyncio.gather(
            self._cluster.get(path.rpartition("/")[0]),
            backing(self._cluster, self._namespace, pair.service(Lane.STABLE), pods=True),
            backing(self._cluster, self._namespace, pair.service(Lane.CANARY), pods=canary_pods),
            way_back(self._cluster, [Restore(path, body, self._homeward)]),
        )
        objects = (body, stable.service, canary.service)
        return [
            *dict.fromkeys(finding for one in objects for finding in owned_by_another(one)),
            *_second_splits(body, listed.get("items") or []),
            *stable.findings,
            *canary.findings,
            *restore,
            *applied_from_elsewhere(body, "weights", _WEIGHTS),
        ]

    def _homeward(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the patch that going back would send if it began now."""
        pair, fence = find_pair(body, self._lanes.lane_of), fence_of(body, self._canary)
        return patch_for(body, pair, 0, fence or "0.0", self._canary)

    async def _path(self) -> str:
        version = await self._cluster.version_with("split.smi-spec.io", "trafficsplits", _VERSIONS)
        return path_to(version, "trafficsplits", self._namespace, self._name)

    async def _look(self) -> Sight:
        return await self._remember(await self._cluster.get(await self._path()))

    async def _remember(self, body: Mapping[str, Any]) -> Sight:
        await self._lanes.look_up(str(one.get("service", "")) for one in backends_of(body))
        try:
            pair = find_pair(body, self._lanes.lane_of)
        except RefusedError as error:
            wreck = Wreck(body, self._lanes.lane_of)
            self._last = Sight(body, self._split_of(body, wreck.canary), wrong=error)
        else:
            self._last = Sight(body, self._split_of(body, pair.percent), pair)
        return self._last

    def _split_of(self, body: Mapping[str, Any], canary: float) -> Split:
        return Split(
            canary=canary,
            token=str(body["metadata"].get("resourceVersion", "")),
            fence=fence_of(body, self._canary),
            mark=mark_of(body),
            changed_by=last_editor(body),
        )


def _refuse_rules(rules: Sequence[HeaderRule]) -> None:
    if rules:
        raise RefusedError(
            "A TrafficSplit sends requests by no header: take the headers out of the request, or split with an "
            "HTTPRoute.",
            code="no_header_routes",
        )


def _refuse_unreachable(pair: Pair, canary: float, rules: Sequence[HeaderRule]) -> None:
    _refuse_rules(rules)
    pair.shared(canary)


def _second_splits(
    body: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield the TrafficSplits for the same Service: which of them counts is undefined."""
    name, service = body["metadata"]["name"], body["spec"].get("service")
    for other in others:
        rival = other["metadata"]["name"]
        if rival != name and (other.get("spec") or {}).get("service") == service:
            yield Finding(
                "second_route",
                f"TrafficSplit {rival} also splits Service {service}. Which of the two counts is undefined; "
                "delete one.",
            )
