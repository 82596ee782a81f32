"""Another controller moves the traffic: begin or adopt its movement, watch it, ask at its pauses. Pure.

The rule that keeps it safe: everything is bound to an identity. A row belongs to one movement, a question to one pause,
a yes to the pause that it was given for; what the controller does besides is taken note of and never approved.
"""

from dataclasses import replace
from datetime import datetime

from bot.rollout import gates
from bot.rollout.adopting import arm, silent
from bot.rollout.drift import offline
from bot.rollout.fetching import uncollected
from bot.rollout.forward import succeed, walk
from bot.rollout.intents import (
    intent_state,
    is_back,
    is_ours,
    same_image,
    same_weight,
    unnoticed,
)
from bot.rollout.judging import look_at
from bot.rollout.outages import PATIENCE, answers_again, troubled
from bot.rollout.part import Followed, Trouble
from bot.rollout.question import Gate
from bot.rollout.reminding import nudged
from bot.rollout.resting import expired, reminded
from bot.rollout.seen import Seen
from bot.rollout.shown import renewed
from bot.rollout.turning import hold, start_back
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.rollout.wanted import PutLed
from integrations.base import version_of
from integrations.controller import LedState
from strategies.plan import Follow
from strategies.verdict import Judgement


def forward(r: Rollout, seen: Seen) -> Rollout:
    """Take the next turn of a rollout that is on its way up, waits, or is paused."""
    trouble = seen.trouble or _unread(r, seen)
    if trouble is not None:
        return _unfollowed(r, troubled(r, seen, trouble))
    if r.armed is None:
        running = r.phase is Phase.RUNNING
        return _unfollowed(r, arm(r, seen)) if running else answers_again(r, seen)
    led = seen.led
    if led is None:
        return r
    if led.mark and led.mark != r.armed.mark:
        return offline(r, seen, led.mark)
    before, r = r.followed, _noted(answers_again(r, seen), seen, led)
    ended = _ended(r, seen, led)
    if ended is not None:
        return ended
    judged, judgement = look_at(r, seen)
    match judged.phase:
        case Phase.RUNNING if isinstance(judged.step, Follow):
            return _follow(judged, judged.step, seen, led, judgement)
        case Phase.RUNNING:
            return walk(judged, seen)
        case Phase.WAITING:
            return _waiting(judged, seen, led, judgement)
        case Phase.PAUSED:
            return _paused(judged, seen, led, before)
        case _:
            return judged


def _unread(r: Rollout, seen: Seen) -> Trouble | None:
    """Return what could not be read although it is needed: going on needs the image, the start all of it."""
    led = seen.led
    if led is None or led.unread is None or (r.armed is not None and led.image):
        return None
    found = led.unread
    return Trouble(found.code, found.sentence, seen.now, final=found.fatal)


def _unfollowed(r: Rollout, after: Rollout) -> Rollout:
    """Say aloud that what moves there by itself is not followed: nobody who asked for it would hear of it."""
    if after.phase is not Phase.CANCELLED or not r.requester.startswith("controller:"):
        return after
    *earlier, last = after.news
    text = f"{last.text} It moves without being followed, and nobody is asked at its pauses."
    return replace(after, news=(*earlier, replace(last, text=text, tell="broadcast")))


