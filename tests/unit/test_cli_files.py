"""`plan` and `config check` need one file and nothing else."""

import pytest

from bot.cli import Finding
from bot.grammar import Known, parse_line
from bot.planning import plan_for
from bot.settings import read_config
from strategies.plan import plan_to_json
from tests.fakes.shell import CONFIG, Shell

SCRIPT_FLAGS = (
    "plan checkout v2 --namespace shop --mesh istio --error-threshold 5 --latency-p95 500 "
    "--traffic-steps 5,25,50,100 --step-duration 5 --auto-promote"
)


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def compiled(line):
    command = parse_line(line, Known({"checkout": ("production",)}))
    return plan_to_json(plan_for(command.deploy, read_config(CONFIG, "f")))


@pytest.mark.parametrize(
    "line",
    [
        "plan checkout v2",
        "plan CHECKOUT v2 to prod --steps 10,100 --soak 2m because why",
        SCRIPT_FLAGS,
    ],
)
def test_a_plan_in_json_is_exactly_the_plan(shell, line):
    said = shell.sluice(*line.split(), "--json")

    assert (said.code, said.err) == (0, "")
    assert said.json == compiled(line)


def test_a_plan_for_people_has_every_step_with_a_bar_and_the_checks(shell):
    lines = shell.sluice("plan", "checkout", "v2", "--steps", "50").out.splitlines()

    assert lines[0] == "checkout v2 → production"
    assert lines[1].startswith("canary, about 10 min without human waits, plan ")
    assert lines[2:-3] == [
        "  1. Prepare    start the new version without traffic, ready within 10 min",
        "  2. SetWeight  ▓▓▓▓▓░░░░░ 50 % of the traffic",
        "  3. Soak       watch for 5 min, at least 1,000 requests",
        "  4. Approve    ask 1 person of S0SRE, within 24 h, then hold",
        "  5. SetWeight  ▓▓▓▓▓▓▓▓▓▓ 100 % of the traffic",
        "  6. Soak       watch for 5 min, at least 1,000 requests",
        "  7. Approve    ask 1 person of S0SRE, within 24 h, then hold",
        "  8. Promote    make it the stable version",
        "Checks: error_rate ≤ 5 % → rollback",
        "Judged: by counts of both versions at the same time, beside the fixed limits",
    ]
    assert lines[-3].startswith("Warning: At 100 % nothing is left to compare with")
    assert lines[-2].startswith("The plan is canary, and the guide to strategies would take it too")
    assert lines[-1] == (
        "False alarms: A version as good as stable would be rolled back in at most 1 of 100 rollouts by what is "
        "counted, apart from what hits both versions while it runs alone at 100 %. The fixed limits were not held "
        "against what stable does now. `--preflight` does that."
    )


def test_a_direct_plan_says_what_it_weakens(shell):
    said = shell.sluice("plan", "checkout", "v2", "strategy=direct")

    assert "weakened: direct instead of canary" in said.out
    assert "Switch     ▓▓▓▓▓▓▓▓▓▓ 100 % of the traffic at once" in said.out


@pytest.mark.parametrize(
    ("line", "exit_code", "code", "key", "suggestion"),
    [
        ("plan chekout v2", 2, "unknown_service", "service", "checkout"),
        ("plan checkout v2 to stagign", 2, "unknown_environment", "environment", None),
        ("plan checkout v2 --setps 5", 2, "unknown_option", "setps", "steps"),
        ("plan checkout v2 --Error-Threshold x", 2, "bad_value", "Error-Threshold", None),
        ("plan checkout v2 approvals=0", 2, "bad_value", "approvals", None),
        ("plan checkout v2 namespace=orion", 2, "other_target", "namespace", None),
        ("plan checkout", 2, "missing_version", "version", None),
        ("plan", 2, "missing_service", "service", None),
        ("plan checkout v2 --config", 2, "empty_value", "--config", None),
        ("plan checkout v2 --config a --config b", 2, "duplicate_option", "--config", None),
        ("plan checkout v2 --preflight=yes", 2, "bad_value", "--preflight", None),
        ("plan checkout v2 --config nowhere.yaml", 2, "unreadable_file", None, None),
        ("plan checkout v2 --split 50/50", 2, "option_not_for_strategy", "split", None),
        ("plan checkout v2 --batch-size 2", 2, "option_not_for_strategy", "batch-size", None),
    ],
)
def test_what_cannot_be_planned_names_the_key_as_typed(
    shell, line, exit_code, code, key, suggestion
):
    plain = shell.sluice(*line.split())
    said = shell.sluice(*line.split(), "--json")

    assert (plain.code, plain.out, said.code) == (exit_code, "", exit_code)
    assert plain.err == f"{said.json['detail']} [{code}]\n"
    assert (said.json["code"], said.json.get("key")) == (code, key)
    assert said.json.get("suggestion") == suggestion


