"""Draws rollouts into Grafana's dashboards: a region from the start to the end, a line for whatever else is asked for.

The one rule: nothing is remembered here. What was drawn is found again by its tags (`rollout:<id>`, `event:<id>`), so a
repeat draws nothing twice, and the end finds its beginning after any restart.
https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

import html
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from integrations.alert import Alert
from integrations.alerts.paging import sentence
from integrations.alerts.receiver import Receiver, encoded, key_of

_BEGINS = "rollout.started"
_ENDS = frozenset({"rollout.succeeded", "rollout.rolled_back", "rollout.cancelled"})
_MOST_TEXT = 2000
_MOST_TAG = 100

Stroke = Literal["begin", "end", "line"]


class GrafanaSink:
    """An `AlertSink` for one Grafana. Raises `RefusedError` (`bad_url`, `bad_secret`)."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        events: Collection[str],
        dashboard: str | None = None,
        panel: int | None = None,
        tags: Sequence[str] = (),
        name: str = "grafana",
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self._receiver = Receiver(url, timeout=timeout)
        self._url = f"{url.rstrip('/')}/api/annotations"
        self._headers = {"Authorization": f"Bearer {key_of(token)}"}
        self._events = frozenset(events)
        self.follows = _ENDS if _BEGINS in events else frozenset()
        self._place = {
            **({"dashboardUID": dashboard} if dashboard else {}),
            **({"panelId": panel} if panel is not None else {}),
        }
        self._tags = tuple(tags)

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Draw it. Raises `TryAgainError` or `RefusedError`."""
        match stroke(alert, self._events):
            case None:
                return
            case "begin":
                await self._draw_once(alert, _region(alert), {"time": _ms(alert.at)}, now)
            case "end":
                await self._end(alert, now)
            case "line":
                await self._draw_once(alert, f"event:{alert.id}", {"time": _ms(alert.at)}, now)

    async def close(self) -> None:
        """Close the client."""
        await self._receiver.close()

    def __repr__(self) -> str:
        return f"GrafanaSink({self._receiver.where!r}, name={self.name!r})"

    async def _end(self, alert: Alert, now: datetime) -> None:
        """End the region, or draw it whole where its beginning was never drawn."""
        tag, end = _region(alert), {"timeEnd": _ms(alert.at)}
        drawn = await self._find(tag, now)
        for one in drawn:
            body = {**end, "text": _text(alert), "tags": self._all_tags(alert, tag)}
            url = f"{self._url}/{one}"
            await self._receiver.send("PATCH", url, encoded(body), self._headers, now=now)
        begun = _began(alert)
        # What was called off before its start has no stretch of time.
        if not drawn and begun is not None and alert.type != "rollout.cancelled":
            await self._draw(alert, tag, {"time": _ms(begun), **end}, now)

    async def _draw_once(
        self, alert: Alert, tag: str, times: dict[str, int], now: datetime
    ) -> None:
        if not await self._find(tag, now):
            await self._draw(alert, tag, times, now)

    async def _draw(self, alert: Alert, tag: str, times: dict[str, int], now: datetime) -> None:
        body = {
            **self._place,
            **times,
            "tags": self._all_tags(alert, tag),
            "text": _text(alert),
        }
        await self._receiver.send("POST", self._url, encoded(body), self._headers, now=now)

    async def _find(self, tag: str, now: datetime) -> list[int]:
        """Return the ids of the annotations with this tag."""
        query = urlencode({"tags": tag, "type": "annotation", "limit": 10})
        found = await self._receiver.search(f"{self._url}?{query}", self._headers, now=now)
        if not isinstance(found, list) or not all(_is_annotation(one) for one in found):
            raise self._receiver.unreadable()
        # Held against the tag once more: an old server that ignores the question answers with everything.
        return [one["id"] for one in found if tag in one["tags"]]

    def _all_tags(self, alert: Alert, tag: str) -> list[str]:
        named = [
            f"{key}:{alert.data[key]}" for key in ("service", "environment") if alert.data.get(key)
        ]
        what = alert.type.removeprefix("rollout.")
        return [one[:_MOST_TAG] for one in (*self._tags, "sluice", *named, tag, what)]


def stroke(alert: Alert, events: Collection[str]) -> Stroke | None:
    """Return how an event is drawn; a region that is begun is also ended."""
    if _BEGINS in events and alert.type in {_BEGINS, *_ENDS}:
        return "begin" if alert.type == _BEGINS else "end"
    return "line" if alert.type in events else None


def _is_annotation(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and type(one.get("id")) is int
        and isinstance(one.get("tags", None), list)
    )


def _region(alert: Alert) -> str:
    return f"rollout:{alert.data.get('id', alert.id)}"


def _began(alert: Alert) -> datetime | None:
    timings = alert.data.get("timings")
    created = timings.get("created") if isinstance(timings, dict) else None
    return datetime.fromisoformat(created) if created else None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _text(alert: Alert) -> str:
    """Return the sentence; Grafana shows annotations as HTML."""
    return html.escape(sentence(alert)[:_MOST_TEXT])
