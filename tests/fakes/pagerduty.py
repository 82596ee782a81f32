"""PagerDuty's Events API v2: incidents by deduplication key, change events, and 400 for what breaks its rules."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.receiver import FakeReceiver

ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Incident:
    key: str
    summaries: list[str] = field(default_factory=list)
    severity: str = ""
    open: bool = True


class FakePagerDuty(FakeReceiver):
    def __init__(self, routing_key: str = ROUTING_KEY) -> None:
        super().__init__()
        self.incidents: list[Incident] = []
        self.deploys: list[dict[str, Any]] = []
        """The change events."""
        self._routing_key = routing_key

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/s3cret-path/v2/enqueue", self._event)
        router.add_post("/s3cret-path/v2/change/enqueue", self._change)

    @property
    def changes(self) -> list[Any]:
        return [one.key for one in self.incidents]

    def open(self) -> list[str]:
        return [one.key.rpartition("/")[2] for one in self.incidents if one.open]

    async def _event(self, request: web.Request) -> web.Response:
        body = await request.json()
        action, key = body.get("event_action"), body.get("dedup_key", "")
        if action == "resolve" and self._routed(body):
            # Without an open alert it is dropped, and answered all the same.
            for one in self._open(key):
                one.open = False
        elif action == "trigger" and self._valid(body) and 0 < len(key) <= 255:
            incident = next(iter(self._open(key)), None)
            if incident is None:
                incident = Incident(key)
                self.incidents.append(incident)
            incident.summaries.append(body["payload"]["summary"])
            incident.severity = body["payload"]["severity"]
        else:
            return _bad()
        return web.json_response({"status": "success", "dedup_key": key}, status=202)

    async def _change(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not self._routed(body) or not self._summarised(body):
            return _bad()
        self.deploys.append(body)
        return web.json_response({"status": "success"}, status=202)

    def _open(self, key: str) -> list[Incident]:
        return [one for one in self.incidents if one.open and one.key == key]

    def _routed(self, body: dict[str, Any]) -> bool:
        return body.get("routing_key") == self._routing_key

    def _summarised(self, body: dict[str, Any]) -> bool:
        return 0 < len(body.get("payload", {}).get("summary", "")) <= 1024

    def _valid(self, body: dict[str, Any]) -> bool:
        payload = body.get("payload", {})
        return (
            self._routed(body)
            and self._summarised(body)
            and bool(payload.get("source"))
            and payload.get("severity") in {"critical", "error", "warning", "info"}
        )


def _bad() -> web.Response:
    return web.json_response({"status": "invalid event"}, status=400)
