"""A webhook receiver that verifies signatures the way the specification says, independently of our own code.

`answers` is the script: statuses (or a status and headers) for the next deliveries; after it, 204.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    timestamp: int
    body: dict
    raw: bytes
    genuine: bool


class Sink:
    def __init__(self, key: bytes) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.arrived = asyncio.Event()
        """Set by every delivery; whoever waits clears it."""
        self.elsewhere = 0
        self.hanging = False
        self.dropping = False
        self._key = key
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/hook/s3cret-path", self._receive)
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook/s3cret-path"

    async def stop(self) -> None:
        self._let_go.set()
        if self._runner:
            await self._runner.cleanup()

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        stamp, id_ = request.headers["webhook-timestamp"], request.headers["webhook-id"]
        digest = hmac.new(self._key, f"{id_}.{stamp}.".encode() + raw, hashlib.sha256).digest()
        genuine = f"v1,{base64.b64encode(digest).decode()}" in request.headers[
            "webhook-signature"
        ].split(" ")
        self.deliveries.append(Delivery(id_, int(stamp), json.loads(raw), raw, genuine))
        self.arrived.set()
        if self.hanging:
            await self._let_go.wait()
        if self.dropping:
            request.transport.abort()
        answer = self.answers.pop(0) if self.answers else 204
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(
            status=status, headers=headers, text="s3cret <!channel>" if status != 204 else None
        )
