"""Where another controller fetches its orders: what it told at its gates, and whether a gate opens. Pure.

Closed is the rule. A gate opens for one order of one row, at the very place that people were asked about; `rollback`
opens only while the row goes back. Asking changes nothing but that the row knows that it was asked.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.intents import same_image
from bot.rollout.part import Told
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutLed
from integrations.controller import LedState
from strategies.plan import Approve, Follow

CONFIRMS = frozenset({"confirm-rollout", "confirm-traffic-increase", "confirm-promotion"})
"""Gates that let it go on."""
PATIENCE = timedelta(minutes=5)
"""How long a yes may lie there before people are told that nobody comes for it."""
ROLLBACK = "rollback"
"""The gate at which yes means: go back."""


def stop_at(gate: str, led: LedState, checksum: str) -> str:
    """Return the identity of standing at a gate: what is moved, where it is, and which of its questions that is."""
    return f"{gate}@{led.here}#{checksum}"


def told(r: Rollout, gate: str, led: LedState, checksum: str) -> Rollout:
    """Take note of a question. The same one again changes nothing, and neither does one about another movement."""
    if not (led.moving and led.movement and _expected(r, led)) or r.phase.final:
        return r
    if r.told is not None and _contradicts(r, led, checksum):
        return _warned(r, r.told)
    known = r.told if r.told is not None and r.told.movement == led.movement else None
    now = known or Told(led.movement, checksum)
    if gate in CONFIRMS:
        now = replace(now, gate=gate, here=led.here, stop=stop_at(gate, led, checksum))
    return r if now == r.told else replace(r, told=now)


def at_gate(r: Rollout, led: LedState) -> LedState:
    """Return how it stands, with the gate that it stands at: that is not in the object, only in what it told."""
    mine = r.told
    if not led.fetches or led.stop or mine is None or mine.gate not in led.questions:
        return led
    if not led.moving or mine.here != led.here:
        return led
    asks = led.questions[mine.gate]
    return replace(led, phase="paused", stop=mine.stop, asks=asks.asks, goal=asks.goal)


def _warned(r: Rollout, known: Told) -> Rollout:
    """Say once that another name is used for what moves: a movement keeps the one that it was told by first."""
    if known.strange:
        return r
    text = (
        f"Somebody else asks at the gates of {r.service} in {r.environment} too: the checksum is not that of this "
        "movement, so the answer is no. Look whether a Flagger of another cluster has these webhooks."
    )
    return replace(r, told=replace(known, strange=True)).tell(
        Entry("strange_question", "sluice", text)
    )


def opens(r: Rollout, gate: str, led: LedState, checksum: str, now: datetime) -> bool:
    """Whether the answer at a gate is yes; `r` is the row before this question."""
    if not isinstance(r.intent, PutLed) or not led.moving or led.held:
        return False
    if gate == ROLLBACK:
        back = r.phase is Phase.ROLLING_BACK and r.intent.order == "abort"
        return back and _ours(r, led) and not _contradicts(r, led, checksum)
    if gate not in CONFIRMS:
        return False
    if r.phase is Phase.ROLLING_BACK:
        # The new version became stable meanwhile, and the old one is let through all of Flagger's gates.
        brought = r.intent.order == "start" and bool(led.movement) and _brought(r, led)
        return brought and not _contradicts(r, led, checksum)
    stop = stop_at(gate, led, checksum)
    asked = r.phase is Phase.RUNNING and r.intent.order == "resume" and r.intent.stop == stop
    return asked and now < _ends(r, r.intent) and same_image(led.image, r.image)


def uncollected(r: Rollout, led: LedState, now: datetime) -> Rollout:
    """Say once that nobody comes for a yes; it ends like the question that it answered did."""
    yes = r.intent
    if not isinstance(yes, PutLed) or yes.order != "resume" or not led.fetches or led.held:
        return r
    if now >= _ends(r, yes):
        text = (
            "Nobody came for the answer in time: the yes has ended, and a fresh question follows."
        )
        return replace(r, intent=None).tell(Entry("yes_ended", "sluice", text))
    if yes.missed or now - yes.at <= PATIENCE:
        return r
    text = (
        f"The controller of {r.service} in {r.environment} has not come for the answer for 5 minutes, so nothing "
        "moves. Look whether it runs and reaches this bot; the answer is kept."
    )
    return replace(r, intent=replace(yes, missed=True)).tell(
        Entry("not_collected", "sluice", text, code="controller_silent", tell="broadcast")
    )


def _ends(r: Rollout, yes: PutLed) -> datetime:
    """Return when a yes that was not collected is one no longer."""
    step = r.step if isinstance(r.step, Approve | Follow) else None
    return yes.at + timedelta(seconds=step.expires if step else r.rules.gate_expires)


def _expected(r: Rollout, led: LedState) -> bool:
    """Whether this is what the row moves: its version, or on the way home what was asked for behind it."""
    homing = isinstance(r.intent, PutLed) and r.intent.order == "start"
    return _brought(r, led) if r.phase is Phase.ROLLING_BACK and homing else _ours(r, led)


def _brought(r: Rollout, led: LedState) -> bool:
    """Whether this movement is the one that the start on the way home made: its template, and no later one."""
    assert isinstance(r.intent, PutLed)
    before = r.followed.movement if r.followed is not None else ""
    learnt = r.told.movement if r.told is not None else before
    fits = led.movement != before and learnt in {before, led.movement}
    return fits and not led.edited and led.image == r.intent.image


def _ours(r: Rollout, led: LedState) -> bool:
    """Whether this is the movement of a row; before that has been seen, whether it leads to its image."""
    if r.followed is not None and r.followed.movement:
        return led.movement == r.followed.movement
    return same_image(led.image, r.image) if r.image else True


def _contradicts(r: Rollout, led: LedState, checksum: str) -> bool:
    """Whether another checksum was told for this very movement."""
    return r.told is not None and r.told.movement == led.movement and r.told.checksum != checksum
