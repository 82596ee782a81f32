"""What was stable on a target before, read from its finished rollouts. Pure."""

from collections.abc import Sequence

from bot.rollout.parts import standing
from bot.rollout.values import Phase, Rollout


def stable_versions(newest_first: Sequence[Rollout]) -> list[str]:
    """Return the versions that were stable, oldest first, the last one live now.

    A rollback takes what it undid off the list, so that going back twice goes back two versions.
    """
    stack: list[str] = []
    for r in reversed(newest_first):
        if r.phase not in {Phase.SUCCEEDED, Phase.ROLLED_BACK}:
            continue
        if r.from_version and not r.rollback_of and stack[-1:] != [r.from_version]:
            # What a rollout found there was stable, also where nobody told Sluice how it came there.
            stack.append(r.from_version)
        if r.phase is Phase.ROLLED_BACK or not r.live_changed:
            continue
        if r.rollback_of and r.version in stack:
            while stack[-1] != r.version:
                stack.pop()
        elif not stack or stack[-1] != r.version:
            stack.append(r.version)
    return stack


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


def newest_finished(newest_first: Sequence[Rollout]) -> Rollout | None:
    """Return the newest rollout that ended with a change or with its undoing; an A/B test that A won is neither."""
    for r in newest_first:
        if r.live_changed or r.phase is Phase.ROLLED_BACK:
            return r
    return None
