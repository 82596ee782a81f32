"""A target: one service in one environment. Where it runs, how traffic is split, what is watched.

Pure. A service has one place there, or several (`targets`) that one rollout drives.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bot.settings.block import Block
from bot.settings.checks import Checks
from bot.settings.evidence import EvidenceBlock
from bot.settings.fields import Fault, Seconds, choice, refuse_at, whole
from bot.settings.fitting import (
    Shape,
    cluster_faults,
    kept_faults,
    led_faults,
    needs,
    percent_faults,
    place_faults,
    shape_faults,
    template_faults,
    traffic_faults,
    where_faults,
)
from bot.settings.metrics import with_queries
from bot.settings.names import (
    ClusterName,
    MetricName,
    Name,
    ObjectName,
    RawText,
    Strategy,
)
from bot.settings.routers import TrafficField
from bot.settings.runners import WorkloadField
from bot.settings.trials import INVOKED, MatchField, SmokeField, invoking
from bot.settings.ways import (
    AbTestBlock,
    BlueGreenBlock,
    CanaryBlock,
    DirectBlock,
    RecreateBlock,
    RollingBlock,
)
from strategies.fitting import Lanes, Weights
from strategies.plan import SmokeTest


class TargetMetrics(Block):
    """Where the numbers of a target come from."""

    source: Name
    template: Annotated[
        Literal["istio", "linkerd", "http", "envoy", "knative", "lambda", "alb", "cloud_run"],
        choice(
            "istio",
            "linkerd",
            "http",
            "envoy",
            "knative",
            "lambda",
            "alb",
            "cloud_run",
            code="unknown_template",
        ),
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
    namespace: Name | None = None
    """None only where a place has none."""
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
        faults += [
            (key, "missing_key", f"The key {key} is missing here: add it.")
            for key in ("cluster", "namespace")
            if getattr(self, key) is None and needs(self.workload, key)
        ]
        where = {"cluster": self.cluster, "namespace": self.namespace}
        faults += place_faults(where, self.workload)
        if self.metrics is not None:
            faults += cluster_faults(self.metrics.clusters, [self.workload])
            faults += template_faults(self.metrics.template, self.workload, self.traffic)
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
    evidence: EvidenceBlock = EvidenceBlock()
    """Overrides that of the environment, key by key."""

    @property
    def lanes(self) -> Lanes:
        """Two places with fixed roles, two that swap roles, or one place whose instances move."""
        return self.lead.lanes

    @property
    def lead(self) -> PlaceBlock:
        """The place that says what the others are like: the first that is no flag, else the first."""
        return next((one for one in self.places if not one.workload.flag), self.places[0])

    def numbers(self, place: PlaceBlock) -> TargetMetrics:
        """Return where the numbers of a place come from; a flag that goes along is not asked for any."""
        if place.metrics is None and self.goes_along(place):
            return self.metrics.model_copy(update={"template": "http"})
        return place.metrics or self.metrics

    def goes_along(self, place: PlaceBlock) -> bool:
        """Whether a place is a flag beside something else."""
        return place.workload.flag and not self.lead.workload.flag

    @cached_property
    def places(self) -> tuple[PlaceBlock, ...]:
        """Where it runs: one place without a name, or several with names."""
        if self.targets:
            return self.targets
        return (PlaceBlock.model_construct(name="", **{key: getattr(self, key) for key in _WHERE}),)

    @property
    def counted(self) -> bool:
        """Whether there are instances that can be counted everywhere."""
        return all(place.workload.counted for place in self.places)

    @property
    def repository(self) -> str | None:
        """The image that versions are tags or digests of; None where a version is just a name."""
        return self.lead.workload.repository

    @property
    def weights(self) -> Weights:
        """`switch`: the router, or what is rolled out, knows 0 and 100 percent only."""
        parts = [part for place in self.places for part in (place.workload, place.traffic)]
        return "switch" if any(part and part.weights == "switch" for part in parts) else "any"

    def _written(self) -> dict[str, frozenset[str]]:
        """Return the keys that the file has here, each with those of its block."""
        found = {key: getattr(self, key) for key in self.model_fields_set}
        return {
            key: frozenset(value.model_fields_set if isinstance(value, Block) else ())
            for key, value in found.items()
        }

    @field_validator("checks", mode="before")
    @classmethod
    def _checks_take_queries(cls, value: Any, info: ValidationInfo) -> Any:
        return with_queries(value, info.data.get("queries"))

    @field_validator("smoke")
    @classmethod
    def _payloads_have_a_function(
        cls, tests: tuple[SmokeTest, ...], info: ValidationInfo
    ) -> tuple[SmokeTest, ...]:
        if "workload" not in info.data or "targets" not in info.data:
            return tests  # what is wrong with them is said there
        runs = [place.workload for place in info.data["targets"]] or [info.data["workload"]]
        functions = {getattr(workload, "invoked", "") for workload in runs}
        if len(functions) == 1 and "" not in functions:
            return tuple(invoking(test, *functions) for test in tests)
        sentence = "A payload is for a function that is the same in every target; here is none: give the test a url."
        faults = [
            ((index, "payload"), "payload_without_function", sentence)
            for index, test in enumerate(tests)
            if test.url == INVOKED
        ]
        if faults:
            raise refuse_at(*faults)
        return tests

    @field_validator("ab_test", mode="before")
    @classmethod
    def _yardsticks_take_queries(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict) or "metrics" not in value:
            return value
        return value | {"metrics": with_queries(value["metrics"], info.data.get("queries"))}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        where = {key: getattr(self, key) for key in _WHERE}
        named = [(x.name, x.lanes, x.workload) for x in self.targets]
        faults: list[Fault] = list(where_faults(where, named))
        faults += _same_place(self.targets)
        if not faults and self.workload is not None:
            faults += traffic_faults(self.workload, self.traffic)
        if not faults:
            routers = tuple(place.traffic for place in self.places)
            stops = all(place.workload.stops for place in self.places)
            shape = Shape(self.lanes, self.weights, routers, stops)
            faults += shape_faults(shape, self.match, self.strategy)
            faults += led_faults(self.lanes, self._written())
            kept = {
                "canary": self.canary.keep_baseline,
                "blue_green": self.blue_green.keep_baseline,
            }
            faults += percent_faults(self.canary.steps, kept, [x.workload for x in self.places])
            faults += kept_faults(self.blue_green.keep_baseline, self.weights)
            usual = [x for x in self.places if x.metrics is None and not self.goes_along(x)]
            runs = [place.workload for place in usual]
            faults += cluster_faults(self.metrics.clusters, runs)
            for place in usual:
                faults += template_faults(self.metrics.template, place.workload, place.traffic)
        if faults:
            raise refuse_at(*faults)
        return self


def _same_place(targets: Sequence[PlaceBlock]) -> Iterator[tuple[str, str, str]]:
    """Yield the targets that are one: a rollout over them would take its own writes for somebody else's."""
    seen: dict[tuple[object, ...], str] = {}
    for place in targets:
        key = (place.cluster, place.namespace, *_objects(place))
        if key in seen:
            sentence = f"{seen[key]} and {place.name} are the same objects: remove one of them."
            yield ("targets", "same_target_twice", sentence)
        seen[key] = place.name


def _objects(place: PlaceBlock) -> tuple[object, ...]:
    """Return what tells the objects of a place from others in the same namespace, or account."""
    workload = place.workload
    if not workload.own:
        return repr(workload), repr(place.traffic)
    named = (getattr(workload, key) for key in workload.own)
    return type(workload), *named, getattr(workload, "account", None)
