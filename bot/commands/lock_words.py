"""What is said about locks to whoever asked. Nothing is decided here."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.answers import Answer, Offer, Refusal
from bot.commands.world import World
from bot.grammar import render
from bot.grammar.verbs import Lock as LockVerb
from bot.grammar.verbs import Pause, Unlock
from bot.policy import frozen
from bot.rollout.locks import Lock
from bot.rollout.times import clock
from bot.rollout.values import Rollout
from bot.settings.values import Config

BUTTONS = 5
"""Buttons in one answer; the rest has its words."""


def stops(one: Lock, environment: str, now: datetime) -> bool:
    """Whether it keeps everything from starting in an environment now."""
    return one.kind == "freeze" and one.environment == environment and one.holds(now)


# ---- refusals -------------------------------------------------------------------------------------------------------


def already_locked(there: Sequence[Lock], command: LockVerb) -> Refusal:
    """Return the refusal of a lock where others have one, with the way to take just those."""
    held = "; ".join(is_locked(one) for one in there)
    line = render(replace(command, take_over=True, of=()))
    return Refusal(
        f"{held}. Ask them, or take it over, which tells them.",
        code="already_locked",
        status=409,
        offers=[Offer("Take over", line, of=",".join(one.id for one in there))],
        people=owners(there),
    )


def is_locked(one: Lock) -> str:
    """Return who has locked a place, or stopped it, as a clause."""
    until = f", until {clock(one.expires)}" if one.expires else ""
    since = f"since {clock(one.at)}{until} (“{one.reason}”)"
    if one.kind == "freeze":
        return f"{one.environment} is stopped by {one.owner} {since}"
    return f"{one.where} is locked by {one.owner} {since}"


def lock_gone(there: Sequence[Lock], place: tuple[str | None, str | None]) -> Refusal:
    """Return the refusal of a button about a lock that has ended, with what is there now."""
    now = [one for one in there if one.kind != "quarantine"]
    service, environment = place
    where = f"{service or 'it'} in {environment}" if environment and service else service
    held = (
        "; ".join(is_locked(one) for one in now)
        or f"nobody keeps others out of {where or environment}"
    )
    return Refusal(
        f"The lock that this button was about is no longer there; now {held}. Nothing was changed; `/deploy status` "
        "names the locks there are.",
        code="lock_gone",
        people=owners(now),
    )


def not_your_lock(one: Lock) -> Refusal:
    """Return the refusal of the buttons of a reminder to anybody but whom it reminds."""
    words = f"thaw {one.environment}" if one.kind == "freeze" else _unlock(one)
    return Refusal(
        f"This button is for the owner: {is_locked(one)}. Ask them, or say `{words}`, which tells them.",
        code="not_your_lock",
        status=403,
        people=(one.owner,),
    )


def _unlock(one: Lock) -> str:
    return render(Unlock(one.service, one.environment or None))


def already_frozen(one: Lock) -> Refusal:
    """Return the refusal of a stop where somebody else has stopped the line."""
    until = f", until {clock(one.expires)}" if one.expires else ""
    return Refusal(
        f"{one.environment} is stopped already, by {one.owner} since {clock(one.at)}{until} "
        f"(“{one.reason}”). Ask them, or `thaw {one.environment}`.",
        code="already_frozen",
        people=(one.owner,),
    )


def not_locked(command: Unlock, there: Sequence[Lock]) -> Refusal:
    """Return the refusal of an unlock that would end nothing, with what keeps versions out there."""
    where = (
        f"{command.service} in {command.environment}" if command.environment else command.service
    )
    said, offers = "`status` shows where a deploy can go.", []
    for one in there:
        if one.kind == "quarantine" and one.service == command.service:
            line = f"unlock {one.service} {one.environment}"
            said = f"{one.version} is quarantined in {one.environment}: `{line}` lets it go."
            offers = [Offer(f"Let {one.version} try again"[:75], line)]
        elif one.kind == "freeze" and one.environment == command.environment:
            said = f"{one.environment} is stopped by {one.owner}: `thaw {one.environment}`."
    return Refusal(
        f"Nobody has locked {where}. {said}",
        code="not_locked",
        offers=offers,
        people=owners(there),
    )


def not_frozen(world: World, environment: str, now: datetime) -> Refusal:
    """Return the refusal of a thaw that would end nothing."""
    window = frozen(world.config.environment(environment).freeze, now)
    why = f" It is frozen {window} by the configuration, which nobody can thaw from here." * bool(
        window
    )
    return Refusal(
        f"Nobody has stopped {environment}.{why} `status` shows what is locked.",
        code="not_frozen",
    )


# ---- what is said ---------------------------------------------------------------------------------------------------


def did_lock(new: Lock, others: Sequence[Lock], *, extended: bool) -> str:
    """Say what was locked, extended or taken over, and until when."""
    assert new.expires is not None
    until = clock(new.expires)
    if others:
        before = "; ".join(f"{one.owner} (“{one.reason}”)" for one in others)
        return f"You took the lock of {new.where} over from {before}. It is yours until {until}."
    if extended:
        return f"Your lock of {new.where} now ends at {until}."
    return f"Locked {new.where}: “{new.reason}”. It expires at {until}."


def meanwhile(command: LockVerb, new: Lock) -> str:
    """Say what a lock means, and how it is kept longer and ended."""
    place = " ".join(filter(None, (new.service, new.environment)))
    longer = "" if command.seconds else f"`lock {place} for 2d {new.reason}` keeps it longer. "
    return f"{longer}Others cannot deploy there until then; `/rollback` still works. `unlock {place}` ends it."


def did_release(one: Lock) -> str:
    """Say what was ended, and who had set it for what."""
    match one.kind:
        case "quarantine":
            before = f"{one.rollout} was rolled back because of “{one.reason}”"
            return f"{one.version} may start on {one.where} again; {before}."
        case "freeze":
            return f"{one.environment} goes on; {one.owner} had stopped it (“{one.reason}”)."
        case "lock":
            return f"Unlocked {one.where}; {one.owner} had locked it (“{one.reason}”)."


def did_prolong(one: Lock) -> str:
    """Say until when one's own lock lasts now."""
    assert one.expires is not None
    what = f"stop of {one.environment}" if one.kind == "freeze" else f"lock of {one.where}"
    return f"Your {what} now ends at {clock(one.expires)}."


