"""The way home where another controller moves the traffic: it is told to abort, until it says that all is home. Pure.

What cannot be aborted any more is asked for by its image; what somebody else asked for meanwhile is left alone.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.back import rolled_back
from bot.rollout.following import ordered, superseded
from bot.rollout.intents import intent_state, is_ours, same_image, unwritten
from bot.rollout.outages import PATIENCE
from bot.rollout.part import Followed
from bot.rollout.seen import Seen
from bot.rollout.stuck import ask, keep_trying, page_if_silent
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLed
from integrations.controller import LedState

_ANSWERED = timedelta(seconds=15)
"""After a decision to go back: how long a yes that was given before may still be on its way to who asked for it."""

_GONE = {"rollout_missing", "canary_missing", "target_not_configured"}
"""There is nothing left that could be told to abort."""


def go_home(r: Rollout, seen: Seen) -> Rollout:
    """Take the next step back: the controller is told to abort until it says that all traffic is home."""
    armed, led = r.armed, seen.led
    assert armed is not None
    if seen.trouble is not None:
        return _gone(keep_trying(r, seen.trouble), seen)
    if led is None:
        return r
    if r.trouble is not None and r.trouble.tries > 0 and not unwritten(r, seen):
        r = replace(r, trouble=None)
    if not isinstance(r.intent, PutLed):
        return ordered(r, seen.now, "abort")
    state, home = intent_state(r, seen), same_image(led.image, armed.stable.image)
    if r.intent.order == "start" and state == "drift" and led.image:
        return superseded(r, seen, led)
    if r.intent.order == "start":
        there = home and led.phase == "healthy" and bool(led.movement)
        return _home(r, seen, led) if there else page_if_silent(r, seen)
    if state == "applied" and led.parked and seen.now - r.intent.at < _ANSWERED:
        return r
    if state == "applied":
        return _home(r, seen, led)
    if state != "drift":
        return page_if_silent(r, seen)
    return (
        _became_stable(r, seen, led, armed.stable.image)
        if is_ours(r, led)
        else superseded(r, seen, led)
    )


def _gone(r: Rollout, seen: Seen) -> Rollout:
    """Ask about a target that is not there any more, once that has lasted."""
    trouble = r.trouble
    if trouble is None or trouble.code not in _GONE or seen.now - trouble.since <= PATIENCE:
        return r
    text = (
        f"{r.service} cannot be brought back: {trouble.sentence} "
        "`resume` tries again; or see that nobody has the new version, then `resolve`."
    )
    return ask(r, seen, trouble.code, text)


def _became_stable(r: Rollout, seen: Seen, led: LedState, before: str) -> Rollout:
    """Ask for the image from before, because there is nothing left to abort."""
    if same_image(led.image, before):
        text = (
            f"Another configuration of {r.version} became stable meanwhile, and only an image can be asked for here. "
            "Take that change back where it was made, then `resolve`."
        )
        return ask(r, seen, code="cannot_ask_back", text=text)
    text = f"{r.version} became stable meanwhile; the controller is asked for {r.from_version}."
    back = ordered(r, seen.now, "start", image=before, before=led.image, full=True)
    return back.tell(Entry("asked_for", "sluice", text))


def _home(r: Rollout, seen: Seen, led: LedState) -> Rollout:
    assert r.back is not None
    seconds = int((seen.now - r.back.at).total_seconds())
    how = "automatically" if r.back.automatic else f"by {r.back.actor}"
    why = f": {r.back.reason}" if r.back.reason else ""
    still = ""
    if is_ours(r, led) and r.version == r.from_version:
        still = " The change of its configuration is still asked for: take it back, or a sync may begin it again."
    elif same_image(led.image, r.image):
        still = (
            f" What is asked for (and Git, where it applies it) still names {r.version}: set it back to "
            f"{r.from_version}, or a sync may begin it again."
        )
    text = (
        f"Rolled back {r.service} {r.version} → {r.from_version} in {r.environment} {how} from {r.back.weight:g} %"
        f"{why}. All traffic is on {r.from_version}, read back {seconds} s after the decision.{still}"
    )
    home = replace(
        r,
        weight=0.0,
        weight_at=seen.now,
        back=replace(r.back, home=seen.now),
        # Parked where it is, it must not be taken for something that has just begun.
        followed=replace(r.followed or Followed(led.movement), run=led.run),
    )
    return rolled_back(home, seen, text)
