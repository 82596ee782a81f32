"""What would stand in the way of a rollout on one target, seen before anything is written. Nothing is stored."""

import asyncio
from dataclasses import replace

from bot.app.targets import Targets
from bot.observing import NOTHING, Demand, Target, demand, inspection
from integrations.base import Finding, Fleet, IntegrationError
from strategies.plan import Plan

_MIXED = "the rollout would have no clean state to go back to"


async def look_ahead(
    target: Target, wanted: Demand = NOTHING, version: str | None = None
) -> list[Finding]:
    """Return what a start of `version` (None: of anything) would meet that asks so much of the router.

    Raises `IntegrationError`.
    """
    image = target.image_for(version) if version is not None else ""
    if target.controller is not None:
        return list(await target.controller.inspect(image))
    if target.fleet is not None:
        return await _fleet_ahead(target.fleet, image)
    assert target.router is not None
    assert target.workload is not None
    split, _ = await asyncio.gather(target.router.read(), target.workload.read())
    found = list(await inspection(target.router, target.workload, image, wanted, canary_pods=False))
    if split.canary:
        text = f"The canary already receives {split.canary:g} % of the traffic, so {_MIXED}."
        found.insert(0, Finding("split_not_clean", text))
    return found


async def look_ahead_everywhere(targets: Targets, plan: Plan) -> list[Finding]:
    """Return what a start of a plan would meet on each of its targets, side by side.

    What cannot be asked is a finding. Raises `LookupError` for what is not configured.
    """
    versions = targets.versions(plan.service, plan.environment, plan.version)
    found = await asyncio.gather(
        *(_at(targets, plan, place, version) for place, version in versions.items())
    )
    return [finding for findings in found for finding in findings]


async def _at(targets: Targets, plan: Plan, place: str, version: str) -> list[Finding]:
    try:
        target = await targets.find(plan.service, plan.environment, place)
        findings = await look_ahead(target, demand(plan), version)
    except IntegrationError as error:
        findings = [Finding(error.code, str(error))]
    named = f"{place}: " if place else ""
    return [replace(finding, sentence=f"{named}{finding.sentence}") for finding in findings]


async def _fleet_ahead(fleet: Fleet, image: str) -> list[Finding]:
    state, found = await asyncio.gather(fleet.read(), fleet.inspect(image))
    text = f"{state.old} instances still run another version, so {_MIXED}."
    return [*([Finding("split_not_clean", text)] if state.old else []), *found]
