"""What a request says, read and checked: query, JSON and the values in them. What cannot be is refused with its key.

Nothing is overlooked: a key that is not known, or is there twice, would let a person believe that it was heard.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.commands import Refusal
from bot.settings.scalars import ScalarError, parse_duration

QUERY: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("POST", "/api/v1/deployments"): ("dry_run",),
    ("GET", "/api/v1/deployments"): ("service", "environment", "limit", "before"),
    ("GET", "/api/v1/stats"): ("service", "days"),
}
"""Method and path -> the keys that its query may have; all other routes take none."""

# Tabs and line breaks are how people write a longer reason; the other controls and halves of a character are no text.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check_query(request: web.Request, known: Collection[str]) -> None:
    """Refuse keys that are not known, are there twice, or whose value is no text."""
    query = request.query
    only_keys(query, known)
    for key in known:
        if len(query.getall(key, [])) > 1:
            raise _twice(key)
        _text(key, query.get(key, ""))


def only_keys(given: Collection[str], known: Collection[str]) -> None:
    """Refuse the first key that is not known."""
    for key in given:
        if key not in known:
            may = f"known are {', '.join(sorted(known))}" if known else "there are none"
            raise Refusal(
                f"{key[:60]} is not a key here; {may}.",
                code="unknown_key",
                status=422,
                key=key,
            )


async def body_of(request: web.Request) -> Any:
    """Return the JSON of a body, `{}` for none. Raises `Refusal` 422."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal("The body is not JSON.", code="bad_json", status=422) from error
    _all_text(body)
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, value in pairs:
        if key in body:
            raise _twice(key)
        body[key] = value
    return body


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _twice(key: str) -> Refusal:
    return Refusal(
        f"{key[:60]} is there twice, and only one can be meant. Say it once.",
        code="duplicate_key",
        status=422,
        key=key,
    )


def _all_text(body: Any) -> None:
    # A list of what is left to look at, since a body may be nested deeper than functions may.
    left: list[tuple[str, Any]] = [("", body)]
    while left:
        key, value = left.pop()
        match value:
            case str():
                _text(key, value)
            case dict():
                left += value.items()
            case list():
                left += [(key, one) for one in value]
            case _:
                pass


def _text(key: str, value: str) -> None:
    found = _NO_TEXT.search(value)
    if found is not None:
        raise Refusal(
            f"{key[:60] or 'The body'} has a character that is no text (U+{ord(found[0]):04X}). Leave it out.",
            code="bad_value",
            status=422,
            key=key,
        )


def winner(body: Mapping[str, Any], verb: str) -> str:
    """Return the version that shall win an A/B test, `""` when none is named; numbers count as they are written."""
    if "winningVersion" not in body:
        return ""
    named = body["winningVersion"]
    if (
        verb not in {"promote", "approve"}
        or isinstance(named, bool)
        or not isinstance(named, str | int)
    ):
        raise Refusal(
            "winningVersion goes with promote, and is the version (or A or B) that stays.",
            code="bad_value",
            status=422,
            key="winningVersion",
        )
    return str(named)


def string(body: Mapping[str, Any], key: str) -> str:
    """Return a text, `""` when there is none."""
    value = body.get(key, "")
    if not isinstance(value, str):
        raise Refusal(f"{key} must be text.", code="bad_value", status=422, key=key)
    return value


def flag(text: str, key: str) -> bool:
    """Return yes or no as a query says it."""
    match text.casefold():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise Refusal(
                f"{key} is true or false. Write ?{key}=true.",
                code="bad_value",
                status=422,
                key=key,
            )


def seconds(text: str) -> int:
    """Return the seconds of `by`, half an hour when there is none."""
    if not text:
        return 1800
    try:
        return parse_duration(text, "refuse")
    except ScalarError as error:
        raise Refusal(str(error), code=error.code, status=422, key="by") from error


def whole(text: str, key: str, low: int, high: int) -> int:
    """Return a number between two others, both included."""
    # A few plain digits only: int() fails on others that call themselves digits, and on thousands of them.
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise Refusal(
            f"{key} is a number from {low} to {high}.", code="bad_value", status=422, key=key
        )
    return int(text)


def moment(text: str | None) -> datetime | None:
    """Return the time that `before` names."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refusal(
            "before is a time such as 2026-11-21T10:00:00+00:00.",
            code="bad_value",
            status=422,
            key="before",
        ) from error
    if at.tzinfo is None:
        raise Refusal("before needs a time zone.", code="bad_value", status=422, key="before")
    return at
