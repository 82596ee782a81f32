"""What the bot asks of a host of source code: what lies between two versions. The errors are those of the base."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Between:
    """What the new version has that the old one has not. Names, titles and paths are foreign text."""

    count: int
    """Commits."""
    authors: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    """First lines of the newest commits, newest first."""
    files: tuple[str, ...] = ()
    whole: bool = True
    """False where the host listed only the first of the commits or files."""
    first: datetime | None = None
    """When the oldest commit was made; None: the host did not list it, or did not say."""
    behind: int = 0
    """Commits that only the old version has: then this is a way back, at least in part."""


class History(Protocol):
    """A host of source code, where versions are tags."""

    name: str
    """What people call it: `GitHub`."""
    open: bool
    """Whether it may be asked; without a token only links are made."""

    def link(self, repository: str, base: str, head: str) -> str:
        """Return the page that compares two versions, for a browser."""
        ...

    async def compare(self, repository: str, base: str, head: str) -> Between:
        """Return what lies between two tags. Raises `TryAgainError` and `RefusedError`."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
