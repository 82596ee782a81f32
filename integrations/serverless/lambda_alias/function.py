"""The calls to one function. Every other module of this room goes through here."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol

from integrations.base import RefusedError

LATEST = "$LATEST"

_NAMES = {
    "function": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "alias": re.compile(r"(?![0-9]+$)[A-Za-z0-9_-]{1,128}", re.ASCII),
}
_PAGE = 50


class Account(Protocol):
    """What is needed of `integrations.aws.AwsAccount`."""

    async def call(
        self, service: str, operation: str, *, what: str, missing: str = "gone", **arguments: Any
    ) -> Mapping[str, Any]:
        """See `integrations.aws.AwsAccount.call`."""
        ...


class Function:
    """One function of one account."""

    def __init__(self, account: Account, name: str) -> None:
        """Keep its name. Raises `RefusedError` (`bad_name`)."""
        self.name = named(name, "function")
        self._account = account

    async def call(
        self,
        operation: str,
        *,
        missing: str | None = None,
        what: str = "",
        **arguments: Any,
    ) -> Mapping[str, Any]:
        """Return the answer of one operation on the function. Errors are those of `AwsAccount.call`."""
        return await self._account.call(
            "lambda",
            operation,
            what=what or f"Function {self.name}",
            missing="function_missing" if missing is None else missing,
            FunctionName=self.name,
            **arguments,
        )

    async def version(self, name: str) -> Mapping[str, Any]:
        """Return the configuration of a published version. Raises `GoneError` (`version_missing`)."""
        return await self.call(
            "get_function_configuration",
            missing="version_missing",
            what=f"Version {self.name}:{name}",
            Qualifier=name,
        )

    async def latest(self) -> Mapping[str, Any]:
        """Return the configuration of `$LATEST`: what the next version will be made of."""
        return await self.call("get_function_configuration")

    async def versions(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield every published version, in the order in which AWS lists them."""
        marker: dict[str, str] = {}
        while True:
            page = await self.call("list_versions_by_function", MaxItems=_PAGE, **marker)
            for about in page.get("Versions", ()):
                if about.get("Version") != LATEST:
                    yield about
            following = page.get("NextMarker")
            if not following:
                return
            marker = {"Marker": following}


def named(text: str, what: Literal["function", "alias"]) -> str:
    """Return a name. Raises `RefusedError` (`bad_name`) before anything is sent."""
    if not _NAMES[what].fullmatch(text):
        raise RefusedError(
            f"{text[:80]!r} is no name of {'an alias' if what == 'alias' else 'a function'}: take letters, digits, "
            "hyphens and underscores.",
            code="bad_name",
        )
    return text
