"""Many looks at one Prometheus, few requests: what is asked within a moment goes out together, and once.

The one rule: nobody pays for another. What has no usable answer as a batch is asked group by group, and a group that
has none text by text; a group that went wrong or was slow goes out alone until it is well. What people wrote is never
joined with anything: such a text may be a number, a comment, or a bracket that closes one of ours. Nothing is held back
to collect more: a lone look waits for no clock, and what finds no free place goes out with what came meanwhile.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from integrations.metrics.answers import QueryRefusedError, Sample
from integrations.metrics.connection import Connection, SourceDownError
from integrations.metrics.joining import joined, told_apart

Failure: TypeAlias = QueryRefusedError | SourceDownError
Told: TypeAlias = tuple[Sample, ...] | Failure
"""What one text came to."""

MOST_TEXTS = 48
"""In one request, unless one group has more: two looks of most templates. Of more than some 50 joined vectors the cost
in Prometheus grows faster than their number (2.42: 14 ms of a processor a look up to here, 36 ms at 368 vectors)."""
MOST_CHARS = 64 << 10
"""In one request, unless one group has more."""
AT_ONCE = 4
"""Requests on their way. Prometheus evaluates 20 queries at once for all who ask it."""
_TURNS = 3
"""Of the event loop, until all that look at this moment have asked."""
_PATIENCE = 3
"""Time limits of a request that a question may wait in all: for its place, for the batch, and for itself."""
_MOST_APART = 1000
_HARMLESS = "vector(1)"
_UNTOLD = "Prometheus does not tell apart what it was asked together"


@dataclass(eq=False, slots=True)
class _Group:
    """Texts that are to be answered at one moment."""

    texts: tuple[str, ...]
    joins: bool
    """Whether it may go out together with others."""
    answer: asyncio.Future[tuple[Told, ...]]
    askers: int = 0

    @property
    def key(self) -> int:
        return hash(self.texts)

    @property
    def chars(self) -> int:
        return sum(map(len, self.texts))

    def tell(self, told: Iterable[Told]) -> None:
        if not self.answer.done():
            self.answer.set_result(tuple(told))


class Line:
    """One Prometheus, asked by all targets whose numbers are in it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._waiting: dict[tuple[tuple[str, ...], bool], _Group] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._sender: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[bool] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._most = MOST_TEXTS
        """Texts in one request, by what was too much lately."""
        self._apart: dict[int, None] = {}
        """Groups that went wrong or were slow, the newest last."""

    async def together(self, texts: Sequence[str]) -> tuple[Told, ...]:
        """Return the answers to our own texts, all of one moment where that can be had. Raises nothing."""
        return await self._ask(tuple(texts), joins=True) if texts else ()

    async def alone(self, text: str) -> Told:
        """Return the answer to a text that people wrote. Raises nothing."""
        (told,) = await self._ask((text,), joins=False)
        return told

    async def close(self) -> None:
        """Let go of the connections; who still waits for an answer is cancelled."""
        for task in (self._sender, self._probe, *self._tasks):
            if task is not None:
                task.cancel()
        for group in self._waiting.values():
            group.answer.cancel()
        self._waiting.clear()
        self.connection.close()

    async def _ask(self, texts: tuple[str, ...], *, joins: bool) -> tuple[Told, ...]:
        group = self._waiting.get((texts, joins)) or self._put(texts, joins=joins)
        group.askers += 1
        try:
            async with asyncio.timeout(_PATIENCE * self.connection.timeout):
                # Whoever stops waiting does not take the answer from those who asked the same.
                return await asyncio.shield(group.answer)
        except TimeoutError:
            return (self.connection.late(),) * len(texts)
        finally:
            group.askers -= 1

    def _put(self, texts: tuple[str, ...], *, joins: bool) -> _Group:
        group = _Group(texts, joins, asyncio.get_running_loop().create_future())
        self._waiting[texts, joins] = group
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return group

    async def _send(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        while self._waiting:
            await self._free.acquire()
            task = asyncio.create_task(self._serve(self._batch()))
            self._tasks.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()

    def _batch(self) -> list[_Group]:
        """Take from what waits as much as fits into one request; what nobody waits for any more is dropped."""
        batch: list[_Group] = []
        texts = chars = 0
        for at, group in list(self._waiting.items()):
            if group.askers and batch:
                if self._is_apart(group):
                    continue
                too_many = texts + len(group.texts) > self._most
                if too_many or chars + group.chars > MOST_CHARS:
                    break
            del self._waiting[at]
            if group.askers:
                batch.append(group)
                texts, chars = texts + len(group.texts), chars + group.chars
                if self._is_apart(group):
                    break
        return batch

    def _is_apart(self, group: _Group) -> bool:
        return not group.joins or group.key in self._apart

    async def _serve(self, batch: list[_Group]) -> None:
        try:
            if len(batch) == 1:
                await self._one(batch[0])
            elif batch:
                await self._several(batch)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            for group in batch:
                if not group.answer.done():
                    group.answer.set_exception(error)
        finally:
            for group in batch:
                group.answer.cancel()  # where it has none we are being closed

    async def _several(self, batch: list[_Group]) -> None:
        told = await self._as_one(dict.fromkeys(text for group in batch for text in group.texts))
        if isinstance(told, Mapping):
            for group in batch:
                group.tell(told[text] for text in group.texts)
            self._most = min(MOST_TEXTS, self._most + 1)
            return
        slow = isinstance(told, SourceDownError) and told.slow
        if slow:
            # Each has waited long enough. Whoever it was, next time it makes nobody else wait.
            self._most = max(1, self._most // 2)
            for group in batch:
                self._set_apart(group)
        if slow or not await self._is_well(told):
            for group in batch:
                group.tell([told] * len(group.texts))
            return
        fine = await asyncio.gather(*(self._one(group) for group in batch))
        if all(fine):  # none of them alone was too much
            self._most = max(1, self._most // 2)

    async def _one(self, group: _Group) -> bool:
        """Answer a group by itself, and say whether that could be done in one request."""
        clock = asyncio.get_running_loop().time
        began = clock()
        told = await self._as_one(group.texts)
        if isinstance(told, Mapping):
            group.tell(told[text] for text in group.texts)
            if clock() - began < self.connection.timeout / 4:
                self._apart.pop(group.key, None)
            return True
        self._set_apart(group)
        if len(group.texts) == 1 or not await self._is_well(told):
            group.tell([told] * len(group.texts))
        else:
            group.tell(await asyncio.gather(*map(self._text, group.texts)))
        return False

    def _set_apart(self, group: _Group) -> None:
        if not group.joins:
            return
        self._apart[group.key] = None
        if len(self._apart) > _MOST_APART:
            del self._apart[next(iter(self._apart))]

    async def _as_one(self, texts: Iterable[str]) -> Mapping[str, tuple[Sample, ...]] | Failure:
        """Ask in one request, and return what each text came to, or why none has an answer."""
        names = {text: f"q{number}" for number, text in enumerate(texts)}
        if len(names) == 1:
            (text,) = names
            told = await self._text(text)
            return {text: told} if isinstance(told, tuple) else told
        answer = await self._text(joined({name: text for text, name in names.items()}))
        if not isinstance(answer, tuple):
            return answer
        apart = told_apart(answer, names.values())
        if apart is None:
            return QueryRefusedError(_UNTOLD)
        return {text: apart[name] for text, name in names.items()}

    async def _text(self, text: str) -> Told:
        try:
            return await self.connection.ask(text)
        except (QueryRefusedError, SourceDownError) as error:
            return error

    async def _is_well(self, failure: Failure) -> bool:
        """Whether the source answers at all, so that it is worth asking for less; many want to know it at once."""
        if isinstance(failure, QueryRefusedError):
            return True
        if not failure.answers:
            return False
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._probed())
        return await asyncio.shield(self._probe)

    async def _probed(self) -> bool:
        return not isinstance(await self._text(_HARMLESS), SourceDownError)
