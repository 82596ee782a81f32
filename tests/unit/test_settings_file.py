"""A sluice.yaml that is right is read as it stands; one that is wrong is told where, what and why, all at once."""

import textwrap
from pathlib import Path

import pytest

from bot.settings import (
    ConfigError,
    DeploymentPair,
    EnvironmentBlock,
    IstioTraffic,
    Secret,
    UnknownNameError,
    WeekTime,
    load_config,
    read_config,
)
from strategies.plan import Check
from tests.unit.settings_example import EXAMPLE, changed, environment, problems

DESIGN = Path(__file__).parents[3] / "shared" / "design.md"


def target(old="", new=""):
    text = changed(old, new) if old else EXAMPLE
    return read_config(text, "sluice.yaml").target("auth-service", "production")


# --- what is right -----------------------------------------------------------------------------------------------


def test_the_example_is_the_one_of_the_design():
    if not DESIGN.exists():
        pytest.skip("the design is not beside this checkout")

    assert EXAMPLE in DESIGN.read_text()


def test_the_example_is_read_as_it_stands():
    config = read_config(EXAMPLE, "sluice.yaml")
    production = config.environment("production")

    assert (config.slack.channel, config.slack.alert_channel) == ("C0DEPLOYS", "C0ALERTS")
    assert (
        config.clusters["prod-us-east-1"].kubeconfig,
        config.clusters["prod-us-east-1"].context,
    ) == (
        "~/.kube/config",
        "prod",
    )
    assert (config.metrics["main"].url, config.metrics["main"].timeout) == (
        "http://prometheus:9090",
        5,
    )
    assert config.alerts[0].secret == Secret("${ALERT_SECRET}")
    assert config.alerts[0].events == ("rollout.rolled_back",)
    assert (
        production.strategy,
        production.approvers,
        production.approvals,
        production.gate_expires,
    ) == (
        "canary",
        ("S0SRE", "U0BOB"),
        1,
        86_400,
    )
    assert (production.freeze[0].from_, production.freeze[0].to) == (
        WeekTime(4, 15, 0),
        WeekTime(0, 8, 0),
    )
    assert config.services["auth-service"].about.owners == ("S0AUTH",)
    assert list(config.services["auth-service"].targets) == ["production"]


def test_the_target_of_the_example_has_all_its_parts():
    found = target()

    assert found.workload == DeploymentPair(
        stable="auth-service-stable",
        canary="auth-service-canary",
        container="auth-service",
        image="ghcr.io/orion/auth",
    )
    assert found.traffic == IstioTraffic(virtual_service="auth-service", route="primary")
    assert (found.canary.steps, found.canary.soak, found.canary.retention) == (
        (5, 25, 50, 100),
        (300,),
        0,
    )
    assert found.checks[1] == Check("latency_p95", above=500, then="warn")
    assert found.checks[4].query == 'max(lag{app="$service",version="$version"})'
    assert found.min_requests == 1000


def test_defaults_fill_what_is_not_written():
    found = target(
        "      canary: {steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s}\n",
        "",
    )

    assert (found.canary.steps, found.canary.soak, found.canary.auto_promote) == (
        (10, 50, 100),
        (300,),
        False,
    )
    assert target(
        "{metric: error_rate, above: 5, then: rollback}", "{metric: cpu, above: 5}"
    ).checks[0] == Check("cpu", above=5)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("standard", (10, 50, 100)),
        ("Conservative", (5, 10, 25, 50, 100)),
        ("aggressive", (25, 100)),
        ("[5, 50]", (5, 50, 100)),
        ("[0.5, 99.5]", (0.5, 99.5, 100)),
        ("[100]", (100,)),
        ("20", (20, 100)),
    ],
)
def test_steps_are_a_preset_or_a_list_and_end_at_100(steps, expected):
    assert target("[5, 25, 50, 100]", steps).canary.steps == expected


