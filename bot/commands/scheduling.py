"""Rollouts that start later: planned with `at=` or `cron=`, listed, started after all, cancelled.

What was asked for is kept as the command itself. When it is due it is handled as if it were said again: the same words,
today's configuration.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from bot.commands.acting import act, find
from bot.commands.answers import Answer, Refusal
from bot.commands.authority import vouch
from bot.commands.barring import Bar, bar_to, passed, refusal, start_of, start_of_row
from bot.commands.cautions import Outlook, cautioned, cautions, look_out, warned
from bot.commands.foresight import clause_of
from bot.commands.glass import only_now
from bot.commands.premises import among_ourselves
from bot.commands.since import changed
from bot.commands.starting import compile_or_refuse, create, new_rollout, show_plan
from bot.commands.world import Receipt, World
from bot.grammar.moments import next_at, next_cron
from bot.grammar.verbs import Cancel, Deploy, Schedule, ShowPlan
from bot.policy import Actor
from bot.rollout import acts
from bot.rollout.queueing import ended_well, in_line, unbegun
from bot.rollout.scheduling import HORIZON
from bot.rollout.seen import Afresh, Barred
from bot.rollout.times import clock, lasting
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.voting import edited
from strategies.plan import Plan
from strategies.wish import Wish

_COMMAND = TypeAdapter(Deploy)
_LINKS = 100
"""Rollouts that are gone back to along a queue."""


def later(command: Deploy) -> bool:
    """Whether a request says when to start."""
    return _when(command) != (None, None)


def preview(world: World, command: ShowPlan) -> Answer:
    """Compile and show, with the moment of the start where one is given."""
    answer = show_plan(world, command)
    if not later(command.deploy):
        return answer
    now = world.now()
    due = due_of(command.deploy, now)
    sentence = f"{answer.sentence} It would start at {clock(due)}, in {lasting((due - now).total_seconds())}."
    assert answer.plan is not None
    return replace(
        answer,
        sentence=sentence,
        plan=_with_bar(
            command.deploy, answer.plan, bar_to(world, (), start_of(command.deploy, ""), due)
        ),
        due=due,
    )


async def schedule(world: World, command: Deploy, actor: Actor, receipt: Receipt | None) -> Answer:
    """Commit a rollout that starts later. It does not hold its target, so that others go on meanwhile."""
    if command.options.dry_run:
        return await cautioned(world, preview(world, ShowPlan(command)), actor)
    plan = compile_or_refuse(world, command)
    now = world.now()
    due = due_of(command, now)
    await vouch(world, actor, "deploy")
    only_now(command)
    await among_ourselves(world, command.service)
    bar = bar_to(world, await world.store.locks(), start_of(command, actor.id), due)
    plan = _with_bar(command, plan, bar)
    r = new_rollout(world, command.service, command.environment, plan, actor, command.reason, now)
    sentence = (
        f"{r.service} {r.version} → {r.environment} is scheduled for {clock(due)} by {r.requester}, "
        f"in {lasting((due - now).total_seconds())}. `cancel {r.id}` takes it back."
    )
    entry = Entry(
        "scheduled",
        actor.id,
        sentence,
        event="rollout.scheduled",
        data={"digest": plan.digest, "due": due.isoformat()},
    )
    r = replace(r, phase=Phase.SCHEDULED, due=due, asked=kept(command))
    r = warned(r.tell(entry), await cautions(world, plan, actor))
    answer = await create(world, r, actor, receipt)
    return replace(foretold(answer, sentence, command, bar), due=due) if answer.created else answer


def foretold(answer: Answer, sentence: str, command: Deploy, bar: Bar | None) -> Answer:
    """Return the answer to what starts later, with what is known to be in its way."""
    said = f"{sentence} {_ahead(command, bar)}".rstrip()
    return replace(answer, sentence=said, people=bar.people if bar is not None else ())


def due_of(command: Deploy, now: datetime) -> datetime:
    """Return when a request starts. Raises `Refusal` 422 for a moment that is past, too far ahead, or never comes."""
    at, cron = _when(command)
    try:
        due = next_at(at, now) if at is not None else next_cron(cron or "", now)
    except ValueError as error:
        raise Refusal(
            "No day of the calendar fits this cron line. Correct its day and month.",
            code="never_comes",
            status=422,
            key="cron",
        ) from error
    key = "at" if at is not None else "cron"
    if due <= now:
        raise Refusal(
            f"{clock(due)} is over. Give a moment to come, or leave at= out to start at once.",
            code="in_the_past",
            status=422,
            key=key,
        )
    if due - now > HORIZON:
        raise Refusal(
            f"{clock(due)} is more than {HORIZON.days} days ahead. Plan it when it is nearer.",
            code="too_far_ahead",
            status=422,
            key=key,
        )
    return due


async def afresh(world: World, r: Rollout, who: str = "") -> Afresh:
    """Return what a scheduled rollout would be if it were asked for now, by `who`, else by whom it was asked for."""
    busy = await world.store.holder(r.service, r.environment)
    try:
        command = _COMMAND.validate_json(r.asked)
        plan = compile_or_refuse(world, command)
    except (Refusal, ValueError) as error:
        why = str(error) if isinstance(error, Refusal) else "what was asked for cannot be read."
        return Afresh(None, problem=why, busy=busy)
    now = world.now()
    asker = Actor(r.requester, "sluice")
    fresh = new_rollout(world, r.service, r.environment, plan, asker, r.reason, now)
    found, changes = await asyncio.gather(look_out(world, plan, asker), changed(world, plan))
    fresh = replace(warned(fresh, found.warnings), changes=changes)
    ahead, undone = await _before(world, r, busy)
    locks, asked = await world.store.locks(), start_of_row(r, who or r.requester)
    bar = bar_to(world, locks, asked, now)
    fresh = replace(fresh, passed=passed(locks, asked, now, broken=False))
    kept_out = Barred(bar.code, bar.why, bar.people) if bar is not None else _senseless(found)
    most = world.config.limits.rollouts
    full = most if await world.store.in_flight_count() >= most else 0
    return Afresh(fresh, barred=kept_out, busy=busy, ahead=ahead, undone=undone, full=full)


def _senseless(found: Outlook) -> Barred | None:
    """Return why people are asked about a plan whose limits say nothing about its version."""
    why = clause_of(found.foresight)
    return Barred("limit_broken_by_stable", why) if why else None


async def _before(world: World, r: Rollout, busy: str) -> tuple[str, str]:
    """Return what a queued rollout still waits for, and how that ended which it waited for, where that was not well."""
    if not r.after:
        return "", ""
    line = in_line(await world.store.scheduled(r.service, r.environment))
    earlier = [one for one in line if (one.created, one.id) < (r.created, r.id)]
    if earlier or busy:
        return (earlier[-1].id if earlier else busy), ""
    try:
        before = await _begun_before(world, r)
    except Refusal as refusal:
        return "", f"{r.after} cannot be looked up ({refusal.code})"
    if not before.phase.final:
        return before.id, ""
    if ended_well(before):
        return "", ""
    return "", f"{before.version} ({before.id}) was {before.phase.value.lower().replace('_', ' ')}"


async def _begun_before(world: World, r: Rollout) -> Rollout:
    """Return what a queued rollout comes after; what left the line unbegun stood for what was before it."""
    before = await find(world, r.after)
    for _ in range(_LINKS):
        if not (before.after and before.phase.final and unbegun(before)):
            break
        before = await find(world, before.after)
    return before


async def start_now(world: World, r: Rollout, actor: Actor, receipt: Receipt | None) -> Answer:
    """Start a scheduled rollout that asks, with the plan that today's configuration makes of it."""
    found = await afresh(world, r, actor.id)
    fresh = found.rollout
    if fresh is None:
        raise Refusal(
            f"{r.service} {r.version} cannot start: {found.problem} Mend that, or cancel it.",
            code="not_plannable",
            rollout=r,
        )
    asked = start_of_row(r, actor.id)
    bar = bar_to(world, await world.store.locks(), asked, world.now())
    if bar is not None:
        raise refusal(bar, asked, r)
    answer = await act(
        world, r.id, actor, "deploy", receipt,
        lambda row, _now: edited(acts.start_now(row, actor.id, fresh), actor.owner or actor.id),
    )  # fmt: skip
    return _saying(answer, f"Starting {r.service} {r.version} in {r.environment} now.")


