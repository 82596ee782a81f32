"""What counts in an A/B test, and how sure one wants to be."""

import math
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """What each operational metric counts, as the seeds weigh them; 0: it is not looked at."""

    errors: float = 40.0
    slow: float = 30.0
    good: float = 20.0
    """Requests that were answered well, of those that were assigned. Raw throughput is only the split."""
    cpu: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is no weight (`ValueError`)."""
        if not all(math.isfinite(one) and one >= 0 for one in astuple(self)):
            raise ValueError(f"{self} has a weight that is no number from 0. Give 0 or more.")

    def share(self, metric: str) -> float:
        """Return what a metric counts as a fraction of the score."""
        whole = self.errors + self.slow + self.good + self.cpu
        return float(getattr(self, metric)) / whole if whole else 0.0


METRICS = ("errors", "slow", "good", "cpu")


@dataclass(frozen=True, slots=True)
class Split:
    """How users are to be assigned."""

    b: float
    """Percent that B gets."""

    def __post_init__(self) -> None:
        """Refuse a split with one variant only (`ValueError`)."""
        if not 0 < self.b < 100:
            raise ValueError(f"A split of {self.b!r} % leaves one variant without users.")

    @property
    def share(self) -> float:
        """What B gets, as a fraction."""
        return self.b / 100


@dataclass(frozen=True, slots=True)
class ExperimentPolicy:
    """How an A/B test is decided."""

    duration: float
    """Seconds until the test is over; it may be decided sooner."""
    business: bool = True
    """Whether conversions are counted and decide."""
    weights: Weights = Weights()
    """A metric that a target cannot measure gets 0 here: one that is weighed and not known makes nobody win."""
    alpha: float = 0.10
    """Of tests with equal variants at most this share ever names a winner: A and B half of it each."""
    margin: float = 0.05
    """So much less conversion is still "not worse" where B runs better, as a fraction."""
    worth: float = 0.03
    """A score of at most so much is not worth a winner; halving all errors alone scores 0.4."""
    mismatch: float = 0.001
    """At most this share of tests with a right split is ever called broken; or, if equal, has one "by far" ahead."""
    noise: float = 0.10
    """How much both variants wobble against each other although nothing is different: bad events from minute to minute,
    CPU per request from five minutes to five minutes as long as nothing is known about it."""

    least: float = 0.0
    """Seconds that have to be counted before an interval decides: a hiccup of the first minute is no difference."""

    def __post_init__(self) -> None:
        """Refuse what cannot decide anything (`ValueError`)."""
        for name in ("alpha", "margin", "mismatch"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}. Give a fraction, 0.05 is 5 %."
                )
        for name in ("duration", "noise", "worth", "least"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}. Give a number from 0.")
        if not self.business and not self.weighed:
            raise ValueError("The A/B test weighs nothing. Give one metric a weight above 0.")

    @property
    def weighed(self) -> tuple[str, ...]:
        """The operational metrics that count, in the order of people's interest."""
        return tuple(name for name in METRICS if self.weights.share(name) > 0)

    def level(self, metric: str) -> float:
        """Return how often the interval of a metric may ever miss the truth: operations share half of alpha."""
        return self.alpha / 2 * (1.0 if metric == "conversion" else self.weights.share(metric))
