"""Whom a rollback concerns is told alone: whoever asked for it unseen by others, and whose version it takes back.

Typed, on the Home tab, in a form: on a phone the card is far away, and the last thing seen was “rolling back now”; so
the end is told. Whoever requested the version hears at once that somebody else takes it back.
"""

import logging
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from slack_sdk.errors import SlackApiError

from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import clip, escape, section
from bot.slack.message import Message
from bot.slack.posting import Poster, Posts, Wanted
from bot.slack.speaking import refused_with, retry_after
from bot.slack.wording import with_people
from bot.store import NoRowError, PoisonedRowError, Store
from bot.store.tracing import asked_of
from strategies.telling import span

log = logging.getLogger("sluice.homeward")

_REASON = 300
"""Characters of a reason that somebody gave."""


class _News(NamedTuple):
    once: str
    """The name under which it is said once."""
    sentence: str


async def tell_who_asked(store: Store, poster: Poster, r: Rollout, posts: Posts) -> None:
    """Send the direct messages that are due, if any are. Raises what the poster raises when Slack gave no answer."""
    await _tell_requester(store, poster, r, posts)
    news = _news(r)
    person = _asker(r)
    if news is None or not person.startswith(("U", "W")):
        return
    key, sentence = f"{news.once}:{person}", news.sentence
    if (there := posts.get(key)) is not None and there.ts:
        return
    asked = await store.ask(asked_of(r.id))
    if not any(one.actor == person and one.body.get("alone") for one in asked):
        return
    await _say(
        poster, r, posts, Wanted(key, person, Message(sentence), editable=False), escape(sentence)
    )


async def _tell_requester(store: Store, poster: Poster, r: Rollout, posts: Posts) -> None:
    """Tell whoever requested a version that somebody else takes it back."""
    back = r.back
    if r.rollback_of:
        try:
            undone = await store.get(r.rollback_of)
        except (NoRowError, PoisonedRowError):
            return
        whose, by, reason = undone, r.requester, r.reason
    elif back is not None and not (back.automatic or back.lost or back.partial):
        whose, by, reason = r, back.actor, back.reason
    else:
        return
    person, key = whose.requester, f"taken_back:{whose.requester}"
    there = posts.get(key)
    if person == by or not person.startswith(("U", "W")) or (there is not None and there.ts):
        return
    what = f"your {whose.service} {whose.version} in {whose.environment}"
    sentence = f"{by} is rolling back {what}: {clip(reason, _REASON) or 'no reason given'}."
    wanted = Wanted(key, person, Message(sentence), editable=False)
    await _say(poster, r, posts, wanted, with_people(sentence, [by]))


async def _say(poster: Poster, r: Rollout, posts: Posts, wanted: Wanted, mrkdwn: str) -> None:
    """Send one direct message, `mrkdwn` with the link to the card behind it."""
    link = await poster.permalink(posts.get("card"))
    line = section(mrkdwn + (f" <{link}|card>" if link else ""))
    message = Message(wanted.message.text, (line,))
    try:
        await poster.put(r.id, replace(wanted, message=message), posts)
    except SlackApiError as error:
        if not refused_with(error) or retry_after(error):
            raise
        log.warning("%s was not told of a rollback: %s", wanted.channel, refused_with(error))


def _asker(r: Rollout) -> str:
    if r.rollback_of:
        return r.requester
    return r.back.actor if r.back is not None and not r.back.automatic else ""


def _news(r: Rollout) -> _News | None:
    """Return what there is to say."""
    where = f"{r.service} in {r.environment}"
    if r.phase is Phase.NEEDS_ATTENTION and (r.back is not None or r.rollback_of):
        why = r.trouble.sentence if r.trouble is not None else "The card says why."
        return _News(once="stuck", sentence=f"The rollback of {where} does not get on: {why}")
    if r.rollback_of and r.phase is Phase.SUCCEEDED:
        return _News(
            once="home",
            sentence=f"{r.version} has all traffic of {where} again{_took(r.started, r.ended)}.",
        )
    if r.rollback_of or r.back is None or r.back.lost or r.back.partial:
        return None
    if r.back.home is not None or r.phase is Phase.ROLLED_BACK:
        took = _took(r.back.at, r.back.home or r.ended)
        return _News(
            once="home", sentence=f"{r.from_version} has all traffic of {where} again{took}."
        )
    if r.phase is Phase.CANCELLED and r.armed is None:
        return _News(
            once="home",
            sentence=f"{where} was left as it was: {r.version} had not got any traffic.",
        )
    return None


def _took(began: datetime | None, ended: datetime | None) -> str:
    if began is None or ended is None:
        return ""
    seconds = round((ended - began).total_seconds())
    return f", {span(seconds)}" if seconds else ", within a second"
