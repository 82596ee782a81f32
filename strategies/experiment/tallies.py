"""What was counted of both variants since the test began, and what of it is not known.

Counts are cumulative, so nothing but the newest of them and the pairs has to be kept between two looks. A number that
no counter can say (NaN, negative, more bad events than events) is one that is not known.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from strategies.experiment.pairs import Pairs
from strategies.experiment.policy import ExperimentPolicy

Count = float | None
"""`None`: not known."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant since the test began."""

    assigned: Count = None
    """Users that the split gave to it; requests where users cannot be told apart."""
    requests: Count = None
    """Requests that were sent to it."""
    errors: Count = None
    slow: Count = None
    """Requests slower than the limit of both variants."""
    converted: Count = None
    """Of those `assigned`, each at most once."""
    timed: Count = None
    """Requests of which is known how long they took; None: all of them."""


@dataclass(frozen=True, slots=True)
class Clumps:
    """How many events come at once, on average: a client that retries is one event. Nothing is below 1."""

    errors: float = 1.0
    slow: float = 1.0
    assigned: float = 1.0
    """Requests per user where requests are counted instead of users."""

    def __post_init__(self) -> None:
        """Refuse what is no size (`ValueError`)."""
        if not all(math.isfinite(n) and n >= 1 for n in (self.errors, self.slow, self.assigned)):
            raise ValueError(f"{self} has a clump that is no number from 1.")


@dataclass(frozen=True, slots=True)
class Assigned:
    """Both variants since the test began, all of it under the same split."""

    seconds: float
    """How long has been counted."""
    a: Arm
    b: Arm
    cpu: Pairs = field(default_factory=Pairs)
    clumps: Clumps = field(default_factory=Clumps)
    unit: Literal["users", "requests"] = "users"
    """What `assigned` and `converted` count."""


@dataclass(frozen=True, slots=True)
class Shares:
    """So many of so many, of both variants."""

    a: float
    of_a: float
    b: float
    of_b: float


def shares(tallies: Assigned, metric: str) -> Shares | None:
    """Return the counts of a metric; None where one of them is not known."""
    match metric:
        case "conversion":
            hits, of = "converted", "assigned"
        case "good":
            hits, of = "errors", "requests"
        case "slow":
            return _both(
                *(
                    _pair(arm.slow, arm.requests if arm.timed is None else arm.timed)
                    for arm in (tallies.a, tallies.b)
                )
            )
        case _:
            hits, of = metric, "requests"
    found = _both(*(_pair(getattr(arm, hits), getattr(arm, of)) for arm in (tallies.a, tallies.b)))
    if found is None or metric != "good":
        return found
    return Shares(found.of_a - found.a, found.of_a, found.of_b - found.b, found.of_b)


def _both(a: tuple[float, float] | None, b: tuple[float, float] | None) -> Shares | None:
    return None if a is None or b is None else Shares(*a, *b)


def missing(tallies: Assigned, policy: ExperimentPolicy) -> tuple[str, ...]:
    """Return what would have to be known to name a winner and is not, in words."""
    needed = _needed(policy, tallies.unit)
    gaps = [
        f"{words} of {whose}"
        for (hits, of), words in needed.items()
        if (whose := _whose(tallies, hits, of))
    ]
    if "cpu" in policy.weighed and not tallies.cpu.known:
        gaps.append("CPU per request")
    if not (math.isfinite(tallies.seconds) and tallies.seconds >= 0):
        gaps.append("how long the test has run")
    return tuple(gaps)


def _needed(policy: ExperimentPolicy, unit: str) -> dict[tuple[str, str], str]:
    counted = {("assigned", "assigned"): unit}
    if policy.business:
        counted["converted", "assigned"] = "conversions"
    if {"errors", "good"} & {*policy.weighed}:
        counted["errors", "requests"] = "errors"
    if "slow" in policy.weighed:
        counted["slow", "requests"] = "slow requests"
    return counted


def _whose(tallies: Assigned, hits: str, of: str) -> str:
    """Return whose counts are not known."""
    arms = (("A", tallies.a), ("B", tallies.b))
    names = [name for name, arm in arms if _pair(getattr(arm, hits), getattr(arm, of)) is None]
    return "both" if len(names) > 1 else "".join(names)


def _pair(hits: Count, of: Count) -> tuple[float, float] | None:
    if hits is None or of is None or not (math.isfinite(of) and 0 <= hits <= of):
        return None
    return float(hits), float(of)
