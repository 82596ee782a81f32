"""Hold the two variants of an A/B test against each other. Pure: one look in, a table with its winner out.

A is what was live, B the new version. A metric without a number counts for nobody and is shown as not available.
"""

from dataclasses import dataclass
from math import isclose, isfinite
from typing import Literal

from strategies.plan import Better, Compare, Yardstick
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


def _score(lines: tuple[Line, ...], variant: str, score: Literal["weighted", "wins"]) -> float:
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
    score: Literal["weighted", "wins"],
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
