"""The block `limits`: how much at once, so that a stuck finger or a runaway script cannot drown the bot.

Pure. Going back and pausing know no limit.
"""

from typing import Annotated

from bot.settings.block import Block
from bot.settings.fields import whole


class LimitsBlock(Block):
    """What is refused because it is too much."""

    commands: Annotated[int, whole(1, 10_000)] = 20
    """Commands of one person about one service in a minute, of those that move a rollout forward."""
    queue: Annotated[int, whole(0, 100)] = 5
    """Rollouts that may wait behind the one that holds a target; 0: nobody waits."""
    scheduled: Annotated[int, whole(1, 10_000)] = 50
    """Rollouts that may wait for their time, for one target."""
    rollouts: Annotated[int, whole(1, 1_000_000)] = 20_000
    """Rollouts in flight, all together."""
