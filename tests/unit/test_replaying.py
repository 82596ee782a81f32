"""A replay of one rollout: which windows and looks are weighed, by which questions, and when it goes back."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.replaying import Case, Judge, Wanted, as_json, lines, played, verdict
from bot.replaying.values import Report
from bot.rollout.accounting import Outcome
from bot.rollout.hindsight import undone, worth
from bot.rollout.kept import KeptLook
from bot.rollout.ledger import Ledger
from bot.rollout.ledger_text import ledger_to_text
from bot.rollout.part import Part
from bot.rollout.trail import Stage, Trail
from bot.rollout.values import Back, Phase, Rollout
from strategies.evidence import Both, Policy, SlowRule, Tally, Window
from strategies.evidence.gauges import Gauge
from strategies.experiment import Pairs
from strategies.plan import Check, Plan, Prepare, Promote, SetWeight, Soak
from strategies.verdict import Judgement, Look, Result, Sample, Verdict

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
CHECKS = (Check("error_rate", above=5.0), Check("latency_p95", times_baseline=1.5))
STEPS = (
    Prepare(), SetWeight(5), Soak(300, checks=CHECKS), SetWeight(100), Soak(300, checks=CHECKS), Promote(),
)  # fmt: skip
SLOW = SlowRule(250.0, 1.5)
AS_IT_WAS = Wanted(timedelta(days=30))
HEALTHY = {
    "errors": (1, 100, 19, 1900),
    "error_limit": (1, 100, 19, 1900),
    "slow": (5, 100, 95, 1900),
}


def window(age: float, weight: float = 5, **tallies) -> Window:
    told = {
        name: Both(Tally(bad, of), Tally(*stable) if stable else None)
        for name, (bad, of, *stable) in {**HEALTHY, **tallies}.items()
    }
    return Window(15.0, 0 if weight < 100 else 1, weight, age, told)


def look(seconds: float, *windows: Window, cursor=2, errors=0.5, place="", **more) -> KeptLook:
    samples = (
        Sample("requests", 1900.0, 1000.0),
        Sample("error_rate", 0.5, errors),
        Sample("latency_p95", 120.0, 120.0),
    )
    at = NOW + timedelta(seconds=seconds)
    return KeptLook(cursor, 5.0, place, Look(at, 60, samples, windows=windows), **more)


def ends(end="succeeded", **more) -> Outcome:
    return Outcome("r-1", "checkout", "production", "canary", end, NOW + timedelta(hours=1), **more)


def case(*looks: KeptLook, back: Back | None = None, steps=STEPS, **row) -> Case:
    plan = Plan("checkout", "production", "v2", "canary", steps)
    r = Rollout(
        "r-1", "checkout", "production", "v2", plan, "U0BOB", NOW, 1, back=back, weight_at=NOW,
        phase=Phase.ROLLED_BACK if back else Phase.SUCCEEDED,
        **{"ledger": ledger_to_text(Ledger(slow=SLOW)), **row},
    )  # fmt: skip
    bad = ends("rolled_back", rollback="automatic", code="check_failed")
    return Case(bad if back else ends(), r, looks, "bad" if back else "good")


def back_at(seconds: float) -> Back:
    at = NOW + timedelta(seconds=seconds)
    return Back("check_failed", "", "sluice", at, automatic=True, weight=5.0)


BAD = {"errors": (40, 100, 19, 1900), "error_limit": (40, 100, 19, 1900)}


def test_the_window_that_proves_it_is_found_although_only_one_look_a_minute_is_kept():
    windows = [window(15.0 * i, **(BAD if i > 1 else {})) for i in range(1, 9)]
    found = played(case(look(60, *windows[:4]), look(120, *windows[4:])), AS_IT_WAS)
    assert found.stop is not None
    assert (found.stop.by, found.stop.weight, found.stop.at) == (
        "counts", 5.0, NOW + timedelta(seconds=60),
    )  # fmt: skip
    assert found.windows == 8


def test_what_was_stored_behind_the_rollback_is_not_judged():
    bad = [window(15.0 * i, **BAD) for i in range(1, 5)]
    assert played(case(look(90, *bad), back=back_at(80)), AS_IT_WAS).stop is None
    assert played(case(look(80, *bad), back=back_at(80)), AS_IT_WAS).earlier == 15


def test_a_changed_certainty_changes_when_it_goes_back():
    some = {"errors": (6, 100, 19, 1900), "error_limit": (6, 100, 19, 1900)}
    kept = [
        look(60 * k, *(window(60 * k + 15.0 * i, **some) for i in range(1, 5))) for k in range(1, 9)
    ]
    usual = played(case(*kept), AS_IT_WAS).stop
    sooner = played(case(*kept), replace(AS_IT_WAS, changes={"alpha": 0.2, "windows": 1})).stop
    never = played(case(*kept), replace(AS_IT_WAS, changes={"noise": 5.0})).stop
    assert usual is not None
    assert sooner is not None
    assert never is None
    assert sooner.at < usual.at


def test_without_the_counts_the_limits_alone_are_judged():
    bad = [window(15.0 * i, **BAD) for i in range(1, 5)]
    off = replace(AS_IT_WAS, changes={"mode": "off"})
    assert played(case(look(60, *bad)), off).stop is None
    stop = played(case(look(60, *bad), look(120, errors=5.5)), off).stop
    assert stop is not None
    assert (stop.by, stop.at) == ("limits", NOW + timedelta(seconds=120))
    assert stop.why == "Error rate 5.50 % (limit ≤ 5 %)"


def watched(mode: str, checks=CHECKS, soak: int = 300) -> tuple:
    policy = Policy(mode=mode)
    return tuple(
        replace(one, evidence=policy, checks=checks, duration=soak)
        if isinstance(one, Soak)
        else one
        for one in STEPS
    )


@pytest.mark.parametrize(("errors", "by"), [(0.5, None), (9.0, "limits")])
def test_where_the_counts_only_observe_the_limits_alone_decide(errors, by):
    bad = [window(15.0 * i, **BAD) for i in range(1, 5)]
    kept = case(look(60, *bad, errors=errors), steps=watched("observe"))
    found = played(kept, AS_IT_WAS)
    assert (found.stop and found.stop.by) == by
    assert found.observed
    assert (
        "the counts only observe in 1 rollout and decided nothing there"
        in lines(Report((found,)))[-1]
    )
    decides = played(kept, replace(AS_IT_WAS, changes={"mode": "decide"}))
    assert (decides.stop.by, decides.observed) == ("counts", False)


def test_another_limit_asks_the_same_counts_and_a_bound_that_nobody_counted_by_is_told():
    checks = (Check("error_rate", above=1.0), Check("latency_p99", above=1000.0))
    judge = Judge(checks, 1000, None)
    wanted = replace(AS_IT_WAS, judges={("checkout", "production"): judge})
    # 2.5 % on both: no worse than stable, but over the limit of 1 %.
    both = (25, 1000, 9, 1000)
    told = [window(200 + 15.0 * i, errors=both, error_limit=both) for i in range(1, 9)]
    found = played(case(look(300, *told)), wanted)
    assert found.stop is not None
    assert found.unanswered == {"latency_p99"}
    assert played(case(look(300, *told)), AS_IT_WAS).unanswered == frozenset()


def test_failed_looks_are_counted_anew_behind_the_next_step():
    strict = Judge((Check("error_rate", above=1.0, failures=2, of=3),), 1000, None)
    wanted = replace(
        AS_IT_WAS, judges={("checkout", "production"): strict}, changes={"mode": "off"}
    )
    apart = case(look(60, errors=2), look(120, errors=2, cursor=4))
    together = case(look(60, errors=2), look(120, errors=2))
    assert played(apart, wanted).stop is None
    assert played(together, wanted).stop is not None


def test_another_tolerance_of_slowness_is_a_power_of_the_measured_growth():
    slower = {"slow": (9, 100, 95, 1900)}
    told = [window(150 + 15.0 * i, **slower) for i in range(1, 60)]
    kept = case(look(1000, *told))
    assert played(kept, replace(AS_IT_WAS, changes={"tolerate_latency": 200.0})).stop is None
    assert played(kept, replace(AS_IT_WAS, changes={"tolerate_latency": 0.0})).stop is not None
    blind = replace(Policy(), tolerate_latency=0.0)
    steps = tuple(replace(s, evidence=blind) if isinstance(s, Soak) else s for s in STEPS)
    found = played(
        case(look(1000, *told), steps=steps), replace(AS_IT_WAS, changes={"tolerate_latency": 15.0})
    )
    assert found.stop is None


@pytest.mark.parametrize("worse", ["us", "eu"])
def test_of_several_targets_the_first_that_would_have_gone_back_decides(worse):
    good, bad = window(60), [window(15.0 * i, **BAD) for i in range(1, 5)]
    text = ledger_to_text(Ledger(slow=SLOW))
    parts = tuple(Part(name, weight_at=NOW, ledger=text) for name in ("us", "eu"))
    other = {"eu": (NOW, tuple(bad) if worse == "eu" else (good,))}
    kept = look(60, *(bad if worse == "us" else [good]), place="us", others=other)
    stop = played(case(kept, parts=parts), AS_IT_WAS).stop
    assert stop is not None
    assert stop.by == "counts"


def test_of_two_that_would_have_gone_back_the_earlier_one_decides():
    soon, late = ([window(15.0 * i, **(BAD if i > n else {})) for i in range(1, 9)] for n in (0, 4))
    text = ledger_to_text(Ledger(slow=SLOW))
    parts = tuple(Part(name, weight_at=NOW, ledger=text) for name in ("us", "eu"))
    kept = look(120, *late, place="us", others={"eu": (NOW, tuple(soon))})
    stop = played(case(kept, parts=parts), AS_IT_WAS).stop
    assert stop is not None
    assert stop.at < NOW + timedelta(seconds=75)


def test_a_row_without_a_ledger_is_judged_by_its_limits():
    found = played(case(look(60, errors=9.0), ledger=""), AS_IT_WAS)
    assert found.stop is not None
    assert (found.stop.by, found.windows) == ("limits", 0)


LAG = Check("lag", margin=10.0, better="lower", query="lag{}")
BEGUN = Trail((Stage(1, NOW),))


def lags(minutes: int, canary: float | None) -> list[KeptLook]:
    told = [look(60 * i) for i in range(1, minutes + 1)]
    lag = Sample("lag", 400.0, canary)
    return [replace(one, look=replace(one.look, samples=(*one.look.samples, lag))) for one in told]


@pytest.mark.parametrize(("canary", "by"), [(800.0, "limits"), (404.0, None), (None, None)])
def test_a_number_beside_stables_is_compared_again_pair_by_pair(canary, by):
    kept = case(*lags(40, canary), steps=watched("decide", (*CHECKS, LAG), 2400), trail=BEGUN)
    found = played(kept, AS_IT_WAS)
    assert (found.stop and found.stop.by) == by
    assert found.unmeasured == frozenset()
    assert found.stop is None or "lag is 100 % higher than on stable" in found.stop.why


def test_what_the_live_comparison_proved_is_not_what_a_replay_goes_by():
    proven = Gauge(Pairs(5, 0.7, 0.0), proven=True)
    text = ledger_to_text(Ledger(slow=SLOW, gauges={"lag lower 10": proven}))
    kept = case(*lags(3, 404.0), steps=watched("decide", (*CHECKS, LAG)), trail=BEGUN, ledger=text)
    assert played(kept, AS_IT_WAS).stop is None


def test_what_went_back_by_a_comparison_that_the_looks_do_not_prove_is_left_out_and_not_missed():
    failed = Result("lag", "10 % more", 800.0, 400.0, Verdict.FAIL, "rollback", "lag is higher")
    back = replace(back_at(120), judgement=Judgement(Verdict.FAIL, (failed,)))
    kept = case(*lags(2, 800.0), back=back, steps=watched("decide", (*CHECKS, LAG)), trail=BEGUN)

    report = Report((played(kept, AS_IT_WAS),))

    assert (report.bad, report.missed, report.unprovable) == ((), (), 1)
    assert "left out: 1 rollout that cannot be judged again" in "\n".join(lines(report))
    # A judge that does not ask has missed it.
    mild = replace(AS_IT_WAS, judges={("checkout", "production"): Judge(CHECKS, 1000, None)})
    assert len(Report((played(kept, mild),)).missed) == 1


@pytest.mark.parametrize("text", ["x", '{"counters": {}', "[" * 100_000])
def test_a_ledger_that_cannot_be_read_is_told(text):
    found = played(case(look(60, window(60)), ledger=text), AS_IT_WAS)
    assert "what stable did before cannot be read in 1 rollout" in "\n".join(
        lines(Report((found,)))
    )


def test_looks_that_cannot_be_read_are_told_with_their_number():
    found = played(replace(case(look(60, window(60))), broken=2), AS_IT_WAS)
    said = "\n".join(lines(Report((found,), garbled=1)))
    assert "Note: 2 looks of 1 rollout cannot be read" in said
    assert "left out: 1 rollout whose looks cannot be read." in said
    assert "no look is kept any more" not in said
    assert as_json(Report((found,)))["rollouts"][0]["looks_unreadable"] == 2


def test_a_replay_says_what_it_cannot_know():
    good = played(case(look(60, window(60), lost=3)), AS_IT_WAS)
    bare = played(case(look(60), back=back_at(60)), AS_IT_WAS)
    report = Report((good, bare), neutral=2, bare=1, unreadable=1, unconfigured=1, bounded=True)
    assert verdict(report) == "Would have rolled back 0 of 1 good ones, missed 1 of 1 bad ones."
    said = "\n".join(lines(report))
    assert "nothing was counted in 1 of 2 rollouts" in said
    assert "3 of 4 windows are not kept any more" in said
    assert said.count("left out:") == 4
    assert "the newest alone were judged again" in said
    assert "was rolled back at 5 % by a failed check; would have gone on." in said
    assert as_json(report)["left_out"] == {
        "neutral": 2, "no_looks": 1, "looks_unreadable": 0, "not_provable": 0, "unreadable": 1,
        "not_configured": 1,
    }  # fmt: skip


def test_nothing_to_judge_is_said():
    assert lines(Report(())) == ["There is no rollout to judge again."]


# ---- good and bad ----


@pytest.mark.parametrize(
    ("outcome", "hours", "value"),
    [
        (ends(), None, "good"),
        (ends(), 23, "bad"),
        (ends(), 25, "good"),
        (ends(winner="B"), None, "good"),
        (ends(winner="A"), None, ""),
        (ends("rolled_back", rollback="automatic", code="check_failed"), None, "bad"),
        (ends("rolled_back", rollback="automatic", code="gate_expired"), None, ""),
        (ends("rolled_back", rollback="by_hand", code="asked"), None, "bad"),
        (ends("resolved"), None, ""),
        (ends("cancelled"), None, ""),
        (ends("undo", rollback="after_success"), None, ""),
    ],
)
def test_hindsight_says_what_a_version_was_worth(outcome, hours, value):
    at = None if hours is None else outcome.ended + timedelta(hours=hours)
    assert worth(outcome, at) == value


def test_the_first_undo_of_a_success_counts_and_one_of_before_the_upgrade_is_of_nobody():
    late = replace(ends("undo", undid="r-9"), ended=NOW + timedelta(hours=5))
    early = replace(late, ended=NOW + timedelta(hours=2))
    assert undone([late, early, ends("undo")]) == {"r-9": early.ended}


def test_every_figure_of_the_json_is_a_number():
    body = as_json(Report((played(case(look(60, window(60))), AS_IT_WAS),)))
    assert body["rollouts"][0]["windows"] == 1
    assert math.isfinite(body["good"]["judged"])
