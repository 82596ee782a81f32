"""The words of `sluice replay`: which rollouts, by which judge; whatever is wrong opens no database."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.replaying import Judge, Wanted
from strategies.evidence import Policy
from strategies.plan import Check
from tests.fakes.shell import CONFIG, Shell

DAYS_30 = timedelta(days=30)
COMMANDS = Path(__file__).parents[2] / "docs/commands.md"
URL = "sqlite+aiosqlite:///old.db"


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    shell.environ["SLUICE_DATABASE_URL"] = URL
    return shell


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", Wanted(DAYS_30)),
        ("Checkout", Wanted(DAYS_30, "checkout")),
        ("checkout PRODUCTION --last 12h", Wanted(timedelta(hours=12), "checkout", "production")),
        ("checkout prod --last 7d", Wanted(timedelta(days=7), "checkout", "production")),
        ("checkout to production --last=366d", Wanted(timedelta(days=366), "checkout", "production")),
        ("--last 1s", Wanted(timedelta(seconds=1))),
        ("alpha=0.02 checkout", Wanted(DAYS_30, "checkout", changes={"alpha": 0.02})),
        ("windows=2 noise=0.3", Wanted(DAYS_30, changes={"windows": 2, "noise": 0.3})),
        ("warmup=5m", Wanted(DAYS_30, changes={"warmup": 300.0})),
        ("tolerate-errors=20 mode=off", Wanted(DAYS_30, changes={"tolerate_errors": 20.0, "mode": "off"})),
    ],
)  # fmt: skip
def test_it_is_judged_as_it_was_typed(shell, line, wanted):
    said = shell.sluice("replay", *line.split(), "--json")
    assert (said.code, said.json["sentence"]) == (0, "There is no rollout to judge again.")
    assert shell.opened == [("replay", URL, wanted)]


def test_another_file_judges_by_its_checks_and_its_evidence(shell, tmp_path):
    other = tmp_path / "new.yaml"
    other.write_text(
        CONFIG.replace("above: 5", "above: 2")
        + "      min_requests: 10\n      evidence: {noise: 0.3, mode: observe}\n"
    )
    shell.sluice("replay", f"--config={other}")
    [(_, _, wanted)] = shell.opened
    judge = Judge((Check("error_rate", above=2.0),), 10, Policy(noise=0.3, mode="observe"))
    assert wanted.judges == {("checkout", "production"): judge}


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("chekout", "unknown_service", "service"),
        ("checkout staging", "unknown_environment", "environment"),
        ("checkout production v2", "unknown_word", "v2"),
        ("--lst 3d", "unknown_option", "--lst"),
        ("--last", "empty_value", "--last"),
        ("--last soon", "bad_value", "--last"),
        ("--last 30", "bad_value", "--last"),
        ("--last 0s", "bad_value", "--last"),
        ("--last 367d", "bad_value", "--last"),
        ("--last 99999999999999999999d", "bad_value", "--last"),
        ("--config nowhere.yaml", "unreadable_file", ""),
        ("alphax=0.02", "unknown_option", "alphax"),
        ("alpha=2", "bad_value", "alpha"),
        ("alpha=x", "bad_value", "alpha"),
        ("windows=1.5", "bad_value", "windows"),
        ("warmup=2h", "bad_value", "warmup"),
        ("warmup=soon", "bad_value", "warmup"),
        ("mode=dream", "bad_value", "mode"),
        ("beta=0.1", "bad_value", "beta"),
        ("noise=1 noise=2", "duplicate_option", "noise"),
    ],
)
def test_words_that_are_wrong_open_no_database(shell, line, code, key):
    said = shell.sluice("replay", *line.split(), "--json")
    assert (said.code, said.json["code"], said.json.get("key", "")) == (2, code, key)
    assert shell.opened == []


def test_a_slip_gets_a_suggestion_and_what_a_stage_may_do_is_told_apart(shell):
    assert shell.sluice("replay", "nois=1", "--json").json["suggestion"] == "noise"
    said = shell.sluice("replay", "budget=1")
    assert "says when a stage may go on, never what is rolled back" in said.err


def test_every_example_of_the_documents_is_taken(shell, tmp_path):
    (tmp_path / "FILE").write_text(CONFIG)
    [row] = [x for x in COMMANDS.read_text().splitlines() if x.startswith("| `sluice replay ")]
    words = re.findall(r"\[([^]]+)\]", row.split("`")[1])
    assert words[:2] == ["SERVICE", "ENV"]
    options = [one.rstrip(" …").split() for one in words[2:]]
    assert ["--last", "30d"] in options
    for option in options:
        typed = [str(tmp_path / "FILE") if word == "FILE" else word for word in option]
        said = shell.sluice("replay", "checkout", "production", *typed)
        assert (said.code, said.err) == (0, ""), option


def test_help_tells_what_follows_it(shell):
    assert "[SERVICE] [ENV] [--last 30d]" in shell.sluice("help", "replay").out
