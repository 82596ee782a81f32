"""What Google refuses, in the two families of errors. Pure: one table, for every method.

Where Google names the permission that is missing, that one is passed on: it may be another than that of the method.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from integrations.base import (
    ConflictError,
    GoneError,
    IntegrationError,
    RefusedError,
    TryAgainError,
)

_PERMISSION = re.compile(r"[Pp]ermission '([A-Za-z.]{3,80})'")
_LONGEST = 300


class Answer(dict[str, Any]):
    """An answer, and the paths of what the installed client does not know of it."""

    def __init__(self, told: Mapping[str, Any], unknown: Iterable[str] = ()) -> None:
        super().__init__(told)
        self.unknown = tuple(unknown)


def unknown_in(raw: Any, told: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of what came and is not told; what says nothing (`false`, `0`, `""`) may be left out."""
    if isinstance(raw, Mapping) and isinstance(told, Mapping):
        for key, value in raw.items():
            there = f"{path}.{key}" if path else str(key)
            if key in told:
                yield from unknown_in(value, told[key], there)
            elif not _says_nothing(value):
                yield there
    elif isinstance(raw, list) and isinstance(told, list):
        for one, known in zip(raw, told, strict=False):
            yield from unknown_in(one, known, path)


def _says_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_says_nothing(one) for one in value.values())
    return not value


def translated(
    error: Exception, what: str, permission: str = "", missing: str = "gone"
) -> IntegrationError | None:
    """Return what an error of the client means; None for one that is a mistake of our own."""
    if isinstance(error, IntegrationError):
        return error
    from google.api_core import exceptions as answers  # noqa: PLC0415 - an extra; without it nothing is called
    from google.auth import exceptions as auth  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    match error:
        case answers.GoogleAPICallError():
            return _answered(error, what, permission, missing)
        case auth.InvalidOperation():
            return _credentials("credentials_refused", "Google Cloud wants credentials")
        case auth.DefaultCredentialsError() | auth.MalformedError():
            return _credentials("credentials_missing", "There are no credentials for Google Cloud")
        case auth.RefreshError() if not error.retryable:
            return _refresh(str(error))
        case auth.GoogleAuthError():
            return TryAgainError(f"The credentials for {what} cannot be fetched now.")
        case answers.GoogleAPIError() | RequestException():
            return TryAgainError(f"Google Cloud did not answer about {what}.")
        case _:
            return None


def refused(message: str, what: str) -> RefusedError:
    """Return the refusal of something about `what`, with Google's own sentence."""
    text = " ".join(message.split())[:_LONGEST]
    end = "" if text.endswith((".", "!", "?")) else "."
    return RefusedError(f"Google Cloud refuses it on {what}: {text}{end}", code="refused_by_google")


def _answered(error: Any, what: str, permission: str, missing: str) -> IntegrationError:
    code, (status, message) = int(error.code or 0), _told(error)
    match code:
        case 409 if status != "ALREADY_EXISTS":
            return ConflictError(f"{what} changed since it was read.")
        case 412:
            return ConflictError(f"{what} changed since it was read.")
        case 400 if status == "FAILED_PRECONDITION" and "etag" in message.lower():
            return ConflictError(f"{what} changed since it was read.")
        case 429:
            return TryAgainError(
                f"Google Cloud takes no more calls about {what} for the moment.",
                code="throttled",
                retry_after=_seconds(error),
            )
        case 401 if "EXPIRED" in str(error.reason):
            return _credentials("credentials_expired", "The credentials for Google have expired")
        case 401:
            return _credentials("credentials_refused", "Google does not know these credentials")
        case 403:
            told = _PERMISSION.search(message)
            return RefusedError(
                f"These credentials may not do {told[1] if told else permission} on {what}: give them a role that may.",
                code="forbidden",
            )
        case 404:
            return GoneError(f"{what} is not there.", code=missing)
        case _ if code >= 500 or code == 408:
            return TryAgainError(f"Google Cloud answered HTTP {code} about {what}.")
        case _:
            return refused(message or status or f"HTTP {code}", what)


def _refresh(text: str) -> RefusedError:
    """Tell apart what has run out from what never was good."""
    if any(word in text.lower() for word in ("expired", "reauth")):
        return _credentials("credentials_expired", "The credentials for Google have expired")
    return _credentials("credentials_refused", "Google does not know these credentials")


def _credentials(code: str, sentence: str) -> RefusedError:
    return RefusedError(
        f"{sentence}: give the bot others (environment, file, identity of the machine); it goes on by itself.",
        code=code,
    )


def _told(error: Any) -> tuple[str, str]:
    """Return Google's own name of an error (`ABORTED`) and its sentence; the client puts the address before that."""
    try:
        body = error.response.json()["error"]
        return str(body["status"]), str(body["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return "", ""


def _seconds(error: Any) -> float | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    return float(text) if text.isascii() and text.isdigit() else None
