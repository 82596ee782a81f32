"""REST: `/api/v1`, health and numbers. A door like the others: JSON becomes a command, an answer becomes JSON.

Every route but health, numbers and the OpenAPI document needs a bearer token; one middleware asks for it, so that a new
route is closed until somebody opens it.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.api import alertmanager, flagger
from bot.api.answers import answered, problem, refused
from bot.api.asked import (
    QUERY,
    body_of,
    check_query,
    flag,
    moment,
    only_keys,
    seconds,
    string,
    whole,
    winner,
)
from bot.api.bodies import deploy_from, words_refused
from bot.api.exposition import CONTENT_TYPE, Exposition
from bot.api.openapi import document
from bot.commands import Answer, Commands, Receipt, Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.verbs import Deploy, ShowPlan
from bot.policy import Actor
from bot.stats import DAYS
from bot.stats import as_json as stats_json
from bot.store import Store, as_json

log = logging.getLogger("sluice.api")

MAX_BODY = 1 << 20
OPEN = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/openapi.json",
    "/slack/events",
    alertmanager.PATH,
    flagger.PATH,
}
"""Paths that need no bearer token; Slack's are signed, hooks end with a token of their own, which they ask for."""

ACTOR = web.RequestKey("actor", Actor)
"""Who asks, as the guard established it."""