def test_a_broken_configuration_is_one_sentence_and_the_count_of_the_others(shell):
    shell.config.write_text(CONFIG.replace("soak: 5m", "saok: 5m").replace("above: 5", "above: x"))

    said = shell.sluice("plan", "checkout", "v2", "--json")

    assert (said.code, said.json["code"], said.json["key"]) == (2, "unknown_key", "saok")
    assert said.json["detail"].startswith(f"{shell.config}:14:")
    assert "And 1 more" in said.json["detail"]


def test_plan_takes_another_file_or_standard_input(shell, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(CONFIG.replace("checkout:\n    prod", "basket:\n    prod"))
    shell.stdin = other.read_bytes()

    from_file = shell.sluice("plan", "basket", "v2", "--config", str(other), "--json")
    from_stdin = shell.sluice("plan", "basket", "v2", "--config=-", "--json")

    assert from_file.json["service"] == "basket"
    assert from_stdin == from_file


def test_a_wrong_address_of_the_bot_does_not_matter_to_a_plan(shell):
    shell.environ["SLUICE_URL"] = "nonsense"

    assert shell.sluice("plan", "checkout", "v2").code == 0


@pytest.mark.parametrize(
    ("findings", "code", "words"),
    [
        ([], 0, "Preflight: nothing stands in the way."),
        ([Finding("few_pods", "Few pods.", fatal=False)], 0, "note: Few pods. [few_pods]"),
        ([Finding("no_subset", "No subset.")], 1, "stop: No subset. [no_subset]"),
    ],
)
def test_a_preflight_asks_the_cluster_too(shell, findings, code, words):
    shell.findings = findings

    plain = shell.sluice("plan", "checkout", "v2", "--preflight")
    said = shell.sluice("plan", "checkout", "v2", "--preflight", "--json")

    assert (plain.code, said.code) == (code, code)
    assert words in plain.out
    assert said.json["preflight"] == [finding._asdict() for finding in findings]
    assert shell.opened == [("preflight", "v2")] * 2


def test_a_configuration_without_mistakes_is_ok(shell):
    plain = shell.sluice("config", "check")

    assert (plain.code, plain.out, plain.err) == (0, f"{shell.config}: ok\n", "")
    assert shell.sluice("config", "check", "--json").json == {"errors": []}


def test_every_mistake_is_one_line_with_its_place(shell):
    shell.config.write_text(CONFIG.replace("soak: 5m", "saok: 5m").replace("above: 5", "above: x"))

    said = shell.sluice("config", "check", str(shell.config))
    errors = shell.sluice("config", "check", "--json").json["errors"]

    assert (said.code, said.err) == (2, "")
    assert said.out.splitlines() == [
        f"{e['file']}:{e['line']}:{e['column']}: {e['code']}: {e['message']} ({e['key']})"
        for e in errors
    ]
    assert [(e["line"], e["column"], e["key"]) for e in errors] == [
        (14, 37, "saok"),
        (15, 44, "above"),
    ]
    assert set(errors[0]) == {"file", "line", "column", "code", "key", "message"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "empty_file"),
        (b"slack: {", "not_yaml"),
        (b"\xff\xfe", "unreadable_file"),
        (b"#" * 300_000, "too_large"),
        (b"#" * (2 << 20), "too_large"),
        (b"kind: Deployment\nspec: {replicas: 1}\n", "not_a_sluice_yaml"),
        (b'{"steps": [5, 100]}', "not_a_sluice_yaml"),
    ],
)
def test_a_file_that_is_something_else_has_one_mistake(shell, text, code):
    shell.stdin = text

    said = shell.sluice("config", "check", "-", "--json")

    assert said.code == 2
    assert [(e["file"], e["code"]) for e in said.json["errors"]] == [("-", code)]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["config"], "missing_word"),
        (["config", "chek"], "unknown_word"),
        (["config", "check", "a", "b"], "unknown_word"),
        (["config", "check", ""], "unknown_word"),
        (["config", "check", "--fix"], "unknown_option"),
    ],
)
def test_config_takes_check_and_one_file(shell, argv, code):
    said = shell.sluice(*argv, "--json")

    assert (said.code, said.json["code"]) == (2, code)


def test_a_file_that_cannot_be_read_is_a_mistake_of_its_own(shell, tmp_path):
    for name in (tmp_path, tmp_path / "nowhere"):
        said = shell.sluice("config", "check", str(name))

        assert said.code == 2
        assert said.out.startswith(f"{name}:1:1: unreadable_file: ")
