"""Promote, pause, resume, extend, resolve: what changes a rollout that is in flight.

Pause and rollback take effect in the very commit that records them. A promote is recorded first and counted after the
look-up of who may; whoever lost a race is told so.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot import policy
from bot.commands.answers import Answer, Refusal
from bot.commands.going_back import press_rollback
from bot.commands.starting import check, repeated
from bot.commands.world import Receipt, World
from bot.grammar import verbs
from bot.policy import Actor, Verb
from bot.rollout import acts, gates
from bot.rollout.values import Rollout
from bot.store import Inbound, PoisonedRowError, StaleError

FRESH = timedelta(seconds=5)
"""A gate younger than this may not be the one that the person had in mind."""

_TRIES = 8

Steering = verbs.Promote | verbs.Pause | verbs.Resume | verbs.Extend | verbs.Resolve
Act = Callable[[Rollout, datetime], Rollout]


async def steer(world: World, command: Steering, actor: Actor, receipt: Receipt | None) -> Answer:
    """Do what was asked to the one rollout in flight that the words name."""
    r = await the_one(world, command.service, command.environment)
    match command:
        case verbs.Promote(gate=gate):
            return await press(world, "promote", r.id, actor, receipt, gate=gate)
        case verbs.Pause(reason=reason):
            return await press(world, "pause", r.id, actor, receipt, reason=reason)
        case verbs.Resume():
            return await press(world, "resume", r.id, actor, receipt)
        case verbs.Extend(seconds=seconds):
            return await press(world, "extend", r.id, actor, receipt, seconds=seconds)
        case verbs.Resolve(reason=reason):
            return await press(world, "resolve", r.id, actor, receipt, reason=reason)


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
) -> Answer:
    """Do one act on one rollout."""
    r = await find(world, rollout)
    match verb:
        case "promote" | "approve":
            return await _promote(world, r, actor, receipt, gate)
        case "rollback":
            return await press_rollback(world, r, actor, receipt, reason, force=force)
        case "pause":
            return await act(
                world, r.id, actor, "pause", receipt,
                lambda row, now: acts.pause(row, actor.id, reason, now),
            )  # fmt: skip
        case "resume":
            return await act(
                world, r.id, actor, "resume", receipt,
                lambda row, now: acts.resume(row, actor.id, now),
            )  # fmt: skip
        case "extend":
            return await act(
                world, r.id, actor, "extend", receipt,
                lambda row, now: acts.extend(row, actor.id, seconds, now),
            )  # fmt: skip
        case "resolve":
            return await act(
                world, r.id, actor, "resolve", receipt,
                lambda row, now: acts.resolve(row, actor.id, reason or "no reason given", now),
            )  # fmt: skip
        case _:
            raise Refusal(
                f"{verb} is not something to do to a rollout.", code="unknown_verb", status=422
            )


async def find(world: World, rollout: str) -> Rollout:
    """Return a rollout by id. Raises `Refusal` 404."""
    try:
        return await world.store.get(rollout)
    except KeyError as error:
        raise Refusal(
            f"There is no rollout {rollout[:40]}.", code="unknown_rollout", status=404
        ) from error
    except PoisonedRowError as error:
        raise Refusal(
            f"The stored row of {rollout[:40]} cannot be read. Look at the log, then roll the target back by hand.",
            code="poisoned_row",
            status=500,
        ) from error


async def act(
    world: World, rollout: str, actor: Actor, verb: Verb, receipt: Receipt | None, change: Act
) -> Answer:
    """Apply one change with its receipt in one transaction; a row that moved meanwhile is read again."""
    for _ in range(_TRIES):
        try:
            async with world.store.writing() as writing:
                now = world.now()
                if receipt is not None and not await writing.receive(
                    receipt.inbound(actor, actor.door, now, rollout, done=True)
                ):
                    return await repeated(world, receipt.key)
                r = await writing.load(rollout)
                check(policy.allow(actor, verb, r))
                r = await writing.save(change(r, now), now)
        except StaleError:
            continue
        except acts.WrongStateError as error:
            raise Refusal(
                str(error), code=error.code, rollout=await find(world, rollout)
            ) from error
        world.wake(r.id)
        return Answer(_did(verb, r), rollout=r)
    raise Refusal(
        "The rollout kept changing while this was tried; nothing was done. Try again.",
        code="conflict",
    )


def _did(verb: Verb, r: Rollout) -> str:
    done = {
        "pause": f"Paused {r.service} {r.version} at {r.weight:g} %.",
        "resume": f"Going on with {r.service} {r.version} at {r.weight:g} %.",
        "extend": f"Extended for {r.service} {r.version}.",
        "rollback": f"Rolling {r.service} in {r.environment} back to {r.from_version or 'stable'} now.",
        "resolve": f"Resolved {r.service} {r.version} by hand.",
        "promote": f"Approved {r.service} {r.version} at {r.weight:g} %.",
    }
    return done.get(verb, "Done.")


async def _promote(
    world: World, r: Rollout, actor: Actor, receipt: Receipt | None, gate: str | None
) -> Answer:
    now = world.now()
    bound = _gate_meant(r, gate, now)
    if receipt is None:
        return await _cast(world, r.id, actor, bound)
    body = {**receipt.body, "verb": "promote", "gate": bound, "owner": actor.owner}
    async with world.store.writing() as writing:
        first = await writing.receive(Inbound(receipt.key, actor.door, actor.id, body, now, r.id))
    if not first:
        return await repeated(world, receipt.key)
    return Answer(
        f"Recorded: your approval of {r.service} {r.version}.", kind="recorded", rollout=r
    )


def _gate_meant(r: Rollout, gate: str | None, now: datetime) -> str:
    """Return the id of the gate that is meant. Raises `Refusal` when that is not the open one."""
    if r.gate is None:
        raise Refusal(_closed(r, gate), code="gate_closed" if gate else "no_open_gate", rollout=r)
    if gate is None and now - r.gate.opened < FRESH:
        raise Refusal(
            f"A new gate of {r.service} opened just now, at {r.weight:g} %. Look at its numbers, then say it again.",
            code="gate_changed",
            rollout=r,
        )
    if gate is not None and gate != r.gate.id:
        raise Refusal(_closed(r, gate), code="gate_closed", rollout=r)
    return r.gate.id


def _closed(r: Rollout, gate: str | None) -> str:
    for closed in r.closed:
        if closed.id == gate:
            return f"Nothing was changed: that gate is closed. {closed.sentence}"
    state = r.phase.value.lower().replace("_", " ")
    return (
        f"Nothing was changed: {r.service} in {r.environment} has no open gate; it is {state} at {r.weight:g} %. "
        "Promote works when the card asks for a decision."
    )


async def settle_promote(world: World, inbound: Inbound) -> Answer:
    """Count a recorded promote; its answer is committed with the vote, or the refusal in its place."""
    actor = Actor(
        inbound.actor,
        "rest" if inbound.door == "rest" else "slack",
        owner=str(inbound.body.get("owner", "")),
    )
    try:
        return await _cast(
            world, inbound.rollout, actor, str(inbound.body.get("gate", "")), inbound.key
        )
    except Refusal as refusal:
        async with world.store.writing() as writing:
            await writing.settle(inbound.key, {"code": refusal.code, "sentence": str(refusal)})
        raise


async def _cast(
    world: World, rollout: str, actor: Actor, gate: str, key: str | None = None
) -> Answer:
    r = await find(world, rollout)
    groups = r.gate.groups if r.gate is not None else ()
    membership = await world.directory.membership(actor, groups)
    for _ in range(_TRIES):
        try:
            async with world.store.writing() as writing:
                now = world.now()
                r = await writing.load(rollout)
                _gate_meant(r, gate, now)
                check(policy.allow(actor, "promote", r, membership))
                r = await writing.save(gates.vote(r, actor.id, now), now)
                if key is not None:
                    await writing.settle(key, {"code": "ok"})
        except StaleError:
            continue
        world.wake(r.id)
        return Answer(_did("promote", r), rollout=r)
    raise Refusal(
        "The rollout kept changing; your approval was not counted. Try again.", code="conflict"
    )
