"""Which destination is stable and which is canary.

Labels tell: whose pods a destination selects. Any service may call its subsets `stable` and `canary`, so such a name
counts only for a host that selects pods of ours, or where that cannot be looked up. What was looked up is remembered,
so that reading a split stays one request. What cannot be told because something is gone or forbidden is never split;
but on the way home it is guessed, so that the traffic does not stay with a canary that nobody can find any more.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.lanes import (
    Labels,
    lane_by_name,
    pod_labels,
    selector_of,
    service_at,
)
from integrations.routers.istio.routes import (
    Destination,
    Spec,
    all_routes,
    destination_of,
    full_host,
)


@dataclass(frozen=True, slots=True)
class LaneNames:
    """The names of the pair's two Deployments (and, by custom, of the Services before them)."""

    stable: str
    canary: str

    def of(self, lane: Lane) -> str:
        """Return the name of a lane's Deployment."""
        return self.stable if lane is Lane.STABLE else self.canary

    def tell(self, destination: Destination) -> Lane | None:
        """Return the lane that a subset's or a Service's name tells; None when it does not."""
        return lane_by_name(destination.word, self.stable, self.canary)


@dataclass(frozen=True, slots=True)
class Facts:
    """What could be looked up about some destinations of one namespace; None stands for what could not."""

    names: LaneNames
    pods: Mapping[Lane, Labels | None]
    rules: list[dict[str, Any]] | None
    selectors: Mapping[Destination, Labels]
    """By which labels their Services select; nothing for those that select none or could not be read."""
    namespace: str
    lacking: RefusedError | None
    """Why something that is needed could not be read."""

    def lane(self, destination: Destination) -> Lane | None:
        """Return the lane for sure: whose pods it selects; where that is not known, the one that its name tells."""
        if self.is_far(destination):
            return None
        named = self.names.tell(destination)
        if named is not None and not self._excluded(destination, named):
            return named
        chosen = [lane for lane in Lane if self._selects(destination, lane)]
        known = all(labels is not None for labels in self.pods.values())
        return chosen[0] if known and len(chosen) == 1 else None

    def guess(self, destination: Destination) -> Lane | None:
        """Return the lane that is likely where it cannot be told for sure: by what people call it, too."""
        if (lane := self.lane(destination)) or self.is_far(destination):
            return lane
        if self._is_foreign(destination):
            return None
        if self._selects(destination, Lane.STABLE) and self.pods[Lane.CANARY] is None:
            return Lane.STABLE
        told = [lane for lane in Lane if destination.word in self._words(lane)]
        return told[0] if len(told) == 1 else None

    def is_far(self, destination: Destination) -> bool:
        """Say whether it is in another namespace: a Service selects pods of its own only."""
        return destination.service is not None and destination.service[1] != self.namespace

    def _is_foreign(self, destination: Destination) -> bool:
        """Say whether its Service selects no pods of ours: as far as those of both lanes are known."""
        known = [labels for labels in self.pods.values() if labels is not None]
        selector = self._selector(destination).items()
        told = len(known) == len(Lane) or bool(known and destination.subset)
        return told and not any(selector <= labels.items() for labels in known)

    def _excluded(self, destination: Destination, lane: Lane) -> bool:
        """Say whether it cannot be this lane: it does not select its pods, or its host is another service's."""
        pods = self.pods[lane]
        if pods is not None:
            subset = self._subset(destination) or {}
            return not (self._selector(destination).items() | subset.items() <= pods.items())
        return self._is_foreign(destination)

    def _selects(self, destination: Destination, lane: Lane) -> bool:
        subset, pods = self._subset(destination), self.pods[lane]
        if subset is None or pods is None:
            return False
        wanted = self._selector(destination).items() | subset.items()
        return bool(wanted) and wanted <= pods.items()

    def _selector(self, destination: Destination) -> Labels:
        return self.selectors.get(destination, {})

    def _subset(self, destination: Destination) -> Labels | None:
        """Return the labels of its subset; None when nobody defines it, or that cannot be read."""
        if not destination.subset:
            return {}
        return subset_labels(self.rules or (), destination, self.namespace)

    def _words(self, lane: Lane) -> set[str]:
        """Return by which words people call a lane: the end of its Deployment's name, the values of its labels."""
        name = self.names.of(lane)
        return {
            lane.value,
            name,
            name.rpartition("-")[2],
            *map(str, (self.pods[lane] or {}).values()),
        }


