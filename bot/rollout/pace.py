"""When to look again, and at what. Pure: all times come in, nothing is measured here.

A look costs queries, so it happens on a cadence; a click or a timer in between sees only what its own step needs.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout import scheduling
from bot.rollout.part import Part
from bot.rollout.parts import turn_of, view
from bot.rollout.question import Decided
from bot.rollout.reminding import next_rung
from bot.rollout.seen import Need
from bot.rollout.smoking import next_try, tests_due
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutLed, PutWeight
from integrations.base import Lane
from strategies.plan import (
    Approve,
    Batch,
    Compare,
    Follow,
    Retire,
    SetWeight,
    Smoke,
    Soak,
    Switch,
    Watch,
)

POLL = timedelta(seconds=2)
"""Between two reads of something that is on its way (pods starting, a write to be read back)."""
LOOK = timedelta(seconds=15)
"""Between two looks at the metrics of a running soak or an open gate: one usual scrape interval."""
PAUSED_LOOK = timedelta(minutes=1)
STARTING = 600
"""Seconds that more pods for a weight, or stable's new ones, may take."""
LAG = timedelta(seconds=30)
"""Between a switch of colours and the scale-down of the old one: kube-proxy and kept-alive connections lag behind."""
DRAIN = timedelta(seconds=5)
"""From the read-back of the traffic to the first pod that stops where it was: proxies that lag still find theirs."""
ARRIVING = timedelta(seconds=5)
"""Between two looks at a weight that is written and has still to arrive."""
RECHECK = timedelta(minutes=5)
"""After a rollback, when the numbers are looked at once more."""
FRESH = timedelta(seconds=10)
"""How old the numbers on a gate may be when it opens."""
COMPARE_LONG = 3600
"""Seconds from which on an A/B test is looked at once a minute only."""
REMIND = timedelta(days=1)
"""Between two reminders of a rollout that holds by itself."""
STUCK = timedelta(minutes=15)
"""Between two reminders of a rollback that does not get on; then, once somebody looks at it, an hour."""
LOOKED_AT = timedelta(hours=1)
PAUSED_QUIETLY = timedelta(minutes=30)
"""After which a pause is brought to mind in the thread, and after which in the channel; then once a day."""
PAUSED_ALOUD = timedelta(hours=4)
FOLLOW = timedelta(seconds=5)
"""Between two looks at what another controller moves."""
SLOWEST = timedelta(minutes=1)
"""The longest wait between two tries while something is in the way."""


def proxies_lag(r: Rollout, now: datetime) -> bool:
    """Whether some requests may still go where the weight before the last one sent them: no pod there may stop."""
    return r.weight_at is not None and now - r.weight_at < DRAIN


def cadence(r: Rollout) -> timedelta:
    """Return the time between two looks: 15 s, a tenth of a short soak, a minute while paused."""
    if r.phase is Phase.PAUSED or r.watched is None:
        return PAUSED_LOOK
    if isinstance(r.watched, Compare) and r.watched.duration >= COMPARE_LONG:
        return PAUSED_LOOK
    return min(LOOK, max(timedelta(seconds=1), timedelta(seconds=r.watched.duration / 10)))


def judged(r: Rollout) -> bool:
    """Whether the metrics decide something now."""
    return (
        r.phase in {Phase.RUNNING, Phase.WAITING, Phase.PAUSED}
        and r.watched is not None
        and r.armed is not None
        and r.weight > 0
        and (r.in_place or not r.stable_touched)
    )


def look_due(r: Rollout, now: datetime, looked: datetime | None) -> bool:
    """Whether the metrics are to be looked at in this turn."""
    if not judged(r):
        return False
    if isinstance(r.step, Approve) and r.phase is Phase.RUNNING:
        # A gate opens on fresh numbers: after a pause those of the soak are old.
        return r.look is None or now - r.look.at > FRESH
    last = looked or r.weight_at
    # A clock that was set back is no reason to wait until it is there again.
    if last is None or last > now or now - last >= cadence(r):
        return True
    end = soak_end(r)
    return end is not None and now >= end > last


def soak_end(r: Rollout) -> datetime | None:
    """Return when the current soak has lasted long enough; `None` when no soak time runs."""
    if not isinstance(r.step, Watch) or isinstance(r.step, Follow) or r.progress.since is None:
        return None
    left = r.step.duration + r.progress.extended - r.progress.observed
    return r.progress.since + timedelta(seconds=left)


def window(r: Rollout, now: datetime) -> int:
    """Return the seconds of metrics to judge: since the weight change, at most one soak (three on thin traffic)."""
    soak = r.watched
    if soak is None or r.weight_at is None:
        return 60
    elapsed = int((now - r.weight_at).total_seconds())
    # By their rate, not their number: a longer window has more of them and must not make the next one short again.
    rate = r.look.requests / max(1, r.look.window) if r.look is not None else None
    thin = rate is not None and rate * soak.duration < soak.min_requests
    longest = soak.duration * (3 if thin else 1)
    shortest = 5 if soak.duration < 60 else 15
    return max(shortest, min(elapsed, longest))


