"""GitHub and GitLab on loopback, as far as comparing two tags goes: the answers that their documentation shows.

`repositories` are the tags of each; what lies between two is the same list of commits for all. `answers` is a script of
statuses and headers for the next requests, before the honest ones.
"""

import asyncio
import re

from aiohttp import web

TOKEN = "a-token-of-the-code-host"
COMMITTED = "2026-11-20T23:00:00Z"
"""When every commit was made."""


class CodeHost:
    """What both have in common."""

    def __init__(self):
        self.repositories: dict[str, set[str]] = {}
        self.commits: list[tuple[str, str]] = []
        """Author and message, oldest first."""
        self.files: list[str] = []
        self.renamed: dict[str, str] = {}
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.seen: list[web.Request] = []
        self.raw: bytes | None = None
        self.hanging = asyncio.Event()
        self.hanging.set()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self.hanging.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        await self.hanging.wait()
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.json_response({"message": "<!channel> no"}, status=status, headers=headers)
        if self.raw is not None:
            return web.Response(body=self.raw, content_type="application/json")
        return self.compared(request)


class FakeGithub(CodeHost):
    """`GET /repos/{owner}/{repo}/compare/{base}...{head}`: 250 commits and 300 files at most."""

    def compared(self, request):
        found = re.fullmatch(
            r"/(?:repos/(?P<name>[^/]+/[^/]+)|repositories/(?P<id>\d+))/compare/(?P<base>.+)\.\.\.(?P<head>.+)",
            request.path,
        )
        if found is None or not request.headers.get("User-Agent"):
            return web.json_response({"message": "Bad request"}, status=403)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        name = self.renamed.get("1", "") if found["id"] else found["name"]
        if name in self.renamed:
            self.renamed["1"] = self.renamed[name]
            moved = f"/repositories/1/compare/{found['base']}...{found['head']}"
            return web.json_response({}, status=301, headers={"Location": moved})
        if not {found["base"], found["head"]} <= self.repositories.get(name, set()):
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(
            {
                "status": "ahead",
                "ahead_by": len(self.commits),
                "behind_by": 0,
                "total_commits": len(self.commits),
                "html_url": "javascript:alert(1)",
                "commits": [
                    {
                        "sha": "6dcb09b5",
                        "commit": {
                            "author": {"name": who},
                            "committer": {"name": "web-flow", "date": COMMITTED},
                            "message": text,
                        },
                    }
                    for who, text in self.commits[:250]
                ],
                "files": [{"filename": path, "status": "added"} for path in self.files[:300]],
            }
        )


class FakeGitlab(CodeHost):
    """`GET /api/v4/projects/:id/repository/compare?from=…&to=…`: all commits."""

    def compared(self, request):
        found = re.fullmatch(
            r"/api/v4/projects/([^/]+)/repository/compare", request.raw_path.partition("?")[0]
        )
        if found is None:
            return web.json_response({"error": "404 Not Found"}, status=404)
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return web.json_response({"message": "401 Unauthorized"}, status=401)
        name = found[1].replace("%2F", "/")
        if not {request.query["from"], request.query["to"]} <= self.repositories.get(name, set()):
            return web.json_response({"message": "404 Not Found"}, status=404)
        return web.json_response(
            {
                "commits": [
                    {
                        "id": "12d65c8d",
                        "title": text.splitlines()[0],
                        "author_name": who,
                        "created_at": COMMITTED,
                    }
                    for who, text in self.commits
                ],
                "diffs": [{"old_path": path, "new_path": path, "diff": ""} for path in self.files],
                "compare_timeout": False,
                "compare_same_ref": False,
            }
        )
