"""Locks, and the stopped line: taken, extended, taken over and released, each in one transaction with its receipt.

Nothing here touches a rollout: what is in flight goes on, and going back is never kept out. Whoever loses a lock to
somebody else hears of it, and so does the channel.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.commands.answers import Answer, Offer
from bot.commands.authority import vouch
from bot.commands.lock_notices import (
    keep,
    told_of_lock,
    told_of_release,
    told_of_stop,
    told_of_taking,
)
from bot.commands.lock_words import (
    BUTTONS,
    already_frozen,
    already_locked,
    did_lock,
    did_prolong,
    did_release,
    listing,
    lock_gone,
    meanwhile,
    not_frozen,
    not_locked,
    not_your_lock,
    owners,
    still_shut,
    stops,
)
from bot.commands.starting import repeated
from bot.commands.world import Receipt, World
from bot.grammar import render
from bot.grammar.locking import LONGEST
from bot.grammar.verbs import Freeze, Resume, Thaw, Unlock
from bot.grammar.verbs import Lock as LockVerb
from bot.policy import Actor
from bot.rollout.locks import USUAL, Lock
from bot.rollout.times import clock
from bot.store import Writing

Keeping = LockVerb | Unlock | Freeze | Thaw


async def let_in_or_out(
    world: World, command: Keeping, actor: Actor, receipt: Receipt | None
) -> Answer:
    """Do what one of the four words asks for, or raise `Refusal`."""
    match command:
        case LockVerb():
            return await lock(world, command, actor, receipt)
        case Unlock():
            return await unlock(world, command, actor, receipt)
        case Freeze():
            return await freeze(world, command, actor, receipt)
        case Thaw():
            return await thaw(world, command, actor, receipt)


async def lock(world: World, command: LockVerb, actor: Actor, receipt: Receipt | None) -> Answer:
    """Keep others out of a service; what is the asker's own already gets the new end and the new reason."""
    await vouch(world, actor, "lock")
    if command.of and not command.take_over:
        return await _prolong(world, command, actor, receipt)
    async with world.store.writing() as writing:
        now = world.now()
        if not await _first(writing, receipt, actor, now):
            return await _again(world, receipt)
        there = [one for one in await writing.locks() if _competes(one, command, now)]
        others = [one for one in there if one.owner != actor.id]
        _as_shown(command, there, others)
        for one in others:
            await writing.release_lock(one.id, actor.id, now)
        new = _taken(command, actor, others, now)
        same = [one for one in there if one not in others and one.where == new.where]
        if same:
            new = replace(new, id=same[0].id, at=same[0].at)
        await writing.put_lock(new)
        told = told_of_taking(world.config, new, others, actor)
        if not (others or same):
            told = told_of_lock(world.config, new, actor)
        await keep(writing, told, now)
    await _spread(world, [new, *others])
    flying = await world.store.in_flight(command.service, command.environment)
    sentence = f"{did_lock(new, others, extended=bool(same))} {meanwhile(command, new)}"
    return listing(Answer(sentence, people=owners(others)), flying)


async def unlock(world: World, command: Unlock, actor: Actor, receipt: Receipt | None) -> Answer:
    """End the locks of a place, and where an environment is named the quarantines there."""
    await vouch(world, actor, "unlock")
    async with world.store.writing() as writing:
        now = world.now()
        if not await _first(writing, receipt, actor, now):
            return await _again(world, receipt)
        there = [one for one in await writing.locks() if one.holds(now)]
        if command.of:
            ended = [_own(command.of, there, actor, (command.service, command.environment))]
        else:
            ended = [one for one in there if _ends(one, command)]
        if not ended:
            raise not_locked(command, there)
        await _end(writing, world, ended, actor, command.reason, now)
    await _spread(world, ended)
    said = " ".join(did_release(one) for one in ended)
    rest = [one for one in there if one not in ended]
    return _released(world, said, ended, rest, now)


async def freeze(world: World, command: Freeze, actor: Actor, receipt: Receipt | None) -> Answer:
    """Stop the line: nothing starts in an environment; what is in flight goes on, with a button to pause it."""
    await vouch(world, actor, "lock")
    if command.of:
        return await _prolong(world, command, actor, receipt)
    flying = await world.store.in_flight(None, command.environment)
    async with world.store.writing() as writing:
        now = world.now()
        if not await _first(writing, receipt, actor, now):
            return await _again(world, receipt)
        there = [one for one in await writing.locks() if stops(one, command.environment, now)]
        others = [one for one in there if one.owner != actor.id]
        if others:
            raise already_frozen(others[0])
        new = _stopped(command, actor, now)
        if there:
            new = replace(new, id=there[0].id, at=there[0].at)
        await writing.put_lock(new)
        await keep(writing, told_of_stop(world.config, new, flying), now)
    await _spread(world, [new])
    until = f"until {clock(new.expires)}" if new.expires else "until somebody thaws it"
    sentence = (
        f"{command.environment} is stopped {until} (“{new.reason}”): nothing new starts there, `/rollback` still "
        f"works. `thaw {command.environment}` ends it."
    )
    return listing(Answer(sentence), flying)


