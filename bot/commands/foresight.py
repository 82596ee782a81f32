"""What the numbers of stable say about a plan: how often it rolls back for nothing, and which limits stable breaks.

The one rule: a start is refused only for what is wrong with the limit, never for what is wrong with stable. A stable
that burns is what a repair is for, and a limit that it breaks now is the right one for that. Only one that it broke all
day is nonsense. Whatever cannot be read refuses nothing.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace

from bot.commands.answers import Offer, Refusal
from bot.commands.barring import Start, start_of
from bot.commands.world import Lately
from bot.grammar import render
from bot.grammar.verbs import Deploy
from bot.planning import counts_decide
from bot.settings.values import Config
from strategies.closeness import Close, close, fixed
from strategies.doing import Doing
from strategies.expecting import ALARMING, Expectation, expected
from strategies.foretelling import foretold, stands, unheld
from strategies.plan import Plan

NOW, HOUR, DAY = 300, 3600, 86400
"""Seconds over which stable is looked at. Five minutes are what a start must not hang on one quiet moment for."""
_UNREAD = "The numbers of stable cannot be read now, so the limits were not held against it."
_SPANS = 6
"""A day of numbers has to hold so many times the requests of its last hour: else it is no day, and says nothing."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """What the numbers say about a plan."""

    unread: bool = False
    """Whether they could not be read; a service that has none yet has nothing to say, which is no problem."""
    read: bool = False
    close: tuple[Close, ...] = ()
    """The limits that stable breaks now, or is nearer to than twice."""
    nonsense: tuple[Close, ...] = ()
    """Those of them that it has broken all day."""
    expectation: Expectation = field(default_factory=Expectation)


async def foresee(plan: Plan, lately: Lately | None, config: Config, patience: float) -> Foresight:
    """Return what the numbers say within `patience` seconds. Never raises: what cannot be read says nothing."""
    if lately is None:
        return Foresight()
    counts = counts_decide(plan, config)
    deadline = asyncio.get_running_loop().time() + patience
    doing = await _within(deadline, lately(plan.service, plan.environment, NOW))
    if not doing:
        return Foresight(unread=doing is None)
    expectations = [expected(plan, one, counts=counts) for one in doing]
    worst = max(expectations, key=lambda one: one.total)
    near = _each(plan, doing)
    seen = Foresight(read=True, close=near, expectation=worst)
    if not any(one.broken for one in near):
        return seen
    hour, day = await asyncio.gather(
        _within(deadline, lately(plan.service, plan.environment, HOUR)),
        _within(deadline, lately(plan.service, plan.environment, DAY)),
    )
    return replace(seen, nonsense=_all_day(plan, near, hour or (), day or ()))


async def _within(
    deadline: float, asked: Awaitable[Sequence[Doing] | None]
) -> Sequence[Doing] | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await asked
    except Exception:  # noqa: BLE001 - whatever a metric source does, a start goes on without it
        return None


def _each(plan: Plan, doing: Sequence[Doing]) -> tuple[Close, ...]:
    """Return what is close on any target, each limit once: by the worst of them."""
    worst: dict[object, Close] = {}
    for one in (found for each in doing for found in close(plan, each)):
        known = worst.get(one.check)
        if known is None or (one.broken, one.proposal or 0.0) > (known.broken, known.proposal or 0):
            worst[one.check] = one
    return tuple(worst.values())


def _all_day(
    plan: Plan, now: Sequence[Close], hour: Sequence[Doing], day: Sequence[Doing]
) -> tuple[Close, ...]:
    """Return the limits that are broken over the last minutes, the hour and the day; with the room the day asks for."""
    spans = [
        later for short, later in zip(hour, day, strict=False)
        if later.requests >= _SPANS * short.requests
    ]  # fmt: skip
    long = {one.check: one for one in _each(plan, spans) if one.broken}
    lately = {one.check for one in _each(plan, hour) if one.broken}
    return tuple(
        replace(one, proposal=_laxer(one, long[one.check]))
        for one in now
        if one.broken and one.check in lately and one.check in long
    )


def _laxer(now: Close, long: Close) -> float | None:
    if now.proposal is None or long.proposal is None:
        return None
    laxer = min if now.check.bound[0] == "below" else max
    return laxer(now.proposal, long.proposal)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that the numbers say."""

    code: str
    sentence: str
    fatal: bool = False
    """Whether it keeps a start out."""


def warnings_of(seen: Foresight, plan: Plan) -> tuple[str, ...]:
    """Return what the numbers say that a requester should know before it runs."""
    return tuple(one.sentence for one in remarks(seen, plan))


