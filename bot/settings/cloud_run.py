"""A service of Google Cloud Run as a workload: it keeps its revisions and splits the requests between two of them.

Pure. The service is workload and router in one, so `traffic` may be left out.
"""

from typing import ClassVar, Literal

from bot.settings.names import Image, Name, ServiceTag
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import RevisionsBlock


class CloudRunService(RevisionsBlock):
    """A service of Google Cloud Run."""

    cloud: ClassVar[str] = "gcp"
    traffic_kind: ClassVar[str] = "cloud_run"
    kind: Literal["cloud_run"] = "cloud_run"
    account: Name
    """Of `accounts`, of kind gcp: project and location stand nowhere else."""
    service: Name
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
