"""Whether a moment lies in a freeze window of the calendar. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.settings.scalars import WeekTime
from bot.settings.values import FreezeWindow


def frozen(windows: Sequence[FreezeWindow], now: datetime) -> str:
    """Return the freeze window that `now` lies in, in words; `""` when none does."""
    for window in windows:
        local = now.astimezone(ZoneInfo(window.timezone))
        here = (local.weekday(), local.hour, local.minute)
        start = (window.from_.weekday, window.from_.hour, window.from_.minute)
        end = (window.to.weekday, window.to.hour, window.to.minute)
        inside = start <= here < end if start < end else here >= start or here < end
        if inside:
            return f"from {_clock(window.from_)} to {_clock(window.to)} ({window.timezone})"
    return ""


def _clock(at: WeekTime) -> str:
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.weekday]
    return f"{day} {at.hour:02}:{at.minute:02}"
