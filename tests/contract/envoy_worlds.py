"""A route file for the contract of the Envoy router, and somebody else's hands on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integrations.base import HeaderRule, MangledError, Split
from integrations.routers.envoy import EnvoyRouter

STABLE, CANARY = "auth-stable", "auth-canary"


RULES = (
    HeaderRule("x-canary", equals="true"),
    HeaderRule("x-user-id", regex="ana|ben"),
    HeaderRule("x-beta", present=True),
    HeaderRule("x-old", present=False),
)


def route(stable: int = 100, canary: int = 0, **more: Any) -> dict[str, Any]:
    clusters = [{"name": STABLE, "weight": stable}, {"name": CANARY, "weight": canary}]
    action = {"weighted_clusters": {"clusters": clusters}}
    return {"match": {"prefix": "/"}, "route": action, **more}


def table(*routes: Any, **more: Any) -> dict[str, Any]:
    hosts = [{"name": "auth", "domains": ["*"], "routes": list(routes)}]
    config = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": "front",
        "validate_clusters": True,
        "virtual_hosts": hosts,
    }
    return {"version_info": "mine-7", "resources": [config], **more}


class World:
    """One route file, and somebody else's hands on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rds.yaml"
        self.put(table(route()))

    def put(self, content: Any, **layout: Any) -> None:
        self.path.write_text(json.dumps(content, **layout) + "\n")

    def edit(self, change: Callable[[Any], Any]) -> None:
        content = self.content
        change(content)
        self.put(content)

    @property
    def content(self) -> Any:
        return json.loads(self.path.read_text())

    @property
    def routes(self) -> list[Any]:
        return self.content["resources"][0]["virtual_hosts"][0]["routes"]

    def weights(self, at: int = -1) -> list[int | None]:
        clusters = self.routes[at]["route"]["weighted_clusters"]["clusters"]
        return [entry.get("weight") for entry in clusters]

    def router(self, **options: Any) -> EnvoyRouter:
        return EnvoyRouter(
            **{"file": str(self.path), "stable": STABLE, "canary": CANARY, **options}
        )

    async def write(self, canary: float, fence: str = "1.1", **options: Any) -> None:
        names = options.pop("router", {})
        token = (await self.seen(**names)).token
        await self.router(**names).write(canary, token=token, fence=fence, **options)

    async def seen(self, **options: Any) -> Split:
        """Return what can be seen on the way home."""
        try:
            return await self.router(**options).read()
        except MangledError as mangled:
            return mangled.split


def without_fence(data: bytes) -> Any:
    """Return a file without what may differ after a way there and back."""
    content = json.loads(data)
    for one in content["resources"][0]["virtual_hosts"][0]["routes"]:
        metadata = one.get("metadata", {})
        filters = metadata.get("filter_metadata", {})
        filters.pop("sluice", None)
        if not filters:
            metadata.pop("filter_metadata", None)
        if not metadata:
            one.pop("metadata", None)
    return content
