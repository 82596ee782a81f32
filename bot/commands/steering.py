"""Promote, pause, resume, extend, resolve: what changes a rollout that is in flight.

Pause and rollback take effect in the very commit that records them. A promote is recorded first and counted after the
look-up of who may; whoever lost a race is told so.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from bot.commands.acting import act, did, find
from bot.commands.answers import Answer, Refusal, Unheard
from bot.commands.authority import vouch
from bot.commands.binding import Picture, gate_meant, still_open
from bot.commands.choosing import keep, winner_named
from bot.commands.glass import admitted, looked_up
from bot.commands.going_back import abort, undo
from bot.commands.scheduling import asking, start_now
from bot.commands.starting import repeated
from bot.commands.todays_rules import as_today
from bot.commands.world import Receipt, World
from bot.grammar import verbs
from bot.policy import Actor, Verb
from bot.rollout import acts, gates
from bot.rollout.times import clock
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.voting import edited, through_glass
from bot.store import Inbound, StaleError

_TRIES = 8
HEARD_WITHIN = timedelta(minutes=10)
"""For how long a recorded approval waits for Slack to say who may."""
_AT_ONCE = timedelta(seconds=5)
"""What is refused within this is told to whoever is still looking; later everybody is told in the thread."""
_GLANCE = 3.0
"""Seconds that a vote waits to hear whether its pause still lasts."""

Steering = verbs.Promote | verbs.Pause | verbs.Resume | verbs.Extend | verbs.Resolve


async def steer(world: World, command: Steering, actor: Actor, receipt: Receipt | None) -> Answer:
    """Do what was asked to the one rollout in flight that the words name."""
    r = await _meant(world, command)
    match command:
        case verbs.Promote(gate=gate, reason=reason):
            return await press(
                world, "promote", r.id, actor, receipt,
                gate=gate, reason=reason, glass=command.break_glass,
            )  # fmt: skip
        case verbs.Pause(reason=reason):
            return await press(world, "pause", r.id, actor, receipt, reason=reason)
        case verbs.Resume():
            return await press(world, "resume", r.id, actor, receipt)
        case verbs.Extend(seconds=seconds):
            return await press(world, "extend", r.id, actor, receipt, seconds=seconds)
        case verbs.Resolve(reason=reason):
            return await press(world, "resolve", r.id, actor, receipt, reason=reason)


async def _meant(world: World, command: Steering) -> Rollout:
    """Return the rollout that the words name; what asks whether to start is resumed where nothing is in flight."""
    try:
        return await the_one(world, command.service, command.environment)
    except Refusal as refusal:
        if refusal.code != "nothing_in_flight" or not isinstance(command, verbs.Resume):
            raise
        asks = await asking(world, command.service, command.environment)
        if asks is None:
            raise
        return asks


async def the_one(world: World, service: str, environment: str | None) -> Rollout:
    """Return the rollout in flight that is meant; several: ask, none: say so."""
    found = await world.store.in_flight(service, environment)
    if not found:
        where = f" in {environment}" if environment else ""
        raise Refusal(
            f"{service} has no rollout in flight{where}. `/deploy status {service}` shows what is live.",
            code="nothing_in_flight",
        )
    if len(found) > 1:
        names = ", ".join(r.environment for r in found)
        raise Refusal(
            f"{service} has rollouts in flight in {names}. Say which environment.",
            code="which_environment",
        )
    return found[0]


async def press(
    world: World,
    verb: str,
    rollout: str,
    actor: Actor,
    receipt: Receipt | None,
    *,
    gate: str | None = None,
    reason: str = "",
    seconds: int = 1800,
    force: bool = False,
    winner: str = "",
    picture: Picture | None = None,
    glass: bool = False,
) -> Answer:
    """Do one act on one rollout. `winner` names a variant or a version of an A/B test that asks for one.

    `picture` is what a button stood under: a promote counts only while that is what is shown. `glass`: somebody who is
    no approver breaks it to promote.
    """
    if verb in {"resume", "adopt", "extend", "resolve", "acknowledge"}:
        await vouch(world, actor, cast("Verb", verb))
    match verb:
        case "promote" | "approve":
            r = await find(world, rollout)
            if winner and winner_named(r, winner) == "A":
                return await keep(world, rollout, actor, receipt, reason, gate)
            if glass:
                bound = gate_meant(r, gate, world.now(), picture)
                return await _cast(world, r.id, actor, bound, reason, glass=True, receipt=receipt)
            return await _promote(world, r, actor, receipt, gate, reason, picture)
        case "keep":
            return await keep(world, rollout, actor, receipt, reason, gate)
        case "rollback":
            return await _roll_back(world, rollout, actor, receipt, reason, force=force)
        case "resume":
            return await _resume(world, rollout, actor, receipt, gate)
        case _:
            change = _change(verb, actor, reason, seconds, gate)
            return await act(world, rollout, actor, cast("Verb", verb), receipt, change)


def _change(
    verb: str, actor: Actor, reason: str, seconds: int, gate: str | None
) -> Callable[[Rollout, datetime], Rollout]:
    """Return what an act does to the row, for those that need nothing else. Raises `Refusal` `unknown_verb`."""
    who, owner = actor.id, actor.owner or actor.id
    match verb:
        case "pause":
            return lambda r, now: acts.pause(r, who, reason, now)
        case "adopt":
            return lambda r, now: edited(acts.adopt(r, who, now), owner)
        case "extend":
            return lambda r, now: _extended(r, who, seconds, now, gate)
        case "acknowledge":
            return lambda r, now: acts.acknowledge(r, who, now)
        case "resolve":
            return lambda r, now: acts.resolve(r, who, reason or "no reason given", now)
        case _:
            raise Refusal(
                f"{verb} is not something to do to a rollout. `/deploy help` lists what is.",
                code="unknown_verb",
                status=422,
            )


def _extended(r: Rollout, who: str, seconds: int, now: datetime, gate: str | None) -> Rollout:
    """Give more time to what the words mean; a button of a gate to that gate alone. Raises `Refusal`."""
    still_open(r, gate)
    return acts.extend(r, who, seconds, now)


async def _resume(
    world: World, rollout: str, actor: Actor, receipt: Receipt | None, gate: str | None
) -> Answer:
    """Go on after a pause; what is scheduled and asks starts now."""
    r = await find(world, rollout)
    still_open(r, gate)
    if r.phase is Phase.SCHEDULED:
        return await start_now(world, r, actor, receipt)
    return await act(
        world, rollout, actor, "resume", receipt, lambda row, now: acts.resume(row, actor.id, now)
    )


async def _roll_back(
    world: World,
    rollout: str,
    actor: Actor,
    receipt: Receipt | None,
    reason: str,
    *,
    force: bool,
) -> Answer:
    """Turn it around at once; only what has ended already is looked at more closely.

    A person is asked once more before something that is live is undone; a program that names the id means it.
    """
    try:
        return await abort(world, rollout, actor, receipt, reason, force=force)
    except Refusal as refusal:
        if refusal.code != "already_ended":
            raise
    r = await find(world, rollout)
    ask = actor.door == "slack"
    return await undo(world, r, actor, receipt, reason, ask=ask)


async def _promote(
    world: World,
    r: Rollout,
    actor: Actor,
    receipt: Receipt | None,
    gate: str | None,
    reason: str,
    picture: Picture | None,
) -> Answer:
    now = world.now()
    bound = gate_meant(r, gate, now, picture)
    if receipt is None:
        return await _cast(world, r.id, actor, bound, reason)
    body = {
        **receipt.body,
        "verb": "promote",
        "gate": bound,
        "owner": actor.owner,
        "reason": reason,
        **({"plan": picture.plan, "shown": picture.shown} if picture is not None else {}),
    }
    async with world.store.writing() as writing:
        first = await writing.receive(Inbound(receipt.key, actor.door, actor.id, body, now, r.id))
    if not first:
        return await repeated(world, receipt.key)
    return Answer(
        f"Recorded: your approval of {r.service} {r.version}.", kind="recorded", rollout=r
    )


async def settle_promote(world: World, inbound: Inbound) -> Answer:
    """Count a recorded promote; its answer is committed with the vote, or the refusal in its place."""
    actor = Actor(
        inbound.actor,
        "rest" if inbound.door == "rest" else "slack",
        owner=str(inbound.body.get("owner", "")),
    )
    try:
        gate, reason = str(inbound.body.get("gate", "")), str(inbound.body.get("reason", ""))
        return await _cast(world, inbound.rollout, actor, gate, reason, inbound)
    except Refusal as refusal:
        late = world.now() - inbound.at
        if isinstance(refusal, Unheard) and late < HEARD_WITHIN:
            refusal.waits = True
            raise
        async with world.store.writing() as writing:
            await writing.settle(inbound.key, {"code": refusal.code, "sentence": str(refusal)})
            if late >= _AT_ONCE and not _counted_already(refusal, inbound):
                await writing.note(inbound.rollout, [_refused_late(refusal, inbound)], world.now())
        raise


def _counted_already(refusal: Refusal, inbound: Inbound) -> bool:
    """Whether a second click of the same person was refused because their first one counted."""
    closed = refusal.rollout.closed if refusal.rollout is not None else ()
    gate = inbound.body.get("gate")
    return refusal.code == "already_counted" or any(
        inbound.actor in one.people for one in closed if one.id == gate and one.promoted
    )


def _refused_late(refusal: Refusal, inbound: Inbound) -> Entry:
    """Return the line about a recorded approval that came to nothing after its giver had been told to wait."""
    text = f"The approval that {inbound.actor} gave {clock(inbound.at)} was not counted: {refusal}"
    return Entry("vote_refused", inbound.actor, text, code=refusal.code)


def _seen(recorded: Inbound | None) -> Picture | None:
    if recorded is None or "shown" not in recorded.body:
        return None
    return Picture(str(recorded.body.get("plan", "")), int(recorded.body["shown"]))


async def _still_there(world: World, r: Rollout) -> None:
    """Refuse a yes to a pause that the controller of the target has left meanwhile. Raises `Refusal`.

    Only so that nobody believes to have decided: an order to go on is bound to its pause in any case.
    """
    if r.gate is None or not r.gate.stop or world.moved_on is None:
        return
    try:
        async with asyncio.timeout(_GLANCE):
            over = await world.moved_on(r)
    except Exception:  # noqa: BLE001 - whatever hinders the look, the vote is bound to its pause
        return
    if over:
        world.wake(r)
        raise Refusal(
            f"Nothing was changed: the pause of {r.service} that you saw is over, moved on by itself or by somebody "
            "else. Your approval counts for no other; look at the card.",
            code="gate_closed",
            rollout=r,
        )


async def _cast(
    world: World,
    rollout: str,
    actor: Actor,
    gate: str,
    reason: str,
    recorded: Inbound | None = None,
    *,
    glass: bool = False,
    receipt: Receipt | None = None,
) -> Answer:
    r = as_today(world, await find(world, rollout))
    membership = await looked_up(world, r, actor, glass=glass)
    await _still_there(world, r)
    for _ in range(_TRIES):
        try:
            async with world.store.writing() as writing:
                now = world.now()
                if receipt is not None and not await writing.receive(
                    receipt.inbound(actor, actor.door, now, rollout, done=True)
                ):
                    return await repeated(world, receipt.key)
                r = as_today(world, await writing.load(rollout))
                # What was recorded in time is not late because the look-up took its time.
                said = recorded.at if recorded is not None else now
                gate_meant(r, gate, said, _seen(recorded))
                r, through = admitted(r, actor, membership, now, reason, glass=glass)
                r = gates.vote(r, actor.id, now, reason, actor.owner)
                r = await writing.save(through_glass(r, actor.id) if through else r, now)
                if recorded is not None:
                    await writing.settle(recorded.key, {"code": "ok"})
        except StaleError:
            continue
        world.wake(r)
        return Answer(did("promote", r), rollout=r)
    raise Refusal(
        "The rollout kept changing; your approval was not counted. Try again.", code="conflict"
    )
