"""One connected Kubernetes cluster: raw JSON in, raw JSON out.

Every call has a deadline, no call is repeated (a write without an answer may have been applied: the caller reads
back), and what goes wrong leaves as one of the families of `integrations.base`. Typed models are avoided: they drop
fields that they do not know.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from integrations.base import GoneError, RefusedError, TryAgainError
from integrations.kube.answers import error_for, silence
from integrations.kube.paths import place_of, refuse_another
from integrations.kube.reading import FIELD_MANAGER

"""As whom the cluster records our changes."""
_JSON_PATCH = "application/json-patch+json"
_UNAUTHORIZED = 401
_OK = range(200, 300)
# What the client trips over when a kubeconfig is YAML but not the expected shape.
_MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the credentials come from; both None: the service account of the pod we run in."""

    kubeconfig: str | None
    context: str | None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a whole call, connecting included."""

    read: float = 5.0
    write: float = 10.0


class Cluster:
    """A cluster that the bot talks to. Make one with `connect`, and `close` it."""

    def __init__(self, configuration: Configuration, source: Source, timeouts: Timeouts) -> None:
        """Use `connect` instead: it reads the credentials first."""
        self._configuration = configuration
        self._source = source
        self._timeouts = timeouts
        self._client = ApiClient(configuration)
        self._client.user_agent = FIELD_MANAGER
        self._versions: dict[tuple[str, ...], str] = {}

    @classmethod
    async def connect(
        cls, kubeconfig: str | None, context: str | None, timeouts: Timeouts = Timeouts()
    ) -> Self:
        """Read the credentials (both None: those of the pod we run in); talks to nobody yet.

        Raises `RefusedError` (`kubeconfig_invalid`).
        """
        configuration = Configuration()
        source = Source(kubeconfig, context)
        await _load_credentials(configuration, source)
        return cls(configuration, source, timeouts)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read an object or a list. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        body = await self._call("GET", path, query, within=self._timeouts.read)
        place = place_of(path)
        if place and place.name:
            refuse_another(place, body)
        return body

    async def text(self, path: str, **query: str) -> str:
        """Read what is no object, such as a log. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        within = self._timeouts.read
        return (await self._answer("GET", path, query, within=within)).decode("utf-8", "replace")

    async def patch(
        self, path: str, ops: Sequence[dict[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Apply a JSON Patch and return the object after it.

        Raises `ConflictError` when a precondition in `ops` does not hold, `TryAgainError` when the outcome is unknown.
        """
        return await self._call(
            "PATCH",
            path,
            _written(dry_run=dry_run),
            body=list(ops),
            content_type=_JSON_PATCH,
            within=self._timeouts.write,
        )

    async def create(
        self, path: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object in the list that `path` names and return it.

        Raises `ConflictError` when there is one of that name, `TryAgainError` when the outcome is unknown.
        """
        query = _written(dry_run=dry_run)
        return await self._call("POST", path, query, body=dict(body), within=self._timeouts.write)

    async def delete(self, path: str, *, token: str) -> None:
        """Delete an object if its resourceVersion is still `token`.

        Raises `ConflictError`, `GoneError`, and `TryAgainError` when the outcome is unknown.
        """
        body = {"preconditions": {"resourceVersion": token}}
        await self._call("DELETE", path, {}, body=body, within=self._timeouts.write)

    async def version_of(self, group: str, preferred: Sequence[str]) -> str:
        """Return `group/version` for the first preferred version that the cluster serves; asked once.

        Raises `RefusedError` (`api_missing`) when it serves none of them.
        """
        key = (group, *preferred)
        if key not in self._versions:
            served = await self._served(group)
            version = next((v for v in preferred if v in served), None)
            if version is None:
                raise _not_served(group, preferred)
            self._versions[key] = f"{group}/{version}"
        return self._versions[key]

    async def version_with(self, group: str, plural: str, preferred: Sequence[str]) -> str:
        """Return `group/version` for the first preferred version in which the cluster serves a kind; asked once.

        For groups whose kinds do not all have the same versions. Raises `RefusedError` (`api_missing`).
        """
        key = (group, plural, *preferred)
        if key not in self._versions:
            for version in preferred:
                if plural in await self._kinds(f"{group}/{version}"):
                    self._versions[key] = f"{group}/{version}"
                    break
            else:
                raise _not_served(f"{plural}.{group}", preferred)
        return self._versions[key]

    async def _kinds(self, version: str) -> set[str]:
        try:
            body = await self.get(f"/apis/{version}")
        except GoneError:
            return set()
        return {str(entry.get("name")) for entry in body.get("resources") or []}

    async def _served(self, group: str) -> set[str]:
        try:
            body = await self.get(f"/apis/{group}")
        except GoneError:
            return set()
        return {str(entry.get("version")) for entry in body.get("versions") or []}

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: Any = None,
        content_type: str = "application/json",
        within: float,
    ) -> dict[str, Any]:
        data = await self._answer(
            method, path, query, body=body, content_type=content_type, within=within
        )
        return _as_object(data, path)

    async def _answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: Any = None,
        content_type: str = "application/json",
        within: float,
    ) -> bytes:
        try:
            async with asyncio.timeout(within):
                answer = await self._send(method, path, query, body, content_type)
                # A token that a plugin or a file issued runs out; such a request was not let in, so it may be repeated.
                if answer.status == _UNAUTHORIZED:
                    await _load_credentials(self._configuration, self._source)
                    answer = await self._send(method, path, query, body, content_type)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise silence(method, path, error) from error
        if answer.status not in _OK:
            raise error_for(
                method, path, status=answer.status, headers=answer.headers, body=answer.data
            )
        return bytes(answer.data)

    async def _send(
        self, method: str, path: str, query: dict[str, str], body: Any, content_type: str
    ) -> Any:
        verb, url, headers, body, _ = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            # As kubectl asks: a log is no JSON, but what is refused about it is.
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(verb, url, headers, body)
        await answer.read()  # type: ignore[no-untyped-call]
        return answer


def _written(*, dry_run: bool) -> dict[str, str]:
    """Return the parameters of a write. A dry run says no to unknown fields, which a write would drop in silence."""
    dry = {"dryRun": "All", "fieldValidation": "Strict"} if dry_run else {}
    return {"fieldManager": FIELD_MANAGER} | dry


async def _load_credentials(configuration: Configuration, source: Source) -> None:
    try:
        if source == Source(None, None):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return
        _refuse_absent(source.kubeconfig)
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            source.kubeconfig,
            source.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (config.ConfigException, yaml.YAMLError, OSError, *_MISSHAPEN) as error:
        raise _no_credentials(source) from error


def _refuse_absent(kubeconfig: str | None) -> None:
    # The client merges a list of files and skips absent ones; none at all would end in an error that names nothing.
    files = [Path(part).expanduser() for part in (kubeconfig or "").split(os.pathsep) if part]
    if files and not any(file.is_file() for file in files):
        raise FileNotFoundError(str(files[0]))


def _no_credentials(source: Source) -> RefusedError:
    where = "the service account of this pod (no kubeconfig is configured)"
    if source != Source(None, None):
        context = f", context {source.context}" if source.context else ""
        where = f"kubeconfig {source.kubeconfig or '(default)'}{context}"
    return RefusedError(
        f"No usable credentials for the cluster in {where}. Correct `clusters` in sluice.yaml.",
        code="kubeconfig_invalid",
    )


def _not_served(what: str, preferred: Sequence[str]) -> RefusedError:
    return RefusedError(
        f"The cluster does not serve {what} in a version the bot knows ({', '.join(preferred)}). "
        "Install its CustomResourceDefinitions.",
        code="api_missing",
    )


def _as_object(data: bytes, path: str) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise TryAgainError(
            f"The cluster answered {path.partition('?')[0][:100]} with something that is not an object."
        )
    return body
