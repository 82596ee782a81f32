"""Observe only: what is told once when the counts would have gone back, and the score at the end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.rollout.accounting import accounted, outcome_of
from bot.rollout.ledger import Ledger
from bot.rollout.ledger_text import ledger_to_text
from bot.rollout.observed import Observed
from bot.rollout.part import Armed, LaneMemo, Part
from bot.rollout.scoring import observing, scored
from bot.rollout.values import Back, Phase, Rollout
from strategies.evidence import Policy, Ruling, Verdict
from strategies.plan import Check, Plan, Prepare, Promote, SetWeight, Soak
from strategies.verdict import Judgement

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
CHECKS = (Check("error_rate", above=5.0),)
MEMO = LaneMemo("app:v1", 4, 4)
COUNTED = ledger_to_text(Ledger(counted=NOW))
WOULD = Observed(NOW, 25.0)


def row(mode="observe", **changes) -> Rollout:
    soak = Soak(300, checks=CHECKS, evidence=Policy(mode=mode))
    plan = Plan(
        "checkout", "production", "v2", "canary", (Prepare(), SetWeight(25), soak, Promote())
    )
    r = Rollout("r-1", "checkout", "production", "v2", plan, "U0BOB", NOW, 1, cursor=2, weight=25.0)
    return replace(r, **{"armed": Armed(0, MEMO, MEMO, NOW), "ledger": COUNTED, **changes})


def looked(verdict: Verdict) -> Judgement:
    return Judgement(Verdict.PASS, (), ruling=Ruling(verdict, 200.0, 0.004))


def back(code="check_failed", *, actor="sluice", after=240.0) -> Back:
    at = NOW + timedelta(seconds=after)
    return Back(code, "", actor, at, actor == "sluice", 25.0)


def test_it_is_told_the_first_time_and_never_again():
    r = observing(row(), looked(Verdict.FAIL), NOW)
    assert r.observed == WOULD
    [entry] = r.news
    assert (entry.verb, entry.code, entry.tell) == ("observed", "would_roll_back", "thread")
    assert entry.text.startswith("Would have rolled back at 25 %: ")
    assert entry.text.endswith("(observe only).")
    assert observing(r, looked(Verdict.FAIL), NOW + timedelta(minutes=1)) == r


@pytest.mark.parametrize(
    ("r", "verdict"),
    [
        (row(), Verdict.PASS),
        (row(), Verdict.INCONCLUSIVE),
        (row("decide"), Verdict.FAIL),
    ],
)
def test_otherwise_nothing_is_told(r, verdict):
    assert observing(r, looked(verdict), NOW) == r
    assert observing(r, Judgement(Verdict.FAIL, ()), NOW) == r


def test_of_several_targets_the_line_names_the_one():
    parts = (Part("us", weight=5.0), Part("eu", weight=25.0))
    r = observing(row(parts=parts), looked(Verdict.FAIL), NOW, "us")
    assert r.news[-1].text.startswith("us: Would have rolled back at 5 %: ")


ROLLED_BACK, SUCCEEDED = Phase.ROLLED_BACK, Phase.SUCCEEDED
WOULD_HAVE = "Observe only: the counts would have rolled it back at 25 %, "
NOTHING = "Observe only: the counts found nothing against it, "


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (
            {"phase": SUCCEEDED},
            "agreed",
            NOTHING + "and it succeeded.",
        ),
        (
            {"phase": SUCCEEDED, "observed": WOULD},
            "disagreed",
            WOULD_HAVE + "but it succeeded.",
        ),
        (
            {"phase": ROLLED_BACK, "back": back(), "observed": WOULD},
            "agreed",
            WOULD_HAVE + "and it was rolled back by its limits 4 min later.",
        ),
        (
            {"phase": ROLLED_BACK, "back": back(after=0), "observed": WOULD},
            "agreed",
            WOULD_HAVE + "and it was rolled back by its limits at the same moment.",
        ),
        (
            {"phase": ROLLED_BACK, "back": back("asked", actor="U0ANA")},
            "disagreed",
            NOTHING + "but it was rolled back by U0ANA.",
        ),
    ],
)
def test_the_end_is_held_against_what_the_counts_would_have_done(changes, code, said):
    r = scored(row(**changes, ended=NOW))
    [entry] = r.news
    assert (entry.verb, entry.code, entry.text, entry.tell) == ("observed", code, said, "")
    assert scored(r) == r
    found = outcome_of(r)
    assert found is not None
    assert found.observed == ("rollback" if "observed" in changes else "pass")


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": Phase.RUNNING},
        {"phase": Phase.CANCELLED},
        {"phase": SUCCEEDED, "ledger": ""},
        {"phase": SUCCEEDED, "ledger": "[", "observed": Observed()},
        {"phase": SUCCEEDED, "mode": "decide"},
        {"phase": SUCCEEDED, "winner": "A"},
        {"phase": SUCCEEDED, "rollback_of": "r-0"},
        {"phase": ROLLED_BACK, "back": back("gate_expired")},
    ],
)
def test_what_says_nothing_about_the_version_is_not_scored(changes):
    r = row(**changes)
    assert scored(r) == r


def test_every_save_scores_so_that_no_door_can_forget_it():
    r = accounted(row(phase=SUCCEEDED, ended=NOW), NOW)
    assert r.observed.score == "pass"
    assert [entry.verb for entry in accounted(r, NOW).news] == ["observed"]


def test_the_counts_of_any_target_are_enough_for_a_score():
    parts = (Part("us"), Part("eu", ledger=COUNTED))
    assert scored(row(phase=SUCCEEDED, parts=parts, ledger="")).observed.score == "pass"
