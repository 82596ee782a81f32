"""The outcome of one look in a sentence: who wins, by which numbers of how many, and what is not known."""

import math
from dataclasses import replace
from functools import partial
from typing import Literal

from strategies.experiment.intervals import Interval
from strategies.experiment.operations import Operations
from strategies.experiment.outcome import Weighed
from strategies.experiment.policy import ExperimentPolicy, Split
from strategies.experiment.tallies import Assigned

_NAMES = {"errors": "errors", "slow": "slow requests", "good": "good answers"}
_VAGUE = 1.0
"""An interval of the score that wide says nothing: errors and latency both halved score 0.7."""
_DAYS_FROM = 72.0
_HOURS_FROM = 7200.0
_RUNS: dict[Operations, str] = {
    "better": "B runs better",
    "worse": "B runs worse",
    "undecided": "which one runs better is not certain",
}


def say(seen: Weighed, tallies: Assigned, configured: Split, policy: ExperimentPolicy) -> str:
    """Return the sentence of an outcome, without a full stop."""
    if seen.broken:
        return _broken(tallies, configured, policy)
    parts = (
        _gaps(seen),
        _business(seen, tallies.unit, policy),
        _operations(seen, tallies),
        _ahead(seen),
    )
    told = "; ".join(part for part in parts if part)
    return f"{_outcome(seen)}{_after(tallies.seconds)}{_keeping(seen)}: {told}"


def failing(seen: Weighed, winner: Literal["A", "B"], metric: str, tallies: Assigned) -> Weighed:
    """Return the outcome in which one variant has lost at once, for it has more of something bad for certain."""
    loser = "A" if winner == "B" else "B"
    what = {"errors": "fails more often", "slow": "is slower"}[metric]
    sentence = f"{winner} wins{_after(tallies.seconds)}: {loser} {what} for certain"
    requests = _requests(seen)
    details = f"; {requests}" if requests else ""
    return replace(seen, winner=winner, sentence=f"{sentence}{details}")


def _outcome(seen: Weighed) -> str:
    if seen.winner:
        return f"{seen.winner} wins"
    return "No clear winner" if seen.over else "No winner yet"


def _keeping(seen: Weighed) -> str:
    return " – keep A" if seen.over and seen.winner is None else ""


def _after(seconds: float) -> str:
    if not math.isfinite(seconds):
        return ""
    return (
        f" after {seconds / 3600:.1f} h"
        if seconds >= _HOURS_FROM
        else f" after {seconds / 60:.0f} min"
    )


def _broken(tallies: Assigned, configured: Split, policy: ExperimentPolicy) -> str:
    a, b, unit = tallies.a.assigned or 0.0, tallies.b.assigned or 0.0, tallies.unit
    return (
        f"Experiment broken, no winner: B got {b:,.0f} of {a + b:,.0f} {unit}, {_percent(b / (a + b))} instead of "
        f"{configured.b:g} %; fewer than 1 in {1 / policy.mismatch:,.0f} tests with a right split look like that, so "
        f"find out how {unit} are assigned before you trust any number of it"
    )


def _gaps(seen: Weighed) -> str:
    if not seen.missing:
        return ""
    *others, last = seen.missing
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"not known: {listed}"


def _business(seen: Weighed, unit: str, policy: ExperimentPolicy) -> str:
    one = _found(seen, "conversion")
    if one is None:
        return ""
    if one.a is None and one.b is None:
        return f"no {unit} yet"
    told = f"B converts {_percent(one.b)} of {one.of_b or 0:,.0f} {unit}, A {_percent(one.a)}"
    sure = one.low is not None and one.high is not None and not one.low <= 0 <= one.high
    if seen.ahead and not sure:
        rare = f"fewer than 1 in {1 / policy.mismatch:,.0f} tests of equal variants look like that"
        return f"{told} of {one.of_a or 0:,.0f} ({seen.ahead} is far ahead: {rare})"
    return f"{told} of {one.of_a or 0:,.0f} ({_change(one)})"


def _operations(seen: Weighed, tallies: Assigned) -> str:
    parts = [part for part in (_requests(seen), _cpu(seen, tallies)) if part]
    if not parts or seen.missing:
        return ", ".join(parts)
    return f"{', '.join(parts)}: {_running(seen)}"


def _running(seen: Weighed) -> str:
    score = seen.score
    if score is None or (score.half > _VAGUE and seen.operations == "undecided"):
        return "too few to tell which one runs better"
    low, high = _signed(score.value - score.half), _signed(score.value + score.half)
    return f"{_RUNS[seen.operations]} (score {_signed(score.value)}, between {low} and {high})"


def _requests(seen: Weighed) -> str:
    """Return the shares of requests; good answers are what errors leave, and are named only without them."""
    names = ("errors" if _found(seen, "errors") else "good", "slow")
    shown = [one for one in map(partial(_found, seen), names) if one is not None]
    if not shown:
        return ""
    if shown[0].a is None and shown[0].b is None:
        return "no requests yet"
    told = " and ".join(
        f"{_percent(one.b)} {_NAMES[one.metric]} instead of {_percent(one.a)}" for one in shown
    )
    return f"B has {told} (of {shown[0].of_b or 0:,.0f} and {shown[0].of_a or 0:,.0f} requests)"


def _cpu(seen: Weighed, tallies: Assigned) -> str:
    one = _found(seen, "cpu")
    if one is None:
        return ""
    skipped = tallies.cpu.skipped
    without = f", not known in {skipped:,} more" if skipped else ""
    return f"CPU per request of B {_points(one.change)} (in {tallies.cpu.count:,} times 5 minutes{without})"


def _found(seen: Weighed, metric: str) -> Interval | None:
    return next((one for one in seen.intervals if one.metric == metric), None)


def _ahead(seen: Weighed) -> str:
    if not seen.over or seen.winner or seen.missing:
        return ""
    if seen.hours is None:
        return "no amount of time would decide at these differences"
    days = seen.hours > _DAYS_FROM
    count = math.ceil(seen.hours / 24 if days else seen.hours)
    unit = ("day" if days else "hour") + ("" if count == 1 else "s")
    return f"about {count:,} more {unit} at this rate would decide, if the differences stay as they are"


def _change(one: Interval) -> str:
    if one.change is None or one.low is None or one.high is None:
        return "too few to compare"
    bounds = f"between {_points(one.low)} and {_points(one.high)}"
    return f"{_points(one.change)}, {bounds} whenever one looks"


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.2f} %" if value >= 0.001 or not value else f"{100 * value:.4f} %"


def _points(change: float | None) -> str:
    """Return a relative change as people read it: `+9.6 %`, `−12 %`."""
    if change is None:
        return "–"
    percent = 100 * change
    digits = 0 if abs(percent) >= 10 else 1
    # Adding 0 makes a 0 of −0.
    return f"{round(percent, digits) + 0.0:+,.{digits}f} %".replace("-", "−")


def _signed(score: float) -> str:
    return f"{round(score, 2) + 0.0:+.2f}".replace("-", "−")
