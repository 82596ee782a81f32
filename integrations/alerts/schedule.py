"""When a failed delivery is tried again: the schedule that Standard Webhooks recommends.

Pure. The sink may ask for a longer wait (`Retry-After`); whoever keeps the journal adds that and some jitter.
"""

_MINUTE, _HOUR = 60, 3600
_DELAYS = (5, 5 * _MINUTE, 30 * _MINUTE, *(hours * _HOUR for hours in (2, 5, 10, 14, 20, 24)))


def retry_delay(attempt: int) -> int | None:
    """Return the seconds to wait after the `attempt`-th failure (the first is 1), or `None` when it was the last."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return _DELAYS[attempt - 1] if attempt <= len(_DELAYS) else None
