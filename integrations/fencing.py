"""Which of two writes is the later one: every write carries a fence, `<counter of the target>.<revision>`.

Pure. A fence only ever grows, so that a write which lands late cannot undo a newer one.
"""

import re

from integrations.base import RefusedError


def parse_fence(fence: str) -> tuple[int, int] | None:
    """Return a fence as numbers that can be compared; None for what is none."""
    found = re.fullmatch(r"(\d{1,18})\.(\d{1,18})", fence, flags=re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def refuse_newer(
    found: str, ours: str, what: str, *, where: str = "the annotation sluice/fence"
) -> None:
    """Raise `RefusedError` (`fenced`) when the object already carries a newer fence than ours.

    `where` says what carries the fence. An equal fence is our own earlier attempt. A fence that somebody scribbled over
    counts as none: it must never be what keeps a rollback from going through.
    """
    mine = parse_fence(ours)
    if mine is None:
        raise ValueError(f"not a fence: {ours!r}")
    theirs = parse_fence(found)
    if theirs is not None and theirs > mine:
        raise RefusedError(
            f"A newer decision ({found}) is already on {what}; this one ({ours}) is dropped. If nobody else rolls "
            f"this service out, remove {where} from it, and it goes on.",
            code="fenced",
        )


def is_newer(one: str, other: str) -> bool:
    """Say whether a fence is newer than another; what is none is older than all."""
    return (parse_fence(one) or (0, 0)) > (parse_fence(other) or (0, 0))


def fence_after(found: str) -> str:
    """Return a fence that a later write could carry, for a write that is only tried."""
    counter, revision = parse_fence(found) or (0, 0)
    return f"{counter}.{revision + 1}"
