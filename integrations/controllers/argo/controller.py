"""The `Controller` of one Rollout: two or three GETs to read, one JSON Patch for most orders.

The command line of Argo Rollouts writes without a precondition, so that a second click skips the step behind. Here
every order carries the resourceVersion that was read, and every change of the status tests the template and the step.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from integrations.base import ConflictError, Finding, IntegrationError, RefusedError
from integrations.controller import (
    Abort,
    Hold,
    LedState,
    Order,
    Release,
    Resume,
    Retry,
    Start,
)
from integrations.controllers.argo.obstacles import obstacles
from integrations.controllers.argo.status import (
    Sight,
    asks_of,
    detail_of,
    goal_of,
    here_of,
    image_in,
    inconclusive_step,
    passes,
    phase_of,
    progress_of,
    stop_of,
    weight_of,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_ops, lock_op, mark_of, refuse_newer
from integrations.kube.images import image_of
from integrations.kube.reading import last_editor
from integrations.kube.template import container_at, image_ops

VERSION = "argoproj.io/v1alpha1"
_HASH = "rollouts-pod-template-hash"

_Op = dict[str, Any]


class ArgoController:
    """What leads one Rollout."""

    def __init__(
        self, cluster: Cluster, *, namespace: str, name: str, container: str, image: str
    ) -> None:
        """`name` is that of the Rollout; `image` is the repository, without tag."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._container = container
        self._repository = image
        self._last: Sight | None = None

    async def read(self) -> LedState:
        """Return how it stands."""
        sight = await self._look()
        image, unread = self._image(sight)
        stable = image
        if not sight.arrived:
            stable, why = await self._stable_or_why(sight)
            unread = unread or why
        return LedState(
            image=image,
            stable=stable,
            base=sight.base,
            passes=passes(sight),
            unread=unread,
            phase=phase_of(sight),
            weight=weight_of(sight),
            movement=sight.movement,
            here=here_of(sight),
            stop=stop_of(sight),
            asks=asks_of(sight),
            progress=progress_of(sight),
            goal=goal_of(sight),
            aborted=sight.aborted,
            by_hand=sight.by_hand,
            held=sight.held,
            full=sight.full,
            detail=detail_of(sight),
            token=sight.token,
            fence=sight.fence,
            mark=mark_of(sight.body),
            changed_by=last_editor(sight.carrier),
        )

    async def order(self, order: Order, *, token: str, fence: str) -> None:
        """Give an order, only if `token` still holds."""
        sight = self._last
        if sight is None or sight.token != token:
            sight = await self._look()
        if sight.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(sight.fence, fence, str(self))
        self._last = None
        match order:
            case Start(image=image, full=full):
                await self._start(sight, image, fence, full=full)
            case Resume(stop=stop):
                await self._resume(sight, stop, fence)
            case Abort():
                await self._abort(sight, fence)
            case Retry():
                await self._status(sight, {"abort": False})
            case Hold():
                await self._pause(sight, fence, held=True)
            case Release():
                await self._pause(sight, fence, held=False)
            case _ as unknown:
                assert_never(unknown)

    def _image(self, sight: Sight) -> tuple[str, Finding | None]:
        """Return the image that is asked for, else why it cannot be told: an abort does not need it."""
        if sight.unread is not None:
            return "", sight.unread
        try:
            return image_in(sight.carrier, self._container), None
        except RefusedError as error:
            return "", _why(error)

    async def _stable_or_why(self, sight: Sight) -> tuple[str, Finding | None]:
        try:
            return await self._stable(sight), None
        except IntegrationError as error:
            return "", _why(error)

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say what would stop a movement or going back from it."""
        try:
            sight = await self._look()
            if sight.unread is not None:
                return [sight.unread]
            container_at(sight.carrier, self._container)
            return await obstacles(self._cluster, self._namespace, sight, self._paths(sight))
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def image_for(self, version: str) -> str:
        """Return the image for a tag, a digest or a whole image. Raises `RefusedError` (`wrong_image`)."""
        return image_of(self._repository, version)

    def __str__(self) -> str:
        return f"Rollout {self._name} in namespace {self._namespace}"

    async def _start(self, sight: Sight, image: str, fence: str, *, full: bool) -> None:
        index, container = container_at(sight.carrier, self._container)
        if full and container.get("image") == image and sight.movement and not sight.arrived:
            await self._status(sight, {"promoteFull": True})
            return
        told = image_ops(index, self._container, image)
        await self._cluster.patch(self._paths(sight)[-1], [*_locked(sight.carrier, fence), *told])

    async def _resume(self, sight: Sight, stop: str, fence: str) -> None:
        if stop_of(sight) != stop:
            raise ConflictError(f"{self} no longer stands at the pause that was approved.")
        if sight.held:
            if sight.pauses and not inconclusive_step(sight):
                # The yes is about where going on leads, so it is about the pause behind the hold too.
                after = await self._status(sight, {"pauseConditions": None})
                sight = Sight(after, after if sight.carrier is sight.body else sight.carrier)
            await self._pause(sight, fence, held=False)
        elif inconclusive_step(sight):
            at = min((sight.index or 0) + 1, len(sight.steps))
            skips = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": at}
            await self._status(sight, skips)
        else:
            await self._status(sight, {"pauseConditions": None})

    async def _abort(self, sight: Sight, fence: str) -> None:
        if not sight.movement or sight.arrived:
            # Nothing moves that could be aborted: what is still on its way shall fail at the newer object.
            if sight.carrier is not sight.body and sight.unread is None:
                await self._cluster.patch(self._paths(sight)[1], _locked(sight.carrier, fence))
            await self._pause(sight, fence, held=False)
            return
        if not sight.aborted:
            after = await self._status(sight, {"abort": True})
            sight = Sight(after, after if sight.carrier is sight.body else sight.carrier)
        if sight.held:
            await self._pause(sight, fence, held=False)

    async def _pause(self, sight: Sight, fence: str, *, held: bool) -> None:
        ops = _locked(sight.body, fence)
        if sight.held != held:
            ops.append({"op": "add", "path": "/spec/paused", "value": held})
        await self._cluster.patch(self._paths(sight)[0], ops)

    async def _status(self, sight: Sight, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change the status, which is a sub-resource: only at this template and this step."""
        guarded = [key for key in ("currentPodHash", "currentStepIndex") if key in sight.status]
        tests = [
            {"op": "test", "path": f"/status/{key}", "value": sight.status[key]} for key in guarded
        ]
        changes: list[_Op] = [
            {"op": "remove", "path": f"/status/{key}"}
            if value is None
            else {"op": "add", "path": f"/status/{key}", "value": value}
            for key, value in values.items()
            if value is not None or key in sight.status
        ]
        path = f"{self._paths(sight)[0]}/status"
        token = str(sight.body["metadata"].get("resourceVersion", ""))
        return await self._cluster.patch(path, [lock_op(token), *tests, *changes])

    def _paths(self, sight: Sight) -> tuple[str, ...]:
        """Return the path of the Rollout and, where it is another object, that of what carries its template."""
        own = path_to(VERSION, "rollouts", self._namespace, self._name)
        if sight.carrier is sight.body:
            return (own,)
        name = str(sight.carrier["metadata"]["name"])
        return own, path_to("apps/v1", "deployments", self._namespace, name)

    async def _look(self) -> Sight:
        body = await self._cluster.get(path_to(VERSION, "rollouts", self._namespace, self._name))
        try:
            self._last = Sight(body, await self._carrier(body))
        except IntegrationError as error:
            self._last = Sight(body, _as_seen(body), _why(error))
        return self._last

    async def _carrier(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = (body.get("spec") or {}).get("workloadRef")
        if not reference:
            return body
        if reference.get("kind") != "Deployment":
            raise RefusedError(
                f"{self} takes its template from a {reference.get('kind')}, and only a Deployment can be told "
                "another image. Let it refer to a Deployment, or give it a template of its own.",
                code="template_elsewhere",
            )
        name = str(reference.get("name", ""))
        return await self._cluster.get(path_to("apps/v1", "deployments", self._namespace, name))

    async def _stable(self, sight: Sight) -> str:
        """Return the image of the ReplicaSet that counts as stable; `""` where there is none."""
        stable = str(sight.status.get("stableRS", ""))
        if not stable:
            return ""
        listed = await self._cluster.get(
            path_to("apps/v1", "replicasets", self._namespace), labelSelector=f"{_HASH}={stable}"
        )
        uid = sight.body["metadata"].get("uid")
        for one in listed.get("items") or []:
            owners = one["metadata"].get("ownerReferences") or []
            if any(owner.get("uid") == uid for owner in owners):
                return image_in({"kind": "ReplicaSet", **one}, self._container)
        return ""


def _as_seen(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands for a carrier that cannot be read: as the controller saw it last, without a template."""
    seen = (body.get("status") or {}).get("workloadObservedGeneration", "")
    name = ((body.get("spec") or {}).get("workloadRef") or {}).get("name", "")
    return {"metadata": {"name": name, "generation": seen}}


def _why(error: IntegrationError) -> Finding:
    """Return why something was not read; what may pass by itself is not fatal."""
    return Finding(error.code, str(error), fatal=isinstance(error, RefusedError))


def _locked(body: Mapping[str, Any], fence: str) -> list[_Op]:
    metadata = body["metadata"]
    annotated = bool(metadata.get("annotations"))
    return [
        lock_op(str(metadata.get("resourceVersion", ""))),
        *fence_ops(annotated=annotated, fence=fence),
    ]
