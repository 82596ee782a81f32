"""The first turn: take the snapshot that going back restores, or refuse before anything is written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.rollout.intents import fence_of, same_image, same_weight
from bot.rollout.part import Armed, LaneMemo, Progress
from bot.rollout.seen import Seen
from bot.rollout.values import Entry, Phase, Rollout
from integrations.base import Finding, FleetState, Lane, LaneState, Split
from strategies.plan import Rule

_MERE_ROLLBACK = {"subset_without_pods", "rollback_forbidden", "rollback_impossible"}
"""What keeps no rollback of an earlier rollout from being tried."""


def arm(r: Rollout, seen: Seen) -> Rollout:
    """Take the snapshot that going back restores, or refuse to start. Nothing has been written yet."""
    if seen.trouble is not None and seen.trouble.final:
        return cancel(r, seen.now, seen.trouble.code, seen.trouble.sentence)
    if seen.findings is None:
        return r
    fatal = forbidding(r, seen.findings)
    if fatal:
        return cancel(r, seen.now, fatal[0].code, fatal[0].sentence)
    if r.lanes == "one":
        return r if seen.fleet is None else _arm_fleet(r, seen, seen.fleet)
    if seen.split is None or seen.lanes is None:
        return r
    return _arm_lanes(r, seen, seen.split, seen.lanes)


def _arm_lanes(r: Rollout, seen: Seen, split: Split, lanes: Mapping[Lane, LaneState]) -> Rollout:
    stable, canary = lanes[Lane.STABLE], lanes[Lane.CANARY]
    refusal = _start_refused(r, seen, stable)
    if refusal is not None:
        return cancel(r, seen.now, *refusal)
    armed = Armed(
        canary_weight=split.canary,
        stable=LaneMemo(
            stable.image, stable.replicas, stable.ready, stable.counted, stable.standing
        ),
        canary=LaneMemo(canary.image, canary.replicas, canary.ready, canary.counted),
        at=seen.now,
        mark=split.mark,
        live=seen.live,
        cut=bool(split.cut),
        among=split.among,
    )
    # Routes that an earlier rollout left behind: the first write takes them away.
    left = tuple(Rule(x.header, x.equals, x.regex, x.present) for x in split.rules)
    ready = f"{stable.ready} stable pods ready" if stable.counted else "stable is ready"
    text = f"Started: {stable.version} → {r.version}, {ready}."
    if stable.standing:
        text = f"Started: the flag goes from {stable.version} to {r.version}."
    fences = (split.fence, stable.fence, canary.fence)
    return _armed(replace(r, audience=left), seen, armed, stable.version, fences, text)


def _arm_fleet(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    refusal = _fleet_refused(r, seen, fleet)
    if refusal is not None:
        return cancel(r, seen.now, *refusal)
    there = LaneMemo(fleet.image, fleet.total, fleet.ready)
    armed = Armed(0.0, there, LaneMemo("", 0, 0), seen.now, mark=fleet.mark)
    text = (
        f"Started: {fleet.version} → {r.version}, {fleet.ready} of {fleet.total} instances ready."
    )
    return _armed(r, seen, armed, fleet.version, (fleet.fence,), text)


def _armed(
    r: Rollout, seen: Seen, armed: Armed, version: str, fences: Sequence[str], text: str
) -> Rollout:
    """Return the row with its snapshot; `version` is what is live, `fences` are those found on the objects."""
    # A fence left by an earlier database must not lock this rollout out.
    counters = [fence_of(fence)[0] + 1 for fence in fences if fence_of(fence)[0] >= r.counter]
    entry = Entry(
        "armed",
        "sluice",
        text + remarks(seen.findings or ()),
        event="rollout.started",
        data={"from_version": version},
    )
    return replace(
        r,
        armed=armed,
        image=seen.image,
        from_version=version,
        counter=max([r.counter, *counters]),
        progress=Progress(began=seen.now),
        trouble=None,
    ).tell(entry)


def remarks(findings: Sequence[Finding]) -> str:
    """Return what a preflight noticed besides, to stand behind a sentence."""
    return "".join(f" {finding.sentence}" for finding in findings if not finding.fatal)


def _fleet_refused(r: Rollout, seen: Seen, fleet: FleetState) -> tuple[str, str] | None:
    if fleet.old > 0:
        return (
            "split_not_clean",
            f"{fleet.old} instances still run another version than {fleet.version}, so there is no clean state to go"
            + " back to. Let that movement end, then start again.",
        )
    if fleet.ready < 1 and not r.rollback_of:
        return (
            "stable_unhealthy",
            f"None of the {fleet.total} instances is ready ({fleet.detail or fleet.image}); a rollback would have"
            + " nowhere to go. Repair them first.",
        )
    if same_image(fleet.image, seen.image):
        return ("already_live", f"{r.version} is what already runs. Name another version.")
    return None


def _start_refused(r: Rollout, seen: Seen, stable: LaneState) -> tuple[str, str] | None:
    if seen.split is not None and not same_weight(seen.split.canary, 0):
        if stable.standing:
            return (
                "split_not_clean",
                "The flag is neither on nor off for everybody, so there is no clean state to go back to. Give it 0 or"
                + " 100 % and start again.",
            )
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
    if same_image(stable.image, seen.image):
        return (
            "already_live",
            f"{r.version} is what already runs as stable. Name another version.",
        )
    return None


def forbidding(r: Rollout, findings: Sequence[Finding]) -> list[Finding]:
    """Return what forbids a split. Going back waits neither for the pods that it leaves nor for a way to undo it."""
    passed = _MERE_ROLLBACK if r.rollback_of else set()
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
