"""The web page of the sandbox: what one person sees of the workspace as JSON, and what they do as small POSTs.

The page draws Block Kit itself from the same messages that the Web API stores; it has no other truth. Only for the
machine it runs on: requests that come by another host name or from another site's page are refused.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.chat import BOT_USER, Chat, Message
from bot.sandbox.shortcuts import OFFERED
from bot.sandbox.uploads import Uploads
from bot.sandbox.views import Views

_CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: data:"
_RESOURCES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "blocks.js": "text/javascript",
    "mesh.js": "text/javascript",
    "form.js": "text/javascript",
    "ideas.js": "text/javascript",
    "home.js": "text/javascript",
    "shortcuts.js": "text/javascript",
}
Value = float | bool | str | None


class Panel(Protocol):
    """The mesh beside the chat, as the page shows it.

    `state()` returns a JSON object with the keys
    `service` (the one shown) · `services` (the names of all) ·
    `time` (the sandbox clock, ISO 8601 with offset) · `speed` (factor) · `metrics_down` (flag) ·
    `broken` (whether *Break the canary* was pressed and not healed) ·
    `errors` (percent) and `latency` (ms): where the two sliders of the canary stand ·
    `lanes`: two objects, stable first, with `lane` (`stable` or `canary`), `name` (what it is called here),
    `version` (`""` for an empty lane), `weight` (percent), `ready` and `pods` (counts),
    `error_rate` (percent or null), `latency_p95` (ms or null).

    `act(name, value)` does one of `errors` (percent) · `latency` (ms) · `break` · `heal` · `speed` (factor) ·
    `metrics_down` (flag) · `service` (the name of the one to show); it raises `ValueError` with a sentence for anything
    else. *Slack down* is the workspace's.
    """

    def state(self) -> dict[str, Any]:
        """Return the mesh as it is now."""
        ...

    async def act(self, name: str, value: Value) -> None:
        """Do what was pressed. Raises `ValueError` for an unknown name or an impossible value."""
        ...


class Screen(Protocol):
    """What the page needs of a workspace."""

    chat: Chat
    views: Views
    panel: Panel | None
    uploads: Uploads
    down: bool

    async def say(self, user: str, channel: str, text: str, thread_ts: str = "") -> None:
        """Send what was typed."""
        ...

    async def click(self, user: str, message_ts: str, action: str, *, block_id: str = "") -> int:
        """Press a button."""
        ...

    async def press_view(self, user: str, view_id: str, action: str, *, block_id: str = "") -> int:
        """Press a button on a form or on the Home tab."""
        ...

    async def open_home(self, user: str) -> Mapping[str, Any] | None:
        """Open the Home tab."""
        ...

    async def shortcut(self, user: str, callback_id: str, message_ts: str = "") -> int:
        """Use a shortcut, on a message or without one."""
        ...

    async def submit(self, user: str, view_id: str, given: Mapping[str, Any]) -> dict[str, str]:
        """Send a form."""
        ...


def page_routes(screen: Screen) -> list[web.RouteDef]:
    """Return the routes of the page."""
    doors = _Doors(screen)
    return [
        web.get("/", _local(doors.html)),
        web.get("/archives/{channel}/{message}", _local(doors.html)),
        web.get("/{name:[a-z]+\\.(?:css|js)}", _local(doors.resource)),
        web.get("/sandbox/state", _local(doors.state)),
        web.get("/sandbox/files/{id:F[A-Z0-9]+}", _local(doors.file)),
        web.post("/sandbox/say", _local(doors.say)),
        web.post("/sandbox/click", _local(doors.click)),
        web.post("/sandbox/home", _local(doors.home)),
        web.post("/sandbox/press", _local(doors.press)),
        web.post("/sandbox/shortcut", _local(doors.shortcut)),
        web.post("/sandbox/submit", _local(doors.submit)),
        web.post("/sandbox/dismiss", _local(doors.dismiss)),
        web.post("/sandbox/panel", _local(doors.act)),
    ]


Handler = Callable[[web.Request], Awaitable[web.Response]]


def _local(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.Response:
        own = _is_loopback(request.host) and _is_own(request)
        if not own or (request.method == "POST" and request.content_type != "application/json"):
            raise web.HTTPForbidden(text="The sandbox only answers its own page on this machine.")
        try:
            return await handler(request)
        except (LookupError, ValueError) as refusal:
            return web.json_response({"error": str(refusal)}, status=400)

    return guarded


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _is_own(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


class _Doors:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def html(self, _: web.Request) -> web.Response:
        return web.Response(
            text=_read("page.html"),
            content_type="text/html",
            headers={"Content-Security-Policy": _CSP, "Referrer-Policy": "no-referrer"},
        )

    async def resource(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _RESOURCES:
            raise web.HTTPNotFound
        return web.Response(text=_read(name), content_type=_RESOURCES[name])

    async def state(self, request: web.Request) -> web.Response:
        return web.json_response(seen_by(self._screen, request.query.get("as", "")))

    async def file(self, request: web.Request) -> web.Response:
        """Show an image that was uploaded; nothing else is ever served from this site's own address."""
        found = self._screen.uploads.files.get(request.match_info["id"])
        if found is None or not found.kind:
            raise web.HTTPNotFound
        guard = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return web.Response(body=found.body, content_type=found.kind, headers=guard)

    async def say(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self._screen.say(
            body["user"], body["channel"], body["text"], body.get("thread_ts") or ""
        )
        return web.json_response({})

    async def click(self, request: web.Request) -> web.Response:
        body = await request.json()
        status = await self._screen.click(
            body["user"], body["ts"], body["action"], block_id=body["block_id"]
        )
        return web.json_response({"status": status})

    async def home(self, request: web.Request) -> web.Response:
        await self._screen.open_home((await request.json())["user"])
        return web.json_response({})

    async def press(self, request: web.Request) -> web.Response:
        body = await request.json()
        status = await self._screen.press_view(
            body["user"], body["view_id"], body["action"], block_id=body["block_id"]
        )
        return web.json_response({"status": status})

    async def shortcut(self, request: web.Request) -> web.Response:
        body = await request.json()
        status = await self._screen.shortcut(
            body["user"], body["callback_id"], body.get("ts") or ""
        )
        return web.json_response({"status": status})

    async def submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        errors = await self._screen.submit(body["user"], body["view_id"], body["values"])
        return web.json_response({"errors": errors})

    async def dismiss(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._screen.views.close(body["view_id"])
        return web.json_response({})

    async def act(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["name"] == "slack_down":
            self._screen.down = bool(body["value"])
        elif self._screen.panel is not None:
            await self._screen.panel.act(body["name"], body.get("value"))
        return web.json_response({})


def seen_by(screen: Screen, viewer: str) -> dict[str, Any]:
    """Return everything that this person sees: the messages of all channels, their own ephemerals, their open form."""
    chat = screen.chat
    people = [person for person in chat.people.values() if not person.is_bot]
    forms = [view for view in screen.views.open.values() if view["user"] == viewer]
    return {
        "channels": [
            {"id": c.id, "name": c.name} for c in chat.channels.values() if c.id[0] == "C"
        ],
        "people": [{"id": p.id, "name": p.name, "label": p.label} for p in people],
        "groups": {group.id: group.handle for group in chat.groups.values()},
        "names": {person.id: person.name for person in chat.people.values()},
        "messages": [
            _message(message)
            for message in chat.messages.values()
            if message.only_for in {"", viewer}
        ],
        "form": forms[-1] if forms else None,
        "home": screen.views.homes.get(viewer),
        "shortcuts": [asdict(one) for one in OFFERED],
        "panel": screen.panel.state() if screen.panel else None,
        "slack_down": screen.down,
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "bot": message.user == BOT_USER,
        "text": message.text,
        "blocks": list(message.blocks),
        "thread_ts": message.thread_ts,
        "broadcast": message.broadcast,
        "edited": bool(message.edited),
        "ephemeral": bool(message.only_for),
        "reactions": list(message.reactions),
    }


def _read(name: str) -> str:
    return files("bot.sandbox").joinpath(name).read_text("utf-8")
