"""What others hear about locks: whoever loses one, and the channel. Committed with what was done, told afterwards.

A line of one's own goes quietly; what somebody else had is ended aloud.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.commands.answers import Notice
from bot.commands.barring import take_over_offer
from bot.policy import Actor
from bot.rollout.locks import Lock
from bot.rollout.times import clock
from bot.rollout.values import Rollout
from bot.settings.values import Config
from bot.store import Writing


async def keep(writing: Writing, notices: Sequence[Notice], now: datetime) -> None:
    """Keep what is to be said in the transaction that it is about."""
    await writing.keep_notices([notice.as_body() for notice in notices], now)


def told_of_lock(config: Config, new: Lock, actor: Actor) -> list[Notice]:
    """Return who hears that somebody keeps others out: the channel of the service."""
    until = f" until {clock(new.expires)}" if new.expires else ""
    text = f"{actor.id} locked {new.where}{until}: “{new.reason}”. `/rollback` still works."
    return [Notice(channel_of(config, new.service), text, (actor.id,))]


def told_of_taking(config: Config, new: Lock, others: Sequence[Lock], actor: Actor) -> list[Notice]:
    """Return who hears that a lock was taken over: the channel, and whoever had it."""
    notices = []
    for one in others:
        assert new.expires is not None
        so = f"“{new.reason}”, until {clock(new.expires)}"
        aloud = (
            f"{actor.id} took the lock of {new.where} over from {one.owner} (“{one.reason}”, "
            f"since {clock(one.at)}): {so}."
        )
        notices.append(Notice(channel_of(config, new.service), aloud, (actor.id, one.owner)))
        if is_person(one.owner):
            direct = (
                f"{actor.id} took over your lock of {new.where} (“{one.reason}”): {so}. "
                "Talk to them if you still need it."
            )
            notices.append(Notice(one.owner, direct, (actor.id,), [take_over_offer(new)]))
    return notices


def told_of_stop(config: Config, new: Lock, flying: Sequence[Rollout]) -> list[Notice]:
    """Return who hears that the line was stopped: every channel whose services are kept out."""
    until = f"until {clock(new.expires)}" if new.expires else "until somebody thaws it"
    text = (
        f"{new.environment} was stopped by {new.owner} {until}: “{new.reason}”. {_going_on(flying)}"
    )
    return [Notice(channel, text, (new.owner,)) for channel in channels_of(config, new)]


def told_of_release(
    config: Config, ended: Sequence[Lock], actor: Actor, reason: str
) -> list[Notice]:
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
        people = (actor.id, one.owner)
        notices += [Notice(channel, text, people) for channel in channels_of(config, one)]
        if is_person(one.owner) and one.owner != actor.id:
            notices.append(Notice(one.owner, text, people))
    return notices


def channels_of(config: Config, one: Lock) -> list[str]:
    """Return where the people read whom a lock keeps out, each channel once."""
    here = [name for name, block in config.services.items() if one.environment in block.targets]
    services = [one.service] if one.service else here
    found = dict.fromkeys(channel_of(config, service) for service in services)
    return [*found] or [config.slack.channel]


def channel_of(config: Config, service: str) -> str:
    """Return where people of a service read, or everybody for `""`."""
    block = config.services.get(service)
    return (block.about.channel if block is not None else "") or config.slack.channel


def is_person(actor: str) -> bool:
    """Whether somebody can be told something directly."""
    return actor.startswith(("U", "W"))


def _going_on(flying: Sequence[Rollout]) -> str:
    """Say what a stop does not touch."""
    going = f"{len(flying)} in flight go on." if flying else "nothing is in flight there."
    return f"Nothing new starts there; {going}"
