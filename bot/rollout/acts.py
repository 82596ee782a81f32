"""What people do to a row: start, cancel, pause, resume, extend, go back, resolve. Pure; `bot.commands` asked who may.

Each raises `WrongStateError` with a sentence where the row cannot take the act.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.rollout import fleets, gates, scheduling
from bot.rollout.comparing import keep_a
from bot.rollout.intents import ANYTHING
from bot.rollout.ledger_text import anew
from bot.rollout.part import Armed, Part
from bot.rollout.parts import summed, view
from bot.rollout.question import Decided
from bot.rollout.stuck import since_stuck
from bot.rollout.times import clock
from bot.rollout.trail import Looker
from bot.rollout.turning import start_back, stopped
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.rollout.wanted import Intent, PutFleet, PutLane, PutLed, PutWeight
from bot.rollout.weighing import audience
from strategies.plan import Batch, SetWeight, Soak, Switch, Watch


class WrongStateError(Exception):
    """The row is not in a state for this act. `str()` is the sentence for people."""

    def __init__(self, sentence: str, *, code: str) -> None:
        """Keep the sentence and its code."""
        super().__init__(sentence)
        self.code = code


def pause(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """Hold here. Checks go on, soak time does not run, an open gate closes."""
    if r.phase is Phase.PAUSED:
        raise WrongStateError(
            f"{r.target} is already paused; `resume` goes on.", code="already_paused"
        )
    if r.phase not in {Phase.RUNNING, Phase.WAITING}:
        raise WrongStateError(
            f"{r.target} is {r.phase.value.lower().replace('_', ' ')}; there is nothing to pause. "
            f"`/deploy status {r.service}` shows how it stands.",
            code="not_pausable",
        )
    why = f" ({reason})" if reason else ""
    text = f"Paused at {r.weight:g} % by {actor}{why}."
    r = gates.close_gate(r, text, now, (actor,))
    progress = stopped(r.progress, now)
    r = _decided(r, Decided("pause", actor, now, reason))
    if r.lanes == "led" and r.armed is not None:
        r = replace(r, intent=PutLed("hold", now, r.revision + 1))
    return replace(r, phase=Phase.PAUSED, code="paused", progress=progress, reminded=None).tell(
        Entry("paused", actor, text, event="rollout.paused", data=_asks_why(r))
    )


def _decided(r: Rollout, decided: Decided) -> Rollout:
    return replace(r, decided=(*r.decided, decided))


def _asks_why(r: Rollout) -> dict[str, Any]:
    """Return what leads from a line of the thread to the reason that it lacks; nothing where nobody can be asked."""
    newest = r.decided[-1]
    person = newest.actor.startswith(("U", "W"))
    return {"explain": f"{r.id} {len(r.decided) - 1}"} if person and not newest.reason else {}


def resume(r: Rollout, actor: str, now: datetime) -> Rollout:
    """Go on. A gate that was closed by the pause opens afresh, a foreign weight is written over."""
    if r.phase not in {Phase.PAUSED, Phase.NEEDS_ATTENTION}:
        raise WrongStateError(
            f"{r.target} is not paused; there is nothing to resume. `pause` would hold it.",
            code="not_paused",
        )
    text = f"Resumed at {r.weight:g} % by {actor}."
    entry = Entry("resumed", actor, text, event="rollout.resumed")
    r = _decided(r, Decided("resume", actor, now))
    if r.back is not None:
        return replace(
            r,
            phase=Phase.ROLLING_BACK,
            code=r.back.code,
            trouble=None,
            resume_to=None,
            reminded=None,
            parts=tuple(_once_more(part) for part in r.parts),
        ).tell(entry)
    if r.code == "check_failed":
        r = anew(r)
    running = isinstance(r.step, Watch)
    progress = replace(r.progress, since=now if running else r.progress.since, began=now)
    return replace(
        r,
        phase=Phase.RUNNING,
        code="",
        intent=None if r.parts else _again(r, now),
        armed=r.armed if r.parts or r.code != "drift" else _uncut(r.armed),
        progress=progress,
        trouble=None,
        reminded=None,
        found=None,
        parts=tuple(_resumed(r, part, now) for part in r.parts),
    ).tell(entry)


def adopt(r: Rollout, actor: str, now: datetime) -> Rollout:
    """Go on from the smaller weight that somebody else wrote, instead of writing ours again.

    A larger one cannot be kept: the gates of the plan stand before it.
    """
    weights = adoptable(r)
    if not weights:
        raise WrongStateError(
            f"{r.target} holds no smaller weight of somebody else's that could be kept; "
            "`resume` writes ours again, `rollback` goes home.",
            code="nothing_to_adopt",
        )
    text = f"{actor} keeps {_weights(weights)}; the plan goes on from there."
    told = Entry("adopted", actor, text, event="rollout.resumed")
    r = replace(r, look=None, judgement=None, **_adopted(r, r, now)) if not r.parts else r
    parts = tuple(replace(part, **_adopted(r, part, now)) for part in r.parts)
    running = isinstance(r.step, Watch)
    progress = replace(r.progress, since=now if running else r.progress.since, began=now)
    going = replace(r, phase=Phase.RUNNING, code="", progress=progress, trouble=None, reminded=None)
    return (summed(replace(going, parts=parts)) if parts else going).tell(told)


def adoptable(r: Rollout) -> dict[str, float]:
    """Return the weights of somebody else's that may be kept, by the name of their target."""
    if r.phase is not Phase.PAUSED or r.code != "drift":
        return {}
    owns: tuple[Rollout | Part, ...] = r.parts or (r,)
    return {
        own.name if isinstance(own, Part) else "": own.found
        for own in owns
        if own.found is not None and 0 < own.found < own.weight
    }


