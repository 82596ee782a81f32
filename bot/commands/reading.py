"""What is in flight, what is live, what went out before, and how the strategies did. Nothing is changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.commands.acting import find
from bot.commands.answers import Answer, Live
from bot.commands.barring import take_over_offer
from bot.commands.lock_words import owners
from bot.commands.summing_up import summed_up
from bot.commands.world import World
from bot.grammar.verbs import History, Status
from bot.policy import Actor
from bot.rollout.locks import Lock
from bot.rollout.past import stable_versions, successors
from bot.rollout.values import Phase, Rollout
from bot.stats import DAYS, MOST, stats_of, summary

PAGE = 20
"""Rollouts in one answer to `history`."""
TAIL = 12
"""Lines of the journal among the details of a rollout."""


async def status(world: World, command: Status, actor: Actor) -> Answer:
    """Return every target that is asked about: what is in flight, else how the newest ended; then what is scheduled."""
    flying = await world.store.in_flight(command.service, command.environment)
    rows: list[Rollout] = list(flying)
    seen = {r.target for r in flying}
    past = await world.store.history(command.service, command.environment, limit=200)
    for r in past:
        if r.target not in seen and r.phase is not Phase.SCHEDULED:
            seen.add(r.target)
            rows.append(r)
    rows += await world.store.scheduled(command.service, command.environment)
    answer = Answer(
        "",
        rows=rows,
        kind="status",
        live=_live(past),
        locks=await _locks(world, command),
        replaced=successors(past),
        targets=_targets(world, command),
        single=command.service is not None,
    )
    theirs = [one for one in answer.locks if one.kind == "lock" and one.owner not in actor.ids]
    return replace(
        answer,
        sentence=summed_up(answer),
        offers=[
            replace(take_over_offer(one), label=f"Take over {one.service or 'the lock'}")
            for one in theirs
        ],
        people=owners(answer.locks),
    )


def _targets(world: World, command: Status) -> list[tuple[str, str]]:
    return [
        (service, environment)
        for service, block in world.config.services.items()
        for environment in block.targets
        if command.service in {None, service} and command.environment in {None, environment}
    ]


async def _locks(world: World, command: Status) -> list[Lock]:
    now = world.now()
    found = await world.store.locks()
    return [
        one for one in found if one.holds(now) and one.reaches(command.service, command.environment)
    ]


def _live(newest_first: Sequence[Rollout]) -> dict[str, Live]:
    """Return what is live on each target, and since when and by whom where a rollout brought it."""
    by_target: dict[str, list[Rollout]] = {}
    for r in newest_first:
        by_target.setdefault(r.target, []).append(r)
    found = {}
    for target, rows in by_target.items():
        version = (stable_versions(rows) or [""])[-1]
        brought = next((r for r in rows if r.live_changed and r.version == version), None)
        known = (brought.ended, brought.requester) if brought is not None else (None, "")
        found[target] = Live(version, *known)
    return {target: live for target, live in found.items() if live.version}


async def history(world: World, command: History) -> Answer:
    """Return the newest rollouts of a service, a page at a time."""
    wanted = command.skip + PAGE + 1
    rows = await world.store.history(command.service, command.environment, limit=wanted)
    page = rows[command.skip : command.skip + PAGE]
    sentence = (
        f"The only rollout of {command.service}."
        if len(page) == 1 and not command.skip
        else f"The last {len(page)} rollouts of {command.service}, newest first."
        if page and not command.skip
        else f"Rollouts {command.skip + 1} to {command.skip + len(page)} of {command.service}, newest first."
        if page
        else f"{command.service} has no {'more ' if command.skip else ''}rollouts{'' if command.skip else ' yet'}."
    )
    older = replace(command, skip=command.skip + PAGE) if len(rows) == wanted else None
    return Answer(sentence, rows=page, kind="history", older=older, replaced=successors(rows))


async def details(world: World, rollout: str) -> Answer:
    """Return one rollout with the end of its journal. Raises `Refusal`."""
    r = await find(world, rollout)
    lines = (await world.store.journal(rollout))[-TAIL:]
    story = tuple((line.at, line.entry) for line in lines)
    past = await world.store.history(r.service, r.environment) if r.live_changed else []
    return Answer(
        f"{r.service} {r.version} in {r.environment}",
        rollout=r,
        story=story,
        kind="details",
        replaced=successors(past) if r.live_changed else {},
    )


async def stats(world: World, service: str | None, days: int = DAYS) -> Answer:
    """Return how the strategies did in the last `days`, of one service or of all."""
    since = world.now() - timedelta(days=days)
    # One more than is looked at, to know whether there is more.
    outcomes = await world.store.outcomes(since, service, limit=MOST + 1)
    approvals = await world.store.approvals(since, service, limit=MOST)
    found = stats_of(
        outcomes[:MOST], approvals, days=days, service=service, bounded=len(outcomes) > MOST
    )
    return Answer(summary(found), stats=found, kind="stats")
