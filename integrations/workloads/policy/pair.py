"""The `Workload` of a policy with two lanes: what is rolled out is what holds for the pods of one of two Deployments.

A DestinationRule carries both lanes as subsets; every other kind has an object for each, that selects its pods.
The Deployments run the same software and only get more or fewer pods, so that a weight finds as many as it needs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import ConflictError, Finding, GoneError, Lane, LaneState, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_after, fence_of, refuse_newer
from integrations.kube.logs import culprit_of, tail_of
from integrations.kube.rivals import rivals
from integrations.kube.way_back import Restore
from integrations.workloads.policy.manifests import (
    NONE,
    Content,
    Named,
    image_of,
    version_in,
)
from integrations.workloads.policy.naming import Source, refuse_changed
from integrations.workloads.policy.obstacles import obstacles
from integrations.workloads.policy.running import (
    is_settled,
    lane_state,
    pods_of,
    pods_ops,
)
from integrations.workloads.policy.slots import (
    Body,
    Slot,
    SpecSlot,
    lane_content,
    same_host,
    selected_by,
    shown,
    subset_of,
    tells,
)
from integrations.workloads.policy.unanswered import Unanswered
from integrations.workloads.policy.writing import Found, Place, body_at, put, together, try_out

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a lane showed, as far as a write needs it."""

    policy: Found
    pods: Body
    """The Deployment."""

    @property
    def token(self) -> str:
        """Both resourceVersions."""
        return f"{self.policy.token}/{self.pods['metadata'].get('resourceVersion', '')}"


