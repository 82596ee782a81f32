"""Starting a rollout: compile, refuse or commit. Nothing outside the database is touched."""

import asyncio
from dataclasses import replace
from datetime import datetime

from bot.commands.answers import Answer, Refusal
from bot.commands.authority import vouch
from bot.commands.barring import (
    bar_of,
    barred,
    let_through,
    own_warnings,
    passed,
    refusal,
    start_of,
    start_of_row,
)
from bot.commands.cautions import Outlook, cautioned, look_out, warned
from bot.commands.foresight import refusal_of
from bot.commands.glass import shatter
from bot.commands.limiting import already_queued, no_room
from bot.commands.premises import among_ourselves
from bot.commands.since import changed
from bot.commands.world import Receipt, World
from bot.grammar.verbs import Deploy, ShowPlan
from bot.planning import advice_for, judged_by, lanes_for, parts_for, plan_for, rules_for
from bot.policy import Actor
from bot.rollout.locks import EVERYTHING
from bot.rollout.values import Entry, Phase, Rollout
from bot.settings.values import UnknownNameError
from bot.store import (
    BarredError,
    BusyError,
    FullError,
    Inbound,
    PoisonedRowError,
    Store,
    TwinError,
)
from strategies.plan import Plan
from strategies.request import PlanError


def compile_or_refuse(world: World, deploy: Deploy) -> Plan:
    """Return the plan of a request. Raises `Refusal` with status 422."""
    try:
        return plan_for(deploy, world.config)
    except PlanError as error:
        raise Refusal(str(error), code=error.code, status=422, key=error.key) from error
    except UnknownNameError as error:
        raise Refusal(
            str(error), code=error.code, status=422, suggestion=error.suggestion or ""
        ) from error


def show_plan(world: World, command: ShowPlan) -> Answer:
    """Compile and show; no row, no message, no write."""
    plan = compile_or_refuse(world, command.deploy)
    return Answer(
        f"Plan for {plan.service} {plan.version} in {plan.environment}.",
        plan=plan,
        advice=advice_for(command.deploy, plan, world.config),
        judged=judged_by(plan, world.config),
        kind="plan",
    )


async def start(world: World, command: Deploy, actor: Actor, receipt: Receipt | None) -> Answer:
    """Commit a new rollout with its plan, then wake it."""
    if command.options.dry_run:
        return await cautioned(world, show_plan(world, ShowPlan(command)), actor)
    plan = compile_or_refuse(world, command)
    if not command.options.break_glass:
        await vouch(world, actor, "deploy")
    await among_ourselves(world, command.service)
    r = new_rollout(
        world, command.service, command.environment, plan, actor, command.reason, world.now()
    )
    # The card says who asked; its thread need not say it again.
    r = r.tell(Entry("created", actor.id, _sentence(r), tell="", data={"digest": plan.digest}))
    r, own = await _let_in(world, command, r, actor)
    found, changes = await asyncio.gather(look_out(world, plan, actor), changed(world, plan))
    r = await _held(world, command, r, actor, found)
    if command.options.break_glass and EVERYTHING not in r.passed:
        # There was nothing to break: this is a start like any other.
        await vouch(world, actor, "deploy")
    said = (*own, *found.warnings)
    return await create(world, replace(warned(r, said), changes=changes), actor, receipt)


async def _held(world: World, command: Deploy, r: Rollout, actor: Actor, found: Outlook) -> Rollout:
    """Return the row of a start whose limits make sense, or which passes that through the glass. Raises `Refusal`."""
    refused = refusal_of(found.foresight, command, actor.id)
    if refused is None or EVERYTHING in r.passed:
        return r
    if not command.options.break_glass:
        raise refused
    r = await shatter(world, r, actor, refused, command.reason)
    return replace(r, passed=(EVERYTHING,))


