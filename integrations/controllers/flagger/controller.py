"""The `Controller` of one Canary: three GETs to read, and one JSON Patch of its Deployment to begin.

Flagger has no verb to go on or to go back. It asks at its gates, and what it is answered there is our order: so
`Resume` and `Abort` of a movement write nothing (`LedState.fetches`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from integrations.base import ConflictError, Finding, GoneError, RefusedError
from integrations.controller import Abort, Hold, LedState, Order, Release, Resume, Retry, Start
from integrations.controllers.flagger.obstacles import obstacles
from integrations.controllers.flagger.status import (
    NOTE,
    Sight,
    asks_of,
    detail_of,
    goal_of,
    here_of,
    note_of,
    phase_of,
    progress_of,
    questions_of,
    shape_of,
    stop_of,
    version_of,
    weight_of,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_ops, lock_op, mark_of, refuse_newer
from integrations.kube.images import image_of
from integrations.kube.reading import last_editor
from integrations.kube.template import container_at, image_ops

VERSION = "flagger.app/v1beta1"
_AGAIN = "sluice/again"
"""On the pod template: nothing but a change of it lets Flagger begin the same version anew."""

_Op = dict[str, Any]


class FlaggerController:
    """What leads one Canary."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        canary: str,
        container: str,
        image: str,
        token: str = "",
    ) -> None:
        """`canary` is the name of the Canary; `image` is the repository, without tag.

        `token` is what the addresses of our gates end with.
        """
        self._token = token
        self._cluster = cluster
        self._namespace = namespace
        self._name = canary
        self._container = container
        self._repository = image

    async def read(self) -> LedState:
        """Return how it stands."""
        sight = await self._look()
        return LedState(
            image=sight.image,
            stable=sight.stable,
            phase=phase_of(sight),
            weight=weight_of(sight),
            movement=sight.movement,
            here=here_of(sight),
            stop=stop_of(sight),
            asks=asks_of(sight),
            progress=progress_of(sight),
            goal=goal_of(sight),
            aborted=sight.aborted,
            held=sight.held,
            detail=detail_of(sight),
            fetches=True,
            parked=sight.parked,
            edited=sight.edited,
            run=sight.run,
            questions=questions_of(sight),
            token=sight.token,
            fence=sight.fence,
            mark=mark_of(sight.body),
            changed_by=last_editor(_without_flagger(sight.target)),
        )

    async def order(self, order: Order, *, token: str, fence: str) -> None:
        """Write what can be written of an order, only if `token` still holds."""
        sight = await self._look()
        if sight.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(sight.fence, fence, str(self))
        match order:
            case Start(image=image):
                await self._ask_for(sight, fence, image)
            case Retry():
                await self._again(sight, fence)
            case Resume(stop=stop):
                if stop_of(sight) != stop:
                    raise ConflictError(f"{self} no longer stands where that was approved.")
                await self._suspend(sight, fence, held=False)
            case Abort():
                await self._free(sight, fence)
            case Hold():
                await self._suspend(sight, fence, held=True)
            case Release():
                await self._suspend(sight, fence, held=False)
            case _ as unknown:
                assert_never(unknown)

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop a movement or going back from it."""
        try:
            sight = await self._look()
            target = self._deployment(str(sight.target["metadata"]["name"]))
            paths = (self._path(), target, f"{target}-primary")
            return await obstacles(self._cluster, self._namespace, sight, paths, self._token)
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def image_for(self, version: str) -> str:
        """Return the image for a tag, a digest or a whole image. Raises `RefusedError` (`wrong_image`)."""
        return image_of(self._repository, version)

    def __str__(self) -> str:
        return f"Canary {self._name} in namespace {self._namespace}"

    async def _ask_for(self, sight: Sight, fence: str, image: str) -> None:
        index, _ = container_at(sight.target, self._container)
        note = _note_op(f"{note_of(sight, image)} {shape_of(sight.target)}")
        told = image_ops(index, self._container, image)
        await self._patch_target(sight, [*_locked(sight.target, fence), note, *told])

    async def _again(self, sight: Sight, fence: str) -> None:
        metadata = sight.target["spec"]["template"].get("metadata") or {}
        notes = {**(metadata.get("annotations") or {}), _AGAIN: fence}
        path = "/spec/template/metadata"
        change: _Op = {"op": "add", "path": f"{path}/annotations", "value": notes}
        if not metadata:
            change = {"op": "add", "path": path, "value": {"annotations": notes}}
        note = _note_op(note_of(sight))
        await self._patch_target(sight, [*_locked(sight.target, fence), note, change])

    async def _free(self, sight: Sight, fence: str) -> None:
        """Let Flagger come and ask; what may still be on its way to the Deployment shall fail at the newer fence."""
        await self._patch_target(sight, _locked(sight.target, fence))
        if sight.held:
            await self._suspend(sight, fence, held=False)

    async def _suspend(self, sight: Sight, fence: str, *, held: bool) -> None:
        ops = _locked(sight.body, fence)
        if sight.held != held:
            ops.append({"op": "add", "path": "/spec/suspend", "value": held})
        await self._cluster.patch(self._path(), ops)

    async def _patch_target(self, sight: Sight, ops: Sequence[_Op]) -> None:
        await self._cluster.patch(
            self._deployment(str(sight.target["metadata"]["name"])), list(ops)
        )

    def _path(self) -> str:
        return path_to(VERSION, "canaries", self._namespace, self._name)

    def _deployment(self, name: str) -> str:
        return path_to("apps/v1", "deployments", self._namespace, name)

    async def _look(self) -> Sight:
        body = await self._cluster.get(self._path())
        reference = (body.get("spec") or {}).get("targetRef") or {}
        if reference.get("kind") != "Deployment":
            raise RefusedError(
                f"{self} leads a {reference.get('kind')}, and only a Deployment can be told another image. "
                "Let its targetRef be a Deployment.",
                code="template_elsewhere",
            )
        name = str(reference.get("name", ""))
        target = await self._cluster.get(self._deployment(name))
        image = str(container_at(target, self._container)[1].get("image", ""))
        return Sight(body, target, image, await self._serving(name))

    async def _serving(self, name: str) -> str:
        """Return the image of the Deployment that Flagger made to serve; `""` where it has made none yet."""
        try:
            primary = await self._cluster.get(self._deployment(f"{name}-primary"))
        except GoneError:
            return ""
        return str(container_at(primary, self._container)[1].get("image", ""))


def _locked(body: Mapping[str, Any], fence: str) -> list[_Op]:
    annotated = bool(body["metadata"].get("annotations"))
    return [lock_op(version_of(body)), *fence_ops(annotated=annotated, fence=fence)]


def _note_op(note: str) -> _Op:
    """Behind the fence: there are annotations then."""
    return {"op": "add", "path": f"/metadata/annotations/{NOTE.replace('/', '~1')}", "value": note}


def _without_flagger(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without its entries of Flagger, which scales it in every movement."""
    metadata = body["metadata"]
    fields = [one for one in metadata.get("managedFields") or [] if one.get("manager") != "flagger"]
    return {**body, "metadata": {**metadata, "managedFields": fields}}
