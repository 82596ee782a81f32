"""Where the contract of Knative Services is tried: one Service, its controllers in virtual time, a rollout's view."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.knative import SERVICES
from bot.sandbox.orion import knative_objects
from integrations.base import Lane, LaneState, Split, TryAgainError
from integrations.kube import Cluster
from integrations.revisions import RevisionRouter, RevisionWorkload
from integrations.serverless.knative import KnativeService
from tests.fakes.kubernetes import Clock, FakeCluster

SERVICE, SPACE = "auth-service", "orion"
REPOSITORY = "ghcr.io/orion/auth"
FIRST = f"{SERVICE}-00001"


class KnativeWorld:
    """One Knative Service, and somebody else's hands on it."""

    def __init__(self, cluster: Cluster, fake: FakeCluster, clock: Clock) -> None:
        self.cluster = cluster
        self.fake = fake
        self.clock = clock
        self.dark = ""

    def knative(self, **changes: Any) -> KnativeService:
        options = {"namespace": SPACE, "service": SERVICE, "image": REPOSITORY}
        return KnativeService(self.cluster, **options | changes)

    def router(self, live: str = FIRST) -> RevisionRouter:
        return RevisionRouter(self.knative(), live, self.dark)

    def workload(self, live: str = FIRST) -> RevisionWorkload:
        return RevisionWorkload(self.knative(), live, self.dark)

    @property
    def body(self) -> dict[str, Any]:
        found = self.fake.object(SERVICES, SPACE, SERVICE)
        assert found is not None
        return found

    @property
    def traffic(self) -> list[tuple[str, int, str]]:
        """The entries as they are written: revision, percent, tag."""
        return told(self.body["spec"]["traffic"])

    @property
    def routed(self) -> list[tuple[str, int, str]]:
        """The entries as they are at work."""
        return told(self.body["status"]["traffic"])

    @property
    def revisions(self) -> set[str]:
        self.fake.object(SERVICES, SPACE, SERVICE)
        shelf = self.fake._objects.select("revisions", SPACE)
        return {body["metadata"]["name"] for body in shelf}

    def edit(self, change: Callable[[dict[str, Any]], None], manager: str = "argocd") -> None:
        self.fake.edit(SERVICES, SPACE, SERVICE, change, manager)

    def share(self, *entries: tuple[str, int, str]) -> None:
        """Write the traffic as somebody else; `""` as a revision is the latest one."""
        made = [entry(*one) for one in entries]
        self.edit(lambda body: body["spec"].update(traffic=made))
        self.settle()

    def settle(self, seconds: float = 60) -> None:
        """Let the controllers finish what they are at."""
        for _ in range(2):
            assert self.body
            self.clock.advance(seconds)
        assert self.body

    async def write_lane(self, fence: str = "1.1", **asked: Any) -> None:
        """Ask for the canary's lane, once, as it is read just now."""
        workload = self.workload()
        lanes = await workload.read()
        await workload.write(Lane.CANARY, token=lanes[Lane.CANARY].token, fence=fence, **asked)

    async def prepare(self, version: str = "v2.0.0", fence: str = "1.1") -> str:
        """Make a revision of a version, as often as it takes, and let it get ready; return its name."""
        for _ in range(3):
            try:
                await self.write_lane(fence, image=f"{REPOSITORY}:{version}", replicas=1)
                break
            except TryAgainError:
                self.settle()
        self.settle()
        return (await self.lane()).name

    async def lane(self, lane: Lane = Lane.CANARY) -> LaneState:
        return (await self.workload().read())[lane]

    async def weigh(self, percent: float, fence: str) -> Split:
        router = self.router()
        split = await router.write(percent, token=(await router.read()).token, fence=fence)
        self.settle()
        return split


def entry(revision: str, percent: int, tag: str = "") -> dict[str, Any]:
    target = {"revisionName": revision} if revision else {"latestRevision": True}
    return {**target, "percent": percent, **({"tag": tag} if tag else {})}


def told(entries: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [
        (one.get("revisionName", ""), one.get("percent") or 0, one.get("tag", ""))
        for one in entries
    ]


@asynccontextmanager
async def knative_world(folder: Path) -> AsyncIterator[KnativeWorld]:
    """Yield a Service at v1.0.0 whose traffic follows the latest revision, as `kn service create` leaves it."""
    clock = Clock()
    fake = FakeCluster(clock=clock)
    await fake.start()
    cluster = await Cluster.connect(str(fake.kubeconfig(folder)), "sandbox")
    for body in knative_objects(SERVICE, SPACE, f"{REPOSITORY}:v1.0.0", 1):
        fake.put(body)
    world = KnativeWorld(cluster, fake, clock)
    world.settle()
    try:
        yield world
    finally:
        await cluster.close()
        await fake.stop()