class LaneBook:
    """Tells the lane of a destination, and remembers what it had to look up."""

    def __init__(self, cluster: Cluster, namespace: str, names: LaneNames) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._names = names
        self._told: dict[Destination, Lane | None] = {}
        self._guessed: dict[Destination, Lane | None] = {}
        self._lacking: dict[Destination, RefusedError] = {}

    def lane_of(self, destination: Destination) -> Lane | None:
        """Return the lane as `look_up` found it."""
        return self._told.get(destination)

    def lane_at_best(self, destination: Destination) -> Lane | None:
        """Return the lane, on the way home: where it could not be told for sure, the one that is likely."""
        return self._told.get(destination) or self._guessed.get(destination)

    def why_unknown(self, destinations: Iterable[Destination]) -> RefusedError | None:
        """Return why some of them could not be told for sure; None where all could."""
        return next((self._lacking[one] for one in destinations if one in self._lacking), None)

    def forget(self) -> None:
        """Look everything up again next time: subsets may have been edited."""
        self._told.clear()
        self._guessed.clear()
        self._lacking.clear()

    async def look_up(self, destinations: Iterable[Destination]) -> None:
        """Find out which lanes they are. Does nothing for destinations it knows; what is lacking is asked for again."""
        unknown = [d for d in dict.fromkeys(destinations) if d not in self._told]
        if not unknown:
            return
        facts = await self.facts(unknown)
        for one in unknown:
            lane = facts.lane(one)
            self._guessed[one] = facts.guess(one)
            if lane is not None or facts.lacking is None or facts.is_far(one):
                self._told[one] = lane
                self._lacking.pop(one, None)
            else:
                self._lacking[one] = facts.lacking

    def complete(self, spec: Spec) -> None:
        """Take for the canary's what stands beside a stable destination, is the only such one, and cannot be told.

        Only where nothing else in the object is the canary's.
        """
        routes = [
            [destination_of(entry, self._namespace) for entry in route.get("route") or []]
            for _, _, route in all_routes(spec)
        ]
        if any(self.lane_at_best(one) is Lane.CANARY for ends in routes for one in ends):
            return
        for ends in routes:
            stable = [one for one in ends if self.lane_at_best(one) is Lane.STABLE]
            if len(stable) != 1:
                continue
            rest = [one for one in ends if one not in self._told and one not in stable]
            near = [one for one in rest if one.host == stable[0].host] or rest
            if len(near) == 1:
                self._guessed[near[0]] = Lane.CANARY

    async def stable_beside(self, canary: Destination) -> Mapping[str, Any] | None:
        """Return a destination of stable to take the place of one of the canary; None where none can be told.

        Another subset of the same host, else the Service that bears the name of the stable Deployment.
        """
        if canary.subset:
            rules = await destination_rules(self._cluster, self._namespace)
            found = [
                Destination(canary.host, name)
                for name in subset_names(rules, canary, self._namespace)
            ]
            await self.look_up(found)
            stable = next((d for d in found if self.lane_at_best(d) is Lane.STABLE), None)
            return {"host": stable.host, "subset": stable.subset} if stable else None
        service = await service_at(self._cluster, self._names.stable, self._namespace)
        return {"host": full_host(self._names.stable, self._namespace)} if service else None

    async def facts(self, destinations: Iterable[Destination]) -> Facts:
        """Look up what tells the lanes of some destinations. Remembers nothing."""
        destinations = tuple(destinations)
        refusals: list[RefusedError] = []
        near = {d.service: d for d in destinations if d.service and d.service[1] == self._namespace}
        stable, canary, rules, *selectors = await asyncio.gather(
            self._pods(Lane.STABLE, refusals),
            self._pods(Lane.CANARY, refusals),
            self._rules(destinations, refusals),
            *(self._selector(one) for one in near.values()),
        )
        by_service = dict(zip(near, selectors, strict=True))
        return Facts(
            self._names,
            {Lane.STABLE: stable, Lane.CANARY: canary},
            rules,
            {d: by_service[d.service] for d in destinations if d.service in by_service},
            self._namespace,
            refusals[0] if refusals else None,
        )

    async def _pods(self, lane: Lane, refusals: list[RefusedError]) -> Labels | None:
        try:
            return await pod_labels(self._cluster, self._namespace, self._names.of(lane))
        except RefusedError as error:
            refusals.append(error)
            return None

    async def _rules(
        self, destinations: Iterable[Destination], refusals: list[RefusedError]
    ) -> list[dict[str, Any]] | None:
        if not any(destination.subset for destination in destinations):
            return []
        try:
            return await destination_rules(self._cluster, self._namespace)
        except RefusedError as error:
            refusals.append(error)
            return None

    async def _selector(self, destination: Destination) -> Labels:
        try:
            return selector_of(await service_of(self._cluster, destination)) or {}
        except RefusedError:
            return {}


async def destination_rules(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Return the DestinationRules of a namespace."""
    version = await networking_version(cluster)
    return (await cluster.get(path_to(version, "destinationrules", namespace))).get("items") or []


async def networking_version(cluster: Cluster) -> str:
    """Return the newest Istio networking version that the cluster serves; all three hold the same objects."""
    return await cluster.version_of("networking.istio.io", ("v1", "v1beta1", "v1alpha3"))


async def service_of(cluster: Cluster, destination: Destination) -> Mapping[str, Any] | None:
    """Return the Service behind a destination; None when there is none."""
    return await service_at(cluster, *destination.service) if destination.service else None


def subset_names(
    rules: Iterable[Mapping[str, Any]], destination: Destination, namespace: str
) -> list[str]:
    """Return the subsets that a host has, each once."""
    return list(
        dict.fromkeys(
            str(subset.get("name", ""))
            for rule in rules
            if full_host(str((rule.get("spec") or {}).get("host", "")), namespace)
            == destination.host
            for subset in rule["spec"].get("subsets") or []
        )
    )


def subset_labels(
    rules: Iterable[Mapping[str, Any]], destination: Destination, namespace: str
) -> Mapping[str, str] | None:
    """Return the labels of a destination's subset; None when no rule has it. The first of two equal names wins."""
    for rule in rules:
        spec = rule.get("spec") or {}
        if full_host(str(spec.get("host", "")), namespace) != destination.host:
            continue
        for subset in spec.get("subsets") or []:
            if subset.get("name") == destination.subset:
                return subset.get("labels") or {}
    return None
