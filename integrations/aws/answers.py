"""What AWS refuses, in the two families of errors. Pure: one table, for every service.

The texts of AWS are not passed on where they may hold more than a name (an encoded authorization message, a request).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from integrations.aws.signing import not_given, not_taken, unsigned
from integrations.base import (
    ConflictError,
    GoneError,
    IntegrationError,
    RefusedError,
    TryAgainError,
)

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "LimitExceededException",
    }
)
_CHANGED = frozenset({"PreconditionFailedException", "PreconditionFailed"})
_BUSY = frozenset({"ResourceConflictException", "ResourceInUse", "OperationInProgress"})
_FORBIDDEN = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)
_POLICIES = {"elbv2": "elasticloadbalancing"}
"""What the policies of IAM call a service, where that is not what its client is called."""
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
_STUMBLES = (AttributeError, LookupError, TypeError, ValueError)
_LONGEST = 300


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Take an answer apart: one that lacks what it should have is no answer. Raises `TryAgainError` (`odd_answer`)."""
    try:
        yield
    except _STUMBLES as error:
        raise _odd(what) from error


def translated(
    error: Exception, service: str, operation: str, what: str, missing: str
) -> IntegrationError | None:
    """Return what an error of the client means; None for one that is a mistake of our own."""
    if isinstance(error, IntegrationError):
        return error
    from botocore.exceptions import ClientError  # noqa: PLC0415 - an extra; without it nothing is called

    if not isinstance(error, ClientError):
        return unsigned(error, _within(what)) or _unanswered(error, what)
    code, status = _code(error.response), _status(error.response)
    if error.operation_name.casefold() != operation.replace("_", "").casefold():
        return not_given(code, status, error.operation_name)
    action = f"{_POLICIES.get(service, service)}:{error.operation_name}"
    return not_taken(code) or _answered(error.response, _ACTIONS.get(action, action), what, missing)


def _unanswered(error: Exception, what: str) -> IntegrationError | None:
    """Return why there is no answer of AWS at all."""
    from botocore import exceptions  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    about = _within(what)
    match error:
        case exceptions.InvalidRegionError():
            return RefusedError(
                f"The AWS region set for {about} cannot be one: correct `region` under accounts, or AWS_REGION.",
                code="region_missing",
            )
        case exceptions.NoRegionError():
            return RefusedError(
                f"Nothing says in which AWS region {about} is: set `region` under accounts, or AWS_REGION.",
                code="region_missing",
            )
        case exceptions.ParamValidationError():
            return RefusedError(
                f"AWS would not take this request about {about}: {str(error)[:_LONGEST]}",
                code="malformed_request",
            )
        case exceptions.BotoCoreError() | ResponseParserError():
            return TryAgainError(f"AWS did not answer about {about}.")
        case _:
            # The client takes an answer that is no object for one, and stumbles.
            return _odd(what) if isinstance(error, _STUMBLES) else None


def _answered(
    response: Mapping[str, Any], action: str, what: str, missing: str
) -> IntegrationError:
    code, status, about = _code(response), _status(response), _within(what)
    if code in _CHANGED or status == 412:
        return ConflictError(f"{what} changed since it was read.")
    if code in _THROTTLED or status == 429:
        meta = response.get("ResponseMetadata") or {}
        return TryAgainError(
            f"AWS takes no more calls about {about} for the moment ({code}).",
            code="throttled",
            retry_after=_seconds(meta.get("HTTPHeaders") or {}),
        )
    if code in _BUSY:
        return TryAgainError(f"AWS is still busy with an earlier change of {about}.", code="busy")
    if code in _FORBIDDEN or status == 403:
        return RefusedError(
            f"These credentials may not do {action} on {about}: allow it in their policy.",
            code="forbidden",
        )
    if status == 404 or "NotFound" in code or code.startswith("NoSuch"):
        return GoneError(f"{what} is not there.", code=missing)
    if status >= 500 or status == 408:
        return TryAgainError(f"AWS answered HTTP {status} about {about}.")
    message = str((response.get("Error") or {}).get("Message", ""))
    text = " ".join(message.split())[:_LONGEST]
    return RefusedError(f"AWS refuses {action} on {about}: {text or code}", code="refused_by_aws")


def _odd(what: str) -> TryAgainError:
    return TryAgainError(
        f"AWS answered with something else than {_within(what)}: check the endpoint of its account.",
        code="odd_answer",
    )


def _within(what: str) -> str:
    """Return the name of an object as it stands inside a sentence."""
    return what[:1].lower() + what[1:] if what[1:2].islower() else what


def _code(response: Mapping[str, Any]) -> str:
    return str((response.get("Error") or {}).get("Code", ""))


def _status(response: Mapping[str, Any]) -> int:
    return int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode", 0))


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = str(headers.get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else None
