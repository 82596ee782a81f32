"""The block `traffic` of a target: who splits requests between its lanes.

Pure. Each block says by its class variables what its router can; nothing else in the settings knows the kinds. Which
kinds there are is said in `bot.settings.routers`.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.block import Block
from bot.settings.fields import choice, refuse_at, whole
from bot.settings.names import (
    ClusterName,
    FilePath,
    LabelKey,
    ObjectName,
    RouteName,
    RuleName,
    ServerName,
    Text,
    WebAddress,
)
from strategies.fitting import Weights


class TrafficBlock(Block):
    """What every kind of router says about itself."""

    weights: ClassVar[Weights] = "any"
    """`switch`: it knows 0 and 100 percent only."""
    headers: ClassVar[bool] = False
    """Whether it can send requests to the canary by their headers, whatever the weight."""
    not_headers: ClassVar[frozenset[str]] = frozenset()
    """Names among the headers that it reads as other parts of a request, or not at all."""
    colours_only: ClassVar[bool] = False
    """Whether it can only go back and forth between two colours."""
    pairs_only: ClassVar[bool] = False
    """Whether its lanes have fixed roles."""
    swaps: ClassVar[bool] = False
    """Whether it names two colours of its own, of which either may be live."""
    locks: ClassVar[bool] = True
    """Whether a write can be refused when somebody else was faster; without, one that is late may get through."""
    lingers: ClassVar[bool] = False
    """Whether a weight that is written reaches everybody only minutes later, going back included."""
    revisions: ClassVar[bool] = False
    """Whether it is its workload itself, which splits between its revisions: then it can be left out as well."""
    flags: ClassVar[bool] = False
    """Whether it says who gets which value of a feature flag."""
    own: ClassVar[tuple[str, ...]] = ()
    """The keys that name the object which it alone may write, wherever that is; empty where others may, too."""
    cloud: ClassVar[str] = ""
    """The kind of account that it is reached with (key `account`); empty where that is the cluster, or nothing."""

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with, besides the namespace and the names of the lanes."""
        return self.model_dump(exclude={"kind"})

    def lanes(self, live: str = "") -> dict[str, str]:  # noqa: ARG002 - most have none
        """Return what it calls the lanes where that is no workload; of colours, `live` is the stable one."""
        return {}

    def measured(self, live: str = "") -> dict[str, str]:  # noqa: ARG002 - most have none
        """Return what metric sources call it (the load balancer, its groups); `live` as in `lanes`."""
        return {}

    def clusters(self, stable: str, canary: str) -> dict[str, str]:  # noqa: ARG002 - most have none
        """Return by which name the router counts each of two workloads, where it is another one."""
        return {}


class IstioTraffic(TrafficBlock):
    """A VirtualService that splits between the lanes."""

    not_headers: ClassVar[frozenset[str]] = frozenset({"uri", "scheme", "method", "authority"})
    kind: Literal["istio"] = "istio"
    virtual_service: ObjectName
    route: RouteName | None = None
    """The name of the http route; None: the only route that splits, unless one of connections is named."""
    port: Annotated[int, whole(1, 65535)] | None = None
    """Of a tls or tcp route; beside `route` both are split."""
    sni: ServerName | None = None
    """The server name of a tls route."""

    @property
    def headers(self) -> bool:  # type: ignore[override]
        """Whether an http route is split: connections have no headers."""
        return self.route is not None or (self.port is None and self.sni is None)


class ServiceSelectorTraffic(TrafficBlock):
    """A Service that selects one of two colours by a label; it knows all or nothing."""

    weights: ClassVar[Weights] = "switch"
    colours_only: ClassVar[bool] = True
    kind: Literal["service_selector"] = "service_selector"
    service: ObjectName
    preview: ObjectName | None = None
    """A second Service, which selects the dark colour."""
    key: LabelKey = "version"
    """The label that tells the colours apart."""


class GatewayApiTraffic(TrafficBlock):
    """A route of the Gateway API whose rule splits between the Services of the lanes."""

    headers: ClassVar[bool] = True
    kind: Literal["gateway_api"] = "gateway_api"
    route: ObjectName
    rule: RuleName | None = None
    """The name of a rule, or its place counted from 0; None: the only one that splits."""
    route_kind: Annotated[
        Literal["HTTPRoute", "GRPCRoute"], choice("HTTPRoute", "GRPCRoute", code="unknown_kind")
    ] = "HTTPRoute"


class LinkerdTraffic(TrafficBlock):
    """What Linkerd's proxies split by: an HTTPRoute whose parent is a Service, or a TrafficSplit."""

    kind: Literal["linkerd"] = "linkerd"
    http_route: ObjectName | None = None
    rule: RuleName | None = None
    """Of the HTTPRoute; see `GatewayApiTraffic`."""
    traffic_split: ObjectName | None = None

    @property
    def headers(self) -> bool:  # type: ignore[override]
        """Whether it is an HTTPRoute: a TrafficSplit knows no headers."""
        return self.http_route is not None

    def options(self) -> dict[str, Any]:
        """See `TrafficBlock.options`."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)

    @model_validator(mode="after")
    def _has_one_object(self) -> Self:
        if self.http_route is None and self.traffic_split is None:
            raise refuse_at(
                (
                    "http_route",
                    "missing_key",
                    "The key http_route or traffic_split is missing here: add one.",
                )
            )
        if self.traffic_split is not None and (self.http_route or self.rule):
            raise refuse_at(
                (
                    "traffic_split",
                    "contradiction",
                    "A split is made by an HTTPRoute or by a TrafficSplit, which has no rules: keep one of the two.",
                )
            )
        return self


class EnvoyTraffic(TrafficBlock):
    """A file from which an Envoy takes its routes, one of which splits between two of its clusters."""

    headers: ClassVar[bool] = True
    pairs_only: ClassVar[bool] = True
    kind: Literal["envoy"] = "envoy"
    file: FilePath
    virtual_host: Text | None = None
    route: Text | None = None
    """The name of the route; None: the only one that splits between the two clusters."""
    stable: ClusterName
    canary: ClusterName
    admin: WebAddress | None = None
    """Where the proxy says which routes it serves; None: the file alone counts."""

    def clusters(self, stable: str, canary: str) -> dict[str, str]:
        """See `TrafficBlock.clusters`."""
        return {stable: self.stable, canary: self.canary}

    @model_validator(mode="after")
    def _has_two_clusters(self) -> Self:
        if self.stable == self.canary:
            sentence = "Stable and canary are the same cluster: name two different ones."
            raise refuse_at(("canary", "same_workload", sentence))
        return self
