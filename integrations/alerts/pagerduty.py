"""Pages through PagerDuty's Events API v2, and tells it of ordinary deploys as change events, which page nobody.

The one rule: one incident per thing that is wrong (`rollout/<id>/rollback`, `rollout/<id>/attention`), whatever was
sent twice. https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from integrations.alert import Alert
from integrations.alerts.paging import (
    Call,
    Change,
    Close,
    Open,
    calls,
    follows,
    links,
    sentence,
    summary,
)
from integrations.alerts.receiver import Receiver, encoded, key_of

_MOST_BYTES = 512_000
_MOST_SUMMARY = 1024
_MOST_DEDUP = 255
_MOST_REASON = 500


class PagerDutySink:
    """An `AlertSink` for one service of PagerDuty. Raises `RefusedError` (`bad_url`, `bad_secret`)."""

    def __init__(
        self,
        url: str,
        *,
        routing_key: str,
        events: Collection[str],
        changes: bool = True,
        name: str = "pagerduty",
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self._receiver = Receiver(url, timeout=timeout)
        self._url = url.rstrip("/")
        self._key = key_of(routing_key)
        self._events = frozenset(events)
        self._changes = changes
        self.follows = follows(events, changes=changes)

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Send what the event leads to, in order. Raises `TryAgainError` or `RefusedError`."""
        for call in calls(alert, self._events, changes=self._changes):
            path = "/v2/change/enqueue" if isinstance(call, Change) else "/v2/enqueue"
            body = body_of(alert, call, self._key)
            await self._receiver.send("POST", self._url + path, body, {}, now=now)

    async def close(self) -> None:
        """Close the client."""
        await self._receiver.close()

    def __repr__(self) -> str:
        return f"PagerDutySink({self._receiver.where!r}, name={self.name!r})"


def body_of(alert: Alert, call: Call, routing_key: str) -> bytes:
    """Return the body of one call, at most 512 kB: where it is larger, the details are what tells them apart.

    Raises `RefusedError` (`alert_not_json`).
    """
    body = encoded(_event(alert, call, alert.data) | {"routing_key": routing_key})
    if len(body) <= _MOST_BYTES:
        return body
    few = {key: str(alert.data.get(key, ""))[:_MOST_REASON] for key in ("id", "reason")}
    return encoded(_event(alert, call, {**few, "truncated": True}) | {"routing_key": routing_key})


def _event(alert: Alert, call: Call, details: Mapping[str, Any]) -> dict[str, Any]:
    match call:
        case Open(about=about, severity=severity):
            slack = links(alert).get("Slack")
            return {
                "event_action": "trigger",
                "dedup_key": _dedup_key(alert, about),
                "payload": {**_payload(alert, details), **_place(alert), "severity": severity},
                "links": _links(alert),
                "client": "Sluice",
                **({"client_url": slack} if slack else {}),
            }
        case Close(about=about):
            return {"event_action": "resolve", "dedup_key": _dedup_key(alert, about)}
        case Change():
            return {"payload": _payload(alert, details), "links": _links(alert)}
        case _ as unknown:
            assert_never(unknown)


def _dedup_key(alert: Alert, about: str) -> str:
    return f"rollout/{alert.data.get('id', alert.id)}/{about}"[:_MOST_DEDUP]


def _payload(alert: Alert, details: Mapping[str, Any]) -> dict[str, Any]:
    parts = [str(alert.data[key]) for key in ("service", "environment") if alert.data.get(key)]
    return {
        "summary": summary(alert, _MOST_SUMMARY),
        "source": "/".join(parts) or "sluice",
        "timestamp": alert.at.astimezone(UTC).isoformat(),
        "custom_details": {
            **details,
            "event": alert.type,
            "sentence": sentence(alert)[:_MOST_SUMMARY],
        },
    }


def _place(alert: Alert) -> dict[str, str]:
    named = {"component": "service", "group": "environment", "class": "reason_code"}
    return {key: str(alert.data[name]) for key, name in named.items() if alert.data.get(name)}


def _links(alert: Alert) -> list[dict[str, str]]:
    return [{"href": url, "text": name} for name, url in links(alert).items()]
