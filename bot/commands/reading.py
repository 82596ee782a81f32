"""What is in flight, what is live, what went out before, and how the strategies did. Nothing is changed."""

from datetime import timedelta

from bot.commands.answers import Answer
from bot.commands.world import World
from bot.grammar.verbs import History, Status
from bot.rollout.values import Phase, Rollout
from bot.stats import DAYS, MOST, stats_of, summary


async def status(world: World, command: Status) -> Answer:
    """Return what is in flight, the newest finished rollout of every other target, and what is scheduled."""
    flying = await world.store.in_flight(command.service, command.environment)
    rows: list[Rollout] = list(flying)
    seen = {r.target for r in flying}
    for r in await world.store.history(command.service, command.environment, limit=200):
        if r.target not in seen and r.phase is not Phase.SCHEDULED:
            seen.add(r.target)
            rows.append(r)
    scheduled = await world.store.scheduled(command.service, command.environment)
    rows += scheduled
    if not rows:
        what = f"of {command.service} " if command.service else ""
        return Answer(f"No rollouts {what}yet.", kind="status")
    later = f", {len(scheduled)} scheduled" if scheduled else ""
    return Answer(f"{len(flying)} in flight{later}.", rows=rows, kind="status")


async def history(world: World, command: History) -> Answer:
    """Return the newest rollouts of a service."""
    rows = await world.store.history(command.service, command.environment, limit=20)
    sentence = (
        f"The last {len(rows)} rollouts of {command.service}, newest first."
        if rows
        else f"{command.service} has no rollouts yet."
    )
    return Answer(sentence, rows=rows, kind="history")


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
