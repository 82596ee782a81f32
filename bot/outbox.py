"""Journal rows to alert sinks, at least once, with constant ids. A slow sink delays nobody but itself.

The journal is the outbox: what must be told is committed with the change itself, only the delivery mark comes later.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.rollout.values import Rollout
from bot.store import JournalRow, PoisonedRowError, Store
from integrations.base import Alert, AlertSink, IntegrationError, RefusedError

log = logging.getLogger("sluice.outbox")

_IDLE = timedelta(seconds=60)
_MARK = -1
"""The pseudo entry that remembers from where on a sink is served: events older than the sink are not its business."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One sink and the events that it wants."""

    sink: AlertSink
    events: frozenset[str]
    retry_delay: Callable[[int], float | None]
    """Seconds until the next attempt after so many failed ones; None gives up."""


class Outbox:
    """Delivers alerts."""

    def __init__(
        self,
        store: Store,
        subscriptions: Sequence[Subscription],
        now: Callable[[], datetime],
        links: Callable[[Rollout], Awaitable[dict[str, str]]],
    ) -> None:
        """`links` returns `journal_url` and `slack_permalink` of a rollout; it never raises."""
        self._store = store
        self._subscriptions = subscriptions
        self._now = now
        self._links = links
        self._bells = {s.sink.name: asyncio.Event() for s in subscriptions}
        self._tasks: list[asyncio.Task[None]] = []
        self._done: dict[str, int] = {}
        """Per sink, the entry up to which everything is closed."""

    def touch(self) -> None:
        """Something was journalled."""
        for bell in self._bells.values():
            bell.set()

    async def start(self) -> None:
        """Begin to deliver, one worker per sink."""
        for subscription in self._subscriptions:
            await self._mark(subscription.sink.name)
            self._tasks.append(asyncio.create_task(self._serve(subscription)))

    async def stop(self) -> None:
        """Stop; what is open is delivered after the next start."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()

    async def _mark(self, sink: str) -> None:
        if await self._store.deliveries(sink):
            return
        newest = await self._store.newest_entry()
        async with self._store.writing() as writing:
            await writing.put_delivery(
                _MARK, sink, attempts=newest, due=None, state="mark", problem=""
            )

    async def _serve(self, subscription: Subscription) -> None:
        bell = self._bells[subscription.sink.name]
        while True:
            bell.clear()
            try:
                due = await self.drain(subscription)
            except Exception:
                log.exception("delivering to %s failed; it is tried again", subscription.sink.name)
                due = self._now() + timedelta(seconds=10)
            wait = _IDLE if due is None else max(timedelta(0), due - self._now())
            try:
                async with asyncio.timeout(min(wait, _IDLE).total_seconds()):
                    await bell.wait()
            except TimeoutError:
                continue

    async def drain(self, subscription: Subscription) -> datetime | None:
        """Send what is due to one sink, in order per rollout; return when the next attempt is due."""
        name = subscription.sink.name
        known = await self._store.deliveries(name)
        start = self._done.get(name) or known.get(_MARK, ("mark", 0, None))[1]
        closed = {e for e, (state, _, _) in known.items() if state in {"delivered", "dead"}}
        blocked: set[str] = set()
        times: list[datetime] = []
        async for row in self._events(start):
            if row.entry.event not in subscription.events or row.id in closed:
                if not times:
                    self._done[name] = row.id
                continue
            _, attempts, due = known.get(row.id, ("open", 0, None))
            if row.rollout in blocked or (due is not None and due > self._now()):
                blocked.add(row.rollout)
                times += [due] if due else []
                continue
            again = await self._attempt(subscription, row, attempts)
            if again is not None:
                blocked.add(row.rollout)
                times.append(again)
        return min(times) if times else None

    async def _events(self, start: int) -> AsyncIterator[JournalRow]:
        while page := await self._store.events_since(start):
            for row in page:
                yield row
            start = page[-1].id

    async def _attempt(
        self, subscription: Subscription, row: JournalRow, attempts: int
    ) -> datetime | None:
        alert = await self._alert(row)
        state, problem, due = "delivered", "", None
        try:
            await subscription.sink.send(alert, now=self._now())
        except RefusedError as error:
            state, problem = "dead", str(error)
        except IntegrationError as error:
            problem = str(error)
            delay = subscription.retry_delay(attempts + 1)
            asked = getattr(error, "retry_after", None)
            state = "dead" if delay is None else "open"
            due = None if delay is None else self._now() + timedelta(seconds=max(delay, asked or 0))
        if problem:
            log.warning("alert %s to %s: %s", alert.id, subscription.sink.name, problem)
        async with self._store.writing() as writing:
            await writing.put_delivery(
                row.id,
                subscription.sink.name,
                attempts=attempts + 1,
                due=due,
                state=state,
                problem=problem,
            )
        return due

    async def _alert(self, row: JournalRow) -> Alert:
        try:
            r = await self._store.get(row.rollout)
            data = {**alert_data(r, row), **await self._links(r)}
        except PoisonedRowError:
            data = {"id": row.rollout, "reason": row.entry.text, "reason_code": row.entry.code}
        return Alert(id=f"{row.rollout}-{row.id}", type=row.entry.event, at=row.at, data=data)


def alert_data(r: Rollout, row: JournalRow) -> dict[str, Any]:
    """Return the data of an alert as design §7.5 lists it."""
    judgement = r.back.judgement if r.back else r.judgement
    checks = [
        {
            "metric": result.metric,
            "canary": result.canary,
            "baseline": result.baseline,
            "limit": result.limit,
            "verdict": result.verdict.value,
        }
        for result in (judgement.results if judgement else ())
    ]
    return {
        "id": r.id,
        "service": r.service,
        "environment": r.environment,
        "from_version": r.from_version,
        "to_version": r.version,
        "strategy": r.plan.strategy,
        "reason_code": row.entry.code,
        "reason": r.back.reason if r.back else row.entry.text,
        "weight": r.back.weight if r.back else r.weight,
        "checks": checks,
        "timings": _timings(r),
    }


def _timings(r: Rollout) -> dict[str, str | None]:
    def text(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "created": text(r.created),
        "decided": text(r.back.at if r.back else None),
        "traffic_home": text(r.back.home if r.back else None),
        "ended": text(r.ended),
    }
