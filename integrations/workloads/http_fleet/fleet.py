"""The `Fleet` of HTTP nodes: two requests per node to read, one per node that moves to write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.base import Finding, FleetState, RefusedError, TryAgainError
from integrations.fencing import parse_fence, refuse_newer
from integrations.workloads.http_fleet.nodes import (
    VERSION,
    Answers,
    Limits,
    Node,
    Nodes,
    Ways,
)

_NAMED = 5
"""How many instances one sentence names."""


@dataclass(frozen=True, slots=True)
class Told:
    """The last write of this process."""

    image: str
    fence: str
    names: frozenset[str]
    """The instances that are to run `image`."""
    at: datetime
    failures: Mapping[str, str]
    """Why not, by the instances that did not take it."""


class HttpFleet:
    """Nodes that move to another version a few at a time; an image is the version itself."""

    def __init__(
        self,
        *,
        service: str,
        clock: Callable[[], datetime],
        instances: Sequence[Mapping[str, str]],
        version: Mapping[str, Any],
        health: Mapping[str, Any],
        update: Mapping[str, Any],
        bearer_token_file: str | None = None,
        ca_file: str | None = None,
        timeout: float = 5,
        at_once: int = 10,
        quiet: float = 15,
    ) -> None:
        """`instances` have `name` and `url`; see `Ways` and `Limits`. `quiet` is in seconds: see the package."""
        self._instances = [Node(one["name"], one["url"].rstrip("/")) for one in instances]
        ways = Ways(service, version, health, update)
        self._nodes = Nodes(ways, Limits(timeout, at_once), bearer_token_file, ca_file)
        self._service = service
        self._clock = clock
        self._quiet = timedelta(seconds=quiet)
        self._told: Told | None = None
        self._last: list[Answers] | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._nodes.close()

    async def read(self) -> FleetState:
        """Return the instances as they are now. Raises `RefusedError`, and `TryAgainError` when none answers."""
        answers = await self._look()
        if not any(one.version for one in answers):
            why = _listed({one.name: one.why for one in answers})
            raise TryAgainError(f"No instance of {self._service} tells its version: {why}.")
        return self._state(answers)

    async def write(
        self,
        *,
        image: str,
        count: int | None = None,
        replicas: int | None = None,
        token: str,  # noqa: ARG002 - there is nothing to hold it against: see the package
        fence: str,
    ) -> None:
        """Let `count` instances run `image` (None: all), each told with the fence; those that run it are not told.

        Raises `RefusedError` (`fenced`, `not_scalable`), and `TryAgainError` when not a single one takes it.
        """
        if count is not None and count < 1:
            raise ValueError(f"not a number of instances to move: {count}")
        if replicas is not None:
            raise self._not_scalable()
        answers = self._last or await self._look()
        refuse_newer(self._newest(answers), fence, f"the instances of {self._service}")
        self._last = None
        there = [one.name for one in answers if one.version == image]
        chosen = _next(answers, image)[: None if count is None else max(0, count - len(there))]
        by_name = {node.name: node for node in self._instances}
        failures = await self._nodes.tell((by_name[name] for name in chosen), image, fence)
        if chosen and len(failures) == len(chosen):
            raise TryAgainError(f"No instance takes {image}: {_listed(failures)}.")
        names = frozenset([*there, *chosen])
        self._told = Told(image, fence, names, self._clock(), failures)

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - any image is taken alike
        """Say which instances do not answer or are not healthy."""
        try:
            answers = await self._look()
        except RefusedError as error:
            return [Finding(error.code, str(error))]
        away = {one.name: one.why for one in answers if not one.healthy}
        if not away:
            return []
        text = (
            f"Not every instance of {self._service} is well: {_listed(away)}. "
            "A batch that includes one of them does not end well; mend it, or take it out of sluice.yaml."
        )
        return [Finding(code="instances_away", sentence=text, fatal=False)]

    async def tail(self) -> str:
        """Return nothing: the nodes tell no logs."""
        return ""

    def image_for(self, version: str) -> str:
        """Return the version itself. Raises `RefusedError` (`wrong_version`)."""
        if VERSION.fullmatch(version):
            return version
        raise RefusedError(
            "A version of an HTTP fleet is letters, digits, dots, dashes, pluses and underscores. Give one like v1.42.",
            code="wrong_version",
        )

    async def _look(self) -> list[Answers]:
        self._last = await self._nodes.ask(self._instances)
        return self._last

    def _newest(self, answers: Sequence[Answers]) -> str:
        """Return the newest fence that this process wrote or a node keeps."""
        mine = self._told.fence if self._told else ""
        return max((mine, *(one.fence for one in answers)), key=lambda f: parse_fence(f) or (0, 0))

    def _state(self, answers: Sequence[Answers]) -> FleetState:
        fence = self._newest(answers)
        told = self._told if self._told and self._told.fence == fence else None
        image = told.image if told else _told_elsewhere(answers, fence)
        names = told.names if told else {one.name for one in answers}
        new = [one for one in answers if one.version == image]
        moved = sum(one.healthy for one in new)
        lost = [one for one in answers if not one.version and one.name in names]
        pending = len(new) - moved + len(lost)
        rested = told is None or self._clock() - told.at >= self._quiet
        problem, detail = self._problem(answers, image, names, told)
        return FleetState(
            image=image,
            total=len(answers),
            moved=moved,
            pending=pending,
            old=len(answers) - moved - pending,
            ready=sum(one.healthy for one in answers),
            settled=moved == len(answers) and rested,
            fence=fence,
            problem=problem,
            detail=detail,
        )

    def _problem(
        self,
        answers: Sequence[Answers],
        image: str,
        names: frozenset[str] | set[str],
        told: Told | None,
    ) -> tuple[str, str]:
        ours = [one for one in answers if one.name in names]
        lost = {one.name: one.why for one in ours if not one.version}
        if lost:
            return "node_unreachable", f"Instances do not tell their version: {_listed(lost)}."
        sick = {one.name: one.why for one in ours if one.version == image and not one.healthy}
        if sick:
            return "", f"Instances that run {image} are not healthy: {_listed(sick)}."
        unmoved = {one.name for one in ours if one.version != image}
        refused = {n: why for n, why in (told.failures if told else {}).items() if n in unmoved}
        return "", f"Instances did not take {image}: {_listed(refused)}." if refused else ""

    def _not_scalable(self) -> RefusedError:
        return RefusedError(
            f"The instances of {self._service} can be told a version, but not be stopped or added. "
            "Take rolling or direct.",
            code="not_scalable",
        )


def _next(answers: Sequence[Answers], image: str) -> list[str]:
    """Return the instances that do not run `image`, in the order in which they move to it."""
    versions = [one.version for one in answers if one.version]
    others = [one.name for one in answers if one.version != image]
    going_back = bool(versions) and versions[-1] == image != versions[0]
    return others[::-1] if going_back else others


def _told_elsewhere(answers: Sequence[Answers], fence: str) -> str:
    """Return what the nodes were last told to run, as far as they show it."""
    fenced = [one.version for one in answers if fence and one.fence == fence and one.version]
    return next((one for one in [*fenced, *(a.version for a in answers)] if one), "")


def _listed(reasons: Mapping[str, str]) -> str:
    shown = [f"{name} ({why})" for name, why in list(reasons.items())[:_NAMED]]
    more = len(reasons) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
