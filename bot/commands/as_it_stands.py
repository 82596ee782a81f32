"""A refusal about a rollout that has ended says how its target stands now: the old row may be long replaced."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.commands.answers import Refusal
from bot.commands.world import World
from bot.rollout.past import newest_finished
from bot.rollout.values import Rollout

_BACK = 50
"""Rows of a target that are looked back through."""


@asynccontextmanager
async def as_it_stands(world: World) -> AsyncIterator[None]:
    """Add to a refusal what is live or moves on the target that it is about."""
    try:
        yield
    except Refusal as refusal:
        if refusal.rollout is not None and refusal.now is None:
            refusal.now = await current(world, refusal.rollout)
        raise


async def current(world: World, r: Rollout) -> Rollout:
    """Return what is in flight on the target of a rollout, else what ended there last with a change."""
    if not r.phase.final:
        return r
    flying = await world.store.in_flight(r.service, r.environment)
    past = await world.store.history(r.service, r.environment, limit=_BACK)
    return flying[0] if flying else newest_finished(past) or r
