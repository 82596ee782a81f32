"""The line to one Unleash: a request goes out, and an answer or one of the two families of errors comes back.

The one rule: nothing foreign passes. No redirect is followed, no proxy or netrc is used, no text of the other side gets
into a sentence, and neither size nor time of an answer is the other side's choice.
"""

import asyncio
import json
import re
import ssl
from pathlib import Path
from typing import Any

import aiohttp

from integrations.addresses import ForbiddenAddressError, open_socket
from integrations.base import GoneError, IntegrationError, RefusedError, TryAgainError

_MOST_BYTES = 8 << 20
_OK = range(200, 300)
_RIGHT = re.compile(rb"\b(?:SKIP_CHANGE_REQUEST|[A-Z]+(?:_FEATURE)(?:_[A-Z]+)?)\b")
"""The right that Unleash says is missing."""


class UnleashLine:
    """Asks and tells the admin API; `close` it."""

    def __init__(self, url: str, token_file: str, ca_file: str | None, timeout: float) -> None:
        """`token_file` holds a token of a service account, read anew each time; `timeout` is seconds per request."""
        self._url = url.rstrip("/") + "/api/admin"
        self._token_file = token_file
        self._ca_file = ca_file
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, path: str, what: str) -> Any:
        """Return what a path answers, as JSON; `what` is asked for, as a sentence names it. Raises as `tell`."""
        body = await self._send("GET", path, what, None)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise _not_unleash() from None

    async def tell(self, method: str, path: str, what: str, body: Any = None) -> None:
        """Change something. Raises `GoneError`, `RefusedError`, and `TryAgainError` when the outcome is unknown."""
        await self._send(method, path, what, body)

    async def _send(self, method: str, path: str, what: str, body: Any) -> bytes:
        headers = {"Authorization": self._token(), "Accept": "application/json"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client().request(
                    method, self._url + path, headers=headers, json=body, allow_redirects=False
                ) as response,
            ):
                found = await response.content.read(_MOST_BYTES)
                if response.status in _OK:
                    while len(found) < _MOST_BYTES and not response.content.at_eof():
                        found += await response.content.read(_MOST_BYTES - len(found))
                    return found
                raise _refusal(response.status, found, response.headers.get("Retry-After"), what)
        except TimeoutError:
            raise TryAgainError(
                f"Unleash did not answer about {what} within {self._timeout:g} s."
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _silence(error, what) from None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            trusted = ssl.create_default_context(cafile=self._ca_file)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trusted, socket_factory=open_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "sluice", "Accept-Encoding": "identity"},
                # Else a kilobyte on the wire could be a gigabyte here.
                auto_decompress=False,
            )
        return self._session

    def _token(self) -> str:
        try:
            token = Path(self._token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            token = ""
        if not token or not token.isprintable():
            raise RefusedError(
                "The file with the token for Unleash cannot be used. Correct `traffic.token_file`, or what is in the "
                "file.",
                code="token_unusable",
            )
        return token


def _refusal(status: int, body: bytes, after: str | None, what: str) -> IntegrationError:
    match status:
        case 401:
            return RefusedError(
                f"Unleash does not accept the token that asks for {what}: put a valid one into `traffic.token_file`.",
                code="unauthorized",
            )
        case 403:
            return _forbidden(body, what)
        case 404:
            return GoneError(
                f"Unleash does not know {what}, or it is archived. Correct project and feature under traffic.",
                code="flag_missing",
            )
        case 429:
            seconds = float(after) if after and after.isdecimal() and len(after) < 5 else None
            text = "Unleash takes no more requests for a while (HTTP 429)."
            return TryAgainError(text, code="throttled", retry_after=seconds)
        case _ if status >= 500 or status == 408:
            return TryAgainError(f"Unleash failed on {what} (HTTP {status}).")
        case _ if 300 <= status < 400:
            return _not_unleash()
        case _:
            return RefusedError(
                f"Unleash refuses this about {what} (HTTP {status}). Try the same change in its admin UI; it says why.",
                code="unleash_refused",
            )


def _forbidden(body: bytes, what: str) -> RefusedError:
    found = _RIGHT.search(body)
    right = found[0].decode() if found else ""
    if right == "SKIP_CHANGE_REQUEST":
        return RefusedError(
            f"Changes of {what} need an approved change request in Unleash. Give the token's role the right "
            "SKIP_CHANGE_REQUEST in this environment, or turn change requests off there.",
            code="change_request_needed",
        )
    lacks = f"the right {right}" if right else "a right, or the flag is in another project"
    return RefusedError(
        f"The token for Unleash lacks {lacks} on {what}. Give its role UPDATE_FEATURE_STRATEGY and "
        "UPDATE_FEATURE_ENVIRONMENT in that project and environment.",
        code="forbidden",
    )


def _not_unleash() -> RefusedError:
    return RefusedError(
        "What answers at `traffic.url` is not the admin API of Unleash (a login page, a redirect?). Give the address "
        "that /api/admin is below.",
        code="not_unleash",
    )


def _silence(error: Exception, what: str) -> IntegrationError:
    """Say why there was no answer, without a word of the other side's."""
    match error:
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ForbiddenAddressError):
            return RefusedError(
                "Unleash is not asked: its address is link-local or a cloud's metadata service. Correct `traffic.url`.",
                code="not_unleash",
            )
        case aiohttp.ClientConnectorDNSError():
            why = "its host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            why = "its certificate is not trusted here, or it does not speak TLS"
        case aiohttp.ClientConnectorError():
            why = "it is not reached"
        case _:
            why = "the connection broke"
    return TryAgainError(f"Unleash does not answer about {what}: {why}.")
