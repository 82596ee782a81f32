"""The `Fleet` of a policy that holds for all instances at once: one object, whose spec is the manifest's.

There is nothing to move a few at a time: the object says one thing or another. So it takes all or nothing, and it is
never taken away to make room: without an AuthorizationPolicy everything would be open meanwhile.
"""

import time
from collections.abc import Callable, Sequence

from integrations.base import ConflictError, Finding, FleetState, GoneError, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_of, mark_of
from integrations.kube.reading import last_editor
from integrations.workloads.policy.manifests import (
    NONE,
    Content,
    image_of,
    version_in,
)
from integrations.workloads.policy.naming import Source, refuse_changed
from integrations.workloads.policy.obstacles import obstacles
from integrations.workloads.policy.slots import SpecSlot
from integrations.workloads.policy.unanswered import Unanswered
from integrations.workloads.policy.writing import Found, Place, body_at, put, try_out

_LANE = "all"


class WholePolicy:
    """One policy, one object."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        name: str,
        manifest: str,
        resource: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`resource` is `KIND/NAME`, None: what the manifests name. `name` is whose numbers are watched."""
        self._cluster = cluster
        self._namespace = namespace
        self._watched = path_to("apps/v1", "deployments", namespace, name)
        self._unanswered = Unanswered(clock)
        self._source = Source(manifest, resource, namespace)
        self._last: Found | None = None
        self._gone = ""

    async def read(self) -> FleetState:
        """Return the policy as one instance of what it says.

        Raises also `TryAgainError` `policy_uncertain`: it is not there, but a create that got no answer may still land.
        """
        found = await self._look()
        body = found.body or {}
        return FleetState(
            image=found.image,
            total=1,
            moved=1,
            pending=0,
            old=0,
            ready=1,
            settled=True,
            token=found.token,
            # Where there is no object, nothing carries the fence of the write that asked for just that.
            fence=fence_of(body) if found.body else self._gone,
            mark=mark_of(body),
            changed_by=last_editor(body),
        )

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say whether the manifest is taken, who else writes the object, and what would keep it from being put back."""
        try:
            found = await self._look()
            if image:
                await try_out(self._cluster, found, image, self._content(found, image))
            return [*await obstacles(self._cluster, [found]), *await self._unwatched()]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def tail(self) -> str:
        """Return nothing: a policy runs in no container."""
        return ""

    async def write(
        self,
        *,
        image: str,
        count: int | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Let the policy say what `image` stands for, and write the fence, only if `token` still holds.

        Raises `RefusedError` (`policy_not_split`) for a part of the instances or for none.
        """
        if count is not None or replicas == 0:
            raise RefusedError(
                f"{self._source.policy} holds for all instances at once: it cannot be given to some of them, nor be "
                "stopped before the next one starts. Roll it out with strategy=direct.",
                code="policy_not_split",
            )
        found = self._last
        if found is None or found.token != token:
            found = await self._look()
        if found.token != token:
            raise ConflictError(f"{found.place} changed since it was read.")
        self._last = None
        content = self._content(found, image)
        await put(self._cluster, found, image, content, fence, self._unanswered)
        self._gone = fence if image == NONE else ""

    def image_for(self, version: str) -> str:
        """Return what stands for a version: its name and what its manifest says. Raises `RefusedError`."""
        return image_of(version, self._source.manifest(version).spec)

    def _content(self, found: Found, image: str) -> Content | None:
        if image == NONE:
            return None
        known = found.known.get(image)
        if known is not None:
            return known
        content = self._source.manifest(version_in(image)).spec
        refuse_changed(image, content)
        return content

    async def _unwatched(self) -> list[Finding]:
        """Say when there is no Deployment whose numbers could be watched."""
        try:
            await self._cluster.get(self._watched)
        except GoneError as error:
            said = f"The policy is judged by the numbers of a Deployment that is not there. {error}"
            return [Finding(error.code, said, fatal=False)]
        except RefusedError:
            return []  # a policy needs no right to see it
        return []

    async def _look(self) -> Found:
        policy = self._source.policy
        place = Place(policy.kind, self._namespace, policy.name, _LANE)
        body = await body_at(self._cluster, place, self._unanswered)
        self._last = Found(place, SpecSlot(), body)
        return self._last
