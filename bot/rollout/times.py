"""Moments and lengths of time as sentences say them, the same at every door. Pure."""

from datetime import UTC, datetime


def clock(at: datetime) -> str:
    """Return a moment for a sentence that every door shows."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def lasting(seconds: float) -> str:
    """Return a measured duration as people say it, in its two largest units."""
    whole = round(seconds)
    for unit, size, below, smaller in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {below}" if rest else f"{whole // size} {unit}"
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"
