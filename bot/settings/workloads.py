"""The block `workload` of a target: where versions run.

Pure. Each block says by its class variables what it can; nothing else in the settings knows the kinds. Which keys a
Deployment has says its shape: two lanes with fixed roles, two that swap roles, or one place. A pair of Deployments
without a router is one place too. Which kinds there are is said in `bot.settings.runners`.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import model_validator

from bot.settings.block import Block
from bot.settings.fields import Seconds, refuse_at, whole
from bot.settings.names import Image, ManifestPath, Name, ObjectName, Resource, Text
from bot.settings.nodes import HealthBlock, Instance, UpdateBlock, VersionBlock
from bot.settings.scalars import shown
from strategies.fitting import Lanes, Weights

_B = TypeVar("_B", bound=Block)


class WorkloadBlock(Block):
    """What every kind of workload says about itself."""

    lanes: ClassVar[Lanes]
    """Two places with fixed roles, two that swap roles, or one place whose instances move."""
    weights: ClassVar[Weights] = "any"
    """`switch`: what is rolled out holds for all instances or for none."""

    clustered: ClassVar[bool] = True
    """Whether it runs in a Kubernetes cluster."""
    namespaced: ClassVar[bool] = True
    """Whether its place has a namespace."""
    routes: ClassVar[bool] = False
    """Whether it splits the traffic between its lanes by itself, so that no router stands before it."""
    revisions: ClassVar[bool] = False
    """Whether its lanes are revisions of one object, which the platform names when it makes them."""
    cloud: ClassVar[str] = ""
    """The kind of account that it is reached with; empty where that is a cluster, or nothing."""
    counted: ClassVar[bool] = True
    """Whether it has instances that can be counted; a batch of a function is a share of its traffic."""
    stops: ClassVar[bool] = True
    """Whether all of it can be stopped at once, which `recreate` does."""
    whole_percent: ClassVar[bool] = False
    """Whether it splits its traffic in whole percent only."""
    locks: ClassVar[bool] = True
    """Whether a write can be refused when somebody else was faster; without, one that is late may get through."""
    flag: ClassVar[bool] = False
    """Whether it is a feature flag, whose versions are its two values."""
    turns: ClassVar[tuple[str, str]] = ("blue", "green")
    """Where lanes swap and have names: these."""
    traffic_kind: ClassVar[str] = ""
    """Of the block `traffic` that says once more what splits it; empty where another one does that."""
    own: ClassVar[tuple[str, ...]] = ()
    """The keys that name the object which it alone may write, in its account or namespace; empty: others may, too."""
    unrouted: ClassVar[str] = ""
    """As what kind of fleet two places are one when no router stands before them; empty where they need one."""

    @property
    def repository(self) -> str | None:
        """The image that a version is a tag or a digest of; None where a version is just a name."""
        return None

    @property
    def numbered(self) -> bool:
        """Whether a version is the number that the platform gave it, because it is published elsewhere."""
        return False

    @property
    def invoked(self) -> str:
        """The function that smoke tests with a `payload` invoke; empty where it is none."""
        return ""

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with, besides the namespace and the names of the lanes."""
        return self.model_dump(exclude={"kind", "stable", "canary", "blue", "green"})

    def unrouted_options(self) -> dict[str, Any]:
        """Return what the adapter is made with besides, where there is no router."""
        return {}

    def measured(self) -> dict[str, str]:
        """Return what metric sources call it besides the names of its lanes (`function`, `alias` …)."""
        return {}

    def lanes_behind(self, router: object | None) -> Lanes:
        """Return its lanes with a router before it, or with none."""
        return "one" if router is None and self.unrouted else self.lanes

    @abstractmethod
    def places(self, live: str, dark: str = "") -> tuple[str, str]:
        """Return what runs stable and what runs the canary; where lanes swap, `live` is the colour that is stable.

        Where lanes are revisions, `dark` is the one of the canary, `""` before it was made. One place alone is the
        canary's: the numbers of all its instances are those of what moves.
        """

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - most have fixed names
        """Return what `{env}` stands for in the addresses of smoke tests: the place without traffic."""
        return "canary"


class PairBlock(WorkloadBlock):
    """Two objects with fixed roles, one per lane."""

    lanes: ClassVar[Lanes] = "fixed"
    stable: ObjectName
    canary: ObjectName

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - fixed roles
        """See `WorkloadBlock.places`."""
        return self.stable, self.canary

    @model_validator(mode="after")
    def _has_two_lanes(self) -> Self:
        return _two(self, "stable", "canary")


class ColoursBlock(WorkloadBlock):
    """Two objects that take turns: the one that the router sends traffic to is stable."""

    lanes: ClassVar[Lanes] = "swap"
    blue: ObjectName
    green: ObjectName

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - it is the other one
        """See `WorkloadBlock.places`."""
        return (self.green, self.blue) if live == "green" else (self.blue, self.green)

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - it is the other one
        """See `WorkloadBlock.environment`."""
        return "blue" if live == "green" else "green"

    @model_validator(mode="after")
    def _has_two_lanes(self) -> Self:
        return _two(self, "blue", "green")


