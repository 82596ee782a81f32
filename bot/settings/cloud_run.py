"""A service of Google Cloud Run as a workload: it keeps its revisions and splits the requests between two of them.

Pure. The service is workload and router in one, so `traffic` may be left out.
"""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.fields import refuse_at
from bot.settings.names import Image, Name, RunName, ServiceTag
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import RevisionsBlock

_TOGETHER = 46
"""Characters of a tag and the name of its service, which are in one part of a host name."""


class CloudRunService(RevisionsBlock):
    """A service of Google Cloud Run."""

    cloud: ClassVar[str] = "gcp"
    whole_percent: ClassVar[bool] = True
    own: ClassVar[tuple[str, ...]] = ("service",)
    traffic_kind: ClassVar[str] = "cloud_run"
    kind: Literal["cloud_run"] = "cloud_run"
    account: Name
    """Of `accounts`, of kind gcp: project and location stand nowhere else."""
    service: RunName
    image: Image
    """The repository, without tag or digest."""
    container: Name | None = None
    """Where there are several; None: the one that takes the requests."""
    tag: ServiceTag = "canary"
    """Under which the canary has an address of its own."""

    @property
    def repository(self) -> str | None:
        """See `WorkloadBlock.repository`."""
        return self.image

    @model_validator(mode="after")
    def _has_room_for_its_tag(self) -> Self:
        if len(self.tag) + len(self.service) > _TOGETHER:
            sentence = (
                f"Cloud Run takes {_TOGETHER} characters for a tag and the name of its service together: shorten the "
                "tag."
            )
            raise refuse_at(("tag", "tag_too_long", sentence))
        return self

    def measured(self) -> dict[str, str]:
        """See `WorkloadBlock.measured`."""
        return {"cloud_run": self.service}

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - the address stays the same
        """See `WorkloadBlock.environment`."""
        return self.tag


class CloudRunTraffic(TrafficBlock):
    """The service of Cloud Run, said once more."""

    revisions: ClassVar[bool] = True
    kind: Literal["cloud_run"] = "cloud_run"
    service: Name
