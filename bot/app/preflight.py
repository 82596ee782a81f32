"""What would stand in the way of a rollout on one target, seen before anything is written. Reads only."""

import asyncio

from bot.observing import Target
from integrations.base import Finding, Fleet

_MIXED = "the rollout would have no clean state to go back to"


async def look_ahead(target: Target, version: str | None = None) -> list[Finding]:
    """Return what a start of `version` (None: of anything) would meet. Raises `IntegrationError`."""
    if version is not None:
        target.image_for(version)
    if target.fleet is not None:
        return await _fleet_ahead(target.fleet)
    assert target.router is not None
    assert target.workload is not None
    split, _ = await asyncio.gather(target.router.read(), target.workload.read())
    found = list(await target.router.inspect(canary_pods=False))
    if split.canary:
        text = f"The canary already receives {split.canary:g} % of the traffic, so {_MIXED}."
        found.insert(0, Finding("split_not_clean", text))
    return found


async def _fleet_ahead(fleet: Fleet) -> list[Finding]:
    state, found = await asyncio.gather(fleet.read(), fleet.inspect())
    text = f"{state.old} instances still run another version, so {_MIXED}."
    return [*([Finding("split_not_clean", text)] if state.old else []), *found]
