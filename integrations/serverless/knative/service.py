"""The `Revisions` of a Knative Service: one GET to look, one JSON Patch to write.

The rule for tags: an entry that points at a revision which is not ready keeps Knative from routing anything at all. So
an entry without a share is only written for a revision that is ready, or is being made by that very write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from integrations.base import (
    ConflictError,
    Finding,
    GoneError,
    LaneState,
    RefusedError,
    TryAgainError,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_of, mark_of
from integrations.kube.images import image_of
from integrations.kube.logs import culprit_of, tail_of
from integrations.kube.reading import last_editor
from integrations.ordered import candidates, refuse_rewritten, refuse_taken
from integrations.revisions import Notes, Shown
from integrations.serverless.knative.naming import revision_name
from integrations.serverless.knative.preflight import Preflight
from integrations.serverless.knative.status import (
    container_in,
    is_ready,
    is_refused,
    lane_of,
    unmade_lane,
    waits,
)
from integrations.serverless.knative.traffic import (
    Tags,
    divided,
    entries_of,
    follows_latest,
    kept_in,
    shares_of,
    tagged,
    tags_of,
    whole,
)
from integrations.serverless.knative.writing import Template, patch_for, prepared_in

_GROUP = "serving.knative.dev"
_REVISION = "serving.knative.dev/revision"
"""The label by which the pods of a revision are found."""
_NAMES_TRIED = 9

Body = Mapping[str, Any]


class KnativeService:
    """One Knative Service. `container` may be left out where there is one only, or one with ports."""

    fenced_by = "the annotation sluice/fence"

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        service: str,
        image: str,
        container: str | None = None,
        tag: str = "canary",
    ) -> None:
        """`image` is the repository; `tag` names the canary's address, and `<tag>-before` keeps the former version."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = service
        self._image = image
        self._container = container
        self._tags = Tags(tag)
        self._last: Body | None = None

    async def live(self) -> str:
        """Return the name of the revision with the largest share."""
        shares = shares_of(await self._read())
        return max(sorted(shares), key=lambda name: shares[name])

    async def look(self) -> Shown:
        """Return the shares, which revisions our tags keep, and the notes, with one GET."""
        return self._shown(await self._read())

    async def state(self, name: str) -> LaneState:
        """Return what one revision is; one that the template asks for need not be made yet."""
        service = self._last if self._last is not None else await self._read()
        try:
            revision = await self._revision(name)
        except GoneError:
            if _asked_for(service) != name:
                raise
            return replace(unmade_lane(service, self._container), name=name)
        return replace(lane_of(revision, service, self._container), name=name)

    async def publish(self, image: str, shown: Shown, notes: Notes) -> str:
        """Make a revision of `image` without a share, under our tag, in one patch; one that is there is taken as it is.

        Raises `TryAgainError` (`pinning`) while the traffic still follows the latest revision: it is pinned first.
        """
        body = await self._as_shown(shown)
        refuse_taken(tags_of(body), self._tags.canary, shown, str(self))
        for name in candidates(shown, notes):
            if await self._serves(name, image, notes):
                kept = notes.kept | {name}
                await self._write(body, shown.shares, Notes(notes.fence, name, kept), made=name)
                return name
        if follows_latest(body):
            await self._pin(body, shown, notes)
        name = await self._free_name(notes.fence)
        what = str(self)
        index, entry = container_in(body["spec"]["template"]["spec"], self._container, what)
        template = Template(name, image, index, str(entry.get("name", "")))
        new = Notes(notes.fence, name, notes.kept | {name})
        await self._write(body, shown.shares, new, made=name, template=template)
        return name

    async def divide(self, shares: Mapping[str, float], shown: Shown, notes: Notes) -> Shown:
        """Write shares and notes. What is kept without a share and is not ready loses its tag: it would block them."""
        body = await self._as_shown(shown)
        return self._shown(await self._write(body, shares, notes))

    async def inspect(self, image: str, weights: Sequence[float]) -> Sequence[Finding]:
        """Say what would stand in the way; a refusal is a finding."""
        try:
            body = await self._read()
            shown = self._shown(body)
            if image:
                refuse_taken(tags_of(body), self._tags.canary, shown, str(self))
            notes = Notes(shown.fence or "0.0", shown.prepared, shown.kept)
            kept = await self._worth_keeping(shown.shares, notes, "")

            def homeward(found: Body) -> list[dict[str, Any]]:
                return self._ops(found, shown.shares, replace(notes, kept=kept))

            look = Preflight(self._cluster, await self._path(), body, self._container, str(self))
            return await look.findings(weights, homeward, starting=bool(image))
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def tail(self, name: str) -> str:
        """Return the last lines of the container of a failing revision."""
        pods = path_to("v1", "pods", self._namespace)
        listed = await self._cluster.get(pods, labelSelector=f"{_REVISION}={name}")
        culprit = culprit_of(_without_proxy(pod) for pod in listed.get("items") or [])
        return await tail_of(self._cluster, self._namespace, culprit) if culprit else ""

    def image_for(self, version: str) -> str:
        """See `Workload.image_for`."""
        return image_of(self._image, version)

    def __str__(self) -> str:
        return f"Knative Service {self._name} in namespace {self._namespace}"

    async def _serves(self, name: str, image: str, notes: Notes) -> bool:
        """Say whether a revision runs an image, or is about to. Raises `RefusedError` (`image_rewritten`)."""
        try:
            state = await self.state(name)
        except GoneError:
            return False
        refuse_rewritten(name, state.image, image, notes)
        return state.image == image and not state.problem

    async def _pin(self, body: Body, shown: Shown, notes: Notes) -> None:
        """Pin the traffic, and say that it has to arrive: Knative tells its routes only after a named template."""
        if any(entry.get("latestRevision") and entry.get("percent") for entry in entries_of(body)):
            kept = replace(notes, prepared=shown.prepared, kept=shown.kept)
            await self._write(body, shown.shares, kept)
            raise _pinning(
                f"{self} follows its latest revision, so its traffic is pinned to what is live first"
            )
        raise _pinning(f"The traffic of {self} is pinned, and Knative has not taken that over yet")

    async def _free_name(self, fence: str) -> str:
        """Return a name that no revision bears: the counter of a lost database may count from the start again."""
        for attempt in range(_NAMES_TRIED):
            name = revision_name(self._name, fence, attempt)
            try:
                await self._revision(name)
            except GoneError:
                return name
        raise RefusedError(
            f"{self} has revisions of all names that the next one could have. Delete old ones.",
            code="revision_name_taken",
        )

    async def _write(
        self,
        body: Body,
        shares: Mapping[str, float],
        notes: Notes,
        *,
        made: str = "",
        template: Template | None = None,
    ) -> Body:
        kept = await self._worth_keeping(shares, notes, made)
        ops = self._ops(body, shares, replace(notes, kept=kept), template)
        self._last = None
        self._last = await self._cluster.patch(await self._path(), ops)
        return self._last

    def _ops(
        self,
        body: Body,
        shares: Mapping[str, float],
        notes: Notes,
        template: Template | None = None,
    ) -> list[dict[str, Any]]:
        percent = {name: whole(share, str(self)) for name, share in shares.items()}
        wanted = tagged(notes.prepared, notes.kept, percent, self._tags)
        traffic = divided(entries_of(body), percent, wanted, self._tags)
        return patch_for(
            body, traffic, fence=notes.fence, prepared=notes.prepared, template=template
        )

    async def _worth_keeping(
        self, shares: Mapping[str, float], notes: Notes, made: str
    ) -> frozenset[str]:
        """Return what is to be kept of `notes.kept`: what has a share, is being made, or is ready."""
        kept = set(notes.kept)
        for name in notes.kept - {made}:
            if not shares.get(name) and not await self._is_ready(name):
                kept.discard(name)
        return frozenset(kept)

    async def _is_ready(self, name: str) -> bool:
        """Say whether a revision is ready; where nobody answers, rather not: nothing may stop going home."""
        try:
            return is_ready(await self._revision(name))
        except (RefusedError, TryAgainError):
            return False

    async def _as_shown(self, shown: Shown) -> Body:
        """Return the Service as it was when it was looked at. Raises `ConflictError`."""
        body = self._last
        if body is None or _token(body) != shown.token:
            body = await self._read()
        if _token(body) != shown.token:
            raise ConflictError(f"{self} changed since it was read.")
        return body

    def _shown(self, body: Body) -> Shown:
        waiting = waits(body)
        return Shown(
            shares=shares_of(body),
            token=_token(body),
            prepared=prepared_in(body),
            kept=kept_in(body, self._tags),
            fence=fence_of(body),
            mark=mark_of(body),
            changed_by=last_editor(body),
            waits=waiting,
            refused=bool(waiting) and is_refused(body),
            template=_asked_for(body),
        )

    async def _read(self) -> Body:
        self._last = await self._cluster.get(await self._path())
        return self._last

    async def _revision(self, name: str) -> Body:
        version = await self._version()
        try:
            return await self._cluster.get(path_to(version, "revisions", self._namespace, name))
        except GoneError:
            raise GoneError(
                f"Revision {name} of {self} is not there any more, and nothing brings it back: give the traffic to "
                "another one by hand, or roll out a version.",
                code="revision_missing",
            ) from None

    async def _path(self) -> str:
        return path_to(await self._version(), "services", self._namespace, self._name)

    async def _version(self) -> str:
        return await self._cluster.version_of(_GROUP, ("v1",))


def _pinning(what: str) -> TryAgainError:
    return TryAgainError(
        f"{what}; the new revision is made once Knative routes it so.", code="pinning"
    )


def _token(body: Body) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _asked_for(service: Body) -> str:
    metadata = ((service.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return str(metadata.get("name", ""))


def _without_proxy(pod: Body) -> Body:
    """Return a pod without Knative's own container: it is not ready because the other one is not."""
    status = pod.get("status") or {}
    states = status.get("containerStatuses") or []
    kept = [state for state in states if state.get("name") != "queue-proxy"]
    return {**pod, "status": {**status, "containerStatuses": kept}}
