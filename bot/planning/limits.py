"""What a rollout is measured by: the checks and the yardsticks of a request over those of the target.

Pure. A name that no source knows needs a query; only what people count in their business may go without, and says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bot.settings.metrics import (
    BUSINESS_METRICS,
    KNOWN_METRICS,
    LATE,
    NOT_MEASURED,
    WITHOUT_QUERIES,
    unknown_metric,
)
from bot.settings.sources import AnyMetrics, CloudWatchMetrics
from bot.settings.targets import TargetBlock
from bot.settings.values import Config
from strategies.plan import Check, Yardstick
from strategies.request import PlanError, Request
from strategies.wish import Wish
from strategies.yardsticks import better_of

_BESIDE_STABLE = frozenset({"above_baseline", "times_baseline", "margin"})
_LEAVE_OUT = "Its source takes no queries: leave the check out."


def checks(wish: Wish, target: TargetBlock) -> tuple[Check, ...]:
    """Return the target's checks, each replaced by what was asked for its metric and kind of bound."""
    asked = list(wish.checks or ())
    taken: list[Check] = []
    for check in target.checks:
        same = [one for one in asked if _key(one) == _key(check)]
        if not any(_key(one) == _key(check) for one in wish.checks or ()):
            taken.append(check)
        taken += same
        asked = [one for one in asked if one not in same]
    return tuple(_with_query(check, target) for check in (*taken, *asked))


def yardsticks(wish: Wish, target: TargetBlock) -> tuple[Yardstick, ...]:
    """Return what an A/B test compares; metrics that the file lists keep their weight and query."""
    if wish.compare is None:
        return target.ab_test.metrics
    listed = {one.metric: one for one in target.ab_test.metrics}
    return tuple(listed.get(name) or _yardstick(name, target) for name in wish.compare)


def never_judged(checks: Sequence[Check], target: TargetBlock) -> Iterator[str]:
    """Yield which checks will never have a number to judge."""
    queried = target.metrics.template not in WITHOUT_QUERIES
    way_out = "Add a query for it under queries, or leave the check out." if queried else _LEAVE_OUT
    for name in _without_numbers(checks, target):
        yield (
            f"{name} has no numbers here, so its check never passes and each stage ends with a question. "
            f"{way_out}"
        )
    led = target.lead.workload
    if led.lanes != "led" or led.places("")[0]:
        return
    for check in checks:
        if check.bound[0] in _BESIDE_STABLE:
            yield (
                f"{check.metric} is held against stable, and nothing here tells stable and canary apart, so its check "
                "never passes and each stage ends with a question. Name stable and canary under workload, or give the "
                "check a limit of its own."
            )


def not_available(compare: Iterable[Yardstick], target: TargetBlock) -> Iterator[str]:
    """Yield which lines of an A/B test will have no numbers."""
    for name in _without_numbers(compare, target):
        if target.metrics.template in WITHOUT_QUERIES:
            yield f"{name} has no numbers here: it will be shown as not available."
        else:
            yield f"{name} has no query here: it will be shown as not available. Add one under queries."


def by_source(request: Request, target: TargetBlock, config: Config) -> Iterator[str]:
    """Yield what the metric sources of a target cannot tell: a stage that is over before they do, the cold starts."""
    blocks = [place.metrics or target.metrics for place in target.places]
    soak = min(_watched(request), default=0)
    late = {one.source: LATE.get(one.template, config.metrics[one.source].delay) for one in blocks}
    for name, delay in late.items():
        if 0 < soak < delay:
            yield (
                f"{name} has its numbers some minutes late: a soak of {soak} s can end before the first ones, with a "
                f"question. Watch for {delay} s or longer."
            )
    counts = all(_counts_cold_starts(one.template, config.metrics[one.source]) for one in blocks)
    if not counts and any(check.metric == "cold_start_rate" for check in request.checks):
        yield (
            "cold_start_rate has no numbers here, so its check never passes and each stage ends with a question. "
            "Set logs: true at the metric source, or leave the check out."
        )


def _watched(request: Request) -> tuple[int, ...]:
    """Return the seconds that the stages of a request are watched for."""
    match request.strategy:
        case "rolling":
            return (request.batch_delay,)
        case "ab-test":
            return (request.test_duration,)
        case _:
            return request.soak


def _counts_cold_starts(template: str, source: AnyMetrics) -> bool:
    """Whether a source that could count them does; what none can is told elsewhere."""
    return template != "lambda" or not isinstance(source, CloudWatchMetrics) or source.logs


def _without_numbers(measured: Iterable[Check | Yardstick], target: TargetBlock) -> list[str]:
    # What a flag is called, `on`, nobody counts requests by.
    flag = target.lead.workload.flag
    silent = frozenset(KNOWN_METRICS) if flag else NOT_MEASURED[target.metrics.template]
    names = (one.metric for one in measured if one.query is None)
    return list(dict.fromkeys(n for n in names if n not in KNOWN_METRICS or n in silent))


def _key(check: Check) -> tuple[str, str]:
    return check.metric, check.bound[0]


def _yardstick(name: str, target: TargetBlock) -> Yardstick:
    return Yardstick(name, better_of(name) or "lower", query=_query(name, target, "compare"))


def _with_query(check: Check, target: TargetBlock) -> Check:
    if check.query is not None:
        return check
    return replace(check, query=_query(check.metric, target))


def _query(metric: str, target: TargetBlock, key: str = "") -> str | None:
    """Return the configured query of a metric. Raises `PlanError` where there must be one and is none."""
    measured: tuple[Check | Yardstick, ...] = (*target.checks, *target.ab_test.metrics)
    written = (one.query for one in measured if one.metric == metric)
    query = target.queries.get(metric) or next(filter(None, written), None)
    if query is None and metric not in (*KNOWN_METRICS, *BUSINESS_METRICS):
        raise PlanError(unknown_metric(metric), code="unknown_metric", key=key or metric)
    return query
