"""Where something came from: our app and workspace or another, established before anything is looked at.

One place for commands, buttons, forms, shortcuts, the Home tab and events alike. The user's own team counts, never the
team that Bolt names: for an external person who presses a button in a shared channel Bolt's context says that they are
one of us.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.policy import Actor
from bot.slack.payloads import Payload, author_of, home_of, team_of, user_of
from bot.slack.speaking import reason

log = logging.getLogger("sluice.origin")


@dataclass(frozen=True, slots=True)
class Home:
    """Which workspace and which app is ours; empty while Slack has not told."""

    team: str = ""
    enterprise: str = ""
    bot_id: str = ""
    bot_user: str = ""
    met: bool = False
    """Slack has answered."""
    name: str = ""
    """What the bot is called."""
    app: str = ""
    """The id of our app; empty where Slack may not tell it."""


class Origin:
    """Tells who somebody is by what Slack sent."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Ask through `client`."""
        self.home = Home()
        self._client = client

    async def greet(self) -> None:
        """Ask Slack which workspace this is, and which app. Raises what Slack raises."""
        answer = await self._client.auth_test()
        self.home = Home(
            team=str(answer.get("team_id") or ""),
            enterprise=str(answer.get("enterprise_id") or ""),
            bot_id=str(answer.get("bot_id") or ""),
            bot_user=str(answer.get("user_id") or ""),
            met=True,
            name=str(answer.get("user") or ""),
            app=self.home.app,
        )
        if self.home.bot_id and not self.home.app:
            self.home = replace(self.home, app=await self._app_of(self.home.bot_id))

    async def _app_of(self, bot: str) -> str:
        try:
            answer = await self._client.bots_info(bot=bot)
        except SlackApiError as error:
            log.warning(
                "bots.info is refused (%s): payloads are not held against our app id", reason(error)
            )
            return ""
        return str((answer.get("bot") or {}).get("app_id") or "")

    def foreign(self, body: Payload) -> str:
        """Return why a payload is not for us, as it is installed here; `""` where it is, or nobody can tell."""
        if self.home.app and str(body.get("api_app_id") or "") != self.home.app:
            return "another app"
        ours, theirs = _names(self.home.team, self.home.enterprise), _installed(body)
        return "another workspace" if ours and theirs and not ours & theirs else ""

    def of_command(self, body: Payload) -> Actor:
        """Return who typed a command; Slack lets nobody type one from another workspace."""
        enterprise = str(body.get("enterprise_id") or "")
        return self._actor(user_of(body), str(body.get("team_id") or ""), enterprise)

    def of_press(self, body: Payload) -> Actor:
        """Return who pressed a button, sent a form or used a shortcut.

        Their own team and organisation decide: those of the payload are ours whoever pressed. Only an installation for
        a whole organisation (`team` is null) is told no more of its people than the organisation of the payload.
        """
        user = body.get("user") or {}
        own = str(user.get("team_id") or ""), str(user.get("enterprise_id") or "")
        if any(own) and body.get("team"):
            return self._actor(user_of(body), *own)
        return self._actor(user_of(body), home_of(user, body), own[1] or _id(body, "enterprise"))

    def of_event(self, event: Payload) -> Actor:
        """Return who wrote a message, or opened the Home tab."""
        return self._actor(author_of(event), team_of(event), "")

    def _actor(self, user: str, team: str, enterprise: str) -> Actor:
        ours, theirs = _names(self.home.team, self.home.enterprise), _names(team, enterprise)
        comparable = bool(ours and theirs)
        return Actor(
            user,
            "slack",
            team_ok=not comparable or bool(ours & theirs),
            team_known=self.home.met and (comparable or not ours),
        )


def _names(*ids: str) -> set[str]:
    return set(ids) - {""}


def _installed(body: Payload) -> set[str]:
    """Return the workspace and the organisation that a payload was sent to, whoever caused it."""
    granted = body.get("authorizations")
    first = granted[0] if isinstance(granted, list) and granted else None
    if isinstance(first, Mapping):
        return _texts(first.get("team_id"), first.get("enterprise_id"))
    view = body.get("view")
    if isinstance(view, Mapping) and view.get("app_installed_team_id"):
        return _texts(view["app_installed_team_id"], _id(body, "enterprise"))
    flat = (body.get("team_id"), body.get("enterprise_id"))
    return _texts(*flat, _id(body, "team"), _id(body, "enterprise"))


def _id(body: Payload, key: str) -> str:
    named = body.get(key)
    return str(named.get("id") or "") if isinstance(named, Mapping) else ""


def _texts(*values: object) -> set[str]:
    return {str(value) for value in values if value}
