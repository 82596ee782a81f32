"""What is typed reaches the bot as one line, and what the bot says becomes words, JSON and an exit code."""

import json

import pytest

from bot.cli.mistakes import REFUSED
from tests.fakes.rest import Rest
from tests.fakes.shell import Screen, Shell

ROW = {
    "id": "r-1", "service": "checkout", "environment": "production", "version": "v2", "from_version": "v1",
    "phase": "WAITING", "weight": 25, "requester": "U0ANN", "created": "2026-11-21T12:00:00+02:00", "ended": None,
    "trouble": None,
}  # fmt: skip
LIVE = {**ROW, "id": "r-0", "version": "v1", "from_version": "", "phase": "SUCCEEDED",
        "ended": "2026-11-20T08:30:00+00:00"}  # fmt: skip


def ok(**more):
    return 200, {"code": "ok", "sentence": "Done.", "kind": "done", **more}


def problem(status, code, **more):
    body = {"type": "about:blank", "title": "No", "status": status, "code": code}
    return status, {**body, "detail": "So it is.", **more}


# argv, what the bot answers, exit code, what standard output has, what standard error has
TABLE = [
    ("deploy checkout v2", (201, {"code": "ok", "sentence": "checkout v2 → production", "rollout": ROW}), 0, "r-1", ""),
    ("deploy checkout v2 --dry-run", ok(plan={"service": "checkout"}), 0, "too old", ""),
    ("status", ok(sentence="1 in flight.", rows=[ROW, LIVE]), 0, "waiting for a decision", ""),
    ("history checkout", ok(rows=[LIVE]), 0, "2026-11-20 08:30", ""),
    ("promote checkout", ok(sentence="Recorded."), 0, "Recorded.", ""),
    ("approve checkout", problem(409, "no_open_gate"), 1, "", "So it is. [no_open_gate]"),
    ("pause checkout", problem(403, "not_an_approver"), 1, "", "[not_an_approver]"),
    ("resume checkout", problem(423, "frozen"), 1, "", "[frozen]"),
    ("deploy checkout v2", problem(423, "locked", offers=[{"label": "Take over", "text": "lock checkout takeover"}]),
     1, "", "[locked]\n  sluice lock checkout takeover   (Take over"),
    ("lock checkout for 2h db drill", ok(sentence="Locked checkout."), 0, "Locked checkout.", ""),
    ("lock checkout", problem(422, "missing_reason", key="reason"), 2, "", "[missing_reason]"),
    ("unlock checkout", problem(409, "not_locked"), 1, "", "[not_locked]"),
    ("extend checkout 30m", problem(500, "failed"), 1, "", "[failed]"),
    ("resolve checkout done", problem(404, "unknown_rollout"), 1, "", "[unknown_rollout]"),
    ("deploy chekout v2", problem(422, "unknown_service", key="service"), 2, "", "[unknown_service]"),
    ("deploy checkout v2 --at 22:00", problem(422, "not_yet_available", key="at"), 1, "", "[not_yet"),
    ("pause checkout x", problem(413, "too_large"), 2, "", "[too_large]"),
    ("status checkout", problem(401, "not_authenticated"), 1, "", "SLUICE_API_TOKEN is not set"),
    ("rollback", ok(code="undoable", sentence="What can be undone", rows=[LIVE]), 0, "r-0", ""),
    ("rollback checkout", problem(409, "confirmation_needed",
     offers=[{"label": "Yes, roll back now", "text": "rollback checkout production now"}]), 1, "",
     "Add `now` to do it. [confirmation_needed]\n  sluice rollback checkout production now   (Yes"),
    ("rollback checkout now bad", ok(sentence="Rolling back now."), 0, "Rolling back now.", ""),
    ("status", (200, ["no object"]), 1, "", "[not_sluice]"),
    ("status", (200, {"hello": 1}), 1, "", "[not_sluice]"),
    ("status", (502, "bad gateway"), 1, "", "answered 502"),
    ("status", (404, {"detail": "Not Found"}), 1, "", "[not_sluice]"),
]  # fmt: skip


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def rest(shell):
    rest = Rest()
    shell.environ["SLUICE_URL"] = rest.url
    yield rest
    rest.stop()


