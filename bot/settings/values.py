"""What is configured, as frozen values. One model per block of `sluice.yaml`; unknown keys are errors.

Pure. Field names are the keys of the file (but `from_`, which Python reserves); durations are whole seconds,
percentages percent, latencies milliseconds.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.checks import CheckField
from bot.settings.fields import Flag, Seconds, SecondsOrZero, choice, refuse, refuse_at, whole
from bot.settings.lists import Soaks, Steps
from bot.settings.names import (
    Approver,
    ChannelId,
    Image,
    Name,
    ObjectName,
    PersonOrGroup,
    Repository,
    SecretText,
    Strategy,
    Text,
    Timezone,
    Url,
    WeekTimeText,
)
from bot.settings.scalars import PRESETS, complete_steps, did_you_mean, shown, suggestion

_PRODUCTION = ("production", "prod")

EVENTS = (
    "rollout.scheduled",
    "rollout.started",
    "rollout.waiting",
    "rollout.paused",
    "rollout.rolling_back",
    "rollout.needs_attention",
    "rollout.succeeded",
    "rollout.rolled_back",
    "rollout.cancelled",
)
"""What a sink can subscribe to: one event per phase of a rollout."""


class SlackBlock(Block):
    """Where the bot speaks."""

    channel: ChannelId
    alert_channel: ChannelId


class ClusterBlock(Block):
    """How to reach a Kubernetes cluster. Both absent: the one this process runs in."""

    kubeconfig: Text | None = None
    context: Text | None = None


class MetricsBlock(Block):
    """A Prometheus, or anything that speaks its API."""

    kind: Literal["prometheus"] = "prometheus"
    url: Url = Field(repr=False)
    bearer_token_file: Text | None = None
    ca_file: Text | None = None
    timeout: Seconds = 5


class AlertBlock(Block):
    """A receiver of Standard Webhooks."""

    kind: Literal["webhook"] = "webhook"
    url: Url = Field(repr=False)
    secret: SecretText
    events: tuple[Annotated[str, choice(*EVENTS, code="unknown_event")], ...] = (
        "rollout.rolled_back",
    )


class FreezeWindow(Block):
    """A stretch of every week in which nothing starts; it may reach over Sunday midnight."""

    from_: WeekTimeText = Field(alias="from")
    to: WeekTimeText
    timezone: Timezone

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.from_ == self.to:
            raise refuse_at(
                ("to", "bad_window", "The window ends where it begins: give another end.")
            )
        return self


class EnvironmentBlock(Block):
    """What an environment asks of every rollout in it."""

    strategy: Strategy | None = None
    approvers: tuple[Approver, ...] = ()
    """User groups, users and `token:NAME`; empty: nobody may promote."""
    approvals: Annotated[int, whole(0, 20)] = 0
    self_approval: Flag = False
    gate_expires: Seconds = 86_400
    on_expiry: Annotated[Literal["hold", "rollback"], choice("hold", "rollback")] = "hold"
    freeze: tuple[FreezeWindow, ...] = ()


class About(Block):
    """Whose a service is and who is told."""

    owners: tuple[PersonOrGroup, ...] = ()
    oncall: PersonOrGroup | None = None
    channel: ChannelId | None = None
    critical: Flag = False
    instances: Annotated[int, whole(1, 100_000)] | None = None
    repository: Repository | None = None


class DeploymentPair(Block):
    """Two Deployments of the same software, one per lane. Their names tell the lanes apart."""

    kind: Literal["deployment"] = "deployment"
    stable: ObjectName
    canary: ObjectName
    container: Name
    image: Image
    """The repository, without tag or digest."""

    @model_validator(mode="after")
    def _has_two_lanes(self) -> Self:
        if self.stable == self.canary:
            raise refuse_at(
                (
                    "canary",
                    "same_workload",
                    "Stable and canary are the same Deployment: name two different ones.",
                )
            )
        return self


class IstioTraffic(Block):
    """A VirtualService that splits between the lanes."""

    kind: Literal["istio"] = "istio"
    virtual_service: ObjectName
    route: Text | None = None
    """The name of the http route; None: the only one that splits."""


class TargetMetrics(Block):
    """Where the numbers of a target come from."""

    source: Name
    template: Annotated[
        Literal["istio", "http"], choice("istio", "http", code="unknown_template")
    ] = "istio"


class CanaryBlock(Block):
    """How a canary climbs."""

    steps: Steps = PRESETS["standard"]
    """Percent, rising; the last is always 100."""
    soak: Soaks = (300,)
    """Seconds: one value for all steps, or one per step (a last step of 100 that was added repeats the last one)."""
    auto_promote: Flag = False
    retention: SecondsOrZero = 0

    @field_validator("soak", mode="after")
    @classmethod
    def _one_soak_per_step(cls, soak: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        steps = info.data.get("steps")
        if steps is not None and len(soak) not in {1, len(steps)}:
            raise refuse(
                "soak_count",
                f"There are {len(soak)} soaks for {len(steps)} steps: give one for all, or one per step.",
            )
        return soak

    @model_validator(mode="after")
    def _ends_at_100(self) -> Self:
        if self.steps[-1] < 100:
            # Only here both lists are known as they were given; a frozen model can still complete itself.
            object.__setattr__(self, "steps", complete_steps(self.steps))
            if len(self.soak) > 1:
                object.__setattr__(self, "soak", (*self.soak, self.soak[-1]))
        return self


class TargetBlock(Block):
    """One service in one environment: where it runs, how traffic is split, what is watched."""

    cluster: Name
    namespace: Name
    workload: Annotated[DeploymentPair, by_kind({"deployment": DeploymentPair})]
    traffic: Annotated[IstioTraffic, by_kind({"istio": IstioTraffic})]
    metrics: TargetMetrics
    canary: CanaryBlock = CanaryBlock()
    checks: tuple[CheckField, ...] = ()
    min_requests: Annotated[int, whole(1, 1_000_000_000)] = 1000
    strategy: Strategy | None = None
    """Overrides the strategy of the environment."""


class Service(Block):
    """One service and where it runs. In the file every key but `about` is an environment."""

    about: About = About()
    targets: dict[Name, TargetBlock] = Field(default_factory=dict)
    """By environment."""


class UnknownNameError(LookupError):
    """A service or environment that is not configured. `str()` is a sentence; `code` says which of the two."""

    def __init__(self, sentence: str, *, code: str, suggestion: str | None) -> None:
        super().__init__(sentence)
        self.code = code
        self.suggestion = suggestion


class Config(Block):
    """All of `sluice.yaml`."""

    slack: SlackBlock
    clusters: dict[Name, ClusterBlock]
    metrics: dict[Name, Annotated[MetricsBlock, by_kind({"prometheus": MetricsBlock})]]
    alerts: tuple[Annotated[AlertBlock, by_kind({"webhook": AlertBlock})], ...] = ()
    environments: dict[Name, EnvironmentBlock] = Field(default_factory=dict)
    services: dict[Name, Service]

    @field_validator("environments", mode="before")
    @classmethod
    def _production_asks(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"approvals": default_approvals(name), **body}
            if name in _PRODUCTION and isinstance(body, dict)
            else body
            for name, body in value.items()
        }

    def environment(self, name: str) -> EnvironmentBlock:
        """Return what an environment asks; one that is not listed asks for the defaults."""
        return self.environments.get(name) or EnvironmentBlock(approvals=default_approvals(name))

    def service(self, name: str) -> Service:
        """Return a service. Raises `UnknownNameError` `unknown_service`."""
        if name not in self.services:
            raise _unknown("service", name, self.services, "sluice.yaml")
        return self.services[name]

    def target(self, service: str, environment: str) -> TargetBlock:
        """Return one service in one environment.

        Raises `UnknownNameError` `unknown_service` or `unknown_environment`.
        """
        targets = self.service(service).targets
        if environment not in targets:
            raise _unknown("environment", environment, targets, service)
        return targets[environment]


def default_approvals(environment: str) -> int:
    """Return how many approvals an environment asks for when nothing is written: production is not opened unasked."""
    return 1 if environment in _PRODUCTION else 0


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> UnknownNameError:
    names = sorted(known)
    listed = ", ".join(names[:20]) or "none"
    return UnknownNameError(
        f"{shown(name)} is no {what} of {where}{did_you_mean(name, names)}. Known: {listed}.",
        code=f"unknown_{what}",
        suggestion=suggestion(name, names),
    )
