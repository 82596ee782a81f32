"""Why a version may not start in a place now: a freeze window, a stopped line, a lock, a quarantine; in that order.

One answer for every door and every way to start: said at once, asked about when it is due, and looked at once more in
the transaction that lets it begin. Going back is never barred.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bot import policy
from bot.commands.answers import Offer, Refusal
from bot.commands.world import World
from bot.grammar import render
from bot.grammar.verbs import Deploy
from bot.grammar.verbs import Lock as LockVerb
from bot.rollout.locks import EVERYTHING, Lock, standing
from bot.rollout.times import clock
from bot.rollout.values import Rollout
from bot.settings.values import FreezeWindow, UnknownNameError

_LINE = 1900
"""Characters of a button's value."""
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Start:
    """What would start: a version on a target, by somebody."""

    service: str
    environment: str
    version: str
    who: str = ""
    """Whose own lock does not keep them out, as an actor's id."""
    line: str = ""
    """The request as text, for whoever breaks the glass; `""` where it cannot be said in words."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that is in the way."""

    code: Literal["frozen", "locked", "quarantined"]
    why: str
    """A clause without its full stop: `production is frozen from Fri 15:00 …`."""
    way: str
    """What to do about it, as sentences."""
    lock: Lock | None = None

    @property
    def people(self) -> tuple[str, ...]:
        """Who is named in it."""
        return (self.lock.owner,) if self.lock is not None else ()


def start_of(command: Deploy, who: str) -> Start:
    """Return what a request would start."""
    # A wish has more in it than words can say, so nobody is led to say it again without.
    line = render(replace(command, shown=None)) if command.wish is None else ""
    line = line if len(line) <= _LINE else ""
    return Start(command.service, command.environment, command.version, who, line)


def barred(
    world: World, locks: Sequence[Lock], start: Start, now: datetime, *, broken: bool = False
) -> Refusal | None:
    """Return the refusal of a start, or None. `broken`: somebody has broken the glass to get through."""
    bar = None if broken else bar_to(world, locks, start, now)
    return None if bar is None else refusal(bar, start)


def bar_to(world: World, locks: Sequence[Lock], start: Start, now: datetime) -> Bar | None:
    """Return the first thing that keeps a start out at a moment, or None."""
    windows = _windows(world, start.environment)
    window = _window(windows, now)
    if window is not None:
        said = policy.frozen([window], now)
        until = clock(_end_of_all(windows, now))
        why = f"{start.environment} is frozen {said}, until {until}"
        return Bar("frozen", why, "Start afterwards; `/rollback` still works.")
    found = standing(locks, start.service, start.environment, start.version, now)
    lock = next((one for one in found if not passes(one, start.who)), None)
    return None if lock is None else bar_of(lock, start)


def passes(lock: Lock, who: str) -> bool:
    """Whether somebody goes through a lock because it is their own. A stopped line stops everybody."""
    return lock.kind == "lock" and bool(who) and lock.owner == who


def let_through(locks: Sequence[Lock], start: Start, now: datetime) -> list[Lock]:
    """Return the locks of the starter's own that stand where it starts."""
    found = standing(locks, start.service, start.environment, start.version, now)
    return [one for one in found if passes(one, start.who)]


def passed(locks: Sequence[Lock], start: Start, now: datetime, *, broken: bool) -> tuple[str, ...]:
    """Return what goes into `Rollout.passed`: what this start was let through, and nothing that comes after."""
    if broken:
        return (EVERYTHING,)
    return tuple(one.id for one in let_through(locks, start, now))


def refusal(bar: Bar, start: Start, rollout: Rollout | None = None) -> Refusal:
    """Return what somebody is told who is kept out, with the ways on."""
    offers = []
    if bar.lock is not None and bar.lock.kind == "lock":
        offers.append(take_over_offer(bar.lock))
    if start.line:
        offers.append(Offer("Break glass…", start.line, form="break-glass"))
    return Refusal(
        f"{bar.why}. {bar.way}",
        code=bar.code,
        status=423,
        offers=offers,
        rollout=rollout,
        people=bar.people,
    )


def take_over_offer(lock: Lock) -> Offer:
    """Return the button that takes this very lock from its owner."""
    line = render(LockVerb(lock.service, lock.environment or None, take_over=True))
    return Offer("Take over", line, of=lock.id)


def own_warnings(locks: Sequence[Lock]) -> tuple[str, ...]:
    """Return what a plan says about the locks of its own starter."""
    return tuple(
        f"You hold the lock of {one.where} yourself (“{one.reason}”); this goes through it."
        for one in locks
    )


def start_of_row(r: Rollout, who: str = "") -> Start:
    """Return what a rollout that was asked for earlier would start."""
    return Start(r.service, r.environment, r.version, who)


def bar_of(lock: Lock, start: Start) -> Bar:
    """Return what a lock says to a start."""
    until = f", until {clock(lock.expires)}" if lock.expires else ""
    since = f"since {clock(lock.at)}{until}"
    rest = "What is in flight goes on, and `/rollback` still works."
    match lock.kind:
        case "freeze":
            why = f"{lock.environment} was stopped by {lock.owner} {since} (“{lock.reason}”)"
            way = f"{rest} Ask {lock.owner}, or `thaw {lock.environment}` when it is over."
            return Bar("frozen", why, way, lock)
        case "lock":
            why = f"{lock.where} is locked by {lock.owner} {since} (“{lock.reason}”)"
            way = f"Ask {lock.owner}, or take it over, which tells them. `/rollback` still works."
            return Bar("locked", why, way, lock)
        case "quarantine":
            why = (
                f"{lock.version} is quarantined on {lock.where}: {lock.rollout} was rolled back by itself at "
                f"{clock(lock.at)} (“{lock.reason}”)"
            )
            way = (
                f"Mend it and deploy another version, or `unlock {start.service} {start.environment}` to let this one "
                "try again."
            )
            return Bar("quarantined", why, way, lock)


def _windows(world: World, environment: str) -> Sequence[FreezeWindow]:
    try:
        return world.config.environment(environment).freeze
    except UnknownNameError:
        return ()


def _window(windows: Sequence[FreezeWindow], now: datetime) -> FreezeWindow | None:
    return next((one for one in windows if policy.frozen([one], now)), None)


def _end_of_all(windows: Sequence[FreezeWindow], now: datetime) -> datetime:
    """Return when nothing is frozen any more, where something is at `now`: windows may overlap or follow each other."""
    end = now
    while (window := _window(windows, end)) is not None and end - now < _WEEK:
        end = _end(window, end)
    return end


def _end(window: FreezeWindow, now: datetime) -> datetime:
    """Return when a freeze window that covers `now` ends, in UTC."""
    zone, to = ZoneInfo(window.timezone), window.to
    local = now.astimezone(zone)
    day = local.date() + timedelta(days=(to.weekday - local.weekday()) % 7)
    end = datetime(day.year, day.month, day.day, to.hour, to.minute, tzinfo=zone)
    if end <= now:
        end += _WEEK  # in wall time: a change of the clocks in between moves no window
    return end.astimezone(UTC)
