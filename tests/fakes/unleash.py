"""The admin API of Unleash 6 and 7 on loopback, as far as a flag and its strategies go, with its refusals and faults.

What it models: JSON Patch without `test`; strategies are OR-ed and clients see only those that are enabled; turning an
environment on whose strategies are all disabled (or that has none) adds one for everybody; no preconditions at all;
change requests refuse every direct write with 403; an archived flag is not found.
"""

import asyncio
import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "user:5f4dcc3b5aa765d61d8327de"
PATCH_OPS = {"add", "remove", "replace", "copy", "move"}
RIGHTS = ("UPDATE_FEATURE_STRATEGY", "UPDATE_FEATURE_ENVIRONMENT")


def gradual(rollout: str = "0", **more: Any) -> dict[str, Any]:
    """Return a gradual rollout as Unleash keeps one."""
    return {
        "id": "6b5157cb-343a-41e7-bfa3-7b4ec3044840",
        "name": "flexibleRollout",
        "title": None,
        "disabled": False,
        "sortOrder": 0,
        "parameters": {"rollout": rollout, "stickiness": "default", "groupId": "new-search"},
        "constraints": [],
        "segments": [],
        "variants": [],
        **more,
    }


@dataclass(slots=True)
class _Fault:
    status: int
    times: int
    method: str
    path: str


