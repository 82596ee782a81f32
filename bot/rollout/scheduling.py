"""A rollout that waits for its time: it starts by itself, or asks why it should not. Pure.

A scheduled row does not hold its target, and its plan is compiled again when it is due. Whatever is then not as it was
when somebody asked for it becomes a question to people (a gate of kind `start`); silence never starts anything.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout import gates, queueing
from bot.rollout.part import Trouble
from bot.rollout.question import Gate
from bot.rollout.seen import Afresh, Seen
from bot.rollout.times import clock, lasting
from bot.rollout.values import Entry, Phase, Rollout
from strategies.plan import Approve, Plan

LATE = timedelta(minutes=15)
"""How late a rollout may start without being asked about (the bot was down, the target busy)."""
HORIZON = timedelta(days=60)
"""How far ahead a start may be planned."""
_PROMPT = timedelta(minutes=1)
"""A start this late is on time."""
_RETRY = timedelta(seconds=15)
"""Between two looks at a busy target, or after a look that failed."""
_CALM = timedelta(minutes=5)
"""Between two looks whether what keeps a start out is still there; its end rings at once."""
_WAITS = frozenset({"target_busy", "too_many_rollouts"})
"""Why a start is late that begins by itself where it comes in time."""
_BARRED = frozenset({"locked", "frozen", "quarantined", "can_start"})
"""Why a start was asked about that is looked at again: what was in the way may end."""


def start(r: Rollout, seen: Seen) -> Rollout:
    """Return the row of a scheduled rollout as it should be next."""
    if r.gate is not None and r.gate.over(seen.now):
        return _expired(r, seen.now)
    if seen.afresh is None:
        return r
    if r.gate is not None and r.code in _BARRED:
        return _reconsidered(r, seen.afresh, seen.now)
    if r.after and seen.afresh.ahead and r.gate is None:
        return queueing.behind(r, seen.afresh.ahead)
    against = _against(r, seen.afresh, seen.now)
    if against is not None:
        named = seen.afresh.barred.people if seen.afresh.barred is not None else ()
        return r if r.gate is not None else _ask(r, seen.now, *against, named)
    if r.after and seen.afresh.full:
        return r  # its turn has come, and it waits for room as it waited for its turn
    assert seen.afresh.rollout is not None
    when = f"as scheduled for {clock(due(r))}{_lateness(r, seen.now)}"
    text = (
        f"Starting: {r.after} has ended, and it is next in the queue."
        if r.after
        else f"Starting {when}."
    )
    return begun(r, seen.afresh.rollout, "sluice", text)


def look_due(r: Rollout, now: datetime) -> bool:
    """Whether a scheduled rollout is to be compiled again in this turn."""
    if now < due(r):
        return False
    return r.gate is None or r.code in _BARRED or (r.code in _WAITS and now - due(r) <= LATE)


def wake_at(r: Rollout, now: datetime) -> datetime:
    """Return when a scheduled rollout has something to do next."""
    if now < due(r):
        return due(r)
    again = now + (queueing.PATIENT if r.after else _RETRY)
    if r.gate is None:
        return again
    if r.code in _BARRED:
        again = now + _CALM
    over = r.gate.due(now)
    return min(again, over) if look_due(r, now) else max(over, now)


def due(r: Rollout) -> datetime:
    """Return when a scheduled rollout is to start."""
    return r.due or r.created


def begun(r: Rollout, fresh: Rollout, actor: str, text: str) -> Rollout:
    """Return the row of a scheduled rollout that begins, as it would be created now.

    It counts as created now, too: what was live before it is what ran while it was waiting.
    """
    r = gates.close_gate(r, text, fresh.created, (actor,))
    entry = Entry("begun", actor, text, data={"digest": fresh.plan.digest})
    return replace(
        fresh,
        id=r.id,
        revision=r.revision,
        requester=r.requester,
        reason=r.reason,
        closed=r.closed,
        due=r.due,
        news=(*r.news, entry, *fresh.news),
    )


def called_off(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """Return the row of a scheduled rollout that a person took back."""
    why = f" ({reason})" if reason else ""
    return _ended(r, now, "called_off", f"Cancelled by {actor} before it started{why}.", actor)


def _expired(r: Rollout, now: datetime) -> Rollout:
    sentence = f"Cancelled: nobody said in time whether {r.service} {r.version} should still start."
    return _ended(r, now, "schedule_expired", sentence, "sluice")


def _ended(r: Rollout, now: datetime, code: str, text: str, actor: str) -> Rollout:
    r = gates.close_gate(r, text, now, (actor,))
    entry = Entry(
        "cancelled",
        actor,
        text,
        code=code,
        event="rollout.cancelled",
        # Whoever took their own rollout back knows it already.
        tell="thread" if actor == r.requester else "requester",
    )
    return replace(r, phase=Phase.CANCELLED, code=code, ended=now, trouble=None).tell(entry)


def _against(r: Rollout, afresh: Afresh, now: datetime) -> tuple[str, str] | None:
    """Return why a rollout that is due does not start by itself, as a code and a sentence."""
    what = f"{r.service} {r.version}"
    kept_out = _kept_out(r, afresh)
    if kept_out is not None:
        return kept_out
    if r.after:
        return queueing.against(r, afresh.undone, now)
    if now - due(r) > LATE:
        late = lasting((now - due(r)).total_seconds())
        return (
            "missed",
            f"{what} was due at {clock(due(r))}, {late} ago; so late it does not start by itself.",
        )
    if afresh.busy:
        until = clock(due(r) + LATE)
        return "target_busy", (
            f"{what} is due, but {r.service} in {r.environment} is busy with {afresh.busy}. "
            f"It starts by itself if that has ended by {until}, afterwards only when you say so."
        )
    if afresh.full:
        until = clock(due(r) + LATE)
        return "too_many_rollouts", (
            f"{what} is due, but {afresh.full} rollouts are in flight, and the configuration allows no more. It starts "
            f"by itself if one has ended by {until}, afterwards only when you say so."
        )
    return None


def _kept_out(r: Rollout, afresh: Afresh) -> tuple[str, str] | None:
    """Return why a rollout could not start now, or would be another one, as a code and a sentence."""
    what = f"{r.service} {r.version}"
    if afresh.rollout is None:
        return "not_plannable", f"{what} cannot start: {afresh.problem}"
    if afresh.rollout.plan.digest != r.plan.digest:
        changed = changes(r.plan, afresh.rollout.plan)
        return (
            "plan_changed",
            f"The plan of {what} is no longer the one that was asked for: {changed}.",
        )
    if afresh.barred is not None:
        return afresh.barred.code, f"{what} was not started because {afresh.barred.why}."
    return None


def _reconsidered(r: Rollout, afresh: Afresh, now: datetime) -> Rollout:
    """Return the row with what is in its way at this moment; people were asked, so that it starts when they say so."""
    code, sentence = _kept_out(r, afresh) or _can_start(r)
    if r.trouble is not None and r.trouble.sentence == sentence:
        return r
    named = afresh.barred.people if afresh.barred is not None else ()
    why = Trouble(code, sentence, now, tries=0, people=named)
    entry = Entry(
        "start_reconsidered",
        "sluice",
        sentence,
        code=code,
        tell="requester" if code == "can_start" else "thread",
        data={"people": list(named)} if named else {},
    )
    return replace(r, code=code, trouble=why).tell(entry)


def _can_start(r: Rollout) -> tuple[str, str]:
    return "can_start", f"What kept {r.service} {r.version} out is over: it can start now."


def _ask(
    r: Rollout, now: datetime, code: str, sentence: str, people: tuple[str, ...] = ()
) -> Rollout:
    gate = Gate(
        id=f"{r.id}.start",
        kind="start",
        opened=now,
        expires=now + timedelta(seconds=r.rules.gate_expires),
        quorum=1,
        groups=(),
    )
    until = clock(gate.expires)
    text = f"{sentence} Start it now, or cancel it? Without an answer by {until} it is cancelled."
    entry = Entry(
        "start_asked",
        "sluice",
        text,
        code=code,
        event="rollout.waiting",
        data={"gate": gate.id, **({"people": list(people)} if people else {})},
        tell="requester",
    )
    why = Trouble(code, sentence, now, tries=0, people=people)
    return replace(r, code=code, gate=gate, trouble=why).tell(entry)


def _lateness(r: Rollout, now: datetime) -> str:
    late = now - due(r)
    return f", {lasting(late.total_seconds())} late" if late > _PROMPT else ""


def changes(before: Plan, after: Plan) -> str:
    """Return in which of the things that people look at two plans differ."""
    rows = (
        ("strategy", before.strategy, after.strategy),
        ("weights", _weights(before), _weights(after)),
        ("gates", _gates(before), _gates(after)),
        ("machine time", f"{before.estimate_s} s", f"{after.estimate_s} s"),
    )
    said = [f"{name} {new} instead of {old}" for name, old, new in rows if old != new]
    return "; ".join(said) or "its checks or its times are others"


def _weights(plan: Plan) -> str:
    return ", ".join(f"{weight:g} %" for weight in plan.weights) or "none"


def _gates(plan: Plan) -> str:
    return str(sum(isinstance(step, Approve) for step in plan.steps))
