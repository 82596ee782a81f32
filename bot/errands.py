"""One task per key: what is asked for the same thing is done one after the other, for different things side by side.

Nothing is queued: an errand says "look again", and the ones that come while it is done are one more look.
"""

import asyncio
from collections.abc import Awaitable, Callable

Errand = Callable[[str], Awaitable[None]]


class Errands:
    """Runs the errand of every key that was asked for, until none is due."""

    def __init__(self, name: str, errand: Errand, rest: Errand | None = None) -> None:
        """Do `errand`, which never raises, for every key; what is asked for during the `rest` before it is covered."""
        self._name = name
        self._errand = errand
        self._rest = rest
        self._due: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def soon(self, key: str) -> None:
        """Do the errand of this key, once more where it is being done already."""
        self._due.add(key)
        if key not in self._tasks:
            task = asyncio.create_task(self._run(key), name=f"{self._name} {key}")
            self._tasks[key] = task

    def busy(self, key: str) -> bool:
        """Whether the errand of this key is being done."""
        return key in self._tasks

    async def settled(self) -> None:
        """Wait until nothing is being done."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def stop(self) -> None:
        """Break off what is being done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, key: str) -> None:
        try:
            while key in self._due:
                if self._rest is not None:
                    await self._rest(key)
                self._due.discard(key)
                await self._errand(key)
        finally:
            # In the same step as the last look at `_due`: what is asked for from here on starts a new task.
            del self._tasks[key]
