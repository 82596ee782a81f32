"""How much traffic a stage will see, and for which of them that is too little for a verdict."""

import pytest

from bot.commands.cautions import thin_stages
from strategies.plan import (
    Batch,
    Compare,
    Plan,
    Prepare,
    Promote,
    Replace,
    SetWeight,
    Smoke,
    Soak,
    Switch,
    Yardstick,
)


def thin(rps: float, *steps) -> list[str]:
    return list(thin_stages(Plan("app", "production", "v2", "canary", steps), rps))


def soak(seconds: int, least: int = 1000) -> Soak:
    return Soak(seconds, min_requests=least)


def test_a_stage_with_too_little_traffic_is_named_with_the_time_that_it_would_take():
    steps = (SetWeight(5), soak(300), SetWeight(50), soak(300), SetWeight(100), soak(300))

    assert thin(10, *steps) == [
        "At 5 % about 150 requests are to be expected in 5m, and a conclusion takes 1000: that would be 34m."
    ]
    assert len(thin(5, *steps)) == 2
    assert thin(100, *steps) == []


def test_without_traffic_no_check_can_conclude_anything():
    assert thin(0, SetWeight(50), soak(300)) == [
        "At 50 % no requests are to be expected: no check can come to a conclusion."
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((Switch(), soak(60)), ["At 100 %"]),
        ((Replace(), soak(60)), ["At 100 %"]),
        ((Batch("10%"), soak(60), Batch("40%"), soak(60)), ["At 10 %", "At 50 %"]),
        ((Batch(2, total=8), soak(60)), ["At 25 %"]),
        ((Batch(2), soak(60)), []),
        ((Prepare(), Smoke(duration=60), Promote()), []),
        ((SetWeight(70), Compare((Yardstick("rps"),), 60)), ["At 30 %"]),
    ],
)
def test_every_kind_of_stage_has_its_share_of_the_traffic(steps, said):
    assert [sentence.partition(" %")[0] + " %" for sentence in thin(0.1, *steps)] == said
