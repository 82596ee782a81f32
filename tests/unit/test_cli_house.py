"""What runs or looks after a bot is handed to its door, checked before, and ended with a proper exit code."""

from pathlib import Path

import pytest

from bot.cli import DoorError, Health, SandboxOptions
from bot.settings import database_url, local_settings
from tests.fakes.shell import Shell

SECRETS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "0123456789abcdef"}


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("line", "opened"),
    [
        ("sandbox", SandboxOptions()),
        ("sandbox --listen 127.0.0.1:0 --no-open", SandboxOptions(port=0, open_page=False)),
        ("sandbox --listen localhost:99 --live", SandboxOptions("localhost", 99, live=True)),
        ("sandbox --listen=[::1]:99 --speed=0.5", SandboxOptions("::1", 99, speed=0.5)),
    ],
)
def test_the_sandbox_opens_as_it_is_wanted(shell, line, opened):
    assert shell.sluice(*line.split()).code == 0
    assert shell.opened == [("sandbox", opened)]


def test_the_sandbox_plays_a_script_that_is_there(shell, tmp_path):
    script = tmp_path / "demo.txt"
    script.write_text("deploy checkout v2\n")

    shell.sluice("sandbox", "--script", str(script))

    assert shell.opened == [("sandbox", SandboxOptions(script=script))]


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("sandbox --listen 0.0.0.0:80", "not_loopback", "--listen"),
        ("sandbox --listen example.com:80", "not_loopback", "--listen"),
        ("sandbox --listen 80", "bad_listen", "--listen"),
        ("sandbox --listen 127.0.0.1:99999", "bad_listen", "--listen"),
        ("sandbox --speed 0", "bad_value", "--speed"),
        ("sandbox --speed nan", "bad_value", "--speed"),
        ("sandbox --speed 1e9", "bad_value", "--speed"),
        ("sandbox --speed fast", "bad_value", "--speed"),
        ("sandbox --script /nowhere", "unreadable_file", "--script"),
        ("sandbox --lissten x", "unknown_option", "--lissten"),
        ("sandbox now", "unknown_word", "now"),
        ("serve now", "unknown_word", "now"),
        ("migrate --to head", "unknown_option", "--to"),
        ("doctor all", "unknown_word", "all"),
        ("token", "missing_word", "token"),
        ("token craete ci", "unknown_word", "craete"),
        ("token create", "missing_name", "NAME"),
        ("token create root", "bad_name", "root"),
        ("token create a/b", "bad_name", "a/b"),
        ("token create ci cd", "unknown_word", "cd"),
        ("token create ci --owner bob", "bad_value", "--owner"),
        ("token revoke ci --owner U0BOB", "unknown_option", "--owner"),
    ],
)
def test_words_that_are_wrong_open_nothing(shell, line, code, key):
    said = shell.sluice(*line.split(), "--json")

    assert (said.code, said.json["code"], said.json["key"]) == (2, code, key)
    assert shell.opened == []


def test_a_bot_starts_with_the_settings_of_the_environment(shell):
    shell.environ |= {**SECRETS, "SLUICE_LISTEN": "127.0.0.1:1234"}

    assert shell.sluice("serve").code == 0
    assert shell.opened == [("serve", ("127.0.0.1", 1234))]


def test_missing_secrets_stop_the_start_with_one_sentence(shell):
    said = shell.sluice("serve")

    assert (said.code, said.out, shell.opened) == (2, "", [])
    assert "SLACK_BOT_TOKEN" in said.err
    assert "SLACK_SIGNING_SECRET" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(("exit_code", "code"), [(0, "ok"), (1, "failed")])
def test_what_runs_ends_with_its_own_exit_code(shell, exit_code, code):
    shell.environ |= SECRETS
    shell.exit_code = exit_code

    said = shell.sluice("serve", "--json")

    assert (said.code, said.json["code"]) == (exit_code, code)


def test_the_database_is_migrated_without_slack_and_without_a_configuration(shell):
    shell.environ = {"SLUICE_DATABASE_URL": "sqlite+aiosqlite:///x.db"}

    assert shell.sluice("migrate", "--json").json["code"] == "ok"
    assert shell.opened == [("migrate", "sqlite+aiosqlite:///x.db")]


def test_an_address_of_no_database_is_a_wrong_configuration(shell):
    shell.environ["SLUICE_DATABASE_URL"] = "hunter2"

    said = shell.sluice("migrate")

    assert (said.code, shell.opened) == (2, [])
    assert "[bad_database]" in said.err
    assert "hunter2" not in said.err


