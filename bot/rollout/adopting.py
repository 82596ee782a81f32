"""The first turn where another controller leads: note what serves, adopt what moves already, or refuse. Pure."""

from dataclasses import replace

from bot.rollout.intents import fence_of, same_image
from bot.rollout.outages import PATIENCE
from bot.rollout.part import Armed, LaneMemo, Progress
from bot.rollout.seen import Seen
from bot.rollout.starting import cancel, forbidding, remarks
from bot.rollout.values import Entry, Rollout
from integrations.base import version_of
from integrations.controller import LedState


def arm(r: Rollout, seen: Seen) -> Rollout:
    """Take note of what serves now, or refuse. A movement to our version that is under way already is adopted."""
    led = seen.led
    if seen.findings is None or led is None:
        return r
    fatal = forbidding(r, seen.findings)
    if fatal:
        return cancel(r, seen.now, fatal[0].code, fatal[0].sentence)
    if not led.movement:
        late = seen.now - r.created > PATIENCE
        return cancel(r, seen.now, "controller_silent", silent(led)) if late else r
    refusal = _refused(r, seen, led)
    if refusal is not None:
        return cancel(r, seen.now, *refusal)
    armed = Armed(
        canary_weight=0.0,
        stable=LaneMemo(led.stable, 0, 0, counted=False),
        # What was asked for when it was armed: any other image that is neither this nor ours is somebody's push.
        canary=LaneMemo(led.image, 0, 0, counted=False),
        at=seen.now,
        mark=led.mark,
        base=led.base,
    )
    before = version_of(led.stable)
    adopted = same_image(led.image, seen.image) and led.moving
    how = f"adopted under way, {led.progress or 'at its beginning'}" if adopted else "started"
    return replace(
        r,
        armed=armed,
        image=seen.image,
        from_version=before,
        counter=max(r.counter, fence_of(led.fence)[0] + 1),
        progress=Progress(began=seen.now),
        trouble=None,
    ).tell(
        Entry(
            "armed",
            "sluice",
            f"{how[:1].upper()}{how[1:]}: {before} → {r.version}.{remarks(seen.findings)}",
            event="rollout.started",
            data={"from_version": before, "adopted": adopted},
        )
    )


def _refused(r: Rollout, seen: Seen, led: LedState) -> tuple[str, str] | None:
    ours = same_image(led.image, seen.image)
    if ours and led.phase == "healthy":
        return ("already_live", f"{r.version} is what already runs. Name another version.")
    if not led.stable:
        return (
            "stable_unknown",
            "Which version is stable cannot be told, so a rollback would have nowhere to go. Let a first"
            + " version be healthy, then start again.",
        )
    if led.moving and not ours and not r.rollback_of and not led.parked:
        return (
            "movement_under_way",
            f"{led.version} is on its way there already ({led.progress or led.phase}). Let that end, or abort"
            + " it, then start again.",
        )
    if led.phase == "degraded" and not led.aborted and not r.rollback_of:
        return (
            "stable_unhealthy",
            f"The controller calls the target degraded ({led.detail}). Repair it, then start again.",
        )
    return None


def silent(led: LedState) -> str:
    """Return what is said of a controller that does not look at what it is asked for."""
    return (
        f"The controller has not looked at {led.version} for 5 minutes, so nothing moves. "
        "Look whether it runs; it goes on by itself then."
    )
