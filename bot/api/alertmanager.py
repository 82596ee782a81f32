"""The door of Alertmanager: its webhook (version 4) becomes alerts, each read as strictly as it matters.

A payload may be templated by whoever runs it, so what is not needed is not looked at. Alertmanager sends again after
5xx and never after 4xx: so 200 comes behind the commit, and 4xx only where sending again could not help.
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.api.answers import problem
from bot.commands import Commands, Refusal
from bot.commands.alarming import Notice
from bot.rollout.alarms import Alarm

PATH = "/hooks/alertmanager/{token}"

_LINK = re.compile(r"https?://[!-;=?-{}~]{1,1000}", re.ASCII | re.IGNORECASE)
_SHOWN_LABELS, _MOST_NAME, _MOST_LABEL = 6, 100, 60


class AlertmanagerDoor:
    """Answers `POST /hooks/alertmanager/{token}`."""

    def __init__(self, commands: Commands, token: str) -> None:
        """`token` is the one of the configuration, `""` where there is no such block: then the door is shut."""
        self._commands = commands
        self._token = token

    async def receive(self, request: web.Request) -> web.Response:
        """Take one delivery. Nothing is read of it before its token is right."""
        if not self._token:
            return problem(
                404, "hook_off", "No alerts are taken here. Add the block alertmanager to sluice.yaml."
            )  # fmt: skip
        given = request.match_info["token"].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, self._token.encode()):
            return problem(
                401, "bad_hook_token", "The end of this address is not the token that alertmanager has in sluice.yaml."
            )  # fmt: skip
        await self._commands.alarm(notices_from(await _json(request)))
        return web.json_response({"status": "ok"})


async def _json(request: web.Request) -> Any:
    raw = await request.read()
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal("The body is not JSON.", code="bad_json", status=422) from error


def notices_from(body: Any) -> list[Notice]:
    """Return the alerts of a delivery. Raises `Refusal` 422 that names what is wrong."""
    if not isinstance(body, dict) or body.get("version") != "4":
        raise _odd('is not "4", the version of the webhook that is understood', key="version")
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise _odd("is not a list", key="alerts")
    made = [_notice(f"alerts[{n}]", alert) for n, alert in enumerate(alerts)]
    missing = body.get("truncatedAlerts", 0)
    if type(missing) is not int or missing < 0:
        raise _odd("is not a number of alerts", key="truncatedAlerts")
    if missing and any(one.firing for one in made):
        # What is left out has no identity of its own: another message may hide other alerts.
        beside = sorted(one.key for one in made if one.firing)
        made.append(_left_out(body, missing, beside))
    return made


def _notice(where: str, alert: Any) -> Notice:
    if not isinstance(alert, dict):
        raise _odd("is not an object", key=where)
    labels = _labels(alert.get("labels"), f"{where}.labels")
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise _odd("is neither firing nor resolved", key=f"{where}.status")
    starts = _moment(alert.get("startsAt"), f"{where}.startsAt")
    mark = alert.get("fingerprint") or json.dumps(sorted(labels.items()))  # old senders have none
    if not isinstance(mark, str):
        raise _odd("is not a text", key=f"{where}.fingerprint")
    link = alert.get("generatorURL")
    return Notice(
        key=_digest(mark, starts.isoformat(), status),
        firing=status == "firing",
        labels=labels,
        alarm=Alarm(
            name=_shown(labels.get("alertname") or "without a name", _MOST_NAME),
            labels=_shown_labels(labels),
            starts=starts,
            link=link if isinstance(link, str) and _LINK.fullmatch(link) else "",
        ),
    )


def _left_out(body: Mapping[str, Any], missing: int, beside: Sequence[str]) -> Notice:
    """Return what stands for the alerts that the sender left out: they have the labels of their group."""
    labels = {
        **_labels(body.get("commonLabels") or {}, "commonLabels"),
        **_labels(body.get("groupLabels") or {}, "groupLabels"),
    }
    group = str(body.get("groupKey", "")) or json.dumps(sorted(labels.items()))
    name = f"{missing} that were left out of the message"
    return Notice(
        key=_digest(group, "left out", str(missing), *beside),
        firing=True,
        labels=labels,
        alarm=Alarm(name, _shown_labels(labels), starts=None),
        hidden=True,
    )


def _labels(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise _odd("is not a block of labels", key=where)
    return value


def _moment(value: Any, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _odd("is not a time with a zone", key=where)


def _odd(what: str, *, key: str) -> Refusal:
    return Refusal(
        f"This is not what Alertmanager sends: {key} {what}.", code="bad_body", status=422, key=key
    )


def _digest(*parts: str) -> str:
    text = json.dumps(parts)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _shown_labels(labels: Mapping[str, str]) -> str:
    known = [(name, value) for name, value in sorted(labels.items()) if name != "alertname"]
    some = [f"{_shown(name, _MOST_LABEL)}={_shown(value, _MOST_LABEL)}" for name, value in known]
    more = [f"{len(known) - _SHOWN_LABELS} more"] if len(known) > _SHOWN_LABELS else []
    return ", ".join([*some[:_SHOWN_LABELS], *more])


def _shown(text: str, most: int) -> str:
    """Return foreign text on one line, cut; what makes it harmless in Slack is done there."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
