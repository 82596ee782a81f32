"""One flag in one environment as Unleash tells it: its percentage, and whatever makes that percentage untrue.

Pure. Strategies are OR-ed, so a percentage means something only where one strategy alone is at work. The fence stands
at the end of that strategy's title, `[sluice 7.3]`: the one text of a strategy that the right to change its percentage
changes too, in the same request. What a person wrote before it stays.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from integrations.base import GoneError, RefusedError, Split

FLEXIBLE = "flexibleRollout"
"""The only strategy of Unleash with a percentage that is meant to move."""

_NOTE = re.compile(r"\s*\[sluice (\d{1,18}\.\d{1,18})\]\s*$", re.ASCII)
_PERCENT = re.compile(r"100|[1-9]?[0-9]", re.ASCII)
_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
_SHOWN = 3
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a flag is, and which of its strategies is meant."""

    project: str
    environment: str
    feature: str
    strategy: str | None = None
    """The id of one; None: the only enabled one with a percentage."""

    def __str__(self) -> str:
        """Name the flag in a sentence."""
        return f"the flag {self.feature} in {self.environment} (project {self.project})"


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy of the flag."""

    id: str
    name: str
    title: str
    rollout: int | None
    """Percent; None where it has none that can be read."""
    narrowed: str
    """A digest of its constraints and segments; `""` where it has none."""
    variants: bool

    @property
    def fence(self) -> str:
        """The fence at the end of its title."""
        found = _NOTE.search(self.title)
        return found[1] if found else ""

    @property
    def called(self) -> str:
        """Its title without our note, else its name, without anything that could be markup."""
        text = re.sub(r"[^\w .:-]", "", _NOTE.sub("", self.title) or self.name)
        return text.strip()[:_LONGEST] or "without a name"


@dataclass(frozen=True, slots=True)
class Flag:
    """One look at a flag."""

    enabled: bool
    """Whether the environment is on: off, nobody gets the flag, whatever the strategies say."""
    strategies: tuple[Strategy, ...]
    """Those that are at work."""
    token: str
    variants: bool
    stale: bool
    parents: tuple[tuple[str, bool], ...]
    """The flags that it depends on, each with whether it has to be on."""

    def largest(self) -> int:
        """Return the largest percentage that could be on, as far as that can be told."""
        if not self.enabled:
            return 0
        known = [one.rollout if _has_percent(one) else 100 for one in self.strategies]
        # Without a strategy that is at work an enabled flag is on for everybody.
        return max((100 if one is None else one for one in known), default=100)

    def least(self) -> int:
        """Return the percentage that is on for certain."""
        known = [one.rollout or 0 for one in self.strategies if _has_percent(one)]
        return max(known, default=0) if self.enabled else 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look means for the two lanes."""

    flag: Flag
    split: Split
    strategy: Strategy | None
    wrong: RefusedError | None


def read_flag(body: Any, place: Place) -> Flag:
    """Return a flag from what Unleash tells of it. Raises `GoneError`, `RefusedError` (`not_unleash`)."""
    try:
        return _flag(body, place)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise RefusedError(
            f"Unleash tells of {place} in a way that is not known here. Versions 6 and 7 are.",
            code="not_unleash",
        ) from None


def _flag(body: Mapping[str, Any], place: Place) -> Flag:
    environments = [one for one in body["environments"] if one["name"] == place.environment]
    if not environments:
        raise GoneError(
            f"Unleash does not have {place}: the project is without that environment. Correct traffic.environment, or "
            "turn it on for the project.",
            code="flag_environment_missing",
        )
    (found,) = environments
    told = found.get("strategies") or []
    shown = json.dumps([bool(found["enabled"]), told], sort_keys=True)
    return Flag(
        enabled=bool(found["enabled"]),
        strategies=tuple(_strategy(one) for one in told if not one.get("disabled")),
        token=hashlib.sha256(shown.encode()).hexdigest()[:32],
        variants=bool(found.get("variants")),
        stale=bool(body.get("stale")),
        parents=tuple(
            (str(one["feature"]), one.get("enabled") is not False)
            for one in body.get("dependencies") or []
        ),
    )


