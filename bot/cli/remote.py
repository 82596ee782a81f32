"""One question to a running bot over REST, and its answer.

No retries: what was sent may have been carried out. Neither proxies nor redirects are followed, because the token goes
where SLUICE_URL says and nowhere else.
"""

import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bot.cli.mistakes import REFUSED, CliError
from bot.settings import ClientSettings, Secret
from bot.settings.scalars import shown

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 5.0, 30.0
"""Seconds. A commit may have to wait for the database, a connection has nothing to wait for."""
_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: Mapping[str, Any]
    """The JSON object, empty when there was none."""
    location: str = ""
    """Where a redirect points."""


def say(settings: ClientSettings, text: str) -> Reply:
    """Send one line of the grammar to the bot. Raises `CliError` when there is no answer."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if settings.api_token is not None:
        headers["Authorization"] = f"Bearer {_sendable(settings.api_token)}"
    url = _parts(settings)
    connection = _connected(url)
    try:
        connection.request(
            "POST", f"{url.path}/api/v1/commands", json.dumps({"text": text}).encode(), headers
        )
        response = connection.getresponse()
        raw = response.read(_LARGEST)
    except ValueError as error:
        raise _bad_url() from error
    except (OSError, HTTPException) as error:
        raise _no_answer(url, error) from error
    finally:
        connection.close()
    return Reply(response.status, _json_object(raw), response.getheader("Location", ""))


def shown_url(settings: ClientSettings) -> str:
    """Return the address of the bot as a message may show it: without a password."""
    return _address(_parts(settings))


def _parts(settings: ClientSettings) -> SplitResult:
    try:
        return urlsplit(settings.url)
    except ValueError as error:
        raise _bad_url() from error


def _sendable(token: Secret) -> str:
    text = token.reveal()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise CliError(
            "SLUICE_API_TOKEN has characters that no token has. Copy it again.",
            code="bad_token",
            key="SLUICE_API_TOKEN",
        )
    return text


def _connected(url: SplitResult) -> HTTPConnection:
    try:
        port, host = url.port, url.hostname or ""
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(host, port, timeout=CONNECT_TIMEOUT)
        connection.connect()
    except OSError as error:
        raise CliError(
            f"There is no bot at {_address(url)}: {_why(error)}. Start one with `sluice serve`, or set SLUICE_URL "
            "to where it runs.",
            code="unreachable",
            exit_code=REFUSED,
        ) from error
    except ValueError as error:
        raise _bad_url() from error
    connection.sock.settimeout(ANSWER_TIMEOUT)
    return connection


def _why(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "nobody listens there"
        case socket.gaierror():
            return "no host has that name"
        case TimeoutError():
            return f"no connection within {CONNECT_TIMEOUT:g} s"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "it does not speak TLS as https needs it"
        case _:
            return (error.strerror or type(error).__name__).lower()


def _no_answer(url: SplitResult, error: Exception) -> CliError:
    slow = f"did not answer within {ANSWER_TIMEOUT:g} s"
    how = slow if isinstance(error, TimeoutError) else "broke the connection off"
    return CliError(
        f"{_address(url)} {how}. It may have been done all the same: look with `sluice status`.",
        code="no_answer",
        exit_code=REFUSED,
    )


def _bad_url() -> CliError:
    return CliError(
        "SLUICE_URL is no web address: write it like http://127.0.0.1:3000.",
        code="bad_url",
        key="SLUICE_URL",
    )


def _address(url: SplitResult) -> str:
    host = url.netloc.rpartition("@")[2]
    return shown(f"{url.scheme}://{host}{url.path}", limit=200)[1:-1]


def _json_object(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
