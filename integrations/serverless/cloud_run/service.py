"""One service of Cloud Run, as lanes that are its revisions.

Every write is one UpdateService with the etag that was read. Its operation is not waited for: `reconciling`, the
conditions and `trafficStatuses` tell how far it is, to whoever asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import (
    ConflictError,
    Finding,
    GoneError,
    LaneState,
    RefusedError,
    TryAgainError,
)
from integrations.fencing import fence_after
from integrations.gcp import GcpAccount
from integrations.ordered import candidates, refuse_rewritten, refuse_taken
from integrations.revisions import Notes, Shown
from integrations.serverless.cloud_run.reading import (
    Body,
    container_at,
    failure,
    image_in,
    shown,
    state_of,
    tags_of,
    unborn,
)
from integrations.serverless.cloud_run.writing import (
    divided,
    inexact,
    lost,
    published,
    revision_name,
)

_NAMES_TRIED = 9


class CloudRunService:
    """The `Revisions` of one service."""

    fenced_by = "the annotation sluice/fence"

    def __init__(
        self,
        account: GcpAccount,
        *,
        service: str,
        image: str,
        container: str | None = None,
        tag: str = "canary",
    ) -> None:
        """`image` is the repository; without `container` the one that takes the requests is rolled out."""
        self._account = account
        self._name = service
        self._image = image
        self._container = container or ""
        self._tag = tag
        self._path = f"{account.place}/services/{service}"
        self._seen: Body = {}

    async def live(self) -> str:
        """See `Revisions.live`."""
        shares = (await self.look()).shares
        return max(sorted(shares), key=lambda name: shares[name])

    async def look(self) -> Shown:
        """See `Revisions.look`. Raises `GoneError` (`service_missing`), `RefusedError` (`no_ready_revision`)."""
        return shown(await self._read())

    async def state(self, name: str) -> LaneState:
        """See `Revisions.state`. Raises `GoneError` (`revision_missing`)."""
        service = self._seen or await self._read()
        try:
            revision = await self._revision(name)
        except GoneError:
            image = self._image_in(service.get("template") or {}, str(self), name)
            ordered = unborn(service, name, image)
            if ordered is None:
                raise
            return ordered
        image = self._image_in(revision, f"Revision {name}", name)
        return state_of(revision, service, image)

    async def publish(self, image: str, shown: Shown, notes: Notes) -> str:
        """See `Revisions.publish`. The new revision has no share in any moment: traffic is pinned by the same write."""
        service = await self._based_on(shown)
        refuse_taken(tags_of(service), self._tag, shown, str(self))
        made = await self._made(image, shown, notes)
        if not made and service.get("reconciling", False):
            raise TryAgainError(
                f"Cloud Run is still busy with an earlier change of {self}.", code="busy"
            )
        name = made or await self._free_name(notes.fence)
        noted = Notes(notes.fence, name, notes.kept | {name})
        request = divided(service, shown.shares, noted, self._tag)
        if not made:
            self._refuse_lost(service)
            index = container_at(service["template"], self._container, str(self))
            request = published(request, name, index, image)
        await self._update(request)
        return name

    async def divide(self, shares: Mapping[str, float], shown: Shown, notes: Notes) -> Shown:
        """See `Revisions.divide`. Raises `RefusedError` (`inexact_weight`)."""
        service = await self._based_on(shown)
        await self._update(divided(service, shares, notes, self._tag))
        return await self.look()

    async def inspect(self, image: str, weights: Sequence[float]) -> Sequence[Finding]:
        """See `Revisions.inspect`: among others what Google says to the write, asked only to check it."""
        try:
            service = await self._read()
            container_at(service["template"], self._container, str(self))
            if image:
                seen = shown(service)
                refuse_taken(tags_of(service), self._tag, seen, str(self))
                notes = Notes(seen.fence, seen.prepared, frozenset(seen.shares))
                # Going back to a revision that is kept writes no containers.
                if not await self._made(image, seen, notes):
                    self._refuse_lost(service)
            await self._try(service, image)
        except RefusedError as error:
            return [Finding(error.code, str(error))]
        wrong = inexact({str(weight): weight for weight in weights})
        return [Finding(wrong.code, str(wrong))] if wrong is not None else [*self._remarks(service)]

    async def tail(self, name: str) -> str:  # noqa: ARG002 - it is in Cloud Logging, which is another service
        """See `Revisions.tail`: there is none. What a revision fails of stands in its condition."""
        return ""

    def image_for(self, version: str) -> str:
        """See `Workload.image_for`."""
        from integrations.kube.images import image_of  # noqa: PLC0415 - a cluster's client comes along

        return image_of(self._image, version)

    def __str__(self) -> str:
        return f"Service {self._name} of Cloud Run"

    async def _read(self) -> Body:
        service = await self._account.call(
            "services",
            "get_service",
            {"name": self._path},
            what=str(self),
            permission="run.services.get",
            missing="service_missing",
        )
        if service.get("deleteTime"):
            raise GoneError(f"{self} is being deleted.", code="service_missing")
        self._seen = service
        return service

    async def _based_on(self, last: Shown) -> Body:
        """Return the service that a look was at. Raises `ConflictError`."""
        service = self._seen
        if service.get("etag") != last.token:
            service = await self._read()
        if service.get("etag") == last.token:
            return service
        raise ConflictError(f"{self} changed since it was read.")

    async def _revision(self, name: str) -> Body:
        return await self._account.call(
            "revisions",
            "get_revision",
            {"name": f"{self._path}/revisions/{name}"},
            what=f"Revision {name} of Cloud Run",
            permission="run.revisions.get",
            missing="revision_missing",
        )

    async def _made(self, image: str, shown: Shown, notes: Notes) -> str:
        """Return the revision that is what is asked for already, `""` for none.

        Raises `RefusedError` (`image_rewritten`).
        """
        for name in candidates(shown, notes):
            try:
                state = await self.state(name)
            except GoneError:
                continue
            refuse_rewritten(name, state.image, image, notes)
            if state.image == image and not state.problem:
                return name
        return ""

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

    async def _update(self, request: Mapping[str, Any]) -> None:
        await self._account.call(
            "services",
            "update_service",
            request,
            what=str(self),
            permission="run.services.update",
            missing="service_missing",
        )

    async def _try(self, service: Body, image: str) -> None:
        """Let Google check the write that makes a revision, or the one that goes home, without doing it."""
        seen = shown(service)
        fence = fence_after(seen.fence)
        request = divided(service, seen.shares, Notes(fence, seen.prepared, seen.kept), self._tag)
        if image:
            index = container_at(service["template"], self._container, str(self))
            request = published(request, await self._free_name(fence), index, image)
        await self._update({**request, "validateOnly": True})

    def _remarks(self, service: Body) -> list[Finding]:
        found = []
        why = failure(service)
        if why:
            found.append(
                Finding("service_failing", f"The last change of {self} failed: {why}", fatal=False)
            )
        if (service.get("template") or {}).get("sessionAffinity"):
            sentence = f"{self} keeps clients on the instance they had: shares move more slowly than the weights say."
            found.append(Finding("session_affinity", sentence, fatal=False))
        return found

    def _image_in(self, template: Body, what: str, name: str) -> str:
        return image_in(template, self._container, what, name)

    def _refuse_lost(self, service: Body) -> None:
        """Raise `RefusedError` (`fields_unknown`) where writing containers back would erase what is in them."""
        fields = lost(getattr(service, "unknown", ()))
        if fields:
            raise RefusedError(
                f"{self} has fields that the installed client of Google Cloud does not know ({', '.join(fields[:3])}): "
                "writing it would erase them. Install a newer google-cloud-run.",
                code="fields_unknown",
            )