class PolicyPair:
    """One policy in two versions, for the pods of two Deployments."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        stable: str,
        canary: str,
        manifest: str,
        resource: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stable` and `canary` are Deployments; `resource` is `KIND/NAME`, None: what the manifests name."""
        self._cluster = cluster
        self._namespace = namespace
        self._names = {Lane.STABLE: stable, Lane.CANARY: canary}
        self._source = Source(manifest, resource, namespace)
        self._unanswered = Unanswered(clock)
        self._last: dict[Lane, Sight] = {}
        self._labels: dict[Lane, Labels] = {}
        self._known: dict[Lane, dict[str, Content]] = {}

    async def read(self, only: Lane | None = None) -> Mapping[Lane, LaneState]:
        """Return both lanes, or `only` one, as they are now.

        Raises also `TryAgainError` `policy_uncertain`: a policy that is not there may still land.
        """
        lanes = tuple(Lane) if only is None else (only,)
        sights = await self._look(lanes)
        states = await together(self._state(sight) for sight in sights.values())
        return dict(zip(sights, states, strict=True))

    async def write(
        self,
        lane: Lane,
        *,
        image: str | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Set the policy and/or the number of pods of one lane, and the fence on both, only if `token` still holds.

        The policy comes first: pods that start have it from their first request on.
        """
        sight = self._last.get(lane)
        if sight is None or sight.token != token:
            sight = (await self._look(tuple(Lane)))[lane]
        if sight.token != token:
            raise ConflictError(
                f"{sight.policy.place} or Deployment {self._names[lane]} changed since it was read."
            )
        refuse_newer(fence_of(sight.pods), fence, f"Deployment {self._names[lane]}")
        wanted = sight.policy.image if image is None else image
        content = self._content(sight, wanted)
        ops = pods_ops(sight.pods, replicas, fence, await self._live(lane))
        self._last.pop(lane, None)
        await put(self._cluster, sight.policy, wanted, content, fence, self._unanswered)
        await self._cluster.patch(self._path(lane), ops)

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say what would make a rollout or going back fail: a refused manifest or write, a missing right, a rival."""
        try:
            sights = await self._look(tuple(Lane))
            if image:
                first = sights[Lane.CANARY]
                await try_out(self._cluster, first.policy, image, self._content(first, image))
            restores = [
                Restore(self._path(lane), sight.pods, _as_many_as_there_are)
                for lane, sight in sights.items()
            ]
            policies = [sight.policy for sight in sights.values()]
            # What a rollback looks at while pods come and go.
            pods = path_to("v1", "pods", self._namespace)
            found = await obstacles(self._cluster, policies, restores, [pods])
            others = await rivals(
                self._cluster, self._namespace, "Deployment", list(self._names.values())
            )
        except RefusedError as error:
            return [Finding(error.code, str(error))]
        return [*found, *others]

    async def tail(self, lane: Lane) -> str:
        """Return the last lines of a container of a lane that does not become ready."""
        pods = await pods_of(self._cluster, self._namespace, await self._deployment(lane))
        culprit = culprit_of(pods)
        return await tail_of(self._cluster, self._namespace, culprit) if culprit else ""

    def image_for(self, version: str) -> str:
        """Return what stands for a version: its name and what its manifest says.

        Raises `RefusedError` (`policy_missing`, `policy_invalid`, `policy_kind_unknown`, `policy_not_split`).
        """
        manifest = self._source.manifest(version)
        return image_of(version, lane_content(self._source.policy.kind, manifest, version))

    def _content(self, sight: Sight, image: str) -> Content | None:
        """Return what a policy says: as the cluster has it, else as its file does."""
        if image == NONE:
            return None
        for known in (sight.policy.known, *self._known.values()):
            if image in known:
                return known[image]
        version = version_in(image)
        manifest = self._source.manifest(version)
        if sight.policy.body is not None:
            same_host(manifest, sight.policy.body)
        content = lane_content(sight.policy.place.kind, manifest, version)
        refuse_changed(image, content)
        return content

    async def _look(self, lanes: tuple[Lane, ...]) -> dict[Lane, Sight]:
        policy = self._source.policy
        running = await together(self._deployment(lane) for lane in lanes)
        for lane in Lane:
            if lane not in self._labels:
                await self._labels_unseen(lane)
        places = [self._place(policy, lane) for lane in lanes]
        names = {place.name: place for place in places}
        bodies = await together(
            body_at(self._cluster, one, self._unanswered) for one in names.values()
        )
        there = dict(zip(names, bodies, strict=True))
        for lane, place, pods in zip(lanes, places, running, strict=True):
            sight = Sight(self._found(lane, place, there[place.name], pods), pods)
            self._last[lane], self._known[lane] = sight, sight.policy.known
        return {lane: self._last[lane] for lane in lanes}

    async def _state(self, sight: Sight) -> LaneState:
        pods: list[Body] = []
        if not is_settled(sight.pods):
            pods = await pods_of(self._cluster, self._namespace, sight.pods)
        return lane_state(sight.pods, pods, sight.policy.image, sight.token)

    async def _deployment(self, lane: Lane) -> Body:
        body = await self._cluster.get(self._path(lane))
        self._labels[lane] = body["spec"]["template"]["metadata"].get("labels") or {}
        return body

    async def _labels_unseen(self, lane: Lane) -> None:
        """Learn the labels of the other lane's pods; where it is gone there is nothing to be confused with."""
        try:
            await self._deployment(lane)
        except GoneError:
            self._labels[lane] = {}

    def _place(self, policy: Named, lane: Lane) -> Place:
        apart = lane is Lane.CANARY and not policy.kind.by_subset
        name = f"{policy.name}-canary" if apart else policy.name
        return Place(policy.kind, self._namespace, name, lane.value)

    def _found(self, lane: Lane, place: Place, body: Body | None, pods: Body) -> Found:
        kind = place.kind
        other = Lane.CANARY if lane is Lane.STABLE else Lane.STABLE
        mine, others = self._labels[lane], self._labels[other]
        if kind.by_subset:
            if body is None:
                raise GoneError(
                    f"There is no {place}. Create it with a subset for each lane.",
                    code="destination_rule_missing",
                )
            slot: Slot = subset_of(body, mine, others)
            return Found(place, slot, body)
        selects = (pods["spec"].get("selector") or {}).get("matchLabels") or {}
        there = selects if body is None else selected_by(kind, body)
        if not tells(there, mine, others):
            raise _not_split(place, there, lane, body)
        return Found(place, SpecSlot(kind.selector), body, {kind.labels: dict(selects)})

    async def _live(self, lane: Lane) -> Body | None:
        """Return the Deployment whose software the pods of a lane run."""
        if lane is Lane.STABLE:
            return None
        if Lane.STABLE not in self._last:
            return await self._deployment(Lane.STABLE)
        return self._last[Lane.STABLE].pods

    def _path(self, lane: Lane) -> str:
        return path_to("apps/v1", "deployments", self._namespace, self._names[lane])


def _as_many_as_there_are(deployment: Body) -> list[dict[str, Any]]:
    fence = fence_after(fence_of(deployment))
    return pods_ops(deployment, int(deployment["spec"].get("replicas", 1)), fence)


def _not_split(place: Place, labels: Labels, lane: Lane, body: Body | None) -> RefusedError:
    whose = "would select" if body is None else "selects"
    pods = f"pods with {shown(labels)}" if labels else "all pods of the namespace"
    return RefusedError(
        f"{place} {whose} {pods}, which are not those of the {lane.value} lane alone. "
        "Let it select by a label that only they carry.",
        code="policy_not_split",
    )