def _noted(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """Take note of where our movement stands; another one is none of ours."""
    known = r.followed.movement if r.followed is not None else ""
    if r.followed is not None and not led.movement:
        since = r.followed.unseen or seen.now
        return replace(r, followed=replace(r.followed, unseen=since))
    ours = same_image(led.image, r.image) and bool(led.movement)
    if not ours or led.movement != (known or led.movement) or led.aborted:
        return r
    if led.phase == "degraded" and not known:
        return r
    asked = r.followed.asked if r.followed is not None else None
    followed = Followed(
        led.movement, led.here, led.progress, led.asks, led.goal, led.run, asked=asked
    )
    if same_weight(led.weight, r.weight):
        return r if followed == r.followed else replace(r, followed=followed, template=r.image)
    text = f"{led.weight:g} % of the traffic on {r.version}{_where(led)}."
    return replace(
        r,
        followed=followed,
        template=r.image,
        weight=led.weight,
        weight_at=seen.now,
    ).tell(Entry("weight", "sluice", text, data={"percent": led.weight}))


def _where(led: LedState) -> str:
    return f" ({led.progress})" if led.progress else ""


def _ended(r: Rollout, seen: Seen, led: LedState) -> Rollout | None:
    """Return the row as it ends without us; None while our movement goes on, or has yet to begin."""
    assert r.armed is not None
    ours = is_ours(r, led)
    if r.followed is None:
        return None if ours or led.image == r.armed.canary.image else superseded(r, seen, led)
    if not ours or (led.movement and led.movement != r.followed.movement):
        if is_back(r, led):
            return _reverted(r, seen, led)
        if r.armed.base and not led.movement and same_image(led.image, r.armed.stable.image):
            return None  # whether it is the way home is told once the controller has looked
        return None if unnoticed(r, led) else superseded(r, seen, led)
    if led.aborted or led.phase == "degraded":
        return _failed(r, seen, led)
    if led.phase == "healthy" and led.movement:
        return succeed(gates.close_gate(replace(r, intent=None), _ALL_DONE, seen.now), seen.now)
    return None


_ALL_DONE = "Closed: the controller went on to the end without this decision."


def superseded(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """End because another version is asked for now: that has a row of its own."""
    who = f" (by {led.changed_by})" if led.changed_by else ""
    what = "another template" if same_image(led.image, r.image) else led.version
    text = f"Superseded: {what} is asked for now{who}; {r.version} is moved no further."
    return replace(
        gates.close_gate(r, f"Closed: superseded by {what}.", seen.now),
        phase=Phase.CANCELLED,
        code="superseded",
        ended=seen.now,
        intent=None,
        trouble=None,
    ).tell(
        Entry(
            "superseded",
            "sluice",
            text,
            code="superseded",
            event="rollout.cancelled",
            tell="requester",
        )
    )


def _failed(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """Go back because the controller gave up: it aborted, or calls the target degraded."""
    aborted = led.aborted
    reason = led.detail or ("the controller aborted it" if aborted else "the controller gave up")
    back = Back(
        code="controller_aborted" if aborted else "controller_degraded",
        reason=reason.rstrip("."),
        actor="somebody" if led.by_hand else "sluice",
        at=seen.now,
        automatic=not led.by_hand,
        weight=r.weight,
        judgement=r.judgement,
    )
    return start_back(r, back)


def _reverted(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """Go back because somebody asked the controller for the old version: it is on its way home by itself."""
    who = led.changed_by or "somebody"
    back = Back(
        code="reverted",
        reason=f"{version_of(led.image)} is asked for again, by {who}",
        actor=who,
        at=seen.now,
        automatic=False,
        weight=r.weight,
    )
    return start_back(r, back)


def _follow(
    r: Rollout, step: Follow, seen: Seen, led: LedState, judgement: Judgement | None
) -> Rollout:
    if isinstance(r.intent, PutLed):
        if intent_state(r, seen) != "applied":
            return _held_up(uncollected(r, led, seen.now), seen, led)
        r = replace(r, intent=None)
    if r.followed is None:
        return _begun(r, seen, led, full=step.full)
    if step.full and led.fetches and led.stop and not led.held:
        # It cannot leave its steps out; its gates open by themselves, because people have decided about all of it.
        return ordered(r, seen.now, "resume", stop=led.stop)
    if step.full and not (led.full or led.fetches) and led.moving and not led.held:
        return ordered(r, seen.now, "start", image=r.image, before=led.image, full=True)
    holds = judgement if _unclear(r, judgement) and not step.full else None
    if led.stop and not (led.passes and holds):
        return _ask(r, seen, led)
    if holds is not None and not led.held:
        return _hold_to_ask(r, seen, holds)
    return r if led.movement else _held_up(r, seen, led)


def _unclear(r: Rollout, judgement: Judgement | None) -> bool:
    """Whether these numbers need people, who were not asked about them at this weight yet."""
    asked = r.followed.asked if r.followed is not None else None
    known = asked is not None and same_weight(asked, r.weight)
    return judgement is not None and judgement.asks and not known


def _hold_to_ask(r: Rollout, seen: Seen, judgement: Judgement) -> Rollout:
    text = f"{judgement.sentence}. The controller is held until people have decided."
    return ordered(r, seen.now, "hold").tell(Entry("holding", "sluice", text))


def _asked(r: Rollout) -> Rollout:
    """Take note that people are being asked about the numbers at this weight."""
    return replace(r, followed=replace(r.followed or Followed(), asked=r.weight))


def _begun(r: Rollout, seen: Seen, led: LedState, *, full: bool) -> Rollout:
    """Ask the controller for our version, or to try again what was aborted."""
    if same_image(led.image, r.image):
        if led.aborted:
            text = f"{r.version} was aborted before; it begins anew."
            return ordered(r, seen.now, "retry").tell(Entry("retried", "sluice", text))
        return _held_up(r, seen, led)
    text = f"The controller is asked for {r.version}."
    begun = ordered(r, seen.now, "start", image=r.image, before=led.image, full=full)
    return begun.tell(Entry("asked_for", "sluice", text))


def ordered(r: Rollout, now: datetime, order: str, **what: object) -> Rollout:
    """Return the row with this order to its controller as its intent."""
    return replace(r, intent=PutLed(order, now, r.revision + 1, **what))  # type: ignore[arg-type]


def _held_up(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """Wait for the controller to see what it is asked for; hold and call people when it does not."""
    since = r.intent.at if isinstance(r.intent, PutLed) else r.progress.began or seen.now
    if r.followed is not None:
        since = max(since, r.followed.unseen or seen.now)
    if led.movement or seen.now - since <= PATIENCE:
        return r
    return hold(r, seen.now, "controller_silent", silent(led))


def _ask(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    """Ask people whether to go on from this stop."""
    unclear = r.judgement is not None and r.judgement.asks
    opened = gates.open_gate(_asked(r) if unclear else r, seen.now, "ask" if unclear else "approve")
    assert opened.gate is not None
    return replace(opened, gate=replace(opened.gate, stop=led.stop))


def _waiting(r: Rollout, seen: Seen, led: LedState, judgement: Judgement | None) -> Rollout:
    gate = r.gate
    if gate is None:
        return r
    if gate.stop and gate.stop != led.stop and led.movement:
        return moved_on(r, led, seen.now)
    if gate.over(seen.now):
        after = expired(r, seen)
        # What would go on by itself is held by nothing else.
        holds = after.phase is Phase.PAUSED and led.passes
        return ordered(after, seen.now, "hold") if holds else after
    if gate.stop and not led.movement:
        return nudged(_held_up(r, seen, led), seen)
    if gate.stop and _unclear(r, judgement):
        assert judgement is not None
        if led.passes and not led.held:
            text = f"Closed: {judgement.sentence}; it is held, and a fresh question follows."
            going = replace(gates.close_gate(r, text, seen.now), phase=Phase.RUNNING, code="")
            return _hold_to_ask(going, seen, judgement)
        text = f"{judgement.sentence}. The question that is open shows it."
        r = _asked(r).tell(Entry("unclear", "sluice", text))
        gate = r.gate or gate
    return nudged(_up_to_date(r, gate, seen, judgement), seen)


def _up_to_date(r: Rollout, gate: Gate, seen: Seen, judgement: Judgement | None) -> Rollout:
    """Return the row with the newest numbers on its question, which is edited with every one of them."""
    fresh = renewed(r, seen.look, judgement, seen.now)
    if fresh is not r or not gate.stop or r.look is gate.look:
        return fresh
    # A pause begins with the write of a weight: the numbers of that weight come only while people are asked.
    earlier = gate.look is None or (r.weight_at is not None and gate.look.at < r.weight_at)
    shown = gate.shown + earlier
    return replace(r, gate=replace(gate, look=r.look, judgement=r.judgement, shown=shown))


def moved_on(r: Rollout, led: LedState, now: datetime) -> Rollout:
    """Close a question about a pause that is over; the votes on it count for no other."""
    text = f"Closed: it was moved on by itself or by somebody else{_where(led)}."
    entry = Entry(
        "moved_on",
        "sluice",
        f"The pause is over without a decision here: moved on by itself or by somebody else{_where(led)}.",
    )
    return replace(gates.close_gate(r, text, now), phase=Phase.RUNNING, code="").tell(entry)


def _paused(r: Rollout, seen: Seen, led: LedState, before: Followed | None) -> Rollout:
    if isinstance(r.intent, PutLed) and r.intent.order == "hold":
        return replace(r, intent=None) if intent_state(r, seen) == "applied" else r
    released = r.code == "paused" and not led.held and r.followed is not None
    elsewhere = before is not None and bool(led.movement) and led.here != before.here
    went_on = r.code == "gate_expired" and elsewhere and not led.held
    answers = r.code == "controller_silent" and bool(led.movement)
    if not (released or went_on or answers):
        return reminded(r, seen)
    text = f"It goes on, released by somebody else{_where(led)}."
    if answers:
        text = f"The controller answers again{_where(led)}."
    return replace(r, phase=Phase.RUNNING, code="", reminded=None, intent=None).tell(
        Entry("resumed", "sluice", text)
    )
