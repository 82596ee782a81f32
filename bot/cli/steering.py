"""What steers or shows rollouts: the words go to the bot as they are, its answer comes back as it is.

Nothing is decided here; only the exit code is read off the status (1 refused or failed, 2 the words are wrong).
"""

from collections.abc import Mapping
from typing import Any

from bot.cli.drawing import plan_lines, rollout_lines
from bot.cli.mistakes import REFUSED, WRONG, CliError
from bot.cli.remote import Reply, say, shown_url
from bot.cli.tallying import stats_lines
from bot.cli.terminal import Outcome, Style, clean
from bot.cli.typed import joined
from bot.settings import ClientSettings
from bot.settings.scalars import shown
from strategies.plan import plan_from_json

_WRONG_WORDS = frozenset({400, 413, 422})


def steer(verb: str, words: tuple[str, ...], settings: ClientSettings, style: Style) -> Outcome:
    """Say a line to the bot. Raises `CliError` when it is refused or cannot be asked."""
    if verb == "deploy" and len(words) == 1:
        raise CliError(
            "Which service? Write for example `sluice deploy checkout v1.42`.",
            code="missing_service",
            key="service",
        )
    reply = say(settings, joined(words))
    body = reply.body
    if not 200 <= reply.status < 300:
        raise _refusal(reply, settings)
    if not (isinstance(body.get("code"), str) and isinstance(body.get("sentence"), str)):
        raise _not_sluice(reply, settings)
    watch = _where_to_watch(body, settings) if verb == "deploy" and style.people else []
    # Programs get the numbers as `GET /api/v1/stats` gives them.
    numbers = body.get("stats")
    shown_json = numbers if verb == "stats" and isinstance(numbers, dict) else body
    return Outcome(shown_json, [*_answer(body, style), *watch])


def _answer(body: Mapping[str, Any], style: Style) -> list[str]:
    lines = [clean(body["sentence"])] if body["sentence"] else []
    rows = body.get("rows")
    if isinstance(rows, list):
        lines += rollout_lines([row for row in rows if isinstance(row, dict)], style)
    rollout = body.get("rollout")
    if isinstance(rollout, dict):
        lines += rollout_lines([rollout], style)
    elif isinstance(body.get("stats"), dict):
        lines += stats_lines(body["stats"])
    elif isinstance(body.get("plan"), dict):
        lines += _plan(body, style)
    return lines


def _plan(body: Mapping[str, Any], style: Style) -> list[str]:
    advice, judged = _text(body, "advice"), _text(body, "judged")
    try:
        return plan_lines(plan_from_json(body["plan"]), style, advice, judged)
    except ValueError:
        return ["The plan has steps that this command line is too old for; `--json` shows it."]


def _where_to_watch(body: Mapping[str, Any], settings: ClientSettings) -> list[str]:
    rollout = body.get("rollout")
    if not isinstance(rollout, dict):
        return []
    service, environment = rollout.get("service", ""), rollout.get("environment", "")
    return [
        clean(f"Watch its card in Slack, or `sluice status {service} {environment}`"),
        clean(f"or {shown_url(settings)}/api/v1/deployments/{rollout.get('id', '')}"),
    ]


def _refusal(reply: Reply, settings: ClientSettings) -> CliError:
    body = reply.body
    code, detail = _text(body, "code"), _text(body, "detail")
    if reply.status == 401:
        detail = _without_token(settings)
    if not (code and detail):
        return _not_sluice(reply, settings)
    if code == "confirmation_needed":
        detail = f"{detail} Add `now` to do it."
    return CliError(
        detail,
        code=code,
        exit_code=WRONG if reply.status in _WRONG_WORDS else REFUSED,
        title=_text(body, "title"),
        key=_text(body, "key"),
        suggestion=_text(body, "suggestion"),
        offers=_offers(body),
    )


def _without_token(settings: ClientSettings) -> str:
    if settings.api_token is None:
        why = "The bot wants a token, and SLUICE_API_TOKEN is not set."
    else:
        why = "The bot does not take the token in SLUICE_API_TOKEN: it is unknown or was revoked."
    return f"{why} `sluice token create NAME`, where the bot runs, makes one."


def _offers(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    offers = body.get("offers")
    return tuple(
        (text, _text(offer, "label"))
        for offer in (offers if isinstance(offers, list) else [])
        if isinstance(offer, dict) and (text := _text(offer, "text"))
    )


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _not_sluice(reply: Reply, settings: ClientSettings) -> CliError:
    """Return the error for an answer that no bot of ours gives: a proxy, a login page, something else altogether."""
    if 300 <= reply.status < 400:
        how = f"sends on to {shown(reply.location, limit=200)}"
    else:
        how = f"answered {reply.status} with something that is not from Sluice"
    return CliError(
        f"{shown_url(settings)} {how}. Set SLUICE_URL to the address of the bot itself.",
        code="not_sluice",
        exit_code=REFUSED,
    )