async def call_off(world: World, command: Cancel, actor: Actor, receipt: Receipt | None) -> Answer:
    """Take a scheduled rollout back before it starts."""
    await vouch(world, actor, "deploy")
    r = await find(world, command.id)
    answer = await act(
        world, r.id, actor, "deploy", receipt,
        lambda row, now: acts.cancel(row, actor.id, command.reason, now),
    )  # fmt: skip
    return _saying(answer, f"Cancelled {r.service} {r.version}; it will not start.")


async def planned(world: World, command: Schedule) -> Answer:
    """List what waits for its time, the next one first."""
    rows = await world.store.scheduled(command.service, command.environment)
    whose = f" for {command.service}" if command.service else ""
    if not rows:
        sentence = f"Nothing is scheduled{whose}. `at=` or `cron=` with `deploy` plans a start."
        return Answer(sentence, kind="schedule")
    return Answer(f"{len(rows)} scheduled{whose}, the next one first.", rows=rows, kind="schedule")


async def asking(world: World, service: str, environment: str | None) -> Rollout | None:
    """Return the one scheduled rollout that asks whether to start. Raises `Refusal` when there are several."""
    rows = [r for r in await world.store.scheduled(service, environment) if r.gate is not None]
    if len(rows) > 1:
        named = ", ".join(f"{r.version} in {r.environment} ({r.id})" for r in rows)
        raise Refusal(
            f"Several rollouts of {service} ask whether to start: {named}. Press *Start now* on the one you mean.",
            code="which_rollout",
        )
    return rows[0] if rows else None


def _when(command: Deploy) -> tuple[str | None, str | None]:
    said, wish = command.options, command.wish or Wish()
    return said.at or wish.at, said.cron or wish.cron


def kept(command: Deploy) -> str:
    """Return a command as JSON without its moment: said again when it is due, it means to start."""
    kept = replace(command, options=replace(command.options, at=None, cron=None), shown=None)
    if kept.wish is not None:
        kept = replace(kept, wish=replace(kept.wish, at=None, cron=None))
    return _COMMAND.dump_json(kept).decode()


def _with_bar(command: Deploy, plan: Plan, bar: Bar | None) -> Plan:
    """Return the plan with a warning where something known now will keep the start out at its time."""
    warning = _ahead(command, bar)
    return replace(plan, warnings=(*plan.warnings, warning)) if warning else plan


def _ahead(command: Deploy, bar: Bar | None) -> str:
    ask = "it will ask instead of starting"
    if bar is None:
        return ""
    if bar.code == "frozen" and later(command):
        return f"{command.environment} will be frozen then ({bar.why}): {ask}."
    return f"Where that lasts until then, {ask}: {bar.why}."


def _saying(answer: Answer, sentence: str) -> Answer:
    """Say what was done; a second delivery of the same request keeps its own words."""
    return replace(answer, sentence=sentence) if answer.code == "ok" else answer
