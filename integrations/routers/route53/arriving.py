"""When a change is at work: on all servers of Route 53, and in the resolvers that keep older answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from integrations.base import RefusedError, TryAgainError
from integrations.routers.route53.note import Note

_ASKING = timedelta(seconds=5)
"""Between two questions about one change: an account has five requests a second for everything."""
_SYNC = timedelta(seconds=60)
"""What the servers usually need, for a change that cannot be asked about."""


@dataclass(frozen=True, slots=True)
class _Change:
    id: str
    sent: datetime
    asked: datetime | None = None
    synced: datetime | None = None


class Arrival:
    """Follows the last change that this process sent."""

    def __init__(
        self, ask: Callable[[str], Awaitable[bool]], clock: Callable[[], datetime]
    ) -> None:
        """`ask` says whether a change is on all servers, by its id."""
        self._ask = ask
        self._clock = clock
        self._change: _Change | None = None
        self._unborn: tuple[datetime, datetime] | None = None
        """A time of a note that was still to come, and when it was seen first."""

    def sent(self, change: str, at: datetime) -> None:
        """Follow a change of weights that was taken."""
        self._change = _Change(change, at)

    async def waits(self, note: Note) -> tuple[str, datetime | None]:
        """Return `Split.waits` and `Split.until` for the weights of a note; asks where it can."""
        now, kept = self._clock(), timedelta(seconds=2 * note.ttl)
        if note.sent is None:
            return "", None
        if self._change is None or self._change.sent != note.sent:
            return _until(self._sent(note.sent, now) + _SYNC + kept, now)
        await self._follow(now)
        if self._change.synced is None:
            return "Route 53 is not in sync yet", None
        return _until(self._change.synced + kept, now)

    def _sent(self, noted: datetime, now: datetime) -> datetime:
        """Return when a change was sent that is not ours. A time to come must not be waited for: it may be nonsense."""
        if noted <= now:
            return noted
        if self._unborn is None or self._unborn[0] != noted:
            self._unborn = (noted, now)
        return self._unborn[1]

    async def _follow(self, now: datetime) -> None:
        change = self._change
        assert change is not None
        if change.synced is not None:
            return
        if change.asked is not None and now - change.asked < _ASKING:
            return
        try:
            there = await self._ask(change.id)
        except TryAgainError:
            there = False
        except RefusedError:
            # It may not be asked about, or is forgotten: then the usual time counts.
            there = now - change.sent >= _SYNC
        self._change = replace(change, asked=now, synced=now if there else None)


def _until(until: datetime, now: datetime) -> tuple[str, datetime | None]:
    if now >= until:
        return "", None
    then = until.astimezone(UTC)
    day = f"{then:%Y-%m-%d} " if then.date() != now.astimezone(UTC).date() else ""
    return f"resolvers may keep the old answer until {day}{then:%H:%M:%S} UTC", until
