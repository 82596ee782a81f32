"""Rollback: in flight it acts at once; after success it is a new row, asked for once more unless `now` is said.

No approval, no metric and no look-up of people stands in its way.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot import policy
from bot.commands.acting import act, look_behind
from bot.commands.answers import Answer, Offer, Refusal
from bot.commands.asking_back import (
    already_back,
    confirmation,
    line_of,
    named,
    things_changed,
)
from bot.commands.authority import check
from bot.commands.starting import busy, create, new_rollout, repeated
from bot.commands.taken_back import not_taken_back
from bot.commands.world import Receipt, World
from bot.grammar.verbs import Rollback
from bot.planning import lanes_for, rollback_plan
from bot.policy import Actor
from bot.rollout import acts
from bot.rollout.part import Part
from bot.rollout.parts import standing
from bot.rollout.past import ever_stable, newest_finished, stable_versions, taken_back
from bot.rollout.stuck import since_stuck
from bot.rollout.values import Entry, Phase, Rollout
from bot.settings.values import UnknownNameError

_VALUES = ("off", "on")
"""Of a flag; what only a flag was is no version of what it goes along with."""
RECENT = timedelta(minutes=60)
"""A rollback this young makes a second one suspicious: two people, one incident."""


async def go_back(world: World, command: Rollback, actor: Actor, receipt: Receipt | None) -> Answer:
    """Undo what the words name; with no service, list what can be undone."""
    check(policy.allow(actor, "rollback"))
    if command.service is None:
        return await undoable(world)
    if command.environment is not None:
        _known(world, command.service, command.environment)
    if command.of is not None:
        before = await _as_it_stood(world, command, receipt)
        if before is not None:
            return before
    flying = await world.store.in_flight(command.service, command.environment)
    if command.to is None and len(flying) == 1:
        _not_back_and_forth(flying[0])
        return await abort(world, flying[0].id, actor, receipt, command.reason, force=command.now)
    if command.to is None and len(flying) > 1:
        raise Refusal(
            f"{command.service} has rollouts in flight in {', '.join(r.environment for r in flying)}. Which one?",
            code="which_environment",
            offers=[
                Offer(
                    f"Roll back {r.environment}",
                    line_of(replace(command, environment=r.environment, now=False)),
                    danger=True,
                    of=r.id,
                )
                for r in flying
            ],
        )
    if len(flying) == 1 and named(command.to or "", {flying[0].from_version}):
        return await abort(world, flying[0].id, actor, receipt, command.reason, force=command.now)
    if flying:
        raise await busy(world.store, flying[0].id)
    return await _afterwards(world, command, actor, receipt)


async def _as_it_stood(world: World, command: Rollback, receipt: Receipt | None) -> Answer | None:
    """Return the answer that a press had already; None: its target stands as it did when the button was shown.

    Raises `Refusal` `things_changed` with the question as it is now.
    """
    if receipt is not None and await world.store.inbound(receipt.key) is not None:
        return await repeated(world, receipt.key)
    assert command.service is not None
    environment = command.environment or _default_environment(world, command.service)
    flying = await world.store.in_flight(command.service, environment)
    past = await world.store.history(command.service, environment, limit=200)
    there = flying[0] if flying else newest_finished(past)
    if there is None or there.id == command.of:
        return None
    if flying:
        _not_back_and_forth(flying[0])
        raise things_changed(command, flying[0], None)
    afresh = replace(command, environment=environment, to=None, now=False, of=None)
    raise things_changed(command, there, _question(afresh, environment, past, world.now()))


def _not_back_and_forth(r: Rollout) -> None:
    """Refuse to undo an undoing by the same two words: in an incident two people say them."""
    if r.rollback_of and r.phase is not Phase.ROLLING_BACK:
        raise Refusal(
            f"{r.service} in {r.environment} is already on its way back to {r.version} ({r.id}, by {r.requester}). "
            f"Nothing was changed. `/rollback {r.service} {r.environment} to {r.from_version or 'VERSION'}` turns it "
            "around instead.",
            code="already_rolling_back",
            rollout=r,
        )


def _known(world: World, service: str, environment: str) -> None:
    try:
        world.config.target(service, environment)
    except UnknownNameError as error:
        raise Refusal(
            str(error), code=error.code, status=422, suggestion=error.suggestion or ""
        ) from error


async def undoable(world: World) -> Answer:
    """List what can be undone: what is in flight, then what succeeded last on each target."""
    flying = await world.store.in_flight()
    rows = [r for r in reversed(flying) if r.phase is not Phase.ROLLING_BACK]
    seen = {r.target for r in flying}
    for r in await world.store.history(limit=200):
        if r.target not in seen and r.live_changed:
            rows.append(r)
        if r.live_changed or r.phase is Phase.ROLLED_BACK:
            seen.add(r.target)
    going = [_going_back(r) for r in flying if r.phase is Phase.ROLLING_BACK]
    if not rows:
        nothing = "There is nothing else to undo." if going else "There is nothing to undo."
        return Answer(" ".join([*going, nothing]), kind="status")
    said = " ".join([*going, "What can be undone, newest first:"])
    return Answer(said, rows=rows[:10], kind="status", code="undoable")


def _going_back(r: Rollout) -> str:
    """Say of a rollback that is under way whether it gets on, and what to do where it does not."""
    what = f"{r.service} {r.version} in {r.environment} is already rolling back"
    if since_stuck(r) is None:
        return f"{what} to {r.from_version or 'the version before'}."
    return f"{what}, and {acts.not_getting_on(r)}"


async def abort(
    world: World,
    rollout: str,
    actor: Actor,
    receipt: Receipt | None,
    reason: str,
    *,
    force: bool = False,
) -> Answer:
    """Turn a rollout in flight around, in the very commit that records the request."""

    def turn(r: Rollout, now: datetime) -> Rollout:
        return acts.go_back(r, actor.id, reason, now, force=force)

    return await act(world, rollout, actor, "rollback", receipt, turn)


async def undo(
    world: World,
    r: Rollout,
    actor: Actor,
    receipt: Receipt | None,
    reason: str,
    *,
    ask: bool = False,
) -> Answer:
    """Undo a rollout that succeeded, by a new row. It acts on what its id names, or on nothing.

    `ask`: a person is asked once more; a program that names the id means it.
    """
    flying = await world.store.in_flight(r.service, r.environment)
    newest = newest_finished(await world.store.history(r.service, r.environment))
    if flying or r.phase is not Phase.SUCCEEDED or newest is None or newest.id != r.id:
        now_there = (
            f"{flying[0].version} is in flight ({flying[0].id})" if flying else "another is live"
        )
        raise Refusal(
            f"Nothing was changed: {r.service} {r.version} ({r.id}) has ended and is not what would be undone now; "
            f"{now_there}. Say `/rollback {r.service} {r.environment}` to undo that.",
            code="already_ended",
            rollout=r,
        )
    command = Rollback(r.service, r.environment, now=not ask, reason=reason)
    return await _afterwards(world, command, actor, None if ask else receipt)


async def _afterwards(
    world: World, command: Rollback, actor: Actor, receipt: Receipt | None
) -> Answer:
    assert command.service is not None
    environment = command.environment or _default_environment(world, command.service)
    _known(world, command.service, environment)
    past = await world.store.history(command.service, environment, limit=200)
    if receipt is not None and await world.store.inbound(receipt.key) is not None:
        return await repeated(world, receipt.key)
    now = world.now()
    version = _version_to(command, environment, past, now)
    await not_taken_back(world, command, environment, past, version)
    ready = _kept_ready(past, version, now)
    if not command.now:
        raise confirmation(command, environment, past, version, ready=ready)
    lanes = lanes_for(command.service, environment, world.config)
    plan = rollback_plan(command.service, environment, version, lanes)
    undone = newest_finished(past)
    r = new_rollout(world, command.service, environment, plan, actor, command.reason, now)
    why = f": {command.reason}" if command.reason else "."
    entry = Entry(
        "created",
        actor.id,
        f"{r.service} in {environment} goes back to {version}, asked for by {actor.id} without further question{why}",
        data={"digest": plan.digest, "now": True},
    )
    r = replace(r, rollback_of=undone.id if undone else "unknown", image=_image_of(past, version))
    if undone is not None and undone.from_version == version:
        r = replace(r, parts=tuple(_as_it_was(part, undone) for part in r.parts))
    r = replace(r, parts=_with_flags(r, past, version))
    r = r.tell(entry)
    return await _create(world, r, actor, receipt, ready=ready)


def _question(
    command: Rollback, environment: str, past: Sequence[Rollout], now: datetime
) -> Refusal:
    """Return what `/rollback` would ask, or answer, at this moment."""
    try:
        version = _version_to(command, environment, past, now)
    except Refusal as refusal:
        return refusal
    ready = _kept_ready(past, version, now)
    return confirmation(command, environment, past, version, ready=ready)


async def _create(
    world: World, r: Rollout, actor: Actor, receipt: Receipt | None, *, ready: bool
) -> Answer:
    answer = await create(world, r, actor, receipt)
    look_behind(world, actor, "rollback", answer.rollout or r)
    how = "in one write: it is still ready" if ready else "as fast as it starts"
    sentence = f"Rolling {r.service} in {r.environment} back to {r.version} now, {how}."
    return replace(answer, sentence=sentence)


def _kept_ready(past: Sequence[Rollout], version: str, now: datetime) -> bool:
    """Say whether the version that was live before is still kept ready, so that going back is one write."""
    newest = newest_finished(past)
    if newest is None or newest.from_version != version:
        return False
    return standing(newest) or (newest.retire_at is not None and now < newest.retire_at)


def _image_of(past: Sequence[Rollout], version: str) -> str:
    """Return the exact image that a version had when it was stable: its tag may have moved since."""
    for r in past:
        if r.armed is not None and r.from_version == version:
            return r.armed.stable.image
    return ""


def _as_it_was(part: Part, undone: Rollout) -> Part:
    """Return one of several targets with what ran there before: they need not have run the same."""
    for before in undone.parts:
        if before.name == part.name and before.armed is not None:
            return replace(part, to=before.from_version, image=before.armed.stable.image)
    return part


def _with_flags(r: Rollout, past: Sequence[Rollout], version: str) -> tuple[Part, ...]:
    """Return the targets with every flag as it was when `version` was left; what was not moved then stays as it is.

    Without a flag beside something else nothing changes: then all of them run the same kind of version.
    """
    if not any(part.lanes for part in r.parts):
        return r.parts
    left = next((one for one in past if one.live_changed and one.from_version == version), None)
    moved = {part.name: part for part in left.parts} if left is not None else {}
    parts = tuple(
        replace(part, to=moved[part.name].from_version) if part.lanes else part
        for part in r.parts
        if part.name in moved or not (part.lanes or version in _VALUES)
    )
    if not parts:
        raise Refusal(
            f"{version} is the value of a flag, and nothing says what {r.service} in {r.environment} ran with it. Name "
            "a version.",
            code="not_a_past_version",
        )
    return parts


def _default_environment(world: World, service: str) -> str:
    try:
        targets = list(world.config.service(service).targets)
    except UnknownNameError as error:
        raise Refusal(
            str(error), code=error.code, status=422, suggestion=error.suggestion or ""
        ) from error
    if "production" in targets or len(targets) != 1:
        return "production"
    return targets[0]


def _version_to(command: Rollback, environment: str, past: Sequence[Rollout], now: datetime) -> str:
    stack = stable_versions(past)
    if command.to is not None:
        version = named(command.to, ever_stable(past))
        if not version:
            raise Refusal(
                f"{command.to} has not been stable on {command.service} in {environment}"
                + (f"; it was {', '.join(reversed(stack[-5:]))} before." if stack else ".")
                + " Use `/deploy` for a new version.",
                code="not_a_past_version",
            )
        if stack and version == stack[-1]:
            raise Refusal(
                f"{version} is what is live on {command.service} in {environment}. Name another one. Nothing was "
                "changed.",
                code="already_live",
            )
        return version
    newest = newest_finished(past)
    if newest is not None and newest.ended is not None:
        undone = newest.phase is Phase.ROLLED_BACK or bool(newest.rollback_of)
        if undone and now - newest.ended < RECENT:
            bad = taken_back(past)
            fit = [*(one for one in stack[:-1] if one not in bad), *stack[-1:]]
            raise already_back(command, environment, newest, fit, now)
    if len(stack) < 2:
        raise Refusal(
            f"{command.service} in {environment} has no earlier version on record to go back to. "
            f"Name one that was stable: `/rollback {command.service} {environment} to VERSION`.",
            code="nothing_to_roll_back",
        )
    return stack[-2]
