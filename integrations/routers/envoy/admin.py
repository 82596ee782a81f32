"""What a running Envoy says about itself on its admin address: the routes that it serves, and its clusters.

Read-only. Everything that does not answer as Envoy does is one `TryAgainError`.
"""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from integrations.base import TryAgainError

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_MOST_BYTES = 64 << 20


class Admin:
    """The admin address of one proxy."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def routes(self, config: str | None = None) -> Mapping[str, Any]:
        """Return the routes of this name that it serves now (None: of all), in the shape of a route file."""
        found = await self._json("/config_dump?resource=dynamic_route_configs")
        configs = found.get("configs") if isinstance(found, dict) else None
        tables = [one.get("route_config") for one in configs or [] if isinstance(one, dict)]
        return {
            "resources": [
                table
                for table in tables
                if isinstance(table, dict) and config in {None, table.get("name")}
            ]
        }

    async def hosts(self) -> Mapping[str, int]:
        """Return how many hosts it would send requests to, by the name of the cluster."""
        found = await self._json("/clusters?format=json")
        clusters = found.get("cluster_statuses") if isinstance(found, dict) else None
        return {
            str(one.get("name")): sum(_serves(host) for host in one.get("host_statuses") or [])
            for one in clusters or []
            if isinstance(one, dict)
        }

    async def _json(self, path: str) -> Any:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(self._url + path, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise _silent(f"answered HTTP {response.status}")
                return json.loads(await _all_of(response))
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise _silent("cannot be reached") from None
        except ValueError:
            raise _silent("answered something else than JSON") from None


async def _all_of(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole answer. Raises `ValueError` for one without end."""
    data = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ValueError("too long")
    return bytes(data)


def _serves(host: Any) -> bool:
    """Say whether no reason is given to leave a host out."""
    status = host.get("health_status") if isinstance(host, dict) else None
    if not isinstance(status, dict):
        return False
    failed = any(value is True for key, value in status.items() if key.startswith("failed_"))
    return not failed and status.get("eds_health_status", "HEALTHY") in {"HEALTHY", "UNKNOWN"}


def _silent(what: str) -> TryAgainError:
    return TryAgainError(
        f"The admin address of Envoy {what}, so nothing tells which routes it serves. "
        "Check `traffic.admin`, and that the proxy runs.",
        code="envoy_silent",
    )
