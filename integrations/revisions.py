"""Two lanes that are revisions of one object: an alias of a function, a service that keeps its revisions.

The platform has one object that names revisions and their shares, and makes a new revision when it is told to. What
differs between platforms is behind `Revisions`; what a lane is, what may be written and which fence counts is said
once, here. The one rule: everything that is true later stands on the object itself, in notes beside the shares, and is
written together with them under one precondition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from integrations.base import (
    ConflictError,
    Finding,
    GoneError,
    HeaderRule,
    Lane,
    LaneState,
    MangledError,
    RefusedError,
    Split,
)
from integrations.fencing import refuse_newer


@dataclass(frozen=True, slots=True)
class Shown:
    """One look at the object."""

    shares: Mapping[str, float]
    """Percent of the requests, by the name of the revision; together 100."""
    token: str
    """What a write needs as its precondition."""
    prepared: str = ""
    """The revision that was made last for a rollout; `""` when none is noted."""
    kept: frozenset[str] = frozenset()
    """The revisions that are kept ready besides those with a share."""
    fence: str = ""
    mark: str = ""
    """See `Split.mark`."""
    changed_by: str = ""
    waits: str = ""
    """See `Split.waits`."""
    refused: bool = False
    """See `Split.refused`."""
    template: str = ""
    """The revision that the template asks for by name: the next change by somebody else builds on it."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to stand on the object from now on."""

    fence: str
    prepared: str
    kept: frozenset[str]


class Revisions(Protocol):
    """One object of a platform that has revisions. Errors are those of `integrations.base`."""

    fenced_by: str
    """What carries the fence, as `refuse_newer` names it."""

    async def live(self) -> str:
        """Return the name of the revision with the largest share. Raises `GoneError`."""
        ...

    async def look(self) -> Shown:
        """Return the shares and the notes as they are now. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        ...

    async def state(self, name: str) -> LaneState:
        """Return what one revision is: image, ready (0 or 1), settled, problem. Raises `GoneError` for none."""
        ...

    async def publish(self, image: str, shown: Shown, notes: Notes) -> str:
        """Make a revision of `image` without any share, write the notes with it as the prepared one, return its name.

        The same call again makes no second one. `notes.prepared` and its place in `kept` are filled in here. Raises
        `TryAgainError` while the platform is still busy with it, `ConflictError` when the token is stale.
        """
        ...

    async def divide(self, shares: Mapping[str, float], shown: Shown, notes: Notes) -> Shown:
        """Write shares (percent, together 100) and notes, only if the token of `shown` still holds."""
        ...

    async def inspect(self, image: str, weights: Sequence[float]) -> Sequence[Finding]:
        """Say what would stand in the way of publishing `image` (`""`: of nothing), of these weights, of going home."""
        ...

    async def tail(self, name: str) -> str:
        """Return the last lines that a failing revision wrote, see `Workload.tail`; `""` for none."""
        ...

    def image_for(self, version: str) -> str:
        """See `Workload.image_for`."""
        ...

    def __str__(self) -> str:
        """Name the object, as a sentence begins."""
        ...


class _Lanes:
    """The object, and which of its revisions are the lanes."""

    def __init__(self, revisions: Revisions, live: str, dark: str = "") -> None:
        """`dark` is the canary's revision as the rollout knows it; `""`: the one that the notes name."""
        self.revisions = revisions
        self.live = live
        self.dark = dark

    def canary(self, shown: Shown) -> str:
        """Return the canary's revision, `""` while there is none.

        One that was let go of makes room for the one that was there before the rollout, once that is prepared again.
        """
        noted = shown.prepared if shown.prepared != self.live else ""
        there = self.dark in shown.kept or shown.shares.get(self.dark, 0) > 0
        return self.dark if self.dark and (there or not noted) else noted

    def strangers(self, shown: Shown) -> list[str]:
        """Return the revisions with a share that are neither of the lanes."""
        ours = {self.live, self.canary(shown)}
        return sorted(
            name for name, share in shown.shares.items() if share > 0 and name not in ours
        )

    async def fresh(self, last: Shown | None, token: str) -> Shown:
        """Return what a write is based on: the last look, or a new one. Raises `ConflictError` for a stale token."""
        shown = last if last is not None and last.token == token else await self.revisions.look()
        if shown.token != token:
            raise ConflictError(f"{self.revisions} changed since it was read.")
        return shown


