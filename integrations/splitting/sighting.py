"""What every router does with its last look at the object: tell the split, and write only on what is still true."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from integrations.base import ConflictError, MangledError, RefusedError, Split


class Sight(Protocol):
    """One look at the object of a router."""

    @property
    def split(self) -> Split:
        """How the traffic is divided, as far as that can be seen."""
        ...

    @property
    def wrong(self) -> RefusedError | None:
        """Why what was to be split cannot be told any more."""
        ...


_S = TypeVar("_S", bound=Sight)


def told_split(sight: Sight) -> Split:
    """Return the split of a look. Raises `MangledError`."""
    if sight.wrong is not None:
        raise MangledError(str(sight.wrong), code=sight.wrong.code, split=sight.split)
    return sight.split


async def sight_for(
    last: _S | None, look: Callable[[], Awaitable[_S]], token: str, what: str
) -> _S:
    """Return what a write is based on: the last look, or a new one. Raises `ConflictError` for a stale token."""
    if last is None or last.split.token != token:
        last = await look()
    if last.split.token != token:
        raise ConflictError(f"{what} changed since it was read.")
    return last
