"""Both decision trees, what happens where they disagree, and the comparison with what was chosen."""

import pytest

from strategies.advice import Case, advise
from strategies.fitting import misfit, nearest


def case(**changes) -> Case:
    return Case(**{"production": True, "instances": 12, **changes})


@pytest.mark.parametrize(
    ("changes", "mesh", "functions", "taken"),
    [
        ({"production": False}, "direct", "direct", "direct"),
        ({"production": False, "critical": True, "instances": 500}, "direct", "direct", "direct"),
        ({"production": False, "comparing": True}, "direct", "ab-test", "ab-test"),
        ({}, "canary", "canary", "canary"),
        ({"instances": None}, "canary", "canary", "canary"),
        ({"instances": 99}, "canary", "canary", "canary"),
        ({"instances": 100}, "rolling", "rolling", "rolling"),
        ({"instances": 100, "comparing": True}, "rolling", "ab-test", "ab-test"),
        ({"comparing": True}, "ab-test", "ab-test", "ab-test"),
        ({"confidence": "high"}, "blue-green", "canary", "blue-green"),
        ({"confidence": "low"}, "canary", "canary", "canary"),
        ({"critical": True}, "canary", "blue-green", "blue-green"),
        ({"critical": True, "confidence": "high"}, "blue-green", "blue-green", "blue-green"),
        ({"critical": True, "confidence": "low"}, "canary", "blue-green", "canary"),
        ({"critical": True, "instances": 100}, "rolling", "blue-green", "blue-green"),
        ({"critical": True, "instances": 100, "confidence": "low"}, "rolling", "blue-green", "rolling"),
    ],
)  # fmt: skip
def test_what_the_trees_take(changes, mesh, functions, taken):
    advice = advise(case(**changes), "canary")
    assert (advice.mesh.strategy, advice.functions.strategy, advice.strategy) == (
        mesh,
        functions,
        taken,
    )
    assert ("The guide has two answers" in advice.text) is (mesh != functions)


def test_the_chosen_strategy_is_compared():
    advice = advise(case(critical=True), "canary")
    compared, disagreement = advice.sentences
    assert compared == (
        "The plan is canary; the guide to strategies would take blue-green because the service is critical and instant "
        "rollback matters."
    )
    assert disagreement == (
        "The guide has two answers: for meshes it says canary (this is a standard change in production), for "
        "functions blue-green (the service is critical and instant rollback matters). blue-green was taken because "
        "the service is critical and instant rollback matters."
    )


def test_the_same_choice_is_confirmed():
    assert advise(case(), "canary").text == (
        "The plan is canary, and the guide to strategies would take it too, because a gradual rollout goes back by "
        "itself."
    )


@pytest.mark.parametrize(
    ("changes", "taken", "said"),
    [
        ({"critical": True, "lanes": "one"}, "rolling", "blue-green itself is not possible: this target has one place"),
        ({"comparing": True, "lanes": "one"}, "canary", "ab-test itself is not possible"),
        ({"lanes": "swap", "weights": "switch"}, "blue-green", "canary itself is not possible: the router"),
    ],
)  # fmt: skip
def test_what_the_target_cannot_do_is_replaced_by_the_closest(changes, taken, said):
    advice = advise(case(**changes), "direct")
    assert advice.strategy == taken
    assert said in advice.text


@pytest.mark.parametrize(
    ("changes", "chosen", "said"),
    [
        ({"instances": None}, "canary", "about.instances is not configured"),
        ({"instances": 9}, "rolling", "With fewer than 10 instances"),
        ({}, "direct", "not for production"),
        ({}, "recreate", "not for production"),
    ],
)
def test_what_else_is_worth_knowing(changes, chosen, said):
    assert said in advise(case(**changes), chosen).text


@pytest.mark.parametrize(
    ("changes", "chosen", "unsaid"),
    [
        ({"instances": 10}, "rolling", "With fewer than"),
        ({"production": False, "instances": None}, "direct", "about.instances"),
        ({"counted": False, "instances": None}, "canary", "about.instances"),
        ({"production": False}, "direct", "not for production"),
    ],
)
def test_nothing_is_said_without_a_reason(changes, chosen, unsaid):
    assert unsaid not in advise(case(**changes), chosen).text


@pytest.mark.parametrize(
    "strategy", ["direct", "recreate", "canary", "blue-green", "rolling", "ab-test"]
)
@pytest.mark.parametrize("shape", [("fixed", "any"), ("swap", "switch"), ("one", "any")])
def test_the_nearest_strategy_is_always_possible(strategy, shape):
    assert misfit(nearest(strategy, *shape), *shape) == ""
    assert (nearest(strategy, *shape) == strategy) is (misfit(strategy, *shape) == "")
