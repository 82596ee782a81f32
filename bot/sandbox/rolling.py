"""How many pods each ReplicaSet of a Deployment shall have next: one pass of Kubernetes' own arithmetic.

Pure. Follows the deployment controller (`rolling.go`, `recreate.go`, `sync.go`): what it knows of a ReplicaSet is how
many pods that was told to have and how many of them are available, so a pod that is ready but not yet available holds
it up.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """One ReplicaSet."""

    wanted: int
    """How many pods it was told to have."""
    available: int


@dataclass(frozen=True, slots=True)
class Room:
    """How far a rolling update may leave the number that was asked for."""

    surge: int
    unavailable: int


def room_of(strategy: Mapping[str, Any], replicas: int) -> Room | None:
    """Return the room of a Deployment's strategy, 25 % each way unless it says otherwise; None for `Recreate`."""
    if strategy.get("type") == "Recreate":
        return None
    rolling = strategy.get("rollingUpdate") or {}
    surge = math.ceil(_pods(rolling.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_pods(rolling.get("maxUnavailable", "25%"), replicas))
    # Rounding may leave no room at all; then one pod at a time goes first.
    unavailable = unavailable if surge or unavailable else 1
    return Room(surge, min(unavailable, replicas))


def rolled(replicas: int, room: Room | None, new: Share, old: Sequence[Share]) -> list[int]:
    """Return the sizes after one pass towards the new set: its own first, then those of the old sets, oldest first."""
    if room is None:
        running = any(share.wanted for share in old)
        return [new.wanted if running else replicas, *(0 for _ in old)]
    grown = _grown(replicas, room, new, old)
    if grown != new.wanted:
        return [grown, *(share.wanted for share in old)]
    return [grown, *_shrunk(replicas, room, new, old)]


def resized(replicas: int, room: Room | None, ceiling: int, sizes: Sequence[int]) -> list[int]:
    """Return the sizes after another number of pods was asked for; `sizes` and the answer are oldest first.

    `ceiling` is the most there could be before: the number asked for until now, and its surge.
    """
    active = [at for at, size in enumerate(sizes) if size]
    if len(active) == 1:
        return [replicas if at in active else 0 for at in range(len(sizes))]
    if room is None:
        return list(sizes)
    most = replicas + room.surge if replicas else 0
    missing = most - sum(sizes)
    # The largest takes what rounding leaves over; of equal ones the newest when growing, the oldest when shrinking.
    newest_first = -1 if missing > 0 else 1
    order = sorted(active, key=lambda at: (-sizes[at], newest_first * at))
    after, added = list(sizes), 0
    for at in order:
        share = _round(sizes[at] * most / max(1, ceiling)) - sizes[at] if replicas else -sizes[at]
        left = missing - added
        step = min(share, left) if missing > 0 else max(share, left)
        after[at] += step
        added += step
    if order:
        after[order[0]] = max(0, after[order[0]] + missing - added)
    return after


def _grown(replicas: int, room: Room, new: Share, old: Sequence[Share]) -> int:
    if new.wanted >= replicas:
        return replicas
    free = replicas + room.surge - new.wanted - sum(share.wanted for share in old)
    return new.wanted + max(0, min(free, replicas - new.wanted))


def _shrunk(replicas: int, room: Room, new: Share, old: Sequence[Share]) -> list[int]:
    """Take from the old sets what nobody misses: first their pods that are not available, then others."""
    least = replicas - room.unavailable
    sizes = [share.wanted for share in old]
    # New pods that are not available must not make more of the old ones leave.
    allowed = new.wanted + sum(sizes) - least - (new.wanted - new.available)
    if allowed <= 0:
        return sizes
    for at, share in enumerate(old):
        gone = max(0, min(allowed, share.wanted - share.available))
        sizes[at] -= gone
        allowed -= gone
    spare = new.available + sum(share.available for share in old) - least
    for at, size in enumerate(sizes):
        gone = max(0, min(size, spare))
        sizes[at] -= gone
        spare -= gone
    return sizes


def _pods(value: int | str, replicas: int) -> float:
    return int(value.removesuffix("%")) * replicas / 100 if isinstance(value, str) else value


def _round(value: float) -> int:
    return math.floor(value + 0.5)
