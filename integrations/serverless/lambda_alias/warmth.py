"""Provisioned concurrency: instances of a version that are kept warm, and paid for.

A version gets them when it is prepared, and loses them when it is let go of. Without the setting nothing is touched:
what others have provisioned is theirs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from integrations.base import GoneError
from integrations.serverless.lambda_alias.function import Function

_REQUESTED = "RequestedProvisionedConcurrentExecutions"


class Warmth:
    """What is kept warm of the versions of one function."""

    def __init__(self, function: Function, wanted: int | None) -> None:
        """`wanted` instances of each version; None: this is nobody's business here."""
        self._function = function
        self.wanted = wanted

    async def of(self, name: str) -> Mapping[str, Any] | None:
        """Return what is provisioned for a version; None for nothing, or where it does not matter."""
        if self.wanted is None:
            return None
        try:
            return await self._function.call(
                "get_provisioned_concurrency_config",
                missing="provisioned_concurrency_missing",
                what=self._what(name),
                Qualifier=name,
            )
        except GoneError:
            return None

    async def keep(self, name: str) -> None:
        """Have a version kept warm. Raises `TryAgainError` while AWS is still making it."""
        there = await self.of(name)
        if self.wanted is None or (there and there.get(_REQUESTED) == self.wanted):
            return
        await self._function.call(
            "put_provisioned_concurrency_config",
            missing="version_missing",
            what=self._what(name),
            Qualifier=name,
            ProvisionedConcurrentExecutions=self.wanted,
        )

    async def let_go(self, names: Iterable[str]) -> None:
        """Stop paying for versions that nobody needs any more; one that has nothing provisioned is let go of."""
        if self.wanted is None:
            return
        for name in names:
            try:
                await self._function.call(
                    "delete_provisioned_concurrency_config",
                    missing="provisioned_concurrency_missing",
                    what=self._what(name),
                    Qualifier=name,
                )
            except GoneError:
                continue

    def _what(self, name: str) -> str:
        return f"The provisioned concurrency of {self._function.name}:{name}"