def remarks(seen: Foresight, plan: Plan) -> tuple[Remark, ...]:
    """Return all that is wrong with the limits of a plan, as far as the numbers say."""
    if seen.unread:
        return (Remark(code="limits_not_held", sentence=_UNREAD),) if fixed(plan) else ()
    broken = [one for one in seen.close if one.broken]
    said = [_broken(one, all_day=one.check in _checks(seen.nonsense)) for one in broken]
    said += [
        Remark(code="limit_near_stable", sentence=_near(one))
        for one in seen.close
        if not one.broken
    ]
    if not broken and seen.expectation.limits >= ALARMING:
        said.append(Remark(code="false_rollbacks", sentence=foretold(seen.expectation)))
    return tuple(said)


def _checks(found: Sequence[Close]) -> list[object]:
    return [one.check for one in found]


def _broken(one: Close, *, all_day: bool) -> Remark:
    since = "has broken a limit by itself for a day" if all_day else "breaks a limit by itself now"
    return Remark(
        code="limit_broken_by_stable",
        sentence=f"Stable {since}: {stands(one)}. A version that does not mend that is held or rolled back. "
        f"{_instead(one, 'If this is no repair: ')}",
        fatal=all_day,
    )


def _near(one: Close) -> str:
    return f"A limit is nearer than twice what stable does: {stands(one)}. {_instead(one)}"


def _instead(one: Close, when: str = "") -> str:
    """Return what to write in the place of a limit."""
    said = _typed(one) or _kept(one)
    return f"{when}{said} would be far enough." if said else f"{when}Give that check another limit."


def _typed(one: Close) -> str:
    """Return the option that gives one request another limit; `""` where there is none."""
    key = _KEYS.get((one.check.metric, one.check.bound[0]))
    return f"`{key}={one.proposal:g}`" if key is not None and one.proposal is not None else ""


def _kept(one: Close) -> str:
    """Return the same for the file."""
    name = one.check.bound[0]
    return "" if one.proposal is None else f"`{name}: {one.proposal:g}` at {one.check.metric}"


_KEYS = {("error_rate", "above"): "error-threshold", ("latency_p95", "above"): "latency-p95"}


def refusal_of(seen: Foresight, command: Deploy, who: str) -> Refusal | None:
    """Return why a plan is not started as it is; None where nothing in it is nonsense."""
    if not seen.nonsense:
        return None
    facts = "; ".join(stands(one) for one in seen.nonsense)
    instead = " ".join(dict.fromkeys(filter(None, map(_typed, seen.nonsense))))
    file = "; ".join(dict.fromkeys(filter(None, map(_kept, seen.nonsense))))
    ways = [f"add {instead}" if instead else "", f"write {file} in sluice.yaml" if file else ""]
    way = ", or ".join(filter(None, ways)) or "give that check another limit in sluice.yaml"
    first = seen.nonsense[0]
    return Refusal(
        f"Stable has broken this limit by itself for a day, so no version as good as it could stay: {facts}. "
        f"{way[0].upper()}{way[1:]}. To start it as it is, break the glass.",
        code="limit_broken_by_stable",
        status=422,
        key=_KEYS.get((first.check.metric, first.check.bound[0]), first.check.metric),
        suggestion=instead.replace("`", ""),
        offers=_offers(seen, command, start_of(command, who)),
    )


def clause_of(seen: Foresight) -> str:
    """Return the same as a clause, for what is asked instead of being refused; `""` where nothing is nonsense."""
    facts = "; ".join(stands(one) for one in seen.nonsense)
    return f"stable has broken a limit of it by itself for a day ({facts})" if facts else ""


def _offers(seen: Foresight, command: Deploy, start: Start) -> list[Offer]:
    """Return the buttons that go on: with a limit that has room, or through the glass."""
    if not start.line:
        return []
    glass = Offer("Break glass…", start.line, form="break-glass")
    if not all(map(_typed, seen.nonsense)):
        return [glass]
    named = {_KEYS[one.check.metric, one.check.bound[0]]: one.proposal for one in seen.nonsense}
    options = replace(
        command.options,
        error_threshold=named.get("error-threshold", command.options.error_threshold),
        latency_p95=named.get("latency-p95", command.options.latency_p95),
    )
    laxer = replace(command, shown=None, options=options)
    said = " ".join(f"{key}={value:g}" for key, value in named.items())
    return [Offer(f"Start with {said}", render(laxer)), glass]


def expectation_of(seen: Foresight, plan: Plan, config: Config) -> str:
    """Return how often a plan rolls back for nothing, or the most that can be said without numbers."""
    if seen.read:
        return foretold(seen.expectation)
    return unheld(plan, counts=counts_decide(plan, config))
