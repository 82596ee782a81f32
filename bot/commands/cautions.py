"""What the file alone cannot know about a plan: whether the version was ever tried, whether the traffic is enough.

A caution by itself never stops anything, and waiting for one is bounded: a start does not depend on a metric source.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.commands.answers import Answer
from bot.commands.foresight import Foresight, expectation_of, foresee, warnings_of
from bot.commands.world import World
from bot.policy import Actor
from bot.rollout.values import Entry, Rollout
from bot.rollout.voting import NEVER, unreachable
from bot.settings.scalars import format_duration
from bot.settings.values import is_production
from integrations.base import version_of
from strategies.expecting import share_after
from strategies.plan import Approve, Compare, Follow, Plan, Soak

PATIENCE = 1.5
"""Seconds that metrics or the cluster may be asked: the commit behind that has to fit into Slack's three as well."""

_STAGING = ("staging", "stage")
_LOOKED_AT = 200
"""Rollouts of staging that are looked at, newest first."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known about a plan beyond the file."""

    warnings: tuple[str, ...]
    foresight: Foresight


async def cautions(world: World, plan: Plan, actor: Actor | None = None) -> tuple[str, ...]:
    """Return what the store, the metrics and Slack say about a plan that `actor` asks for."""
    return (await look_out(world, plan, actor)).warnings


async def look_out(world: World, plan: Plan, actor: Actor | None = None) -> Outlook:
    """Return what the store, the metrics and Slack say about a plan, and what its limits are worth."""
    untried, (rps, seen), never = await asyncio.gather(
        _untried(world, plan), _numbers(world, plan), never_approved(world, plan, actor)
    )
    alone = (never,) if never else ()
    thin = () if rps is None else thin_stages(plan, rps)
    return Outlook((*untried, *alone, *thin, *warnings_of(seen, plan)), seen)


async def never_approved(world: World, plan: Plan, actor: Actor | None) -> str:
    """Return that a plan asks for more approvals than there can be, `""` where it may get them or nobody knows."""
    gate = next((step for step in plan.steps if isinstance(step, Approve | Follow)), None)
    if gate is None or actor is None or not gate.quorum:
        return ""
    groups, members = [one for one in gate.groups if one.startswith("S")], {}
    if groups:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await world.directory.membership(actor, groups)
        except TimeoutError:
            return ""
        members = {group: found.members[group] for group in groups if found.says(group)}
    block = world.config.environment(plan.environment)
    out = () if block.self_approval and actor.door != "rest" else tuple(actor.ids)
    return unreachable(gate.groups, members, out, gate.quorum, plan.environment)


async def cautioned(world: World, answer: Answer, actor: Actor | None = None) -> Answer:
    """Return a plan that is shown, with what the store, the metrics and the target say about it."""
    return (await outlined(world, answer, actor))[0]


async def outlined(
    world: World, answer: Answer, actor: Actor | None = None
) -> tuple[Answer, Outlook | None]:
    """Return a plan that is shown, with all of it said, and what it comes from; None where there is no plan."""
    plan = answer.plan
    if plan is None:
        return answer, None
    found, met = await asyncio.gather(look_out(world, plan, actor), _ahead(world, plan))
    warnings = (*plan.warnings, *found.warnings, *met)
    expectation = expectation_of(found.foresight, plan, world.config)
    shown = replace(answer, plan=replace(plan, warnings=warnings), expectation=expectation)
    return shown, found


def warned(r: Rollout, sentences: tuple[str, ...]) -> Rollout:
    """Return the row with these warnings on its plan and in its journal; the digest does not change."""
    if not sentences:
        return r
    r = replace(r, plan=replace(r.plan, warnings=(*r.plan.warnings, *sentences)))
    never = next((one for one in sentences if one.startswith(NEVER)), "")
    r = replace(r, rules=replace(r.rules, unreachable=never)) if never else r
    return r.tell(Entry("warned", "sluice", " ".join(sentences), code="plan_warning"))


async def _untried(world: World, plan: Plan) -> tuple[str, ...]:
    """Return that the version never succeeded in the staging environment of its service, where it has one."""
    targets = world.config.service(plan.service).targets
    staging = next((name for name in _STAGING if name in targets), None)
    if staging is None or not is_production(plan.environment):
        return ()
    past = await world.store.history(plan.service, staging, limit=_LOOKED_AT)
    if any(r.live_changed and version_of(r.version) == version_of(plan.version) for r in past):
        return ()
    return (f"{plan.version} has never succeeded in {staging}.",)


async def _numbers(world: World, plan: Plan) -> tuple[float | None, Foresight]:
    """Return the traffic and what stable does with it; one after the other, because both are asked for at once."""
    began = asyncio.get_running_loop().time()
    rps = await _rps(world, plan)
    left = PATIENCE - (asyncio.get_running_loop().time() - began)
    return rps, await foresee(plan, world.lately, world.config, max(left, 0.0))


async def _rps(world: World, plan: Plan) -> float | None:
    if world.traffic is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            return await world.traffic(plan.service, plan.environment)
    except Exception:  # noqa: BLE001 - whatever a metric source does, a start goes on without its hint
        return None


async def _ahead(world: World, plan: Plan) -> Sequence[str]:
    if world.preflight is None:
        return ()
    try:
        async with asyncio.timeout(PATIENCE):
            return await world.preflight(plan)
    except TimeoutError:
        return ("The cluster was not looked at in time; the start does that again.",)


def thin_stages(plan: Plan, rps: float) -> Iterator[str]:
    """Yield the stages whose share of the traffic is too small for a verdict, and how long one would take.

    Pure. `rps` is the traffic of the whole service, in requests per second.
    """
    share = 0.0
    for step in plan.steps:
        share = share_after(step, share)
        match step:
            case Soak(duration=duration, min_requests=least):
                yield from _thin(share, duration, least, rps)
            case Compare(duration=duration, min_requests=least):
                yield from _thin(min(share, 100 - share), duration, least, rps)
            case _:
                pass


def _thin(share: float, duration: int, least: int, rps: float) -> Iterator[str]:
    expected = rps * share / 100 * duration
    if not share or expected >= least:
        return
    if expected <= 0:
        yield f"At {share:g} % no requests are to be expected: no check can come to a conclusion."
        return
    needed = format_duration(-(-round(least * duration / expected) // 60) * 60)
    yield (
        f"At {share:g} % about {expected:.0f} requests are to be expected in {format_duration(duration)}, "
        f"and a conclusion takes {least}: that would be {needed}."
    )
