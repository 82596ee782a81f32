"""How strategies did: the clocks of a row, what counts as what, the sums, and how they are shown at every door."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.api.exposition import exposed
from bot.cli.tallying import stats_lines
from bot.rollout.accounting import Outcome, accounted, outcome_of
from bot.rollout.part import Armed, LaneMemo
from bot.rollout.times import lasting
from bot.rollout.values import Back, Phase, Rollout
from bot.slack.limits import problems
from bot.slack.tallying import stats_message
from bot.stats import as_json, stats_of, summary
from bot.store import Totals
from bot.store.outcomes import BUCKETS, Durations
from strategies.plan import Plan, Prepare, Promote, SetWeight, Soak

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
STEPS = (Prepare(), SetWeight(50.0), Soak(60), SetWeight(100.0), Soak(60), Promote())
MEMO = LaneMemo("app:v1", 4, 4)
ARMED = Armed(0, MEMO, MEMO, NOW)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def rollout(name: str = "r-1", strategy: str = "canary", **changes) -> Rollout:
    service = changes.pop("service", "checkout")
    plan = Plan(service, "production", "v2", strategy, STEPS)
    row = Rollout(name, service, "production", "v2", plan, "U0DANA", NOW, 0)
    return replace(row, **changes)


def back(code: str = "check_failed", *, automatic: bool = True) -> Back:
    return Back(code, "slow", "sluice", NOW, automatic, 5.0)


def ended(phase: Phase, seconds: float = 600, **changes) -> Rollout:
    given = {"started": NOW, "armed": ARMED, "ended": later(seconds), **changes}
    return rollout(phase=phase, **given)


def outcome(strategy: str = "canary", end: str = "succeeded", **changes) -> Outcome:
    base = Outcome("r", "checkout", "production", strategy, end, NOW, machine_s=60.0, waited_s=10.0)
    return replace(base, **changes)


# ---- the clocks of a row --------------------------------------------------------------------------------------------


def walked(*phases: tuple[Phase, float]) -> Rollout:
    """Return a row that was saved in these phases, so many seconds after its creation."""
    r = rollout()
    for phase, seconds in phases:
        r = accounted(replace(r, phase=phase), later(seconds))
    return r


RUN, WAIT, PAUSE, HELP = Phase.RUNNING, Phase.WAITING, Phase.PAUSED, Phase.NEEDS_ATTENTION
HOME, DONE, PLANNED = Phase.ROLLING_BACK, Phase.SUCCEEDED, Phase.SCHEDULED


@pytest.mark.parametrize(
    ("phases", "waited"),
    [
        ([(RUN, 0), (RUN, 50), (DONE, 100)], 0),
        ([(RUN, 0), (WAIT, 10), (RUN, 40), (DONE, 100)], 30),
        ([(RUN, 0), (WAIT, 10), (WAIT, 20), (WAIT, 30), (RUN, 40)], 30),
        ([(RUN, 0), (WAIT, 10), (PAUSE, 20), (WAIT, 30), (RUN, 40)], 30),
        ([(RUN, 0), (WAIT, 10), (RUN, 20), (PAUSE, 50), (RUN, 60), (DONE, 90)], 20),
        ([(RUN, 0), (WAIT, 10), (HOME, 25), (Phase.ROLLED_BACK, 90)], 15),
        ([(RUN, 0), (HOME, 5), (HELP, 10), (Phase.CANCELLED, 70)], 60),
        ([(RUN, 0), (WAIT, 10), (DONE, 20), (DONE, 500)], 10),
        ([(RUN, 0), (WAIT, 10), (RUN, 4)], 0),
        ([(PLANNED, 0), (PLANNED, 900), (RUN, 1000), (PAUSE, 1010), (RUN, 1020)], 10),
    ],
)
def test_the_time_for_people_is_what_passes_while_only_a_person_can_go_on(phases, waited):
    r = walked(*phases)

    assert (r.waited, r.waiting_since) == (waited, None)


def test_an_open_gate_has_a_running_clock():
    assert walked((RUN, 0), (WAIT, 10), (WAIT, 99)).waiting_since == later(10)


def test_a_scheduled_rollout_starts_when_it_runs_and_not_when_it_was_asked_for():
    assert walked((PLANNED, 0), (PLANNED, 50)).started is None
    assert walked((PLANNED, 0), (RUN, 3600), (WAIT, 3700)).started == later(3600)


# ---- what counts as what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "end", "rollback", "code"),
    [
        (ended(Phase.SUCCEEDED), "succeeded", "", ""),
        (ended(Phase.SUCCEEDED, winner="A", back=back("lost")), "succeeded", "", "lost"),
        (ended(Phase.ROLLED_BACK, back=back()), "rolled_back", "automatic", "check_failed"),
        (ended(Phase.ROLLED_BACK, back=back("crash_loop")), "rolled_back", "automatic", "crash_loop"),
        (ended(Phase.ROLLED_BACK, back=back("asked", automatic=False)), "rolled_back", "by_hand", "asked"),
        (ended(Phase.CANCELLED, code="resolved"), "resolved", "", "resolved"),
        (ended(Phase.CANCELLED, armed=None, code="already_live"), "cancelled", "", "already_live"),
        (ended(Phase.SUCCEEDED, rollback_of="r-0"), "undo", "after_success", ""),
    ],
)  # fmt: skip
def test_every_end_is_counted_as_what_it_was(row, end, rollback, code):
    found = outcome_of(row)

    assert (found.end, found.rollback, found.code) == (end, rollback, code)
    assert found.degraded is (rollback == "automatic" and code == "check_failed")


@pytest.mark.parametrize(
    "row",
    [
        rollout(phase=Phase.RUNNING),
        rollout(phase=Phase.NEEDS_ATTENTION),
        ended(Phase.CANCELLED, rollback_of="r-0"),
        ended(Phase.ROLLED_BACK, rollback_of="r-0", back=back()),
    ],
)
def test_what_has_not_ended_and_an_undoing_that_came_to_nothing_are_not_counted(row):
    assert outcome_of(row) is None


def test_machine_time_is_what_is_left_without_the_waiting():
    found = outcome_of(ended(Phase.SUCCEEDED, 600, waited=450.0))

    assert (found.machine_s, found.waited_s) == (150, 450)


def test_times_that_nobody_measured_are_not_made_up():
    found = outcome_of(ended(Phase.SUCCEEDED, started=None))

    assert (found.machine_s, found.waited_s) == (None, None)


# ---- the sums -------------------------------------------------------------------------------------------------------

MONTH = [
    *(outcome(machine_s=float(n), waited_s=10.0 * n) for n in range(1, 11)),
    outcome(end="rolled_back", rollback="automatic", code="check_failed", machine_s=9999.0),
    outcome(end="rolled_back", rollback="automatic", code="crash_loop"),
    outcome(end="rolled_back", rollback="by_hand", code="asked", warnings=3),
    outcome(end="resolved"),
    outcome(end="cancelled"),
    outcome(end="undo", rollback="after_success"),
    outcome("ab-test", winner="A", machine_s=None, waited_s=None),
    outcome("ab-test", winner="B", warnings=1, machine_s=None, waited_s=None),
]
STATS = stats_of(MONTH, [("canary", 60.0), ("canary", 30.0), ("ab-test", 600.0)], days=28)


def test_a_strategy_is_summed_up():
    canary = as_json(STATS)["strategies"][0]

    assert canary == {
        "strategy": "canary",
        "finished": 14,
        "succeeded": 10,
        "rolled_back": {"automatic": 2, "by_hand": 1, "after_success": 1},
        "resolved": 1,
        "cancelled": 1,
        "success_rate": 71.4,
        "rollbacks_per_week": 1.0,
        "degradations": {"rolled_back": 1, "warned": 1},
        "machine_s": {"median": 6, "p90": 9},
        "human_wait_s": {"median": 55, "p90": 90},
        "approval_s": {"median": 45, "p90": 60},
        "winners": {"A": 0, "B": 0},
    }


def test_times_of_strategies_that_nobody_measured_are_null_and_winners_are_counted():
    _, split = as_json(STATS)["strategies"]

    assert (split["strategy"], split["machine_s"], split["human_wait_s"]) == ("ab-test", None, None)
    assert split["winners"] == {"A": 1, "B": 1}


def test_the_total_is_over_all_strategies():
    body = as_json(STATS)

    assert (body["window_days"], body["service"]) == (28, None)
    assert (body["total"]["finished"], body["total"]["succeeded"]) == (16, 12)
    assert body["total"]["degradations"] == {"rolled_back": 1, "warned": 2}
    assert "strategy" not in body["total"]


@pytest.mark.parametrize("ends", [["undo"], ["cancelled"], ["undo", "cancelled"]])
def test_what_never_began_and_what_undoes_say_nothing_about_success(ends):
    body = as_json(stats_of([outcome(end=end) for end in ends], [], days=7))

    assert (body["total"]["finished"], body["total"]["success_rate"]) == (0, None)


def test_a_bound_that_was_met_is_said():
    assert "only_newest" not in as_json(STATS)
    assert as_json(stats_of(MONTH, [], days=7, bounded=True))["only_newest"] == 10_000


SPAN = "finished in the last 30 days"
TIMES = "with 1 min of work and 10 s of waiting for people at the median"
ONCE = "a version was rolled back once (1 by itself, 1 for its metrics)"
TWICE = "a version was rolled back 2 times (0 by itself)"
BY_CHECK = outcome(end="rolled_back", rollback="automatic", code="check_failed")
BY_HAND = outcome(end="rolled_back", rollback="by_hand")
UNDO = outcome(end="undo", rollback="after_success")


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], "No rollout of checkout has finished in the last 30 days."),
        ([UNDO], "No rollout of checkout has finished in the last 30 days, 1 earlier one was undone."),
        ([outcome()], f"1 rollout of checkout {SPAN}, 1 of them well (100 %), {TIMES}; nothing was rolled back."),
        ([outcome(), BY_CHECK], f"2 rollouts of checkout {SPAN}, 1 of them well (50 %), {TIMES}; {ONCE}."),
        ([BY_HAND, BY_HAND], f"2 rollouts of checkout {SPAN}, 0 of them well (0 %); {TWICE}."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_numbers_amount_to(outcomes, said):
    assert summary(stats_of(outcomes, [], days=30, service="checkout")) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3599, "59 min"), (3600, "1 h"), (3900, "1 h 5 min"),
        (86400, "1 d"), (180000, "2 d 2 h"),
    ],
)  # fmt: skip
def test_durations_are_said_in_their_two_largest_units(seconds, said):
    assert lasting(seconds) == said


# ---- how they are shown ---------------------------------------------------------------------------------------------


def many() -> list[Outcome]:
    return [outcome(f"{'<!channel>' * 12}-{n}") for n in range(200)]


@pytest.mark.parametrize("outcomes", [[], MONTH, many()], ids=["none", "some", "many"])
def test_slack_takes_the_message_whatever_is_in_it(outcomes):
    message = stats_message(stats_of(outcomes, [], days=30, bounded=True))

    assert problems({"channel": "C0", **message.payload()}) == []
    assert "<!channel>" not in str(message.blocks)


def test_the_message_has_a_line_per_strategy_and_one_for_all():
    table = stats_message(STATS).blocks[1]["text"]["text"]

    assert re.findall(r"^(canary|ab-test|all) +(\d+) +(\d+ %)", table, re.MULTILINE) == [
        ("canary", "14", "71 %"), ("ab-test", "2", "100 %"), ("all", "16", "75 %"),
    ]  # fmt: skip


def test_the_command_line_shows_every_number():
    lines = stats_lines(as_json(STATS))

    assert re.split(r"  +", lines[1]) == [
        "canary", "14", "10 (71.4 %)", "6 s", "9 s", "55 s", "1 min", "45 s", "1 min",
    ]  # fmt: skip
    assert lines[7].split() == ["canary", "2", "1", "1", "1", "1", "1", "1", "1", "0:0"]
    assert max(map(len, lines)) <= 140


def test_the_command_line_bears_a_bot_of_another_version():
    assert stats_lines({"strategies": "none"}) == []
    assert stats_lines({"strategies": [{"strategy": "new\x1b[31m", "finished": 3}, 7]})[1] == (
        "new·[31m  3"
    )


# ---- Prometheus -----------------------------------------------------------------------------------------------------

ODD = 'can"a\\ry\n'
TOTALS = Totals(
    rollouts=[("canary", "production", "succeeded", 3), (ODD, "staging", "cancelled", 1)],
    rollbacks=[("canary", "automatic", 2)],
    machine=[Durations("canary", "succeeded", (*range(len(BUCKETS)),), 1234.5, 12)],
    waited=[Durations(ODD, "resolved", (1,) * len(BUCKETS), 0.0, 1)],
)


def test_labels_are_escaped():
    assert 'strategy="can\\"a\\\\ry\\n"' in exposed({}, TOTALS, {}, {})


def test_the_exposition_is_what_prometheus_reads_and_its_linter_accepts():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    text = exposed({"RUNNING": 2}, TOTALS, {}, {})

    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_histogram_is_cumulative_and_ends_with_everything():
    lines = exposed({}, TOTALS, {}, {}).splitlines()
    buckets = [line for line in lines if "machine_seconds_bucket" in line]

    assert [int(line.rpartition(" ")[2]) for line in buckets] == [*range(len(BUCKETS)), 12]
    assert 'le="+Inf"' in buckets[-1]
    assert (
        'sluice_rollout_machine_seconds_sum{strategy="canary",outcome="succeeded"} 1234.5' in lines
    )


# ---- observe only ---------------------------------------------------------------------------------------------------


def observed(name: str, end: str, score: str, **changes) -> Outcome:
    return outcome(end=end, observed=score, rollout=name, **changes)


TAKEN_BACK = {"rollback": "automatic", "code": "check_failed"}
WATCHED = [
    observed("a", "succeeded", "pass"),
    observed("b", "succeeded", "rollback"),
    observed("c", "rolled_back", "rollback", **TAKEN_BACK),
    observed("d", "rolled_back", "pass", rollback="by_hand"),
    # Not the version's fault, a success that did not last, and one that nobody observed.
    observed("e", "rolled_back", "pass", rollback="automatic", code="gate_expired"),
    observed("f", "succeeded", "pass"),
    outcome(end="undo", rollout="g", undid="f"),
    outcome(end="succeeded", rollout="h"),
]


def test_what_only_observed_is_held_against_what_was_done():
    found = stats_of(WATCHED, [], days=30)
    assert as_json(found)["observe_only"] == {
        "scored": 5, "agreed": 2, "succeeded": 2, "would_have_rolled_back": 1, "rolled_back": 3,
        "would_have_passed": 2, "sentence": OBSERVED,
    }  # fmt: skip
    assert OBSERVED in str(stats_message(found).blocks)
    assert OBSERVED in stats_lines(as_json(found))


OBSERVED = (
    "Observe only: agreed with people in 2 of 5; would have rolled back 1 of 2 that succeeded, "
    "passed 2 of 3 that were rolled back."
)


def test_nothing_is_said_where_nothing_observed():
    found = stats_of([outcome()], [], days=30)
    assert "observe_only" not in as_json(found)
    assert "Observe only" not in str(stats_message(found).blocks)
