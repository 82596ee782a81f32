"""A StatefulSet or a DaemonSet as one look shows it, and the pods that are deleted so that others take their place.

Three GETs to look. A pod is only ever deleted as it was seen: one that has changed since is left for the next time.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import ConflictError, Finding, GoneError
from integrations.kube.cluster import Cluster
from integrations.kube.fence import fence_of, refuse_newer
from integrations.kube.health import unprobed
from integrations.kube.logs import Culprit, culprit_of, tail_of
from integrations.kube.ownership import owned_by_another
from integrations.kube.paths import path_to
from integrations.kube.pods import Census, controlled_by, is_alive, selector_query
from integrations.kube.revisions import census_of
from integrations.kube.rights import Right, missing_rights
from integrations.kube.rivals import rivals
from integrations.kube.way_back import Restore, way_back

Body = Mapping[str, Any]


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
    _culprit: Culprit | None = None

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
        self._last = None
        return sight

    async def patch(self, ops: Sequence[dict[str, Any]]) -> None:
        """Apply a JSON Patch to the object."""
        await self.cluster.patch(self.path, ops)

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
        if self._culprit is None:
            self.blame(await self.look())
        if self._culprit is None:
            return ""
        return await tail_of(self.cluster, self.namespace, self._culprit)

    def blame(self, sight: Sight, *, settled: bool = False) -> None:
        """Remember which container fails: by the time its log is wanted the pod may be about to leave."""
        self._culprit = None if settled else culprit_of(sight.census.new) or self._culprit

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