def _weights(weights: dict[str, float]) -> str:
    return ", ".join(f"{found:g} %{f' on {name}' * bool(name)}" for name, found in weights.items())


def _adopted(r: Rollout, own: Rollout | Part, now: datetime) -> dict[str, Any]:
    """Return the changes that make the weight of somebody else ours. The fence is still to be written."""
    if own.found is None:
        return {}
    since, rules = r.revision + 1, audience(r)
    intent = PutWeight(own.found, before=own.found, since=since, rules=rules, kept=True)
    foreign = {"foreign": False, "trouble": None} if isinstance(own, Part) else {}
    return {"weight": own.found, "weight_at": now, "intent": intent, "found": None, **foreign}


def _once_more(part: Part) -> Part:
    """Let a target that could not go home try again."""
    return replace(part, done=part.done and not part.asks, asks=False, trouble=None)


def _resumed(r: Rollout, part: Part, now: datetime) -> Part:
    own = view(r, part)
    edited = r.code == "drift" and part.foreign
    intent = _again(own if edited else replace(own, code=""), now)
    progress = replace(part.progress, began=now)
    part = replace(part, armed=_uncut(part.armed) if edited else part.armed)
    return replace(part, intent=intent, trouble=None, foreign=False, found=None, progress=progress)


def _uncut(armed: Armed | None) -> Armed | None:
    """Return the snapshot that lets the canary be opened although somebody cut it off: a person says so."""
    return replace(armed, cut=True) if armed is not None else None


def _again(r: Rollout, now: datetime) -> Intent | None:
    """Return the intent to go on with: pods get their whole time anew, a foreign weight is written over."""
    if r.lanes == "led" and r.code == "paused":
        return PutLed("release", now, r.revision + 1) if r.armed is not None else None
    if r.code == "drift":
        if r.lanes == "one":
            return fleets.again(r, now)
        percent = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
        return PutWeight(percent, before=ANYTHING, since=r.revision + 1, rules=audience(r))
    if isinstance(r.intent, PutLane | PutFleet | PutLed):
        return replace(r.intent, at=now)
    if isinstance(r.intent, PutWeight) and r.intent.told:
        return replace(r.intent, told="", told_at=None, promised=None)
    return r.intent


