"""The `Router` of a VirtualService: one GET to read, one JSON Patch to write; a delegate costs one more GET.

What was read is kept until the next read, so that a write needs no GET of its own: the resourceVersion in the patch
makes sure that it is still true. What somebody mangled so that the route cannot be told any more is never written, but
for one thing: giving everything back to stable.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from integrations.base import ConflictError, Finding, HeaderRule, MangledError, RefusedError, Split
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_after, refuse_newer
from integrations.kube.way_back import Restore, way_back
from integrations.routers.istio.cut_off import Wreck, destinations
from integrations.routers.istio.delegates import delegates_of
from integrations.routers.istio.lanes import LaneBook, LaneNames, networking_version
from integrations.routers.istio.preflight import Preflight
from integrations.routers.istio.routes import Fork, Wanted, find_forks, weighted_destinations
from integrations.routers.istio.sight import Sight, cut_off_patch, patch_for, sight_of, split_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """One VirtualService in which the routes may be, and what to look for in it."""

    body: Mapping[str, Any]
    wanted: Wanted

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; the API server takes one without."""
        return self.body.get("spec") or {}


class IstioRouter:
    """Splits the traffic of the routes of one VirtualService."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        virtual_service: str,
        stable: str,
        canary: str,
        route: str | None = None,
        port: int | None = None,
        sni: str | None = None,
    ) -> None:
        """`stable` and `canary` are the names of the pair's Deployments.

        `route` is the name of an http route, `port` and `sni` are of a tls or tcp route; with both, both are split.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._name = virtual_service
        self._wanted = Wanted(route, port, sni)
        self._lanes = LaneBook(cluster, namespace, LaneNames(stable, canary))
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split as it is now, with one GET once the lanes are known. Raises `MangledError` too."""
        sight = await self._look()
        if sight.wrong is not None:
            raise MangledError(str(sight.wrong), code=sight.wrong.code, split=sight.split)
        return sight.split

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent and the requests of `rules` to the canary, and write the fence, in one patch.

        Only if `token` still holds. `rules` are all there shall be: our other routes are removed. Where the route
        cannot be told any more, nothing for the canary takes it off every route (`cannot_cut_off`).
        """
        sight = self._last
        if sight is None or sight.split.token != token:
            sight = await self._look()
        if sight.split.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(sight.split.fence, fence, str(self))
        home = canary == 0 and not rules
        if sight.wrong is not None and not home:
            raise RefusedError(str(sight.wrong), code=sight.wrong.code)
        if sight.forks:
            ops = patch_for(sight, canary, fence, rules)
        else:
            ops = cut_off_patch(sight, await self._cut_off(sight), fence)
        body = await self._cluster.patch(await self._path(sight.name), ops)
        return self._remember(await self._sight([Candidate(body, sight.wanted)], None)).split

    async def inspect(self, *, canary_pods: bool) -> Sequence[Finding]:
        """Say what would make a split fail; looks at the namespace of the VirtualService only."""
        self._lanes.forget()
        try:
            candidates, elsewhere = await self._candidates()
            sight = self._remember(await self._sight(candidates, elsewhere))
            if sight.wrong is not None:
                return [Finding(sight.wrong.code, str(sight.wrong))]
            root = candidates[-1].body
            preflight = Preflight(self._cluster, self._namespace, root, sight)
            proven = asyncio.gather(
                self._way_back(sight, begun=canary_pods),
                preflight.findings(canary_pods=canary_pods),
            )
            return [finding for part in await proven for finding in part]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def _way_back(self, sight: Sight, *, begun: bool) -> list[Finding]:
        if begun:
            return []
        restore = Restore(
            await self._path(sight.name), sight.body, partial(self._as_it_is, wanted=sight.wanted)
        )
        return await way_back(self._cluster, [restore])

    def _as_it_is(self, body: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
        """Return what going back would write now: the weights as they are, no routes of ours, and a fence."""
        forks = self._find(Candidate(body, wanted))
        if isinstance(forks, RefusedError):
            raise forks
        sight = sight_of(body, forks, wanted)
        return patch_for(sight, sight.split.canary, fence_after(sight.split.fence))

    def __str__(self) -> str:
        return f"VirtualService {self._name} in namespace {self._namespace}"

    async def _path(self, name: str) -> str:
        version = await networking_version(self._cluster)
        return path_to(version, "virtualservices", self._namespace, name)

    async def _get(self, name: str) -> Mapping[str, Any]:
        return await self._cluster.get(await self._path(name))

    async def _look(self) -> Sight:
        return self._remember(await self._sight(*await self._candidates()))

    def _remember(self, sight: Sight) -> Sight:
        self._last = sight
        return sight

    async def _candidates(self) -> tuple[list[Candidate], RefusedError | None]:
        """Return where the routes may be: in the VirtualService itself, else in those to which it delegates.

        Also what is to be said where they are in none of them, if there is more to say than that.
        """
        root = Candidate(await self._get(self._name), self._wanted)
        await self._lanes.look_up(weighted_destinations(root.spec, self._namespace))
        if not isinstance(wrong := self._find(root), RefusedError) or wrong.code != "route_missing":
            return [root], None
        delegates = delegates_of(root.spec, self._namespace, self._wanted)
        inside = [Candidate(await self._get(n), wanted) for n, wanted in delegates.inside.items()]
        for candidate in inside:
            await self._lanes.look_up(weighted_destinations(candidate.spec, self._namespace))
        return [*inside, root], delegates.elsewhere

    def _find(self, candidate: Candidate) -> tuple[Fork, ...] | RefusedError:
        try:
            return find_forks(
                candidate.spec, self._namespace, candidate.wanted, self._lanes.lane_of
            )
        except RefusedError as error:
            return error

    async def _sight(
        self, candidates: Sequence[Candidate], elsewhere: RefusedError | None
    ) -> Sight:
        looked = [(candidate, self._find(candidate)) for candidate in candidates]
        found = [(one, forks) for one, forks in looked if not isinstance(forks, RefusedError)]
        wrongs = [error for _, error in looked if isinstance(error, RefusedError)]
        wrong = next((error for error in wrongs if error.code != "route_missing"), None)
        if len(found) == 1 and wrong is None:
            ((candidate, forks),) = found
            return sight_of(candidate.body, forks, candidate.wanted)
        if len(found) > 1:
            wrong = wrong or _several([candidate for candidate, _ in found])
        return await self._wrecked(candidates, wrong or elsewhere or wrongs[0])

    async def _wrecked(self, candidates: Sequence[Candidate], wrong: RefusedError) -> Sight:
        """Return what can still be seen where the route cannot be told: the object that serves the canary, if any."""
        for candidate in candidates:
            everywhere = destinations(candidate.spec, self._namespace)
            await self._lanes.look_up(everywhere)
            await self._lanes.look_round(everywhere)
        wrecks = [self._wreck(candidate.body) for candidate in candidates]
        if wrong.code == "delegate_elsewhere" and not any(wreck.serves_lanes for wreck in wrecks):
            # Where the traffic goes is out of sight: saying that none of it reaches the canary would be a guess.
            raise wrong
        at = next((n for n, wreck in enumerate(wrecks) if wreck.serves_canary), 0)
        body, wreck = candidates[at].body, wrecks[at]
        split = split_of(body, wreck.canary, wreck.rules)
        return Sight(body, split, wanted=candidates[at].wanted, wrong=wrong)

    def _wreck(self, body: Mapping[str, Any]) -> Wreck:
        return Wreck(body.get("spec") or {}, self._namespace, self._lanes.lane_for_sure)

    async def _cut_off(self, sight: Sight) -> list[dict[str, Any]]:
        wreck = self._wreck(sight.body)
        spare = {orphan: await self._lanes.stable_beside(orphan) for orphan in wreck.orphans}
        return wreck.ops(spare, f"VirtualService {sight.name}")


def _several(candidates: Sequence[Candidate]) -> RefusedError:
    names = ", ".join(str(candidate.body["metadata"]["name"]) for candidate in candidates)
    return RefusedError(
        f"Several VirtualServices that are delegated to could be split: {names}. "
        "Set the one that is meant as `traffic.virtual_service` in sluice.yaml.",
        code="ambiguous_routes",
    )
