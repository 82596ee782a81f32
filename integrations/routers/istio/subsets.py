"""Whether the subsets of a split lead to the pods of their lanes, and to no others.

Pure. The labels of the Deployments' templates tell it, so a slip is found while the canary has no pods yet. Where a
Deployment could not be read nothing is said about its pods: that it could not is a finding of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from integrations.base import Finding, Lane
from integrations.kube.answers import plain
from integrations.kube.lanes import Labels
from integrations.routers.istio.lanes import Facts
from integrations.routers.istio.routes import Destination, full_host


@dataclass(frozen=True, slots=True)
class Definition:
    """What one DestinationRule says about a subset."""

    rule: str
    labels: Labels
    clients: Labels
    """Of the workloads that it holds for; nothing: all of them."""
    namespaces: frozenset[str]
    """Of those workloads; `*`: all."""

    def meets(self, other: "Definition") -> bool:
        """Say whether both hold for the same clients: then the older rule wins, whatever the other says."""
        everywhere = "*" in self.namespaces | other.namespaces
        return self.clients == other.clients and bool(
            everywhere or self.namespaces & other.namespaces
        )


def mistaken(facts: Facts, ends: Iterable[tuple[Destination, Lane]]) -> list[Finding]:
    """Return what keeps the subsets among some destinations from leading to the pods of their lanes alone."""
    return [
        finding
        for destination, lane in ends
        if destination.subset and facts.rules is not None
        for finding in _mistaken(facts, destination, lane)
    ]


def mistaken_by_name(facts: Facts, destinations: Iterable[Destination]) -> list[Finding]:
    """Return the same where no route could be told to have both lanes: which is which, the subsets' names say."""
    ends = ((one, lane) for one in dict.fromkeys(destinations) if (lane := _called(facts, one)))
    return mistaken(facts, ends)


def _called(facts: Facts, destination: Destination) -> Lane | None:
    """Return the lane that a subset is named after; None for one of a host that is another service's."""
    selector = facts.selectors.get(destination) or {}
    known = [labels for labels in facts.pods.values() if labels is not None]
    if not selector or not any(selector.items() <= labels.items() for labels in known):
        return None
    names = {lane: facts.names.of(lane) for lane in Lane}
    told = [
        lane
        for lane, name in names.items()
        if destination.subset in {lane.value, name, name.rpartition("-")[2]}
    ]
    return told[0] if len(told) == 1 else None


def _mistaken(facts: Facts, destination: Destination, lane: Lane) -> Iterator[Finding]:
    found = list(_definitions(facts.rules or (), destination, facts.namespace))
    if not found:
        yield _missing(destination)
        return
    twins = next((pair for pair in combinations(found, 2) if pair[0].meets(pair[1])), None)
    if twins:
        yield _defined_twice(destination, *twins)
        return
    slips = (_slip(facts, destination, lane, definition) for definition in found)
    yield from [slip for slip in slips if slip is not None][:1]


def _slip(
    facts: Facts, destination: Destination, lane: Lane, definition: Definition
) -> Finding | None:
    rival = Lane.CANARY if lane is Lane.STABLE else Lane.STABLE
    pods, others = facts.pods[lane], facts.pods[rival]
    if pods is None or others is None:
        return None
    wanted = facts.selectors.get(destination, {}).items() | definition.labels.items()
    own, other = facts.names.of(lane), facts.names.of(rival)
    if wanted <= others.items():
        whose = " too" if wanted <= pods.items() else f", not those of Deployment {own}"
        return _overlap(destination, definition, f"Deployment {other}{whose}", own)
    lacking = wanted - pods.items()
    return _pointless(destination, definition, lacking, own) if lacking else None


def _definitions(
    rules: Iterable[Mapping[str, Any]], destination: Destination, namespace: str
) -> Iterator[Definition]:
    for rule in rules:
        spec = rule.get("spec") or {}
        if full_host(str(spec.get("host", "")), namespace) != destination.host:
            continue
        clients = (spec.get("workloadSelector") or {}).get("matchLabels") or {}
        exported = (namespace if to == "." else str(to) for to in spec.get("exportTo") or ["*"])
        seen_from = frozenset(exported)
        name = str(rule["metadata"]["name"])
        for subset in spec.get("subsets") or []:
            if subset.get("name") == destination.subset:
                yield Definition(name, subset.get("labels") or {}, clients, seen_from)


def _missing(destination: Destination) -> Finding:
    return Finding(
        "subset_missing",
        f"No DestinationRule defines subset {_title(destination)}; traffic sent there fails. Define it.",
    )


def _defined_twice(destination: Destination, one: Definition, other: Definition) -> Finding:
    rules = " and in ".join(sorted({one.rule, other.rule}))
    return Finding(
        "subsets_overlap",
        f"Subset {_title(destination)} is defined twice, in DestinationRule {rules}. Only the older definition "
        "counts, so which pods get the traffic depends on which was made first. Remove one of them.",
    )


def _overlap(destination: Destination, definition: Definition, whose: str, own: str) -> Finding:
    labels = _shown(definition.labels.items())
    return Finding(
        "subsets_overlap",
        f"Subset {_title(destination)} ({labels or 'no labels'}) selects the pods of {whose}, so the weights "
        f"split nothing. Give it, in DestinationRule {definition.rule}, a label that only the pods of Deployment {own} "
        "bear.",
    )


def _pointless(
    destination: Destination, definition: Definition, lacking: set[tuple[str, str]], own: str
) -> Finding:
    return Finding(
        "subset_missing",
        f"Subset {_title(destination)} leads to pods with {_shown(lacking)}, which those of Deployment {own} do "
        f"not bear; traffic sent there fails. Correct its labels in DestinationRule {definition.rule}, the selector of "
        "its Service, or the labels of the Deployment's pods.",
    )


def _title(destination: Destination) -> str:
    return f"{destination.subset} of {destination.host}"


def _shown(labels: Iterable[tuple[str, str]]) -> str:
    return plain(",".join(f"{key}={value}" for key, value in sorted(labels)))
