"""The `Router` of an Envoy that takes its routes from a file.

The file is what is owned and compared; a proxy that has an admin address has to agree. Until it shows the same split
with the same fence, the fence is held back from what is read: a write then counts as on its way, never as somebody
else's, and going home is possible all the time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from integrations.base import Finding, HeaderRule, MangledError, RefusedError, Split, TryAgainError
from integrations.routers.envoy.admin import Admin
from integrations.routers.envoy.cut_off import Wreck
from integrations.routers.envoy.files import RouteFile
from integrations.routers.envoy.findings import no_cluster, no_host, not_live, unchecked
from integrations.routers.envoy.routes import Wanted
from integrations.routers.envoy.sight import (
    Sight,
    changed,
    see,
    sight_of,
    validates_clusters,
    with_split,
)
from integrations.splitting.elsewhere import reached_elsewhere
from integrations.splitting.trying import unwritable

_LIVE_WITHIN_S = 2.0
_EVERY_S = 0.02
_ANY_FENCE = "0.0"
"""Of a file that is made to see whether it can be, and never written."""


class EnvoyRouter:
    """Splits the traffic of one route of one route file between two clusters."""

    def __init__(
        self,
        *,
        file: str,
        stable: str,
        canary: str,
        virtual_host: str | None = None,
        route: str | None = None,
        admin: str | None = None,
    ) -> None:
        """`stable` and `canary` are names of clusters; `admin` the address where the proxy shows what it serves."""
        self._file = RouteFile(file)
        self._wanted = Wanted(stable, canary, virtual_host, route)
        self._admin = Admin(admin) if admin else None

    async def read(self) -> Split:
        """Return the split as the file has it. Raises `MangledError` too."""
        sight = await self._look()
        if sight.wrong is not None:
            split = await self._as_served(sight)
            raise MangledError(str(sight.wrong), code=sight.wrong.code, split=split)
        try:
            live = await self._is_live(sight)
        except TryAgainError:
            live = False
        return sight.split if live else replace(sight.split, fence="")

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Move a file into place in which the canary has `canary` percent and the requests of `rules`.

        Only if `token` still holds. `rules` are all there shall be: our other routes are removed. Where the route
        cannot be told any more, nothing for the canary takes it off every route (`cannot_cut_off`). Raises
        `TryAgainError` (`envoy_not_live`) when the proxy does not show the new routes in time.
        """
        data = await asyncio.to_thread(
            self._file.replace,
            token,
            lambda found: changed(found, self._wanted, str(self), canary, fence, rules),
        )
        sight = see(data, self._wanted, str(self))
        if not await self._becomes_live(sight):
            raise TryAgainError(
                f"{self} is written, but the proxy does not show its routes. "
                "It may have refused them: look at its log and at `update_rejected`.",
                code="envoy_not_live",
            )
        return sight.split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail: the file, its folder, the clusters, a proxy with other routes."""
        try:
            self._file.refuse_read_only()
            sight = await self._look()
            if sight.wrong is not None:
                return [Finding(sight.wrong.code, str(sight.wrong))]
            return [
                *await self._findings(sight, canary_pods=canary_pods),
                *unwritable(lambda p, rs: with_split(sight, p, _ANY_FENCE, rs), weights, rules),
            ]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def __str__(self) -> str:
        return str(self._file)

    async def _look(self) -> Sight:
        return see(await asyncio.to_thread(self._file.read), self._wanted, str(self))

    async def _is_live(self, sight: Sight) -> bool:
        """Say whether the proxy shows what the file shows; without an admin address there is nobody to ask."""
        if self._admin is None:
            return True
        if sight.fork is None:
            return not Wreck(await self._admin.routes(), self._wanted).serves_canary
        told = await self._admin.routes(sight.fork.host.config)
        live = sight_of(told, self._wanted, str(self), sight.split.token).split
        return replace(live, elsewhere=sight.split.elsewhere) == sight.split

    async def _as_served(self, sight: Sight) -> Split:
        """Return the split of a wreck; what the proxy still gives to the canary counts, whatever the file says."""
        if self._admin is None:
            return sight.split
        try:
            told = Wreck(await self._admin.routes(), self._wanted)
        except TryAgainError:
            return replace(sight.split, fence="")
        if not told.serves_canary:
            return sight.split
        canary = max(sight.split.canary, told.canary)
        return replace(sight.split, canary=canary, fence="", rules=sight.split.rules or told.rules)

    async def _becomes_live(self, sight: Sight) -> bool:
        """Wait until the proxy has followed: it hears of a move within milliseconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LIVE_WITHIN_S
        while not await self._is_live(sight):
            if loop.time() > until:
                return False
            await asyncio.sleep(_EVERY_S)
        return True

    async def _findings(self, sight: Sight, *, canary_pods: bool) -> list[Finding]:
        found = reached_elsewhere(sight.split.elsewhere)
        if self._admin is None:
            return found if validates_clusters(sight) else [*found, unchecked(str(self))]
        if not await self._is_live(sight):
            found.append(not_live(str(self)))
        hosts = await self._admin.hosts()
        needed = [self._wanted.stable, *([self._wanted.canary] if canary_pods else [])]
        for cluster in (self._wanted.stable, self._wanted.canary):
            if cluster not in hosts:
                found.append(no_cluster(cluster))
            elif cluster in needed and not hosts[cluster]:
                found.append(no_host(cluster))
        return found
