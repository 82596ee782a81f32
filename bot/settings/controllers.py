"""The blocks `workload` of targets that another controller leads: it moves the traffic, Sluice asks people.

Pure.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.fields import Flag, refuse_at
from bot.settings.names import Image, Name, ObjectName
from bot.settings.workloads import WorkloadBlock
from strategies.fitting import Lanes


class LedBlock(WorkloadBlock):
    """What every target has that another controller leads."""

    lanes: ClassVar[Lanes] = "led"
    routes: ClassVar[bool] = True
    controller: ClassVar[str]
    """How the controller is called in the journal."""
    container: Name
    image: Image
    """The repository, without tag or digest."""
    watch: Flag = True
    """Whether a movement that began without Sluice gets a rollout and its card."""

    @property
    @abstractmethod
    def object(self) -> str:
        """The name of the object that the controller leads."""

    @property
    def repository(self) -> str | None:
        """See `WorkloadBlock.repository`."""
        return self.image

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`."""
        return self.model_dump(exclude={"kind", "watch"})


class ArgoRollout(LedBlock):
    """A Rollout of Argo Rollouts."""

    own: ClassVar[tuple[str, ...]] = ("name",)
    controller: ClassVar[str] = "argo-rollouts"
    kind: Literal["argo_rollout"] = "argo_rollout"
    name: ObjectName
    stable: ObjectName | None = None
    """What metrics call the pods of the stable version, for example their Service; None: nothing tells them apart."""
    canary: ObjectName | None = None

    @property
    def object(self) -> str:
        """See `LedBlock.object`."""
        return self.name

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`."""
        return self.model_dump(exclude={"kind", "stable", "canary", "watch"})

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - they stay what they are
        """See `WorkloadBlock.places`; without names of their own both versions are one place to the metrics."""
        if self.stable is None or self.canary is None:
            return "", self.object
        return self.stable, self.canary

    @model_validator(mode="after")
    def _has_both_names_or_none(self) -> Self:
        if (self.stable is None) != (self.canary is None):
            key = "canary" if self.canary is None else "stable"
            sentence = f"Metrics tell both lanes apart or none: add the key {key}, or remove the other one."
            raise refuse_at((key, "missing_key", sentence))
        if self.stable is not None and self.stable == self.canary:
            sentence = "Stable and canary have the same name: give what tells their numbers apart."
            raise refuse_at(("canary", "same_workload", sentence))
        return self


class FlaggerCanary(LedBlock):
    """A Canary of Flagger."""

    own: ClassVar[tuple[str, ...]] = ("canary",)
    controller: ClassVar[str] = "flagger"
    kind: Literal["flagger"] = "flagger"
    canary: ObjectName
    target: ObjectName | None = None
    """The Deployment that it watches; None: it is called like the Canary."""

    @property
    def object(self) -> str:
        """See `LedBlock.object`."""
        return self.canary

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`."""
        return self.model_dump(exclude={"kind", "watch", "target"})

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - they stay what they are
        """See `WorkloadBlock.places`: Flagger serves with a Deployment that it makes of the one that it watches."""
        name = self.target or self.canary
        return f"{name}-primary", name
