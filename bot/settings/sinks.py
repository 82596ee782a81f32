"""The block `alerts`: who is told about rollouts, and about which of their events.

Pure. Every text in here may be `${NAME}` where it is an address or a secret, and whoever fills that in does it for all
kinds alike (`bot.settings.environment`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.fields import Flag, choice, refuse_at, whole
from bot.settings.names import SecretText, Text, Url
from bot.settings.secret import Secret

EVENTS = (
    "rollout.scheduled",
    "rollout.started",
    "rollout.waiting",
    "rollout.paused",
    "rollout.resumed",
    "rollout.rolling_back",
    "rollout.needs_attention",
    "rollout.succeeded",
    "rollout.rolled_back",
    "rollout.cancelled",
)
"""What a sink can subscribe to: one event per phase of a rollout, and one for going on."""

Event = Annotated[str, choice(*EVENTS, code="unknown_event")]
_CALLS = ("rollout.rolling_back", "rollout.rolled_back", "rollout.needs_attention")
_SPANS = ("rollout.started", "rollout.succeeded", "rollout.rolled_back", "rollout.cancelled")


class SinkBlock(Block):
    """What all kinds of sinks have in common."""

    kind: str
    url: Url = Field(repr=False)
    events: tuple[Event, ...] = ()

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


class PagerDutySinkBlock(SinkBlock):
    """A service of PagerDuty, by its integration of kind Events API v2."""

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretText
    url: Url = Field(default="https://events.pagerduty.com", repr=False)
    changes: Flag = True
    """Ordinary deploys are told as change events, which call nobody."""
    events: tuple[Event, ...] = _CALLS


class OpsgenieSinkBlock(SinkBlock):
    """An integration of Opsgenie, or of what speaks its Alert API."""

    kind: Literal["opsgenie"] = "opsgenie"
    api_key: SecretText
    url: Url = Field(default="https://api.opsgenie.com", repr=False)
    priority: Annotated[str, choice("P1", "P2", "P3", "P4", "P5")] = "P2"
    events: tuple[Event, ...] = _CALLS


class GrafanaSinkBlock(SinkBlock):
    """A Grafana that rollouts are drawn into."""

    kind: Literal["grafana"] = "grafana"
    url: Url = Field(repr=False)
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
