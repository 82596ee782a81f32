"""The first turn: take the snapshot that going back restores, or refuse before anything is written. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.rollout.intents import fence_of, same_weight
from bot.rollout.seen import Seen
from bot.rollout.values import Armed, Entry, LaneMemo, Phase, Progress, Rollout
from integrations.base import Finding, Lane, LaneState


def arm(r: Rollout, seen: Seen) -> Rollout:
    """Take the snapshot that going back restores, or refuse to start. Nothing has been written yet."""
    if seen.trouble is not None and seen.trouble.final:
        return cancel(r, seen.now, seen.trouble.code, seen.trouble.sentence)
    if seen.split is None or seen.lanes is None or seen.findings is None:
        return r
    fatal = forbidding(r, seen.findings)
    if fatal:
        return cancel(r, seen.now, fatal[0].code, fatal[0].sentence)
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    refusal = _start_refused(r, seen, stable)
    if refusal is not None:
        return cancel(r, seen.now, *refusal)
    seen_counters = (fence_of(f)[0] for f in (seen.split.fence, stable.fence, canary.fence))
    armed = Armed(
        canary_weight=seen.split.canary,
        stable=LaneMemo(stable.image, stable.replicas, stable.ready),
        canary=LaneMemo(canary.image, canary.replicas, canary.ready),
        at=seen.now,
        mark=seen.split.mark,
    )
    text = f"Started: {stable.version} → {r.version}, {stable.ready} stable pods ready."
    notes = "".join(f" {f.sentence}" for f in seen.findings if not f.fatal)
    return replace(
        r,
        armed=armed,
        image=seen.image,
        from_version=stable.version,
        # A fence left by an earlier database must not lock this rollout out.
        counter=max(r.counter, *(c + 1 for c in seen_counters if c >= r.counter), r.counter),
        progress=Progress(began=seen.now),
        trouble=None,
    ).tell(
        Entry(
            "armed",
            "sluice",
            text + notes,
            event="rollout.started",
            data={"from_version": stable.version},
        )
    )


def _start_refused(r: Rollout, seen: Seen, stable: LaneState) -> tuple[str, str] | None:
    if seen.split is not None and not same_weight(seen.split.canary, 0):
        return (
            "split_not_clean",
            f"The canary already receives {seen.split.canary:g} % of the traffic, so there is no clean state"
            + " to go back to. Set the weights to 100/0 and start again.",
        )
    if stable.ready < 1 and not r.rollback_of:
        return (
            "stable_unhealthy",
            f"The stable lane has no ready pods ({stable.detail or stable.image}); a rollback would have"
            + " nowhere to go. Repair stable first.",
        )
    if stable.image == seen.image or stable.image.startswith(f"{seen.image}@"):
        return (
            "already_live",
            f"{r.version} is what already runs as stable. Name another version.",
        )
    return None


def forbidding(r: Rollout, findings: Sequence[Finding]) -> list[Finding]:
    """Return what forbids a split. Going back must not wait for the pods of the version that it leaves."""
    passed = {"subset_without_pods"} if r.rollback_of else set()
    return [f for f in findings if f.fatal and f.code not in passed]


def cancel(r: Rollout, now: datetime, code: str, sentence: str) -> Rollout:
    """End a rollout that has not written anything."""
    entry = Entry(
        "cancelled",
        "sluice",
        f"Not started: {sentence}",
        code=code,
        tell="requester",
        event="rollout.cancelled",
    )
    return replace(r, phase=Phase.CANCELLED, code=code, ended=now, trouble=None, gate=None).tell(
        entry
    )
