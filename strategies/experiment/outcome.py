"""What one look at an A/B test says."""

from dataclasses import dataclass

from strategies.experiment.deciding import Winner
from strategies.experiment.intervals import Interval
from strategies.experiment.operations import Operations, Score


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one look says; nothing of it is infinite, so that it can be stored as JSON."""

    intervals: tuple[Interval, ...] = ()
    """Of everything that is known, conversion first."""
    missing: tuple[str, ...] = ()
    """What is not known and should be; as long as there is any, nobody wins."""
    broken: bool = False
    """The users were not assigned as configured: no later look makes up for that."""
    over: bool = False
    """The time of the test is up."""
    winner: Winner = None
    """None: nobody; at the end A stays, because it was there."""
    operations: Operations = "undecided"
    """How B runs."""
    ahead: Winner = None
    """Who converts better by far, too far for an interval."""
    score: Score | None = None
    """None: nothing is weighed, or there is too little of something to say anything."""
    hours: float | None = None
    """About how many more would name a winner; only where the time is up without one, None where none would."""
    sentence: str = ""
    """All of this for people; no full stop, it may stand inside another sentence."""
