"""What is said about a flag before anything is written: whom the percentage is of, and who may change it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from integrations.base import Finding, HeaderRule, RefusedError
from integrations.routers.unleash.flag import Place, Sight
from integrations.routers.unleash.line import UnleashLine
from integrations.splitting.trying import unwritable

_PERCENT, _SWITCH, _SKIP = (
    "UPDATE_FEATURE_STRATEGY",
    "UPDATE_FEATURE_ENVIRONMENT",
    "SKIP_CHANGE_REQUEST",
)
_ANY = ("", "*", None)


class Preflight:
    """One look ahead."""

    def __init__(self, line: UnleashLine, place: Place, seen: Sight) -> None:
        """`seen` is a look at the flag."""
        self._line = line
        self._place = place
        self._seen = seen

    async def findings(
        self,
        trial: Callable[[float, Sequence[HeaderRule]], object],
        weights: Sequence[float],
        rules: Sequence[HeaderRule],
    ) -> list[Finding]:
        """Return everything that was noticed; `trial` says no to what could not be written."""
        found = [*self._about_strategies(), *unwritable(trial, weights, rules)]
        rights, changes, parents = await asyncio.gather(
            self._rights(), self._change_requests(), self._parents()
        )
        return [*found, *self._about_rights(rights, changes=changes), *parents]

    def _about_strategies(self) -> list[Finding]:
        flag, wrong, strategy = self._seen.flag, self._seen.wrong, self._seen.strategy
        found = [] if wrong is None else [Finding(wrong.code, str(wrong))]
        if strategy is not None and strategy.narrowed:
            text = (
                "The strategy has constraints or segments: the percentage is of those users only."
            )
            found.append(Finding(code="flag_narrowed", sentence=text, fatal=False))
        if flag.variants or any(one.variants for one in flag.strategies):
            text = "The flag has variants: who gets it gets one of them, and they are watched together."
            found.append(Finding(code="flag_variants", sentence=text, fatal=False))
        if flag.stale:
            text = "The flag is marked as stale in Unleash."
            found.append(Finding(code="flag_stale", sentence=text, fatal=False))
        if not flag.enabled:
            text = f"{self._place.environment} is off for the flag: it is turned on with 0 % first."
            found.append(Finding(code="flag_environment_off", sentence=text, fatal=False))
        return found

    def _about_rights(self, rights: set[str] | None, *, changes: bool) -> list[Finding]:
        if changes and (rights is None or _SKIP not in rights):
            text = (
                f"{self._place.environment} of project {self._place.project} asks for change requests, so neither the "
                f"percentage nor the kill switch can be written. Give the token {_SKIP}, or turn them off there."
            )
            return [Finding(code="change_request_needed", sentence=text)]
        lacking = (
            [] if rights is None else [one for one in (_PERCENT, _SWITCH) if one not in rights]
        )
        if not lacking:
            return []
        text = (
            f"The token for Unleash lacks {' and '.join(lacking)} in {self._place.environment} of project "
            f"{self._place.project}: {_what(lacking)}. Give its role that."
        )
        # Without the switch the percentage still moves; with the environment off it could not even begin.
        fatal = _PERCENT in lacking or not self._seen.flag.enabled
        return [Finding(code="forbidden", sentence=text, fatal=fatal)]

    async def _rights(self) -> set[str] | None:
        """Return the rights of the token here; None where that cannot be told."""
        told = await self._told("/user")
        listed = told.get("permissions") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            return None
        place = self._place
        held = {
            str(one.get("permission"))
            for one in listed
            if isinstance(one, dict)
            and one.get("project") in (place.project, *_ANY)
            and one.get("environment") in (place.environment, *_ANY)
        }
        return {*held, _PERCENT, _SWITCH, _SKIP} if "ADMIN" in held else held

    async def _change_requests(self) -> bool:
        """Say whether changes here need to be approved; the open-source Unleash has no such thing."""
        project = quote(self._place.project, safe="")
        told = await self._told(f"/projects/{project}/change-requests/config")
        listed = told if isinstance(told, list) else []
        return any(
            isinstance(one, dict)
            and one.get("environment") == self._place.environment
            and one.get("changeRequestEnabled") is True
            for one in listed
        )

    async def _parents(self) -> list[Finding]:
        parents = self._seen.flag.parents
        found = await asyncio.gather(*(self._parent(name, on=on) for name, on in parents))
        return [one for one in found if one is not None]

    async def _parent(self, name: str, *, on: bool) -> Finding | None:
        project = quote(self._place.project, safe="")
        told = await self._told(f"/projects/{project}/features/{quote(name, safe='')}")
        listed = told.get("environments") if isinstance(told, dict) else None
        for one in listed if isinstance(listed, list) else []:
            here = isinstance(one, dict) and one.get("name") == self._place.environment
            if here and bool(one.get("enabled")) != on:
                now, then = ("off", "on") if on else ("on", "off")
                text = (
                    f"The flag depends on another one that is {now} in {self._place.environment}, so nobody would get "
                    f"it. Turn that one {then} first."
                )
                return Finding(code="flag_parent_off", sentence=text)
        return None

    async def _told(self, path: str) -> Any:
        """Return what a path answers; None where this token, or this Unleash, does not tell."""
        try:
            return await self._line.ask(path, str(self._place))
        except RefusedError:
            return None


def _what(lacking: Sequence[str]) -> str:
    return (
        "its percentage cannot be written"
        if _PERCENT in lacking
        else "its environment cannot be switched, which is the kill switch"
    )
