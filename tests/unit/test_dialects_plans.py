"""Every configuration block of the seeds, step by step through to its plan, at the doors that take it."""

import pytest

from bot.api.bodies import deploy_from
from bot.grammar import Known
from bot.planning import plan_for
from bot.settings import read_config
from strategies.plan import (
    Batch,
    Check,
    Compare,
    Plan,
    Prepare,
    Promote,
    Retire,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    plan_to_json,
)
from tests.fakes.shell import Shell
from tests.unit.seed_blocks import DATA, body_of, street, text_of

OWN = (Check("error_rate", above=2, then="ask"),)
"""What the target checks by itself."""
THREE = (
    Check("error_rate", above=5),
    Check("latency_p99", above=1000),
    Check("success_rate", below=95),
)
STRICT = (
    Check("error_rate", above=1),
    Check("latency_p99", above=500),
    Check("success_rate", below=99),
)
TWO = (Check("error_rate", above=5), Check("latency_p95", above=500))
FLAGGER = (
    *OWN,
    Check("success_rate", below=99, failures=5, of=10),
    Check("latency_p99", above=500, failures=5, of=10),
)


def climb(weights, soak, checks, **more):
    stages = [step for w in weights for step in (SetWeight(w), Soak(soak, checks=checks, **more))]
    return (Prepare(), *stages, Promote())


def compared(plan):
    (step,) = (step for step in plan.steps if isinstance(step, Compare))
    return [one.metric for one in step.metrics], step


PLANS = {
    "000_direct.json": (Prepare(), Switch(), Soak(300, checks=OWN), Promote()),
    "000_canary.json": climb(
        (10, 30, 50, 100),
        300,
        (*OWN, Check("error_rate", above_baseline=5), Check("latency_p95", times_baseline=1.5)),
    ),
    "000_blue_green.json": (
        Prepare(),
        Smoke(duration=120),
        Switch(),
        Soak(600, checks=OWN),
        Retire(3600),
        Promote(),
    ),
    "000_rolling.json": (Batch("10%", max_concurrent=5, timeout=30), Soak(60, checks=OWN)),
    "001_all_at_once.json": (Prepare(), Switch(), Soak(600, checks=OWN), Promote()),
    "001_canary.json": climb((10, 50, 100), 600, THREE),
    "001_blue_green.json": (
        Prepare(),
        Smoke(duration=300),
        Switch(),
        Soak(600, checks=OWN),
        Retire(3600),
        Promote(),
    ),
    "001_rolling.json": (Batch("25%"), Soak(300, checks=OWN)),
    "001_conservative.json": climb((20, 100), 600, STRICT),
    "001_moderate.json": climb((20, 100), 600, THREE),
    "002_canary.yaml": climb((10, 20, 30, 40, 50, 100), 60, FLAGGER),
    "002_rollback_triggers.yaml": climb(
        (20, 100), 60, (Check("error_rate", above=1, failures=3, of=6),)
    ),
    "003_success_criteria.yaml": climb((20, 100), 600, TWO),
    "004_blue_green.yaml": (
        Prepare(),
        Smoke((SmokeTest("http://my-app-{env}.example.com/health"),), duration=120),
        Switch(300),
        Soak(600, checks=OWN),
        Promote(),
    ),
    "004_rolling.yaml": (Batch(1), Soak(60, checks=OWN)),
    "004_canary.yaml": climb((10, 25, 50, 75, 100), 300, TWO),
}
BODIES = [name for name in PLANS if {"policyId", "functionName"} & body_of(name).keys()]
SERVICES = {"000": ("pol-123", "v2"), "001": ("image-processor", "6"), "004": ("my-app", "v2")}


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    shell.config.write_text(street())
    return shell


def known():
    services = read_config(street(), "f").services
    return Known({name: tuple(service.targets) for name, service in services.items()})


def planned(body):
    return plan_for(deploy_from(body, known()), read_config(street(), "f"))


def words_for(name):
    return SERVICES.get(name[:3], ("auth-service", "v2"))


@pytest.mark.parametrize("name", PLANS)
def test_a_block_becomes_exactly_these_steps(shell, name):
    said = shell.sluice("plan", *words_for(name), "--config", str(DATA / name), "--json")

    assert said.code == 0, said.err
    assert said.json["steps"] == plan_to_json(Plan("", "", "", "", PLANS[name]))["steps"]


@pytest.mark.parametrize("name", BODIES)
def test_rest_takes_the_body_verbatim(name):
    assert planned(body_of(name)).steps == PLANS[name]


def test_an_ab_test_of_policies_promotes_its_winner_by_itself():
    plan = planned(body_of("000_ab_test.json"))
    metrics, compare = compared(plan)

    assert plan.version == "pol-456"
    assert metrics == ["error_rate", "latency_p95", "rps"]
    assert (compare.duration, compare.winner, compare.score) == (3600, "auto", "weighted")
    assert plan.steps == (Prepare(), SetWeight(50), compare, SetWeight(100), Promote())


def test_an_ab_test_of_functions_waits_for_a_person_and_says_what_it_cannot_measure():
    plan = planned(body_of("001_ab_test.json"))
    metrics, compare = compared(plan)

    assert metrics == ["latency_avg", "error_rate", "conversion_rate", "user_engagement"]
    assert (compare.duration, compare.winner) == (86_400, "manual")
    assert plan.steps == (Prepare(), SetWeight(50), compare, SetWeight(100), Promote())
    assert {w.split()[0] for w in plan.warnings if "not available" in w} == {
        "conversion_rate",
        "user_engagement",
    }


def test_a_policy_goes_to_the_environment_it_names_in_whatever_capitals():
    assert planned(body_of("000_direct.json")).environment == "development"
    assert planned(body_of("001_canary.json")).environment == "production"


def test_the_script_of_003_is_a_line_of_words(shell):
    words = text_of("003_script.sh").replace("\\\n", " ").replace('"', "").split()

    said = shell.sluice("plan", *words[1:], "--json")

    steps = [(s["step"], s.get("percent"), s.get("duration")) for s in said.json["steps"]]
    stages = [
        one for w in (5, 25, 50, 100) for one in (("SetWeight", w, None), ("Soak", None, 300))
    ]
    assert steps == [("Prepare", None, None), *stages, ("Promote", None, None)]
    assert said.json["steps"][2]["checks"] == [
        {"metric": "error_rate", "above": 5, "then": "ask"},
        {"metric": "latency_p95", "above": 500, "then": "rollback"},
    ]


@pytest.mark.parametrize("name", ["004_blue_green", "004_rolling", "004_canary"])
def test_the_scripts_of_004_are_lines_of_words(shell, name):
    words = text_of(f"{name}.sh").replace("\\\n", " ").split()
    file = str(DATA / f"{name}.yaml")
    flags = [file if word.endswith("config.yaml") else word for word in words[3:]]
    version = [] if "--image-tag" in flags else ["v1.0.0"]

    said = shell.sluice("plan", *flags, *version, "--json")

    assert said.code == 0, said.err
    assert (said.json["service"], said.json["version"]) == ("my-app", "v1.0.0")
    assert said.json["environment"] == "production"
    assert said.json["strategy"] == name[4:].replace("_", "-")
