"""What the counts say, in one sentence that a person understands at three in the morning. Pure."""

import math

from strategies.evidence.ruling import Ruling


def worse(ruling: Ruling) -> str:
    """Return why a version goes back."""
    return f"worse than stable for certain ({ruling.worst})"


def safe(ruling: Ruling) -> str:
    """Return why a version may go on."""
    if ruling.ruled_out is None:
        return "all checks pass"
    return f"all checks pass; more than {100 * ruling.ruled_out:.2g} points of additional errors are ruled out"


def unproven(ruling: Ruling, rate: float) -> str:
    """Return what is missing; `rate` is how many requests a second the canary gets."""
    minutes = math.ceil(ruling.missing / rate / 60) if rate > 0 else 0
    span = f", about {minutes} min at this rate" if minutes else ""
    return f"{ruling.missing:,} more requests needed{span}"
