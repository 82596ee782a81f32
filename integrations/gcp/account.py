"""Calls to Google Cloud in threads of their own, by its synchronous client over REST.

Each call is sent once: what is tried again is decided by who asked, after reading back. A long-running operation is
not waited for: the object itself tells how far it is.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock, local
from typing import Any

from integrations.base import RefusedError, TryAgainError
from integrations.gcp.answers import Answer, refused, translated, unknown_in

_THREADS = 8
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class GcpAccount:
    """One project in one location. Credentials and clients are made when they are first used, and kept."""

    def __init__(
        self,
        *,
        project: str,
        location: str,
        credentials_file: str | None = None,
        endpoint: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Without a file the machine's own credentials count, but none at an `endpoint`; `timeout` is in seconds."""
        self.place = f"projects/{project}/locations/{location}"
        self._file = credentials_file
        self._endpoint = endpoint
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gcp")
        self._making = Lock()
        self._raw = local()
        self._credentials: Any = None
        self._clients: dict[str, Any] = {}

    async def call(
        self,
        service: str,
        method: str,
        request: Mapping[str, Any],
        *,
        what: str,
        permission: str,
        missing: str = "gone",
    ) -> Mapping[str, Any]:
        """Return the answer of one method of Cloud Run, such as `services`, `get_service`; of an operation its name.

        `what` names the object for the sentence of an error, `permission` what the method needs, `missing` is the code
        when the object is not there. Raises `ConflictError`, `TryAgainError`, `GoneError`, `RefusedError`.
        """
        work = partial(self._call, service, method, request, what)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except Exception as error:
            known = translated(error, what, permission, missing)
            if known is None:
                raise
            raise known from None

    def token(self) -> str:
        """Return a bearer token that is good now, `""` for none. Blocks: for a thread. Raises as `call`."""
        try:
            from google.auth.transport.requests import Request  # noqa: PLC0415 - an extra

            with self._making:
                credentials = self._allowed()
                if not credentials.valid:
                    credentials.refresh(Request())
                return credentials.token or ""
        except ImportError:
            raise _not_installed() from None
        except Exception as error:
            known = translated(error, "a token")
            if known is None:
                raise
            raise known from None

    async def close(self) -> None:
        """Let go of the threads and connections; a call that is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.transport.close()

    def _call(
        self, service: str, method: str, request: Mapping[str, Any], what: str
    ) -> Mapping[str, Any]:
        try:
            from google.cloud import run_v2  # noqa: PLC0415 - an extra
            from google.protobuf import json_format  # noqa: PLC0415
        except ImportError:
            raise _not_installed() from None
        kind = getattr(run_v2, f"{''.join(map(str.capitalize, method.split('_')))}Request")
        asked = kind()
        self._raw.body = None
        json_format.ParseDict(request, kind.pb(asked))
        try:
            answer = getattr(self._client(service), method)(
                request=asked, retry=None, timeout=self._timeout
            )
        except json_format.ParseError:
            raise TryAgainError(
                f"What came back about {what} is not an answer of Google Cloud: check what stands between."
            ) from None
        operation = getattr(answer, "operation", None)
        if operation is None:
            told = json_format.MessageToDict(type(answer).pb(answer))
            return Answer(told, unknown_in(self._raw.body, told))
        if operation.HasField("error"):
            raise refused(operation.error.message, what)
        return {"operation": operation.name}

    def _client(self, service: str) -> Any:
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        from google.cloud import run_v2  # noqa: PLC0415
        from google.cloud.run_v2.services.revisions.transports.rest import (  # noqa: PLC0415
            RevisionsRestTransport,
        )
        from google.cloud.run_v2.services.services.transports.rest import (  # noqa: PLC0415
            ServicesRestTransport,
        )

        client, transport = {
            "services": (run_v2.ServicesClient, ServicesRestTransport),
            "revisions": (run_v2.RevisionsClient, RevisionsRestTransport),
        }[service]
        # A host may bear its scheme; loopback has no TLS.
        where = {"host": self._endpoint.rstrip("/")} if self._endpoint else {}
        made = transport(credentials=self._allowed(), **where)
        # What the client does not know of an answer it drops without a word.
        made._session.hooks["response"].append(self._keep)  # noqa: SLF001
        return client(transport=made)

    def _keep(self, response: Any, **_: Any) -> None:
        """Keep an answer as it came, for the thread that asked."""
        try:
            self._raw.body = response.json()
        except ValueError:
            self._raw.body = None

    def _allowed(self) -> Any:
        """Return the credentials, fetched the first time. The lock is held."""
        if self._credentials is None:
            self._credentials = self._fetched()
        return self._credentials

    def _fetched(self) -> Any:
        import google.auth  # noqa: PLC0415
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.oauth2.service_account import Credentials  # noqa: PLC0415

        if self._file:
            try:
                return Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
                    self._file, scopes=_SCOPES
                )
            except (OSError, ValueError):
                raise RefusedError(
                    "The credentials_file of this account cannot be used: it must hold the key of a service account.",
                    code="credentials_missing",
                ) from None
        if self._endpoint:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        return google.auth.default(scopes=_SCOPES)[0]


def _not_installed() -> RefusedError:
    return RefusedError(
        "The client of Google Cloud is not installed: install sluice[gcp].",
        code="client_not_installed",
    )
