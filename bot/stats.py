"""How the strategies did: sums over rollouts that have ended, and the sentence that they amount to. Pure.

A rollout has *finished* when it had begun and came to an end: it succeeded, was rolled back, or was ended by hand.
Success is measured against these alone. One that never began says nothing about its strategy, and an undoing is no
rollout of its own: it counts as a rollback of the strategy whose success it undid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

from bot.rollout.accounting import Outcome
from bot.rollout.hindsight import undone, worth
from bot.rollout.times import lasting

MOST = 10_000
"""How many rollouts are looked at, the newest first: a bound for a very long window, not for a usual month."""
DAYS = 30
"""The window where none is named."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something takes, in seconds."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What one strategy did in the window, or all of them together."""

    strategy: str
    """`""` for all together."""
    succeeded: int
    automatic: int
    """Rolled back by themselves."""
    by_hand: int
    """Rolled back because a person said so."""
    undone: int
    """Rolled back after they had succeeded."""
    resolved: int
    """Ended by hand where the machine was stuck."""
    cancelled: int
    """Never begun."""
    degraded: int
    """Of the automatic ones: those that a failed check sent back."""
    warned: int
    """Rollouts in which a check warned, however they ended."""
    winners: tuple[int, int]
    """A/B tests that A won, that B won."""
    machine: Spread | None
    """Of the successes: without the time for people."""
    waited: Spread | None
    """Of the successes: standing still for people."""
    approval: Spread | None
    """Of every gate that was let pass: how long it stood open."""

    @property
    def finished(self) -> int:
        """How many had begun and came to an end."""
        return self.succeeded + self.automatic + self.by_hand + self.resolved

    @property
    def success_rate(self) -> float | None:
        """Percent of the finished that succeeded; None while none has finished."""
        return 100 * self.succeeded / self.finished if self.finished else None

    @property
    def rollbacks(self) -> int:
        """How often a version was taken back, for whatever reason."""
        return self.automatic + self.by_hand + self.undone


@dataclass(frozen=True, slots=True)
class Observing:
    """How what the counts would have done compares with what was done, where they only observed."""

    good: int
    """Versions that succeeded, and stayed."""
    bad: int
    """Versions that were rolled back for what they did, or undone within a day."""
    cried: int
    """Of the good ones: the counts would have rolled them back."""
    passed: int
    """Of the bad ones: the counts found nothing against them."""

    @property
    def scored(self) -> int:
        """How many could be compared."""
        return self.good + self.bad

    @property
    def agreed(self) -> int:
        """How often it would have come out the same."""
        return self.scored - self.cried - self.passed


@dataclass(frozen=True, slots=True)
class Stats:
    """The answer to `stats`."""

    days: int
    service: str | None
    strategies: tuple[Tally, ...]
    """Most used first."""
    total: Tally
    bounded: bool = False
    """There was more in the window than is looked at."""
    observing: Observing | None = None
    """None: the counts observed in no rollout of the window."""

    def per_week(self, tally: Tally) -> float:
        """Return how many rollbacks a week had on average."""
        return tally.rollbacks * 7 / self.days


def stats_of(
    outcomes: Sequence[Outcome],
    approvals: Sequence[tuple[str, float]],
    *,
    days: int,
    service: str | None = None,
    bounded: bool = False,
) -> Stats:
    """Sum up what ended in the last `days`; `approvals` are strategy and seconds of the gates in it."""
    names = dict.fromkeys(outcome.strategy for outcome in outcomes)
    tallies = [
        _tally(
            name,
            [outcome for outcome in outcomes if outcome.strategy == name],
            [wait for strategy, wait in approvals if strategy == name],
        )
        for name in names
    ]
    total = _tally("", outcomes, [wait for _, wait in approvals])
    ordered = sorted(tallies, key=lambda tally: (-tally.finished, tally.strategy))
    return Stats(days, service, tuple(ordered), total, bounded, _observing(outcomes))


def _observing(outcomes: Sequence[Outcome]) -> Observing | None:
    taken_back = undone(outcomes)
    found = [
        (worth(one, taken_back.get(one.rollout)), one.observed) for one in outcomes if one.observed
    ]
    good = [observed for value, observed in found if value == "good"]
    bad = [observed for value, observed in found if value == "bad"]
    if not good and not bad:
        return None
    return Observing(len(good), len(bad), good.count("rollback"), bad.count("pass"))


def _tally(strategy: str, outcomes: Sequence[Outcome], approvals: Sequence[float]) -> Tally:
    ends = [outcome.end for outcome in outcomes]
    ways = [outcome.rollback for outcome in outcomes]
    won = [outcome.winner for outcome in outcomes]
    good = [outcome for outcome in outcomes if outcome.end == "succeeded"]
    return Tally(
        strategy=strategy,
        succeeded=len(good),
        automatic=ways.count("automatic"),
        by_hand=ways.count("by_hand"),
        undone=ways.count("after_success"),
        resolved=ends.count("resolved"),
        cancelled=ends.count("cancelled"),
        degraded=sum(outcome.degraded for outcome in outcomes),
        warned=sum(outcome.warnings > 0 for outcome in outcomes),
        winners=(won.count("A"), won.count("B")),
        machine=_spread(outcome.machine_s for outcome in good),
        waited=_spread(outcome.waited_s for outcome in good),
        approval=_spread(approvals),
    )


def _spread(measured: Iterable[float | None]) -> Spread | None:
    """Return the middle and the nearest-rank 90th percentile; None where nothing was measured."""
    values = sorted(value for value in measured if value is not None)
    if not values:
        return None
    return Spread(median(values), values[ceil(0.9 * len(values)) - 1])


def summary(stats: Stats) -> str:
    """Return what the numbers amount to."""
    whose = f" of {stats.service}" if stats.service else ""
    total, rate = stats.total, stats.total.success_rate
    if rate is None:
        earlier = "1 earlier one was" if total.undone == 1 else f"{total.undone} earlier ones were"
        undone = f", {earlier} undone" if total.undone else ""
        return f"No rollout{whose} has finished in the last {_days(stats.days)}{undone}."
    count = "1 rollout" if total.finished == 1 else f"{total.finished} rollouts"
    return (
        f"{count}{whose} finished in the last {_days(stats.days)}, {total.succeeded} of them well ({rate:.0f} %)"
        f"{_took(total)}; {_rollbacks(total)}."
    )


def observed_sentence(observing: Observing) -> str:
    """Return how what the counts would have done compares with what was done."""
    return (
        f"Observe only: agreed with people in {observing.agreed} of {observing.scored}; "
        f"would have rolled back {observing.cried} of {observing.good} that succeeded, "
        f"passed {observing.passed} of {observing.bad} that were rolled back."
    )


def _took(total: Tally) -> str:
    if total.machine is None or total.waited is None:
        return ""
    return (
        f", with {lasting(total.machine.median)} of work and {lasting(total.waited.median)} of waiting for people "
        "at the median"
    )


def _rollbacks(total: Tally) -> str:
    if not total.rollbacks:
        return "nothing was rolled back"
    times = "once" if total.rollbacks == 1 else f"{total.rollbacks} times"
    metrics = f", {total.degraded} for its metrics" if total.degraded else ""
    return f"a version was rolled back {times} ({total.automatic} by itself{metrics})"


def _days(days: int) -> str:
    return "day" if days == 1 else f"{days} days"


def as_json(stats: Stats) -> dict[str, Any]:
    """Return the numbers for programs: rates in percent, times in seconds."""
    bound = {"only_newest": MOST} if stats.bounded else {}
    return {
        "window_days": stats.days,
        "service": stats.service,
        **bound,
        "strategies": [
            {"strategy": tally.strategy, **_tally_json(stats, tally)} for tally in stats.strategies
        ],
        "total": _tally_json(stats, stats.total),
        **_observing_json(stats.observing),
    }


def _observing_json(observing: Observing | None) -> dict[str, Any]:
    if observing is None:
        return {}
    return {
        "observe_only": {
            "scored": observing.scored,
            "agreed": observing.agreed,
            "succeeded": observing.good,
            "would_have_rolled_back": observing.cried,
            "rolled_back": observing.bad,
            "would_have_passed": observing.passed,
            "sentence": observed_sentence(observing),
        }
    }


def _tally_json(stats: Stats, tally: Tally) -> dict[str, Any]:
    rate = tally.success_rate
    return {
        "finished": tally.finished,
        "succeeded": tally.succeeded,
        "rolled_back": {
            "automatic": tally.automatic,
            "by_hand": tally.by_hand,
            "after_success": tally.undone,
        },
        "resolved": tally.resolved,
        "cancelled": tally.cancelled,
        "success_rate": None if rate is None else round(rate, 1),
        "rollbacks_per_week": round(stats.per_week(tally), 2),
        "degradations": {"rolled_back": tally.degraded, "warned": tally.warned},
        "machine_s": _spread_json(tally.machine),
        "human_wait_s": _spread_json(tally.waited),
        "approval_s": _spread_json(tally.approval),
        "winners": {"A": tally.winners[0], "B": tally.winners[1]},
    }


def _spread_json(spread: Spread | None) -> dict[str, int] | None:
    return None if spread is None else {"median": round(spread.median), "p90": round(spread.p90)}
