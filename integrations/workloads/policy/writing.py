"""One policy on one object, read and written: what is there, what shall be there, and the dry run in between.

A write is tried on the server first, with unknown fields refused: what a schema or a webhook has against a policy is
said before anything is changed. The object's own resourceVersion is the precondition of everything.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from integrations.base import GoneError, RefusedError, TryAgainError
from integrations.fencing import parse_fence
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_of, fence_ops, lock_op, refuse_newer
from integrations.workloads.policy.keeping import Note, kept_with, note_on, note_ops, notes_of
from integrations.workloads.policy.kinds import PolicyKind, plain
from integrations.workloads.policy.manifests import NONE, Content, digest_of, version_in
from integrations.workloads.policy.slots import Body, Slot, SpecSlot
from integrations.workloads.policy.unanswered import Unanswered

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object is, and which lane's notes on it are meant."""

    kind: PolicyKind
    namespace: str
    name: str
    lane: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name} in namespace {self.namespace}"


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at a place showed."""

    place: Place
    slot: Slot
    body: Body | None
    """None where there is no such object."""
    selector: Mapping[str, Any] | None = None
    """What a new object selects pods by; None where the policy says that itself."""

    @property
    def token(self) -> str:
        """The resourceVersion; `""` where there is no object."""
        return str(self.body["metadata"].get("resourceVersion", "")) if self.body else ""

    @property
    def note(self) -> Note:
        """What is noted on the object."""
        return note_on(self.body or {}, self.place.lane)

    @property
    def content(self) -> Content | None:
        """What the policy says; None where there is none."""
        return self.slot.content(self.body) if self.body is not None else None

    @property
    def image(self) -> str:
        """Which policy that is."""
        return self.note.image_of(self.content)

    @property
    def known(self) -> dict[str, Content]:
        """Return every policy that the object can tell, by its image."""
        here = {} if self.content is None else {self.image: self.content}
        return {**(self.note.kept or {}), **here}


async def together(asked: Iterable[Awaitable[T]]) -> list[T]:
    """Return all answers; the first failure is raised when all have been heard: none is left on its way."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def body_at(cluster: Cluster, place: Place, unanswered: Unanswered) -> Body | None:
    """Return the object of a place; None when it is not there.

    Raises `TryAgainError` `policy_uncertain` when it may still come.
    """
    try:
        return await cluster.get(await path_of(cluster, place))
    except GoneError:
        unanswered.refuse_absent(place.name, str(place))
        return None


async def put(
    cluster: Cluster,
    found: Found,
    image: str,
    content: Content | None,
    fence: str,
    unanswered: Unanswered,
) -> None:
    """Let a place say `content`, known as `image`, and carry the fence. Raises as `Workload.write`.

    What is there already is not written again, only the fence: the token must change, whatever lands late.
    Raises `TryAgainError` `policy_terminating` when the object shall go, and somebody holds it back.
    """
    if found.body is not None:
        refuse_newer(fence_of(found.body), fence, str(found.place))
    if image == found.image:
        await _fence(cluster, found, fence)
    elif content is None and isinstance(found.slot, SpecSlot):
        await _delete(cluster, found)
    elif found.body is None:
        await _create(cluster, found, image, content, fence, unanswered)
    else:
        await _change(cluster, found, image, content, fence)


async def _fence(cluster: Cluster, found: Found, fence: str) -> None:
    if found.body is None:
        return
    fenced = fence_ops(annotated=_annotated(found.body), fence=fence)
    ops = [lock_op(found.token), *fenced, *note_ops(_first_note(found, _counter(fence)))]
    await cluster.patch(await path_of(cluster, found.place), ops)


def _first_note(found: Found, counter: int) -> dict[str, str]:
    """Return what a rollout notes where its first write leaves the policy as it is: what it will go back to.

    Nothing where that cannot be kept: whether it is too large matters when something takes its place.
    """
    if found.content is None or found.note.counter == counter:
        return {}
    image = found.image
    with suppress(RefusedError):
        kept = kept_with(found.note, found.content, "", image)
        note = Note(image, digest_of(found.content), kept, counter, image)
        return notes_of(found.place.lane, note)
    return {}


def terminating(found: Found) -> str:
    """Return what keeps an object that is being deleted, as a sentence; `""` for one that stays."""
    metadata = (found.body or {}).get("metadata") or {}
    if not metadata.get("deletionTimestamp"):
        return ""
    held = ", ".join(plain(str(one)) for one in metadata.get("finalizers") or [])
    return (
        f"{found.place} is being deleted, and holds until it is gone: it waits for {held or 'the cluster'}. "
        "Let whoever put that finalizer there finish, or take it off by hand."
    )


