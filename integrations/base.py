"""What the bot asks of the world: protocols, their values, and the two families of errors.

Adapters translate every third-party error into one of the two families here, once, at their edge: *try again*
(`TryAgainError`: the outcome may be unknown, read back) or *do not* (`RefusedError`: a person must change something).
A metric that says no is neither: it is a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class IntegrationError(Exception):
    """Something outside answered badly. `str()` is a sentence for people; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        """Keep the sentence (what, why, what to do) and its stable code (`snake_case`)."""
        super().__init__(sentence)
        self.code = code


class TryAgainError(IntegrationError):
    """The same call may succeed later. A write that raises this may or may not have been applied: read back."""

    def __init__(
        self, sentence: str, *, code: str = "unreachable", retry_after: float | None = None
    ) -> None:
        """`retry_after` is in seconds, where the other side asked for it (HTTP 429)."""
        super().__init__(sentence, code=code)
        self.retry_after = retry_after


class ConflictError(TryAgainError):
    """The precondition did not hold: the object changed since it was read. Nothing was applied; read again."""

    def __init__(self, sentence: str) -> None:
        """Say which object changed."""
        super().__init__(sentence, code="conflict")


class RefusedError(IntegrationError):
    """The same call will fail again until a person changes something. Nothing was applied."""


class GoneError(RefusedError):
    """The object is not there. `code` says which kind, for example `virtual_service_missing`."""


class MangledError(RefusedError):
    """The object is there, but what was to be split in it cannot be told any more.

    Nothing can be written to it but one thing: `Router.write` of 0 percent without rules takes every route of the
    object from the canary. So the way home goes on with `split`, and everything else is refused.
    """

    def __init__(self, sentence: str, *, code: str, split: "Split") -> None:
        """`split` is what can still be seen: as `canary` the largest share that any route gives it."""
        super().__init__(sentence, code=code)
        self.split = split


class Lane(StrEnum):
    """The two places where a version runs. Blue-green and A/B use the same two."""

    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Requests that a router sends to the canary before any weight. Exactly one condition is set."""

    header: str
    """In lower case."""
    equals: str | None = None
    regex: str | None = None
    """RE2, matched against the whole value."""
    present: bool | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """How traffic is divided, as a router shows it."""

    canary: float
    """Percent of the traffic that goes to the canary, 0 to 100."""
    token: str
    """What `write` needs as precondition (a resourceVersion, a RevisionId, an etag)."""
    fence: str = ""
    """The fence found on the object, `""` when nobody of ours has written it yet."""
    mark: str = ""
    """The `sluice/rollback` mark that an offline rollback leaves; `""` when there is none."""
    changed_by: str = ""
    """Who last changed the object, as far as it tells (field manager), for the sentence about drift."""
    waits: str = ""
    """Why what is written is not at work yet, and until when, as a clause: `DNS carries it until 14:05`."""
    until: datetime | None = None
    """The time that `waits` promises; None where it promises none."""
    refused: bool = False
    """Whether what it `waits` for is a refusal: it does not come by waiting."""
    left: str = ""
    """What goes on naming the canary when no requests go there any more, as a short phrase: `the template of …`."""
    cut: str = ""
    """Why nobody gets the canary, whatever its weight is meant to be, as a clause: somebody turned a flag off."""
    among: str = ""
    """A digest of whom the weights are of, where that is not everybody."""
    elsewhere: str = ""
    """Other routes of the object that lead to the canary besides the split and our managed ones, as a short phrase."""
    unserved: str = ""
    """Why requests reach neither lane, as a clause: `Rule 5 answers by itself (fixed-response)`."""
    rules: tuple[HeaderRule, ...] = ()
    """The managed routes found on the object, in their order: requests that go to the canary whatever the weight.

    One that somebody edited is a rule of no condition, which equals none that could be asked for.
    """


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a preflight noticed."""

    code: str
    sentence: str
    fatal: bool = True


class Router(Protocol):
    """How traffic is split between the two lanes of one target."""

    async def read(self) -> Split:
        """Return the split as it is now. Raises `GoneError`, `MangledError`, `RefusedError`, `TryAgainError`."""
        ...

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent and the requests of `rules` to the canary and write `fence`, only if `token` holds.

        `rules` are all managed routes there shall be: none takes away those that are there. A router that has no
        routes by header refuses them with `RefusedError` `no_header_routes`.

        The fence is written even when the weights already are as asked: a no-op would leave the token as it was, and
        then an older write that is still on its way could land after this one. Touches nothing else on the object.
        Raises `ConflictError` when the token is stale; `TryAgainError` when the outcome is unknown.
        """
        ...

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail: ambiguous routes, missing subsets, lanes without ready pods.

        `weights` and `rules` are what will be asked for: what `write` would refuse of them is a fatal finding with the
        code of that refusal (`inexact_weight`, `no_header_routes`, `header_already_matched` …).

        `canary_pods` is False before the canary has been started; then only the stable lane needs ready pods, and
        it is proven that going back will work: the rights that it needs, and a dry run of what it writes.
        """
        ...


