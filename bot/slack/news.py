"""What Slack tells by itself about people, groups and channels: whatever was remembered of them is asked anew.

So that somebody who was taken out of a group, or a channel that was just shared, counts as such at the next click and
not a minute later.
"""

import logging
from collections.abc import Callable

from slack_bolt.async_app import AsyncApp

from bot.slack.channels import Channels
from bot.slack.directory import SlackDirectory
from bot.slack.payloads import Payload

log = logging.getLogger("sluice.slack")

EVENTS = (
    "user_change",
    "subteam_members_changed",
    "subteam_updated",
    "channel_shared",
    "channel_unshared",
    "channel_id_changed",
)
"""The events that are listened to here."""


class News:
    """Drops what is no longer so."""

    def __init__(self, directory: SlackDirectory, channels: Channels) -> None:
        """Tell these two."""
        self._directory = directory
        self._channels = channels
        self.groups_changed: Callable[[], None] = lambda: None
        """Has drawn anew what shows who may decide."""

    def register(self, app: AsyncApp) -> None:
        """Listen."""
        told: dict[str, Callable[[Payload], None]] = {
            "user_change": self._person,
            "subteam_members_changed": self._group,
            "subteam_updated": self._group,
            "channel_shared": self._channel,
            "channel_unshared": self._channel,
            "channel_id_changed": self._renamed,
        }
        for name in EVENTS:
            app.event(name)(_listener(told[name]))

    def _person(self, event: Payload) -> None:
        self._directory.forget(user=_id(event.get("user")))

    def _group(self, event: Payload) -> None:
        self._directory.forget(group=_id(event.get("subteam_id") or event.get("subteam")))
        self.groups_changed()

    def _channel(self, event: Payload) -> None:
        self._channels.forget(_id(event.get("channel")))

    def _renamed(self, event: Payload) -> None:
        old, new = (_id(event.get(key)) for key in ("old_channel_id", "new_channel_id"))
        self._channels.forget(old)
        self._channels.forget(new)
        log.warning("the channel %s is %s from now on: mind it in sluice.yaml", old, new)


def _id(named: object) -> str:
    """Return an id that an event gives as text, or as an object that has it."""
    return str(named.get("id", "")) if isinstance(named, dict) else str(named or "")


def _listener(tell: Callable[[Payload], None]) -> Callable[..., object]:
    async def listen(event: Payload) -> None:
        tell(event)

    return listen
