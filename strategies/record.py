"""What is remembered of an A/B test from look to look: both variants counted up since it began. Pure.

The one rule: a number is added once, with the window it came from, or not at all. Both variants are always counted over
the same time; a window of which one of them is not known belongs to neither.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from strategies.evidence import Both, Memory, Policy, Question, SlowRule, Tally, Window, remember
from strategies.evidence.policy import errors, slow
from strategies.experiment import Pairs, Use, paired


@dataclass(frozen=True, slots=True)
class Served:
    """What one variant answered, in one window or since the test began."""

    requests: float = 0.0
    errors: float | None = 0.0
    """None: nothing tells which requests failed."""
    buckets: Mapping[float, float] = field(default_factory=dict)
    """How many took at most so many ms; the last bound is infinite. Empty: not known."""
    pods: int = 0
    """That served it, lately; 0: not known."""

    def slower(self, bound: float) -> Tally | None:
        """Return how many took longer than so many ms; None where no bucket ends there."""
        if bound not in self.buckets or math.inf not in self.buckets:
            return None
        every = self.buckets[math.inf]
        return Tally(every - min(every, self.buckets[bound]), every)

    @property
    def failed(self) -> Tally | None:
        """How many failed; None where that is not known."""
        if self.errors is None:
            return None
        return Tally(min(self.errors, self.requests), self.requests)

    def __add__(self, other: "Served") -> "Served":
        """Return both together; `other` is the newer one."""
        unknown = self.errors is None or other.errors is None
        failed = None if unknown else (self.errors or 0.0) + (other.errors or 0.0)
        return Served(self.requests + other.requests, failed, _summed(self, other), other.pods)


def _summed(one: Served, other: Served) -> Mapping[float, float]:
    """Return the sum at the bounds that both have; who has none yet adds nothing."""
    if not (one.buckets and other.buckets):
        return one.buckets or other.buckets
    common = one.buckets.keys() & other.buckets.keys()
    return {bound: one.buckets[bound] + other.buckets[bound] for bound in sorted(common)}


@dataclass(frozen=True, slots=True)
class Totals:
    """What the queries of one's own say: numbers that only grow, of A and of B."""

    users: tuple[float, float] | None = None
    conversions: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """All that a test has shown so far; `Record()` at its start."""

    seconds: float = 0.0
    a: Served = field(default_factory=Served)
    b: Served = field(default_factory=Served)
    timed: bool = False
    """Whether anything tells how long requests take."""
    b_harm: Memory = field(default_factory=Memory)
    """The evidence that B is worse than A."""
    a_harm: Memory = field(default_factory=Memory)
    """The same the other way round."""
    cpu: Pairs = field(default_factory=Pairs)
    users: tuple[float, float] | None = None
    """Of A and of B since the test began; None: never told."""
    conversions: tuple[float, float] | None = None
    read: Totals | None = None
    """What the queries said when they were read last."""


def guards(rule: SlowRule | None, policy: Policy) -> tuple[Question, ...]:
    """Return what is asked all the time, of B beside A and of A beside B."""
    timing = (slow(rule.ratio),) if rule is not None else ()
    return (errors(policy.tolerate_errors), *timing)


def grown(
    record: Record,
    a: Served,
    b: Served,
    window: Window,
    rule: SlowRule | None,
    policy: Policy,
    clump: float = 1.0,
) -> Record:
    """Return the record with one more window of both variants; `window` says how long and how old it is.

    While caches are cold (`policy.warmup`) nobody is held to how long requests take. Requests that are known to come
    `clump` at once prove as much as one of them.
    """
    timed = record.timed or bool(a.buckets and b.buckets)
    if window.age <= policy.warmup:
        a, b = replace(a, buckets={}), replace(b, buckets={})
    asked = guards(rule, policy)
    tallies = _tallies(a, b, rule, clump)
    mirrored = {name: Both(one.stable, one.canary) for name, one in tallies.items()}
    return replace(
        record,
        seconds=record.seconds + window.seconds,
        a=record.a + a,
        b=record.b + b,
        timed=timed,
        b_harm=remember(record.b_harm, replace(window, tallies=tallies), asked, policy, 1),
        a_harm=remember(record.a_harm, replace(window, tallies=mirrored), asked, policy, 1),
    )


def _tallies(a: Served, b: Served, rule: SlowRule | None, clump: float) -> dict[str, Both]:
    found = {"errors": (b.failed, a.failed)}
    if rule is not None:
        found["slow"] = (b.slower(rule.boundary), a.slower(rule.boundary))
    return {name: Both(*(_events(one, clump) for one in both)) for name, both in found.items()}


def _events(tally: Tally | None, clump: float) -> Tally | None:
    return None if tally is None else Tally(tally.bad / clump, tally.of / clump)


def used(record: Record, before: Record, cpu: tuple[float | None, float | None]) -> Record:
    """Return the record with the CPU of the window that was counted since `before`.

    `cpu` is what the pods of A and of B used of what they may use, in percent: times the pods it is what they used.
    """
    seconds = record.seconds - before.seconds
    if seconds <= 0:
        return record
    a = _use(cpu[0], record.a, before.a, seconds)
    b = _use(cpu[1], record.b, before.b, seconds)
    return replace(record, cpu=paired(record.cpu, seconds, a, b))


def _use(percent: float | None, now: Served, before: Served, seconds: float) -> Use | None:
    if percent is None or not math.isfinite(percent) or percent <= 0 or not now.pods:
        return None
    return Use(percent * now.pods * seconds, now.requests - before.requests)


def told(record: Record, totals: Totals) -> Record:
    """Return the record with what one's own queries say now; `None` in it: that one cannot be read, or is not asked.

    A number that is smaller than before has lost a pod: of that time nothing is counted, of either variant.
    """
    before = record.read
    asked = _flat(totals)
    if not asked:
        return record
    if before is None or len(_flat(before)) != len(asked):
        return replace(
            record,
            read=totals,
            users=_begun(record.users, totals.users),
            conversions=_begun(record.conversions, totals.conversions),
        )
    if any(now < then for now, then in zip(asked, _flat(before), strict=True)):
        return replace(record, read=totals)
    return replace(
        record,
        read=totals,
        users=_more(record.users, before.users, totals.users),
        conversions=_more(record.conversions, before.conversions, totals.conversions),
    )


def _flat(totals: Totals) -> tuple[float, ...]:
    return (*(totals.users or ()), *(totals.conversions or ()))


_NOBODY = (0.0, 0.0)


def _begun(
    known: tuple[float, float] | None, now: tuple[float, float] | None
) -> tuple[float, float] | None:
    return known or (None if now is None else _NOBODY)


def _more(
    known: tuple[float, float] | None,
    then: tuple[float, float] | None,
    now: tuple[float, float] | None,
) -> tuple[float, float] | None:
    if then is None or now is None:
        return known
    a, b = known or _NOBODY
    return a + now[0] - then[0], b + now[1] - then[1]
