"""What AWS refuses, in the two families of errors. Pure: one table, for every service.

The texts of AWS are not passed on where they may hold more than a name (an encoded authorization message, a request).
"""

from collections.abc import Mapping
from typing import Any

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
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "InvalidAccessKeyId",
    }
)
_LONGEST = 300


def translated(
    error: Exception, service: str, operation: str, what: str, missing: str
) -> IntegrationError | None:
    """Return what an error of the client means; None for one that is a mistake of our own."""
    if isinstance(error, IntegrationError):
        return error
    try:
        from botocore import exceptions  # noqa: PLC0415 - an extra
        from botocore.parsers import ResponseParserError  # noqa: PLC0415
    except ImportError:  # pragma: no cover - then nothing could have been called
        return None
    match error:
        case exceptions.ClientError():
            return _answered(error.response, f"{service}:{_pascal(operation)}", what, missing)
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return _credentials("credentials_missing", "There are no credentials for AWS")
        case exceptions.CredentialRetrievalError() | exceptions.TokenRetrievalError():
            return TryAgainError(f"The credentials for {what} cannot be fetched now.")
        case exceptions.ProfileNotFound():
            return _credentials(
                "credentials_missing", "The profile of this account is in no credentials file"
            )
        case exceptions.NoRegionError():
            return RefusedError(
                f"Nothing says in which AWS region {what} is: set `region` under accounts, or AWS_REGION.",
                code="region_missing",
            )
        case exceptions.ParamValidationError():
            return RefusedError(
                f"AWS would not take this request about {what}: {str(error)[:_LONGEST]}",
                code="malformed_request",
            )
        case exceptions.BotoCoreError() | ResponseParserError():
            return TryAgainError(f"AWS did not answer about {what} ({type(error).__name__}).")
        case _:
            return None


def _answered(
    response: Mapping[str, Any], action: str, what: str, missing: str
) -> IntegrationError:
    about = response.get("Error") or {}
    code, meta = str(about.get("Code", "")), response.get("ResponseMetadata") or {}
    status = int(meta.get("HTTPStatusCode", 0))
    if code in _CHANGED or status == 412:
        return ConflictError(f"{what} changed since it was read.")
    if code in _THROTTLED or status == 429:
        return TryAgainError(
            f"AWS takes no more calls about {what} for the moment ({code}).",
            code="throttled",
            retry_after=_seconds(meta.get("HTTPHeaders") or {}),
        )
    if code in _BUSY:
        return TryAgainError(f"AWS is still busy with an earlier change of {what}.", code="busy")
    if code in _EXPIRED:
        return _credentials("credentials_expired", "The credentials for AWS have expired")
    if code in _UNKNOWN:
        return _credentials("credentials_refused", "AWS does not know these credentials")
    if code in _FORBIDDEN or status == 403:
        return RefusedError(
            f"These credentials may not do {action} on {what}: allow it in their policy.",
            code="forbidden",
        )
    if status == 404 or "NotFound" in code or code.startswith("NoSuch"):
        return GoneError(f"{what} is not there.", code=missing)
    if status >= 500:
        return TryAgainError(f"AWS answered HTTP {status} about {what}.")
    text = " ".join(str(about.get("Message", "")).split())[:_LONGEST]
    return RefusedError(f"AWS refuses {action} on {what}: {text or code}", code="refused_by_aws")


def _credentials(code: str, sentence: str) -> RefusedError:
    return RefusedError(
        f"{sentence}: give the bot others (environment, file, role of the machine); it goes on by itself.",
        code=code,
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = str(headers.get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else None


def _pascal(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
