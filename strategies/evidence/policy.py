"""What is asked of the counts, and how sure one wants to be."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of bad event. Tolerated is `canary <= ratio * stable + margin`, both as shares of the exposures."""

    name: str
    ratio: float
    """How many times as often as stable is still fine; 0: an absolute limit, whatever stable does."""
    margin: float
    """A share of the exposures on top of that, as a fraction: 0.0005 is 0.05 points."""
    share: float
    """Of alpha. The shares of all questions sum up to at most 1."""
    warms: bool = False
    """Cold caches answer it wrongly: it is not asked before the warm-up is over."""


ERRORS = Question("errors", 1.05, 0.0005, 0.4)
ERROR_LIMIT = Question("error_limit", 0.0, 0.05, 0.2)
SLOW_LIMIT = Question("slow_limit", 0.0, 0.01, 0.1, warms=True)
"""p99 above a second is: more than 1 % take longer than a second."""


def errors(tolerated: float) -> Question:
    """Return the question about errors, with so many percent more than stable tolerated."""
    return replace(ERRORS, ratio=1 + tolerated / 100)


def error_limit(percent: float) -> Question:
    """Return the question about a fixed limit of errors."""
    return replace(ERROR_LIMIT, margin=percent / 100)


def slow(ratio: float) -> Question:
    """Return the question about latency, with the ratio of `slow_rule`."""
    return Question("slow", ratio, 0.002, 0.3, warms=True)


def slow_limit(percentile: float) -> Question:
    """Return the question about a fixed limit of a percentile: 99 is, no more than 1 % may take longer than it says."""
    return replace(SLOW_LIMIT, margin=1 - percentile / 100)


@dataclass(frozen=True, slots=True)
class Policy:
    """How sure one wants to be, and what the next step may cost."""

    mode: Literal["decide", "observe", "off"] = "decide"
    """`observe`: the fixed limits decide, and it is told what the counts would have done. `off`: the limits alone."""
    alpha: float = 0.01
    """At most this share of the rollouts within tolerance are rolled back."""
    beta: float = 0.05
    """With this share of doubt a stage is called safe."""
    windows: int = 3
    """Evidence has to come from at least so many windows: a hiccup of one never rolls back."""
    noise: float = 0.10
    """How much the ratio of both lanes wobbles from minute to minute although nothing is wrong."""
    warmup: float = 120.0
    """Seconds in which cold caches are forgiven."""
    tolerate_errors: float = 5.0
    """Percent more errors than stable, besides 0.05 points, that are not worth a rollback."""
    tolerate_latency: float = 15.0
    """Percent slower than stable that is not worth a rollback."""
    blast: float = 1.0
    """Percent of all traffic that the next step may make fail additionally."""
    budget: float = 10.0
    """Requests that the next step may make fail additionally, where that is more."""
    max_extension: float = 3.0
    """A soak is extended to so many times its length before a person is asked."""
    calm: float = 5.0
    """Nothing passes while the evidence of harm is larger than that."""