@pytest.mark.parametrize(("line", "answer", "code", "out", "err"), TABLE)
def test_every_answer_has_its_exit_code_and_its_words(shell, rest, line, answer, code, out, err):
    rest.status, rest.body = answer

    said = shell.sluice(*line.split())

    assert said.code == code
    assert out in said.out
    assert bool(said.out) == (code == 0)
    assert err in said.err
    assert bool(said.err) == (code != 0)
    assert rest.asked[0].body == {"text": line}


@pytest.mark.parametrize(("line", "answer", "code", "out", "err"), TABLE)
def test_with_json_standard_output_is_one_value_and_the_exit_code_the_same(
    shell, rest, line, answer, code, out, err
):
    rest.status, rest.body = answer

    said = shell.sluice(*line.split(), "--json")

    assert said.code == code
    if code == 0:
        assert said.json == answer[1]
    else:
        assert set(said.json) - {"key", "suggestion", "offers"} == {"code", "title", "detail"}
    assert rest.asked[0].body == {"text": line}


def test_the_key_and_the_suggestion_of_the_bot_are_passed_on(shell, rest):
    rest.status, rest.body = problem(422, "unknown_option", key="setps", suggestion="steps")

    assert shell.sluice("deploy", "checkout", "v2", "--setps=5", "--json").json == {
        "code": "unknown_option", "title": "No", "detail": "So it is.", "key": "setps", "suggestion": "steps",
    }  # fmt: skip


def test_the_token_is_sent_and_never_shown(shell, rest):
    shell.environ["SLUICE_API_TOKEN"] = "sluice_secret"
    rest.status, rest.body = problem(401, "not_authenticated")

    said = shell.sluice("status")

    assert rest.asked[0].token == "sluice_secret"
    assert "unknown or was revoked" in said.err
    assert "sluice_secret" not in said.out + said.err


@pytest.mark.parametrize("token", ["two words", "tökn", "line\x07"])
def test_a_token_that_no_header_can_carry_is_refused_before_anything_is_sent(shell, rest, token):
    shell.environ["SLUICE_API_TOKEN"] = token

    said = shell.sluice("status")

    assert (said.code, rest.asked) == (2, [])
    assert "[bad_token]" in said.err
    assert token not in said.err


def test_nobody_listening_names_the_address_and_what_to_set_without_the_password(shell):
    shell.environ["SLUICE_URL"] = "http://me:hunter2@127.0.0.1:9/bot"

    said = shell.sluice("status")

    assert (said.code, said.out) == (1, "")
    assert "no bot at http://127.0.0.1:9/bot" in said.err
    assert "SLUICE_URL" in said.err
    assert "hunter2" not in said.err


@pytest.mark.parametrize(
    "url", ["no address", "ftp://host", "http://host:99999", "http://host:x", "http://[::1"]
)
def test_an_address_that_is_none_is_a_wrong_configuration(shell, url):
    shell.environ["SLUICE_URL"] = url

    said = shell.sluice("status", "--json")

    assert (said.code, said.json["code"]) == (2, "bad_url")


def test_a_name_that_no_host_can_have_is_out_of_reach(shell):
    shell.environ["SLUICE_URL"] = "http://sluice.invalid:3000"

    assert shell.sluice("status", "--json").json["code"] == "unreachable"


def test_a_connection_that_breaks_off_may_have_done_it(shell, rest):
    rest.dropping = True

    said = shell.sluice("rollback", "checkout")

    assert said.code == REFUSED
    assert "may have been done" in said.err
    assert len(rest.asked) == 1


def test_the_token_does_not_follow_a_redirect(shell, rest):
    elsewhere = Rest()
    shell.environ["SLUICE_API_TOKEN"] = "sluice_secret"
    rest.status, rest.headers = 307, {"Location": f"{elsewhere.url}/api/v1/commands"}
    try:
        said = shell.sluice("pause", "checkout")
    finally:
        elsewhere.stop()

    assert (said.code, elsewhere.asked) == (1, [])
    assert elsewhere.url in said.err


def test_a_path_in_front_of_the_api_is_kept(shell, rest):
    shell.environ["SLUICE_URL"] = f"{rest.url}/sluice/"

    shell.sluice("status")

    assert rest.asked[0].path == "/sluice/api/v1/commands"