class OneBlock(WorkloadBlock):
    """One object whose instances move to the new version a few at a time; nothing splits traffic."""

    lanes: ClassVar[Lanes] = "one"
    name: ObjectName

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - there is one only
        """See `WorkloadBlock.places`."""
        return "", self.name


class RevisionLanes(WorkloadBlock):
    """One object of a platform that runs several revisions of it and splits the traffic between them."""

    lanes: ClassVar[Lanes] = "swap"
    routes: ClassVar[bool] = True
    revisions: ClassVar[bool] = True
    counted: ClassVar[bool] = False
    stops: ClassVar[bool] = False

    def places(self, live: str, dark: str = "") -> tuple[str, str]:
        """See `WorkloadBlock.places`."""
        return live, dark


class RevisionsBlock(RevisionLanes):
    """Such an object in a cloud, which is reached with an account."""

    clustered: ClassVar[bool] = False
    namespaced: ClassVar[bool] = False
    account: Name | None = None
    """Of `accounts`; None: what the environment of the bot says."""

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`."""
        return self.model_dump(exclude={"kind", "account"})


class _Containers(WorkloadBlock):
    """What runs in pods."""

    container: Name
    image: Image
    """The repository, without tag or digest."""

    @property
    def repository(self) -> str | None:
        """See `WorkloadBlock.repository`."""
        return self.image


class DeploymentPair(_Containers, PairBlock):
    """Two Deployments of the same software, one per lane. Their names tell the lanes apart.

    Without a router they are one place: behind a Service that both share, the numbers of their pods split the traffic.
    """

    unrouted: ClassVar[str] = "replica_ratio"
    kind: Literal["deployment"] = "deployment"
    service: ObjectName | None = None
    """Without a router: the Service in front of both; None: whichever selects the pods of both."""

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`; the Service is only looked at where there is no router."""
        return self.model_dump(include={"container", "image"})

    def unrouted_options(self) -> dict[str, Any]:
        """See `WorkloadBlock.unrouted_options`."""
        return {"service": self.service}


class DeploymentColours(_Containers, ColoursBlock):
    """Two Deployments that take turns."""

    kind: Literal["deployment"] = "deployment"


class SingleDeployment(_Containers, OneBlock):
    """One Deployment."""

    kind: Literal["deployment"] = "deployment"


class StatefulSet(_Containers, OneBlock):
    """One StatefulSet, moved by its partition."""

    kind: Literal["statefulset"] = "statefulset"


class DaemonSet(_Containers, OneBlock):
    """One DaemonSet, a pod on each node."""

    stops: ClassVar[bool] = False
    kind: Literal["daemonset"] = "daemonset"


class PolicyPair(PairBlock):
    """A mesh policy in two versions, one for the pods of each of two Deployments."""

    kind: Literal["policy"] = "policy"
    manifest: ManifestPath
    resource: Resource | None = None
    """`KIND/NAME` of the object; None: what all the manifests name."""
    stable: ObjectName = "stable"
    canary: ObjectName = "canary"


class WholePolicy(OneBlock):
    """A mesh policy that holds for all instances at once."""

    weights: ClassVar[Weights] = "switch"
    kind: Literal["policy"] = "policy"
    manifest: ManifestPath
    resource: Resource | None = None
    """See `PolicyPair`."""


class HttpFleet(OneBlock):
    """Nodes that are spoken to over HTTP. A version is just a name."""

    clustered: ClassVar[bool] = False
    stops: ClassVar[bool] = False
    locks: ClassVar[bool] = False
    kind: Literal["http_fleet"] = "http_fleet"
    name: ObjectName = "fleet"
    """What its metrics call the workload."""
    instances: tuple[Instance, ...]
    version: VersionBlock
    health: HealthBlock
    update: UpdateBlock
    bearer_token_file: Text | None = None
    ca_file: Text | None = None
    timeout: Seconds = 5
    at_once: Annotated[int, whole(1, 100)] = 10
    quiet: Seconds = 15

    def options(self) -> dict[str, Any]:
        """See `WorkloadBlock.options`."""
        return self.model_dump(by_alias=True, exclude={"kind", "name"})

    @model_validator(mode="after")
    def _has_instances_of_its_own(self) -> Self:
        if not self.instances:
            raise refuse_at(("instances", "no_instances", "A fleet needs instances: list them."))
        for key in ("name", "url"):
            values = [getattr(one, key) for one in self.instances]
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                sentence = f"Two instances have the {key} {shown(twice)}: each needs its own."
                raise refuse_at(("instances", "duplicate_instance", sentence))
        return self


def _two(block: _B, one: str, other: str) -> _B:
    if getattr(block, one) == getattr(block, other):
        raise refuse_at(
            (
                other,
                "same_workload",
                f"{one.capitalize()} and {other} are the same object: name two different ones.",
            )
        )
    return block
