"""What others than the one who asked should hear: a person directly, or a channel; with the ways on as buttons."""

import logging
from collections.abc import Awaitable, Callable

from slack_sdk.errors import SlackApiError

from bot.commands.answers import Notice
from bot.slack.message import Message
from bot.slack.replies import notice_message
from bot.slack.speaking import refused_with

log = logging.getLogger("sluice.notices")

Say = Callable[[str, Message], Awaitable[None]]
"""Post a message to a channel or a person; raises what Slack raises."""


async def tell(say: Say, notice: Notice, otherwise: str) -> None:
    """Say a notice where it belongs, `otherwise` where Slack takes nothing there.

    Raises what may pass: no answer, or one that says to come back. A clear no in both places is the end of it.
    """
    message = notice_message(notice)
    for place in dict.fromkeys((notice.to, otherwise)):
        try:
            await say(place, message)
        except SlackApiError as error:
            code = refused_with(error)
            if not code or code == "ratelimited":
                raise
            log.warning("a notice was refused in %s: %s", place, code)
        else:
            return