def need(r: Rollout, now: datetime, looked: datetime | None) -> Need:
    """Return what `advance` wants to see in this turn."""
    if r.parts and r.phase is not Phase.SCHEDULED:
        each = {part.name: _part_need(r, part, now, looked) for part in r.parts}
        blind = {part.name for part in r.parts if part.unwatched}
        each |= {name: replace(each[name], window=0) for name in blind}
        return Need(parts={name: wanted for name, wanted in each.items() if wanted != Need()})
    if r.phase.final:
        due = r.recheck_at is not None and now >= r.recheck_at
        over = r.retire_at is not None and now >= r.retire_at
        return Need(split=over, lanes=over, window=int(RECHECK.total_seconds()) if due else 0)
    if r.phase is Phase.SCHEDULED:
        return Need(afresh=scheduling.look_due(r, now))
    if r.lanes == "led":
        return _led_need(r, now, looked)
    if r.lanes == "one":
        return _fleet_need(r, now, looked)
    if r.phase is Phase.ROLLING_BACK:
        # Before the traffic moves only stable matters: a canary that cannot be read must not hold it up.
        homeward = isinstance(r.intent, PutWeight)
        return Need(split=True, lanes=True, only=Lane.STABLE if homeward else None)
    if r.phase is Phase.NEEDS_ATTENTION:
        return Need()
    if r.armed is None:
        return Need(split=True, lanes=True, inspect=r.phase is Phase.RUNNING)
    wanted = _step_need(r, now) if r.phase is Phase.RUNNING else _resting_need(r)
    if look_due(r, now, looked):
        return replace(wanted, split=True, lanes=True, window=window(r, now))
    return wanted


def _part_need(r: Rollout, part: Part, now: datetime, looked: datetime | None) -> Need:
    """Return what is needed of one of several targets: next to nothing while it is another's turn."""
    if r.phase is Phase.ROLLING_BACK and part.done:
        return Need()
    own, whose = view(r, part), turn_of(r)
    if r.armed is None and part.armed is not None and not r.phase.final:
        return Need()
    if whose is None or whose.name == part.name or part.intent is not None:
        return need(own, now, looked)
    if not look_due(own, now, looked):
        return Need()
    paired = own.lanes != "one"
    return Need(split=paired, lanes=paired, fleet=not paired, window=window(own, now))


def _step_need(r: Rollout, now: datetime) -> Need:
    weighs = isinstance(r.step, SetWeight | Switch | Batch)
    entering = weighs and not isinstance(r.intent, PutWeight) and not r.stable_touched
    resting = isinstance(r.step, Watch | Approve) and r.intent is None
    return Need(
        split=not resting,
        lanes=not resting,
        inspect=entering,
        canary_pods=entering,
        smoke=tests_due(r, now),
    )


def _fleet_need(r: Rollout, now: datetime, looked: datetime | None) -> Need:
    """Return what is needed of a target with one place: its instances, unless nothing moves and no look is due."""
    if r.phase is Phase.NEEDS_ATTENTION:
        return Need()
    if look_due(r, now, looked):
        return Need(fleet=True, window=window(r, now))
    if r.phase is Phase.ROLLING_BACK:
        return Need(fleet=True)
    if r.armed is None:
        return Need(fleet=True, inspect=r.phase is Phase.RUNNING)
    moving = r.phase is Phase.RUNNING and not isinstance(r.step, Watch | Approve)
    unclear = r.intent is not None or r.trouble is not None
    return Need(fleet=moving or unclear)


def _led_need(r: Rollout, now: datetime, looked: datetime | None) -> Need:
    """Return what is needed where another controller leads: it moves at any time, so it is looked at every time."""
    if r.phase is Phase.NEEDS_ATTENTION:
        return Need()
    if r.armed is None:
        return Need(led=True, inspect=r.phase is Phase.RUNNING)
    return Need(led=True, window=window(r, now) if look_due(r, now, looked) else 0)


def _resting_need(r: Rollout) -> Need:
    """Look at the target while nothing moves only where something is to be learnt from it."""
    unclear = isinstance(r.intent, PutWeight) or r.trouble is not None
    return Need(split=unclear, lanes=unclear)


def paused_by(r: Rollout) -> Decided | None:
    """Return who paused a rollout that is paused because a person wanted that."""
    if r.phase is not Phase.PAUSED or r.code != "paused":
        return None
    return next((one for one in reversed(r.decided) if one.deed == "pause"), None)


def stuck_reminder_at(r: Rollout) -> datetime | None:
    """Return when people are to be told again that a rollback does not get on."""
    if r.reminded is None or r.back is None:
        return None
    if r.looker is None or r.looker.at < r.back.at:
        return r.reminded + STUCK
    return max(r.reminded, r.looker.at) + LOOKED_AT


