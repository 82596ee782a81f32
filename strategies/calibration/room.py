"""Limits are tried on the replayed rollouts before they are proposed, and moved on until those keep them.

An hour is long, and a canary is small: a limit that is far enough from stable's worst hour may still break on the few
requests of one stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from strategies.calibration.limits import Limit
from strategies.calibration.noise import FALSE
from strategies.calibration.trial import Outcome, share
from strategies.closeness import written
from strategies.plan import Check

_FURTHER = 1.5
"""By how much a limit is moved at a time."""
_MOVES = 12
"""At most: a hundred times as far."""

Instead = Mapping[Check, Check | None]
"""What is put in the place of a check; None: nothing."""


@dataclass(frozen=True, slots=True)
class Room:
    """What was tried."""

    limits: tuple[Limit, ...]
    left: Mapping[Check, float] = field(default_factory=dict)
    """Checks that roll back too many still and for which no limit can be proposed, with their share."""


def room(found: tuple[Limit, ...], run: Callable[[Instead], list[Outcome]]) -> Room:
    """Return the limits as they are kept by the replayed rollouts; `run` replays with other checks in their place."""
    tried = found
    for _ in range(_MOVES):
        shares = _too_many(run(_instead(tried)))
        moving = [one for one in tried if not one.hopeless and one.moved in shares]
        if not moving:
            return Room(tried, shares)
        tried = tuple(_further(one, shares[one.moved]) if one in moving else one for one in tried)
    given_up = tuple(replace(one, take=None) if one.broken else one for one in tried)
    return Room(given_up, _too_many(run(_instead(given_up))))


def _too_many(outcomes: list[Outcome]) -> dict[Check, float]:
    """Return by check what it rolled back, where that is too much; all of them where only the sum is."""
    checks = dict.fromkeys(check for one in outcomes for check in one.limits)
    shares = {check: share(check in one.limits for one in outcomes) for check in checks}
    if share(bool(one.limits) for one in outcomes) <= FALSE:
        return {}
    return {check: part for check, part in shares.items() if part > FALSE} or shares


def _instead(tried: tuple[Limit, ...]) -> dict[Check, Check | None]:
    return {one.check: None if one.hopeless else one.moved for one in tried}


def _further(one: Limit, broken: float) -> Limit:
    """Return a limit farther from what stable does; of a share that should be high it is what is missing that grows."""
    name, bound = one.moved.bound
    broken = max(broken, one.broken)
    if name == "below":
        missing = written(_FURTHER * (100 - bound))
        return replace(one, take=100 - missing if missing < 100 else None, broken=broken)
    take = written(_FURTHER * bound)
    whole = one.check.metric == "error_rate" and take >= 100
    return replace(one, take=None if whole else take, broken=broken)
