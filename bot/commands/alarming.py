"""Alerts from outside: which rollouts each one concerns, and what it may do there. It pauses or rolls back, no more.

The same alert comes again and again, from several senders, and for hours: it is committed together with what it did, so
that it does it once. What concerns no rollout is remembered too, because somebody should see that it led nowhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot import policy
from bot.commands.acting import TRIES
from bot.commands.answers import Refusal
from bot.commands.authority import check
from bot.commands.world import World
from bot.policy import Actor, Verb
from bot.rollout.alarms import ALERTMANAGER, Alarm, Deed, alarmed, older, possible, told
from bot.rollout.values import Phase, Rollout
from bot.settings.hooks import AlertmanagerBlock
from bot.settings.values import Config, UnknownNameError
from bot.store import ALARM, Inbound, NoRowError, PoisonedRowError, StaleError, Writing

ACTOR = Actor(ALERTMANAGER, "alertmanager")

_VERBS: Mapping[Deed, Verb] = {"rollback": "rollback", "pause": "pause", "tell": "read"}
_STRENGTH: Sequence[Deed] = ("rollback", "pause", "tell")


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of a delivery."""

    key: str
    """The same whenever it comes again."""
    firing: bool
    labels: Mapping[str, str]
    alarm: Alarm
    hidden: bool = False
    """It stands for those that the sender left out: they may be about anything with these labels."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    notice: Notice
    deed: Deed
    """What it may do at most."""


async def alarm(world: World, block: AlertmanagerBlock, notices: Sequence[Notice]) -> None:
    """Do what the alerts of one delivery ask for. Raises `Refusal` 503 where it has to come again."""
    check(policy.allow(ACTOR, "read"))
    flying = await _flying(world, {notice.labels.get(block.service_label) for notice in notices})
    wanted: dict[str, list[_Wanted]] = {r.id: [] for r in flying}
    spare: list[tuple[Notice, str]] = []
    for notice in notices:
        found = concerned(world.config, block, notice.labels, flying)
        deed = _deed(block, notice, found)
        if not found or deed is None:
            spare.append((notice, "unmatched" if not found else "no_action"))
        else:
            for r in found:
                wanted[r.id].append(_Wanted(notice, deed))
    await _remember(world, spare)
    for rollout, here in wanted.items():
        if here:
            await _act(world, rollout, here)


async def _flying(world: World, services: Iterable[str | None]) -> list[Rollout]:
    known = sorted(name for name in services if name is not None and name in world.config.services)
    return [r for service in known for r in await world.store.in_flight(service)]


def concerned(
    config: Config, block: AlertmanagerBlock, labels: Mapping[str, str], flying: Iterable[Rollout]
) -> list[Rollout]:
    """Return the rollouts in flight that the labels match; without the label of a service there are none."""
    environment = labels.get(block.environment_label)
    namespace = labels.get(block.namespace_label)
    return [
        r
        for r in flying
        if r.service == labels.get(block.service_label)
        and environment in {None, r.environment}
        and (namespace is None or namespace in _namespaces(config, r, namespace))
    ]


def _namespaces(config: Config, r: Rollout, other: str) -> set[str]:
    """Return the namespaces of a target; what runs in none is in whichever `other` an alert names."""
    try:
        places = config.target(r.service, r.environment).places
    except UnknownNameError:
        return set()
    return {place.namespace or other for place in places}


def _deed(block: AlertmanagerBlock, notice: Notice, found: Sequence[Rollout]) -> Deed | None:
    """Return what an alert may do at most; None: its severity is not listed."""
    if not notice.firing:
        return "tell"
    if notice.hidden:
        return "pause"
    deed = block.actions.get(notice.labels.get(block.severity_label, ""))
    # Which of several it means cannot be told: holding is safe for all of them.
    return "pause" if deed == "rollback" and len(found) > 1 else deed


async def _remember(world: World, spare: Sequence[tuple[Notice, str]]) -> None:
    if not spare:
        return
    async with world.store.writing() as writing:
        now = world.now()
        for notice, code in spare:
            await writing.receive(_inbound(notice, code, now))


async def _act(world: World, rollout: str, wanted: Sequence[_Wanted]) -> None:
    for _ in range(TRIES):
        try:
            async with world.store.writing() as writing:
                r = await _changed(writing, rollout, wanted, world.now())
        except StaleError:
            continue
        except (NoRowError, PoisonedRowError):
            return  # it cannot be read any more; people have been called about that
        if r is not None:
            world.wake(r)
        return
    raise Refusal(
        "The rollout kept changing while this was tried; nothing was done. Send it again.",
        code="conflict",
        status=503,
    )


async def _changed(
    writing: Writing, rollout: str, wanted: Sequence[_Wanted], now: datetime
) -> Rollout | None:
    """Save the row as the new ones among the alerts leave it; None where there is nothing new."""
    r = await writing.load(rollout)
    fresh = [
        one
        for one in wanted
        if await writing.receive(_inbound(one.notice, _code(r, one), now, rollout))
    ]
    if not fresh or r.phase.final or r.phase is Phase.SCHEDULED:
        return None
    return await writing.save(_after(r, fresh, now), now)


def _code(r: Rollout, one: _Wanted) -> str:
    if not one.notice.firing:
        return "resolved"
    return "older" if older(r, one.notice.alarm) else one.deed


def _after(r: Rollout, fresh: Sequence[_Wanted], now: datetime) -> Rollout:
    """Return the row after all of them: the strongest acts, and one line tells the others of its kind."""
    over = [one for one in fresh if not one.notice.firing]
    before = [one for one in fresh if _code(r, one) == "older"]
    acting = [one for one in fresh if one not in over and one not in before]
    if acting:
        first = min(acting, key=lambda one: _STRENGTH.index(one.deed))
        deed = possible(r, first.deed)
        check(policy.allow(ACTOR, _VERBS[deed], r))
        r = alarmed(r, deed, first.notice.alarm, len(acting) - 1, now)
    if before:
        what = "began to fire before this rollout did, so nothing was done"
        r = told(r, before[0].notice.alarm, f"{_several(before)} {what}")
    if over:
        r = told(r, over[0].notice.alarm, f"{_several(over)} stopped firing")
    return r


def _several(ones: Sequence[_Wanted]) -> str:
    more = f" and {len(ones) - 1} more" if len(ones) > 1 else ""
    return f"the alert {ones[0].notice.alarm.words}{more}"


def _inbound(notice: Notice, code: str, now: datetime, rollout: str = "") -> Inbound:
    key = f"{ALARM}{notice.key}:{rollout}" if rollout else f"{ALARM}{notice.key}"
    body = {"alert": notice.alarm.name, "firing": notice.firing}
    return Inbound(key, ACTOR.door, ACTOR.id, body, now, rollout, {"code": code})