class RevisionRouter:
    """The `Router` of such an object."""

    def __init__(self, revisions: Revisions, live: str, dark: str = "") -> None:
        """See `_Lanes`."""
        self._lanes = _Lanes(revisions, live, dark)
        self._last: Shown | None = None

    async def read(self) -> Split:
        """Return the split as it is now. Raises `MangledError` (`foreign_revision`) where a third one has a share."""
        self._last = shown = await self._lanes.revisions.look()
        split = self._split(shown)
        strangers = self._lanes.strangers(shown)
        if strangers:
            raise MangledError(
                f"{self._lanes.revisions} sends requests to {', '.join(strangers)}, which this rollout does not know. "
                "Take that share away; a rollout that is under way goes on by `resume`, or home by `rollback`.",
                code="foreign_revision",
                split=split,
            )
        return split

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent to the canary's revision and write the fence, only if `token` holds.

        Raises `RefusedError` (`no_header_routes`, `no_canary_revision`, `foreign_revision`), and what `Router.write`
        raises.
        """
        lanes = self._lanes
        shown = await lanes.fresh(self._last, token)
        refuse_newer(shown.fence, fence, str(lanes.revisions), where=lanes.revisions.fenced_by)
        self._refuse(shown, canary, rules)
        dark = lanes.canary(shown)
        shares = {lanes.live: 100.0 - canary} | ({dark: canary} if dark else {})
        # Going home keeps the canary as it is: letting go of it is for the workload, after the traffic.
        kept = shown.kept | {lanes.live} | ({dark} if canary else set())
        self._last = await lanes.revisions.divide(
            {name: share for name, share in shares.items() if share > 0},
            shown,
            Notes(fence, shown.prepared or (dark if canary else ""), kept),
        )
        return self._split(self._last)

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail."""
        lanes = self._lanes
        found = list(await lanes.revisions.inspect("", weights))
        if rules:
            found.append(Finding("no_header_routes", str(_no_headers(lanes.revisions))))
        if canary_pods and not lanes.canary(await lanes.revisions.look()):
            found.append(Finding("no_canary_revision", str(_no_canary(lanes.revisions))))
        return found

    def _split(self, shown: Shown) -> Split:
        return Split(
            canary=round(100.0 - shown.shares.get(self._lanes.live, 0.0), 6),
            token=shown.token,
            fence=shown.fence,
            mark=shown.mark,
            changed_by=shown.changed_by,
            waits=shown.waits,
            refused=shown.refused,
            left=f"the template of {self._lanes.revisions}"
            if shown.template and shown.template == self._lanes.canary(shown)
            else "",
        )

    def _refuse(self, shown: Shown, canary: float, rules: Sequence[HeaderRule]) -> None:
        if not 0 <= canary <= 100:
            raise ValueError(f"not a percentage: {canary}")
        if rules:
            raise _no_headers(self._lanes.revisions)
        if canary and not self._lanes.canary(shown):
            raise _no_canary(self._lanes.revisions)
        if canary and self._lanes.strangers(shown):
            raise RefusedError(
                f"{self._lanes.revisions} sends requests to a revision that this rollout does not know.",
                code="foreign_revision",
            )


class RevisionWorkload:
    """The `Workload` of such an object. A lane counts as one replica while it is kept ready or has a share."""

    def __init__(self, revisions: Revisions, live: str, dark: str = "") -> None:
        """See `_Lanes`."""
        self._lanes = _Lanes(revisions, live, dark)
        self._last: Shown | None = None

    async def read(self, only: Lane | None = None) -> Mapping[Lane, LaneState]:
        """Return both lanes, or `only` one, as they are now. A canary's lane that nothing was made for is empty."""
        self._last = shown = await self._lanes.revisions.look()
        wanted = tuple(Lane) if only is None else (only,)
        return {lane: await self._state(lane, shown) for lane in wanted}

    async def write(
        self,
        lane: Lane,
        *,
        image: str | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Make a revision of `image` for the canary, keep a lane ready (`replicas` 1 or more), or let it go (0).

        Raises `RefusedError` (`not_replaceable`): the live revision is never written over.
        """
        lanes = self._lanes
        shown = await lanes.fresh(self._last, token)
        self._last = None
        refuse_newer(shown.fence, fence, str(lanes.revisions), where=lanes.revisions.fenced_by)
        dark = lanes.canary(shown)
        if image:
            if lane is Lane.STABLE:
                raise _not_replaceable(lanes.revisions)
            kept = frozenset({lanes.live})
            await lanes.revisions.publish(image, shown, Notes(fence, dark, kept))
            return
        name = lanes.live if lane is Lane.STABLE else dark
        going = replicas == 0 or image == ""
        kept = shown.kept - {name} if going else shown.kept | {name}
        prepared = "" if going and name == shown.prepared else shown.prepared
        await lanes.revisions.divide(shown.shares, shown, Notes(fence, prepared, kept))

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say what would stand in the way of making a revision of `image`, and of going back."""
        return await self._lanes.revisions.inspect(image, ())

    async def tail(self, lane: Lane) -> str:
        """Return the last lines of the lane's revision."""
        shown = await self._lanes.revisions.look()
        name = self._lanes.live if lane is Lane.STABLE else self._lanes.canary(shown)
        return await self._lanes.revisions.tail(name) if name else ""

    def image_for(self, version: str) -> str:
        """See `Workload.image_for`."""
        return self._lanes.revisions.image_for(version)

    async def _state(self, lane: Lane, shown: Shown) -> LaneState:
        name = self._lanes.live if lane is Lane.STABLE else self._lanes.canary(shown)
        used = name in shown.kept or shown.shares.get(name, 0) > 0 or name == shown.prepared
        empty = LaneState(
            "", 0, 0, settled=True, token=shown.token, fence=shown.fence, counted=False
        )
        if lane is Lane.CANARY and (not name or not used):
            return empty
        try:
            state = await self._lanes.revisions.state(name)
        except GoneError:
            if lane is Lane.CANARY:
                # What the rollout made and somebody deleted is noted still: that has to be let go of.
                return replace(empty, replicas=int(name == self._lanes.dark))
            raise
        return replace(
            state,
            replicas=int(used),
            token=shown.token,
            fence=shown.fence,
            name=name,
            counted=False,
        )


def _no_headers(revisions: Revisions) -> RefusedError:
    return RefusedError(
        f"{revisions} divides requests by chance and knows no headers: leave the audience out of the request.",
        code="no_header_routes",
    )


def _no_canary(revisions: Revisions) -> RefusedError:
    return RefusedError(
        f"{revisions} has no revision prepared that could get requests. Roll out again.",
        code="no_canary_revision",
    )


def _not_replaceable(revisions: Revisions) -> RefusedError:
    return RefusedError(
        f"{revisions} keeps its revisions as they are: a new version gets a revision of its own. Take canary, "
        "blue-green or direct.",
        code="not_replaceable",
    )
