"""Steps and soaks of a request: what was asked for, else what is configured, never shorter than `min_soak`.

Pure. A strategy with one stage has one step of 100 percent and one soak.
"""

from bot.settings.scalars import format_duration
from bot.settings.targets import TargetBlock
from strategies import COMPILERS
from strategies.request import PlanError
from strategies.wish import Wish

Stages = tuple[tuple[float, ...], tuple[int, ...]]


def stages(wish: Wish, strategy: str, target: TargetBlock) -> Stages:
    """Return steps in percent, and one soak in seconds for each of them."""
    if strategy in COMPILERS and strategy != "canary":
        return (100.0,), (wish.soak or (_one_soak(strategy, target),))[-1:]
    return _climbing(wish, target)


def _one_soak(strategy: str, target: TargetBlock) -> int:
    own = {
        "direct": target.direct.soak,
        "recreate": target.recreate.soak,
        "blue-green": target.blue_green.soak,
    }
    return own.get(strategy) or target.canary.soak[-1]


def _climbing(wish: Wish, target: TargetBlock) -> Stages:
    steps = target.canary.steps if wish.steps is None else wish.steps
    if wish.soak is not None:
        soak = wish.soak
    elif wish.steps is None:
        soak = target.canary.soak
    else:
        # Other steps than configured: the soaks of the file no longer belong to them, the longest is the safe one.
        soak = (max(target.canary.soak),)
    if steps and steps[-1] < 100:
        steps = (*steps, 100.0)
        soak = soak if len(soak) == 1 else (*soak, soak[-1])
    if len(soak) == 1:
        soak = soak * len(steps)
    if len(soak) == len(steps) - 1:
        # One per given step; a last step of 100 that was added repeats the last one.
        soak = (*soak, soak[-1])
    if len(soak) != len(steps):
        raise PlanError(
            f"There are {len(soak)} soaks for {len(steps)} steps; give one soak for all, or one per step.",
            code="bad_value",
            key=wish.key("soak", "step-duration"),
        )
    return steps, soak


def shortest(wish: Wish, target: TargetBlock) -> int:
    """Return how many seconds each stage is watched at least, by the file or by the request."""
    return max(target.min_soak or 0, wish.min_soak or 0)


def raised(seconds: int, least: int, *, asked: bool, key: str) -> int:
    """Return seconds, or `least` where that is more. Raises `PlanError` for a shorter time that was asked for."""
    if asked and seconds < least:
        raise PlanError(
            f"{format_duration(seconds)} is shorter than {format_duration(least)}, the least that each stage "
            f"is watched here (min_soak). Give {format_duration(least)} or more.",
            code="soak_too_short",
            key=key,
        )
    return max(seconds, least)
