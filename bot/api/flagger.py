"""The door of Flagger's webhooks: each asks at a gate, and the status is the answer.

Flagger takes every status up to 202 as yes, at `rollback` as well. So yes is 200 and comes from one place; everything
else is 401, 403, 404, 422 or 5xx. https://docs.flagger.app/usage/webhooks
"""

import hmac
import json
from typing import Any

from aiohttp import web

from bot.api.answers import problem
from bot.commands import Commands, Refusal
from bot.commands.hooking import EVENT, GATES, Asked

PATH = "/hooks/flagger/{gate}/{token}"
_MOST = 253


class FlaggerDoor:
    """Answers `POST /hooks/flagger/{gate}/{token}`."""

    def __init__(self, commands: Commands, token: str) -> None:
        """`token` is the one of the configuration, `""` where there is no such block: then the door is shut."""
        self._commands = commands
        self._token = token

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one question. Nothing is read of it before its token is right."""
        if not self._token:
            return problem(
                404, "hook_off", "No gates are answered here. Add the block flagger to sluice.yaml."
            )
        given = request.match_info["token"].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, self._token.encode()):
            return problem(
                401, "bad_hook_token", "The end of this address is not the token that flagger has in sluice.yaml."
            )  # fmt: skip
        gate = request.match_info["gate"]
        if gate not in GATES:
            known = ", ".join(sorted(GATES))
            return problem(404, "unknown_gate", f"There is no such gate here; there are {known}.")
        await self._commands.hooked(asked_from(gate, await _json(request)))
        return web.json_response({"status": "ok"})


async def _json(request: web.Request) -> Any:
    raw = await request.read()
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal("The body is not JSON.", code="bad_json", status=422) from error


def asked_from(gate: str, body: Any) -> Asked:
    """Return the question. Raises `Refusal` 422 that names what is wrong."""
    if not isinstance(body, dict):
        raise _odd("is not an object", key="body")
    metadata = {} if body.get("metadata") is None else body["metadata"]
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _odd("is not a block of texts", key="metadata")
    if gate == EVENT and not (metadata.get("eventType") and metadata.get("eventMessage")):
        # A gate whose address is this one would take our 200 for a yes.
        raise _odd("has no eventType and eventMessage, as an event has", key="metadata")
    if body.get("type") not in {None, "", gate}:
        raise _odd(f"is not {gate}, as the address is", key="type")
    return Asked(
        gate=gate,
        name=_text(body, "name"),
        namespace=_text(body, "namespace"),
        checksum=_text(body, "checksum"),
        metadata=metadata,
    )


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _MOST or not value.isprintable():
        raise _odd(f"is not a text of 1 to {_MOST} characters", key=key)
    return value


def _odd(what: str, *, key: str) -> Refusal:
    return Refusal(
        f"This is not what Flagger sends: {key} {what}.", code="bad_body", status=422, key=key
    )