async def _let_in(
    world: World, command: Deploy, r: Rollout, actor: Actor
) -> tuple[Rollout, tuple[str, ...]]:
    """Return the row with what it was let through, and what its plan says about that. Raises `Refusal`."""
    if actor.id.startswith("controller:"):
        # What moves already is followed, barred or not: nothing would be won by not looking.
        return replace(r, passed=(EVERYTHING,)), ()
    asked, locks = start_of(command, actor.id), await world.store.locks()
    bar = barred(world, locks, asked, r.created)
    glass = command.options.break_glass
    if bar is not None:
        if not glass:
            raise bar
        r = await shatter(world, r, actor, bar, command.reason)
    own = own_warnings(let_through(locks, asked, r.created))
    let = passed(locks, asked, r.created, broken=glass and bar is not None)
    return replace(r, passed=let), own


def new_rollout(
    world: World,
    service: str,
    environment: str,
    plan: Plan,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Rollout:
    """Return the first row of a rollout; its fence counter is given by the store."""
    about = world.config.service(service).about
    return Rollout(
        id=world.new_id(),
        service=service,
        environment=environment,
        version=plan.version,
        plan=plan,
        requester=actor.owner or actor.id,
        created=now,
        counter=0,
        reason=reason,
        rules=rules_for(service, environment, world.config),
        lanes=lanes_for(service, environment, world.config),
        channel=about.channel or world.config.slack.channel,
        parts=parts_for(service, environment, world.config),
    )


async def create(world: World, r: Rollout, actor: Actor, receipt: Receipt | None) -> Answer:
    """Insert a rollout with its receipt in one transaction. Raises `Refusal` where something is in the way by then."""
    try:
        async with world.store.writing() as writing:
            if receipt is not None:
                inbound = receipt.inbound(actor, actor.door, world.now(), r.id)
                answered = Inbound(
                    inbound.key, inbound.door, inbound.actor, inbound.body, inbound.at, r.id,
                    {"code": "ok", "rollout": r.id},
                )  # fmt: skip
                if not await writing.receive(answered):
                    return await repeated(world, receipt.key)
            r = await writing.create(r)
    except BusyError as error:
        raise await busy(world.store, error.rollout) from error
    except TwinError as error:
        raise already_queued(await world.store.get(error.rollout)) from error
    except FullError as error:
        raise no_room(error, r) from error
    except BarredError as error:
        asked = start_of_row(r, actor.id)
        raise refusal(bar_of(error.lock, asked), asked) from error
    world.wake(r)
    return Answer(_sentence(r), rollout=r, plan=r.plan, created=True)


def _sentence(r: Rollout) -> str:
    return f"{r.service} {r.version} → {r.environment} requested by {r.requester}."


async def repeated(world: World, key: str) -> Answer:
    """Return what was answered to the first delivery of the same request."""
    inbound = await world.store.inbound(key)
    if inbound is None or inbound.answer is None:
        return Answer("Already recorded; it is being worked on.", code="already_recorded")
    answer = inbound.answer
    if answer.get("code", "ok") != "ok":
        raise Refusal(str(answer.get("sentence", "")), code=str(answer["code"]))
    rollout = inbound.rollout
    found = await world.store.get(rollout) if rollout else None
    return Answer("Already recorded.", code="already_recorded", rollout=found)


async def busy(store: Store, rollout: str) -> Refusal:
    """Return the refusal of a target that has a rollout in flight."""
    try:
        r = await store.get(rollout)
    except PoisonedRowError:
        return Refusal(
            f"The target is held by {rollout}, whose stored row cannot be read. Look at the traffic by hand, then "
            "mend the row in the database (the log names what is wrong with it).",
            code="poisoned_row",
        )
    if r.phase is Phase.ROLLING_BACK:
        home = r.from_version or "the version before"
        return Refusal(
            f"{r.service} in {r.environment} is rolling back from {r.version} to {home} ({r.id}). Wait until that is "
            "done.",
            code="rollout_in_flight",
            rollout=r,
        )
    where = "paused" if r.phase is Phase.PAUSED else f"at {r.weight:g} %"
    return Refusal(
        f"{r.service} in {r.environment} already has {r.version} in flight ({where}, {r.id}, by {r.requester}). "
        f"Wait for it, or `/rollback {r.service} {r.environment}` first.",
        code="rollout_in_flight",
        rollout=r,
    )
