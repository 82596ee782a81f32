"""What was counted in a rollout and what that proves, look by look. Pure.

The one rule: a window counts whole or not at all. One in which the weight changed, or that may hold samples from before
that, belongs to no stage and is dropped; what nobody could read stays open and the next look counts it too. The ledger
is kept with the row as text, and written only when the row is: a restart counts one longer window and loses nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.rollout import variants
from bot.rollout.values import Rollout
from integrations.counters import Counted, Counters, LaneCount
from integrations.metric import Missing
from strategies.evidence import (
    RECENT,
    Ahead,
    Both,
    Memory,
    Policy,
    Question,
    Ruling,
    SlowRule,
    Tally,
    Verdict,
    Window,
    alone,
    remember,
    rule,
    slow_rule,
)
from strategies.evidence.bursts import Burst
from strategies.evidence.gauges import Gauge
from strategies.plan import Batch, SetWeight, Soak, Switch, Watch
from strategies.questions import Asked, counted, questions
from strategies.record import Record

_FEWEST = 200
"""Requests of stable that its histogram needs before it says what is slow."""
_MINUTELY = 45.0
"""Seconds from which a window is one of a source that has a number a minute; two of them are enough."""
_OWN = 20
"""Requests of the canary that each stage needs for itself, whatever earlier ones have shown."""
_MOST_WINDOWS = 40
"""That wait for being kept."""
FRESH = timedelta(minutes=2)
"""Behind the newest window: after that the counts say nothing about now."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is carried from look to look."""

    counters: Counters = field(default_factory=Counters)
    memory: Memory = field(default_factory=Memory)
    slow: SlowRule | None = None
    """What slow means for this service, read off stable's own histogram, once."""
    past: Mapping[str, Tally] = field(default_factory=dict)
    """By question: what stable counted before it lost its traffic, in all."""
    lately: Mapping[str, tuple[Tally, ...]] = field(default_factory=dict)
    """The same for its last windows."""
    opened: datetime | None = None
    """Since when the present window is open, by our clock."""
    counted: datetime | None = None
    """When the newest window with requests of the canary was closed."""
    rate: float = 0.0
    """Requests a second of both lanes, lately."""
    requests: float = 0.0
    """Of both lanes, since counting began."""
    seconds: float = 0.0
    """In which they came."""
    read: bool = False
    """Whether stable's history was read: all that its processes have counted."""
    unserved: float = 0.0
    """Seconds for which the canary got no request although stable did."""
    lacking: tuple[str, ...] = ()
    """Questions that the newest window could not answer: no bucket ends where slow begins."""
    record: Record = field(default_factory=Record)
    """Of an A/B test: both variants since it began."""
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    """By check that compares a number of both versions: its pairs; see `bot.rollout.gauging`."""
    windows: tuple[Window, ...] = ()
    """Since the row was last kept."""
    problem: str = ""
    """Why nothing could be counted, as a sentence."""
    queries: str = ""
    """Which queries were counted with, as `template digest`."""


def policy_of(r: Rollout) -> Policy | None:
    """Return how the counts decide about this row; None where they are not asked.

    Both versions have to have numbers of their own, and a check that is about something that can be counted. In an A/B
    test the counts say who wins (`bot.rollout.variants`), and the fixed limits alone what is a failure.
    """
    step = r.watched
    if not isinstance(step, Soak) or r.one_place or r.in_place:
        return None
    policy = step.evidence or Policy()
    if policy.mode == "off" or not counted(step.checks, policy):
        return None
    # A short soak cannot forgive cold caches for longer than half of it; the promise is one of the whole rollout.
    warmup = min(policy.warmup, step.duration / 2)
    return replace(policy, warmup=warmup, alpha=policy.alpha / r.among)


def fold(
    before: Ledger, told: Counted, counters: Counters, history: LaneCount, r: Rollout, now: datetime
) -> Ledger:
    """Return the ledger after one look; `history` is what stable has counted since it started."""
    policy = policy_of(r) or variants.policy_of(r)
    begun = replace(before, counters=counters, problem=told.problem, queries=told.queries)
    after = _known(begun, history, r, policy)
    if not told.closed:
        # Where nothing can be read no window opens: a source without counters is never waited for.
        anew = counters.at != before.counters.at or before.opened is None
        return replace(after, opened=now) if anew and not told.problem else after
    settled = _settled(before, told, r, counters.interval)
    after = replace(after, opened=now)
    return _counted(after, told, r, policy, now) if settled else after


def _settled(before: Ledger, told: Counted, r: Rollout, interval: float) -> bool:
    """Whether all of the window that is closed now lies behind the last change of the weight."""
    if r.weight_at is None:
        return False
    if told.since is not None:
        return told.since >= r.weight_at
    # What was read when it opened may be as old as one scrape.
    return before.opened is not None and before.opened - timedelta(seconds=interval) >= r.weight_at


