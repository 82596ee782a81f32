"""Write one intent of a row to its target: the only calls that change the world.

The row with the intent is committed before anything here is called (G1), and every write carries its fence (G2).
"""

from typing import assert_never

from bot.observing import Target, header_rule
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutLed, PutWeight
from integrations.base import LaneState, RefusedError
from integrations.controller import Abort, Hold, Order, Release, Resume, Retry, Start

WRITING = frozenset({Phase.RUNNING, Phase.ROLLING_BACK, Phase.SUCCEEDED, Phase.ROLLED_BACK})
"""The phases in which intents are written; a row that has ended has one only while an old version is retired."""


def writes(r: Rollout) -> bool:
    """Whether an intent of this row is written in its phase; a hold is what pausing means where another leads."""
    holds = isinstance(r.intent, PutLed) and r.intent.order == "hold"
    return r.phase in WRITING or (r.phase is Phase.PAUSED and holds)


async def put_led(target: Target, intent: PutLed, token: str, fence: str) -> None:
    """Give the controller its order."""
    if target.controller is None:
        raise _no("controller")
    await target.controller.order(_order(intent), token=token, fence=fence)


def _order(intent: PutLed) -> Order:
    match intent.order:
        case "start":
            return Start(intent.image, intent.full)
        case "resume":
            return Resume(intent.stop)
        case "abort":
            return Abort()
        case "retry":
            return Retry()
        case "hold":
            return Hold()
        case "release":
            return Release()
        case _ as unknown:
            assert_never(unknown)


async def put_weight(target: Target, intent: PutWeight, token: str, fence: str) -> None:
    """Give the canary its weight and its audience."""
    if target.router is None:
        raise _no("router")
    rules = tuple(header_rule(rule) for rule in intent.rules)
    await target.router.write(intent.percent, token=token, fence=fence, rules=rules)


async def put_lane(target: Target, intent: PutLane, there: LaneState, fence: str) -> None:
    """Give one lane its image and its pods; what is right already is not written again."""
    if target.workload is None:
        raise _no("workload")
    await target.workload.write(
        intent.lane,
        image=intent.image if intent.image != there.image else None,
        replicas=intent.replicas if intent.replicas != there.replicas else None,
        token=there.token,
        fence=fence,
    )


async def put_fleet(target: Target, intent: PutFleet, token: str, fence: str) -> None:
    """Let instances of the one place run a version."""
    if target.fleet is None:
        raise _no("fleet")
    await target.fleet.write(
        image=intent.image,
        count=intent.count,
        replicas=intent.replicas,
        token=token,
        fence=fence,
    )


def _no(part: str) -> RefusedError:
    return RefusedError(
        f"The configuration of this target has no {part} any more, and this rollout needs it. "
        "Put the target back as it was, then `resume` or `rollback`.",
        code="target_changed",
    )