@dataclass(frozen=True, slots=True)
class LaneState:
    """What runs in one lane."""

    image: str
    """The image as the template names it (`ghcr.io/orion/auth:v1.41`)."""
    replicas: int
    """How many pods are asked for."""
    ready: int
    """How many pods of the template's version are ready and available."""
    settled: bool
    """The last change is fully rolled out: observed by its controller, no old pods, all available."""
    token: str = ""
    fence: str = ""
    digest: str = ""
    """The image digest that the running pods report, `""` when unknown (no pods, or not pulled by digest)."""
    problem: str = ""
    """A code when the newest pods cannot become ready: `crash_loop`, `image_pull`, `unschedulable`, `deadline`…"""
    detail: str = ""
    """The sentence that goes with `problem`."""
    name: str = ""
    """Where a lane is a revision that the platform named (`42`, `checkout-00007`): that name; else `""`."""
    counted: bool = True
    """Whether it has pods that can be counted. A function has none: it counts as one, ready or not."""
    standing: bool = False
    """Whether it is always there (a value of a flag): nothing is started in it, and nothing is kept or let go of."""

    @property
    def version(self) -> str:
        """See `version_of`."""
        return version_of(self.image)


def version_of(image: str) -> str:
    """Return the tag of an image reference, else its digest, or all of it when it has neither.

    A reference may have both (`repo:v2@sha256:…`): then the tag is what people call it, the digest what runs.
    """
    name, at, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag and head:
        return tag
    return digest if at else image


class Workload(Protocol):
    """Where the two lanes of one target run."""

    async def read(self, only: Lane | None = None) -> Mapping[Lane, LaneState]:
        """Return both lanes, or `only` one, as they are now. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        ...

    async def write(
        self,
        lane: Lane,
        *,
        image: str | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Set the image and/or the number of pods of one lane, and the fence, only if `token` still holds."""
        ...

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say what would make a rollout, or going back from it, fail, fight with somebody, or mean little.

        Before anything has been started; `image` is what a rollout is to run, `""` when none is meant. Raises
        `TryAgainError`; a refusal is a finding.
        """
        ...

    async def tail(self, lane: Lane) -> str:
        """Return the last lines that a failing container of a lane wrote, without secrets; `""` for none.

        At most 2,500 characters. Raises `RefusedError`, `TryAgainError`.
        """
        ...

    def image_for(self, version: str) -> str:
        """Return the image reference for a version as a person typed it (a tag, a digest, or the whole image)."""
        ...


@dataclass(frozen=True, slots=True)
class FleetState:
    """What runs where one place holds all instances, old and new ones side by side."""

    image: str
    """What the instances move to: the image of the newest template."""
    total: int
    """How many instances are asked for."""
    moved: int
    """Instances of `image` that are ready."""
    pending: int
    """Instances of `image` that are not ready yet."""
    old: int
    """Instances of any other version that are still there."""
    ready: int
    """All ready instances, whatever they run."""
    settled: bool
    """Nothing but ready instances of `image`, as many as asked for, and its controller has seen the last change."""
    token: str = ""
    fence: str = ""
    digest: str = ""
    problem: str = ""
    """See `LaneState`."""
    detail: str = ""
    mark: str = ""
    """See `Split`."""
    changed_by: str = ""
    again: bool = False
    """The same write is needed once more to go on: what it had to wait for is there."""

    @property
    def version(self) -> str:
        """See `version_of`."""
        return version_of(self.image)


class Fleet(Protocol):
    """One place whose instances move to another version a few at a time. Backwards is the same, with the old image."""

    async def read(self) -> FleetState:
        """Return the instances as they are now. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        ...

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say what would stop a movement or going back from it: another controller, a halted place, a missing right."""
        ...

    async def tail(self) -> str:
        """Return the last lines that a failing instance wrote, see `Workload.tail`."""
        ...

    async def write(
        self,
        *,
        image: str,
        count: int | None = None,
        replicas: int | None = None,
        token: str,
        fence: str,
    ) -> None:
        """Let `count` instances run `image` (None: all of them), and write the fence, only if `token` still holds.

        The instances beyond `count` keep what they run. `replicas` changes how many there are in all; 0 stops them.
        With `count=None` everything that Sluice changed to hold instances back is put as it was found.
        """
        ...

    def image_for(self, version: str) -> str:
        """Return the image reference for a version as a person typed it (a tag, a digest, or the whole image)."""
        ...
