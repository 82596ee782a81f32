"""A StatefulSet or a DaemonSet as one look shows it, and the pods that are deleted so that others take their place.

Three GETs to look. A pod is only ever deleted as it was seen: one that has changed since is left for the next time.

The pod that takes a place of a StatefulSet bears the name of the one before, whose log is gone with it. So the last
lines are read right before the write that takes the image away, and later only of the very pod that was seen.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations.base import ConflictError, Finding, GoneError, RefusedError, TryAgainError
from integrations.kube.cluster import Cluster
from integrations.kube.fence import fence_of, refuse_newer
from integrations.kube.health import unprobed
from integrations.kube.logs import Culprit, Witness, tail_of
from integrations.kube.ownership import owned_by_another
from integrations.kube.paths import path_to
from integrations.kube.pods import Census, controlled_by, is_alive, problem_of, selector_query
from integrations.kube.revisions import census_of
from integrations.kube.rights import Right, missing_rights
from integrations.kube.rivals import rivals
from integrations.kube.way_back import Restore, way_back

Body = Mapping[str, Any]

_HEAD_START = 0.5
"""Seconds that a write waits for the log of a pod that it may replace at once."""
_PATIENCE = 3.0
"""Seconds that such a log may take in all."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look showed."""

    body: Body
    revisions: tuple[Body, ...]
    pods: tuple[Body, ...]
    """Those that it controls and that have not come to their end."""

    @property
    def token(self) -> str:
        """The resourceVersion of the object."""
        return str(self.body["metadata"].get("resourceVersion", ""))

    @property
    def census(self) -> Census:
        """The pods by whether they run the template."""
        return census_of(self.body, self.revisions, self.pods)


@dataclass(slots=True)
class SetKeeper:
    """One StatefulSet or DaemonSet of one cluster."""

    cluster: Cluster
    plural: str
    kind: str
    namespace: str
    name: str
    _last: Sight | None = None
    _witness: Witness = field(default_factory=Witness)
    _base: Body | None = None
    """What the next write is based on."""
    _kept: tuple[Culprit | None, str] = (None, "")
    """The last lines of a container whose pod was about to go."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in namespace {self.namespace}"

    @property
    def path(self) -> str:
        """Where the object lives."""
        return path_to("apps/v1", self.plural, self.namespace, self.name)

    async def look(self) -> Sight:
        """Read the object, its revisions and its pods."""
        body, revisions = await asyncio.gather(
            self.cluster.get(self.path),
            self.cluster.get(path_to("apps/v1", "controllerrevisions", self.namespace)),
        )
        labels = {"labelSelector": selector_query(body)}
        pods = await self.cluster.get(path_to("v1", "pods", self.namespace), **labels)
        mine = controlled_by(body, pods.get("items") or [])
        self._last = Sight(
            body,
            tuple(controlled_by(body, revisions.get("items") or [])),
            tuple(pod for pod in mine if is_alive(pod)),
        )
        return self._last

    async def sight_for(self, token: str, fence: str) -> Sight:
        """Return what a write is based on. Raises `ConflictError` for a stale token, `RefusedError` (`fenced`)."""
        sight = self._last
        if sight is None or sight.token != token:
            sight = await self.look()
        if sight.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(fence_of(sight.body), fence, str(self))
        self._last, self._base = None, sight.body
        return sight

    async def patch(self, ops: Sequence[dict[str, Any]]) -> None:
        """Apply a JSON Patch to the object; where it takes an image away, keep what a failing pod of it wrote."""
        if self._base is None or not _takes_image(self._base, ops):
            await self.cluster.patch(self.path, ops)
            return
        self._witness.turn()
        reading = asyncio.create_task(self._keep())
        await asyncio.wait({reading}, timeout=_HEAD_START)
        try:
            await self.cluster.patch(self.path, ops)
        finally:
            await reading

    async def around(self, restore: Restore, container: str, pod: str | None) -> list[Finding]:
        """Return what would stop a movement or keep it from going back, fatal or not.

        `restore` is what going back would write now; `pod` one that would be deleted on the way (`""`: any of them,
        None: none is).
        """
        pods = path_to("v1", "pods", self.namespace)
        lists = [pods, path_to("apps/v1", "controllerrevisions", self.namespace)]
        deleted = [] if pod is None else [Right("delete", f"{pods}/{pod}" if pod else pods)]
        proven, missing, others = await asyncio.gather(
            way_back(self.cluster, [restore], lists),
            missing_rights(self.cluster, deleted),
            rivals(self.cluster, self.namespace, self.kind, [self.name]),
        )
        return list(
            dict.fromkeys(
                [
                    *owned_by_another(restore.body),
                    *proven,
                    *missing,
                    *others,
                    *unprobed([restore.body], container),
                ]
            )
        )

    async def tail(self) -> str:
        """Return the last lines of a container that failed when the pods were last read."""
        if self._witness.culprit is None:
            sight = await self.look()
            self.blame(sight, settled=not problem_of(sight.census.new)[0])
        culprit = self._witness.culprit
        if culprit is None:
            return ""
        seen, lines = self._kept
        return lines if seen == culprit and lines else await self._tail_of(culprit)

    def blame(self, sight: Sight, *, settled: bool = False) -> None:
        """Remember which container fails: by the time its log is wanted the pod may be about to leave."""
        self._witness.see(sight.census.new, settled=settled)

    async def _keep(self) -> None:
        culprit = self._witness.culprit
        if culprit is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                self._kept = culprit, await self._tail_of(culprit)
        except (RefusedError, TryAgainError, TimeoutError):
            # It is asked for once more when it is wanted, and why it cannot be had is said then.
            return

    async def _tail_of(self, culprit: Culprit) -> str:
        """Return the last lines of the pod that was seen; `""` where another one has taken its name."""
        lines = await tail_of(self.cluster, self.namespace, culprit)
        if not lines:
            return ""
        there = [pod["metadata"].get("uid", "") for pod in (await self.look()).pods]
        return lines if culprit.uid in there else ""

    async def delete(self, pods: Sequence[Body]) -> None:
        """Delete pods side by side, each as it was seen; every one is tried before an error is raised."""
        results = await asyncio.gather(*(self._delete(pod) for pod in pods), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _delete(self, pod: Body) -> None:
        metadata = pod["metadata"]
        path = path_to("v1", "pods", self.namespace, metadata["name"])
        try:
            await self.cluster.delete(path, token=str(metadata.get("resourceVersion", "")))
        except (ConflictError, GoneError):
            # It is another one by now, or about to be; the next look tells.
            return


def _takes_image(body: Body, ops: Sequence[dict[str, Any]]) -> bool:
    """Say whether operations on an object replace an image by another one."""
    root, containers = (
        "/spec/template/spec/containers",
        body["spec"]["template"]["spec"]["containers"],
    )
    images = {f"{root}/{index}/image": one.get("image") for index, one in enumerate(containers)}
    return any(op["path"] in images and op["value"] != images[op["path"]] for op in ops)
