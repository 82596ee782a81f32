"""The fixed limits beside what stable itself did: twice its worst hour is as near as a limit may come."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from strategies.calibration.table import Table, Totals
from strategies.calibration.trial import value
from strategies.closeness import written
from strategies.plan import Check

_HOUR = 3600
_FEWEST = 200
"""Requests that an hour needs to say anything."""
_TWICE = 2.0


@dataclass(frozen=True, slots=True)
class Limit:
    """One fixed limit that rolls back."""

    check: Check
    worst: float
    """What stable had in its worst hour, in the metric's own unit."""
    take: float | None
    """What it should be, as a person writes it; None where that is no limit any more."""
    broken: float = 0.0
    """The share of the replayed rollouts that it rolled back, where those are too many."""

    @property
    def hopeless(self) -> bool:
        """Whether no limit helps."""
        return self.take is None and (self.too_near or self.broken > 0)

    @property
    def too_near(self) -> bool:
        """Whether the limit is nearer than that to what stable does."""
        name, bound = self.check.bound
        if name == "above":
            return bound < _TWICE * self.worst
        return 100 - bound < _TWICE * (100 - self.worst)

    @property
    def moved(self) -> Check:
        """The check with what it should be; as it is where it is well, or no limit helps."""
        if self.take is None or not (self.too_near or self.broken > 0):
            return self.check
        if self.check.bound[0] == "below":
            return replace(self.check, below=self.take)
        return replace(self.check, above=self.take)


def limits(table: Table, checks: Iterable[Check]) -> tuple[Limit, ...]:
    """Return every fixed limit that rolls back and has a number in the record."""
    hour = max(1, _HOUR // table.seconds)
    hours = [
        table.between(table.names, at, min(table.steps, at + hour))
        for at in range(0, table.steps, hour)
    ]
    busy = [one for one in hours if one.requests >= _FEWEST]
    fixed = [c for c in checks if c.then == "rollback" and c.bound[0] in ("above", "below")]
    found = (_limit(check, busy) for check in dict.fromkeys(fixed) if check.metric != "requests")
    return tuple(one for one in found if one is not None)


def _limit(check: Check, hours: list[Totals]) -> Limit | None:
    values = [found for one in hours if (found := value(one, check.metric)) is not None]
    if not values:
        return None
    if check.bound[0] == "below":
        worst = min(values)
        # Of a share that should be high, what is missing of it is what doubles.
        missing = written(_TWICE * (100 - worst))
        return Limit(check, worst, 100 - missing if missing < 100 else None)
    take = written(_TWICE * max(values))
    share = check.metric == "error_rate"
    return Limit(check, max(values), None if share and take >= 100 else take)
