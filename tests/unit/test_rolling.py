"""The simulated Deployment controller counts as Kubernetes' own does.

The tables were worked out by hand from `rolling.go`, `sync.go` and `deployment_util.go` of Kubernetes 1.28.
"""

import pytest

from bot.sandbox.rolling import Room, Share, resized, rolled, room_of


@pytest.mark.parametrize(
    ("strategy", "replicas", "room"),
    [
        ({}, 4, Room(1, 1)),
        ({}, 1, Room(1, 0)),
        ({}, 10, Room(3, 2)),
        ({"type": "RollingUpdate"}, 8, Room(2, 2)),
        ({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}, 10, Room(2, 1)),
        ({"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "1%"}}, 2, Room(0, 1)),
        ({"rollingUpdate": {"maxSurge": "1%", "maxUnavailable": "0%"}}, 1, Room(1, 0)),
        ({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 99}}, 6, Room(0, 6)),
        ({"type": "Recreate"}, 6, None),
    ],
)
def test_percentages_round_up_for_surge_and_down_for_what_may_be_missing(strategy, replicas, room):
    assert room_of(strategy, replicas) == room


@pytest.mark.parametrize(
    ("replicas", "room", "new", "old", "sizes"),
    [
        # surge first, then as many old ones leave as may be missing
        (10, Room(3, 2), Share(0, 0), [Share(10, 10)], [3, 10]),
        (10, Room(3, 2), Share(3, 0), [Share(10, 10)], [3, 8]),
        (10, Room(3, 2), Share(3, 0), [Share(8, 8)], [5, 8]),
        (10, Room(3, 2), Share(5, 0), [Share(8, 8)], [5, 8]),
        (10, Room(3, 2), Share(5, 5), [Share(8, 8)], [5, 3]),
        (10, Room(3, 2), Share(10, 8), [Share(3, 3)], [10, 0]),
        (10, Room(3, 2), Share(10, 10), [Share(0, 0)], [10, 0]),
        # case 1 of the comment in rolling.go: new ones that never get available take no more old ones with them
        (10, Room(3, 2), Share(5, 0), [Share(8, 7)], [5, 8]),
        # and back: the broken ones leave
        (10, Room(3, 2), Share(8, 7), [Share(5, 0)], [8, 1]),
        # case 2: a third version while the second is broken
        (10, Room(3, 2), Share(0, 0), [Share(8, 8), Share(5, 0)], [0, 8, 0]),
        # no surge: room is used up by new ones that are not available
        (6, Room(0, 2), Share(0, 0), [Share(6, 6)], [0, 4]),
        (6, Room(0, 2), Share(0, 0), [Share(4, 4)], [2, 4]),
        (6, Room(0, 2), Share(2, 0), [Share(4, 4)], [2, 4]),
        (6, Room(0, 3), Share(2, 0), [Share(4, 4)], [2, 3]),
        # old ones that are not available are no reason to lose more
        (6, Room(0, 2), Share(0, 0), [Share(6, 3)], [0, 4]),
        (6, Room(0, 2), Share(2, 0), [Share(4, 0)], [2, 4]),
        # too many of the new one
        (3, Room(1, 1), Share(5, 5), [Share(2, 2)], [3, 2]),
        # Recreate: first nobody, then everybody
        (4, None, Share(0, 0), [Share(4, 4)], [0, 0]),
        (4, None, Share(0, 0), [Share(0, 0)], [4, 0]),
    ],
)
def test_one_pass_goes_as_far_as_the_strategy_lets_it(replicas, room, new, old, sizes):
    assert rolled(replicas, room, new, old) == sizes


@pytest.mark.parametrize(
    ("replicas", "room", "ceiling", "before", "after"),
    [
        (6, Room(2, 1), 5, [4], [6]),
        (6, None, 4, [0, 4], [0, 6]),
        (0, Room(0, 0), 5, [3, 2], [0, 0]),
        # 10 -> 15 with 3 + 3 more: both grow by their share, the larger takes what rounding leaves
        (15, Room(3, 3), 13, [8, 5], [11, 7]),
        (5, Room(2, 1), 13, [8, 5], [4, 3]),
        (5, None, 13, [8, 5], [8, 5]),
    ],
)
def test_another_number_of_pods_is_shared_out(replicas, room, ceiling, before, after):
    assert resized(replicas, room, ceiling, before) == after