def reminder_at(r: Rollout) -> datetime | None:
    """Return when people are to be told again that this rollout holds and needs them."""
    paused = paused_by(r)
    if paused is not None:
        quiet, aloud = paused.at + PAUSED_QUIETLY, paused.at + PAUSED_ALOUD
        if r.reminded is None:
            return quiet
        return aloud if r.reminded < aloud else r.reminded + REMIND
    holding = r.phase in {Phase.PAUSED, Phase.NEEDS_ATTENTION}
    looked_at = r.looker is not None and r.reminded is not None and r.looker.at >= r.reminded
    return r.reminded + REMIND if holding and r.reminded is not None and not looked_at else None


def wake_at(r: Rollout, now: datetime, looked: datetime | None) -> datetime | None:
    """Return when the next turn is due; `None` when only a person (or nothing) moves this row.

    Every non-final row has an answer or an open gate: no zombies (G10).
    """
    if r.phase.final and r.writing:
        return now + POLL
    if r.phase.final:
        return min((t for t in (r.recheck_at, r.retire_at) if t is not None), default=None)
    if r.phase is Phase.SCHEDULED:
        return scheduling.wake_at(r, now)
    if r.phase is Phase.NEEDS_ATTENTION:
        return reminder_at(r) or now + REMIND
    own = _moving(r)
    if own:
        # None of several targets waits for another one's trouble.
        return min(
            (at for one in own if (at := wake_at(one, now, looked)) is not None), default=now + POLL
        )
    if r.trouble is not None:
        again = now + min(SLOWEST, POLL * (1 << min(r.trouble.tries, 5)))
        late = _switch_late(r)
        return min(again, late) if late is not None and late > now else again
    times = [t for t in _times(r, now, looked) if t is not None]
    return min(times) if times else None


def patient(at: datetime | None, now: datetime, *, changed: bool) -> datetime | None:
    """Return when to take the next turn after one that wants it `at`; never at once after one that changed nothing.

    Whatever was due then was not done, and would be due for ever: as fast as a cluster can answer.
    """
    if at is None or changed:
        return at
    return max(at, now + POLL / 4)


def _moving(r: Rollout) -> list[Rollout]:
    """Return the views of those of several targets that have something to do now."""
    if r.phase is Phase.ROLLING_BACK and r.armed is not None:
        return [view(r, part) for part in r.parts if not part.done]
    whose = turn_of(r)
    return [view(r, whose)] if whose is not None else []


def _switch_late(r: Rollout) -> datetime | None:
    """Return the moment from which a switch that was not read back is too late; None where it has all the time."""
    if not isinstance(r.step, SetWeight | Switch) or r.step.timeout is None:
        return None
    if not isinstance(r.intent, PutWeight) or r.intent.at is None:
        return None
    return r.intent.at + timedelta(seconds=r.step.timeout + 1)


def _times(r: Rollout, now: datetime, looked: datetime | None) -> list[datetime | None]:
    if r.phase is Phase.ROLLING_BACK:
        return [now + max(POLL, _after_a_write(r))]
    times: list[datetime | None] = []
    # Before a gate opens its own step looks, by the age of the numbers; a cadence of its own would spin.
    opening = isinstance(r.step, Approve) and r.phase is Phase.RUNNING
    if judged(r) and not opening:
        last = min(now, looked or r.weight_at or now)
        times.append(max(now, last + cadence(r)))
    if r.lanes == "led" and r.armed is not None:
        times.append(now + (POLL if isinstance(r.intent, PutLed) else FOLLOW))
    if r.phase is Phase.WAITING:
        rung = next_rung(r)
        # A rung that this turn could not take is tried again; at once would spin.
        times += [r.gate.due(now) if r.gate else now, rung and max(rung, now + POLL)]
    elif r.phase is Phase.PAUSED:
        times.append(now + PAUSED_LOOK)
    else:
        times.append(_step_time(r, now, looked))
    return times


def _step_time(r: Rollout, now: datetime, looked: datetime | None) -> datetime:
    match r.step:
        case Soak() | Compare():
            end = soak_end(r) or now
            # Behind its end a soak is decided by a look; between two looks there is nothing to do.
            return end if end > now or looked is None else max(now, looked + cadence(r))
        case Follow():
            return now + FOLLOW
        case Retire(after=after) if r.progress.since is not None:
            left = after - r.progress.observed
            return max(now, r.progress.since + timedelta(seconds=left))
        case Smoke() if r.progress.since is not None:
            return next_try(r, now)
        case _:
            return now + _after_a_write(r)


def _after_a_write(r: Rollout) -> timedelta:
    if not isinstance(r.intent, PutWeight):
        return POLL
    return ARRIVING if r.intent.told else POLL / 4
