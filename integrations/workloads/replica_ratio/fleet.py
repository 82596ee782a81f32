"""The `Fleet` of two Deployments behind one Service: five GETs to read, two JSON Patches to write.

Every write patches both, the fence with it, so that a write which is late finds both of them changed. What cannot be
told at once, because pods have to be ready first, is told by the same write once more: `FleetState.again` says when.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import ConflictError, Finding, FleetState, Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_after, fence_of, fence_ops, lock_op, refuse_newer
from integrations.kube.images import image_of
from integrations.kube.logs import Witness, tail_of
from integrations.kube.pods import selector_query
from integrations.kube.template import container_at, image_ops, replica_ops
from integrations.kube.way_back import Restore
from integrations.workloads.deployment.obstacles import paused_sentence
from integrations.workloads.replica_ratio.moving import Order, Told
from integrations.workloads.replica_ratio.note import drop_ops, keep_ops
from integrations.workloads.replica_ratio.obstacles import Pair, obstacles
from integrations.workloads.replica_ratio.sight import Half, Sight

Body = Mapping[str, Any]
Ops = list[dict[str, Any]]


class ReplicaRatio:
    """Two Deployments of one container whose numbers of pods split the traffic."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        stable: str,
        canary: str,
        container: str,
        image: str,
        service: str | None = None,
    ) -> None:
        """`stable` and `canary` are names of Deployments; `image` is the repository, without tag.

        `service` is the Service in front of both; None: whichever selects the pods of both.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._names = {Lane.STABLE: stable, Lane.CANARY: canary}
        self._container = container
        self._repository = image
        self._service = service
        self._last: Sight | None = None
        self._witness = Witness()

    async def read(self) -> FleetState:
        """Return the pods of both as they are now."""
        sight = await self._look()
        state = sight.state()
        self._witness.see(sight.census.new, settled=state.settled)
        return state

    async def write(
        self,
        *,
        image: str,
        count: int | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Tell both what they can be told now on the way to `count` pods of `image` (None: all), and the fence.

        Raises `RefusedError` (`deployment_paused`) while somebody has paused one of them.
        """
        if count is not None and count < 1:
            raise ValueError(f"not a number of instances to move: {count}")
        sight = await self._sight_for(token, fence)
        if sight.told.image != image:
            self._witness.turn()
        told = sight.told.told(image, count, replicas)
        patches, over = self._patches(sight, told, fence)
        # The note is there before anything else is, and goes when everything else is done.
        last = over and sight.note is not None
        for lane in reversed(Lane) if last else Lane:
            await self._cluster.patch(self._path(lane), patches[lane])

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop a movement or undo it: a pause, pods in the canary, a Service that knows only one."""
        try:
            stable, canary = await asyncio.gather(
                *(self._cluster.get(self._path(lane)) for lane in Lane)
            )
            restores = [
                Restore(self._path(lane), body, self._as_it_is)
                for lane, body in zip(Lane, (stable, canary), strict=True)
            ]
            pair = Pair(self._cluster, self._namespace, stable, canary, restores)
            return await obstacles(pair, self._container, self._service)
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def tail(self) -> str:
        """Return the last lines of a container that failed when the pods were last read."""
        if self._witness.culprit is None and not (await self.read()).problem:
            return ""
        culprit = self._witness.culprit
        return await tail_of(self._cluster, self._namespace, culprit) if culprit else ""

    def image_for(self, version: str) -> str:
        """Return the image for a tag, a digest or a whole image. Raises `RefusedError` (`wrong_image`)."""
        return image_of(self._repository, version)

    def __str__(self) -> str:
        names = " and ".join(self._names.values())
        return f"Deployments {names} in namespace {self._namespace}"

    def _title(self, lane: Lane) -> str:
        return f"Deployment {self._names[lane]} in namespace {self._namespace}"

    def _path(self, lane: Lane) -> str:
        return path_to("apps/v1", "deployments", self._namespace, self._names[lane])

    async def _look(self) -> Sight:
        sets, *bodies = await asyncio.gather(
            self._cluster.get(path_to("apps/v1", "replicasets", self._namespace)),
            *(self._cluster.get(self._path(lane)) for lane in Lane),
        )
        listed = await asyncio.gather(
            *(
                self._cluster.get(
                    path_to("v1", "pods", self._namespace), labelSelector=selector_query(body)
                )
                for body in bodies
            )
        )
        found = zip(Lane, bodies, listed, strict=True)
        self._last = Sight(
            {
                lane: Half(
                    body,
                    tuple(sets.get("items") or []),
                    tuple(pods.get("items") or []),
                    self._container,
                )
                for lane, body, pods in found
            }
        )
        return self._last

    async def _sight_for(self, token: str, fence: str) -> Sight:
        """Return what a write is based on. Raises `ConflictError` for a stale token, and `RefusedError`."""
        sight = self._last
        if sight is None or sight.token != token:
            sight = await self._look()
        if sight.token != token:
            raise ConflictError(f"{self} changed since they were read.")
        for lane, half in sight.halves.items():
            refuse_newer(fence_of(half.body), fence, self._title(lane))
            if half.body["spec"].get("paused"):
                raise RefusedError(paused_sentence(half.body), code="deployment_paused")
        self._last = None
        return sight

    def _patches(self, sight: Sight, told: Told, fence: str) -> tuple[Mapping[Lane, Ops], bool]:
        """Return the JSON Patch of each Deployment, and whether nothing is left to be told after them."""
        stable, canary = sight.halves[Lane.STABLE], sight.halves[Lane.CANARY]
        now = sight.orders(told)
        note = drop_ops(stable.body) if now.over else keep_ops(told)
        patches = {
            Lane.STABLE: [*self._ops(stable, now.stable, fence), *note],
            Lane.CANARY: self._ops(canary, now.canary, fence),
        }
        return patches, now.over

    def _ops(self, half: Half, order: Order, fence: str) -> Ops:
        index, _ = container_at(half.body, self._container)
        return [
            lock_op(half.token),
            *image_ops(index, self._container, order.image),
            *replica_ops(order.replicas),
            *fence_ops(annotated=bool(half.body["metadata"].get("annotations")), fence=fence),
        ]

    def _as_it_is(self, body: Body) -> Ops:
        """Return what going back would write now: image and pods as they are, and a fence."""
        half = Half(body, (), (), self._container)
        order = Order(half.side.image, half.side.replicas)
        return self._ops(half, order, fence_after(fence_of(body)))
