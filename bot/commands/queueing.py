"""Waiting for a busy target: a rollout that starts when the one before it has ended well.

A row that waits is scheduled without a moment (`after`: the id of whatever is before it). It holds nothing, and starts
by the same rules as everything that was asked for earlier: today's configuration, the same plan, or a question.
"""

from dataclasses import replace

from bot.commands.acting import find
from bot.commands.answers import Answer, Offer, Refusal
from bot.commands.authority import vouch
from bot.commands.barring import bar_to, start_of
from bot.commands.cautions import cautioned, cautions, warned
from bot.commands.glass import only_now
from bot.commands.premises import among_ourselves
from bot.commands.scheduling import foretold, kept, preview
from bot.commands.starting import compile_or_refuse, create, new_rollout, start
from bot.commands.world import Receipt, World
from bot.grammar import render
from bot.grammar.verbs import Deploy, ShowPlan
from bot.policy import Actor
from bot.rollout.queueing import ended_well, in_line
from bot.rollout.values import Entry, Phase, Rollout

_LINE = 1900
"""Characters of a button's value: a longer reason has to be typed again."""


async def queue(world: World, command: Deploy, actor: Actor, receipt: Receipt | None) -> Answer:
    """Commit a rollout that starts after those before it; where there are none any more, start it now."""
    if command.options.dry_run:
        return await cautioned(world, preview(world, ShowPlan(command)), actor)
    now_then = replace(command, options=replace(command.options, after=None))
    last, place = await _behind(world, command)
    if last is None:
        return await start(world, now_then, actor, receipt)
    plan = compile_or_refuse(world, now_then)
    await vouch(world, actor, "deploy")
    only_now(command)
    await among_ourselves(world, command.service)
    now = world.now()
    asked = start_of(now_then, actor.id)
    bar = bar_to(world, await world.store.locks(), asked, now)
    r = new_rollout(world, command.service, command.environment, plan, actor, command.reason, now)
    before = f", {place} before it in the queue" if place else ""
    sentence = (
        f"{r.service} {r.version} → {r.environment} is queued by {r.requester}: it starts when {last.version} "
        f"({last.id}) has ended well{before}. `cancel {r.id}` takes it back."
    )
    entry = Entry("queued", actor.id, sentence, event="rollout.scheduled", data={"after": last.id})
    r = replace(r, phase=Phase.SCHEDULED, after=last.id, asked=kept(now_then)).tell(entry)
    answer = await create(world, warned(r, await cautions(world, plan, actor)), actor, receipt)
    return foretold(answer, sentence, now_then, bar) if answer.created else answer


async def _behind(world: World, command: Deploy) -> tuple[Rollout | None, int]:
    """Return the last one before a request in its queue, None where it may start, and how many wait. Raises `Refusal`.

    Somebody who saw an older rollout meant the end of the line: whatever has come since is before them too.
    """
    before = await find(world, command.options.after or "")
    _one_target(command, before)
    if before.phase.final and not ended_well(before):
        raise Refusal(
            f"{before.version} ({before.id}) has ended meanwhile, and not well. Nothing was queued. Say "
            f"`/deploy {command.service} {command.version}` to start now.",
            code="ahead_ended",
            rollout=before,
        )
    line = await waiting(world, command.service, command.environment)
    if line:
        return line[-1], len(line)
    if not before.phase.final:
        return before, 0
    holder = await world.store.holder(command.service, command.environment)
    return (await find(world, holder), 0) if holder else (None, 0)


async def start_or_offer(
    world: World, command: Deploy, actor: Actor, receipt: Receipt | None
) -> Answer:
    """Start; where the target is busy, offer to wait for it. Raises `Refusal`."""
    try:
        return await start(world, command, actor, receipt)
    except Refusal as refusal:
        raise offered(command, refusal) from refusal


async def waiting(world: World, service: str, environment: str) -> list[Rollout]:
    """Return what waits for a target, in its order; what asks people keeps its place."""
    return in_line(await world.store.scheduled(service, environment))


def offered(command: Deploy, refusal: Refusal) -> Refusal:
    """Return the refusal of a busy target with a button that queues behind it."""
    busy = refusal.rollout
    if refusal.code != "rollout_in_flight" or busy is None or command.wish is not None:
        return refusal
    if busy.version == command.version:
        return refusal
    behind = replace(command, options=replace(command.options, after=busy.id))
    line = render(behind)
    if len(line) <= _LINE:
        refusal.offers = (Offer(f"Queue behind {busy.version}", line), *refusal.offers)
    return refusal


def _one_target(command: Deploy, before: Rollout) -> None:
    if (before.service, before.environment) != (command.service, command.environment):
        raise Refusal(
            f"{before.id} is a rollout of {before.service} in {before.environment}; one only waits for one's own "
            f"target. `/deploy status {command.service}` shows what holds it.",
            code="another_target",
            status=422,
            key="after",
        )
