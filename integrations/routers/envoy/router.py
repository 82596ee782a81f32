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
from integrations.routers.envoy.files import RouteFile
from integrations.routers.envoy.findings import no_cluster, no_host, not_live, unchecked
from integrations.routers.envoy.routes import Wanted
from integrations.routers.envoy.sight import Sight, changed, see, sight_of, validates_clusters

_LIVE_WITHIN_S = 2.0
_EVERY_S = 0.02


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
            raise MangledError(str(sight.wrong), code=sight.wrong.code, split=sight.split)
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

    async def inspect(self, *, canary_pods: bool) -> Sequence[Finding]:
        """Say what would make a split fail: the file, its folder, the clusters, a proxy with other routes."""
        try:
            self._file.refuse_read_only()
            sight = await self._look()
            if sight.wrong is not None:
                return [Finding(sight.wrong.code, str(sight.wrong))]
            return await self._findings(sight, canary_pods=canary_pods)
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    def __str__(self) -> str:
        return str(self._file)

    async def _look(self) -> Sight:
        return see(await asyncio.to_thread(self._file.read), self._wanted, str(self))

    async def _is_live(self, sight: Sight) -> bool:
        """Say whether the proxy shows what the file shows; without an admin address there is nobody to ask."""
        if self._admin is None or sight.fork is None:
            return True
        told = await self._admin.routes(sight.fork.host.config)
        live = sight_of(told, self._wanted, str(self), sight.split.token).split
        return live == sight.split

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
        if self._admin is None:
            return [] if validates_clusters(sight) else [unchecked(str(self))]
        found = [] if await self._is_live(sight) else [not_live(str(self))]
        hosts = await self._admin.hosts()
        needed = [self._wanted.stable, *([self._wanted.canary] if canary_pods else [])]
        for cluster in (self._wanted.stable, self._wanted.canary):
            if cluster not in hosts:
                found.append(no_cluster(cluster))
            elif cluster in needed and not hosts[cluster]:
                found.append(no_host(cluster))
        return found