def extend(r: Rollout, actor: str, seconds: int, now: datetime) -> Rollout:
    """Move the open gate's deadline, else the end of the soak."""
    minutes = f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
    if r.gate is not None and gates.is_blind(r.gate) and isinstance(r.step, Soak):
        return _soaked_on(r, actor, seconds, minutes, now)
    if r.gate is not None:
        gate = replace(r.gate, expires=max(r.gate.expires, now) + timedelta(seconds=seconds))
        text = f"{actor} gave the decision {minutes} more."
        return replace(r, gate=gate).tell(Entry("extended", actor, text))
    if gates.extends_soak(r) and r.phase in {Phase.RUNNING, Phase.PAUSED}:
        longer = replace(r.progress, extended=r.progress.extended + seconds)
        text = f"{actor} extended the soak at {r.weight:g} % by {minutes}."
        return replace(r, progress=longer).tell(Entry("extended", actor, text))
    raise WrongStateError(
        f"{r.target} has neither an open gate nor a running soak to extend.", code="no_open_gate"
    )


def _soaked_on(r: Rollout, actor: str, seconds: int, minutes: str, now: datetime) -> Rollout:
    """Answer "the metrics cannot decide" with more of them: the soak goes on, and asks again if that is not enough."""
    assert isinstance(r.step, Soak)
    text = f"{actor} lets {r.weight:g} % soak {minutes} more; if that decides nothing, it is asked again."
    over = max(0, round(r.progress.observed) - r.step.duration)
    progress = replace(r.progress, extended=max(r.progress.extended, over) + seconds, since=now)
    r = gates.close_gate(r, f"Watching {minutes} more, as {actor} wants.", now, (actor,))
    going = replace(r, phase=Phase.RUNNING, code="", progress=progress)
    return going.tell(Entry("extended", actor, text))


def start_now(r: Rollout, actor: str, fresh: Rollout) -> Rollout:
    """Begin a scheduled rollout that asks; `fresh` is the row as it would be created now."""
    if r.phase is not Phase.SCHEDULED or r.gate is None:
        raise WrongStateError(
            f"{r.service} {r.version} ({r.id}) does not ask whether to start.", code="not_asking"
        )
    plan = "" if fresh.plan.digest == r.plan.digest else ", with the plan as it is now"
    return scheduling.begun(r, fresh, actor, f"Started now by {actor}{plan}.")


