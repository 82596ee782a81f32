"""Hold the two variants of an A/B test against each other. Pure: numbers in, a table with its winner out.

A is what was live, B the new version. A metric without a number counts for nobody and is shown as not available. The
literal scores read one look at the end; what is certain (`strategies.experiment`) is shown beside them, and decides
where that was asked for.
"""

from dataclasses import dataclass, replace
from math import isclose, isfinite
from typing import Literal

from strategies.experiment import Interval, Weighed, Weights
from strategies.plan import Better, Compare, Score, Yardstick
from strategies.verdict import Look, Sample

Variant = Literal["A", "B", ""]
"""`""`: neither."""


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of both variants."""

    metric: str
    better: Better
    weight: float
    """Percent of the score, as far as this metric has numbers."""
    a: float | None
    b: float | None
    winner: Variant
    why: str = ""
    """Why there is no winner: a tie, or a number that is missing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole table."""

    lines: tuple[Line, ...]
    score_a: float
    """Percent of the score (`weighted`), or metrics won (`wins`)."""
    score_b: float
    winner: Variant
    sentence: str
    """Who leads and why, for people; no full stop, it may stand inside another sentence."""
    certain: str = ""
    """Beside a literal score: what is certain by the counts. No full stop; `""`: nothing was counted."""
    sure: Variant = ""
    """Beside a literal score: who wins by the counts."""
    broken: bool = False
    """The requests, or users, were not assigned as the split says."""
    foreseen: str = ""
    """What the test can see in its time, once the first minutes have told how much comes."""


def compare(look: Look, step: Compare) -> Comparison:
    """Return how the variants stand.

    A line whose variants are equal counts for nobody, one without numbers is left out of the total. With fewer than
    `min_requests` requests on either side there is no winner yet, whatever the score says.
    """
    whole = sum(y.weight for y in step.metrics if _numbers(look.get(y.metric)) is not None)
    lines = tuple(_line(yardstick, look, step.split, whole) for yardstick in step.metrics)
    a, b = (_score(lines, variant, step.score) for variant in ("A", "B"))
    leader: Variant = "" if isclose(a, b, abs_tol=0.005) else "A" if a > b else "B"
    thin = _thin(look, step.min_requests)
    sentence = thin or _standing(lines, leader, (a, b), step.score)
    return Comparison(lines, a, b, "" if thin else leader, sentence)


def beside(table: Comparison, seen: Weighed | None) -> Comparison:
    """Return the table of a literal score with what is certain; it decides nothing here."""
    if seen is None:
        return table
    return replace(table, certain=seen.sentence, sure=seen.winner or "", broken=seen.broken)


_NAMES: dict[str, tuple[str, Better]] = {
    "conversion": ("conversion_rate", "higher"),
    "errors": ("error_rate", "lower"),
    "slow": ("slow_rate", "lower"),
    "good": ("success_rate", "higher"),
    "cpu": ("cpu", "lower"),
}


def weighed(seen: Weighed | None, weights: Weights, look: Look, problem: str) -> Comparison:
    """Return the table of what is certain; `problem` says why nothing could be counted."""
    if seen is None:
        why = f": {problem.rstrip('.')}" if problem else ""
        return Comparison((), 0.0, 0.0, "", f"No winner yet, nothing has been counted{why}")
    lines = tuple(_counted(one, weights, look) for one in seen.intervals)
    winner: Variant = seen.winner or ""
    return Comparison(lines, 0.0, 0.0, winner, seen.sentence, broken=seen.broken)


def _counted(one: Interval, weights: Weights, look: Look) -> Line:
    metric, better = _NAMES[one.metric]
    weight = 0.0 if one.metric == "conversion" else round(100 * weights.share(one.metric), 2)
    a, b = (None if share is None else 100 * share for share in (one.a, one.b))
    if one.metric == "cpu":
        sample = look.get("cpu")
        a, b = _finite(sample.stable), _finite(sample.canary)
    if one.low is None or one.high is None or one.low <= 0 <= one.high:
        return Line(metric, better, weight, a, b, "", "not certain")
    return Line(metric, better, weight, a, b, "B" if (one.low > 0) is (better == "higher") else "A")


def _line(yardstick: Yardstick, look: Look, split: float, whole: float) -> Line:
    sample = look.get(yardstick.metric)
    numbers = _numbers(sample)
    weight = round(100 * yardstick.weight / whole, 2) if numbers and whole else 0.0

    def line(winner: Variant, why: str = "") -> Line:
        a, b = numbers or (_finite(sample.stable), _finite(sample.canary))
        return Line(yardstick.metric, yardstick.better, weight, a, b, winner, why)

    if numbers is None:
        return line("", _unavailable(sample))
    a, b = _fair(yardstick.metric, numbers, split)
    if isclose(a, b, rel_tol=1e-9, abs_tol=1e-12):
        return line("", "a tie")
    return line("A" if (a < b) is (yardstick.better == "lower") else "B")


def _numbers(sample: Sample) -> tuple[float, float] | None:
    a, b = _finite(sample.stable), _finite(sample.canary)
    return None if a is None or b is None else (a, b)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _unavailable(sample: Sample) -> str:
    sides = (("A", sample.stable, sample.why_stable), ("B", sample.canary, sample.why_canary))
    missing = [(name, why or "no data") for name, value, why in sides if _finite(value) is None]
    if len(missing) == 2 and missing[0][1] == missing[1][1]:
        return missing[0][1]
    return "; ".join(f"{name}: {why}" for name, why in missing)


def _fair(metric: str, numbers: tuple[float, float], split: float) -> tuple[float, float]:
    """Return requests per second for an equal share of the traffic: the bigger share is not the better version."""
    a, b = numbers
    return (a / (100 - split), b / split) if metric == "rps" else (a, b)


def _score(lines: tuple[Line, ...], variant: str, score: Score) -> float:
    won = [line for line in lines if line.winner == variant]
    return round(sum(line.weight for line in won), 2) if score == "weighted" else float(len(won))


def _thin(look: Look, needed: int) -> str:
    """Return what is missing before anybody may win; empty when both variants were asked often enough."""
    sample = look.get("requests")
    short = [
        f"{name} has {int(count):,} of {needed:,} requests, {needed - int(count):,} are missing"
        for name, count in (("A", _finite(sample.stable) or 0), ("B", _finite(sample.canary) or 0))
        if count < needed
    ]
    return f"No winner yet: {'; '.join(short)}" if short else ""


def _standing(
    lines: tuple[Line, ...],
    leader: Variant,
    scores: tuple[float, float],
    score: Score,
) -> str:
    counted = [line for line in lines if line.a is not None and line.b is not None]
    if not counted:
        return "No clear winner: no metric has numbers for both variants"
    if not any(line.winner for line in counted):
        return "No clear winner: both variants are equal in every metric"
    high, low = max(scores), min(scores)
    if not leader:
        return f"No clear winner: {_short(high)} : {_short(low)}"
    won = ", ".join(line.metric for line in lines if line.winner == leader)
    if score == "wins":
        return f"{leader} wins {high:.0f} of {len(counted)} metrics ({won})"
    return f"{leader} leads {_short(high)} : {_short(low)} ({won})"


def _short(score: float) -> str:
    return f"{round(score, 1):g}"
