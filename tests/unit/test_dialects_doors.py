"""Blocks of the seeds at the doors: REST bodies, `plan --config FILE`, `config check FILE`."""

import json

import pytest

from bot.api.bodies import deploy_from
from bot.commands import Refusal
from bot.grammar import Known, WordsError
from bot.planning import plan_for
from bot.settings import read_config
from strategies.plan import Batch, Retire, Smoke, Soak
from strategies.request import PlanError
from strategies.wish import Wish
from tests.fakes.shell import Shell
from tests.unit.seed_blocks import DATA, street

KNOWN = Known({"checkout": ("production", "staging"), "pol-123": ("production", "development")})
POLICY = {"policyId": "pol-123", "environment": "DEVELOPMENT", "strategy": "Rolling"}


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    shell.config.write_text(street())
    return shell


# ---- REST -----------------------------------------------------------------------------------------------------------


def test_a_seed_body_is_a_deployment_in_native_words():
    deploy = deploy_from({**POLICY, "config": {"batchSize": "10"}}, KNOWN)

    assert (deploy.service, deploy.version) == ("pol-123", "pol-123")
    assert deploy.environment == "development"
    assert (deploy.wish.strategy, deploy.wish.batch) == ("rolling", "10%")


def test_a_seed_body_without_an_environment_means_production():
    body = {"functionName": "Checkout", "version": 6}

    deploy = deploy_from(body, KNOWN)

    assert (deploy.service, deploy.version, deploy.environment) == ("checkout", "6", "production")


def test_reason_time_and_dry_run_may_stand_beside_the_keys_of_a_seed():
    deploy = deploy_from({**POLICY, "reason": "try it", "at": "22:00", "dry_run": True}, KNOWN)

    assert (deploy.reason, deploy.options.dry_run) == ("try it", True)
    assert (deploy.wish.strategy, deploy.wish.at) == ("rolling", "22:00")


@pytest.mark.parametrize(
    ("body", "code", "key"),
    [
        ({"policyId": "pol-124"}, "unknown_service", "policyId"),
        ({"functionName": "chekout", "version": 1}, "unknown_service", "functionName"),
        ({"functionName": "checkout"}, "missing_version", "version"),
        ({"functionName": "checkout", "version": "-v"}, "bad_value", "version"),
        ({**POLICY, "environment": "qa"}, "unknown_environment", "environment"),
        ({**POLICY, "config": {"batchSize": 0}}, "out_of_range", "batchSize"),
        ({**POLICY, "canary": 5}, "unknown_key", "canary"),
        ({**POLICY, "functionName": "checkout"}, "unknown_dialect", ""),
        ({**POLICY, "dry_run": "yes"}, "bad_value", "dry_run"),
    ],
)
def test_a_wrong_seed_body_is_refused_with_its_own_key(body, code, key):
    with pytest.raises(Refusal) as refusal:
        deploy_from(body, KNOWN)

    assert (refusal.value.status, refusal.value.code, refusal.value.key) == (422, code, key)


def test_another_cluster_is_refused_by_the_key_of_the_body():
    body = {**POLICY, "environment": "production", "clusterId": "dev-cluster"}

    with pytest.raises(PlanError) as error:
        plan_for(deploy_from(body, KNOWN), read_config(street(), "f"))

    assert (error.value.code, error.value.key) == ("other_target", "clusterId")


def native(**config):
    return {"service": "pol-123", "version": "v2", "environment": "production", "config": config}


def test_a_native_body_takes_native_names_beside_those_of_chat():
    body = native(
        strategy="blue-green", retention="2h", smokeFor="PT3M", min_requests=50, soak="15m"
    )

    deploy = deploy_from(body, KNOWN)
    plan = plan_for(deploy, read_config(street(), "f"))

    assert deploy.wish == Wish(retention=7200, smoke_for=180, min_requests=50)
    assert {type(step): step for step in plan.steps}[Soak].duration == 900
    assert {type(step): step for step in plan.steps}[Soak].min_requests == 50
    assert Smoke(duration=180) in plan.steps
    assert Retire(7200) in plan.steps


def test_a_native_body_says_what_a_failed_batch_undoes():
    body = native(
        strategy="rolling", batch_size="50%", batch_rollback="failed-batch", batch_timeout="1m"
    )

    plan = plan_for(deploy_from(body, KNOWN), read_config(street(), "f"))

    assert plan.steps[0] == Batch("50%", timeout=60, rollback="failed-batch")


def test_a_native_body_without_native_names_has_no_wish():
    assert deploy_from(native(steps="5,100"), KNOWN).wish is None


@pytest.mark.parametrize(
    ("config", "code", "key"),
    [
        ({"retention": 3600}, "bare_number", "retention"),
        ({"winner": "both"}, "bad_value", "winner"),
        ({"min-requests": 0}, "out_of_range", "min-requests"),
        ({"smoke_for": "5m", "smokeFor": "5m"}, "duplicate_key", "smokeFor"),
        ({"switch_timeout": None}, "empty_value", "switch_timeout"),
        ({"retension": "5m"}, "unknown_key", "retension"),
    ],
)
def test_a_wrong_native_name_is_refused_as_it_was_typed(config, code, key):
    with pytest.raises(Refusal) as refusal:
        deploy_from(native(**config), KNOWN)

    assert (refusal.value.status, refusal.value.code, refusal.value.key) == (422, code, key)


def test_the_words_of_a_native_body_keep_their_own_errors():
    with pytest.raises(WordsError) as error:
        deploy_from({"service": "nowhere", "version": "v1"}, KNOWN)

    assert error.value.key == "service"


# ---- plan --config FILE ---------------------------------------------------------------------------------------------


def write(folder, body):
    file = folder / "block.json"
    file.write_text(body if isinstance(body, str) else json.dumps(body, indent="\t"))
    return str(file)


