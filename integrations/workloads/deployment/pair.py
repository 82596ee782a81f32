"""The `Workload` of two Deployments: two GETs to read, one JSON Patch to write.

Pods are listed only while a lane is not settled, and once after that for the digest they run; a quiet lane costs one
GET.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import ConflictError, Finding, Lane, LaneState, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_after, fence_of, fence_ops, lock_op, refuse_newer
from integrations.kube.images import image_of
from integrations.kube.logs import Witness, tail_of
from integrations.kube.pods import common_digest, problem_of, selector_query
from integrations.kube.template import container_at, image_ops, replica_ops
from integrations.kube.way_back import Restore
from integrations.workloads.deployment.obstacles import pair_obstacles
from integrations.workloads.deployment.pods import newest_pods
from integrations.workloads.deployment.status import Progress, progress_of


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a Deployment showed, as far as a write needs it."""

    token: str
    fence: str
    container: int
    annotated: bool


def sight_of(body: Mapping[str, Any], container: str) -> Sight:
    """Return what a Deployment shows, as far as a write needs it. Raises `RefusedError` (`container_missing`)."""
    metadata = body["metadata"]
    index, _ = container_at(body, container)
    return Sight(
        token=str(metadata.get("resourceVersion", "")),
        fence=fence_of(body),
        container=index,
        annotated=bool(metadata.get("annotations")),
    )


def patch_for(
    sight: Sight, container: str, image: str | None, replicas: int | None, fence: str
) -> list[dict[str, Any]]:
    """Return the JSON Patch that gives a Deployment image, pods and fence, guarded by what was seen."""
    return [
        lock_op(sight.token),
        *image_ops(sight.container, container, image),
        *replica_ops(replicas),
        *fence_ops(annotated=sight.annotated, fence=fence),
    ]


class DeploymentPair:
    """Two Deployments that run one container in two versions."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        stable: str,
        canary: str,
        container: str,
        image: str,
    ) -> None:
        """`stable` and `canary` are names of Deployments; `image` is the repository, without tag."""
        self._cluster = cluster
        self._namespace = namespace
        self._names = {Lane.STABLE: stable, Lane.CANARY: canary}
        self._container = container
        self._repository = image
        self._last: dict[Lane, Sight] = {}
        self._digests: dict[Lane, tuple[int, str]] = {}
        self._witnesses = {lane: Witness() for lane in Lane}

    async def read(self, only: Lane | None = None) -> Mapping[Lane, LaneState]:
        """Return both lanes, or `only` one, as they are now."""
        lanes = tuple(Lane) if only is None else (only,)
        states = await asyncio.gather(*(self._state(lane) for lane in lanes))
        return dict(zip(lanes, states, strict=True))

    async def write(
        self,
        lane: Lane,
        *,
        image: str | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Set image and/or number of pods of one lane, and the fence, in one patch, only if `token` still holds."""
        sight = self._last.get(lane)
        if sight is None or sight.token != token:
            sight = self._remember(lane, await self._cluster.get(self._path(lane)))
        if sight.token != token:
            raise ConflictError(f"{self._title(lane)} changed since it was read.")
        refuse_newer(sight.fence, fence, self._title(lane))
        if image is not None:
            self._witnesses[lane].turn()
        ops = patch_for(sight, self._container, image, replicas, fence)
        self._remember(lane, await self._cluster.patch(self._path(lane), ops))

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would make a rollout or going back fail: a missing right, a refused write, a rival, no probe."""
        try:
            bodies = await asyncio.gather(*(self._cluster.get(self._path(lane)) for lane in Lane))
            restores = [
                Restore(self._path(lane), body, self._as_it_is)
                for lane, body in zip(Lane, bodies, strict=True)
            ]
            return await pair_obstacles(self._cluster, self._namespace, restores, self._container)
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def tail(self, lane: Lane) -> str:
        """Return the last lines of a container that failed in this lane when it was last read."""
        witness = self._witnesses[lane]
        if witness.culprit is None and not (await self._state(lane)).problem:
            return ""
        culprit = witness.culprit
        return await tail_of(self._cluster, self._namespace, culprit) if culprit else ""

    def image_for(self, version: str) -> str:
        """Return the image for a tag, a digest or a whole image. Raises `RefusedError` (`wrong_image`)."""
        return image_of(self._repository, version)

    def _title(self, lane: Lane) -> str:
        return f"Deployment {self._names[lane]} in namespace {self._namespace}"

    def _path(self, lane: Lane) -> str:
        return path_to("apps/v1", "deployments", self._namespace, self._names[lane])

    def _remember(self, lane: Lane, body: Mapping[str, Any]) -> Sight:
        self._last[lane] = sight_of(body, self._container)
        return self._last[lane]

    def _as_it_is(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what going back would write now: image and pods as they are, and a fence."""
        _, container = container_at(body, self._container)
        sight = sight_of(body, self._container)
        image, replicas = str(container.get("image", "")), int(body["spec"].get("replicas", 1))
        return patch_for(sight, self._container, image, replicas, fence_after(sight.fence))

    async def _state(self, lane: Lane) -> LaneState:
        body = await self._cluster.get(self._path(lane))
        sight = self._remember(lane, body)
        progress = progress_of(body)
        _, container = container_at(body, self._container)
        pods = await self._pods_worth_reading(lane, body, progress)
        problem, detail = ("", "") if progress.settled else problem_of(pods)
        self._witnesses[lane].see(pods, settled=progress.settled)
        return LaneState(
            image=str(container.get("image", "")),
            replicas=progress.replicas,
            ready=progress.ready,
            settled=progress.settled,
            token=sight.token,
            fence=sight.fence,
            digest=self._digest(lane, body, pods, settled=progress.settled),
            problem=problem or progress.problem,
            detail=detail or progress.detail,
        )

    async def _pods_worth_reading(
        self, lane: Lane, body: Mapping[str, Any], progress: Progress
    ) -> list[Mapping[str, Any]]:
        """Return the newest pods while something moves, and once more when it has settled."""
        # Before the controller has seen the change, the newest pods are those of the version before.
        known = self._digests.get(lane, (0, ""))[0] == body["metadata"].get("generation")
        if not progress.observed or (progress.settled and (known or not progress.ready)):
            return []
        labels = {"labelSelector": selector_query(body)}
        sets, pods = await asyncio.gather(
            self._cluster.get(path_to("apps/v1", "replicasets", self._namespace), **labels),
            self._cluster.get(path_to("v1", "pods", self._namespace), **labels),
        )
        return newest_pods(body, sets.get("items") or [], pods.get("items") or [])

    def _digest(
        self,
        lane: Lane,
        body: Mapping[str, Any],
        pods: Sequence[Mapping[str, Any]],
        *,
        settled: bool,
    ) -> str:
        generation = body["metadata"].get("generation", 0)
        digest = common_digest(pods, self._container)
        # Settled pods that report no digest (an image never pulled) will not report one later either.
        if digest or (pods and settled):
            self._digests[lane] = (generation, digest)
        at, last = self._digests.get(lane, (0, ""))
        return last if at == generation else ""
