"""When a time comes that somebody typed: `22:00`, a date, crontab fields, each perhaps with a time zone (else UTC).

Pure. A wall time that the clocks skip in spring comes as if they had not been changed; one that they show twice in
autumn comes the first time: nothing is left out, and nothing comes twice.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.grammar.crontab import timetable

_DAY = timedelta(days=1)
_YEARS = 8 * 366
"""Days after which a crontab line has come or never will: 29 February can be eight years away."""


def next_at(text: str, now: datetime) -> datetime:
    """Return when `at=`, as the grammar reads it, comes, in UTC; a date in the past is returned as it is."""
    when, _, name = text.partition(" ")
    zone = ZoneInfo(name or "UTC")
    if "T" not in when:
        return _next_clock(time.fromisoformat(when), zone, now)
    at = datetime.fromisoformat(when)
    return _utc(at, zone) if at.tzinfo is None else at.astimezone(UTC)


def _next_clock(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    day = now.astimezone(zone).date()
    at = _utc(datetime.combine(day, clock), zone)
    return at if at > now else _utc(datetime.combine(day + _DAY, clock), zone)


def next_cron(text: str, now: datetime) -> datetime:
    """Return the next match of `cron=`, as the grammar reads it, in UTC. Raises `ValueError` when there is none."""
    table = timetable(text)
    zone = ZoneInfo(table.zone)
    today = now.astimezone(zone).date()
    clocks = [time(hour, minute) for hour in table.hours for minute in table.minutes]
    for day in (today + n * _DAY for n in range(_YEARS)):
        if table.has(day) and (at := _first(day, clocks, zone, now)) is not None:
            return at
    raise ValueError(f"No day fits {text}.")


def _first(day: date, clocks: list[time], zone: ZoneInfo, now: datetime) -> datetime | None:
    # All of the day, not the first that fits: where clocks are set forward the later wall time can come sooner.
    comes = (_utc(datetime.combine(day, clock), zone) for clock in clocks)
    return min((at for at in comes if at > now), default=None)


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    # fold=0: of two the first, and in a gap the offset from before it.
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
