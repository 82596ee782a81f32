"""The least that every stage is watched for, the way back of every shape, and the advice beside a plan."""

import pytest

from bot.grammar import parse_line
from bot.planning import advice_for, lanes_for, plan_for, rollback_plan
from bot.settings.check import read_config
from strategies.plan import (
    Soak,
)
from strategies.request import PlanError
from tests.unit.planning_shapes import CONF, CONFIG, KNOWN, wished

# ---- the least that is watched -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "durations"),
    [
        ("pair v2", [600, 600, 600]),
        ("pair v2 soak=20m", [1200, 1200, 1200]),
        ("pair v2 strategy=direct", [600]),
        ("pair v2 strategy=rolling", [600]),
    ],
)
def test_no_stage_is_watched_for_less_than_configured(words, durations):
    config = read_config(CONFIG.replace("smoke:", "min_soak: 10m\n      smoke:"), "f")
    found = plan_for(parse_line(f"deploy {words}", KNOWN), config)

    assert [step.duration for step in found.steps if isinstance(step, Soak)] == durations


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("pair v2 soak=5m", "soak"),
        ("pair v2 strategy=rolling batch-delay=5m", "batch-delay"),
        ("pair v2 strategy=ab-test test-duration=5m", "test-duration"),
    ],
)
def test_a_shorter_time_that_was_asked_for_is_refused(words, key):
    config = read_config(CONFIG.replace("smoke:", "min_soak: 10m\n      smoke:"), "f")
    with pytest.raises(PlanError) as caught:
        plan_for(parse_line(f"deploy {words}", KNOWN), config)

    assert (caught.value.code, caught.value.key) == ("soak_too_short", key)


def test_a_wish_for_longer_stages_raises_them_and_says_so():
    found = wished(environment="production", min_soak=900)

    assert {step.duration for step in found.steps if isinstance(step, Soak)} == {900}
    assert any("watched for 15m (min_soak)" in warning for warning in found.warnings)


# ---- around it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "lanes", "steps"),
    [
        ("pair", "fixed", ["Prepare", "Switch", "Promote"]),
        ("colours", "swap", ["Prepare", "Switch", "Promote"]),
        ("alone", "one", ["Batch"]),
    ],
)
def test_the_way_back_fits_the_shape_of_the_target(service, lanes, steps):
    assert lanes_for(service, "qa", CONF) == lanes
    found = rollback_plan(service, "qa", "v1", lanes)

    assert [type(step).__name__ for step in found.steps] == steps


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pair v2", "The plan is canary, and the guide to strategies would take it too"),
        ("pair v2 confidence=high", "would take blue-green because the confidence"),
        ("pair v2 to staging", "would take direct because this is not production"),
    ],
)
def test_advice_listens_to_the_environment_and_to_the_confidence(words, said):
    deploy = parse_line(f"deploy {words}", KNOWN)

    assert said in advice_for(deploy, plan_for(deploy, CONF), CONF)
