"""How much two halves of one version differ from minute to minute: `noise` is raised until the judge stays calm.

The splits are drawn by a digest of a number and the pods' names, so that the same record always says the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from strategies.calibration.stages import Stage
from strategies.calibration.table import Table
from strategies.calibration.trial import Outcome, Split, Trial, share

LADDER = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
FALSE = 0.01
"""At most this share of the rollouts may be rolled back."""
_HOUR = 3600
_WANTED = 300
"""Rollouts in all: enough to tell one in a hundred."""
_MOST_SPLITS = 40
_WHOLE = 0.0995
"""From here on a share is written without a fraction."""
_SETTLES = 3
"""Steps in which a pod has to count to be there at a start."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the replayed rollouts came to at one `noise`."""

    noise: float
    rollouts: int
    evidence: float
    """The share that the counts rolled back with stable beside it, as a fraction; each of them for nothing."""
    alone: float
    """The share that they rolled back at 100 %, where nothing is left to compare with; no noise helps there."""
    limits: float
    """The share that the fixed limits rolled back."""
    broken: tuple[str, ...]
    """The metrics whose limits did."""
    asked: float
    """The share that asked a person at the end of some stage."""

    @property
    def calm(self) -> bool:
        """Whether the counts are wrong as seldom as they may."""
        return self.evidence <= FALSE


def splits(table: Table, stages: tuple[Stage, ...], *, seed: int = 0) -> tuple[Split, ...]:
    """Return rollouts that begin every hour, each with several choices of the pods that play the canary.

    None where there are never two pods at a time.
    """
    hour = max(1, _HOUR // table.seconds)
    planned = sum(stage.duration for stage in stages) // table.seconds
    starts = range(0, max(1, table.steps - planned + 1), hour)
    each = min(_MOST_SPLITS, -(-_WANTED // len(starts)))
    return tuple(split for start in starts for split in _at(table, stages, start, each, seed))


def _at(
    table: Table, stages: tuple[Stage, ...], start: int, each: int, seed: int
) -> Iterator[Split]:
    there = table.alive(start, min(table.steps, start + _SETTLES))
    if len(there) < 2:
        return
    sizes = {stage.canaries(len(there)) for stage in stages if stage.weight < 100}
    chosen: set[tuple[frozenset[str], ...]] = set()
    for number in range(each):
        order = tuple(sorted(there, key=lambda name: _drawn(seed, start, number, name)))
        canaries = tuple(frozenset(order[:size]) for size in sorted(sizes))
        if canaries not in chosen:
            chosen.add(canaries)
            yield Split(start, order)


def _drawn(seed: int, start: int, number: int, name: str) -> bytes:
    text = f"{seed}/{start}/{number}/{name}"
    return blake2b(text.encode(errors="replace"), digest_size=8).digest()


def climb(
    trial: Trial, chosen: tuple[Split, ...], usual: float, tell: Tell
) -> tuple[Figures, Figures | None]:
    """Return the figures at the noise of now, and those of the first rung at which the judge stays calm, if any."""
    now = summed([trial.run(split, usual) for split in chosen], usual)
    tell(f"noise {usual:g}: {percent(now.evidence)} of {len(chosen)} rollouts go back for nothing.")
    if now.calm and usual < LADDER[0]:
        return now, now
    for noise in LADDER:
        found = now if noise == usual else _figures(trial, chosen, noise)
        if found is not None and found.calm:
            return now, found
        tell(f"noise {noise:g} is not enough.")
    return now, None


def _figures(trial: Trial, chosen: tuple[Split, ...], noise: float) -> Figures | None:
    """Return the figures at a rung; None as soon as too many go back: what the rest does is of no interest then."""
    outcomes = []
    most = FALSE * len(chosen)
    for split in chosen:
        outcomes.append(trial.run(split, noise))
        if sum(one.evidence for one in outcomes) > most:
            return None
    return summed(outcomes, noise)


def percent(share: float) -> str:
    """Return a share as people write it: 0.33 %, 4.7 %, 22 %, 100 %."""
    return f"{100 * share:.0f} %" if share >= _WHOLE else f"{100 * share:.2g} %"


def summed(outcomes: list[Outcome], noise: float) -> Figures:
    """Return what so many rollouts come to."""
    broken = dict.fromkeys(check.metric for one in outcomes for check in one.limits)
    return Figures(
        noise=noise,
        rollouts=len(outcomes),
        evidence=share(one.evidence for one in outcomes),
        alone=share(one.alone for one in outcomes),
        limits=share(bool(one.limits) for one in outcomes),
        broken=tuple(broken),
        asked=share(bool(one.asked) for one in outcomes),
    )
