"""Visitors who never stop asking: a bounded number of them, each with one request at a time on a kept connection.

Every request ends up in `visits` or, when it was not answered with 200 by a version that was allowed at some moment
while it was under way, in `lost`. They POST, because a client repeats a failed GET by itself.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=15)
_EVERY_SLOW, _EVERY_TESTER = 40, 10


@dataclass(slots=True)
class Visitors:
    """`crowd` visitors who wait `pause` seconds after every answer; some are slow, some carry the testers' header."""

    url: str
    header: tuple[str, str]
    crowd: int = 12
    pause: float = 0.08
    visits: Counter[str] = field(default_factory=Counter)
    """By the version that answered."""
    lost: list[str] = field(default_factory=list)
    _allowed: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    _numbers: count = field(default_factory=count)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None

    def allow(self, *versions: str) -> None:
        """Say who may answer from now on."""
        self._allowed.append((time.monotonic(), frozenset(versions)))

    async def come(self) -> None:
        """Begin to ask."""
        connector = aiohttp.TCPConnector(limit=self.crowd, keepalive_timeout=3600)
        self._session = aiohttp.ClientSession(self.url, connector=connector, timeout=_PATIENCE)
        self._tasks = [asyncio.create_task(self._visit()) for _ in range(self.crowd)]

    async def leave(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _visit(self) -> None:
        while True:
            number = next(self._numbers)
            began = time.monotonic()
            try:
                version = await self._ask(number)
            except (aiohttp.ClientError, TimeoutError, LookupError) as error:
                self.lost.append(f"request {number}: {type(error).__name__} {error}")
            else:
                self._note(number, version, began)
            await asyncio.sleep(self.pause)

    async def _ask(self, number: int) -> str:
        assert self._session is not None
        path = "/slow" if number % _EVERY_SLOW == 1 else "/"
        headers = dict([self.header]) if number % _EVERY_TESTER == 0 else {}
        async with self._session.post(path, headers=headers, data=b"hello") as response:
            if response.status != 200:
                raise LookupError(f"{response.status} {await response.text()}")
            return str((await response.json())["version"])

    def _note(self, number: int, version: str, began: float) -> None:
        self.visits[version] += 1
        allowed = self._allowed_since(began)
        if version not in allowed:
            self.lost.append(f"request {number}: {version} answered, allowed {sorted(allowed)}")

    def _allowed_since(self, began: float) -> frozenset[str]:
        """Return who was allowed at some moment from `began` until now."""
        later = [versions for at, versions in self._allowed if at > began]
        before = [versions for at, versions in self._allowed if at <= began][-1:]
        return frozenset().union(*before, *later)
