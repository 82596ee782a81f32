"""The `Router` of an HTTPRoute or GRPCRoute: one GET to read, one JSON Patch to write.

What was read is kept until the next read, so that a write needs no GET of its own: the resourceVersion in the patch
makes sure that it is still true. What somebody mangled so that the rule cannot be told any more is never written, but
for one thing: giving everything back to stable.

Rules of our own are known by their names. Older CustomResourceDefinitions (and those of policy.linkerd.io) drop the
name of a rule without a word; so where no rule has one, the first write of an audience is tried as a dry run before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integrations.base import (
    Finding,
    GoneError,
    HeaderRule,
    RefusedError,
    Split,
    TryAgainError,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import refuse_newer
from integrations.kube.lanes import ServiceLanes, service_at
from integrations.routers.gateway_api.cut_off import Wreck
from integrations.routers.gateway_api.elsewhere import elsewhere
from integrations.routers.gateway_api.memory import refuse_another
from integrations.routers.gateway_api.preflight import Preflight
from integrations.routers.gateway_api.routes import find_fork, rules_of, services_in
from integrations.routers.gateway_api.sight import (
    Sight,
    patch_for,
    sight_of,
    split_of,
    with_fence,
)
from integrations.routers.gateway_api.status import waiting
from integrations.splitting.managed import is_managed
from integrations.splitting.sighting import sight_for, told_split
from integrations.splitting.trying import unwritable


@dataclass(frozen=True, slots=True)
class Served:
    """One kind of route, and the versions of it that the bot knows: all hold the same weights."""

    group: str
    plural: str
    versions: tuple[str, ...]


_ANY_FENCE = "0.0"
"""Of a patch that is made to see whether it can be, and never stored."""

_GROUP = "gateway.networking.k8s.io"
HTTP_ROUTE = Served(_GROUP, "httproutes", ("v1", "v1beta1"))
_KINDS = {"HTTPRoute": HTTP_ROUTE, "GRPCRoute": Served(_GROUP, "grpcroutes", ("v1", "v1alpha2"))}


class GatewayApiRouter:
    """Splits the requests of one rule of one route."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        route: str,
        stable: str,
        canary: str,
        rule: str | None = None,
        route_kind: str = "HTTPRoute",
        served: Sequence[Served] = (),
    ) -> None:
        """`stable` and `canary` are the names of the pair's Deployments; `rule` is the name or the number of a rule.

        The route is looked for among `served`, in their order; without them `route_kind` says where.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._name = route
        self._rule = rule
        self._kind = route_kind
        self._stable = stable
        self._canary = canary
        self._served = tuple(served) or (_KINDS[route_kind],)
        self._path = ""
        self._lanes = ServiceLanes(cluster, namespace, stable, canary)
        self._names_stay = False
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split as it is now, with one GET once the lanes are known. Raises `MangledError` too."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent and the requests of `rules` to the canary, and write the fence, in one patch.

        Only if `token` still holds. `rules` are all there shall be: our other rules are removed. Raises `TryAgainError`
        (`route_not_accepted`) where that very write is stored and a controller does not take it over.
        """
        sight = await sight_for(self._last, self._look, token, str(self))
        refuse_newer(sight.fence, fence, str(self))
        if sight.waits and sight.fence == fence and sight.shows(canary, rules):
            raise TryAgainError(
                f"{self} is written, but not in force: {sight.waits}. It is looked at again.",
                code="route_not_accepted",
            )
        ops = await self._ops(sight, canary, fence, rules)
        if rules:
            await self._refuse_nameless(sight, ops)
        return (await self._remember(await self._cluster.patch(self._path, ops))).split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail; looks at one namespace only."""
        self._lanes.forget()
        self._path = ""
        try:
            sight = await self._look()
            if sight.fork is None:
                return [Finding(sight.wrong.code, str(sight.wrong))] if sight.wrong else []
            preflight = Preflight(self._cluster, self._namespace, self._path, sight)
            found = await preflight.findings(sight.fork, canary_pods=canary_pods)
            return [
                *found,
                *await self._remarks(sight.body),
                *await self._unwritable(sight, weights, rules),
            ]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def __str__(self) -> str:
        return f"{self._kind} {self._name} in namespace {self._namespace}"

    async def _remarks(self, body: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002 - as Linkerd has some
        """Say what else speaks against a split by this route."""
        return []

    async def _unwritable(
        self, sight: Sight, weights: Sequence[float], rules: Sequence[HeaderRule]
    ) -> list[Finding]:
        found = unwritable(lambda p, rs: patch_for(sight, p, _ANY_FENCE, rs), weights, rules)
        if rules and not found:
            try:
                await self._refuse_nameless(sight, patch_for(sight, 0, _ANY_FENCE, rules))
            except RefusedError as error:
                found = [Finding(error.code, str(error))]
        return found

    async def _look(self) -> Sight:
        return await self._remember(await self._fetch())

    async def _fetch(self) -> Mapping[str, Any]:
        """Return the route, from the first group that has one of its name; which one that is, is remembered."""
        if self._path:
            return await self._cluster.get(self._path)
        error: RefusedError | None = None
        for served in self._served:
            try:
                version = await self._cluster.version_with(
                    served.group, served.plural, served.versions
                )
                path = path_to(version, served.plural, self._namespace, self._name)
                body = await self._cluster.get(path)
            except GoneError as gone:
                error = gone
            except RefusedError as refused:
                if refused.code != "api_missing":
                    raise
                error = error or refused
            else:
                self._path = path
                return body
        assert error is not None
        raise error

    async def _remember(self, body: Mapping[str, Any]) -> Sight:
        await self._lanes.look_up(services_in(body, self._namespace))
        try:
            fork = find_fork(body, self._namespace, self._rule, self._lanes.lane_of)
            refuse_another(body, fork, self._canary)
        except RefusedError as error:
            sight, ours = self._wrecked(body, error), None
        else:
            sight = sight_of(body, fork, self._canary)
            ours = {fork.index, *(managed.index for managed in sight.audience.routes)}
        others = elsewhere(body, self._namespace, self._lanes.lane_of, ours)
        self._last = replace(sight, split=replace(sight.split, elsewhere=others))
        return self._last

    def _wrecked(self, body: Mapping[str, Any], wrong: RefusedError) -> Sight:
        wreck = self._wreck(body)
        waits = waiting(body, canary_serves=bool(wreck.canary or wreck.rules))
        split = split_of(body, wreck.canary, wreck.rules, waits, self._canary)
        return Sight(body, split, waits, wrong=wrong, whose=self._canary)

    def _wreck(self, body: Mapping[str, Any]) -> Wreck:
        return Wreck(body, self._namespace, self._lanes.lane_of)

    async def _ops(
        self, sight: Sight, canary: float, fence: str, rules: Sequence[HeaderRule]
    ) -> list[dict[str, Any]]:
        if sight.wrong is None:
            return patch_for(sight, canary, fence, rules)
        if canary or rules:
            raise sight.wrong
        wreck = self._wreck(sight.body)
        stable = wreck.stable
        if wreck.needs_stable and not stable:
            known = await service_at(self._cluster, self._stable, self._namespace)
            stable = self._stable if known else ""
        return with_fence(sight, wreck.ops(stable, str(self)), fence)

    async def _refuse_nameless(self, sight: Sight, ops: Sequence[dict[str, Any]]) -> None:
        """Refuse an audience (`no_header_routes`) where the names of its rules would not be stored."""
        if self._names_stay or any(rule.get("name") for rule in rules_of(sight.body)):
            return
        tried = await self._cluster.patch(self._path, ops, dry_run=True)
        self._names_stay = any(is_managed(rule) for rule in rules_of(tried))
        if not self._names_stay:
            raise RefusedError(
                f"{self} cannot have rules by header: its CustomResourceDefinition does not know names of rules, by "
                "which ours are told from yours. Install the Gateway API from version 1.4 on, or leave the headers out "
                "of the request.",
                code="no_header_routes",
            )