async def _delete(cluster: Cluster, found: Found) -> None:
    stuck = terminating(found)
    if stuck:
        raise TryAgainError(stuck, code="policy_terminating")
    with suppress(GoneError):  # somebody was faster
        await cluster.delete(await path_of(cluster, found.place), token=found.token)


async def try_out(cluster: Cluster, found: Found, image: str, content: Content | None) -> None:
    """Ask the cluster whether a place may say `content`. Raises as `tried`; taking a policy away is always possible."""
    if image != found.image and content is not None:
        await tried(cluster, found, image, content)


async def tried(cluster: Cluster, found: Found, image: str, content: Content | None) -> Body:
    """Return what a place would say, as the cluster answers to a dry run; nothing is written.

    Raises `RefusedError` `policy_rejected` with the cluster's own sentence, `GoneError`, `TryAgainError`.
    """
    try:
        if found.body is None:
            path = await path_of(cluster, found.place, listed=True)
            return await cluster.create(path, await _new(cluster, found, content), dry_run=True)
        path = await path_of(cluster, found.place)
        return await cluster.patch(path, _ops(found, found.body, content), dry_run=True)
    except GoneError:
        raise
    except RefusedError as error:
        raise _rejected(found.place, image, error) from error


async def _new(cluster: Cluster, found: Found, content: Content | None) -> dict[str, Any]:
    place = found.place
    selector = {} if found.selector is None else {place.kind.selector: found.selector}
    return {
        "apiVersion": await _version(cluster, place.kind),
        "kind": place.kind.name,
        "metadata": {"name": place.name, "namespace": place.namespace},
        "spec": {**selector, **(content or {})},
    }


def _ops(found: Found, body: Body, content: Content | None) -> list[dict[str, Any]]:
    return [lock_op(found.token), *found.slot.ops(body, content)]


async def _create(
    cluster: Cluster,
    found: Found,
    image: str,
    content: Content | None,
    fence: str,
    unanswered: Unanswered,
) -> None:
    answer = await tried(cluster, found, image, content)
    note = Note(image, _digest(found.slot, answer), {}, _counter(fence), NONE)
    notes = notes_of(found.place.lane, note)
    (fenced,) = fence_ops(annotated=False, fence=fence)
    body = await _new(cluster, found, content)
    body["metadata"]["annotations"] = {**fenced["value"], **notes}
    path = await path_of(cluster, found.place, listed=True)
    with unanswered.creating(found.place.name):
        await cluster.create(path, body)


async def _change(
    cluster: Cluster, found: Found, image: str, content: Content | None, fence: str
) -> None:
    assert found.body is not None
    counter = _counter(fence)
    armed = found.note.armed_for(counter, found.content)
    kept = kept_with(found.note, found.content, image, armed)
    answer = await tried(cluster, found, image, content)
    note = Note(image, _digest(found.slot, answer), kept, counter, armed)
    fenced = fence_ops(annotated=_annotated(found.body), fence=fence)
    notes = note_ops(notes_of(found.place.lane, note))
    ops = [*_ops(found, found.body, content), *fenced, *notes]
    await cluster.patch(await path_of(cluster, found.place), ops)


def _counter(fence: str) -> int:
    """Return which rollout writes."""
    return (parse_fence(fence) or (0, 0))[0]


def _digest(slot: Slot, body: Body) -> str:
    content = slot.content(body)
    return "" if content is None else digest_of(content)


def _rejected(place: Place, image: str, error: RefusedError) -> RefusedError:
    if error.code != "rejected":
        return error
    return RefusedError(
        f"The cluster does not take {'nothing' if image == NONE else version_in(image)} as {place}. {error}",
        code="policy_rejected",
    )


def _annotated(body: Body) -> bool:
    return bool(body["metadata"].get("annotations"))


async def _version(cluster: Cluster, kind: PolicyKind) -> str:
    return await cluster.version_of(kind.group, kind.versions)


async def path_of(cluster: Cluster, place: Place, *, listed: bool = False) -> str:
    """Return the path of a place's object, or of the list that it is in. Raises `RefusedError` (`api_missing`)."""
    version = await _version(cluster, place.kind)
    return path_to(version, place.kind.plural, place.namespace, None if listed else place.name)
