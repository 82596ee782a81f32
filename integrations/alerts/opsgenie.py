"""Calls people through Opsgenie, or through anything that speaks its Alert API (Jira Service Management does).

The one rule: one alert per thing that is wrong, told apart by its alias, whatever was sent twice. Answers come before
the work is done there (202), so nothing but the status counts. https://docs.opsgenie.com/docs/alert-api
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import quote

from integrations.alert import Alert
from integrations.alerts.paging import (
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

_MOST_MESSAGE = 130
_MOST_ALIAS = 512
_MOST_DESCRIPTION = 15_000
_MOST_DETAIL = 500
_DETAILS = ("id", "service", "environment", "from_version", "to_version", "reason_code", "weight")


class OpsgenieSink:
    """An `AlertSink` for one integration of Opsgenie. Raises `RefusedError` (`bad_url`, `bad_secret`)."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        events: Collection[str],
        priority: str = "P2",
        name: str = "opsgenie",
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self._receiver = Receiver(url, timeout=timeout)
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"GenieKey {key_of(api_key)}"}
        self._events = frozenset(events)
        self._priority = priority
        self.follows = follows(events)

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Send what the event leads to, in order. Raises `TryAgainError` or `RefusedError`."""
        for call in calls(alert, self._events):
            match call:
                case Open(about=about):
                    path, body = "/v2/alerts", _opened(alert, about, self._priority)
                case Close(about=about):
                    alias = quote(_alias(alert, about), safe="")
                    path, body = f"/v2/alerts/{alias}/close?identifierType=alias", _closed(alert)
                case Change():
                    continue
                case _ as unknown:
                    assert_never(unknown)
            url = self._url + path
            await self._receiver.send("POST", url, encoded(body), self._headers, now=now)

    async def close(self) -> None:
        """Close the client."""
        await self._receiver.close()

    def __repr__(self) -> str:
        return f"OpsgenieSink({self._receiver.where!r}, name={self.name!r})"


def _alias(alert: Alert, about: str) -> str:
    # No slash: servers disagree on what one means in a path.
    return f"rollout-{alert.data.get('id', alert.id)}-{about}"[:_MOST_ALIAS]


def _opened(alert: Alert, about: str, priority: str) -> dict[str, Any]:
    found = {key: alert.data.get(key) for key in _DETAILS}
    known = {key: str(value)[:_MOST_DETAIL] for key, value in found.items() if value is not None}
    return {
        "message": summary(alert, _MOST_MESSAGE),
        "alias": _alias(alert, about),
        "description": sentence(alert)[:_MOST_DESCRIPTION],
        "details": {**known, **links(alert)},
        "entity": str(alert.data.get("service", ""))[:_MOST_DETAIL],
        "source": "sluice",
        "priority": priority,
    }


def _closed(alert: Alert) -> dict[str, Any]:
    return {"source": "sluice", "note": sentence(alert)[:_MOST_DESCRIPTION]}