def _known(ledger: Ledger, history: LaneCount, r: Rollout, policy: Policy) -> Ledger:
    """Read off stable's history, once there is enough of it, what slow is and what stable does."""
    if ledger.read or isinstance(history.requests, Missing) or history.requests < _FEWEST:
        return ledger
    found = slow_rule(history.buckets, slower=1 + policy.tolerate_latency / 100)
    # What is slow stays that: in an A/B test all of it is held against the same bound.
    ledger = replace(ledger, slow=ledger.slow or found, read=True)
    past = {one.question.name: _tally(history, one) for one in asked(ledger, r)}
    known = {name: tally for name, tally in past.items() if tally is not None}
    # The windows up to now are part of that history.
    return replace(ledger, past={**ledger.past, **known})


def asked(ledger: Ledger, r: Rollout) -> tuple[Asked, ...]:
    """Return what is asked of the counts of this row."""
    policy, step = policy_of(r), r.watched
    return () if policy is None or step is None else questions(step.checks, policy, ledger.slow)


def _tally(lane: LaneCount, one: Asked) -> Tally | None:
    """Return what a lane counted for one question; None where that is not known."""
    if one.bound is None:
        if isinstance(lane.requests, Missing) or isinstance(lane.errors, Missing):
            return None
        return _counts(lane.errors, lane.requests)
    slower = lane.slower(one.bound)
    return None if slower is None else _counts(*slower)


def _counts(bad: float, of: float) -> Tally | None:
    """Return a tally; None for what no counter says. More bad events than exposures are two scrapes apart."""
    if not (math.isfinite(bad) and math.isfinite(of) and bad >= 0 and of >= 0):
        return None
    return Tally(min(bad, of), of)


def _counted(ledger: Ledger, told: Counted, r: Rollout, policy: Policy, now: datetime) -> Ledger:
    """Return the ledger with one more window."""
    own = asked(ledger, r)
    control = r.weight < 100
    tallies = {
        one.question.name: Both(
            _tally(told.canary, one), _tally(told.stable, one) if control else None
        )
        for one in own
    }
    served, others = _requests(told.canary), _requests(told.stable)
    window = Window(
        seconds=told.seconds,
        stage=stage_of(r),
        weight=r.weight,
        age=(_ended(told, now) - r.weight_at).total_seconds() if r.weight_at else 0.0,
        tallies=tallies,
    )
    memory = remembered(ledger, window, own, r, policy)
    silent = served == 0 and others > 0
    return replace(
        ledger,
        memory=memory,
        counted=now if served else ledger.counted,
        rate=_smooth(ledger.rate, (served + others) / told.seconds if told.seconds else 0.0),
        requests=ledger.requests + served + others,
        seconds=ledger.seconds + told.seconds,
        unserved=ledger.unserved + told.seconds if silent else 0.0,
        lacking=tuple(name for name, both in tallies.items() if served and both.canary is None),
        windows=(*ledger.windows, window)[-_MOST_WINDOWS:],
        record=variants.counted(ledger.record, told, window, ledger.slow, r),
        **(_more_past(ledger, tallies) if control else {}),
    )


def remembered(
    ledger: Ledger, window: Window, own: tuple[Asked, ...], r: Rollout, policy: Policy
) -> Memory:
    """Return what one more window leaves in mind: the one way from counts to evidence, live and in a replay."""
    if window.seconds >= _MINUTELY:
        policy = replace(policy, windows=min(policy.windows, 2))
    return remember(ledger.memory, window, put(ledger, own, r), policy, stages_of(r))


def _ended(told: Counted, now: datetime) -> datetime:
    """Return when a window ended; one of a source that tells minutes ended long before it is read."""
    return now if told.since is None else told.since + timedelta(seconds=told.seconds)


def _requests(lane: LaneCount) -> float:
    requests = 0.0 if isinstance(lane.requests, Missing) else lane.requests
    return requests if math.isfinite(requests) and requests > 0 else 0.0


def _smooth(before: float, now: float) -> float:
    return now if before == 0 else 0.7 * before + 0.3 * now


def _more_past(ledger: Ledger, tallies: Mapping[str, Both]) -> dict[str, Any]:
    stable = {name: both.stable for name, both in tallies.items() if both.stable is not None}
    none = Tally(0.0, 0.0)
    return {
        "past": {**ledger.past, **{n: ledger.past.get(n, none) + t for n, t in stable.items()}},
        "lately": {
            **ledger.lately,
            **{n: (*ledger.lately.get(n, ()), t)[-RECENT:] for n, t in stable.items()},
        },
    }


