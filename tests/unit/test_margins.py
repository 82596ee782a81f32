"""Checks with a margin: how they are written, shown, planned, and carried from look to look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.rollout.gauging import gauged, query_of, standings
from bot.rollout.kept import KeptLook
from bot.rollout.ledger import Ledger
from bot.rollout.ledger_text import ledger_from_text, ledger_to_text
from bot.rollout.values import Rollout
from bot.settings import read_config
from bot.slack.charts.series import stage_chart
from bot.slack.evidence import evidence_rows
from strategies.expecting import by_margin
from strategies.limits import beyond, limit_words
from strategies.margins import too_short
from strategies.placeholders import filled, tells_lanes_apart
from strategies.plan import (
    Batch,
    Check,
    Plan,
    Prepare,
    Promote,
    SetWeight,
    Soak,
    plan_from_json,
    plan_to_json,
)
from strategies.verdict import Look, Sample
from tests.unit.settings_example import EXAMPLE, changed, problems

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
QUERY = 'max(lag{workload="$workload"})'
LAG = Check("kafka_lag", better="lower", margin=10.0, query=QUERY)
PAID = Check("paid", better="higher", margin=5.0, query=QUERY, then="ask")
HOLDER = "{metric: latency_p95, above: 500, then: warn}"


def written(check: str) -> str:
    return changed(HOLDER, check)


def test_it_is_read_from_the_file():
    text = written(f"{{metric: kafka_lag, better: lower, margin: 10, query: '{QUERY}'}}")
    assert LAG in read_config(text, "sluice.yaml").target("auth-service", "production").checks


@pytest.mark.parametrize(
    ("check", "code", "at"),
    [
        ("{metric: kafka_lag, better: lower, margin: 10, query: §'max(lag)'}", "query_not_per_lane", "query"),
        ("{metric: kafka_lag, better: lower, margin: 10, query: §'max(lag) # $$lane'}", "query_not_per_lane", "query"),
        ("{metric: §latency_p99, better: lower, margin: 10}", "query_not_per_lane", "metric"),
        ("{metric: a, margin: §10, query: '$lane'}", "margin_and_better", "margin"),
        ("{metric: a, better: §lower, above: 1, query: '$lane'}", "margin_and_better", "better"),
        ("{metric: a, better: lower, margin: §0, query: '$lane'}", "out_of_range", "margin"),
        ("{metric: a, better: higher, margin: §100, query: '$lane'}", "out_of_range", "margin"),
        ("{metric: a, better: §more, margin: 10, query: '$lane'}", "unknown_word", "better"),
        ("{metric: a, better: lower, above: 3, margin: §10, query: '$lane'}", "one_bound", "margin"),
        ("{metric: a, better: lower, margin: 10, failures: §1, query: '$lane'}", "bad_failures", "failures"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_its_line_and_column(check, code, at):
    before = EXAMPLE.partition(HOLDER)[0] + check.partition("§")[0]
    (problem,) = problems(written(check.replace("§", "")))
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    assert problem.key == at


@pytest.mark.parametrize(
    ("query", "apart"),
    [
        ("lag{w='$workload'}", True),
        ("lag{l='${lane}'}", True),
        ("lag{v='$version'}", False),
        ("lag{v='$$lane'}", False),
        ("lag{v='$lanes'}", False),
        ("", False),
    ],
)
def test_a_query_tells_both_versions_apart_by_its_variables(query, apart):
    assert tells_lanes_apart(query) is apart


def test_the_window_of_such_a_query_is_two_minutes_at_most():
    asked = replace(LAG, query="rate(x{w='$workload'}[$window]) # ${window} $$window")
    assert query_of(asked, 900) == "rate(x{w='$workload'}[120s]) # 120s $$window"
    assert query_of(asked, 45) == filled(asked.query, "window", "45s")
    plain = Check("x", above=1, query="x[$window]")
    assert query_of(plain, 900) == plain.query


def test_the_plan_shows_it_only_where_it_is_set():
    found = plan(Check("error_rate", above=5), LAG)
    shown = plan_to_json(found)["steps"][2]["checks"]
    assert shown[0] == {"metric": "error_rate", "above": 5, "then": "rollback"}
    assert (shown[1]["better"], shown[1]["margin"]) == ("lower", 10)
    assert plan_from_json(plan_to_json(found)) == found


def test_its_limit_is_said_in_the_direction_that_is_feared():
    assert [limit_words(one) for one in (LAG, PAID)] == ["≤ stable + 10 %", "≥ stable − 5 %"]
    assert (beyond(LAG, 111, 100), beyond(LAG, 109, 100)) == (True, False)
    assert (beyond(PAID, 94, 100), beyond(PAID, 96, 100)) == (True, False)


def test_on_the_card_its_limit_is_a_number():
    look = Look(NOW, 60, (Sample("kafka_lag", 400.0, 800.0), Sample("paid", 200.0, 100.0)))
    rows = evidence_rows(Looks(LAG, PAID).r, look, None)
    assert {row[0]: row[-1] for row in rows[1:]} == {"kafka_lag": "≤ 440", "paid": "≥ 190"}


def test_on_a_picture_its_limit_runs_along_stable():
    own = replace(LAG, metric="error_rate")
    kept = [
        KeptLook(
            2, 5.0, "", Look(NOW + timedelta(minutes=m), 60, (Sample("error_rate", one, 1.0),))
        )
        for m, one in enumerate((1.0, 2.0))
    ]
    chart = stage_chart(Looks(own, replace(own, better="higher")).r, kept)
    lower, higher = chart.panels[0].limits
    assert lower.values == pytest.approx((1.1, 2.2))
    assert higher.values == pytest.approx((0.9, 1.8))


def test_each_check_that_rolls_back_has_a_tenth_of_alpha_of_its_own():
    assert by_margin(plan(LAG, PAID)) == pytest.approx(0.001)
    assert by_margin(plan(LAG, replace(LAG, metric="depth"))) == pytest.approx(0.002)
    assert by_margin(replace(plan(LAG), steps=(Batch("50%"), Soak(60, checks=(LAG,))))) == 0


# ---- from look to look ---------------------------------------------------------------------------


def plan(*checks, soak=300) -> Plan:
    watch = Soak(soak, checks=checks)
    steps = (Prepare(), SetWeight(5), watch, SetWeight(50), watch, SetWeight(100), watch, Promote())
    return Plan("checkout", "production", "v2", "canary", steps)


class Looks:
    """Looks at one rollout, 15 seconds apart."""

    def __init__(self, *checks, soak=300, **changes) -> None:
        row = Rollout(
            "r-1", "checkout", "production", "v2", plan(*checks, soak=soak), "U0BOB", NOW, 1,
            cursor=2, weight=5.0, weight_at=NOW,
        )  # fmt: skip
        self.r, self.now, self.ledger = replace(row, **changes), NOW, None

    def see(self, stable, canary, times=1) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=15)
            sample = Sample("kafka_lag", stable, canary)
            look = Look(self.now, 60, (sample,))
            self.ledger = gauged(self.ledger, None, look, self.r, self.now)

    @property
    def known(self):
        (found,) = standings(self.ledger, self.r).values()
        return found


@pytest.mark.parametrize(
    ("soak", "warm", "span"), [(60, 20, 60), (300, 100, 100), (600, 120, 200), (1800, 120, 300)]
)
def test_pairs_are_a_third_of_the_soak_behind_a_warm_up_of_a_third_at_most(soak, warm, span):
    looks = Looks(LAG, soak=soak)
    first = -(-(warm + 15 + span) // 15)  # the look after the warm-up only begins
    looks.see(10.0, 10.0, times=first - 2)
    assert looks.known.pairs == 0
    looks.see(10.0, 10.0, times=2)
    assert (looks.known.pairs, looks.known.span) == (1, span)


def test_what_is_beyond_the_margin_is_known_before_it_is_certain():
    looks = Looks(LAG, soak=900)
    looks.see(10.0, 100.0, times=40)
    assert (looks.known.beyond, looks.known.proven) == (True, False)
    fine = Looks(LAG, soak=900)
    fine.see(10.0, 10.5, times=40)
    assert (fine.known.pairs, fine.known.beyond) == (1, False)


@pytest.mark.parametrize(
    ("soak", "said"),
    [
        (300, None),
        (60, "room for 2 of the 3 comparisons that kafka_lag needs to be certain"),
        (60, "Soaks of 2 min would do."),
    ],
)
def test_a_plan_says_that_its_soaks_are_too_short_to_be_certain(soak, said):
    steps = plan(LAG, soak=soak).steps
    long = (*steps[:3], SetWeight(25), steps[2], *steps[3:])
    found = " ".join(too_short(replace(plan(LAG), steps=long)))
    assert said in found if said else not found


def test_a_soak_that_only_warns_or_has_no_control_needs_no_comparison():
    assert not list(too_short(plan(replace(LAG, then="warn"), soak=60)))
    alone = Plan("a", "b", "v", "rolling", (Batch("50%"), Soak(60, checks=(LAG,))))
    assert not list(too_short(alone))


def test_short_soaks_are_compared_minute_by_minute():
    looks = Looks(LAG, soak=60)
    looks.see(10.0, 10.0, times=7)
    assert (looks.known.pairs, looks.known.span) == (1, 60)


def test_what_is_seen_while_caches_are_cold_is_forgiven():
    looks = Looks(LAG)
    looks.see(1.0, 500.0, times=6)
    looks.see(1.0, 1.0, times=8)
    assert (looks.known.pairs, looks.known.change) == (1, pytest.approx(0))


def test_pairs_go_on_from_stage_to_stage():
    looks = Looks(LAG)
    looks.see(10.0, 30.0, times=40)
    looks.r = replace(looks.r, cursor=4, weight=50.0, weight_at=looks.now)
    looks.see(10.0, 30.0, times=45)
    assert looks.known.proven


def test_without_a_control_nothing_is_added():
    looks = Looks(LAG, weight=100.0, cursor=6)
    looks.see(10.0, 90.0, times=200)
    assert looks.ledger is None


def test_a_plan_without_such_a_check_carries_nothing():
    looks = Looks(Check("kafka_lag", above=5, query=QUERY))
    looks.see(10.0, 90.0, times=50)
    assert looks.ledger is None


def test_it_is_kept_with_the_row():
    looks = Looks(LAG)
    looks.see(10.0, 30.0, times=60)
    text = ledger_to_text(looks.ledger)
    assert ledger_from_text(text).gauges == looks.ledger.gauges
    looks.ledger = ledger_from_text(text)
    looks.see(10.0, 30.0, times=30)
    assert looks.known.proven


def test_a_row_from_before_there_were_any_is_read():
    text = ledger_to_text(Ledger())
    assert '"gauges":{}' in text
    assert ledger_from_text(text.replace(',"gauges":{}', "")) == Ledger()


def test_two_margins_of_one_number_are_decided_apart():
    wide = replace(LAG, margin=400.0)
    looks = Looks(LAG, wide)
    looks.see(10.0, 30.0, times=100)
    found = standings(looks.ledger, looks.r)
    assert (found[LAG].proven, found[wide].proven) == (True, False)
