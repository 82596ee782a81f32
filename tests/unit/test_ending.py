"""The end of a rollout where lanes swap: the old version is kept only where it still has a lane of its own."""

from datetime import timedelta

from bot.rollout.forward import succeed
from tests.fakes.rollouts import NOON, rollout


def test_what_moved_to_the_other_lane_leaves_the_old_version_behind_for_a_while():
    assert succeed(
        rollout("blue-green", lanes="swap"), NOON, kept=3600
    ).retire_at == NOON + timedelta(hours=1)


def test_what_was_replaced_in_its_place_leaves_nothing_to_keep():
    assert succeed(rollout("recreate", lanes="swap"), NOON).retire_at is None