async def thaw(world: World, command: Thaw, actor: Actor, receipt: Receipt | None) -> Answer:
    """Let things start again in an environment, and say what asks meanwhile whether it should."""
    await vouch(world, actor, "unlock")
    async with world.store.writing() as writing:
        now = world.now()
        if not await _first(writing, receipt, actor, now):
            return await _again(world, receipt)
        there = [one for one in await writing.locks() if one.holds(now)]
        if command.of:
            ended = [_own(command.of, there, actor, (None, command.environment))]
        else:
            ended = [one for one in there if stops(one, command.environment, now)]
        if not ended:
            raise not_frozen(world, command.environment, now)
        await _end(writing, world, ended, actor, command.reason, now)
    await _spread(world, ended)
    waits = await world.store.scheduled(None, command.environment)
    asks = [r for r in waits if r.gate is not None]
    names = ", ".join(f"{r.service} {r.version} ({r.id})" for r in asks)
    ask = f" These ask whether to start: {names}." if asks else " Nothing waits for an answer."
    said = " ".join(did_release(one) for one in ended)
    answer = _released(world, said, ended, [], now)
    return replace(
        answer,
        sentence=f"{answer.sentence}{ask}",
        offers=[
            Offer(f"Start {r.service}", render(Resume(r.service, r.environment)))
            for r in asks[:BUTTONS]
        ],
    )


async def _prolong(
    world: World, command: LockVerb | Freeze, actor: Actor, receipt: Receipt | None
) -> Answer:
    """Let a lock of one's own last longer than it would, as its reminder offers."""
    service = command.service if isinstance(command, LockVerb) else None
    async with world.store.writing() as writing:
        now = world.now()
        if not await _first(writing, receipt, actor, now):
            return await _again(world, receipt)
        there = [one for one in await writing.locks() if one.holds(now)]
        one = _own(command.of, there, actor, (service, command.environment))
        longer = timedelta(seconds=command.seconds or 0)
        end = min((one.expires or now) + longer, now + timedelta(seconds=LONGEST))
        new = replace(one, expires=end, nagged=None)
        await writing.put_lock(new)
    await _spread(world, [])
    return Answer(did_prolong(new))


def _released(
    world: World, said: str, ended: Sequence[Lock], rest: Sequence[Lock], now: datetime
) -> Answer:
    """Return what is told of an end, with what goes on keeping things out there."""
    shut = [still_shut(world.config, one, rest, now) for one in ended if one.kind != "quarantine"]
    but = "".join(dict.fromkeys(f" But {one}." for one in shut if one))
    return Answer(f"{said}{but}", people=owners([*ended, *rest]))


async def _spread(world: World, changed: Sequence[Lock]) -> None:
    """Let others hear of it, and what asks whether to start look again, after the commit."""
    if world.spread is not None:
        world.spread()
    for r in await world.store.scheduled():
        asks = r.gate is not None
        if asks and any(one.covers(r.service, r.environment, r.version) for one in changed):
            world.wake(r)


# ---- in the transaction ---------------------------------------------------------------------------------------------


async def _first(writing: Writing, receipt: Receipt | None, actor: Actor, now: datetime) -> bool:
    """Record that this was received, together with what it does; False when that was done before."""
    if receipt is None:
        return True
    return await writing.receive(receipt.inbound(actor, actor.door, now, done=True))


async def _again(world: World, receipt: Receipt | None) -> Answer:
    assert receipt is not None
    return await repeated(world, receipt.key)


async def _end(
    writing: Writing,
    world: World,
    ended: Sequence[Lock],
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    for one in ended:
        await writing.release_lock(one.id, actor.id, now)
    await keep(writing, told_of_release(world.config, ended, actor, reason), now)


def _as_shown(command: LockVerb, there: Sequence[Lock], others: Sequence[Lock]) -> None:
    """Refuse to take what nobody said, or saw, that it would be taken. Raises `Refusal`."""
    if command.of and not any(one.id in command.of for one in there):
        raise lock_gone(there, (command.service, command.environment))
    unseen = [one for one in others if one.id not in command.of]
    if (others and not command.take_over) or (command.of and unseen):
        raise already_locked(others, command)


def _own(
    of: Sequence[str], there: Sequence[Lock], actor: Actor, place: tuple[str | None, str | None]
) -> Lock:
    """Return the lock that the button of a reminder is about. Raises `Refusal` for anybody but its owner."""
    one = next((one for one in there if one.id in of), None)
    if one is None:
        raise lock_gone([one for one in there if one.reaches(*place)], place)
    if one.owner != actor.id:
        raise not_your_lock(one)
    return one


def _competes(one: Lock, command: LockVerb, now: datetime) -> bool:
    """Whether a lock is about the same place, or about a part of it, or the place a part of its."""
    return (
        one.kind == "lock" and one.holds(now) and one.reaches(command.service, command.environment)
    )


def _taken(command: LockVerb, actor: Actor, others: Sequence[Lock], now: datetime) -> Lock:
    # Nobody gets in through a gap: what is taken over stays as wide as it was.
    wide = command.environment is None or any(not one.environment for one in others)
    lasts = timedelta(seconds=command.seconds) if command.seconds else USUAL
    return Lock(
        id=_new_id(),
        kind="lock",
        service=command.service,
        environment="" if wide else command.environment or "",
        version="",
        owner=actor.id,
        reason=command.reason or "; ".join(one.reason for one in others) or "taken over",
        at=now,
        expires=now + lasts,
    )


def _stopped(command: Freeze, actor: Actor, now: datetime) -> Lock:
    return Lock(
        id=_new_id(),
        kind="freeze",
        service="",
        environment=command.environment,
        version="",
        owner=actor.id,
        reason=command.reason,
        at=now,
        expires=now + timedelta(seconds=command.seconds) if command.seconds else None,
    )


def _new_id() -> str:
    return f"l-{secrets.token_hex(4)}"


def _ends(one: Lock, command: Unlock) -> bool:
    if one.service != command.service or one.kind == "freeze":
        return False
    if one.kind == "quarantine":
        # By name only: `unlock checkout` is about a lock, and must not let a broken version go along with it.
        return one.environment == command.environment
    return one.reaches(command.service, command.environment)