def _strategy(body: Mapping[str, Any]) -> Strategy:
    rollout = (body.get("parameters") or {}).get("rollout")
    text = rollout if isinstance(rollout, str) else ""
    narrowing = [body.get("constraints") or [], body.get("segments") or []]
    digest = hashlib.sha256(json.dumps(narrowing, sort_keys=True).encode()).hexdigest()[:16]
    if not _ID.fullmatch(body["id"]):
        raise ValueError("no id that could stand in a path")
    return Strategy(
        id=body["id"],
        name=str(body["name"]),
        title=str(body.get("title") or ""),
        rollout=int(text) if _PERCENT.fullmatch(text) else None,
        narrowed=digest if any(narrowing) else "",
        variants=bool(body.get("variants")),
    )


def sight(
    flag: Flag, place: Place, *, opens: bool, fence: str, waits: tuple[str, datetime | None]
) -> Sight:
    """Return what a look means; `opens` says that the canary is the lane `on`.

    `fence` is one known from elsewhere, `waits` is for `Split.waits` and `Split.until`.
    """
    ours = [one for one in flag.strategies if _is_meant(one, place)]
    wrong = _wrong(flag.strategies, ours, place)
    strategy = ours[0] if wrong is None else None
    if strategy is not None:
        on = (strategy.rollout or 0) if flag.enabled else 0
        canary = on if opens else 100 - on
    else:
        canary = flag.largest() if opens else 100 - flag.least()
    why, until = waits
    split = Split(
        canary=float(canary),
        token=flag.token,
        fence=fence,
        waits=why,
        until=until,
        cut="" if flag.enabled or not opens else _cut(flag, place),
        among=strategy.narrowed if strategy is not None else "",
    )
    return Sight(flag, split, strategy, wrong)


def _cut(flag: Flag, place: Place) -> str:
    """Say that the environment is off, and what would be on if somebody turned it on as it is."""
    still = replace(flag, enabled=True).largest()
    text = f"{place.environment} is turned off for the flag {place.feature}"
    left = f", and its strategies still say {still} %: set that to 0 before you turn it on by hand"
    return text + left if still else text


def _is_meant(one: Strategy, place: Place) -> bool:
    return one.id == place.strategy if place.strategy else one.name == FLEXIBLE


def _has_percent(one: Strategy) -> bool:
    return one.name == FLEXIBLE


def _wrong(
    at_work: Sequence[Strategy], ours: Sequence[Strategy], place: Place
) -> RefusedError | None:
    others = [one for one in at_work if one not in ours]
    if len(ours) == 1 and others:
        return RefusedError(
            f"Besides the gradual rollout {_listed(others)} is at work on {place}, and one strategy that says yes is "
            "enough: the percentage would mean nothing. Disable or remove it.",
            code="other_strategies",
        )
    if len(ours) > 1:
        return RefusedError(
            f"Several gradual rollouts are at work on {place} ({_listed(ours)}), and one that says yes is enough. "
            "Leave one of them enabled.",
            code="other_strategies",
        )
    if not ours or not _has_percent(ours[0]):
        which = "The configured strategy" if place.strategy else "A gradual rollout"
        return RefusedError(
            f"{which} (flexibleRollout) is not among the enabled strategies of {place}. Add or enable one with 0 %.",
            code="flag_strategy_missing",
        )
    if ours[0].rollout is None:
        return RefusedError(
            f"The percentage of {place} is no whole number from 0 to 100. Set it to one.",
            code="flag_percent_unreadable",
        )
    return None


def _listed(strategies: Sequence[Strategy]) -> str:
    named = [one.called for one in strategies[:_SHOWN]]
    more = len(strategies) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def patch_for(strategy: Strategy, percent: int, fence: str = "") -> list[dict[str, Any]]:
    """Return the JSON Patch of a strategy; Unleash takes no `test`, so it guards nothing. No fence: the title stays."""
    weigh = {"op": "replace", "path": "/parameters/rollout", "value": str(percent)}
    if not fence:
        return [weigh]
    text = _NOTE.sub("", strategy.title).strip()
    return [
        weigh,
        {"op": "add", "path": "/title", "value": f"{text} [sluice {fence}]".strip()},
    ]


def percent_on(canary: float, place: Place, *, opens: bool) -> int:
    """Return the percent for whom the flag is on. Raises `RefusedError` (`bad_weight`, `inexact_weight`)."""
    if not 0 <= canary <= 100:
        raise RefusedError(
            f"{canary} is no percentage. Ask for 0 to 100 percent.", code="bad_weight"
        )
    if not float(canary).is_integer():
        raise RefusedError(
            f"{canary:g} % cannot be written exactly: {place} knows whole percent only. Ask for those.",
            code="inexact_weight",
        )
    return int(canary) if opens else 100 - int(canary)
