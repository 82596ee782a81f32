"""What contradicts itself in a target: a router without lanes to split, a strategy that its shape cannot do.

Pure. What a strategy needs is in `strategies.fitting`; here it is told at the key of the file.
"""

from collections.abc import Iterator

from bot.settings.traffic import TrafficBlock
from strategies.fitting import Lanes, Weights, misfit, nearest
from strategies.plan import Rule

_Fault = tuple[str, str, str]


def target_faults(
    lanes: Lanes,
    weights: Weights,
    traffic: TrafficBlock | None,
    match: tuple[Rule, ...],
    strategy: str | None,
) -> Iterator[_Fault]:
    """Yield what contradicts itself in a target, each as key, code and sentence."""
    yield from _traffic_faults(lanes, traffic)
    if match and (traffic is None or not traffic.headers):
        yield (
            "match",
            "no_header_routes",
            "Nothing here sends requests by their headers: remove match, or split traffic with a mesh.",
        )
    code = misfit(strategy, lanes, weights) if strategy else ""
    if strategy and code:
        why = "has one place only" if lanes == "one" else "has a router that knows all or nothing"
        other = nearest(strategy, lanes, weights)
        sentence = f"{strategy} cannot be done on this target, which {why}: take {other}, direct or recreate."
        yield ("strategy", code, sentence)


def _traffic_faults(lanes: Lanes, traffic: TrafficBlock | None) -> Iterator[_Fault]:
    if traffic is None:
        if lanes != "one":
            yield ("traffic", "missing_key", "The key traffic is missing here: add it.")
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
