"""The `Router` of a VirtualService: one GET to read, one JSON Patch to write; a delegate costs one more GET.

What was read is kept until the next read, so that a write needs no GET of its own: the resourceVersion in the patch
makes sure that it is still true. What somebody mangled so that the route cannot be told any more is never written, but
for one thing: giving everything back to stable.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from integrations.base import (
    Finding,
    GoneError,
    HeaderRule,
    RefusedError,
    Split,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_after, refuse_newer
from integrations.kube.way_back import Restore, way_back
from integrations.routers.istio.cut_off import Wreck, destinations
from integrations.routers.istio.delegates import delegates_of
from integrations.routers.istio.elsewhere import mirrors_elsewhere, routes_elsewhere
from integrations.routers.istio.lanes import LaneBook, LaneNames, networking_version
from integrations.routers.istio.preflight import Preflight
from integrations.routers.istio.routes import Destination, Fork, LaneOf, Wanted, find_forks
from integrations.routers.istio.sight import Sight, cut_off_patch, patch_for, sight_of, split_of
from integrations.routers.istio.subsets import mistaken_by_name
from integrations.splitting.elsewhere import phrase, reached_elsewhere
from integrations.splitting.sighting import sight_for, told_split
from integrations.splitting.trying import unwritable

_ANY_FENCE = "0.0"
"""Of a patch that is made to see whether it can be, and never sent."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One VirtualService in which the routes may be, and what to look for in it."""

    body: Mapping[str, Any]
    wanted: Wanted

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; the API server takes one without."""
        return self.body.get("spec") or {}

    @property
    def name(self) -> str:
        """The name of the object."""
        return str(self.body["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Search:
    """All VirtualServices in which the routes may be: the one that is configured last."""

    candidates: tuple[Candidate, ...]
    hidden: RefusedError | None = None
    """To be said where nothing is found: some delegate cannot be looked into."""

    def with_body(self, body: Mapping[str, Any]) -> "Search":
        """Return the same with one object as it is after a write."""
        name = str(body["metadata"]["name"])
        return Search(
            tuple(Candidate(body, c.wanted) if c.name == name else c for c in self.candidates),
            self.hidden,
        )


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
        self._whose = canary
        self._last: Sight | None = None
        self._search = Search(())

    async def read(self) -> Split:
        """Return the split as it is now, with one GET once the lanes are known. Raises `MangledError` too."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent and the requests of `rules` to the canary, and write the fence, in one patch.

        Only if `token` still holds. `rules` are all there shall be: our other routes are removed. Where the route
        cannot be told any more, nothing for the canary takes it off every route (`cannot_cut_off`).
        """
        sight = await sight_for(self._last, self._look, token, str(self))
        refuse_newer(sight.split.fence, fence, str(self))
        home = canary == 0 and not rules
        if sight.wrong is not None and not home:
            raise RefusedError(str(sight.wrong), code=sight.wrong.code)
        if sight.forks:
            ops = patch_for(sight, canary, fence, rules)
        else:
            ops = cut_off_patch(sight, await self._cut_off(sight), fence)
        body = await self._cluster.patch(await self._path(sight.name), ops)
        self._search = self._search.with_body(body)
        return self._remember(await self._sight(self._search)).split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail; looks at the namespace of the VirtualService only."""
        self._lanes.forget()
        try:
            sight = await self._look()
            hidden = self._search.hidden
            wrong = sight.wrong or sight.uneven or (hidden if _is_gone(hidden) else None)
            if wrong is not None:
                return [Finding(wrong.code, str(wrong))]
            root = self._search.candidates[-1].body
            preflight = Preflight(self._cluster, self._namespace, root, sight, self._lanes)
            proven = asyncio.gather(
                self._way_back(sight, begun=canary_pods),
                preflight.findings(canary_pods=canary_pods),
            )
            return [
                *(finding for part in await proven for finding in part),
                *reached_elsewhere(sight.split.elsewhere),
                *unwritable(lambda p, rs: patch_for(sight, p, _ANY_FENCE, rs), weights, rules),
            ]
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
        forks = self._find(Candidate(body, wanted), self._lanes.lane_of)
        if isinstance(forks, RefusedError):
            raise forks
        sight = sight_of(body, forks, wanted, self._whose)
        return patch_for(sight, sight.split.canary, fence_after(sight.split.fence))

    def __str__(self) -> str:
        return f"VirtualService {self._name} in namespace {self._namespace}"

    async def _path(self, name: str) -> str:
        version = await networking_version(self._cluster)
        return path_to(version, "virtualservices", self._namespace, name)

    async def _get(self, name: str) -> Mapping[str, Any]:
        return await self._cluster.get(await self._path(name))

    async def _look(self) -> Sight:
        self._search = await self._everywhere()
        return self._remember(await self._sight(self._search))

    def _remember(self, sight: Sight) -> Sight:
        self._last = sight
        return sight

    async def _everywhere(self) -> Search:
        """Return where the routes may be: in the VirtualService itself, else in those to which it delegates."""
        root = Candidate(await self._get(self._name), self._wanted)
        await self._look_up(root)
        found = self._find(root, self._lanes.lane_of)
        if not isinstance(found, RefusedError) or found.code != "route_missing":
            return Search((root,))
        delegates = delegates_of(root.spec, self._namespace, self._wanted)
        inside, hidden = [], delegates.elsewhere
        for name, wanted in delegates.inside.items():
            try:
                inside.append(Candidate(await self._get(name), wanted))
            except GoneError as gone:
                # Istio has no route to it either; the others may still be split.
                hidden = gone
        for candidate in inside:
            await self._look_up(candidate)
        return Search((*inside, root), hidden)

    async def _look_up(self, candidate: Candidate) -> None:
        await self._lanes.look_up(destinations(candidate.spec, self._namespace))

    def _find(self, candidate: Candidate, lane_of: LaneOf) -> tuple[Fork, ...] | RefusedError:
        try:
            return find_forks(candidate.spec, self._namespace, candidate.wanted, lane_of)
        except RefusedError as error:
            return error

    async def _sight(self, search: Search) -> Sight:
        for candidate in search.candidates:
            await self._look_up(candidate)
        found = self._found(search, self._lanes.lane_of)
        if isinstance(found, Sight):
            return found
        lacking = self._lacking(search)
        if lacking is None:
            return self._wrecked(search, await self._precisely(search, found))
        for candidate in search.candidates:
            self._lanes.complete(candidate.spec)
        likely = self._found(search, self._lanes.lane_at_best)
        wrong = _untold(self._name, lacking)
        if isinstance(likely, Sight):
            return replace(likely, wrong=wrong)
        if not any(self._wreck(one.body).names_canary for one in search.candidates):
            raise wrong
        return self._wrecked(search, found)

    def _found(self, search: Search, lane_of: LaneOf) -> Sight | RefusedError:
        """Return what the one object shows in which the routes are; or why there is none."""
        looked = [(candidate, self._find(candidate, lane_of)) for candidate in search.candidates]
        found = [(one, forks) for one, forks in looked if not isinstance(forks, RefusedError)]
        wrongs = [error for _, error in looked if isinstance(error, RefusedError)]
        wrong = next((error for error in wrongs if error.code != "route_missing"), None)
        if len(found) == 1 and wrong is None:
            ((candidate, forks),) = found
            sight = sight_of(candidate.body, forks, candidate.wanted, self._whose)
            return replace(sight, split=replace(sight.split, elsewhere=self._beside(search, sight)))
        if len(found) > 1:
            wrong = wrong or _several([candidate for candidate, _ in found])
        return wrong or search.hidden or wrongs[0]

    async def _precisely(self, search: Search, wrong: RefusedError) -> RefusedError:
        """Return which subset keeps every route from having both lanes, if one does; else what is wrong anyway."""
        if wrong.code != "route_missing":
            return wrong
        ends = self._all_ends(search)
        slips = mistaken_by_name(await self._lanes.facts(ends), ends)
        return RefusedError(slips[0].sentence, code=slips[0].code) if slips else wrong

    def _beside(self, search: Search, sight: Sight) -> str:
        """Return what else leads to the canary."""
        routes, copies = [], []
        for one in search.candidates:
            here = one.name == sight.name
            ours = sight.ours if here else ()
            # A copy of the split route mirrors as that one does.
            audience = ours[len(sight.forks) :]
            where = "" if here else f" of VirtualService {one.name}"
            look = (one.spec, self._namespace, self._lanes.lane_at_best)
            routes += [title + where for title in routes_elsewhere(*look, ours)]
            copies += [title + where for title in mirrors_elsewhere(*look, audience)]
        return phrase("route", routes, copies)

    def _wrecked(self, search: Search, wrong: RefusedError) -> Sight:
        """Return what can still be seen where the route cannot be told: the object that serves the canary, if any."""
        candidates = search.candidates
        wrecks = [self._wreck(candidate.body) for candidate in candidates]
        blind = wrong.code == "delegate_elsewhere" or _is_gone(wrong)
        if blind and not any(wreck.serves_lanes for wreck in wrecks):
            # Where the traffic goes is out of sight: saying that none of it reaches the canary would be a guess.
            raise wrong
        at = next((n for n, wreck in enumerate(wrecks) if wreck.serves_canary), 0)
        body, wreck = candidates[at].body, wrecks[at]
        look = (candidates[at].spec, self._namespace, self._lanes.lane_at_best)
        copies = phrase("route", (), mirrors_elsewhere(*look))
        split = split_of(body, wreck.canary, wreck.rules, self._whose, copies)
        return Sight(body, split, wanted=candidates[at].wanted, wrong=wrong, whose=self._whose)

    def _wreck(self, body: Mapping[str, Any]) -> Wreck:
        return Wreck(body.get("spec") or {}, self._namespace, self._lanes.lane_at_best)

    def _lacking(self, search: Search) -> RefusedError | None:
        return self._lanes.why_unknown(self._all_ends(search))

    def _all_ends(self, search: Search) -> list[Destination]:
        return [d for c in search.candidates for d in destinations(c.spec, self._namespace)]

    async def _cut_off(self, sight: Sight) -> list[dict[str, Any]]:
        wreck = self._wreck(sight.body)
        spare = {orphan: await self._lanes.stable_beside(orphan) for orphan in wreck.orphans}
        return wreck.ops(spare, f"VirtualService {sight.name}")


def _is_gone(error: RefusedError | None) -> bool:
    return isinstance(error, GoneError)


def _untold(name: str, lacking: RefusedError) -> RefusedError:
    return RefusedError(
        f"Which destinations of VirtualService {name} are stable's and which are the canary's cannot be told for sure: "
        f"{lacking} Until that is mended, all that is written is what goes back to stable.",
        code=lacking.code,
    )


def _several(candidates: Sequence[Candidate]) -> RefusedError:
    names = ", ".join(candidate.name for candidate in candidates)
    return RefusedError(
        f"Several VirtualServices that are delegated to could be split: {names}. "
        "Set the one that is meant as `traffic.virtual_service` in sluice.yaml.",
        code="ambiguous_routes",
    )
