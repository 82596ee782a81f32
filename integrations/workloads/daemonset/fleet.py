"""The `Fleet` of one DaemonSet: three GETs to read, one JSON Patch to write, and a delete for each pod that moves."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Finding, FleetState, RefusedError
from integrations.kube import Cluster
from integrations.kube.fence import fence_after, fence_of, fence_ops, lock_op, mark_of
from integrations.kube.images import image_of
from integrations.kube.pods import common_digest, problem_of
from integrations.kube.reading import last_editor
from integrations.kube.revisions import is_observed
from integrations.kube.sets import SetKeeper, Sight
from integrations.kube.template import container_at, image_ops, template_with
from integrations.kube.way_back import Restore
from integrations.workloads.daemonset.moving import (
    hold_ops,
    is_held,
    is_on_delete,
    next_to_go,
    release_ops,
    wanted_nodes,
)
from integrations.workloads.daemonset.obstacles import obstacles, on_delete_sentence

Body = Mapping[str, Any]


class DaemonSetFleet:
    """One DaemonSet whose pods move to another version a few nodes at a time."""

    def __init__(
        self, cluster: Cluster, *, namespace: str, name: str, container: str, image: str
    ) -> None:
        """`name` is that of the DaemonSet; `image` is the repository, without tag."""
        self._set = SetKeeper(cluster, "daemonsets", "DaemonSet", namespace, name)
        self._container = container
        self._repository = image

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

        With a count the pods that are to move are deleted behind the patch, all of them at once. Raises `RefusedError`
        (`on_delete`, `not_scalable`, `forbidden`).
        """
        if count is not None and count < 1:
            raise ValueError(f"not a number of instances to move: {count}")
        if replicas is not None:
            raise self._not_scalable()
        sight = await self._set.sight_for(token, fence)
        body = sight.body
        if is_on_delete(body) and not is_held(body):
            raise RefusedError(on_delete_sentence(body), code="on_delete")
        index, _ = container_at(body, self._container)
        template = template_with(body["spec"]["template"], index, image)
        await self._set.patch(self._ops(body, image, fence, held=count is not None))
        if count is not None:
            await self._set.delete(next_to_go(sight, template, count))

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop a movement or going back: `OnDelete`, another controller, a missing right."""
        try:
            body = (await self._set.look()).body
            restore = Restore(self._set.path, body, self._as_it_is)
            return [*obstacles(body), *await self._set.around(restore, self._container, "")]
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

    def _ops(self, body: Body, image: str, fence: str, *, held: bool) -> list[dict[str, Any]]:
        index, _ = container_at(body, self._container)
        return [
            lock_op(str(body["metadata"].get("resourceVersion", ""))),
            *image_ops(index, self._container, image),
            *fence_ops(annotated=bool(body["metadata"].get("annotations")), fence=fence),
            *(hold_ops(body) if held else release_ops(body)),
        ]

    def _as_it_is(self, body: Body) -> list[dict[str, Any]]:
        """Return what going back would write now: the image as it is, for all instances, and a fence."""
        _, container = container_at(body, self._container)
        fence = fence_after(fence_of(body))
        return self._ops(body, str(container.get("image", "")), fence, held=False)

    def _not_scalable(self) -> RefusedError:
        return RefusedError(
            f"{self} has one pod per node, so it can neither be stopped nor scaled. Take rolling or direct.",
            code="not_scalable",
        )

    def _state(self, sight: Sight) -> FleetState:
        body, census = sight.body, sight.census
        total = wanted_nodes(body)
        settled = is_observed(body) and not census.old and census.moved == len(census.new) == total
        problem, detail = ("", "") if settled else problem_of(census.new)
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
