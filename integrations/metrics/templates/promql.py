"""The pieces that queries are made of.

Pure. Every template builds its queries from these, so that a percentage, a rate or an age is the same everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

from integrations.metric import Missing
from integrations.metrics.quoting import quote
from integrations.metrics.templates.lanes import Lanes

FRESHNESS = "freshness"
"""Not a metric: seconds since the newest sample of what a lane answered."""
CALLERS_FRESHNESS = "callers_freshness"
"""Not a metric: the same of what its callers saw. A lane that nobody reaches stops telling, its callers do not."""


UNTOLD = "untold"
"""The label of a sample that is no number: the lane has requests, but its series do not tell which of them failed."""


@dataclass(frozen=True, slots=True)
class Question:
    """One query; its answer has at most one series per lane, where `label` is the lane's name in `lanes`."""

    text: str
    label: str
    lanes: Lanes
    age: str = ""
    """The question that tells how old its samples are; `""` where the query itself leaves out old ones."""
    absent: Missing = Missing.NO_DATA
    """What it means that a lane has no series at all."""
    late: float = 0
    """Seconds after which a sample is there at the latest; so much older it may be."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of exporter writes down the requests that a lane answered."""

    counter: str
    duration: str
    """The histogram, without its `_bucket`, `_sum` and `_count`."""
    to_ms: str
    """What makes milliseconds of the histogram's unit."""
    label: str
    place: Callable[[Lanes], tuple[str, ...]]
    told: tuple[str, ...]
    """Series that match any of these tell failures from successes; without one there is no rate of either."""
    failed: tuple[str, ...]
    """Series that match any of these are failures."""
    good: tuple[str, ...]
    classed: str = ""
    """The counter that tells failures from successes, where it is another one."""
    join: Callable[[Lanes, int], str] | None = None
    """What gives a series its `label`, to be written behind it; without it each series bears that itself."""


def requests(dialect: Dialect, lanes: Lanes, window: int) -> dict[str, Question]:
    """Return the questions about what the lanes answered: how many, how well, how fast."""
    named = () if dialect.join else (among(dialect.label, lanes),)
    where = (*dialect.place(lanes), *named)
    join = dialect.join(lanes, window) if dialect.join else ""
    by = f"by ({dialect.label})"
    counter = series(dialect.counter, where)
    classed = dialect.classed or dialect.counter
    total = f"sum {by} (rate({counter}[{window}s]){join})"
    seen = [
        f"last_over_time({series(classed, (*where, it))}[{window}s]){join}" for it in dialect.told
    ]
    blind = f"({total} > 0) unless group {by} ({' or '.join(seen)})"

    def counted(which: tuple[str, ...]) -> str:
        # `or` drops a series that both sides have: a gRPC failure with HTTP 500 is one failure.
        return (
            f"sum {by} ({' or '.join(rate(classed, (*where, it), window) + join for it in which)})"
        )

    def share(which: tuple[str, ...]) -> str:
        return f"{percent(counted(which), counted(dialect.told))} or {untold(blind)}"

    texts = {
        "requests": f"round(sum {by} (increase({counter}[{window}s]){join}))",
        "rps": total,
        "error_rate": share(dialect.failed),
        "success_rate": share(dialect.good),
        FRESHNESS: age(f"timestamp({counter}){join}", dialect.label),
        **_latencies(dialect, where, window, join),
    }
    return {name: Question(text, dialect.label, lanes, FRESHNESS) for name, text in texts.items()}


def _latencies(dialect: Dialect, where: tuple[str, ...], window: int, join: str) -> dict[str, str]:
    by = f"by ({dialect.label})"
    time, count, buckets = (
        rate(f"{dialect.duration}_{part}", where, window) + join
        for part in ("sum", "count", "bucket")
    )
    texts = {"latency_avg": f"{dialect.to_ms}sum {by} ({time}) / sum {by} ({count})"}
    for percentile in (50, 95, 99):
        texts[f"latency_p{percentile}"] = (
            f"{dialect.to_ms}histogram_quantile({percentile / 100}, "
            f"sum by ({dialect.label}, le) ({buckets}))"
        )
    return texts


def among(label: str, lanes: Lanes) -> str:
    """Return the matcher of either lane."""
    return f"{label}=~{quote(lanes.either)}"


def series(name: str, matchers: tuple[str, ...]) -> str:
    """Return a selector."""
    return f"{name}{{{','.join(matchers)}}}"


def rate(name: str, matchers: tuple[str, ...], window: int) -> str:
    """Return how much a counter grows per second."""
    return f"rate({series(name, matchers)}[{window}s])"


def untold(blind: str) -> str:
    """Return a sample that is no number for each lane in `blind`."""
    return f'label_replace({blind}, "{UNTOLD}", "1", "", "")'


def age(stamps: str, label: str) -> str:
    """Return how many seconds ago the newest of these timestamps was."""
    return f"time() - max by ({label}) ({stamps})"


def percent(part: str, total: str) -> str:
    """Return `part` in percent of `total`, 0 where a lane has requests but no series for `part` yet.

    The series of a failure does not exist until the first such answer. So `total` must only have series that would
    tell a failure: else one that never tells reads as 0. Without requests 0 / 0 is NaN: no data.
    """
    return f"100 * ({part} or 0 * {total}) / {total}"
