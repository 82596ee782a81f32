"""Who may approve is what is configured now: rollouts in flight get the approvers of today's configuration.

Looked at when the process starts, because the configuration is read then, and once more at each vote.
"""

import logging

from bot.commands.world import World
from bot.planning import rules_for
from bot.rollout.values import Phase, Rollout
from bot.rollout.voting import renewed
from bot.settings.values import UnknownNameError
from bot.store import StaleError

log = logging.getLogger("sluice.rules")


def as_today(world: World, r: Rollout) -> Rollout:
    """Return the row under today's rules; where its target is configured no more, as it is."""
    if r.phase.final or r.phase in {Phase.SCHEDULED, Phase.ROLLING_BACK} or r.rollback_of:
        return r
    try:
        return renewed(r, rules_for(r.service, r.environment, world.config))
    except UnknownNameError:
        return r


async def renew(world: World) -> None:
    """Bring every rollout in flight under today's rules. A row that moves meanwhile meets them at its next vote."""
    for r in await world.store.in_flight():
        if as_today(world, r) == r:
            continue
        try:
            async with world.store.writing() as writing:
                now = world.now()
                saved = await writing.save(as_today(world, await writing.load(r.id)), now)
        except StaleError:
            log.info("%s moved while its rules were looked at", r.id)
        else:
            world.wake(saved)
