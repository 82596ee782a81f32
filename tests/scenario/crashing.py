"""A stage whose bot can be killed at any side effect: every request that it sends and every commit is a point.

Killed means: all of its tasks end where they are, nothing is said to anybody, and what the operating system would take
back (sockets, database handles) is taken back, whoever held it. The world and its clock stay; the next bot has the
database file alone.
"""

import asyncio
import gc
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from contextvars import ContextVar, copy_context
from itertools import groupby
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import event

from bot.app.running import Bot
from bot.rollout.values import Phase, Rollout
from integrations.base import Lane
from tests.fakes.wheel import VirtualWheel
from tests.scenario.mishaps import DoomedCluster, DoomedDarkLane, DoomedSink, DoomedSlack, Points
from tests.scenario.stage import DEPLOYS, Stage

_OWNER: ContextVar[int] = ContextVar("owner", default=0)
_DECIDING = re.compile(r"/route/\d/weight|/spec/selector/|/spec/http|/spec/strategy|/0/image")
"""Paths of a write that say who is served by which version."""


class CrashStage(Stage):
    """A stage on which one thing goes wrong, once."""

    cluster_type, slack_type, sink_type = DoomedCluster, DoomedSlack, DoomedSink

    def __init__(self) -> None:
        self.points = Points()
        self.cluster_type.points = self.slack_type.points = self.sink_type.points = self.points
        self.dark = DoomedDarkLane()
        self.dark.points = self.points
        self.cluster_type.committed = self._committed
        self._generation = 0
        self._tasks: dict[int, set[asyncio.Task[Any]]] = {}
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self._lent: dict[Any, Any] = {}
        self.deaths = 0
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._task)
        self._make_transport = loop._make_socket_transport
        loop._make_socket_transport = self._transport

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self._file = folder / "sluice.db"
        await self.dark.start()
        extra = overrides.get("extra", "").replace("DARK_LANE", self.dark.url)
        await super().raise_world(folder, {**overrides, "extra": extra})

    def _task(self, loop, coro, context=None):
        task = asyncio.Task(coro, loop=loop, context=context)
        owner = context.get(_OWNER, 0) if context is not None else _OWNER.get()
        if owner:
            mine = self._tasks.setdefault(owner, set())
            mine.add(task)
            task.add_done_callback(mine.discard)
        return task

    def _transport(self, *args, **kwargs):
        transport = self._make_transport(*args, **kwargs)
        if _OWNER.get():
            self._transports.add(transport)
        return transport

    def _committed(self) -> tuple[int, Any]:
        """The revision and an intent that the database file has of the one rollout."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as file:
            ((revision, body),) = file.execute("SELECT revision, body FROM rollouts")
        row = json.loads(body)
        wanted = [part["intent"] for part in row["parts"] or [row]]
        return revision, next((intent for intent in wanted if intent is not None), None)

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
        self._follow_connections()
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

    def _follow_connections(self) -> None:
        """Know which database connections are in somebody's hands: a pool closes only those that it has back."""
        for engine in (self.bot.store._writer, self.bot.store._reader):
            event.listen(engine.sync_engine, "checkout", lambda _, r, lent: self._lend(r, lent))
            event.listen(engine.sync_engine, "checkin", lambda _, r: self._lent.pop(r, None))

    def _lend(self, record: Any, lent: Any) -> None:
        self._lent[record] = lent

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
        await self._take_back()

    async def _take_back(self) -> None:
        """Close what the process had open, as its end would have."""
        bot = self.bot
        assert bot._runner is not None
        await bot._runner.cleanup()
        await bot.targets.close()
        await bot.store.close()
        await bot._session.close()
        await bot.outbox.stop()  # only its client is left
        for transport in list(self._transports):
            transport.abort()
        for lent in self._lent.values():
            handle = lent.driver_connection
            lent.detach()
            await handle.close()
        self._lent.clear()
        # Sockets are closed in the turn of the loop behind the one that aborts them.
        await asyncio.sleep(0)

    async def strike(self) -> None:
        self.points.buried.set()
        await super().strike()
        await self.dark.stop()
        loop = asyncio.get_running_loop()
        loop.set_task_factory(None)
        loop._make_socket_transport = self._make_transport
        gc.collect()  # what was left open complains here, in the test that left it

    # ---- people -----------------------------------------------------------------------------------------------------

    async def play(self, options: str = "", *, broken: bool = False) -> Rollout:
        """Deploy and say yes to every question until it is over; somebody who got no answer tries again."""
        if broken:
            self.traffic.set_errors("v2.0.0", 30)
        line = f"/deploy auth-service v2.0.0 to production {options}".rstrip()
        self.points.counting = True
        for _ in range(80):
            rows = await self.bot.store.history(limit=1)
            if not rows:
                await self.act(self.say(line))
            elif rows[0].phase is Phase.WAITING and self._asked():
                await self.act(self.press("Promote"))
            elif rows[0].phase.final and rows[0].recheck_at is None and rows[0].retire_at is None:
                break
            else:
                await self.act(self.wait(10))
                await self.land()
        await self.act(self.wait(120))  # whatever is left to be said
        self.points.counting = False
        return await self.row()

    async def land(self) -> None:
        """Let the writes that were held up arrive."""
        await self.cluster.land()

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
        """What is left of it all at the end: who has the traffic, and what runs where."""
        lanes = (Lane.CANARY,) if self.shape == "one" else (Lane.STABLE, Lane.CANARY)
        routed = {"swap": lambda: self.selected, "one": lambda: None}
        return {
            "routed": routed.get(self.shape, lambda: self.weights)(),
            "images": [self.image(lane) for lane in lanes],
            "pods": [self.pods(lane) for lane in lanes],
            "versions": self.versions,
        }

    def shares(self) -> list[Any]:
        """What decides who is served by which version, as it was written, in order; the same again counts once."""
        written = [
            {f"{write.path} {op['path']}": op.get("value") for op in write.body if _decides(op)}
            for write in self.cluster.log
            if not write.path.endswith("-preview")
        ]
        return [found for found, _ in groupby(found for found in written if found)]


def _decides(op: dict[str, Any]) -> bool:
    return op["op"] != "test" and _DECIDING.search(op["path"]) is not None