_ACTIONS = ("promote", "pause", "resume", "adopt", "rollback", "approve", "extend")
_ACTION_KEYS = {"winningVersion", "reason", "gate", "by"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Doors:
    """What the API leads to."""

    commands: Commands
    store: Store
    now: Callable[[], datetime]
    root_token: str
    """`SLUICE_API_TOKEN`, `""` when there is none."""
    ready: Callable[[], Awaitable[dict[str, str]]]
    """Name -> `ok` or why not, for everything that has to be there."""
    alertmanager_token: str = field(default="", repr=False)
    """What the address of its hook ends with, `""` when there is none."""
    flagger_token: str = field(default="", repr=False)
    """The same for the hooks of Flagger."""
    root_owner: str = ""
    """The Slack user behind the root token, `""` for nobody."""


def api(doors: Doors, slack_events: Handler | None) -> web.Application:
    """Return the one web application of a bot."""
    app = web.Application(
        client_max_size=MAX_BODY, middlewares=[_errors, _guard(doors), _known_query]
    )
    routes = _Routes(doors)
    if slack_events is not None:
        app.router.add_post("/slack/events", slack_events)
    for method, path, handler in routes.table():
        app.router.add_route(method, path, handler)
    return app


def token_digest(token: str) -> str:
    """Return what is stored of a token: it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _guard(doors: Doors) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _template(request) in OPEN:
            return await handler(request)
        actor = await _actor(doors, request.headers.get("Authorization", ""))
        if actor is None:
            return problem(
                401, "not_authenticated",
                "This needs a token: Authorization: Bearer …. `sluice token create NAME` makes one.",
            )  # fmt: skip
        request[ACTOR] = actor
        return await handler(request)

    return guard


async def _actor(doors: Doors, header: str) -> Actor | None:
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return None
    if doors.root_token and hmac.compare_digest(token.encode(), doors.root_token.encode()):
        return Actor("token:root", "rest", owner=doors.root_owner)
    found = await doors.store.token(token_digest(token))
    if found is None or found.revoked is not None:
        return None
    return Actor(f"token:{found.name}", "rest", owner=found.owner)


@web.middleware
async def _known_query(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.match_info.http_exception is None and request.path != "/slack/events":
        check_query(request, QUERY.get((request.method, request.path), ()))
    return await handler(request)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refused(refusal)
    except WordsError as error:
        return refused(words_refused(error))
    except web.RequestPayloadError:
        return problem(400, "bad_body", "The body cannot be unpacked as its Content-Encoding says.")
    except web.HTTPRequestEntityTooLarge:
        return problem(413, "too_large", "The body is larger than 1 MiB.")
    except web.HTTPNotFound:
        return problem(404, "unknown_path", f"There is nothing at {_template(request)[:200]}.")
    except web.HTTPMethodNotAllowed as error:
        return problem(405, "wrong_method", f"Use {', '.join(sorted(error.allowed_methods))} here.")
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, _template(request))
        return problem(500, "failed", "Something went wrong here; the log of the bot says what.")


def _template(request: web.Request) -> str:
    """Return the path as it is known here: what stands in it for `{token}` is nobody's business."""
    resource = request.match_info.route.resource
    if resource is not None:
        return resource.canonical
    return "/hooks/…" if request.path.startswith("/hooks/") else request.path


class _Routes:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._commands = doors.commands
        self._store = doors.store
        self._exposition = Exposition(doors.store, doors.now)
        self._alertmanager = alertmanager.AlertmanagerDoor(doors.commands, doors.alertmanager_token)
        self._flagger = flagger.FlaggerDoor(doors.commands, doors.flagger_token)

    def table(self) -> list[tuple[str, str, Handler]]:
        deployments = "/api/v1/deployments"
        return [
            ("POST", deployments, self.create),
            ("GET", deployments, self.list),
            ("GET", f"{deployments}/{{id}}", self.show),
            ("GET", f"{deployments}/{{id}}/journal", self.journal),
            ("POST", f"{deployments}/{{id}}/{{verb:{'|'.join(_ACTIONS)}}}", self.act),
            ("POST", "/api/v1/commands", self.say),
            ("GET", "/api/v1/stats", self.stats),
            ("GET", "/api/v1/openapi.json", self.openapi),
            ("POST", alertmanager.PATH, self._alertmanager.receive),
            ("POST", flagger.PATH, self._flagger.receive),
            ("GET", "/healthz", self.healthz),
            ("GET", "/readyz", self.readyz),
            ("GET", "/metrics", self.metrics),
        ]

    async def create(self, request: web.Request) -> web.Response:
        only_show = flag(request.query.get("dry_run", "false"), "dry_run")
        body = await body_of(request)
        command = deploy_from(body, Known(self._commands.known()))
        if only_show or command.options.dry_run:
            return web.json_response(await self._dry_run(command, request[ACTOR]))
        key = request.headers.get("Idempotency-Key", "")
        receipt = await self._receipt(key, request[ACTOR], body)
        answer = await self._commands.handle(command, request[ACTOR], receipt)
        if answer.code == "already_recorded" and receipt is not None:
            await self._same_body(receipt)
        if answer.rollout is None:
            raise Refusal("The rollout is being created; ask again.", code="conflict")
        return web.json_response(as_json(answer.rollout), status=201)

    async def _dry_run(self, command: Deploy, actor: Actor) -> dict[str, Any]:
        answer = await self._commands.handle(ShowPlan(command), actor)
        plan: dict[str, Any] = answered(answer)["plan"]
        if answer.due is not None:
            plan["due"] = answer.due.isoformat()
        return plan

    async def _receipt(self, key: str, actor: Actor, body: Any) -> Receipt | None:
        if not key:
            return None
        if len(key) > 100 or not key.isprintable():
            raise Refusal(
                "An Idempotency-Key has at most 100 printable characters.",
                code="bad_idempotency_key",
                status=422,
                key="Idempotency-Key",
            )
        text = json.dumps(body, sort_keys=True)
        receipt = Receipt(
            f"idem:{token_digest(actor.id + key)[:40]}",
            {"digest": hashlib.sha256(text.encode()).hexdigest()},
        )
        await self._same_body(receipt)
        return receipt

    async def _same_body(self, receipt: Receipt) -> None:
        before = await self._store.inbound(receipt.key)
        if before is not None and before.body.get("digest") != receipt.body["digest"]:
            raise Refusal(
                "This Idempotency-Key was used with another body. Use a new key for a new request.",
                code="idempotency_mismatch",
                status=422,
                key="Idempotency-Key",
            )

    async def list(self, request: web.Request) -> web.Response:
        limit = whole(request.query.get("limit", "50"), "limit", 1, 200)
        before = moment(request.query.get("before"))
        rows = await self._store.history(
            request.query.get("service"),
            request.query.get("environment"),
            before=before,
            limit=limit + 1,
        )
        body: dict[str, Any] = {"items": [as_json(row) for row in rows[:limit]]}
        if len(rows) > limit:
            body["next"] = rows[limit - 1].created.isoformat()
        return web.json_response(body)

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(as_json(await self._commands.find(request.match_info["id"])))

    async def journal(self, request: web.Request) -> web.Response:
        r = await self._commands.find(request.match_info["id"])
        rows = await self._store.journal(r.id)
        items = [
            {
                "revision": row.revision,
                "at": row.at.isoformat(),
                "verb": row.entry.verb,
                "actor": row.entry.actor,
                "code": row.entry.code,
                "text": row.entry.text,
                "event": row.entry.event,
                "data": dict(row.entry.data),
            }
            for row in rows
        ]
        return web.json_response({"items": items})

    async def act(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        if not isinstance(body, dict):
            raise Refusal("The body must be a JSON object.", code="bad_body", status=422)
        only_keys(body, _ACTION_KEYS)
        answer = await self._commands.press(
            request.match_info["verb"],
            request.match_info["id"],
            request[ACTOR],
            gate=string(body, "gate") or None,
            reason=string(body, "reason"),
            seconds=seconds(string(body, "by")),
            winner=winner(body, request.match_info["verb"]),
        )
        return web.json_response(_row(answer))

    async def say(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        if not isinstance(body, dict) or not isinstance(body.get("text"), str):
            raise Refusal(
                'Send {"text": "status checkout"}.', code="bad_body", status=422, key="text"
            )
        only_keys(body, {"text"})
        command = parse_line(body["text"], Known(self._commands.known()))
        answer = await self._commands.handle(command, request[ACTOR])
        return web.json_response(answered(answer), status=201 if answer.created else 200)

    async def stats(self, request: web.Request) -> web.Response:
        days = whole(request.query.get("days", str(DAYS)), "days", 1, 365)
        service = request.query.get("service")
        if service is not None:
            service = Known(self._commands.known()).service(service)
        answer = await self._commands.stats(service, days, request[ACTOR])
        assert answer.stats is not None
        return web.json_response(stats_json(answer.stats))

    async def openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document([(m, p) for m, p, _ in self.table()]))

    async def healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        parts = await self._doors.ready()
        ok = all(state == "ok" for state in parts.values())
        # Without Slack everything else goes on: REST and the command line decide.
        worst = "degraded" if parts["database"] == "ok" else "not ready"
        return web.json_response(
            {"status": "ok" if ok else worst, "parts": parts}, status=200 if ok else 503
        )

    async def metrics(self, _: web.Request) -> web.Response:
        text = await self._exposition.text()
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _row(answer: Answer) -> dict[str, Any]:
    if answer.rollout is None:
        return answered(answer)
    return as_json(answer.rollout)