def test_a_list_is_an_aligned_table_with_a_bar_for_what_is_in_flight(shell, rest):
    rest.body = {"code": "ok", "sentence": "1 in flight.", "rows": [ROW, LIVE]}

    lines = shell.sluice("status").out.splitlines()

    assert lines == [
        "1 in flight.",
        "SERVICE   ENVIRONMENT  VERSION  STATE                   TRAFFIC          BY     WHEN (UTC)        ID",
        "checkout  production   v1 → v2  waiting for a decision  ▓▓░░░░░░░░ 25 %  U0ANN  2026-11-21 10:00  r-1",
        "checkout  production   v1       live                                     U0ANN  2026-11-20 08:30  r-0",
    ]


def test_what_keeps_a_rollout_from_going_on_is_told_below_the_table(shell, rest):
    trouble = {"code": "unreachable", "detail": "The cluster does not answer."}
    rest.body = {"code": "ok", "sentence": "", "rows": [{**ROW, "trouble": trouble}]}

    out = shell.sluice("status").out

    assert out.endswith("! checkout in production: The cluster does not answer.\n")


@pytest.mark.parametrize("row", [{}, {"phase": "NEW_PHASE", "weight": "x", "created": "soon"}])
def test_a_row_of_another_version_is_shown_as_far_as_it_goes(shell, rest, row):
    rest.body = {"code": "ok", "sentence": "One.", "rows": [row, ROW, "no row"]}

    said = shell.sluice("status")

    assert (said.code, said.err) == (0, "")
    assert "r-1" in said.out


def test_nothing_of_others_controls_the_terminal(shell, rest):
    evil = "v2\x1b[2J\u202e\x9b"
    rest.body = {"code": "ok", "sentence": evil, "rows": [{**ROW, "version": evil}]}

    said = shell.sluice("status")

    assert all(char.isprintable() or char == "\n" for char in said.out)


@pytest.mark.parametrize(("no_color", "painted"), [("", True), ("1", False)])
def test_colours_are_for_terminals_whose_people_want_them(shell, rest, no_color, painted):
    rest.body = {"code": "ok", "sentence": "", "rows": [{**ROW, "service": "live"}, LIVE]}
    shell.environ["NO_COLOR"], shell.out = no_color, Screen

    out = shell.sluice("status").out

    assert ("\x1b[32mlive " in out) == painted
    assert ("\x1b" in out) == painted
    assert "\n\x1b" not in out


def test_a_pipe_has_no_colours(shell, rest):
    rest.body = {"code": "ok", "sentence": "", "rows": [ROW]}

    assert "\x1b" not in shell.sluice("status").out


def test_on_a_terminal_deploy_says_where_to_watch(shell, rest):
    rest.status, rest.body = 201, {"code": "ok", "sentence": "Started.", "rollout": ROW}
    piped = shell.sluice("deploy", "checkout", "v2").out
    shell.out = Screen

    watched = shell.sluice("deploy", "checkout", "v2").out

    assert "sluice status checkout production" in watched
    assert f"{rest.url}/api/v1/deployments/r-1" in watched
    assert "sluice status" not in piped


def test_a_dry_run_shows_the_plan_of_the_bot(shell, rest):
    plan = shell.sluice("plan", "checkout", "v2", "--json").json
    rest.body = {"code": "ok", "sentence": "Plan.", "plan": {**plan, "warnings": ["Mind the gap."]}}

    out = shell.sluice("deploy", "checkout", "v2", "--dry-run").out

    assert "SetWeight  ▓░░░░░░░░░ 5 % of the traffic" in out
    assert "Warning: Mind the gap." in out


def test_deploy_alone_starts_nothing_and_asks_nobody(shell, rest):
    said = shell.sluice("deploy")

    assert (said.code, rest.asked) == (2, [])
    assert "[missing_service]" in said.err


def test_an_answer_beyond_measure_is_not_one_of_ours(shell, rest):
    rest.raw = b"[" * 200_000

    assert shell.sluice("status", "--json").json["code"] == "not_sluice"


def test_the_answer_in_json_is_what_the_bot_said(shell, rest):
    rest.body = {"code": "ok", "sentence": "→ \u202e", "rows": [ROW], "new": {"key": [1]}}

    said = shell.sluice("status", "--json")

    assert said.json == rest.body
    assert said.out == json.dumps(rest.body) + "\n"
