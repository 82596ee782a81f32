"""What is said about locks: to whoever asked, to whoever loses one, and to the channel. Nothing is decided here."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.answers import Answer, Notice, Offer, Refusal
from bot.commands.barring import take_over_offer
from bot.commands.world import World
from bot.grammar import render
from bot.grammar.verbs import Lock as LockVerb
from bot.grammar.verbs import Pause, Unlock
from bot.policy import Actor, frozen
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


def already_locked(one: Lock, command: LockVerb) -> Refusal:
    """Return the refusal of a lock where somebody else has one, with the way to take it."""
    until = f", until {clock(one.expires)}" if one.expires else ""
    return Refusal(
        f"{one.where} is locked by {one.owner} since {clock(one.at)}{until} (“{one.reason}”). "
        "Ask them, or take it over, which tells them.",
        code="already_locked",
        status=409,
        offers=[_over(one, command)],
        people=(one.owner,),
    )


def _over(one: Lock, command: LockVerb) -> Offer:
    """Return the button that takes a lock over for the reason that was just given."""
    line = render(replace(command, take_over=True))
    return replace(take_over_offer(one), line=line)


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


def still_stopped(
    world: World, environment: str | None, there: Sequence[Lock], now: datetime
) -> str:
    """Say what goes on keeping things out there."""
    if environment is None:
        return ""
    window = frozen(world.config.environment(environment).freeze, now)
    if window:
        return f" But {environment} is frozen {window}."
    line = any(stops(one, environment, now) for one in there)
    return f" But {environment} is stopped: `thaw {environment}`." if line else ""


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


def going_on(flying: Sequence[Rollout]) -> str:
    """Say what a stop does not touch."""
    going = f"{len(flying)} in flight go on." if flying else "Nothing is in flight there."
    return f"Nothing new starts there; {going[:1].lower()}{going[1:]}"


def owners(locks: Sequence[Lock]) -> tuple[str, ...]:
    """Return who may be named where these locks are spoken of."""
    return tuple(dict.fromkeys(one.owner for one in locks))


# ---- who else hears of it -------------------------------------------------------------------------------------------


def spread(world: World, notices: Sequence[Notice]) -> None:
    """Hand over what others should hear, after the commit."""
    if world.spread is not None:
        world.spread(notices)


def told_of_taking(world: World, new: Lock, others: Sequence[Lock], actor: Actor) -> list[Notice]:
    """Return who hears of a new lock, or one that was taken over: the channel, and whoever had it."""
    notices = []
    if not others:
        assert new.expires is not None
        aloud = f"{actor.id} locked {new.where} until {clock(new.expires)}: “{new.reason}”. `/rollback` still works."
        notices.append(Notice(channel_of(world.config, new.service), aloud, (actor.id,)))
    for one in others:
        assert new.expires is not None
        so = f"“{new.reason}”, until {clock(new.expires)}"
        aloud = (
            f"{actor.id} took the lock of {new.where} over from {one.owner} (“{one.reason}”, "
            f"since {clock(one.at)}): {so}."
        )
        notices.append(Notice(channel_of(world.config, new.service), aloud, (actor.id, one.owner)))
        if is_person(one.owner):
            direct = (
                f"{actor.id} took over your lock of {new.where} (“{one.reason}”): {so}. "
                "Talk to them if you still need it."
            )
            notices.append(Notice(one.owner, direct, (actor.id,), [take_over_offer(new)]))
    return notices


def told_of_release(world: World, ended: Sequence[Lock], actor: Actor, reason: str) -> list[Notice]:
    """Return who hears that somebody ended what another had set; one's own lock goes quietly, a line does not."""
    notices = []
    because = f": {reason}" if reason else ""
    for one in ended:
        if one.kind == "lock" and one.owner == actor.id:
            continue
        what = {
            "lock": f"ended the lock of {one.where} that {one.owner} had (“{one.reason}”)",
            "freeze": f"let {one.environment} go on, which {one.owner} had stopped (“{one.reason}”)",
            "quarantine": f"let {one.version} start on {one.where} again after its rollback (“{one.reason}”)",
        }[one.kind]
        text = f"{actor.id} {what}{because}."
        notices.append(Notice(channel_of(world.config, one.service), text, (actor.id, one.owner)))
        if is_person(one.owner) and one.owner != actor.id:
            notices.append(Notice(one.owner, text, (actor.id, one.owner)))
    return notices


def channel_of(config: Config, service: str) -> str:
    """Return where people of a service read, or everybody for `""`."""
    block = config.services.get(service)
    return (block.about.channel if block is not None else "") or config.slack.channel


def is_person(actor: str) -> bool:
    """Whether somebody can be told something directly."""
    return actor.startswith(("U", "W"))
