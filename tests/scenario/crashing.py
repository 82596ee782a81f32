"""A stage whose bot can be killed at any side effect: every request that it sends and every commit is a point.

Killed means: all of its tasks end where they are, nothing is said to anybody, and only what the operating system would
take back (sockets, file locks) is taken back. The world and its clock stay; the next bot has the database file alone.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from bot.app.running import Bot
from bot.rollout.values import Phase, Rollout
from integrations.base import Lane
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.sink import Sink
from tests.fakes.slack import FakeSlack
from tests.fakes.wheel import VirtualWheel
from tests.scenario.stage import DEPLOYS, Stage

Mode = Literal["before", "after", "lost", "late"]
MODES: tuple[Mode, ...] = ("before", "after", "lost", "late")

_OWNER: ContextVar[int] = ContextVar("owner", default=0)


@dataclass
class Points:
    """Counts side effects, and says at the chosen one what shall go wrong."""

    chosen: int = -1
    mode: Mode = "before"
    names: list[str] = field(default_factory=list)
    counting: bool = False
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    buried: asyncio.Event = field(default_factory=asyncio.Event)

    def reach(self, name: str) -> Mode | None:
        """Return what goes wrong at this side effect."""
        if not self.counting:
            return None
        self.names.append(name)
        return self.mode if len(self.names) - 1 == self.chosen else None

    async def die(self) -> None:
        """End the process: nothing after this happens in it."""
        self.dead.set()
        await self.buried.wait()


class DoomedCluster(FakeCluster):
    points: Points

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        mode = self.points.reach(f"cluster {request.method} {request.path}")
        if mode == "before":
            return await _cut(request, self.points)
        if mode == "late" and request.method == "PATCH":
            self.hold()
        response = await super()._handle(request)
        return await _afterwards(mode, request, response, self.points)


class DoomedSlack(FakeSlack):
    points: Points

    async def answer(self, request, method, args):
        mode = self.points.reach(f"slack {method}")
        if mode == "before":
            return await _cut(request, self.points)
        response = await super().answer(request, method, args)
        return await _afterwards(mode, request, response, self.points)


class DoomedSink(Sink):
    points: Points

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        mode = self.points.reach("sink")
        if mode == "before":
            return await _cut(request, self.points)
        return await _afterwards(mode, request, await super()._receive(request), self.points)


async def _cut(request: web.Request, points: Points) -> web.Response:
    await points.die()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _afterwards(
    mode: Mode | None, request: web.Request, response: web.StreamResponse, points: Points
) -> web.StreamResponse:
    if mode == "after":
        return await _cut(request, points)
    if mode == "lost" and request.transport is not None:
        request.transport.abort()
    return response


class CrashStage(Stage):
    """A stage on which one thing goes wrong, once."""

    cluster_type, slack_type, sink_type = DoomedCluster, DoomedSlack, DoomedSink

    def __init__(self) -> None:
        self.points = Points()
        self.cluster_type.points = self.slack_type.points = self.sink_type.points = self.points
        self._generation = 0
        self._tasks: dict[int, set[asyncio.Task[Any]]] = {}
        self.deaths = 0
        asyncio.get_running_loop().set_task_factory(self._task)

    def _task(self, loop, coro, context=None):
        task = asyncio.Task(coro, loop=loop, context=context)
        owner = context.get(_OWNER, 0) if context is not None else _OWNER.get()
        if owner:
            mine = self._tasks.setdefault(owner, set())
            mine.add(task)
            task.add_done_callback(mine.discard)
        return task

    async def start_bot(self) -> None:
        self._generation += 1
        self._inside = copy_context()
        self._inside.run(_OWNER.set, self._generation)
        await asyncio.get_running_loop().create_task(self._open_bot(), context=self._inside)
        await self.bot.greeted()
        await self.settled()

    async def _open_bot(self) -> None:
        self.bot = await Bot.open(self.settings, self.clock)
        inside = self._inside
        self.wheel = VirtualWheel(self.clock, lambda name: inside.run(self.bot.ring, name))
        self._count_commits()
        self.bot.use(self.wheel)
        await self.bot.listen()
        self.slack.bot_url = f"http://127.0.0.1:{self.bot.port}"
        await self.bot.take_up()

    def _count_commits(self) -> None:
        store, points = self.bot.store, self.points
        writing = store.writing

        @asynccontextmanager
        async def counted() -> AsyncIterator[Any]:
            async with writing() as transaction:
                yield transaction
                mode = points.reach("commit")
                if mode == "before":
                    await points.die()
            if mode is not None:
                await points.die()

        store.writing = counted

    async def act(self, doing: Coroutine[Any, Any, Any]) -> None:
        """Do something; if the bot dies of it, start the next one."""
        acting = asyncio.ensure_future(doing)
        dying = asyncio.ensure_future(self.points.dead.wait())
        await asyncio.wait({acting, dying}, return_when=asyncio.FIRST_COMPLETED)
        if not self.points.dead.is_set():
            dying.cancel()
            await acting
            return
        self.points.dead = asyncio.Event()
        acting.cancel()
        await self.kill()
        await asyncio.wait({acting})
        await self.start_bot()

    async def kill(self) -> None:
        """End the bot where it is."""
        self.deaths += 1
        mine = self._tasks.get(self._generation, set())
        while left := [task for task in mine if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        self.points.buried.set()
        bot = self.bot
        assert bot._runner is not None
        await bot._runner.cleanup()
        await bot.targets.close()
        await bot.store.close()
        await bot._session.close()
        await bot.outbox.stop()  # only its client is left
        gc.collect()  # what was killed half way out of a pool complains here and not in another test

    async def strike(self) -> None:
        self.points.buried.set()
        await super().strike()
        asyncio.get_running_loop().set_task_factory(None)

    # ---- people -----------------------------------------------------------------------------------------------------

    async def play(self, *, broken: bool = False) -> Rollout:
        """Deploy and say yes to every question until it is over; somebody who got no answer tries again."""
        if broken:
            self.traffic.set_errors("v2.0.0", 30)
        self.points.counting = True
        for _ in range(80):
            rows = await self.bot.store.history(limit=1)
            if not rows:
                await self.act(self.say("/deploy auth-service v2.0.0 to production"))
            elif rows[0].phase is Phase.WAITING and self._asked():
                await self.act(self.press("Promote"))
            elif rows[0].phase.final and rows[0].recheck_at is None:
                break
            else:
                await self.act(self.wait(10))
                await self.cluster.land()
        await self.act(self.wait(120))  # whatever is left to be said
        self.points.counting = False
        return await self.row()

    def _asked(self) -> bool:
        return any(
            label.startswith("Promote")
            for message in self.slack.messages(DEPLOYS)
            for label in self.slack.buttons(message)
        )

    def posted(self) -> list[tuple[str, str]]:
        """Which messages of rollouts there are: (channel, key)."""
        return [
            (message.channel, str(message.metadata["event_payload"]["key"]))
            for message in self.slack.chat.messages.values()
            if message.metadata
        ]

    def world(self) -> dict[str, Any]:
        """What is left of it all at the end."""
        return {
            "weights": self.weights,
            "stable": self.image(Lane.STABLE),
            "canary": self.image(Lane.CANARY),
            "pods": (self.pods(Lane.STABLE), self.pods(Lane.CANARY)),
        }

    def weights_written(self) -> list[int]:
        """The canary's weights, in the order in which they were applied."""
        writes = [w for w in self.cluster.log if "virtualservices" in w.path]
        values = [
            op["value"]
            for w in writes
            for op in w.body
            if op["op"] != "test" and op["path"].endswith("route/1/weight")
        ]
        return [int(value) for value in values]
