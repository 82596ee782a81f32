"""The kinds of alert sinks, each with the stand-in that it speaks to and the secret that it must not show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrations.alerts.grafana import GrafanaSink
from integrations.alerts.opsgenie import OpsgenieSink
from integrations.alerts.pagerduty import PagerDutySink
from integrations.alerts.webhook import WebhookSink
from tests.fakes.grafana import TOKEN, FakeGrafana
from tests.fakes.opsgenie import API_KEY, FakeOpsgenie
from tests.fakes.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.fakes.sink import Sink

SIGNING_KEY = "0123456789-signing-key"
CALLS = ("rollout.rolling_back", "rollout.rolled_back", "rollout.needs_attention")
SPANS = ("rollout.started", "rollout.succeeded", "rollout.rolled_back", "rollout.cancelled")


class WebhookReceiver(Sink):
    """A receiver of webhooks; it tells repeats by their id."""

    def __init__(self) -> None:
        super().__init__(SIGNING_KEY.encode())

    async def start(self) -> "WebhookReceiver":
        self.url = await super().start()
        return self

    @property
    def asked(self) -> list[Any]:
        return self.deliveries

    @property
    def changes(self) -> list[str]:
        return sorted({one.id for one in self.deliveries if one.genuine})


@dataclass(frozen=True)
class World:
    fake: Callable[[], Any]
    sink: Callable[..., Any]
    """Makes a sink for an address; `secret` takes the place of the right one."""
    secret: str


def _webhook(url, secret=SIGNING_KEY, **more):
    return WebhookSink(url, secret=secret, **more)


def _pagerduty(url, secret=ROUTING_KEY, **more):
    return PagerDutySink(url, routing_key=secret, **({"events": CALLS} | more))


def _opsgenie(url, secret=API_KEY, **more):
    return OpsgenieSink(url, api_key=secret, **({"events": CALLS} | more))


def _grafana(url, secret=TOKEN, **more):
    return GrafanaSink(url, token=secret, **({"events": SPANS} | more))


WORLDS = {
    "webhook": World(WebhookReceiver, _webhook, SIGNING_KEY),
    "pagerduty": World(FakePagerDuty, _pagerduty, ROUTING_KEY),
    "opsgenie": World(FakeOpsgenie, _opsgenie, API_KEY),
    "grafana": World(FakeGrafana, _grafana, TOKEN),
}
