"""The `Fleet` of one StatefulSet: three GETs to read, one JSON Patch to write, and pods deleted that stand in the way.

The StatefulSet controller moves the pods; `moving` says how far, and which of them it would wait for in vain.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Finding, FleetState, RefusedError
from integrations.kube import Cluster
from integrations.kube.fence import fence_after, fence_of, fence_ops, lock_op, mark_of
from integrations.kube.images import image_of
from integrations.kube.pods import Census, common_digest, problem_of
from integrations.kube.reading import last_editor
from integrations.kube.revisions import is_observed
from integrations.kube.sets import SetKeeper, Sight
from integrations.kube.template import container_at, image_ops, replica_ops, template_with
from integrations.kube.way_back import Restore
from integrations.workloads.statefulset.moving import (
    blockade,
    first_to_move,
    is_on_delete,
    is_ordered,
    movement,
    partition_ops,
)
from integrations.workloads.statefulset.obstacles import obstacles, on_delete_sentence, stuck

Body = Mapping[str, Any]


class StatefulSetFleet:
    """One StatefulSet whose pods move to another version a few at a time."""

    def __init__(
        self, cluster: Cluster, *, namespace: str, name: str, container: str, image: str
    ) -> None:
        """`name` is that of the StatefulSet; `image` is the repository, without tag."""
        self._set = SetKeeper(cluster, "statefulsets", "StatefulSet", namespace, name)
        self._container = container
        self._repository = image
        self._may_delete = True
        """Until the cluster says otherwise."""

    async def read(self) -> FleetState:
        """Return the instances as they are now."""
        return self._state(await self._set.look())

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

        Pods that the controller would wait for in vain are deleted behind it. Raises `RefusedError` (`on_delete`).
        """
        if count is not None and count < 1:
            raise ValueError(f"not a number of instances to move: {count}")
        sight = await self._set.sight_for(token, fence)
        body = sight.body
        if is_on_delete(body):
            raise RefusedError(on_delete_sentence(body), code="on_delete")
        index, _ = container_at(body, self._container)
        template = template_with(body["spec"]["template"], index, image)
        total = int(body["spec"].get("replicas", 1)) if replicas is None else replicas
        move = movement(sight, template, count=count, total=total)
        await self._set.patch(self._ops(body, image, move.partition, replicas, fence))
        await self._delete(move.leaving)

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop a movement or going back: a partition, another controller, a missing right."""
        try:
            body = (await self._set.look()).body
            restore = Restore(self._set.path, body, self._as_it_is)
            pod = first_to_move(body) if is_ordered(body) else None
            return [*obstacles(body), *await self._set.around(restore, self._container, pod)]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def tail(self) -> str:
        """Return the last lines of a container that failed when the pods were last read."""
        return await self._set.tail()

    def image_for(self, version: str) -> str:
        """Return the image for a tag, a digest or a whole image. Raises `RefusedError` (`wrong_image`)."""
        return image_of(self._repository, version)

    def __str__(self) -> str:
        return str(self._set)

    def _ops(
        self, body: Body, image: str, partition: int, replicas: int | None, fence: str
    ) -> list[dict[str, Any]]:
        index, _ = container_at(body, self._container)
        return [
            lock_op(str(body["metadata"].get("resourceVersion", ""))),
            *image_ops(index, self._container, image),
            *partition_ops(body, partition),
            *replica_ops(replicas),
            *fence_ops(annotated=bool(body["metadata"].get("annotations")), fence=fence),
        ]

    def _as_it_is(self, body: Body) -> list[dict[str, Any]]:
        """Return what going back would write now: the image as it is, for all instances, and a fence."""
        _, container = container_at(body, self._container)
        fence = fence_after(fence_of(body))
        return self._ops(body, str(container.get("image", "")), 0, None, fence)

    async def _delete(self, pods: Sequence[Body]) -> None:
        try:
            await self._set.delete(pods)
        except RefusedError:
            # The patch has landed. What could not be helped is said by the next look, with what a person can do.
            self._may_delete = False
        else:
            self._may_delete = self._may_delete or bool(pods)

    def _state(self, sight: Sight) -> FleetState:
        body, census = sight.body, sight.census
        status = body.get("status") or {}
        total = int(body["spec"].get("replicas", 1))
        # Until the controller has made the new revision the current one, a pod that dies would come back as the old.
        settled = (
            is_observed(body)
            and not census.old
            and census.moved == len(census.new) == total
            and status.get("currentRevision") == status.get("updateRevision")
        )
        problem, detail = ("", "") if settled else self._problem(sight, census)
        self._set.blame(sight, settled=settled)
        _, container = container_at(body, self._container)
        return FleetState(
            image=str(container.get("image", "")),
            total=total,
            moved=census.moved,
            pending=len(census.new) - census.moved,
            old=len(census.old),
            ready=census.ready,
            settled=settled,
            token=sight.token,
            fence=fence_of(body),
            digest=common_digest(census.new, self._container),
            problem=problem,
            detail=detail,
            mark=mark_of(body),
            changed_by=last_editor(body),
        )

    def _problem(self, sight: Sight, census: Census) -> tuple[str, str]:
        problem, detail = problem_of(census.new)
        found = blockade(sight) if not problem else None
        if found is None:
            return problem, detail
        helpless = not self._may_delete if found.ours else found.failing
        code = "stuck_pod" if helpless else ""
        return code, stuck(sight.body, found, self._container)
