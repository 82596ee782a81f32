"""A version in its dark lane, as smoke tests meet it: well, or with a mishap. `elsewhere` counts who was led away."""

import asyncio

from aiohttp import web


class Target:
    """One server. `answers` are used up one by one, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = [(200, "fine")]
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.paths: list[str] = []
        self.elsewhere = 0
        self.connections: set[object] = set()
        self.at_once = self.most_at_once = 0
        self.mishap = ""
        self.crowd = 1
        self._arrived = asyncio.Condition()
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._let_go.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response(text="fine")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.seen.append((request.method, request.headers.get("Content-Type", ""), body))
        self.paths.append(request.path)
        self.connections.add(request.transport.get_extra_info("peername"))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._gather()
            return await self._answer(request)
        finally:
            self.at_once -= 1

    async def _gather(self) -> None:
        """Hold everybody until `crowd` requests are here at once, once."""
        async with self._arrived:
            self._arrived.notify_all()
            await self._arrived.wait_for(lambda: self.most_at_once >= self.crowd)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match self.mishap:
            case "hang":
                await self._let_go.wait()
            case "drip":
                return await self._write(request, b" ", pause=0.02)
            case "huge":
                return await self._write(request, b"x" * (1 << 16))
            case "break off":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b"half")
                request.transport.abort()
                return response
            case "drop":
                request.transport.abort()
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=text, headers=self.headers)

    async def _write(
        self, request: web.Request, part: bytes, pause: float = 0
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            try:
                await response.write(part)
                if pause:
                    async with asyncio.timeout(pause):
                        await self._let_go.wait()
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return response
