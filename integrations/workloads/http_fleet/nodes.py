"""The line to the nodes: asked for version and health, told to take a version; one sentence says what went wrong.

Bounded in every way: so many at once, so long for each, so much of each answer.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from integrations.addresses import ForbiddenAddressError, open_socket
from integrations.base import RefusedError

FENCE = "Sluice-Fence"
"""The header with which an update says what it is later than."""
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", re.ASCII)

_MOST_BYTES = 65_536
_PLACEHOLDER = re.compile(r"\{(instance|service|version)\}")
_OK = range(200, 300)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """One instance."""

    name: str
    url: str
    """Where its paths begin, without a slash at the end."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one node said about itself."""

    name: str
    version: str = ""
    """`""` when it did not say."""
    healthy: bool = False
    fence: str = ""
    """What it was last told with, where it keeps that."""
    why: str = ""
    """Why it did not say its version, or is not healthy: the second half of a sentence."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What the nodes are asked and told."""

    service: str
    version: Mapping[str, Any]
    """`path`, and `json`: where in the answer the version is; without it the answer is the version."""
    health: Mapping[str, Any]
    """`path`."""
    update: Mapping[str, Any]
    """`method`, `path`, `body`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for all that one node is asked in one look, or told in one write, and how many nodes at once."""

    timeout: float
    at_once: int


class _FailedError(Exception):
    """A node did not do what it was asked. `str()` is the second half of a sentence."""


class Nodes:
    """All nodes of one fleet; `close` the line."""

    def __init__(
        self, ways: Ways, limits: Limits, token_file: str | None, ca_file: str | None
    ) -> None:
        """`token_file` holds a bearer token, and is read anew each time: such tokens are replaced every hour."""
        self._ways = ways
        self._limits = limits
        self._token_file = token_file
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, nodes: Iterable[Node]) -> list[Answers]:
        """Return what each node says about itself. Never raises for a node. Raises `RefusedError`."""
        token = self._token()
        return await self._for_each(nodes, lambda node: self._ask(node, token))

    async def tell(self, nodes: Iterable[Node], version: str, fence: str) -> dict[str, str]:
        """Tell nodes to run a version; return why not, by the names of those that did not take it."""
        token = self._token()
        told = list(nodes)
        failures = await self._for_each(told, lambda node: self._tell(node, version, fence, token))
        return {node.name: why for node, why in zip(told, failures, strict=True) if why}

    async def _for_each(self, nodes: Iterable[Node], do: Callable[[Node], Awaitable[T]]) -> list[T]:
        room = asyncio.Semaphore(self._limits.at_once)

        async def one(node: Node) -> T:
            async with room:
                return await do(node)

        return await asyncio.gather(*(one(node) for node in nodes))

    async def _ask(self, node: Node, token: str) -> Answers:
        ways, version, fence = self._ways, "", ""
        try:
            async with asyncio.timeout(self._limits.timeout):
                path = self._path(node, ways.version["path"])
                body, fence = await self._send("GET", node.url + path, token)
                version = _version_in(body, ways.version.get("json"))
                await self._send("GET", node.url + self._path(node, ways.health["path"]), token)
        except (_FailedError, TimeoutError) as error:
            why = str(error) or f"not answered within {self._limits.timeout:g} s"
            return Answers(node.name, version, fence=fence, why=why)
        return Answers(node.name, version, healthy=True, fence=fence)

    async def _tell(self, node: Node, version: str, fence: str, token: str) -> str:
        update = self._ways.update
        words = {**self._words(node), "version": version}
        try:
            async with asyncio.timeout(self._limits.timeout):
                await self._send(
                    update["method"],
                    node.url + self._path(node, update["path"], version),
                    token,
                    fence=fence,
                    body=_filled(update.get("body"), words),
                )
        except (_FailedError, TimeoutError) as error:
            return str(error) or f"not answered within {self._limits.timeout:g} s"
        return ""

    async def _send(
        self, method: str, url: str, token: str, *, fence: str = "", body: Any = None
    ) -> tuple[bytes, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {FENCE: fence} if fence else {}
        data = None
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
            headers, data = headers | {"Content-Type": kind}, text.encode()
        try:
            async with self._client().request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                if response.status not in _OK:
                    raise _FailedError(_refusal(response.status))
                found = await response.content.read(_MOST_BYTES)
                return found, response.headers.get(FENCE, "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _FailedError(_silence(error)) from None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            trusted = ssl.create_default_context(cafile=self._ca_file)
            connector = aiohttp.TCPConnector(limit=0, ssl=trusted, socket_factory=open_socket)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "sluice", "Accept-Encoding": "identity"},
                # Else a kilobyte on the wire could be a gigabyte here.
                auto_decompress=False,
            )
        return self._session

    def _path(self, node: Node, template: str, version: str = "") -> str:
        """Return a path with its words filled in; none of them can reach another path."""
        words = {**self._words(node), "version": version}
        return _PLACEHOLDER.sub(lambda found: quote(words[found[1]], safe=""), template)

    def _words(self, node: Node) -> dict[str, str]:
        return {"instance": node.name, "service": self._ways.service}

    def _token(self) -> str:
        if self._token_file is None:
            return ""
        try:
            token = Path(self._token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            token = ""
        if not token or not token.isprintable():
            raise RefusedError(
                "The file with the bearer token for the instances cannot be used. "
                "Correct `workload.bearer_token_file`, or what is in the file.",
                code="token_unusable",
            )
        return token


def _filled(body: Any, words: Mapping[str, str]) -> Any:
    match body:
        case str():
            return _PLACEHOLDER.sub(lambda found: words[found[1]], body)
        case Mapping():
            return {key: _filled(value, words) for key, value in body.items()}
        case list() | tuple():
            return [_filled(value, words) for value in body]
        case _:
            return body


def _version_in(body: bytes, at: str | None) -> str:
    """Return the version in an answer. Raises `_FailedError`."""
    try:
        found: Any = body.decode() if at is None else json.loads(body)
        for key in at.split(".") if at else ():
            found = found[key]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _FailedError("answered without its version") from None
    text = found.strip() if isinstance(found, str) else found
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or not VERSION.fullmatch(text):
        raise _FailedError("answered without its version")
    return text


def _refusal(status: int) -> str:
    hint = ", and redirects are not followed" if 300 <= status < 400 else ""
    return f"answered {status}{hint}"


def _silence(error: Exception) -> str:
    """Say why there was no answer, without a word of the other side's."""
    match error:
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ForbiddenAddressError):
            return "not asked: its address is link-local or a cloud's metadata service"
        case aiohttp.ClientConnectorDNSError():
            return "not reached: its host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "not reached: its certificate is not trusted here, or it does not speak TLS"
        case aiohttp.ClientConnectorError():
            return "not reached (refused, or no way there)"
        case _:
            return "not answered to the end: the connection broke off, or it was no HTTP"
