"""Where something came from: our workspace or another, established before anything is looked at.

The user's own team counts, never the team that Bolt names: for an external person who presses a button in a shared
channel Bolt's context says that they are one of us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.policy import Actor
from bot.slack.payloads import Payload, author_of, home_of, team_of, user_of


@dataclass(frozen=True, slots=True)
class Home:
    """Which workspace is ours; empty while Slack has not told."""

    team: str = ""
    enterprise: str = ""
    bot_id: str = ""
    bot_user: str = ""
    met: bool = False
    """Slack has answered."""


class Origin:
    """Tells who somebody is by what Slack sent."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Ask through `client`."""
        self.home = Home()
        self._client = client

    async def greet(self) -> None:
        """Ask Slack which workspace this is. Raises what Slack raises."""
        answer = await self._client.auth_test()
        self.home = Home(
            team=str(answer.get("team_id") or ""),
            enterprise=str(answer.get("enterprise_id") or ""),
            bot_id=str(answer.get("bot_id") or ""),
            bot_user=str(answer.get("user_id") or ""),
            met=True,
        )

    def of_command(self, body: Payload) -> Actor:
        """Return who typed a command; Slack lets nobody type one from another workspace."""
        return self._actor(user_of(body), str(body.get("team_id") or ""), body)

    def of_press(self, body: Payload) -> Actor:
        """Return who pressed a button, sent a form or used a shortcut."""
        return self._actor(user_of(body), home_of(body.get("user") or {}, body), body)

    def of_event(self, event: Payload) -> Actor:
        """Return who wrote a message."""
        return self._actor(author_of(event), team_of(event), {})

    def _actor(self, user: str, team: str, body: Mapping[str, Any]) -> Actor:
        enterprise = str((body.get("enterprise") or {}).get("id", ""))
        ours = {self.home.team, self.home.enterprise} - {""}
        theirs = {team, enterprise} - {""}
        comparable = bool(ours and theirs)
        return Actor(
            user,
            "slack",
            team_ok=not comparable or bool(ours & theirs),
            team_known=self.home.met and (comparable or not ours),
        )
