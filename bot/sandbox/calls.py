"""One request to the simulated cluster, read to its end, and the answer to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.sandbox.objects import Body
from bot.sandbox.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end."""

    method: str
    path: str
    query: Mapping[str, str]
    content_type: str
    agent: str
    """Who calls; the part before the slash is the field manager where none is given."""
    raw: bytes


async def call_of(request: web.Request) -> Call:
    """Read a request to its end. The path stays as it was sent, so that an escaped slash is part of a name."""
    return Call(
        request.method,
        request.rel_url.raw_path,
        dict(request.rel_url.query),
        request.content_type,
        request.headers.get("User-Agent", ""),
        await request.read(),
    )


def answer(
    status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an HTTP answer: JSON, or the plain text that the real server gives for unknown paths."""
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return web.json_response(body, status=status, headers=headers)


def dry(call: Call) -> bool:
    """Whether a write is only tried."""
    return call.query.get("dryRun") == "All"


def field_manager(call: Call) -> str:
    """Return who writes, as `managedFields` names it."""
    return call.query.get("fieldManager") or call.agent.partition("/")[0]


def json_of(call: Call) -> Body:
    """Return the body of a request. Raises `Refusal` where it is no object."""
    body = json_any(call)
    if not isinstance(body, dict):
        raise Refusal(400, "the body is not an object")
    return body


def json_any(call: Call) -> Any:
    """Return the body of a request, an object or a list. Raises `Refusal`."""
    try:
        return json.loads(call.raw)
    except ValueError as error:
        raise Refusal(400, "the body is not JSON") from error
