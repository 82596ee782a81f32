"""A Prometheus that misbehaves: set `fault`, and every query is answered accordingly.

Without a fault it answers what `vector` or `result` says. `elsewhere` counts who followed the redirect, and `tokens`
keeps the Authorization headers that came.
"""

import asyncio
import json
import ssl
from pathlib import Path

from aiohttp import web

from integrations.metrics.joining import named, parts

STATUS = {
    "400": 400,
    "401": 401,
    "403": 403,
    "404": 404,
    "422": 422,
    "429": 429,
    "500": 500,
    "503": 503,
}


class FakePrometheus:
    def __init__(self) -> None:
        self.fault = ""
        self.result: object = []
        self.warnings: list[str] = []
        self.queries: list[str] = []
        self.tokens: list[str | None] = []
        self.elsewhere = 0
        self.fault_only_for = ""
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def vector(self, *rows: tuple[dict, str]) -> None:
        self.result = [{"metric": labels, "value": [1.0, value]} for labels, value in rows]

    async def start(self, tls: Path | None = None) -> str:
        """Listen; with `tls` (a file with key and certificate) over HTTPS."""
        app = web.Application()
        app.router.add_route("GET", "/api/v1/query", self._query)
        app.router.add_route("POST", "/api/v1/query", self._query)
        app.router.add_get("/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        return f"http{'s' if tls else ''}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._let_go.set()
        if self._runner:
            await self._runner.cleanup()

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return self._good()

    def _good(self, query: str = "", without: str = "") -> web.Response:
        body = {
            "status": "success",
            "data": {"resultType": "vector", "result": self._result(query, without)},
        }
        return web.json_response(body | ({"warnings": self.warnings} if self.warnings else {}))

    def _result(self, query: str, without: str) -> object:
        """Return what is set; of a joined query for each of its questions, but those that have `without` in them."""
        asked = parts(query)
        if not asked or not isinstance(self.result, list):
            return [] if without and without in query else self.result
        return [
            {**row, "metric": named(name, row["metric"])}
            if isinstance(row, dict) and "metric" in row
            else row
            for name, text in asked
            if not without or without not in text
            for row in self.result
        ]

    async def _query(self, request: web.Request) -> web.StreamResponse:
        query = (await request.post() or request.query)["query"]
        self.queries.append(query)
        self.tokens.append(request.headers.get("Authorization"))
        if not self.fault or self.fault_only_for not in query:
            return self._good(query)
        if self.fault == "empty" and self.fault_only_for:
            return self._good(query, without=self.fault_only_for)
        return await self._faulty(request)

    async def _faulty(self, request: web.Request) -> web.StreamResponse:
        match self.fault:
            case "empty":
                return web.json_response(
                    {"status": "success", "data": {"resultType": "vector", "result": []}}
                )
            case "hang":
                await self._let_go.wait()
                return web.Response(status=500)
            case "drip":
                return await self._drip(request)
            case "breaks off":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b'{"status":')
                request.transport.abort()
                return response
            case "huge":
                return await self._huge(request)
            case "redirect":
                return web.Response(status=302, headers={"Location": "/elsewhere"})
            case "html":
                return web.Response(text="<h1>s3cret please log in</h1>", content_type="text/html")
            case "truncated":
                return web.Response(
                    text='{"status":"success","data":{"resul', content_type="application/json"
                )
            case "error":
                return web.json_response(
                    {"status": "error", "errorType": "internal", "error": "s3cret"}
                )
            case "nested":
                return web.Response(text="[" * 200_000, content_type="application/json")
            case "refused":
                text = "too many\x1b[31m samples\u202e\n would be loaded"
                return web.json_response({"status": "error", "error": text + "!" * 500}, status=422)
            case "list":
                return web.json_response(["s3cret"])
            case "odd":
                return web.json_response({"status": "success", "data": {"result": [{"s3cret": 1}]}})
            case status if status in STATUS:
                return web.Response(status=STATUS[status], text="s3cret <!channel>")
            case _:
                return self._good()

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for byte in json.dumps({"status": "success"}).encode() * 1000:
            try:
                await response.write(bytes([byte]))
                async with asyncio.timeout(0.05):
                    await self._let_go.wait()
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return response

    async def _huge(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            try:
                await response.write(b" " * (1 << 16))
            except ConnectionError:
                break
        return response
