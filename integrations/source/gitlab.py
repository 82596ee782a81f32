"""What changed, by GitLab, wherever it runs.

The one rule: one request. It lists all commits, oldest first, and the files that fit into its own limits.
https://docs.gitlab.com/api/repositories/#compare-branches-tags-or-commits
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlencode

from integrations.history import Between
from integrations.source.asking import Host, first_lines, oldest, texts

_TITLES = 5


class GitlabHistory:
    """A `History` of projects like `group/subgroup/auth`."""

    name = "GitLab"

    def __init__(self, url: str, *, clock: Callable[[], datetime], token: str = "") -> None:
        """`url` is where its pages are: `https://gitlab.com`."""
        self.open = bool(token)
        self._web = url.rstrip("/")
        self._host = Host(
            self.name, f"{self._web}/api/v4", {"PRIVATE-TOKEN": token} if token else {}, clock
        )

    def link(self, repository: str, base: str, head: str) -> str:
        """Return the page that compares two versions."""
        pair = f"{quote(base, safe='')}...{quote(head, safe='')}"
        return f"{self._web}/{quote(repository)}/-/compare/{pair}"

    async def compare(self, repository: str, base: str, head: str) -> Between:
        """Return what lies between two tags. Raises `TryAgainError` and `RefusedError`."""
        project = quote(repository, safe="")
        query = urlencode({"from": base, "to": head})
        found = await self._host.ask(f"/projects/{project}/repository/compare", query)
        listed, diffs = found.get("commits"), found.get("diffs")
        if not isinstance(listed, list):
            raise self._host.unreadable()
        paths = [*texts(diffs, "new_path"), *texts(diffs, "old_path")]
        return Between(
            count=len(listed),
            authors=tuple(dict.fromkeys(texts(listed, "author_name"))),
            titles=first_lines(texts(listed, "title"), _TITLES),
            files=tuple(dict.fromkeys(paths)),
            first=oldest(texts(listed, "created_at")),
            whole=found.get("compare_timeout") is not True,
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._host.close()
