"""The `Router` of a VirtualService: one GET to read, one JSON Patch to write.

What was read is kept until the next read, so that a write needs no GET of its own: the resourceVersion in the patch
makes sure that it is still true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import ConflictError, Finding, HeaderRule, RefusedError, Split
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_of, fence_ops, lock_op, mark_of, refuse_newer
from integrations.kube.reading import last_editor
from integrations.routers.istio.audience import Audience, audience_of, audience_ops
from integrations.routers.istio.lanes import LaneBook, LaneNames, networking_version
from integrations.routers.istio.preflight import Preflight
from integrations.routers.istio.routes import Arm, Fork, find_fork, weighted_destinations
from integrations.routers.istio.weights import percent_of, share


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the VirtualService showed, as far as a write needs it."""

    split: Split
    fork: Fork
    audience: Audience
    annotated: bool


class IstioRouter:
    """Splits the traffic of one http route of one VirtualService."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        virtual_service: str,
        stable: str,
        canary: str,
        route: str | None = None,
    ) -> None:
        """`stable` and `canary` are the names of the pair's Deployments; `route` the name of an http route."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = virtual_service
        self._route = route
        self._lanes = LaneBook(cluster, namespace, LaneNames(stable, canary))
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split as it is now, with one GET once the lanes are known."""
        return (await self._look()).split

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent and the requests of `rules` to the canary, and write the fence, in one patch.

        Only if `token` still holds. `rules` are all there shall be: our other routes are removed.
        """
        sight = self._last
        if sight is None or sight.split.token != token:
            sight = await self._look()
        if sight.split.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(sight.split.fence, fence, str(self))
        ops = patch_for(sight, canary, fence, rules)
        body = await self._cluster.patch(await self._path(), ops)
        return (await self._remember(body)).split

    async def inspect(self, *, canary_pods: bool) -> Sequence[Finding]:
        """Say what would make a split fail; looks at the namespace of the VirtualService only."""
        self._lanes.forget()
        try:
            body = await self._cluster.get(await self._path())
            sight = await self._remember(body)
            preflight = Preflight(self._cluster, self._namespace, body, sight.fork)
            return await preflight.findings(canary_pods=canary_pods)
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def __str__(self) -> str:
        return f"VirtualService {self._name} in namespace {self._namespace}"

    async def _path(self) -> str:
        version = await networking_version(self._cluster)
        return path_to(version, "virtualservices", self._namespace, self._name)

    async def _look(self) -> Sight:
        return await self._remember(await self._cluster.get(await self._path()))

    async def _remember(self, body: Mapping[str, Any]) -> Sight:
        spec = body.get("spec") or {}
        await self._lanes.look_up(weighted_destinations(spec, self._namespace))
        fork = find_fork(spec, self._namespace, self._route, self._lanes.lane_of)
        self._last = sight_of(body, fork)
        return self._last


def sight_of(body: Mapping[str, Any], fork: Fork) -> Sight:
    """Return what a VirtualService shows about the split of one of its routes."""
    metadata = body.get("metadata") or {}
    audience = audience_of((body.get("spec") or {}).get("http") or [], fork)
    split = Split(
        canary=percent_of(*fork.weights),
        token=str(metadata.get("resourceVersion", "")),
        fence=fence_of(body),
        mark=mark_of(body),
        changed_by=last_editor(body),
        rules=audience.rules,
    )
    return Sight(split, fork, audience, annotated=bool(metadata.get("annotations")))


def patch_for(
    sight: Sight, canary: float, fence: str, rules: Sequence[HeaderRule] = ()
) -> list[dict[str, Any]]:
    """Return the JSON Patch that changes two weights, our own routes and the fence, guarded by what was seen."""
    fork = sight.fork
    root = f"/spec/http/{fork.index}"
    guard = [{"op": "test", "path": f"{root}/name", "value": fork.name}] if fork.name else []
    weights = share(*fork.weights, others=fork.others, percent=canary)
    places = (fork.stable, fork.canary)
    return [
        lock_op(sight.split.token),
        *guard,
        *(
            op
            for at, weight in zip(places, weights, strict=True)
            for op in _weight_ops(f"{root}/route/{at}", fork.arms[at], weight)
        ),
        *audience_ops(sight.audience, fork, rules),
        *fence_ops(annotated=sight.annotated, fence=fence),
    ]


def _weight_ops(path: str, arm: Arm, weight: int) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": f"{path}/destination", "value": dict(arm.raw)},
        {"op": "replace" if arm.weighted else "add", "path": f"{path}/weight", "value": weight},
    ]
