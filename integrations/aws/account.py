"""Calls to AWS in threads of their own, because its client is a synchronous one.

Each call is sent once: what is tried again is decided by who asked, after reading back. A client that repeats a write
by itself would take its own first attempt for somebody else's.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from threading import Lock
from typing import Any

from integrations.aws.answers import translated
from integrations.aws.signing import no_credentials
from integrations.base import RefusedError

_THREADS = 8


class AwsAccount:
    """One account in one region. Its clients are made when they are first used, and kept."""

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        role: str | None = None,
        endpoint: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Without a region, a profile and a role AWS's own defaults count; `timeout` is in seconds."""
        self._region = region
        self._profile = profile
        self._role = role
        self._endpoint = endpoint
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aws")
        self._making = Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    async def call(
        self, service: str, operation: str, *, what: str, missing: str = "gone", **arguments: Any
    ) -> Mapping[str, Any]:
        """Return the answer of one operation, such as `lambda`, `get_alias`.

        `what` names the object for the sentence of an error, `missing` is the code when it is not there. Raises
        `ConflictError`, `TryAgainError`, `GoneError`, `RefusedError`.
        """
        work = partial(self._call, service, operation, arguments)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except Exception as error:
            known = translated(error, service, operation, what, missing)
            if known is None:
                raise
            if known.code.startswith("credentials_"):
                self._look_for_credentials_again()
            raise known from None

    async def close(self) -> None:
        """Let go of the threads and connections; a call that is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def _call(
        self, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = getattr(self._client(service), operation)(**arguments)
        # A stream (what a function returned) blocks while it is read, and holds its connection until then.
        return {key: one.read() if hasattr(one, "read") else one for key, one in answer.items()}

    def _client(self, service: str) -> Any:
        # Making a client is not safe in several threads at once; using one is.
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _look_for_credentials_again(self) -> None:
        # A client keeps what it found when it was made, or that there was nothing.
        with self._making:
            old, self._session, self._clients = self._clients, None, {}
        for client in old.values():
            client.close()

    def _made(self, service: str) -> Any:
        try:
            import boto3  # noqa: PLC0415 - an extra
        except ImportError:
            raise RefusedError(
                "The client of AWS is not installed: install sluice[aws].",
                code="client_not_installed",
            ) from None
        if self._session is None:
            plain = boto3.Session(
                botocore_session=_session(), region_name=self._region, profile_name=self._profile
            )
            self._session = self._as_role(boto3, plain) if self._role else plain
        return self._session.client(
            service,
            endpoint_url=self._endpoint,
            config=self._patience(),
        )

    def _patience(self) -> Any:
        """Return how long is waited for an answer, and that a call is sent once."""
        from botocore.config import Config  # noqa: PLC0415 - an extra

        return Config(
            connect_timeout=min(2.0, self._timeout),
            read_timeout=self._timeout,
            max_pool_connections=_THREADS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )

    def _as_role(self, boto3: Any, plain: Any) -> Any:
        """Return a session that takes on the role, and takes it on again when it runs out. Raises `RefusedError`."""
        from botocore.credentials import (  # noqa: PLC0415
            AssumeRoleCredentialFetcher,
            DeferredRefreshableCredentials,
        )

        source = plain.get_credentials()
        if source is None:
            raise no_credentials()
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(self._sts, plain),
            source_credentials=source,
            role_arn=self._role,
            extra_args={"RoleSessionName": "sluice"},
        )
        made = _session()
        made._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - how boto3's own docs do it
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        return boto3.Session(botocore_session=made, region_name=plain.region_name)

    def _sts(self, plain: Any, service: str, **given: Any) -> Any:
        return plain._session.create_client(  # noqa: SLF001
            service, endpoint_url=self._endpoint, config=self._patience(), **given
        )


def _session() -> Any:
    """Return a session that reads the descriptions of the services once for all accounts: 30 MB and 50 ms each."""
    from botocore.session import get_session  # noqa: PLC0415 - an extra

    made = get_session()
    made.register_component("data_loader", _loader(made.get_config_variable("data_path")))
    return made


@lru_cache(maxsize=4)
def _loader(path: str | None) -> Any:
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader(path)
