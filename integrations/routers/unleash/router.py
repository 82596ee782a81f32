"""The `Router` of a flag: one request to read, two or more to write, the last of which reads back."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from integrations.base import ConflictError, Finding, HeaderRule, RefusedError, Split
from integrations.fencing import parse_fence, refuse_newer
from integrations.routers.unleash.flag import (
    Place,
    Sight,
    Strategy,
    patch_for,
    percent_on,
    read_flag,
    sight,
)
from integrations.routers.unleash.line import UnleashLine
from integrations.routers.unleash.preflight import Preflight
from integrations.splitting.sighting import told_split

OFF, ON = "off", "on"


class UnleashRouter:
    """Splits users between the lanes `off` and `on` of one flag in one environment."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        url: str,
        token_file: str,
        project: str,
        environment: str,
        feature: str,
        stable: str,
        canary: str,
        strategy: str | None = None,
        ca_file: str | None = None,
        timeout: float = 5,
        quiet: float = 15,
    ) -> None:
        """`stable` and `canary` are `off` and `on` or the other way round; `quiet` is seconds: see the package."""
        if {stable, canary} != {OFF, ON}:
            raise ValueError(f"not the lanes of a flag: {stable}, {canary}")
        self._place = Place(project, environment, feature, strategy)
        self._opens = canary == ON
        self._line = UnleashLine(url, token_file, ca_file, timeout)
        self._clock = clock
        self._quiet = timedelta(seconds=quiet)
        self._sent: datetime | None = None
        """When this process wrote last."""
        self._home = ""
        """The fence of a way home that could not be noted in the title."""
        self._feature = f"/projects/{_quoted(project)}/features/{_quoted(feature)}"
        self._environment = f"{self._feature}/environments/{_quoted(environment)}"

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def read(self) -> Split:
        """Return the split as it is now. Raises `GoneError`, `MangledError`, `RefusedError`, `TryAgainError`."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent of the users to the canary, with the fence, only if `token` still holds.

        Raises `RefusedError` (`no_header_routes`, `inexact_weight`, `fenced`, `flag_killed` and what is wrong with the
        strategies), `ConflictError`, `TryAgainError`.
        """
        percent = self._percent(canary, rules)
        seen = await self._look()
        if seen.split.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(seen.split.fence, fence, str(self._place), where=_note(seen))
        self._sent = self._clock()
        if self._opens and percent == 0:
            await self._go_home(seen, fence)
        else:
            await self._set(seen, percent, fence)
        return (await self._look()).split

    async def inspect(
        self,
        *,
        canary_pods: bool,  # noqa: ARG002 - a flag has no pods
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make the percentage untrue, or keep it from being written."""
        try:
            seen = await self._look()
        except RefusedError as error:
            return [Finding(error.code, str(error))]
        ahead = Preflight(self._line, self._place, seen)
        return await ahead.findings(self._percent, weights, rules)

    def __str__(self) -> str:
        """Name the flag, as a sentence begins."""
        text = str(self._place)
        return text[:1].upper() + text[1:]

    def _percent(self, canary: float, rules: Sequence[HeaderRule]) -> int:
        if rules:
            raise RefusedError(
                "A flag is asked about users and knows no headers: leave the audience out, or give the strategy in "
                "Unleash constraints.",
                code="no_header_routes",
            )
        return percent_on(canary, self._place, opens=self._opens)

    async def _look(self) -> Sight:
        body = await self._line.ask(self._feature, str(self._place))
        flag = read_flag(body, self._place)
        fences = (self._home, *(one.fence for one in flag.strategies))
        newest = max(fences, key=lambda fence: parse_fence(fence) or (0, 0))
        return sight(flag, self._place, opens=self._opens, fence=newest, waits=self._waits())

    def _waits(self) -> tuple[str, datetime | None]:
        if self._sent is None or self._clock() - self._sent >= self._quiet:
            return "", None
        until = self._sent + self._quiet
        seconds = self._quiet.total_seconds()
        why = f"SDKs ask for it every {seconds:g} s, so it is read once more at"
        return f"{why} {until:%H:%M:%S} UTC", until

    async def _set(self, seen: Sight, percent: int, fence: str) -> None:
        if seen.wrong is not None or seen.strategy is None:
            raise seen.wrong or ValueError("no strategy")
        if not seen.flag.enabled and percent:
            if not self._opens:
                raise RefusedError(
                    f"Somebody turned off {self._place}; nobody has it now, and it is left so. Turn it on in Unleash "
                    "to give it back.",
                    code="flag_killed",
                )
            # Without the fence: with it, a flag that is off is one that somebody turned off after it was opened.
            await self._patch(seen.strategy, 0, "")
            await self._turn("on")
        await self._patch(seen.strategy, percent, fence)

    async def _go_home(self, seen: Sight, fence: str) -> None:
        """Take the flag from everybody: by its percentage, else by its environment."""
        refused = seen.wrong
        if seen.strategy is not None:
            try:
                await self._patch(seen.strategy, 0, fence)
            except RefusedError as error:
                refused = error
            else:
                return
        if seen.split.canary:
            try:
                await self._turn("off")
            except RefusedError as error:
                raise refused or error from error
        self._home = fence

    async def _patch(self, strategy: Strategy, percent: int, fence: str) -> None:
        path = f"{self._environment}/strategies/{_quoted(strategy.id)}"
        await self._line.tell("PATCH", path, str(self._place), patch_for(strategy, percent, fence))

    async def _turn(self, way: str) -> None:
        await self._line.tell("POST", f"{self._environment}/{way}", str(self._place))


def _note(seen: Sight) -> str:
    """Say which words to take away where the fence of a flag is not ours."""
    called = f" of its strategy {seen.strategy.called}" if seen.strategy is not None else ""
    return f"`[sluice {seen.split.fence}]` at the end of the title{called}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
