"""The alias as `integrations.revisions.Revisions` wants it: looks, versions, weights."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integrations.aws import understood
from integrations.base import Finding, LaneState, RefusedError
from integrations.revisions import Notes, Shown
from integrations.serverless.lambda_alias import notes as description
from integrations.serverless.lambda_alias.fitness import fitness_of
from integrations.serverless.lambda_alias.function import Account, Function, named
from integrations.serverless.lambda_alias.preflight import (
    published,
    version_found,
    weights_found,
)
from integrations.serverless.lambda_alias.publishing import Publisher, Sleep
from integrations.serverless.lambda_alias.source import Source
from integrations.serverless.lambda_alias.warmth import Warmth
from integrations.serverless.lambda_alias.weights import routing_of, shares_of


@dataclass(frozen=True, slots=True)
class _Look(Shown):
    """One look at an alias."""

    text: str = ""
    """What others have written into its description."""


class LambdaAlias:
    """One alias of one function."""

    fenced_by = "the text fence=… of its description"

    def __init__(
        self,
        account: Account,
        *,
        function: str,
        alias: str,
        image: str | None = None,
        bucket: str | None = None,
        key: str | None = None,
        provisioned_concurrency: int | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Without `image` and without `bucket` versions are published elsewhere. Raises `RefusedError` (`bad_name`)."""
        self._function = Function(account, function)
        self._alias = named(alias, "alias")
        self._source = Source(function, image, bucket, key)
        self._publisher = Publisher(self._function, self._source, sleep)
        self._warmth = Warmth(self._function, provisioned_concurrency)
        self._waits_for = ""

    def __str__(self) -> str:
        """Name the object, as a sentence begins."""
        return f"Alias {self._function.name}:{self._alias}"

    async def live(self) -> str:
        """Return the name of the version with the larger share; of two equal ones the primary version.

        Raises `RefusedError` (`alias_on_latest`).
        """
        shares = (await self.look()).shares
        return published(str(self), max(shares, key=lambda name: shares[name]))

    async def look(self) -> Shown:
        """Return shares and notes as they are now. Raises `GoneError` (`alias_missing`)."""
        return self._seen(
            await self._function.call(
                "get_alias", missing="alias_missing", what=str(self), Name=self._alias
            )
        )

    async def state(self, name: str) -> LaneState:
        """Return what one version is. Raises `GoneError` (`version_missing`)."""
        about = await self._function.version(name)
        # Once it serves, instances that are not warm make it slower, not unable: that must not hold a way home.
        warmth = await self._warmth.of(name) if name == self._waits_for else None
        fitness = fitness_of(f"{self._function.name}:{name}", about, warmth)
        return LaneState(
            image=self._source.image_of(about),
            replicas=1,
            ready=int(fitness.ready),
            settled=fitness.settled,
            problem=fitness.problem,
            detail=fitness.detail,
            name=name,
            counted=False,
        )

    async def publish(self, image: str, shown: Shown, notes: Notes) -> str:
        """Make a version of `image`, or find the one that was made, and note it on the alias.

        Raises what `Publisher.publish` and `divide` raise.
        """
        name = await self._publisher.publish(image)
        await self._warmth.keep(name)
        ours = replace(notes, prepared=name, kept=notes.kept | {name})
        await self.divide(shown.shares, shown, ours)
        return name

    async def divide(self, shares: Mapping[str, float], shown: Shown, notes: Notes) -> Shown:
        """Write shares and notes. Raises `ConflictError` for a stale token, `RefusedError` (`inexact_weight`)."""
        routing = routing_of(shares, shown.shares)
        # Before the note says so: a note that came first would leave nobody to notice what is still paid for.
        await self._warmth.let_go(sorted(shown.kept - notes.kept - set(shares)))
        note = description.Note(
            text=shown.text if isinstance(shown, _Look) else "",
            fence=notes.fence,
            prepared=notes.prepared,
            kept=notes.kept,
            mark=shown.mark,
        )
        return self._seen(
            await self._function.call(
                "update_alias",
                missing="alias_missing",
                what=str(self),
                Name=self._alias,
                Description=description.written(note),
                RevisionId=shown.token,
                **routing,
            )
        )

    async def inspect(self, image: str, weights: Sequence[float]) -> Sequence[Finding]:
        """See `Revisions.inspect`. Raises `TryAgainError`."""
        found = weights_found(weights)
        try:
            live = await self.live()
        except RefusedError as error:
            return [*found, Finding(error.code, str(error))]
        if image and not found:
            found += await version_found(self._function, self._publisher, self._warmth, live, image)
        return found

    async def tail(self, name: str) -> str:  # noqa: ARG002 - what it wrote is in CloudWatch
        """Return nothing: the lines of a function are in CloudWatch Logs."""
        return ""

    def image_for(self, version: str) -> str:
        """See `Workload.image_for`. Raises `RefusedError` (`wrong_version`)."""
        return self._source.image_for(version)

    def _seen(self, alias: Mapping[str, Any]) -> _Look:
        with understood(str(self)):
            shares = shares_of(alias)
            note = description.read(alias.get("Description") or "")
        token = str(alias.get("RevisionId") or "")
        if not token:
            raise RefusedError(
                f"What answers for AWS shows no RevisionId of {self}, and without it a write could undo somebody "
                "else's: check the endpoint of its account.",
                code="no_revision_id",
            )
        self._waits_for = note.prepared if note.prepared not in shares else ""
        return _Look(
            shares=shares,
            token=token,
            prepared=note.prepared,
            kept=note.kept,
            fence=note.fence,
            mark=note.mark,
            text=note.text,
        )
