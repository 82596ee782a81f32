"""Why a call could not be signed, or is not taken as it was signed. Pure.

A call may fail before it is sent, while credentials are fetched: then the sentence is about them, not about the object.
"""

from integrations.base import IntegrationError, RefusedError, TryAgainError

_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_UNKNOWN = frozenset(
    {
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "InvalidAccessKeyId",
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})
_OTHERS = "give the bot others (environment, file, role of the machine)"
_LONGEST = 300


def unsigned(error: Exception, about: str) -> IntegrationError | None:
    """Return what was missing to sign a call, from an error of the client; None where it was not that."""
    from botocore import exceptions  # noqa: PLC0415 - an extra

    match error:
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return no_credentials()
        case exceptions.SSOError():
            return _credentials(
                "credentials_expired",
                "The log-in of AWS (SSO) that the profile of this account uses is missing or over",
                "log in again",
            )
        case exceptions.CredentialRetrievalError() | exceptions.TokenRetrievalError():
            return TryAgainError(f"The credentials for {about} cannot be fetched now.")
        case exceptions.ProfileNotFound():
            return _credentials(
                "credentials_missing", "The profile of this account is in no credentials file"
            )
        case _:
            return _unreadable(error)


def _unreadable(error: Exception) -> IntegrationError | None:
    """Return which file the credentials were to come from, and did not."""
    from botocore import exceptions  # noqa: PLC0415

    match error:
        case (
            exceptions.ConfigParseError()
            | exceptions.ConfigNotFound()
            | exceptions.InvalidConfigError()
            | exceptions.UnknownCredentialError()
        ):
            return _credentials(
                "credentials_refused",
                "The configuration files of AWS cannot be read, or name what is not in them",
                "correct them",
            )
        case OSError() if not isinstance(error, exceptions.BotoCoreError):
            # The client wraps errors of its connections (some of which are both): this is a file that a setting names.
            return _credentials(
                "credentials_missing",
                f"A file that AWS's settings name cannot be read ({str(error.filename or error)[:_LONGEST]})",
                "put it there",
            )
        case _:
            return None


def not_taken(code: str) -> RefusedError | None:
    """Return what is wrong with how a call was signed, by the code of AWS's answer; None where it is not that."""
    if code in _EXPIRED:
        return _credentials("credentials_expired", "The credentials for AWS have expired")
    if code in _CLOCK:
        return RefusedError(
            "The clock of the bot's machine is minutes away from that of AWS, which therefore takes none of its calls: "
            "correct the clock.",
            code="clock_skewed",
        )
    if code in _UNKNOWN:
        return _credentials(
            "credentials_refused",
            "AWS does not know these credentials, or their secret key is another one",
        )
    return None


def not_given(code: str, status: int, asked: str) -> IntegrationError:
    """Return why no credentials came of a call that is made for them, such as `AssumeRole`."""
    known = not_taken(code)
    if known is not None:
        return known
    if code.startswith("Throttl") or status in {408, 429} or status >= 500:
        return TryAgainError("AWS does not give out credentials for the moment.")
    if code not in _FORBIDDEN and status != 403:
        return _credentials("credentials_refused", f"AWS gives out no credentials ({asked})")
    if not asked.startswith("AssumeRole"):
        return RefusedError(
            f"AWS does not let the bot do {asked}, which its credentials come from: allow it.",
            code="forbidden",
        )
    return RefusedError(
        f"AWS does not let the bot do sts:{asked} on the role of this account: allow it in the policy of the bot's own "
        "credentials, and in the trust policy of the role.",
        code="forbidden",
    )


def no_credentials() -> RefusedError:
    """Return the refusal of a call that nobody could sign."""
    return _credentials("credentials_missing", "There are no credentials for AWS")


def _credentials(code: str, sentence: str, advice: str = _OTHERS) -> RefusedError:
    return RefusedError(f"{sentence}: {advice}; it goes on by itself.", code=code)
