"""The block `traffic` of a target: who splits requests between its lanes.

Pure. Each block says by its class variables what its router can; nothing else in the settings knows the kinds.
"""

from typing import Annotated, Any, ClassVar, Literal

from bot.settings.block import Block, by_kind
from bot.settings.names import LabelKey, ObjectName, Text
from strategies.fitting import Weights


class TrafficBlock(Block):
    """What every kind of router says about itself."""

    weights: ClassVar[Weights] = "any"
    """`switch`: it knows 0 and 100 percent only."""
    headers: ClassVar[bool] = False
    """Whether it can send requests to the canary by their headers, whatever the weight."""
    colours_only: ClassVar[bool] = False
    """Whether it can only go back and forth between two colours."""

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with, besides the namespace and the names of the lanes."""
        return self.model_dump(exclude={"kind"})


class IstioTraffic(TrafficBlock):
    """A VirtualService that splits between the lanes."""

    headers: ClassVar[bool] = True
    kind: Literal["istio"] = "istio"
    virtual_service: ObjectName
    route: Text | None = None
    """The name of the http route; None: the only one that splits."""


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


Traffic = IstioTraffic | ServiceSelectorTraffic

TrafficField = Annotated[
    Traffic, by_kind({"istio": IstioTraffic, "service_selector": ServiceSelectorTraffic})
]
