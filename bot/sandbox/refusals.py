"""The `Status` bodies with which an API server says no, worded like the real ones: clients read them."""

from typing import Any

from bot.sandbox.objects import Key, Kind

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of ours
    """An answer outside 2xx."""

    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.body = status_body(code, message, reason)


def status_body(code: int, message: str, reason: str = "") -> dict[str, Any]:
    """Return the JSON of a refusal."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason or _REASONS.get(code, ""),
        "code": code,
    }


def not_found(kind: Kind, name: str) -> Refusal:
    """Return the answer for an object that is not there."""
    return Refusal(404, f'{_resource(kind)} "{name}" not found')


def already_exists(kind: Kind, name: str) -> Refusal:
    """Return the answer for creating an object twice."""
    return Refusal(409, f'{_resource(kind)} "{name}" already exists', "AlreadyExists")


def changed_meanwhile(kind: Kind, key: Key) -> Refusal:
    """Return the answer for a stale resourceVersion."""
    return Refusal(
        409,
        f'Operation cannot be fulfilled on {_resource(kind)} "{key.name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )


def test_failed() -> Refusal:
    """Return the answer for a JSON Patch that does not apply; the real one says as little."""
    return Refusal(422, "the server rejected our request due to an error in our request")


def invalid(kind: Kind, name: str, why: str) -> Refusal:
    """Return the answer for an object that its schema forbids."""
    group = f".{kind.group}" if kind.group else ""
    return Refusal(422, f'{kind.kind}{group} "{name}" is invalid: {why}')


def _resource(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
