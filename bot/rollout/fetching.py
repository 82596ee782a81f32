"""Where another controller fetches its orders: what it told at its gates, and whether a gate opens. Pure.

Closed is the rule. A gate opens for one order of one row, at the very place that people were asked about; `rollback`
opens only while the row goes back. Asking changes nothing but that the row knows that it was asked.
"""

from dataclasses import replace

from bot.rollout.intents import same_image
from bot.rollout.part import Told
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutLed
from integrations.controller import LedState

CONFIRMS = frozenset({"confirm-rollout", "confirm-traffic-increase", "confirm-promotion"})
"""Gates that let it go on."""
ROLLBACK = "rollback"
"""The gate at which yes means: go back."""


def stop_at(gate: str, led: LedState, checksum: str) -> str:
    """Return the identity of standing at a gate: what is moved, where it is, and which of its questions that is."""
    return f"{gate}@{led.here}#{checksum}"


def told(r: Rollout, gate: str, led: LedState, checksum: str) -> Rollout:
    """Take note of a question. The same one again changes nothing, and neither does one about another movement."""
    if not (led.moving and led.movement and _ours(r, led)) or r.phase.final:
        return r
    known = r.told if r.told is not None and r.told.movement == led.movement else None
    now = known if known is not None and known.checksum == checksum else None
    now = now or Told(led.movement, checksum)
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


def opens(r: Rollout, gate: str, led: LedState, checksum: str) -> bool:
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
        return r.intent.order == "start" and led.image == r.intent.image
    stop = stop_at(gate, led, checksum)
    asked = r.phase is Phase.RUNNING and r.intent.order == "resume" and r.intent.stop == stop
    return asked and same_image(led.image, r.image)


def _ours(r: Rollout, led: LedState) -> bool:
    """Whether this is the movement of a row; before that has been seen, whether it leads to its image."""
    if r.followed is not None and r.followed.movement:
        return led.movement == r.followed.movement
    return same_image(led.image, r.image) if r.image else True


def _contradicts(r: Rollout, led: LedState, checksum: str) -> bool:
    """Whether another checksum was told for this very movement."""
    return r.told is not None and r.told.movement == led.movement and r.told.checksum != checksum
