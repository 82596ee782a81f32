"""Whether Slack is set up as the configuration needs it: scopes, approver groups, channels, the clock.

Looked at by `sluice doctor`, and behind every start, where what is wrong is a line in the log. Nothing is written.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import Config
from bot.slack.gatekeeping import WINDOW
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.inspecting")

SCOPES = (
    "app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "usergroups:read", "users:read",
)  # fmt: skip
"""What the bot asks of Slack to know who may and where it speaks."""
_SKEW = 60
"""Seconds that two clocks may differ before that is told; Slack's signatures end at `WINDOW`."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail", "skip"]
    message: str
    fix: str = ""


async def inspect(
    client: AsyncWebClient, config: Config, now: Callable[[], datetime] | None
) -> Sequence[Sight]:
    """Return a row per thing; the first says whether Slack answers at all. `now` is wall time, None: no clock."""
    try:
        answer = await client.auth_test()
    except TROUBLE as error:
        fix = "Check SLACK_BOT_TOKEN and the network to Slack."
        return [Sight("slack", "fail", reason(error), fix)]
    who = f"{answer.get('team', 'workspace')} as {answer.get('user', 'bot')}"
    headers = {name.lower(): text for name, text in (answer.headers or {}).items()}
    return [
        Sight("slack", "ok", who),
        *_scopes(headers),
        *(_clock(headers, now()) if now is not None else ()),
        *await _groups(client, config),
        *[await _channel(client, one) for one in _channels(config)],
    ]


async def warn(client: AsyncWebClient, config: Config) -> None:
    """Put what is wrong into the log; behind a start, which does not wait for it. Never raises."""
    try:
        rows = await inspect(client, config, None)
    except Exception:
        log.exception("Slack could not be looked at")
        return
    for row in rows:
        if row.status in {"warn", "fail"}:
            log.warning("%s: %s. %s", row.name, row.message, row.fix)


def _scopes(headers: Mapping[str, Any]) -> Iterator[Sight]:
    given = {one.strip() for one in str(headers.get("x-oauth-scopes", "")).split(",")} - {""}
    missing = [scope for scope in SCOPES if scope not in given]
    if not given:
        yield Sight("slack scopes", "skip", "Slack does not say which scopes the token has")
    elif missing:
        fix = "Add them (manifest.yml has all) and install the app again."
        yield Sight("slack scopes", "fail", f"missing: {', '.join(missing)}", fix)
    else:
        yield Sight("slack scopes", "ok", f"all {len(SCOPES)} that are needed")


def _clock(headers: Mapping[str, Any], now: datetime) -> Iterator[Sight]:
    try:
        theirs = parsedate_to_datetime(str(headers["date"]))
    except (KeyError, ValueError, TypeError):
        yield Sight("slack clock", "skip", "Slack's answer has no date")
        return
    skew = int(abs((now - theirs).total_seconds()))
    fix = (
        f"Set the clock of this machine: from {WINDOW} s on every request of Slack is turned away."
    )
    if skew > WINDOW:
        yield Sight("slack clock", "fail", f"{skew} s away from Slack's", fix)
    elif skew > _SKEW:
        yield Sight("slack clock", "warn", f"{skew} s away from Slack's", fix)
    else:
        yield Sight("slack clock", "ok", f"within {_SKEW} s of Slack's")


async def _groups(client: AsyncWebClient, config: Config) -> list[Sight]:
    named = sorted(_deciding(config))
    if not named:
        return []
    try:
        answer = await client.usergroups_list(include_count=True)
    except TROUBLE as error:
        fix = "Without it nobody can promote: check the scope usergroups:read."
        return [Sight("slack groups", "fail", reason(error), fix)]
    found = {str(group.get("id")): group for group in answer.get("usergroups") or ()}
    return [await _group(client, one, found.get(one)) for one in named]


async def _group(client: AsyncWebClient, group: str, found: Mapping[str, Any] | None) -> Sight:
    if found is None or found.get("date_delete"):
        what = "is disabled" if found else "does not exist here"
        return Sight(f"group {group}", "fail", what, "Correct its id in sluice.yaml, or enable it.")
    name, count = f"group {group} @{found.get('handle', '')}", int(found.get("user_count") or 0)
    if count == 0:
        return Sight(name, "fail", "has no members: nobody may", "Add people to it.")
    editor = str(found.get("updated_by") or "")
    if editor and not await _is_admin(client, editor):
        return Sight(
            name,
            "warn",
            f"{count} members; last edited by {editor}, who is no admin: so not only admins say who is in it",
            "Let only admins edit user groups (workspace settings, permissions), or list people by their ids.",
        )
    return Sight(name, "ok", f"{count} members")


async def _is_admin(client: AsyncWebClient, user: str) -> bool:
    """Return whether somebody is an admin; who cannot be looked up proves nothing."""
    try:
        body = (await client.users_info(user=user)).get("user") or {}
    except TROUBLE:
        return True
    roles = ("is_admin", "is_owner", "is_primary_owner")
    return any(body.get(role) for role in roles) or bool(body.get("deleted"))


def _deciding(config: Config) -> set[str]:
    """Return the user groups on which it depends who may do something."""
    return {one for one in deciding(config) if one.startswith("S")}


def deciding(config: Config) -> set[str]:
    """Return everybody on whom it depends what may be done: user groups, and people by id."""
    blocks = [config.environment(name) for name in _environments(config)]
    named = {one for block in blocks for one in (*block.approvers, *block.break_glass)}
    for service in config.services.values():
        named |= {service.about.oncall or "", *service.about.owners}
    return {one for one in named if one.startswith(("S", "U", "W"))}


def _environments(config: Config) -> set[str]:
    used = {name for service in config.services.values() for name in service.targets}
    return used | set(config.environments)


def _channels(config: Config) -> list[str]:
    own = [service.about.channel for service in config.services.values() if service.about.channel]
    return list(dict.fromkeys([config.slack.channel, config.slack.alert_channel, *own]))


async def _channel(client: AsyncWebClient, channel: str) -> Sight:
    name = f"channel {channel}"
    try:
        answer = await client.conversations_info(channel=channel)
    except TROUBLE as error:
        fix = "Correct its id in sluice.yaml; a private one has to have the bot in it: /invite @sluice."
        return Sight(name, "fail", reason(error), fix)
    body = answer.get("channel") or {}
    if body.get("is_archived"):
        return Sight(name, "fail", "is archived", "Name another channel in sluice.yaml.")
    if not body.get("is_member"):
        return Sight(name, "fail", "the bot is not in it", "Say /invite @sluice there.")
    if body.get("is_ext_shared") or body.get("is_pending_ext_shared"):
        fix = "Nothing starts there: name a channel of your own, or end the sharing."
        return Sight(name, "fail", "is shared with another company (Slack Connect)", fix)
    return Sight(name, "ok", f"#{body.get('name', '')}, joined, not shared")
