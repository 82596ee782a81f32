"""Journal rows to alert sinks, at least once, with constant ids. A slow sink delays nobody but itself.

The journal is the outbox: what must be told is committed with the change itself, only the delivery mark comes later.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.errands import Errands
from bot.rollout.alarms import BY_ITSELF
from bot.rollout.grounds import counts
from bot.rollout.proof import digest_of
from bot.rollout.values import Entry, Rollout
from bot.store import JournalRow, NoRowError, PoisonedRowError, Store, Writing
from integrations.alert import Alert, AlertSink
from integrations.base import IntegrationError, RefusedError
from strategies.evidence.saying import asked_about, tolerated
from strategies.verdict import Judgement

log = logging.getLogger("sluice.outbox")

_AFTER_FAILURE = timedelta(seconds=10)
_MARK = -1
"""The pseudo entry that remembers from where on a sink is served: events older than the sink are not its business."""
_MARK_EVERY = 500
"""Entries that a restart may have to read again."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One sink and the events that it wants."""

    sink: AlertSink
    events: frozenset[str]
    retry_delay: Callable[[int], float | None]
    """Seconds until the next attempt after so many failed ones; None gives up."""
    formerly: str = ""
    """What the sink was called before; what waits for it under that name is taken over at the start."""


class Outbox:
    """Delivers alerts."""

    def __init__(
        self,
        store: Store,
        subscriptions: Sequence[Subscription],
        now: Callable[[], datetime],
        links: Callable[[Rollout], Awaitable[dict[str, str]]],
        touched: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`links` returns `journal_url` and `slack_permalink` of a rollout; it never raises.

        `touched` is told of rollouts whose journal says more than before.
        """
        self._store = store
        self._subscriptions = {s.sink.name: s for s in subscriptions}
        self._now = now
        self._links = links
        self._touched = touched
        self._again: Callable[[str, datetime], None] | None = None
        self._errands = Errands("deliver to", self._serve)
        self._done: dict[str, int] = {}
        """Per sink, the entry up to which everything is closed."""
        self._marked: dict[str, int] = {}
        """Per sink, the entry that the database remembers for that; it may lag behind."""

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `ring` again later, when a delivery is to be tried again."""
        self._again = again

    def touch(self) -> None:
        """Something was journalled."""
        for name in self._done:
            self.ring(name)

    def ring(self, sink: str) -> None:
        """Deliver what is due to one sink."""
        self._errands.soon(sink)

    async def start(self) -> None:
        """Begin to deliver, one worker per sink."""
        for name, subscription in self._subscriptions.items():
            if subscription.formerly:
                async with self._store.writing() as writing:
                    await writing.rename_sink(subscription.formerly, name)
            self._done[name] = self._marked[name] = await self._find_mark(name)
        self.touch()

    async def settled(self) -> None:
        """Wait until nothing is being delivered; what is tried again later is not waited for."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Stop; what is open is delivered after the next start."""
        await self._errands.stop()
        for subscription in self._subscriptions.values():
            closing = getattr(subscription.sink, "close", None)
            if closing is not None:
                await closing()

    async def _find_mark(self, sink: str) -> int:
        """Return the entry behind which a sink is served; a new sink is served from now on."""
        newest = await self._store.newest_entry()
        known = await self._store.deliveries(sink, newest)
        if _MARK in known:
            return known[_MARK][1]
        await self._mark(sink, newest)
        return newest

    async def _mark(self, sink: str, entry: int) -> None:
        async with self._store.writing() as writing:
            await writing.put_delivery(
                _MARK, sink, attempts=entry, due=None, state="mark", problem=""
            )
        self._marked[sink] = entry

    async def _serve(self, sink: str) -> None:
        try:
            due = await self.drain(self._subscriptions[sink])
        except Exception:
            log.exception("delivering to %s failed; it is tried again", sink)
            due = self._now() + _AFTER_FAILURE
        if due is not None and self._again is not None:
            self._again(sink, due)

    async def drain(self, subscription: Subscription) -> datetime | None:
        """Send what is due to one sink, in order per rollout; return when the next attempt is due."""
        name = subscription.sink.name
        start = self._done.get(name, 0)
        known = await self._store.deliveries(name, start)
        blocked: set[str] = set()
        times: list[datetime] = []
        async for row in self._events(start):
            state, attempts, due = known.get(row.id, ("open", 0, None))
            if row.entry.event in subscription.events and state == "open":
                if row.rollout not in blocked and (due is None or due <= self._now()):
                    due = await self._attempt(subscription, row, attempts)
                if due is not None:
                    times.append(due)
                    blocked.add(row.rollout)
            if not times:
                self._done[name] = row.id
        if self._done.get(name, 0) - self._marked.get(name, 0) >= _MARK_EVERY:
            await self._mark(name, self._done[name])
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
            due = None if delay is None else self._now() + _spread(row.id, max(delay, asked or 0))
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
            if state == "dead":
                await self._tell_lost(writing, row.rollout, subscription.sink.name, problem)
        if state == "dead":
            self._touched(row.rollout)
        return due

    async def _tell_lost(self, writing: Writing, rollout: str, sink: str, problem: str) -> None:
        """Say, once per rollout and sink, that a call does not come: whoever relies on it would not know."""
        told = (row.entry for row in await self._store.journal(rollout))
        if any(entry.code == "alert_lost" and entry.data.get("sink") == sink for entry in told):
            return
        text = f"An alert about this rollout did not reach the sink {sink} and is not sent again. {problem}"
        entry = Entry(
            "alert_lost",
            "sluice",
            text,
            code="alert_lost",
            tell="broadcast",
            data={"sink": sink},
        )
        with suppress(NoRowError):
            await writing.note(rollout, [entry], self._now())

    async def _alert(self, row: JournalRow) -> Alert:
        try:
            r = await self._store.get(row.rollout)
            data = {**alert_data(r, row), **await self._kept(row), **await self._links(r)}
        except (PoisonedRowError, NoRowError):
            data = {"id": row.rollout, "reason": row.entry.text, "reason_code": row.entry.code}
        return Alert(
            id=f"{row.rollout}-{row.id}",
            type=row.entry.event,
            at=row.at,
            data=data,
            text=row.entry.text,
            automatic=row.entry.actor in BY_ITSELF,
        )

    async def _kept(self, row: JournalRow) -> dict[str, Any]:
        """Return with which queries the numbers were measured, and the digest of the newest line that keeps them."""
        known = [row]
        if not digest_of(row.entry):
            known = [one for one in await self._store.journal(row.rollout) if one.id <= row.id]
        kept = next((one.entry for one in reversed(known) if digest_of(one.entry)), None)
        if kept is None:
            return {"queries": {}, "digest": ""}
        return {"queries": kept.data["evidence"].get("queries", {}), "digest": digest_of(kept)}


def _spread(entry: int, seconds: float) -> timedelta:
    """Return a wait up to a tenth longer, so that alerts that failed together do not come back together."""
    return timedelta(seconds=seconds * (1 + entry % 10 / 100))


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
    checks += _counted(judgement)
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


def _counted(judgement: Judgement | None) -> list[dict[str, Any]]:
    """Return what the counts say as one more check: the question that tells most, in percent of the requests."""
    ruling = judgement.ruling if judgement is not None else None
    case = (ruling.case(ruling.worst) or ruling.case("errors")) if ruling is not None else None
    if ruling is None or case is None:
        return []
    beside = case.stable or case.before
    return [
        {
            "metric": asked_about(case),
            "canary": round(100 * case.canary.rate, 4),
            "baseline": round(100 * beside.rate, 4) if beside is not None else None,
            "limit": tolerated(case),
            "verdict": ruling.verdict.value,
            "chance": ruling.chance,
            "counts": counts(case),
        }
    ]


def _timings(r: Rollout) -> dict[str, str | None]:
    def text(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "created": text(r.created),
        "decided": text(r.back.at if r.back else None),
        "traffic_home": text(r.back.home if r.back else None),
        "ended": text(r.ended),
    }