def put(ledger: Ledger, own: tuple[Asked, ...], r: Rollout) -> tuple[Question, ...]:
    """Return the questions as they can be put now: without a control against what stable did before."""
    plain = tuple(one.question for one in own)
    if r.weight < 100:
        return plain
    return tuple(_alone(ledger, one) for one in plain)


def _alone(ledger: Ledger, question: Question) -> Question:
    whole = ledger.past.get(question.name, Tally(0.0, 0.0))
    recent = sum(ledger.lately.get(question.name, ()), Tally(0.0, 0.0))
    return alone(question, whole, recent if recent.of else whole)


def stage_of(r: Rollout) -> int:
    """Return the number of the stage that the row is in, from 0: the next one begins once its weight was read back."""
    if r.plan.repeated is not None:
        return max(0, r.batches - 1)
    done = r.plan.steps[: r.cursor if isinstance(r.step, SetWeight | Switch) else r.cursor + 1]
    return max(0, sum(isinstance(step, SetWeight | Switch) for step in done) - 1)


def stages_of(r: Rollout) -> int:
    """Return how many stages the plan has."""
    rounds = [step.rounds or 1 for step in r.plan.steps if isinstance(step, Batch)]
    return max(1, len(r.plan.weights), *rounds)


def ruled(ledger: Ledger, r: Rollout, now: datetime) -> Ruling | None:
    """Return what the counts say now; None before there are any, or where they can say nothing."""
    policy = policy_of(r)
    if policy is None or ledger.counted is None or stale(ledger, now):
        return None
    own = [one.question for one in asked(ledger, r) if one.question.name not in ledger.lacking]
    if r.weight >= 100 and not any(ledger.past.get(one.name) for one in own):
        # Nothing runs beside it, and nothing is known of what stable did.
        return None
    return _of_its_own(rule(ledger.memory, own, policy, stages_of(r), ahead(ledger, r)), ledger, r)


def _of_its_own(ruling: Ruling, ledger: Ledger, r: Rollout) -> Ruling:
    """Return the ruling; a stage does not pass by what earlier ones have shown alone."""
    own = max((both.canary.of for both in in_stage(ledger, r)), default=0.0)
    short = math.ceil(_OWN - own)
    if short <= 0 or ruling.verdict is Verdict.FAIL:
        return ruling
    missing, unproven = max(ruling.missing, short), ruling.unproven
    if ruling.verdict is Verdict.PASS:
        unproven, ruling = tuple(x.name for x in ruling.cases[:1]), replace(ruling, own=int(own))
    elif not ruling.missing:
        return ruling
    return replace(ruling, verdict=Verdict.INCONCLUSIVE, missing=missing, unproven=unproven)


def in_stage(ledger: Ledger, r: Rollout, *names: str) -> list[Burst]:
    """Return what both lanes counted in this stage, by question; of some of them, where names are given."""
    stage = stage_of(r)
    trials = ledger.memory.trials
    chosen = [trials[name] for name in names or trials if name in trials]
    return [trial.burst for trial in chosen if trial.burst.stage == stage]


def stale(ledger: Ledger, now: datetime) -> bool:
    """Whether the newest window is too old to say anything about now."""
    return ledger.counted is not None and now - ledger.counted > _fresh(ledger)


def silence(ledger: Ledger, now: datetime) -> str:
    """Return why the counts say nothing although they could, as a clause; `""` where they do, or never can."""
    if ledger.counted is None:
        return "nothing has been counted yet" if ledger.opened is not None else ""
    if not stale(ledger, now):
        return ""
    minutes = int((now - ledger.counted).total_seconds() // 60)
    why = f": {ledger.problem.rstrip('.')}" if ledger.problem else ""
    return f"nothing was counted for {minutes} min{why}"


def _expected(ledger: Ledger) -> float:
    """Return how many requests a second are to be expected: a lull of a minute makes the next stage no cheaper."""
    usual = ledger.requests / ledger.seconds if ledger.seconds else 0.0
    return max(ledger.rate, usual)


def _fresh(ledger: Ledger) -> timedelta:
    """Return how old the newest window may be; a source that tells minutes waits for some of them."""
    return 2.5 * FRESH if ledger.counters.interval >= _MINUTELY else FRESH


def ahead(ledger: Ledger, r: Rollout) -> Ahead | None:
    """Return what comes after this stage; None behind the last weight."""
    rest = r.plan.steps[r.cursor + 1 :]
    for index, step in enumerate(rest):
        if isinstance(step, SetWeight | Switch):
            share = (100.0 if isinstance(step, Switch) else step.percent) / 100
            soak = next((one for one in rest[index:] if isinstance(one, Watch)), r.watched)
            seconds = soak.duration if soak is not None else 0
            return Ahead(share, _expected(ledger) * share * seconds)
    return None
