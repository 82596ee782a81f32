"""What a router can carry and what a check can ever see: said when the plan is made, not in the middle of a rollout."""

import pytest

from strategies.plan import Batch, Check, SetWeight
from tests.unit.planning_shapes import plan, refused, wished


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("pair v2 strategy=canary steps=33.333", "steps"),
        ("pair v2 strategy=canary traffic-steps=0.001,50", "traffic-steps"),
        ("pair v2 strategy=canary keep-baseline=0.125", "keep-baseline"),
        ("pair v2 strategy=ab-test split=66.667/33.333", "split"),
    ],
)
def test_a_weight_that_no_router_can_carry_is_refused_before_anything_runs(words, key):
    assert refused(words) == ("weights_unreachable", key)


def test_one_deployment_has_no_weights_to_carry():
    batches = [
        step.instances
        for step in plan("alone v2 strategy=canary steps=33.333").steps
        if isinstance(step, Batch)
    ]

    assert batches == ["33.333%", "66.667%"]


def test_what_is_kept_of_a_baseline_is_a_weight_to_the_last_digit():
    found = plan("pair v2 strategy=canary steps=50 keep-baseline=8.04")

    assert [step.percent for step in found.steps if isinstance(step, SetWeight)] == [50, 91.96, 100]


@pytest.mark.parametrize(("failures", "said"), [(10, False), (11, True)])
def test_a_check_that_needs_more_looks_than_a_soak_has_is_warned_about(failures, said):
    check = Check("error_rate", above=5, failures=failures, of=50)
    found = wished(strategy="canary", soak=(60,), checks=(check,))

    assert any("error_rate never acts in a soak of 60 s" in w for w in found.warnings) is said


def test_a_check_of_what_the_template_does_not_measure_is_warned_about():
    found = wished(checks=(Check("cold_start_rate", above=50, then="warn"),))

    assert any(w.startswith("cold_start_rate has no numbers here") for w in found.warnings)