@pytest.mark.parametrize(
    ("canary", "steps", "soak"),
    [
        ("steps: [5, 50, 100], soak: [1m, 2m, 3m]", (5, 50, 100), (60, 120, 180)),
        ("steps: [5, 50], soak: [1m, 2m]", (5, 50, 100), (60, 120, 120)),
        ("steps: [5, 50], soak: PT5M", (5, 50, 100), (300,)),
        ("soak: [1m, 2m, 3m]", (10, 50, 100), (60, 120, 180)),
    ],
)
def test_a_soak_is_one_for_all_or_one_per_given_step(canary, steps, soak):
    found = target("steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s", canary)

    assert (found.canary.steps, found.canary.soak) == (steps, soak)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("true", True),
        ("True", True),
        ("yes", True),
        ("on", True),
        ("false", False),
        ("no", False),
        ("OFF", False),
    ],
)
def test_every_spelling_of_true_and_false_counts(word, expected):
    assert environment("self_approval: false", f"self_approval: {word}").self_approval is expected


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Blue_Green", "blue-green"),
        ("all-at-once", "direct"),
        ("A/B", "ab-test"),
        ('"ab testing"', "ab-test"),
    ],
)
def test_strategy_names_are_read_as_in_chat(word, name):
    assert environment("strategy: canary ", f"strategy: {word} ").strategy == name


def test_a_target_may_override_the_strategy_of_its_environment():
    assert target("min_requests: 1000", "strategy: rolling").strategy == "rolling"


def test_an_environment_that_is_not_listed_has_the_defaults():
    config = read_config(EXAMPLE, "sluice.yaml")

    assert config.environment("qa") == EnvironmentBlock()
    assert config.environment("qa").approvals == 0


def test_production_asks_for_an_approval_unless_the_file_says_otherwise():
    silent = environment("    approvals: 1\n", "")
    none = environment("    approvals: 1\n", "    approvals: 0\n")
    unlisted = read_config(
        "slack: {channel: C0A, alert_channel: C0B}\nclusters: {}\nmetrics: {}\nservices: {}", "f"
    )

    assert (silent.approvals, none.approvals, unlisted.environment("production").approvals) == (
        1,
        0,
        1,
    )


def test_a_token_and_a_group_may_approve():
    found = environment("[S0SRE, U0BOB]", "[S0SRE, W0ANA, 'token:ci']")

    assert found.approvers == ("S0SRE", "W0ANA", "token:ci")


def test_an_in_cluster_connection_needs_no_keys():
    config = read_config(
        changed("{kubeconfig: ~/.kube/config, context: prod}", "{}"), "sluice.yaml"
    )

    assert config.clusters["prod-us-east-1"].kubeconfig is None


@pytest.mark.parametrize(
    "image", ["auth", "localhost:5000/auth", "registry.example:443/a/b__c/d-e.f"]
)
def test_an_image_is_a_repository(image):
    assert target("ghcr.io/orion/auth", image).workload.image == image


def test_json_is_yaml():
    text = '{"slack": {"channel": "C0A", "alert_channel": "C0B"}, "clusters": {}, "metrics": {}, "services": {}}'

    assert read_config(text, "f").slack.channel == "C0A"


@pytest.mark.parametrize(
    ("service", "name", "code", "suggestion"),
    [
        ("auth-servce", "production", "unknown_service", "auth-service"),
        ("billing", "production", "unknown_service", None),
        ("auth-service", "prodution", "unknown_environment", "production"),
    ],
)
def test_an_unknown_target_is_told_with_a_suggestion(service, name, code, suggestion):
    with pytest.raises(UnknownNameError) as caught:
        read_config(EXAMPLE, "sluice.yaml").target(service, name)

    assert (caught.value.code, caught.value.suggestion) == (code, suggestion)


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text(EXAMPLE)

    assert "auth-service" in load_config(path).services


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"#" * 300_000])
def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(tmp_path, content):
    path = tmp_path / "other.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert [(p.file, p.line) for p in caught.value.errors] == [(str(path), 1)]


def test_windows_line_ends_count_as_one():
    text = textwrap.dedent("""\
        slack: {channel: C0A, alert_channel: C0B}
        clusters: {}
        metrics: {}
        services: 5
        """).replace("\n", "\r\n")

    assert [(p.line, p.column) for p in problems(text)] == [(4, 11)]
