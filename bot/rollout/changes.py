"""What changed since the version that is live, as it stands on a row: told once, when the rollout is made. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from integrations.history import Between

_AUTHORS, _TOUCHED, _TITLE, _PATH = 20, 6, 120, 80
_DELICATE = re.compile(
    r"(?P<folder>(?:[^/]+/)*?(?:migrations?|migrate|alembic|flyway|liquibase|schema|terraform))/|[^/]+\.sql$",
    re.IGNORECASE,
)
"""What is hard to take back by moving traffic: the shape of stored data, and what everything runs on."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What lies between two versions. Everything but `note` and `link` is foreign text."""

    count: int | None = None
    """Commits; None: nobody could tell, and `note` says why."""
    authors: tuple[str, ...] = ()
    """The first few; `people` counts them all."""
    people: int = 0
    link: str = ""
    """The page that compares the two; `""`: there is none."""
    touched: tuple[str, ...] = ()
    """Folders and files that are hard to take back."""
    titles: tuple[str, ...] = ()
    """What the newest commits say about themselves, newest first."""
    note: str = ""
    whole: bool = True
    """False where the numbers are at least what is said."""
    first: datetime | None = None
    """When the oldest of its commits was made, where the host said so."""
    behind: int = 0
    """Commits of the live version that the new one has not."""


def changes_of(between: Between, link: str) -> Changes:
    """Return what is kept of an answer of the host."""
    return Changes(
        count=between.count,
        authors=tuple(name[:_PATH] for name in between.authors[:_AUTHORS]),
        people=len(between.authors),
        link=link,
        touched=delicate(between.files)[:_TOUCHED],
        titles=tuple(title[:_TITLE] for title in between.titles),
        whole=between.whole,
        first=between.first,
        behind=between.behind,
    )


def delicate(files: Sequence[str]) -> tuple[str, ...]:
    """Return what of these files is hard to take back: folders like `db/migrations/`, and single files elsewhere."""
    found = (_DELICATE.match(path) or _DELICATE.search(path) for path in files)
    named = (
        f"{hit['folder']}/" if hit["folder"] else path
        for hit, path in zip(found, files, strict=True)
        if hit is not None
    )
    return tuple(dict.fromkeys(name[:_PATH] for name in named))
