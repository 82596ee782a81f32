"""The blocks `workload` and `traffic` of a target: where versions run, and who splits requests between them.

Pure. Which keys a workload has says its shape: two lanes with fixed roles, two that swap roles, or one place.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import PlainValidator, model_validator

from bot.settings.block import Block, by_kind, read_by_kind
from bot.settings.fields import refuse_at
from bot.settings.names import Image, LabelKey, Name, ObjectName, Text

_B = TypeVar("_B", bound=Block)


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
        return _different(self, "canary", self.stable, self.canary)


class DeploymentColours(Block):
    """Two Deployments that take turns: the one that the router sends traffic to is stable."""

    kind: Literal["deployment"] = "deployment"
    blue: ObjectName
    green: ObjectName
    container: Name
    image: Image
    """See `DeploymentPair`."""

    @model_validator(mode="after")
    def _has_two_lanes(self) -> Self:
        return _different(self, "green", self.blue, self.green)


class SingleDeployment(Block):
    """One Deployment whose instances move to the new version a few at a time; nothing splits traffic."""

    kind: Literal["deployment"] = "deployment"
    name: ObjectName
    container: Name
    image: Image
    """See `DeploymentPair`."""


Workload = DeploymentPair | DeploymentColours | SingleDeployment


class IstioTraffic(Block):
    """A VirtualService that splits between the lanes."""

    kind: Literal["istio"] = "istio"
    virtual_service: ObjectName
    route: Text | None = None
    """The name of the http route; None: the only one that splits."""


class ServiceSelectorTraffic(Block):
    """A Service that selects one of two colours by a label; it knows all or nothing."""

    kind: Literal["service_selector"] = "service_selector"
    service: ObjectName
    preview: ObjectName | None = None
    """A second Service, which selects the dark colour."""
    key: LabelKey = "version"
    """The label that tells the colours apart."""


Traffic = IstioTraffic | ServiceSelectorTraffic


def _different(block: _B, key: str, one: str, other: str) -> _B:
    if one == other:
        names = " and ".join(name for name in type(block).key_names()[1:3])
        raise refuse_at(
            (
                key,
                "same_workload",
                f"{names.capitalize()} are the same Deployment: name two different ones.",
            )
        )
    return block


def _read_workload(value: Any) -> Any:
    if isinstance(value, Workload):
        return value
    return read_by_kind(value, {"deployment": _shape(value)})


def _shape(value: Any) -> type[Block]:
    """Return what the keys of a Deployment make of it; where they say nothing, the pair names what is missing."""
    keys = set(value) if isinstance(value, Mapping) else set()
    if keys & {"stable", "canary"}:
        return DeploymentPair
    if keys & {"blue", "green"}:
        return DeploymentColours
    return SingleDeployment if "name" in keys else DeploymentPair


WorkloadField = Annotated[Workload, PlainValidator(_read_workload)]
TrafficField = Annotated[
    Traffic, by_kind({"istio": IstioTraffic, "service_selector": ServiceSelectorTraffic})
]
