"""What a person sees before a start, and that a start is the one that was seen.

A start that was shown carries what it was shown with: the digest of its plan, the version that was live, who looked,
and a number that counts once. Where any of that differs now, it is shown again instead of being started.
"""

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.commands.answers import Answer, PlanChanged, Preview, Refusal
from bot.commands.barring import barred, let_through, start_of
from bot.commands.cautions import outlined
from bot.commands.foresight import refusal_of
from bot.commands.queueing import offered
from bot.commands.scheduling import later, preview
from bot.commands.since import live_now, since_live
from bot.commands.starting import busy, compile_or_refuse, repeated
from bot.commands.world import Receipt, World
from bot.grammar.verbs import Deploy, ShowPlan
from bot.policy import Actor
from bot.settings.values import FreezeWindow

_WEEK = 7


async def shown(world: World, command: ShowPlan, actor: Actor) -> Answer:
    """Compile and show, with all that is known about starting it now. Raises `Refusal`."""
    answer = preview(world, command)
    assert answer.plan is not None
    (answer, found), (live, changes), bar = await asyncio.gather(
        outlined(world, answer, actor),
        since_live(world, answer.plan),
        _in_the_way(world, command.deploy, actor),
    )
    excused = later(command.deploy) or command.deploy.options.break_glass
    if bar is None and found is not None and not excused:
        bar = refusal_of(found.foresight, command.deploy, actor.id)
    block = world.config.environment(command.deploy.environment)
    start = start_of(command.deploy, actor.id)
    seen = Preview(
        deploy=command.deploy,
        by=actor.id,
        nonce=secrets.token_urlsafe(12),
        live=live,
        changes=changes,
        next_freeze=next_freeze(block.freeze, world.now()),
        barred=bar,
        own=let_through(await world.store.locks(), start, world.now()),
        self_approval=block.self_approval,
    )
    return replace(answer, preview=seen)


async def as_shown(
    world: World, command: Deploy, actor: Actor, receipt: Receipt | None
) -> Answer | None:
    """Return the answer that the start of a preview had already; None: it is as it was shown, and may start.

    Raises `Refusal`: `plan_changed` with the new preview, or `not_your_plan`.
    """
    seen = command.shown
    assert seen is not None
    if seen.by not in actor.ids:
        raise Refusal(
            "This preview was made for somebody else; nothing was started. Ask for your own with `/deploy plan`.",
            code="not_your_plan",
            status=403,
        )
    if receipt is not None and await world.store.inbound(receipt.key) is not None:
        return await repeated(world, receipt.key)
    plan = compile_or_refuse(world, command)
    live = await live_now(world, command.service, command.environment)
    if plan.digest != seen.digest:
        why = "today's configuration makes another plan of it"
    elif seen.live and live is not None and live.version != seen.live:
        why = f"{live.version} is live now, and it was {seen.live}"
    else:
        return None
    fresh = await shown(world, ShowPlan(replace(command, shown=None)), actor)
    raise PlanChanged(
        f"The plan is out of date: {why}. Nothing was started. This is the new one.", fresh
    )


async def _in_the_way(world: World, deploy: Deploy, actor: Actor) -> Refusal | None:
    """Return what stands in the way of a start at this moment."""
    if later(deploy) or deploy.options.after:
        return None
    glass = deploy.options.break_glass
    found = barred(
        world, await world.store.locks(), start_of(deploy, actor.id), world.now(), broken=glass
    )
    if found is not None:
        return found
    holder = await world.store.holder(deploy.service, deploy.environment)
    return offered(deploy, await busy(world.store, holder)) if holder else None


def next_freeze(windows: tuple[FreezeWindow, ...], now: datetime) -> datetime | None:
    """Return when the next freeze of the calendar begins; None where there is none. Pure."""
    return min((_begins(window, now) for window in windows), default=None)


def _begins(window: FreezeWindow, now: datetime) -> datetime:
    """Return the next moment at which a window begins, as the clock on the wall there goes."""
    zone, start = ZoneInfo(window.timezone), window.from_
    local = now.astimezone(zone)
    ahead = (start.weekday - local.weekday()) % _WEEK
    for days in (ahead, ahead + _WEEK):
        day = (local + timedelta(days=days)).date()
        at = datetime(day.year, day.month, day.day, start.hour, start.minute, tzinfo=zone)
        if at > now:
            return at.astimezone(UTC)
    raise AssertionError("a week has every moment once")
