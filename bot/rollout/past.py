"""What was stable on a target before, read from its finished rollouts. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot.rollout.parts import standing
from bot.rollout.values import Phase, Rollout


def stable_versions(newest_first: Sequence[Rollout]) -> list[str]:
    """Return the versions that were stable, oldest first, the last one live now.

    A rollback takes what it undid off the list, so that going back twice goes back two versions.
    """
    return _walked(newest_first)[0]


def taken_back(newest_first: Sequence[Rollout]) -> dict[str, Rollout]:
    """Return the versions whose last time here ended by being taken back, with the rollout by which that was done.

    What a rollback merely passes over on its way further back did nothing wrong.
    """
    return _walked(newest_first)[1]


def _walked(newest_first: Sequence[Rollout]) -> tuple[list[str], dict[str, Rollout]]:
    """Return what was stable, and what was taken back, by going through what happened once more."""
    stack: list[str] = []
    taken: dict[str, Rollout] = {}
    for r in reversed(newest_first):
        if r.phase not in {Phase.SUCCEEDED, Phase.ROLLED_BACK}:
            continue
        if r.from_version and not r.rollback_of and stack[-1:] != [r.from_version]:
            # What a rollout found there was stable, also where nobody told Sluice how it came there.
            stack.append(r.from_version)
            taken.pop(r.from_version, None)
        if r.phase is Phase.ROLLED_BACK and not r.rollback_of and r.version != r.from_version:
            taken[r.version] = r
        if r.phase is Phase.ROLLED_BACK or not r.live_changed:
            continue
        if r.rollback_of and r.version in stack:
            live = stack[-1]
            while stack[-1] != r.version:
                stack.pop()
            if live != r.version:
                taken[live] = r
                # No way back leads there, neither to this time of it nor to an earlier one.
                stack = [one for one in stack if one != live]
        elif not stack or stack[-1] != r.version:
            stack.append(r.version)
        taken.pop(r.version, None)
    return stack, taken


def ever_stable(newest_first: Sequence[Rollout]) -> set[str]:
    """Return every version that has been stable on this target."""
    done = [r for r in newest_first if r.live_changed]
    parts = {
        part.from_version
        for r in newest_first
        for part in r.parts
        # What a flag was is no version of what it goes along with.
        if part.from_version and not (part.lanes and standing(part))
    }
    return (
        {r.version for r in done} | {r.from_version for r in newest_first if r.from_version} | parts
    )


def successors(rows: Iterable[Rollout]) -> dict[str, Rollout]:
    """Return what took the place of each rollout that was live, by its id; what is live now has nothing behind it."""
    targets: dict[str, list[Rollout]] = {}
    for r in rows:
        if r.live_changed:
            targets.setdefault(r.target, []).append(r)
    found: dict[str, Rollout] = {}
    for live in targets.values():
        live.sort(key=lambda r: r.ended or r.created)
        found |= {r.id: after for r, after in pairwise(live)}
    return found


def newest_finished(newest_first: Sequence[Rollout]) -> Rollout | None:
    """Return the newest rollout that ended with a change or with its undoing; an A/B test that A won is neither."""
    for r in newest_first:
        if r.live_changed or r.phase is Phase.ROLLED_BACK:
            return r
    return None
