"""What changed, by GitHub or a GitHub Enterprise Server.

The one rule: one request. It lists at most 250 commits and 300 files, and says how many commits there are.
https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlsplit

from integrations.history import Between
from integrations.source.asking import Host, first_lines, number, oldest, texts

_TITLES = 5
_FILES = 300
"""What one answer lists at most."""


class GithubHistory:
    """A `History` of repositories like `orion/auth`."""

    name = "GitHub"

    def __init__(self, url: str, *, clock: Callable[[], datetime], token: str = "") -> None:
        """`url` is that of the API: `https://api.github.com`, `https://host/api/v3`."""
        self.open = bool(token)
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        self._host = Host(self.name, url, headers, clock)
        self._web = _web(url)

    def link(self, repository: str, base: str, head: str) -> str:
        """Return the page that compares two versions."""
        return f"{self._web}/{quote(repository)}/compare/{_pair(base, head)}"

    async def compare(self, repository: str, base: str, head: str) -> Between:
        """Return what lies between two tags. Raises `TryAgainError` and `RefusedError`."""
        path = f"/repos/{quote(repository)}/compare/{_pair(base, head)}"
        found = await self._host.ask(path)
        count, listed, files = (
            number(found.get("total_commits")), found.get("commits"), found.get("files"),
        )  # fmt: skip
        if count is None or not isinstance(listed, list):
            raise self._host.unreadable()
        paths = texts(files, "filename")
        return Between(
            count=count,
            authors=tuple(dict.fromkeys(texts(listed, "commit", "author", "name"))),
            titles=first_lines(texts(listed, "commit", "message"), _TITLES)
            if len(listed) >= count
            else (),
            files=tuple(paths),
            first=oldest(texts(listed, "commit", "committer", "date"))
            if len(listed) >= count
            else None,
            whole=len(listed) >= count and len(paths) < _FILES,
            behind=number(found.get("behind_by")) or 0,
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._host.close()


def _pair(base: str, head: str) -> str:
    return f"{quote(base, safe='')}...{quote(head, safe='')}"


def _web(api: str) -> str:
    """Return where the pages are: beside the API of GitHub itself, above that of a server of one's own."""
    parts = urlsplit(api)
    if parts.hostname == "api.github.com":
        return "https://github.com"
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api/v3')}"
