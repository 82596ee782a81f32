"""The block `alerts`: who is told about rollouts, and about which of their events.

Pure. Every text in here may be `${NAME}` where it is an address or a secret, and whoever fills that in does it for all
kinds alike (`bot.settings.environment`).
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.fields import Fault, Flag, choice, refuse_at, whole
from bot.settings.names import PLACEHOLDER, SecretText, Text, Url, is_url
from bot.settings.secret import Secret

EVENTS = (
    "rollout.scheduled",
    "rollout.started",
    "rollout.waiting",
    "rollout.paused",
    "rollout.resumed",
    "rollout.rolling_back",
    "rollout.needs_attention",
    "rollout.unanswered",
    "rollout.succeeded",
    "rollout.rolled_back",
    "rollout.cancelled",
    "rollout.glass_broken",
)
"""What a sink can subscribe to: one event per phase of a rollout, one each for going on, silence and broken glass."""

Event = Annotated[str, choice(*EVENTS, code="unknown_event")]
_CALLS = (
    "rollout.rolling_back",
    "rollout.rolled_back",
    "rollout.needs_attention",
    "rollout.unanswered",
)
_CALLING = (*_CALLS, "rollout.paused")
"""The only events that can call anybody."""
_SPANS = ("rollout.started", "rollout.succeeded", "rollout.rolled_back", "rollout.cancelled")


class SinkBlock(Block):
    """What all kinds of sinks have in common."""

    kind: str
    url: Url = Field(repr=False)
    events: tuple[Event, ...] = ()
    key: ClassVar[str] = "secret"
    """The name of what opens it."""
    path: ClassVar[str] = ""
    """What is put behind `url`; empty: it is called as it is."""
    hears: ClassVar[tuple[str, ...]] = EVENTS
    """The events that it can do something with."""

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Yield what cannot work, as key, code and sentence, which repeats none of it. What is not filled in may."""
        if not PLACEHOLDER.search(self.url):
            yield from self._url_faults()
        text = getattr(self, self.key).reveal()
        if not PLACEHOLDER.search(text) and (sentence := self._key_fault(text)):
            yield (self.key, "bad_secret", sentence)

    def _url_faults(self) -> Iterator[tuple[str, str, str]]:
        if not is_url(self.url):
            yield ("url", "bad_url", "This is no web address: write it like https://host/path.")
            return
        parts = urlsplit(self.url)
        if self.path and ("@" in parts.netloc or parts.query or parts.fragment):
            sentence = (
                f"This address has a user, a query or a fragment, and {self.path} is put behind it: write it like "
                "https://host."
            )
            yield ("url", "bad_url", sentence)
        elif self.path and parts.path.rstrip("/").endswith(self.path):
            yield ("url", "bad_url", f"{self.path} is put behind this address: remove it here.")

    def _key_fault(self, text: str) -> str:
        if not text.isascii() or not text.isprintable() or " " in text:
            return "This has characters that no key has: copy it again."
        return ""

    def _event_faults(self) -> Iterator[Fault]:
        if not self.events and not getattr(self, "changes", False):
            sentence = "Without events nothing is ever told here: name one, or remove this sink."
            yield (("events",), "empty_value", sentence)
        for index, event in enumerate(self.events):
            if event not in self.hears:
                sentence = f"{event} never calls anybody: take {' or '.join(self.hears)}."
                yield (("events", index), "unknown_event", sentence)

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if faults := [*self.faults(), *self._event_faults()]:
            raise refuse_at(*faults)
        return self

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with; its secrets are in there as they are."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}
        return {k: v.reveal() if isinstance(v, Secret) else v for k, v in values.items()}

    def identity(self) -> str:
        """Return what stays the same while other keys are corrected: what waits for a sink is kept under that."""
        return self.url.rstrip("/")


class AlertBlock(SinkBlock):
    """A receiver of Standard Webhooks."""

    kind: Literal["webhook"] = "webhook"
    secret: SecretText
    events: tuple[Event, ...] = ("rollout.rolled_back",)

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with."""
        return {key: value for key, value in super().options().items() if key != "events"}

    def _key_fault(self, text: str) -> str:
        prefix, sep, encoded = text.partition("whsec_")
        if prefix or not sep:
            return ""
        try:
            known = bool(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            known = False
        return "" if known else "What follows whsec_ is no base64: copy it again."


class PagerDutySinkBlock(SinkBlock):
    """A service of PagerDuty, by its integration of kind Events API v2."""

    kind: Literal["pagerduty"] = "pagerduty"
    key: ClassVar[str] = "routing_key"
    path: ClassVar[str] = "/v2/enqueue"
    hears: ClassVar[tuple[str, ...]] = _CALLING
    routing_key: SecretText
    url: Url = Field(default="https://events.pagerduty.com", repr=False)
    changes: Flag = True
    """Ordinary deploys are told as change events, which call nobody."""
    events: tuple[Event, ...] = _CALLS


class OpsgenieSinkBlock(SinkBlock):
    """An integration of Opsgenie, or of what speaks its Alert API."""

    kind: Literal["opsgenie"] = "opsgenie"
    key: ClassVar[str] = "api_key"
    path: ClassVar[str] = "/v2/alerts"
    hears: ClassVar[tuple[str, ...]] = _CALLING
    api_key: SecretText
    url: Url = Field(default="https://api.opsgenie.com", repr=False)
    priority: Annotated[str, choice("P1", "P2", "P3", "P4", "P5")] = "P2"
    events: tuple[Event, ...] = _CALLS


class GrafanaSinkBlock(SinkBlock):
    """A Grafana that rollouts are drawn into."""

    kind: Literal["grafana"] = "grafana"
    url: Url = Field(repr=False)
    key: ClassVar[str] = "token"
    path: ClassVar[str] = "/api/annotations"
    token: SecretText
    dashboard: Text | None = None
    """Its uid; None: an annotation of the organisation, found by its tags."""
    panel: Annotated[int, whole(0, 1_000_000)] | None = None
    tags: tuple[Text, ...] = ()
    events: tuple[Event, ...] = _SPANS

    def identity(self) -> str:
        """Return what stays the same while other keys are corrected."""
        return f"{super().identity()} {self.dashboard} {self.panel}"

    @model_validator(mode="after")
    def _is_a_place(self) -> "GrafanaSinkBlock":
        if self.panel is not None and self.dashboard is None:
            raise refuse_at(
                (
                    "dashboard",
                    "missing_key",
                    "A panel is one of a dashboard: add its uid as dashboard.",
                )
            )
        return self


Sink = AlertBlock | PagerDutySinkBlock | OpsgenieSinkBlock | GrafanaSinkBlock
SINKS: dict[str, type[Block]] = {
    "webhook": AlertBlock,
    "pagerduty": PagerDutySinkBlock,
    "opsgenie": OpsgenieSinkBlock,
    "grafana": GrafanaSinkBlock,
}
SinkField = Annotated[Sink, by_kind(SINKS)]
