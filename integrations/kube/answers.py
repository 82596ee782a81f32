"""What an API server's refusal means, in the two families of `integrations.base`.

The only place that reads HTTP status codes of Kubernetes. Bodies come from outside (admission webhooks write them), so
only a short, plain part of them reaches a sentence.
"""

import json
import re
from collections.abc import Mapping

from integrations.base import (
    ConflictError,
    GoneError,
    IntegrationError,
    RefusedError,
    TryAgainError,
)
from integrations.kube.paths import Place, place_of

_VERBS = {"GET": "read", "PATCH": "patch", "POST": "create", "DELETE": "delete"}

# A failed `test` of a JSON Patch is a 422 whose message says nothing; a schema error names the object and is permanent.
_TEST_FAILED = "the server rejected our request due to an error in our request"


def error_for(
    method: str, path: str, *, status: int, headers: Mapping[str, str], body: bytes
) -> IntegrationError:
    """Return the error that an answer outside 2xx stands for."""
    place = place_of(path)
    what = _what(method, path)
    message = _message(body)
    said = f" The cluster says: {plain(message)}." if message else ""
    match status:
        case 401:
            return _unauthorized(what)
        case 403 if "admission webhook" in message:
            return _rejected(what, said)
        case 403:
            return _forbidden(f"{_verb(method)} {place or plain(path)}", said)
        case 404:
            return _gone(place, path)
        case 409:
            return _conflict(place, path)
        case 422 if _TEST_FAILED in message:
            return _conflict(place, path)
        case 429:
            return TryAgainError(
                f"The cluster is too busy to {what}; it is asked again later.",
                code="throttled",
                retry_after=_seconds(headers.get("Retry-After", "")),
            )
        case _ if status >= 500:  # the outcome is unknown
            return TryAgainError(f"The cluster failed ({status}) to {what}.{said}")
        case _:
            return _rejected(f"{what} ({status})", said)


def silence(method: str, path: str, error: Exception) -> TryAgainError:
    """Return the error for no answer at all: a time-out, a refused or broken connection. The outcome is unknown."""
    how = "in time" if isinstance(error, TimeoutError) else f"({type(error).__name__})"
    return TryAgainError(f"The cluster did not answer {how} when asked to {_what(method, path)}.")


def _what(method: str, path: str) -> str:
    return f"{_verb(method)} {_named(place_of(path), path)}"


def _verb(method: str) -> str:
    return _VERBS.get(method, method)


def _named(place: Place | None, path: str) -> str:
    return place.named if place else plain(path)


def _unauthorized(what: str) -> RefusedError:
    return RefusedError(
        f"The cluster does not accept the bot's credentials (tried to {what}). "
        "Renew them in the kubeconfig or the service account.",
        code="unauthorized",
    )


def _forbidden(what: str, said: str) -> RefusedError:
    return RefusedError(
        f"The bot may not {what}.{said} Grant that verb to its service account.", code="forbidden"
    )


def _rejected(what: str, said: str) -> RefusedError:
    return RefusedError(
        f"The cluster refused to {what}.{said} Nothing was changed.", code="rejected"
    )


def _gone(place: Place | None, path: str) -> GoneError:
    return GoneError(
        f"There is no {_named(place, path)}. Create it, or correct its name in sluice.yaml.",
        code=place.missing if place else "object_missing",
    )


def _conflict(place: Place | None, path: str) -> ConflictError:
    return ConflictError(f"The object changed since it was read: {_named(place, path)}.")


def _message(body: bytes) -> str:
    try:
        status = json.loads(body)
    except ValueError:
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return message if isinstance(message, str) else ""


def plain(text: str) -> str:
    """Cut and strip foreign text of everything that Slack or a terminal could take for markup."""
    flat = re.sub(r"[^\w .,:;/()\[\]\"'=+-]+", " ", text, flags=re.ASCII)
    return re.sub(r"\s+", " ", flat).strip(" .")[:200]


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,6}", text.strip()) else None
