"""Where two lanes share the traffic, every batch is a weight that a router can carry, and enough pods for it."""

from dataclasses import replace
from math import ceil

import pytest

from bot.rollout.batching import goal
from bot.rollout.weighing import pods_for
from strategies.fitting import is_weight
from strategies.plan import Batch
from tests.fakes.rollouts import armed, rollout


def weights(batch: Batch, instances: int) -> list[float]:
    """The weights that a whole rollout goes through."""
    row = rollout("rolling", armed=armed(instances=instances))
    found: list[float] = []
    while row.batch_began < 100:
        row = replace(row, batch_began=goal(row, batch))
        found.append(row.batch_began)
        assert len(found) <= 10_000, "it never ends"
    return found


@pytest.mark.parametrize("instances", [1, 2, 3, 6, 7, 9, 12, 100, 333])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_number_of_instances_is_that_many_pods_each_time(instances, size):
    row = rollout("rolling", armed=armed(instances=instances))
    found = weights(Batch(size), instances)

    assert all(is_weight(one) for one in found)
    assert len(found) == ceil(instances / size)
    assert [pods_for(row, one) for one in found] == [
        min(instances, size * n) for n in range(1, len(found) + 1)
    ]


@pytest.mark.parametrize(("percent", "batches"), [("14.3%", 7), ("0.1%", 1000), ("12.345%", 9)])
def test_percent_add_up_without_a_rest(percent, batches):
    found = weights(Batch(percent), 8)

    assert all(is_weight(one) for one in found)
    assert (len(found), found[-1]) == (batches, 100)


@pytest.mark.parametrize(("batch", "instances"), [("0.001%", 8), (1, 50_000)])
def test_a_batch_too_small_for_any_weight_moves_something_all_the_same(batch, instances):
    assert weights(Batch(batch), instances)[-1] == 100
