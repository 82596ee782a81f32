"""What others than the one who asked should hear: a person directly, or a channel; with the ways on as buttons."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.commands.answers import Notice
from bot.slack.message import Message
from bot.slack.refusals import LOST
from bot.slack.replies import notice_message
from bot.slack.speaking import refused_with

log = logging.getLogger("sluice.notices")

Say = Callable[[str, Message], Awaitable[None]]
"""Post a message to a channel or a person; raises what Slack raises."""

_PASSING = frozenset(
    {
        "ratelimited",
        "fatal_error",
        "internal_error",
        "service_unavailable",
        "request_timeout",
        *LOST,
    }
)
"""Refusals that say nothing about the place: the same message may be taken later."""


async def tell(say: Say, notice: Notice, otherwise: str) -> None:
    """Say a notice where it belongs; where Slack takes nothing there, what is left of it in a channel.

    Raises what may pass: no answer, or one that says to come back. A clear no everywhere is the end of it.
    """
    beside = notice.channel or otherwise
    said = notice
    if notice.aloud:
        said = replace(notice, sentence=notice.aloud, offers=())
    elif notice.to.startswith(("U", "W")):
        said = replace(notice, offers=())
    for place in dict.fromkeys((notice.to, beside, otherwise)):
        message = notice_message(notice if place == notice.to else said)
        try:
            await say(place, message)
        except SlackApiError as error:
            code = refused_with(error)
            if not code or code in _PASSING:
                raise
            log.warning("a notice was refused in %s: %s", place, code)
        else:
            return
