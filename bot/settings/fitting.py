"""What contradicts itself in a target: a router without lanes to split, a strategy that its shape cannot do.

Pure. What a strategy needs is in `strategies.fitting`; here it is told at the key of the file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.settings.scalars import did_you_mean, shown
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import WorkloadBlock
from strategies.fitting import Lanes, Weights, misfit, nearest
from strategies.plan import Rule

_Fault = tuple[str, str, str]

_WHERE = ("cluster", "namespace", "workload")
"""The keys that say where the only target runs."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the places of a target have in common."""

    lanes: Lanes
    weights: Weights
    routers: tuple[TrafficBlock | None, ...]
    stops: bool = True
    """Whether all instances can be stopped at once."""

    @property
    def headers(self) -> bool:
        """Whether requests can be told apart by their headers everywhere."""
        return all(router is not None and router.headers for router in self.routers)

    @property
    def not_headers(self) -> frozenset[str]:
        """See `TrafficBlock`: what one of the routers does not read as a header."""
        return frozenset(
            name for router in self.routers if router is not None for name in router.not_headers
        )


def no_such_header(name: str) -> str:
    """Return the refusal of an audience by what is no header to the mesh."""
    return (
        f"The mesh reads {name} as another part of a request and ignores it among the headers: "
        "choose another header for the audience."
    )


def where_faults(
    given: Mapping[str, object], places: Sequence[tuple[str, Lanes]]
) -> Iterator[_Fault]:
    """Yield what is missing or said twice about where a target runs; `places` are those of the key `targets`.

    Each is told by its name and its lanes.
    """
    if not places:
        workload = given["workload"]
        for key in _WHERE:
            if given[key] is None and needs(workload, key):
                yield (key, "missing_key", f"The key {key} is missing here: add it.")
        return
    for key, value in given.items():
        if value is not None:
            sentence = f"With targets each of them has its own {key}: move this one there."
            yield (key, "key_and_targets", sentence)
    names = [name for name, _ in places]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield ("targets", "duplicate_target", f"Two targets are called {name}: rename one.")
    if len({lanes for _, lanes in places}) > 1:
        sentence = (
            "These targets have different shapes (a pair, two colours, one place): one plan cannot "
            "drive them. Give them the same kind of workload."
        )
        yield ("targets", "mixed_targets", sentence)


def needs(workload: object, key: str) -> bool:
    """Whether a place of this workload has a cluster, a namespace. One that is not known has all of them."""
    match workload, key:
        case WorkloadBlock(), "cluster":
            return workload.clustered
        case WorkloadBlock(), "namespace":
            return workload.namespaced
        case _:
            return True


def shape_faults(shape: Shape, match: tuple[Rule, ...], strategy: str | None) -> Iterator[_Fault]:
    """Yield what a target asks for that its places cannot do, each as key, code and sentence."""
    lanes, weights = shape.lanes, shape.weights
    if match and not shape.headers:
        yield (
            "match",
            "no_header_routes",
            "Nothing here sends requests by their headers: remove match, or split traffic with a mesh.",
        )
    for name in sorted(shape.not_headers.intersection(rule.header for rule in match)):
        yield ("match", "bad_header_rule", no_such_header(name))
    code = misfit(strategy, lanes, weights) if strategy else ""
    if strategy and code:
        why = "has one place only" if lanes == "one" else "has a router that knows all or nothing"
        others = dict.fromkeys((nearest(strategy, lanes, weights), "direct"))
        sentence = f"{strategy} cannot be done on this target, which {why}: take {', '.join(others)} or recreate."
        yield ("strategy", code, sentence)
    elif strategy == "recreate" and not shape.stops:
        sentence = "recreate stops all instances first, and these cannot be stopped: take rolling or direct."
        yield ("strategy", "not_scalable", sentence)
    elif strategy == "ab-test" and len(shape.routers) > 1:
        yield (
            "strategy",
            "one_target_only",
            "An A/B test compares two variants in one place, and here are several targets: take canary.",
        )


def traffic_faults(workload: WorkloadBlock, traffic: TrafficBlock | None) -> Iterator[_Fault]:
    """Yield what is wrong with the router of one place."""
    lanes = workload.lanes_behind(traffic)
    if traffic is None:
        if lanes != "one" and not workload.routes:
            sentence = (
                "Two workloads need a router that splits the traffic between them: add the key traffic. Without one, "
                "let a single Deployment move in batches (workload: name), or a stable/canary pair of Deployments."
            )
            yield ("traffic", "missing_key", sentence)
    elif lanes == "one":
        yield (
            "traffic",
            "traffic_without_lanes",
            "One place alone has nothing to split traffic between: remove traffic, or name two workloads.",
        )
    elif traffic.colours_only and lanes != "swap":
        yield (
            "traffic",
            "selector_needs_colours",
            "A Service selector goes back and forth between two colours: name the Deployments blue and green.",
        )
    elif traffic.pairs_only and lanes != "fixed":
        yield (
            "traffic",
            "router_needs_pair",
            "This router has a stable and a canary that stay what they are: name the workloads stable and canary.",
        )
    if traffic is not None and getattr(workload, "service", None) is not None:
        yield (
            "workload",
            "service_beside_traffic",
            "The key service is for a pair without a router, whose pods split the traffic: remove it, or traffic.",
        )


def cluster_faults(named: Iterable[str], workloads: Sequence[WorkloadBlock]) -> Iterator[_Fault]:
    """Yield which names under `clusters` are those of no workload."""
    known = {name for workload in workloads for name in workload.places("") if name}
    for name in named:
        if name not in known:
            sentence = (
                f"{shown(name)} under clusters is no workload here{did_you_mean(name, known)}: "
                f"take one of {', '.join(sorted(known))}."
            )
            yield ("metrics", "unknown_workload", sentence)
