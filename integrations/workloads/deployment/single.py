"""The `Fleet` of one Deployment: three GETs to read, one JSON Patch to write.

The Deployment controller moves the pods; `holding` says how it is told to stop after so many. Going back is the same
with the image of before: then the pods of the newer version are the ones that leave.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from integrations.base import ConflictError, Finding, FleetState, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import (
    fence_after,
    fence_of,
    fence_ops,
    lock_op,
    mark_of,
    refuse_newer,
)
from integrations.kube.images import image_of
from integrations.kube.logs import Witness, tail_of
from integrations.kube.pods import Census, common_digest, problem_of, selector_query
from integrations.kube.reading import last_editor
from integrations.kube.template import container_at, image_ops, replica_ops, template_with
from integrations.kube.way_back import Restore
from integrations.workloads.deployment.counting import census_of, set_of
from integrations.workloads.deployment.holding import (
    drop_note_ops,
    hold_ops,
    keep_note_ops,
    release_ops,
    room_for,
)
from integrations.workloads.deployment.obstacles import paused_sentence, single_obstacles
from integrations.workloads.deployment.pods import owned_sets
from integrations.workloads.deployment.status import Progress, progress_of


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look showed, as far as a write needs it."""

    body: Mapping[str, Any]
    sets: tuple[Mapping[str, Any], ...]
    """The ReplicaSets of the Deployment."""

    @property
    def token(self) -> str:
        """The resourceVersion of the Deployment."""
        return str(self.body["metadata"].get("resourceVersion", ""))


class SingleDeployment:
    """One Deployment whose pods move to another version a few at a time."""

    def __init__(
        self, cluster: Cluster, *, namespace: str, name: str, container: str, image: str
    ) -> None:
        """`name` is that of the Deployment; `image` is the repository, without tag."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._container = container
        self._repository = image
        self._last: Sight | None = None
        self._witness = Witness()

    async def read(self) -> FleetState:
        """Return the instances as they are now."""
        sight = await self._look()
        labels = {"labelSelector": selector_query(sight.body)}
        pods = await self._cluster.get(path_to("v1", "pods", self._namespace), **labels)
        progress = progress_of(sight.body)
        census = census_of(
            sight.body, sight.sets, pods.get("items") or [], observed=progress.observed
        )
        return self._state(sight.body, census, progress)

    async def write(
        self,
        *,
        image: str,
        count: int | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Let `count` instances run `image` (None: all), in one patch with the fence, only if `token` still holds.

        Raises `RefusedError` (`deployment_paused`) while somebody has paused the Deployment.
        """
        if count is not None and count < 1:
            raise ValueError(f"not a number of instances to move: {count}")
        sight = self._last
        if sight is None or sight.token != token:
            sight = await self._look()
        if sight.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(fence_of(sight.body), fence, str(self))
        self._refuse_paused(sight.body)
        if container_at(sight.body, self._container)[1].get("image") != image:
            self._witness.turn()
        self._last = None
        await self._cluster.patch(self._path(), self._ops(sight, image, count, replicas, fence))

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop or undo a movement: a pause, another controller, a missing right, autoscaling."""
        try:
            sight = await self._look()
            restore = Restore(self._path(), sight.body, partial(self._as_it_is, sets=sight.sets))
            return await single_obstacles(self._cluster, self._namespace, restore, self._container)
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
        return f"Deployment {self._name} in namespace {self._namespace}"

    def _path(self) -> str:
        return path_to("apps/v1", "deployments", self._namespace, self._name)

    async def _look(self) -> Sight:
        body, sets = await asyncio.gather(
            self._cluster.get(self._path()),
            self._cluster.get(path_to("apps/v1", "replicasets", self._namespace)),
        )
        self._last = Sight(body, tuple(owned_sets(body, sets.get("items") or [])))
        return self._last

    def _ops(
        self, sight: Sight, image: str, count: int | None, replicas: int | None, fence: str
    ) -> list[dict[str, Any]]:
        body = sight.body
        index, _ = container_at(body, self._container)
        if count is None:
            told, noted = release_ops(body), drop_note_ops(body)
        else:
            template = template_with(body["spec"]["template"], index, image)
            told = hold_ops(room_for(count, set_of(template, sight.sets)))
            noted = keep_note_ops(body)
        return [
            lock_op(sight.token),
            *image_ops(index, self._container, image),
            *told,
            *replica_ops(replicas),
            *fence_ops(annotated=bool(body["metadata"].get("annotations")), fence=fence),
            *noted,
        ]

    def _as_it_is(
        self, body: Mapping[str, Any], sets: tuple[Mapping[str, Any], ...]
    ) -> list[dict[str, Any]]:
        """Return what going back would write now: the image as it is, for all instances, and a fence."""
        _, container = container_at(body, self._container)
        sight, fence = Sight(body, sets), fence_after(fence_of(body))
        return self._ops(sight, str(container.get("image", "")), None, None, fence)

    def _refuse_paused(self, body: Mapping[str, Any]) -> None:
        if body["spec"].get("paused"):
            raise RefusedError(paused_sentence(body), code="deployment_paused")

    def _state(self, body: Mapping[str, Any], census: Census, progress: Progress) -> FleetState:
        _, container = container_at(body, self._container)
        settled = progress.observed and not census.old and census.moved == len(census.new)
        settled = settled and census.moved == progress.replicas
        problem, detail = ("", "") if settled else problem_of(census.new)
        self._witness.see(census.new, settled=settled)
        if not settled and not problem:
            problem, detail = progress.problem, progress.detail
        return FleetState(
            image=str(container.get("image", "")),
            total=progress.replicas,
            moved=census.moved,
            pending=len(census.new) - census.moved,
            old=len(census.old),
            ready=census.ready,
            settled=settled,
            token=str(body["metadata"].get("resourceVersion", "")),
            fence=fence_of(body),
            digest=common_digest(census.new, self._container),
            problem=problem,
            detail=detail,
            mark=mark_of(body),
            changed_by=last_editor(body),
        )
