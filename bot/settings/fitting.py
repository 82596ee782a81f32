"""What contradicts itself in a target: a router without lanes to split, a strategy that its shape cannot do.

Pure. What a strategy needs is in `strategies.fitting`; here it is told at the key of the file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.settings.fields import Fault
from bot.settings.scalars import did_you_mean, shown
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import WorkloadBlock
from strategies.fitting import NO_BASELINE, Lanes, Weights, misfit, nearest
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
    given: Mapping[str, object], places: Sequence[tuple[str, Lanes, WorkloadBlock]]
) -> Iterator[_Fault]:
    """Yield what is missing or said twice about where a target runs; `places` are those of the key `targets`.

    Each is told by its name, its lanes and what runs there.
    """
    if not places:
        workload = given["workload"]
        for key in _WHERE:
            if given[key] is None and needs(workload, key):
                yield (key, "missing_key", f"The key {key} is missing here: add it.")
        yield from place_faults(given, workload)
        return
    for key, value in given.items():
        if value is not None:
            sentence = f"With targets each of them has its own {key}: move this one there."
            yield (key, "key_and_targets", sentence)
    names = [name for name, _, _ in places]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield ("targets", "duplicate_target", f"Two targets are called {name}: rename one.")
    shapes = {lanes for _, lanes, workload in places if not workload.flag}
    if len(places) > 1 and "led" in shapes:
        sentence = (
            "A target that another controller leads stands alone, and here are several: give it a service or an "
            "environment of its own."
        )
        yield ("targets", "led_alone", sentence)
    elif "one" in shapes and any(workload.flag for _, _, workload in places):
        sentence = (
            "A flag goes along with lanes that share the traffic, and here is one place whose instances move: give the "
            "flag a service of its own, or the deployment a pair."
        )
        yield ("targets", "mixed_targets", sentence)
    elif len(shapes) > 1:
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
        why = "another controller leads" if lanes == "led" else why
        others = dict.fromkeys((nearest(strategy, lanes, weights), "direct"))
        rest = "" if lanes == "led" else " or recreate"
        sentence = f"{strategy} cannot be done on this target, which {why}: take {', '.join(others)}{rest}."
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
    if workload.flag or (traffic is not None and traffic.flags):
        yield from _flag_faults(workload, traffic)
        return
    if traffic is not None and (traffic.revisions or workload.routes):
        yield from _same_object(workload, traffic)
        return
    yield from _router_faults(workload, traffic)
    if traffic is not None and getattr(workload, "service", None) is not None:
        yield (
            "workload",
            "service_beside_traffic",
            "The key service is for a pair without a router, whose pods split the traffic: remove it, or traffic.",
        )


def _router_faults(workload: WorkloadBlock, traffic: TrafficBlock | None) -> Iterator[_Fault]:
    """Yield where a router and the number of places behind it do not go together."""
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
    elif traffic.swaps and lanes != "swap":
        sentence = (
            "This router goes back and forth between two colours: name the workloads blue and green, or what it "
            "splits between stable and canary."
        )
        yield ("traffic", "router_needs_colours", sentence)


def _flag_faults(workload: WorkloadBlock, traffic: TrafficBlock | None) -> Iterator[_Fault]:
    """Yield where a flag is not with the place where flags are kept, or that place with something else."""
    if traffic is None:
        sentence = "A flag is switched where it is kept: add the key traffic, with kind unleash."
        yield ("traffic", "missing_key", sentence)
    elif not (workload.flag and traffic.flags):
        sentence = "A flag and traffic of kind unleash go together, and with nothing else: change one of the two."
        yield ("traffic", "not_its_router", sentence)


def _same_object(workload: WorkloadBlock, traffic: TrafficBlock) -> Iterator[_Fault]:
    """Yield where a workload that splits its own traffic, and what is said about that, are not the same object."""
    if not workload.routes:
        sentence = (
            "Only a workload with revisions splits its traffic like this: name such a workload, or another kind of "
            "traffic."
        )
        yield ("traffic", "router_needs_revisions", sentence)
        return
    if getattr(traffic, "kind", "") != workload.traffic_kind:
        kind = workload.traffic_kind
        instead = f", or make its kind {kind}" if kind else ""
        sentence = f"This workload splits its traffic by itself: remove traffic{instead}."
        yield ("traffic", "not_its_router", sentence)
        return
    for key in type(traffic).model_fields:
        ours, theirs = getattr(workload, key, None), getattr(traffic, key)
        if key != "kind" and ours != theirs:
            sentence = (
                f"The {key} is {shown(str(theirs))} here and {shown(str(ours))} in workload, and both are the same "
                "object: remove traffic, or correct it."
            )
            yield ("traffic", "another_object", sentence)


_NOT_LED: Mapping[str, frozenset[str]] = {
    "recreate": frozenset(),
    "rolling": frozenset(),
    "ab_test": frozenset(),
    "smoke": frozenset(),
    "canary": frozenset({"steps", "auto_promote", "retention", "keep_baseline"}),
    "blue_green": frozenset({"smoke_for", "retention", "switch_timeout", "keep_baseline"}),
    "evidence": frozenset(),
}
"""What the plan of another controller says, or nothing does; without keys: the whole block."""


def led_faults(lanes: Lanes, written: Mapping[str, frozenset[str]]) -> Iterator[Fault]:
    """Yield what is written about a target that another controller leads and could only be ignored there."""
    if lanes != "led":
        return
    for key, parts in _NOT_LED.items():
        if key not in written or (parts and not parts & written[key]):
            continue
        for part in sorted(parts & written[key]) or [""]:
            name = f"{key}.{part}" if part else key
            sentence = (
                f"{name} means nothing here: another controller moves the traffic of this target by its own plan. "
                "Remove it, or change that plan."
            )
            yield ((key, part) if part else key, "controller_leads", sentence)


def percent_faults(
    steps: Iterable[float], kept: Mapping[str, float], workloads: Iterable[WorkloadBlock]
) -> Iterator[Fault]:
    """Yield which weight of a plan its platform cannot carry; `kept` is what each block keeps on the old version."""
    if not any(workload.whole_percent for workload in workloads):
        return
    written = [(("canary", "steps"), step) for step in steps]
    written += [((block, "keep_baseline"), percent) for block, percent in kept.items()]
    odd = {key: percent for key, percent in reversed(written) if percent != int(percent)}
    for key, percent in odd.items():
        sentence = (
            f"{percent:g} % cannot be reached: this platform divides its traffic by whole percent. Give percentages "
            "without decimals."
        )
        yield (key, "inexact_weight", sentence)


def kept_faults(kept: float, weights: Weights) -> Iterator[Fault]:
    """Yield that blue-green shall keep a part of the traffic on the old version where all or nothing moves."""
    if kept and weights == "switch":
        yield (("blue_green", "keep_baseline"), "weights_unreachable", NO_BASELINE)


def place_faults(given: Mapping[str, object], workload: object) -> Iterator[_Fault]:
    """Yield where it is said in which cluster something runs that runs in none.

    The cluster of nodes with an HTTP door is a mere name, which requests may repeat.
    """
    if isinstance(workload, WorkloadBlock) and not (workload.cloud or workload.flag):
        return
    for key in ("cluster", "namespace"):
        if given[key] is not None and not needs(workload, key):
            yield (key, "place_without_cluster", f"What runs here is in no {key}: remove this key.")


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


_MEASURED_BY = {
    "lambda": ("what AWS counts for a function", "the workload", "function"),
    "cloud_run": ("what Google counts for Cloud Run", "the workload", "cloud_run"),
    "alb": ("what a load balancer of AWS counts", "the traffic", "load_balancer"),
}
"""By template: what it reads, whose that is, and by what key it is known to be there."""
_BY_PODS = ("istio", "linkerd", "envoy")


def template_faults(
    template: str, workload: WorkloadBlock, traffic: TrafficBlock | None
) -> Iterator[_Fault]:
    """Yield that a template reads what is not there."""
    if workload.flag and template != "http":
        sentence = (
            "A mesh counts workloads, and the values of a flag are none: take template: http for the flag, and give "
            "the checks a query with $workload, which is on or off."
        )
        yield ("metrics", "template_not_for_target", sentence)
        return
    if workload.revisions and template in _BY_PODS:
        sentence = (
            f"The template {template} counts pods by a name that stays, and these lanes are revisions: take that "
            "of their platform, or http."
        )
        yield ("metrics", "template_not_for_target", sentence)
    elif template == "knative" and workload.traffic_kind != "knative":
        sentence = "The template knative reads what Knative counts, which this workload is not: take another template."
        yield ("metrics", "template_not_for_target", sentence)
    if template not in _MEASURED_BY:
        return
    reads, whose, needed = _MEASURED_BY[template]
    if needed not in {**workload.measured(), **(traffic.measured() if traffic else {})}:
        sentence = f"The template {template} reads {reads}, which {whose} here is not: take another template."
        yield ("metrics", "template_not_for_target", sentence)