def still_shut(config: Config, ended: Lock, rest: Sequence[Lock], now: datetime) -> str:
    """Return what goes on keeping everything out where something has ended, as a clause; `""` for nothing."""
    place = ended.service or None, ended.environment or None
    for one in rest:
        if (
            one.id != ended.id
            and one.kind != "quarantine"
            and one.holds(now)
            and one.reaches(*place)
        ):
            ends = f": `thaw {one.environment}`" if one.kind == "freeze" else ""
            return f"{is_locked(one)}{ends}"
    for environment in _environments(config, ended):
        window = frozen(config.environment(environment).freeze, now)
        if window:
            return f"{environment} is frozen {window}"
    return ""


def _environments(config: Config, one: Lock) -> Sequence[str]:
    """Return where a lock kept others out, as far as that is still configured."""
    block = config.services.get(one.service)
    found = (
        [one.environment] if one.environment else [*(block.targets if block is not None else ())]
    )
    return [name for name in found if name in config.environments]


def listing(answer: Answer, flying: Sequence[Rollout]) -> Answer:
    """Add what is in flight there, each with the button that pauses it."""
    if not flying:
        return answer
    names = ", ".join(f"{r.service} {r.version} at {r.weight:g} % ({r.id})" for r in flying)
    return replace(
        answer,
        sentence=f"{answer.sentence} In flight, and going on: {names}.",
        offers=[
            Offer(f"Pause {r.service}"[:75], render(Pause(r.service, r.environment)))
            for r in flying[:BUTTONS]
        ],
    )


def owners(locks: Sequence[Lock]) -> tuple[str, ...]:
    """Return who may be named where these locks are spoken of."""
    return tuple(dict.fromkeys(one.owner for one in locks))