def test_doctor_is_a_table_and_fails_when_a_row_fails(shell):
    shell.health = [
        Health("configuration", "ok", "1 service"),
        Health("slack", "fail", "invalid_auth", "Check SLACK_BOT_TOKEN."),
    ]

    plain, said = shell.sluice("doctor"), shell.sluice("doctor", "--json")

    assert (plain.code, said.code) == (1, 1)
    assert plain.out.splitlines()[-3:] == [
        "ok    configuration: 1 service",
        "fail  slack: invalid_auth",
        "      Check SLACK_BOT_TOKEN.",
    ]
    assert said.json[1] == {
        "name": "slack", "status": "fail", "message": "invalid_auth", "fix": "Check SLACK_BOT_TOKEN.",
    }  # fmt: skip
    assert shell.opened[0] == ("doctor", shell.config)


@pytest.mark.parametrize("status", ["ok", "warn", "skip"])
def test_doctor_without_a_failed_row_is_well(shell, status):
    shell.health = [Health("slack", status, "so")]

    assert shell.sluice("doctor").code == 0


def test_a_token_is_shown_once_on_standard_output_and_nowhere_else(shell):
    said = shell.sluice("token", "create", "ci", "--owner", "U0BOB")

    assert said.code == 0
    assert said.out.splitlines()[-1] == "sluice_secret"
    assert "sluice_secret" not in said.err
    assert shell.opened == [("create", "sqlite+aiosqlite:///sluice.db", "ci", "U0BOB")]


def test_a_token_in_json_says_whose_it_is(shell):
    assert shell.sluice("token", "create", "ci", "--json").json == {
        "name": "ci", "owner": None, "token": "sluice_secret",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("ci", 0), ("cd", 1)])
def test_only_a_token_that_there_is_can_be_revoked(shell, name, code):
    assert shell.sluice("token", "revoke", name).code == code


def test_what_a_door_could_not_do_is_a_sentence_and_exit_1(shell):
    shell.fails = DoorError("There is a token called ci already.", code="token_exists")

    said = shell.sluice("token", "create", "ci", "--json")

    assert (said.code, said.json["code"]) == (1, "token_exists")


@pytest.mark.parametrize(("debug", "shown"), [("", False), ("1", True)])
def test_a_bug_is_one_sentence_and_its_traceback_is_for_those_who_ask(shell, debug, shown):
    shell.environ["SLUICE_DEBUG"] = debug
    shell.fails = ZeroDivisionError("secret")

    said = shell.sluice("migrate", "--json")

    assert (said.code, said.json["code"]) == (1, "internal_error")
    assert ("Traceback" in said.err) == shown
    assert "secret" not in said.json["detail"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), BrokenPipeError()])
def test_who_was_interrupted_says_nothing(shell, stop):
    shell.fails = stop

    said = shell.sluice("migrate", "--json")

    assert (said.code, said.out) == (130, "")
    assert "Traceback" not in said.err


def test_a_word_of_a_later_version_is_understood_and_refused(shell):
    said = shell.sluice("rollback", "checkout", "--offline", "--json")

    assert (said.code, said.json["code"]) == (1, "not_yet_available")


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [("depoy checkout v2", "deploy"), ("sandbocks", None), ("servee", "serve")],
)
def test_a_word_that_there_is_not_gets_a_suggestion(shell, line, suggestion):
    said = shell.sluice(*line.split(), "--json")

    assert (said.code, said.json["code"]) == (2, "unknown_word")
    assert said.json.get("suggestion") == suggestion


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "sluice rollback [SERVICE]"),
        ("help", "sluice config check [FILE|-]"),
        ("help rollback", "sluice rollback [SERVICE]"),
        ("help token", "sluice token create NAME"),
        ("help steps", "traffic-steps (steps)"),
        ("rollback checkout --help", "sluice rollback [SERVICE]"),
        ("sandbox -h", "--speed N"),
        ("deploy help", "sluice deploy SERVICE VERSION"),
        ("--help", "Exit: 0 done"),
    ],
)
def test_help_needs_no_bot_and_opens_nothing(shell, line, words):
    plain, said = shell.sluice(*line.split()), shell.sluice(*line.split(), "--json")

    assert (plain.code, plain.err, said.code) == (0, "", 0)
    assert words in plain.out
    assert words in said.json["sentence"]
    assert shell.opened == []


def test_help_about_nothing_known_is_a_mistake(shell):
    assert shell.sluice("help", "stepps", "--json").json["suggestion"] == "steps"


def test_the_version_is_one_line(shell):
    assert shell.sluice("--version").out.startswith("sluice ")
    assert set(shell.sluice("--version", "--json").json) == {"version"}


def test_what_is_local_is_read_without_complaint():
    local = local_settings({"SLUICE_CONFIG": "a.yaml", "NO_COLOR": "1", "SLUICE_URL": "nonsense"})

    assert (local.config_path, local.colour, local.debug) == (Path("a.yaml"), False, False)
    assert database_url({}) == "sqlite+aiosqlite:///sluice.db"
