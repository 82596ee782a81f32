"""What is configured, as frozen values. One model per block of `sluice.yaml`; unknown keys are errors.

Pure. Field names are the keys of the file (but `from_`, which Python reserves); durations are whole seconds,
percentages percent, latencies milliseconds.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.checks import Checks
from bot.settings.fields import Flag, Seconds, choice, refuse_at, whole
from bot.settings.fitting import (
    Shape,
    cluster_faults,
    shape_faults,
    traffic_faults,
    where_faults,
)
from bot.settings.metrics import with_queries
from bot.settings.names import (
    Approver,
    ChannelId,
    ClusterName,
    MetricName,
    Name,
    ObjectName,
    PersonOrGroup,
    RawText,
    Repository,
    SecretText,
    Strategy,
    Text,
    Timezone,
    Url,
    WeekTimeText,
)
from bot.settings.scalars import did_you_mean, shown, suggestion
from bot.settings.traffic import TrafficField
from bot.settings.trials import MatchField, SmokeField
from bot.settings.ways import (
    AbTestBlock,
    BlueGreenBlock,
    CanaryBlock,
    DirectBlock,
    RecreateBlock,
    RollingBlock,
)
from bot.settings.workloads import WorkloadField
from strategies.cautions import PRODUCTION
from strategies.fitting import Lanes, Weights

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


class TargetMetrics(Block):
    """Where the numbers of a target come from."""

    source: Name
    template: Annotated[
        Literal["istio", "linkerd", "http", "envoy"],
        choice("istio", "linkerd", "http", "envoy", code="unknown_template"),
    ] = "istio"
    clusters: dict[ObjectName, ClusterName] = Field(default={})
    """By workload: the name of the cluster by which a proxy counts it, where that is another one."""

    @model_validator(mode="after")
    def _only_a_proxy_has_clusters(self) -> Self:
        if self.clusters and self.template != "envoy":
            sentence = "Only the template envoy tells workloads apart by clusters: take it, or remove clusters."
            raise refuse_at(("clusters", "clusters_not_for_template", sentence))
        return self


_WHERE = ("cluster", "namespace", "workload", "traffic")
"""The keys that say where the only target of a service runs."""


class PlaceBlock(Block):
    """One of several targets of a service in one environment."""

    name: Name
    cluster: Name | None = None
    """None only where nothing runs in one."""
    namespace: Name
    workload: WorkloadField
    traffic: TrafficField | None = None
    """None only where there is one place alone, or a pair whose pods split the traffic."""
    metrics: TargetMetrics | None = None
    """None: as the service in this environment says."""

    @property
    def lanes(self) -> Lanes:
        """See `TargetBlock.lanes`."""
        return self.workload.lanes_behind(self.traffic)

    @model_validator(mode="after")
    def _has_a_fitting_router(self) -> Self:
        faults = list(traffic_faults(self.workload, self.traffic))
        if self.cluster is None and self.workload.clustered:
            faults.append(("cluster", "missing_key", "The key cluster is missing here: add it."))
        if self.metrics is not None:
            faults += cluster_faults(self.metrics.clusters, [self.workload])
        if faults:
            raise refuse_at(*faults)
        return self


class TargetBlock(Block):
    """One service in one environment: where it runs, how traffic is split, what is watched."""

    cluster: Name | None = None
    """This, `namespace`, `workload` and `traffic` say where it runs, unless `targets` does."""
    namespace: Name | None = None
    workload: WorkloadField | None = None
    traffic: TrafficField | None = None
    """See `PlaceBlock`."""
    targets: tuple[PlaceBlock, ...] = ()
    """Several targets that one rollout drives, in the order in which it goes forward."""
    metrics: TargetMetrics
    queries: dict[MetricName, RawText] = Field(default={})
    """PromQL by metric name, for checks and A/B tests that name the metric without a query of their own."""
    canary: CanaryBlock = CanaryBlock()
    direct: DirectBlock = DirectBlock()
    recreate: RecreateBlock = RecreateBlock()
    blue_green: BlueGreenBlock = BlueGreenBlock()
    rolling: RollingBlock = RollingBlock()
    ab_test: AbTestBlock = AbTestBlock()
    smoke: tuple[SmokeField, ...] = ()
    match: tuple[MatchField, ...] = ()
    checks: Checks = ()
    min_requests: Annotated[int, whole(1, 1_000_000_000)] = 1000
    min_soak: Seconds | None = None
    strategy: Strategy | None = None
    """Overrides the strategy of the environment."""

    @property
    def lanes(self) -> Lanes:
        """Two places with fixed roles, two that swap roles, or one place whose instances move."""
        return self.places[0].lanes

    @cached_property
    def places(self) -> tuple[PlaceBlock, ...]:
        """Where it runs: one place without a name, or several with names."""
        if self.targets:
            return self.targets
        return (PlaceBlock.model_construct(name="", **{key: getattr(self, key) for key in _WHERE}),)

    @property
    def repository(self) -> str | None:
        """The image that versions are tags or digests of; None where a version is just a name."""
        return self.places[0].workload.repository

    @property
    def weights(self) -> Weights:
        """`switch`: the router, or what is rolled out, knows 0 and 100 percent only."""
        parts = [part for place in self.places for part in (place.workload, place.traffic)]
        return "switch" if any(part and part.weights == "switch" for part in parts) else "any"

    @field_validator("checks", mode="before")
    @classmethod
    def _checks_take_queries(cls, value: Any, info: ValidationInfo) -> Any:
        return with_queries(value, info.data.get("queries"))

    @field_validator("ab_test", mode="before")
    @classmethod
    def _yardsticks_take_queries(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict) or "metrics" not in value:
            return value
        return value | {"metrics": with_queries(value["metrics"], info.data.get("queries"))}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        where = {key: getattr(self, key) for key in _WHERE}
        faults = list(where_faults(where, [(x.name, x.lanes) for x in self.targets]))
        if not faults and self.workload is not None:
            faults = list(traffic_faults(self.workload, self.traffic))
        if not faults:
            routers = tuple(place.traffic for place in self.places)
            stops = all(place.workload.stops for place in self.places)
            shape = Shape(self.lanes, self.weights, routers, stops)
            faults = list(shape_faults(shape, self.match, self.strategy))
            runs = [place.workload for place in self.places if place.metrics is None]
            faults += cluster_faults(self.metrics.clusters, runs)
        if faults:
            raise refuse_at(*faults)
        return self


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
            if is_production(name) and isinstance(body, dict)
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
    return 1 if is_production(environment) else 0


def is_production(environment: str) -> bool:
    """Tell whether an environment is the one that is not opened unasked."""
    return environment in PRODUCTION


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> UnknownNameError:
    names = sorted(known)
    listed = ", ".join(names[:20]) or "none"
    return UnknownNameError(
        f"{shown(name)} is no {what} of {where}{did_you_mean(name, names)}. Known: {listed}.",
        code=f"unknown_{what}",
        suggestion=suggestion(name, names),
    )
