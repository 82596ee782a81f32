"""Answers and refusals as JSON. Errors are `application/problem+json` with the code that Slack shows too (RFC 9457)."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from bot.commands import Answer, Offer, Refusal
from bot.grammar import usage
from bot.rollout.locks import Lock
from bot.stats import as_json as stats_json
from bot.store import as_json
from strategies.plan import plan_to_json

_TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    409: "Wrong state", 413: "Too large", 422: "Not understood", 423: "Locked", 500: "Failed", 503: "Not ready",
}  # fmt: skip


def problem(
    status: int, code: str, detail: str, *, key: str = "", suggestion: str = "", **more: Any
) -> web.Response:
    """Return an error."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if key:
        body["key"] = key
    if suggestion:
        body["suggestion"] = suggestion
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response(
        {**body, **more}, status=status, content_type="application/problem+json", headers=headers
    )


def refused(refusal: Refusal) -> web.Response:
    """Return a refusal of a command."""
    more: dict[str, Any] = {}
    if _offers(refusal.offers):
        more["offers"] = _offers(refusal.offers)
    if refusal.rollout is not None:
        more["rollout"] = refusal.rollout.id
    return problem(
        refusal.status,
        refusal.code,
        str(refusal),
        key=refusal.key,
        suggestion=refusal.suggestion,
        **more,
    )


def answered(answer: Answer) -> dict[str, Any]:
    """Return the answer of a command as `POST /api/v1/commands` gives it."""
    body: dict[str, Any] = {"code": answer.code, "sentence": _sentence(answer), "kind": answer.kind}
    if answer.rollout is not None:
        body["rollout"] = as_json(answer.rollout)
    if answer.plan is not None:
        body["plan"] = plan_to_json(answer.plan)
    if answer.due is not None:
        body["due"] = answer.due.isoformat()
    said = {"advice": answer.advice, "judged": answer.judged, "expectation": answer.expectation}
    body |= {name: text for name, text in said.items() if text}
    if _offers(answer.offers):
        body["offers"] = _offers(answer.offers)
    if answer.kind == "status":
        body["locks"] = [_lock(one) for one in answer.locks]
    if answer.stats is not None:
        body["stats"] = stats_json(answer.stats)
    if answer.rows or answer.kind in {"status", "history", "schedule"}:
        body["rows"] = [as_json(row) for row in answer.rows]
    return body


def _offers(offers: Sequence[Offer]) -> list[dict[str, str]]:
    """Return what could come next in words; a form needs a screen."""
    return [{"label": offer.label, "text": offer.line} for offer in offers if not offer.form]


def _lock(lock: Lock) -> dict[str, Any]:
    return {
        "id": lock.id,
        "kind": lock.kind,
        "service": lock.service or None,
        "environment": lock.environment or None,
        "version": lock.version or None,
        "owner": lock.owner,
        "reason": lock.reason,
        "since": lock.at.isoformat(),
        "until": lock.expires.isoformat() if lock.expires else None,
        "rollout": lock.rollout or None,
    }


def _sentence(answer: Answer) -> str:
    """Return what is said; help comes as its topic, and every door has its own way to write a command."""
    if answer.kind == "help":
        return usage(answer.sentence, deploy="deploy", rollback="rollback", verb="{verb}")
    return answer.sentence
