"""What is live on a target, and what a new version changes since then. Only ever hints: nobody waits long for them."""

import asyncio
from contextlib import suppress

from bot.commands.answers import Live
from bot.commands.cautions import PATIENCE
from bot.commands.world import World
from bot.rollout.changes import Changes
from bot.rollout.values import Rollout
from integrations.base import version_of
from strategies.plan import Plan

_LOOK = 0.6
"""Seconds of the patience that the target may use: the host of the code is asked behind it."""
_LOOKED_AT = 100
"""Rollouts that are looked at for who brought what is live, newest first."""


async def since_live(world: World, plan: Plan) -> tuple[Live | None, Changes | None]:
    """Return what is live where a plan goes, and what it changes; within the patience of a start. Never raises."""
    began = asyncio.get_running_loop().time()
    live = await live_now(world, plan.service, plan.environment)
    if live is None or world.changes is None:
        return live, None
    left = PATIENCE - (asyncio.get_running_loop().time() - began)
    return live, await world.changes(plan.service, live.version, plan.version, max(left, 0.1))


async def changed(world: World, plan: Plan) -> Changes | None:
    """Return what a plan changes; None, and nobody is asked, where nobody says where the code is. Never raises."""
    about = world.config.service(plan.service).about
    if world.config.source is None or about.repository is None:
        return None
    return (await since_live(world, plan))[1]


async def live_now(world: World, service: str, environment: str) -> Live | None:
    """Return what is live: what the target says, else what went out last; with who brought it where that is known."""
    version = await _seen(world, service, environment)
    for r in await world.store.history(service, environment, limit=_LOOKED_AT):
        brought = _brought(r)
        if brought and version in ("", version_of(brought)):
            mine = r.live_changed
            return Live(version_of(brought), r.ended if mine else None, r.requester if mine else "")
        if brought:
            break
    return Live(version) if version else None


async def _seen(world: World, service: str, environment: str) -> str:
    if world.live is None:
        return ""
    with suppress(Exception):  # whatever a target does, this is only a hint
        async with asyncio.timeout(_LOOK):
            return await world.live(service, environment)
    return ""


def _brought(r: Rollout) -> str:
    """Return the version that was live when a rollout had ended; `""` where it does not tell."""
    if r.live_changed:
        return r.version
    return r.from_version if r.phase.final else ""
