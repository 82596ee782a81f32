"""Status and history: what is in flight, what is live, what went out before. Nothing is changed."""

from bot.commands.answers import Answer
from bot.commands.world import World
from bot.grammar.verbs import History, Status
from bot.rollout.values import Rollout


async def status(world: World, command: Status) -> Answer:
    """Return what is in flight and the newest finished rollout of every other target."""
    flying = await world.store.in_flight(command.service, command.environment)
    rows: list[Rollout] = list(flying)
    seen = {r.target for r in flying}
    for r in await world.store.history(command.service, command.environment, limit=200):
        if r.target not in seen:
            seen.add(r.target)
            rows.append(r)
    if not rows:
        what = f"of {command.service} " if command.service else ""
        return Answer(f"No rollouts {what}yet.", kind="status")
    return Answer(f"{len(flying)} in flight.", rows=rows, kind="status")


async def history(world: World, command: History) -> Answer:
    """Return the newest rollouts of a service."""
    rows = await world.store.history(command.service, command.environment, limit=20)
    sentence = (
        f"The last {len(rows)} rollouts of {command.service}, newest first."
        if rows
        else f"{command.service} has no rollouts yet."
    )
    return Answer(sentence, rows=rows, kind="history")