@dataclass(slots=True)
class FakeUnleash:
    """One server with one project."""

    project: str = "default"
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    rights: set[str] = field(default_factory=lambda: {*RIGHTS})
    """What the token may do in the project."""
    change_requests: set[str] = field(default_factory=set)
    """Environments that ask for them."""
    enterprise: bool = True
    token: str = TOKEN
    requests: list[tuple[str, str]] = field(default_factory=list)
    drop_after: int = 0
    """So many writes are applied, and then the connection breaks."""
    holding: bool = False
    """Writes are kept on their way until `land`."""
    login_page: bool = False
    url: str = ""
    _faults: list[_Fault] = field(default_factory=list)
    _late: list[tuple[str, str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def put(self, name: str = "new-search", *strategies: dict[str, Any], on: bool = True) -> None:
        """Add a flag with these strategies in production."""
        self.features[name] = {
            "name": name,
            "project": self.project,
            "type": "release",
            "description": "A <b>search</b> that finds more.",
            "stale": False,
            "archived": False,
            "dependencies": [],
            "children": [],
            "environments": [
                {"name": "development", "enabled": True, "strategies": [gradual("100")]},
                {
                    "name": "production",
                    "enabled": on,
                    "variants": [],
                    "strategies": list(strategies or (gradual(),)),
                },
            ],
        }

    async def start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # ---- what can be seen and done from outside ---------------------------------------------------------------------

    def environment(self, feature: str = "new-search", name: str = "production") -> dict[str, Any]:
        return next(e for e in self.features[feature]["environments"] if e["name"] == name)

    def strategies(self, feature: str = "new-search") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.environment(feature)["strategies"]
        return found

    def share(self, feature: str = "new-search") -> int:
        """Percent of the users that have the flag, as their SDKs would work it out."""
        here = self.environment(feature)
        if not here["enabled"]:
            return 0
        live = [one for one in here["strategies"] if not one["disabled"]]
        return max((_reach(one) for one in live), default=100)

    def set_rollout(self, rollout: str, feature: str = "new-search") -> None:
        """Change the percentage as somebody at the admin UI does."""
        self.strategies(feature)[0]["parameters"]["rollout"] = rollout

    def fail(self, status: int, *, times: int = 1, method: str = "", path: str = "") -> None:
        self._faults.append(_Fault(status, times, method, path))

    def heal(self) -> None:
        self._faults.clear()

    def land(self) -> None:
        """Let the writes that were held arrive now."""
        late, self._late = self._late, []
        for method, path, body in late:
            self._apply(method, path.split("/"), body)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(m, p.rpartition("/")[2]) for m, p in self.requests if m != "GET"]

    # ---- the API ----------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests.append((request.method, path))
        if self.login_page:
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        fault = self._fault(request.method, path)
        if fault is not None:
            return _failure(fault.status)
        if request.headers.get("Authorization") != self.token:
            return _error(401, "AuthenticationRequired", "You must log in to use Unleash.")
        body = await request.json() if request.can_read_body else None
        parts = path.split("/")
        if request.method == "GET":
            return self._read(parts[2:])
        return await self._write(request, path, body)

    def _fault(self, method: str, path: str) -> _Fault | None:
        for fault in self._faults:
            if fault.times and fault.method in {"", method} and fault.path in path:
                fault.times -= 1
                return fault
        return None

    def _read(self, parts: list[str]) -> web.Response:
        match parts:
            case ["user"]:
                rights = [
                    {"permission": one, "project": self.project, "environment": "production"}
                    for one in sorted(self.rights)
                ]
                return web.json_response({"user": {"id": 7}, "permissions": rights})
            case ["projects", project, "change-requests", "config"] if self.enterprise:
                return web.json_response(
                    [
                        {"environment": name, "type": name, "changeRequestEnabled": on}
                        for name, on in (
                            ("development", False),
                            ("production", "production" in self.change_requests),
                        )
                        if project == self.project
                    ]
                )
            case ["projects", project, "features", name]:
                found = self.features.get(name)
                if found is None or found["archived"]:
                    return _error(404, "NotFoundError", f"Could not find feature {name}")
                if project != found["project"]:
                    return _error(403, "InvalidOperationError", "not in that project")
                return web.json_response(found)
            case _:
                return _error(404, "NotFoundError", "no such path")

    async def _write(self, request: web.Request, path: str, body: Any) -> web.StreamResponse:
        parts = path.split("/")
        refused = self._refusal(request.method, parts, body)
        if refused is not None:
            return refused
        if self.holding:
            self._late.append((request.method, path, body))
            return await _broken(request)
        self._apply(request.method, parts, body)
        if self.drop_after:
            self.drop_after -= 1
            return await _broken(request)
        return web.json_response({})

    def _refusal(self, method: str, parts: list[str], body: Any) -> web.Response | None:
        match parts:
            case ["api", "admin", "projects", _, "features", name, "environments", env, *rest]:
                pass
            case _:
                return _error(404, "NotFoundError", "no such path")
        if name not in self.features or self.features[name]["archived"]:
            return _error(404, "NotFoundError", f"Could not find feature {name}")
        right = RIGHTS[0] if method == "PATCH" else RIGHTS[1]
        if right not in self.rights:
            return _denied(right)
        if env in self.change_requests and "SKIP_CHANGE_REQUEST" not in self.rights:
            return _denied("SKIP_CHANGE_REQUEST")
        if method == "PATCH" and not all(op.get("op") in PATCH_OPS for op in body):
            return _error(400, "BadDataError", "Request validation failed")
        if method == "PATCH" and rest[1] not in {one["id"] for one in self.strategies(name)}:
            return _error(404, "NotFoundError", "Could not find strategy")
        return None

    def _apply(self, method: str, parts: list[str], body: Any) -> None:
        name, env, rest = parts[5], parts[7], parts[8:]
        here = self.environment(name, env)
        if method == "PATCH":
            strategy = next(one for one in here["strategies"] if one["id"] == rest[1])
            for op in body:
                _patch(strategy, op["path"].split("/")[1:], op["value"])
        elif rest == ["on"]:
            if all(one["disabled"] for one in here["strategies"]):
                here["strategies"].append(gradual("100", id=f"made-{next(self._ids)}"))
            here["enabled"] = True
        else:
            here["enabled"] = False


def _reach(strategy: dict[str, Any]) -> int:
    if strategy["name"] != "flexibleRollout":
        return 100
    return int(strategy["parameters"]["rollout"])


def _patch(strategy: dict[str, Any], path: list[str], value: Any) -> None:
    found = strategy
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = copy.deepcopy(value)


def _error(status: int, name: str, message: str) -> web.Response:
    body = {"id": "9c1e", "name": name, "message": message, "details": [{"message": message}]}
    return web.json_response(body, status=status)


def _denied(right: str) -> web.Response:
    text = f'You don\'t have the required permissions. You need the "{right}" permission to perform this action'
    return _error(403, "PermissionError", text)


def _failure(status: int) -> web.Response:
    headers = {"Retry-After": "7"} if status == 429 else {}
    return web.json_response({"message": "<b>no</b> " + TOKEN}, status=status, headers=headers)


async def _broken(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return web.Response()