def cancel(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """Take a scheduled rollout back."""
    if r.phase is not Phase.SCHEDULED:
        state = "has already ended" if r.phase.final else "has begun; `rollback` undoes it"
        raise WrongStateError(
            f"{r.service} {r.version} ({r.id}) {state}. Only what is scheduled can be cancelled.",
            code="not_scheduled",
        )
    return scheduling.called_off(r, actor, reason, now)


def go_back(
    r: Rollout, actor: str, reason: str, now: datetime, *, code: str = "asked", force: bool = False
) -> Rollout:
    """Begin the rollback, from any phase that is not final.

    `force` (`now`) counts only as a second word, once the rollback is held: nobody overrides what they were not told.
    """
    if r.phase.final:
        raise WrongStateError(
            f"{r.target} has already ended; `/rollback {r.service}` undoes what is live.",
            code="already_ended",
        )
    if r.phase is Phase.SCHEDULED:
        return cancel(r, actor, reason, now)
    if r.phase is Phase.ROLLING_BACK and r.back is not None and not r.back.partial:
        if not force or r.back.force:
            raise WrongStateError(_already(r), code="already_rolling_back")
        parts = tuple(replace(part, trouble=None) for part in r.parts)
        forced = replace(r, back=replace(r.back, force=True), trouble=None, parts=parts)
        return forced.tell(Entry("forced", actor, f"{actor} moves the traffic home regardless."))
    back = Back(
        code=code,
        reason=reason,
        actor=actor,
        at=now,
        automatic=False,
        weight=carried(r),
        judgement=r.judgement,
    )
    r = _decided(r, Decided("rollback", actor, now, reason))
    return start_back(r, back, _asks_why(r))


def _already(r: Rollout) -> str:
    since = since_stuck(r)
    if since is None:
        return f"{r.target} is already rolling back; wait until its card says that the traffic is home."
    return f"{r.target} is already rolling back, and {not_getting_on(r)}"


def not_getting_on(r: Rollout) -> str:
    """Return what there is to do about a rollback that is stuck, as the end of a sentence."""
    since = since_stuck(r) or r.created
    why = f" ({r.trouble.sentence.rstrip('.')})" if r.trouble is not None else ""
    return (
        f"does not get on since {clock(since)}{why}. It is tried again at least once a minute. Put it right by hand, "
        f"as its thread says; then it ends by itself, or with `/deploy resolve {r.service} {r.environment} REASON`."
    )


def keep(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """Say that variant A of an A/B test stays: traffic returns to it, and the test has succeeded."""
    if r.gate is None or r.gate.kind != "winner":
        raise WrongStateError(
            f"{r.target} does not ask which variant stays; `rollback` ends it.",
            code="no_comparison",
        )
    why = reason or f"decided by {actor}"
    return keep_a(r, Back("variant_a_won", why, actor, now, automatic=False, weight=r.weight))


def carried(r: Rollout) -> float:
    """Return the weight the canary has, or may be about to have when a write is still on its way."""
    weighs = isinstance(r.step, SetWeight | Switch | Batch)
    wanted = [own.intent for own in r.parts or (r,)]
    coming = [intent.percent for intent in wanted if isinstance(intent, PutWeight) and weighs]
    return max([r.weight, *coming])


def acknowledge(r: Rollout, actor: str, now: datetime) -> Rollout:
    """Note who looks at what went wrong; people are not reminded of it any more. Nothing else changes."""
    if r.looker is not None and (r.reminded is None or r.looker.at >= r.reminded):
        raise WrongStateError(
            f"Somebody looks at {r.target} already: {r.looker.actor}. Ask them in the thread.",
            code="already_acknowledged",
        )
    alone = r.phase is Phase.ROLLED_BACK and r.back is not None and r.back.automatic
    stuck = r.phase is Phase.ROLLING_BACK and r.back is not None and bool(r.back.paged)
    if not (alone or stuck or r.phase is Phase.NEEDS_ATTENTION or r.reminded is not None):
        raise WrongStateError(
            f"{r.target} does not wait for anybody to look at it; `/deploy status {r.service}` says how it stands.",
            code="nothing_to_acknowledge",
        )
    return replace(r, looker=Looker(actor, now)).tell(
        Entry("acknowledged", actor, f"{actor} looks at it.")
    )


def resolve(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """End by hand what needs attention, or goes back and does not get on; nothing is written to the target."""
    stuck = since_stuck(r) is not None
    if r.phase is Phase.ROLLING_BACK and not stuck:
        raise WrongStateError(
            f"{r.target} is rolling back and gets on. Wait: it ends by itself once it reads back as before.",
            code="nothing_to_resolve",
        )
    if r.phase is not Phase.NEEDS_ATTENTION and not stuck:
        raise WrongStateError(
            f"{r.target} does not need attention; `rollback` ends it.", code="nothing_to_resolve"
        )
    text = f"Resolved by hand by {actor}: {reason}."
    r = _decided(r, Decided("resolve", actor, now, reason))
    parts = tuple(replace(part, intent=None) for part in r.parts)
    ended = replace(r, phase=Phase.CANCELLED, code="resolved", ended=now, trouble=None)
    return replace(ended, intent=None, parts=parts).tell(
        Entry("resolved", actor, text, code="resolved", event="rollout.cancelled")
    )
