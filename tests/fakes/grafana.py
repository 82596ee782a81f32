"""Grafana's annotations: found by all of the tags that are asked for, drawn with an id, changed in part."""

from typing import Any

from aiohttp import web

from tests.fakes.receiver import FakeReceiver

TOKEN = "glsa_not-a-real-token_00000000"


class FakeGrafana(FakeReceiver):
    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.annotations: list[dict[str, Any]] = []
        self.odd: bytes | None = None
        """What a search is answered with instead of what was found."""
        self._token = token

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/s3cret-path/api/annotations", self._find)
        router.add_post("/s3cret-path/api/annotations", self._draw)
        router.add_patch("/s3cret-path/api/annotations/{id}", self._change)

    @property
    def changes(self) -> list[Any]:
        return list(self.annotations)

    async def _find(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        if self.odd is not None:
            return web.Response(body=self.odd)
        wanted = set(request.query.getall("tags", []))
        limit = int(request.query.get("limit", "100"))
        found = [one for one in self.annotations if wanted <= set(one["tags"])]
        return web.json_response(found[:limit])

    async def _draw(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        body = await request.json()
        if not body.get("text"):
            return web.json_response({"message": "text field should not be empty"}, status=400)
        one = {"id": len(self.annotations) + 1, "timeEnd": body["time"], **body}
        self.annotations.append(one)
        return web.json_response({"message": "Annotation added", "id": one["id"]})

    async def _change(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        for one in self.annotations:
            if str(one["id"]) == request.match_info["id"]:
                one.update(await request.json())
                return web.json_response({"message": "Annotation patched"})
        return web.json_response({"message": "Could not find annotation"}, status=404)

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {self._token}":
            return None
        return web.json_response({"message": "Invalid API key"}, status=401)
