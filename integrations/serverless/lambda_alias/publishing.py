"""From a version of the software to a published version of the function.

The one rule: every step can be the first. What has been done already is seen and not done again, so that a turn that
ends in the middle is taken up by the next one, and a version that was published once is never published again.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from integrations.base import GoneError, RefusedError, TryAgainError
from integrations.serverless.lambda_alias.function import Function
from integrations.serverless.lambda_alias.source import (
    Source,
    label_for,
    label_of,
    unnamed,
    version_in,
)

Sleep = Callable[[float], Awaitable[None]]

_LOOKS = 15
_PAUSE = 1.0
"""Seconds between two looks at an update. A turn is not kept waiting longer than all of them together."""


class Publisher:
    """Who makes versions of one function."""

    def __init__(self, function: Function, source: Source, sleep: Sleep) -> None:
        """`sleep` takes seconds."""
        self._function = function
        self._source = source
        self._sleep = sleep

    async def find(self, image: str) -> str:
        """Return the number of the version that was published for `image`, `""` while there is none.

        Raises `GoneError` (`version_missing`) where versions are published elsewhere.
        """
        version = version_in(image)
        if not self._source.published_here:
            return str((await self._function.version(version))["Version"])
        numbers = [
            int(about["Version"])
            async for about in self._function.versions()
            if label_of(about) == version
        ]
        return str(max(numbers)) if numbers else await self._unnamed(version)

    async def publish(self, image: str) -> str:
        """Return the number of the version of `image`, published now if it never was.

        Raises `TryAgainError` (`busy`), `ConflictError`, `RefusedError` (`update_failed`, `version_unchanged`).
        """
        found = await self.find(image)
        return found or await self._made(version_in(image))

    async def try_out(self, image: str) -> None:
        """Let AWS check code and rights without changing anything. Raises what the update would raise."""
        await self._update(version_in(image), DryRun=True)

    async def _unnamed(self, version: str) -> str:
        """Return the number behind `version-5`, if that one was published by somebody else."""
        number = unnamed(version)
        if not number:
            return ""
        try:
            about = await self._function.version(number)
        except GoneError:
            return ""
        return "" if label_of(about) else number

    async def _made(self, version: str) -> str:
        latest = await self._settled()
        if not await self._has_code(latest, version):
            await self._update(version, **_as_seen(latest))
            latest = await self._settled()
            if latest.get("LastUpdateStatus") == "Failed":
                raise self._failed(version, latest)
        made = await self._function.call(
            "publish_version",
            # What somebody else uploaded since is not what was asked for.
            CodeSha256=latest["CodeSha256"],
            Description=label_for(version),
            **_as_seen(latest),
        )
        if label_of(made) != version:
            raise self._unchanged(version, made)
        return str(made["Version"])

    async def _settled(self) -> Mapping[str, Any]:
        """Return `$LATEST` once no update is under way. Raises `TryAgainError` (`busy`) when that takes too long."""
        for look in range(_LOOKS):
            if look:
                await self._sleep(_PAUSE)
            latest = await self._function.latest()
            updating = latest.get("LastUpdateStatus") == "InProgress"
            if not updating and latest.get("State") != "Pending":
                return latest
        raise TryAgainError(
            f"AWS is still busy with the code of {self._function.name}.", code="busy"
        )

    async def _has_code(self, latest: Mapping[str, Any], version: str) -> bool:
        """Whether `$LATEST` is made of the code of a version already."""
        wanted = self._source.code(version)
        if "ImageUri" in wanted:
            about = await self._function.call("get_function")
            return bool((about.get("Code") or {}).get("ImageUri") == wanted["ImageUri"])
        would_be = await self._update(version, DryRun=True)
        return bool(would_be.get("CodeSha256") == latest.get("CodeSha256"))

    async def _update(self, version: str, **more: Any) -> Mapping[str, Any]:
        wanted = self._source.code(version)
        return await self._function.call(
            "update_function_code",
            missing="code_missing",
            what=f"The code of {self._function.name} in {_place(wanted)}",
            **wanted,
            **more,
        )

    def _failed(self, version: str, latest: Mapping[str, Any]) -> RefusedError:
        reason = str(latest.get("LastUpdateStatusReasonCode") or "no reason given")
        return RefusedError(
            f"AWS could not take the code of {version} into {self._function.name} ({reason}). Correct it there, then "
            "roll out again.",
            code="update_failed",
        )

    def _unchanged(self, version: str, made: Mapping[str, Any]) -> RefusedError:
        number = made["Version"]
        known = label_of(made) or f"version-{number}"
        return RefusedError(
            f"{version} has the same code and settings as version {number} of {self._function.name}, so AWS makes no "
            f"new one: roll out {known} instead.",
            code="version_unchanged",
        )


def _as_seen(latest: Mapping[str, Any]) -> dict[str, str]:
    """Return the precondition of a write; AWS always shows one, a stand-in for it may not."""
    revision = latest.get("RevisionId")
    return {"RevisionId": str(revision)} if revision else {}


def _place(code: Mapping[str, str]) -> str:
    return code.get("ImageUri") or f"s3://{code['S3Bucket']}/{code['S3Key']}"