def test_json_may_be_indented_with_tabs(shell, tmp_path):
    file = write(tmp_path, {"functionName": "my-app", "version": 6, "strategy": "AllAtOnce"})

    assert (
        shell.sluice("plan", "my-app", "6", "--config", file, "--json").json["strategy"] == "direct"
    )


def test_words_refine_a_block(shell):
    said = shell.sluice(
        "plan", "auth-service", "v2", "--traffic-steps", "50", "--error-threshold", "1",
        "--config", str(DATA / "003_success_criteria.yaml"), "--json",
    )  # fmt: skip

    assert [s["percent"] for s in said.json["steps"] if s["step"] == "SetWeight"] == [50, 100]
    assert said.json["steps"][2]["checks"] == [
        {"metric": "error_rate", "above": 1, "then": "ask"},
        {"metric": "latency_p95", "above": 500, "then": "rollback"},
    ]


def test_the_environment_of_a_block_counts_where_the_words_name_none(shell, tmp_path):
    file = write(tmp_path, POLICY)

    silent = shell.sluice("plan", "pol-123", "v2", "--config", file, "--json")
    same = shell.sluice("plan", "pol-123", "v2", "to", "dev", "--config", file, "--json")

    assert silent.json["environment"] == same.json["environment"] == "development"


@pytest.mark.parametrize(
    ("words", "body", "place", "key"),
    [
        ("my-app v2", POLICY, "2:2", "policyId"),
        ("pol-123 v2 production", POLICY, "3:2", "environment"),
        ("pol-123 v2 to prod because why not", POLICY, "3:2", "environment"),
        ("pol-123 v2", {**POLICY, "version": "v3"}, "5:2", "version"),
        (
            "pol-123 v2",
            {"policyId": "pol-123", "strategy": "ABTesting", "config": {"policyBId": "b"}},
            "5:3",
            "policyBId",
        ),
    ],
)
def test_words_and_a_block_that_contradict_each_other_are_refused(
    shell, tmp_path, words, body, place, key
):
    file = write(tmp_path, body)

    said = shell.sluice("plan", "--config", file, *words.split())

    assert said.code == 2
    assert said.err.startswith(f"{file}:{place}: contradiction: ")
    assert f"({key})" in said.err


def test_a_webhook_that_is_a_configured_sink_needs_no_warning(shell):
    said = shell.sluice(
        "plan", "auth-service", "v2", "--config", str(DATA / "002_rollback_triggers.yaml")
    )

    assert "rollback-alert" not in said.out


def test_a_block_from_standard_input_is_planned_too(shell):
    shell.stdin = (DATA / "004_rolling.yaml").read_bytes()

    said = shell.sluice("plan", "my-app", "v2", "--config", "-", "--json")

    assert said.json["steps"][0]["instances"] == 1


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        ("--app-name my-app --image-tag v1 --platform windows", "bad_value", "--platform"),
        (
            "--app-name my-app --image-tag v1 --health-check-url my-app",
            "bad_url",
            "--health-check-url",
        ),
        ("--app-name nowhere --image-tag v1", "unknown_service", "service"),
        ("--app-name my-app", "missing_version", "version"),
        ("my-app v1 --image-tag v1", "unknown_option", "image-tag"),
    ],
)
def test_wrong_flags_of_a_script_are_named_as_typed(shell, words, code, key):
    said = shell.sluice("plan", *words.split(), "--json")

    assert (said.code, said.json["code"], said.json["key"]) == (2, code, key)


# ---- config check FILE ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted([*DATA.glob("*.json"), *DATA.glob("*.yaml")]))
def test_every_block_of_the_seeds_is_ok(shell, file):
    said = shell.sluice("config", "check", str(file))

    assert (said.code, said.out) == (0, f"{file}: ok\n")


@pytest.mark.parametrize(
    ("text", "place", "code", "key"),
    [
        ('{"policyId": "p",\n "config": {"stages": [30, 10]}}', "2:13", "bad_steps", "stages"),
        ("batch_size: 2\nbatch_sise: 2\n", "2:1", "unknown_key", "batch_sise"),
        ("metrics_threshold:\n  eror_rate: 5\n", "2:3", "unknown_metric", "eror_rate"),
        (
            "analysis:\n  interval: 1m\n  metrics:\n  - name: error-rate\n    interval: 2m\n",
            "5:5",
            "contradiction",
            "interval",
        ),
        ("successCriteria:\n  errorRate: {threshold: 5}\n", "2:3", "missing_key", "unit"),
        ("batch_size: 2\nbatch_size: 3\n", "2:1", "duplicate_key", "batch_size"),
        ("batch_size: 0x10\n", "1:13", "bad_number", "batch_size"),
        ("batch_size: 1\nstepWeight: 10\n", "1:1", "unknown_dialect", ""),
        ('{"functionName": "f", "version": 1.10}', "1:23", "bad_value", "version"),
        ("image_tag: &x v1\n", "1:12", "anchors_refused", "image_tag"),
    ],
)
def test_a_mistake_in_a_block_has_its_place(shell, text, place, code, key):
    shell.stdin = text.encode()

    plain = shell.sluice("config", "check", "-")
    said = shell.sluice("config", "check", "-", "--json")

    assert (plain.code, said.code, said.err) == (2, 2, "")
    assert plain.out.startswith(f"-:{place}: {code}: ")
    (error,) = said.json["errors"]
    assert (f"{error['line']}:{error['column']}", error["code"], error["key"]) == (place, code, key)


def test_a_block_can_be_checked_before_there_is_a_configuration(shell):
    shell.config.unlink()
    shell.stdin = b"metrics_threshold: {kafka_lag: 5}\n"

    assert shell.sluice("config", "check", "-").code == 0
