"""How a plan is judged: by the counts or by the limits alone, what is told of it, and what stays on the old version."""

import pytest

from bot.api.bodies import deploy_from
from bot.commands import Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.verbs import Deploy
from bot.planning import judged_by, plan_for, request_for
from bot.settings.check import read_config
from bot.settings.metrics import NOT_MEASURED, UNCOUNTED, WITHOUT_QUERIES
from integrations.metrics.templates import Lanes, raw_counters
from strategies import compile_plan
from strategies.evidence import Policy
from strategies.plan import SetWeight, Soak, plan_from_json, plan_to_json
from strategies.request import PlanError
from strategies.safety import faults
from strategies.wish import Wish

PAIR = """workload: {kind: deployment, stable: s, canary: c, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}"""
COLOURS = """workload: {kind: deployment, blue: b, green: g, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}"""
SELECTOR = COLOURS.replace("istio, virtual_service", "service_selector, service")
ALONE = "workload: {kind: deployment, name: app, container: app, image: r/app}"
ROLLOUT = "workload: {kind: argo_rollout, name: app, container: app, image: r/app}"
ERRORS = "checks: [{metric: error_rate, above: 5}]"
AT_100 = "At 100 % nothing is left to compare with"
KEEP = "keep-baseline=5 keeps a control."


def config(shape: str = PAIR, rest: str = ERRORS, environment: str = ""):
    return read_config(
        f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
metrics: {{main: {{kind: prometheus, url: "http://127.0.0.1:9"}}}}
environments: {{production: {{approvers: [S0SRE]{environment}}}}}
services:
  app:
    production:
      cluster: prod
      namespace: shop
      {shape}
      metrics: {{source: main, template: http}}
      {rest}
""",
        "sluice.yaml",
    )


def planned(conf, **wish):
    return plan_for(Deploy("app", "v2", "production", wish=Wish(**wish)), conf)


def cautioned(conf, **wish) -> list[str]:
    return [one for one in planned(conf, **wish).warnings if one.startswith(AT_100)]


def words(plan) -> str:
    return " ".join(
        f"{step.percent:g}" if isinstance(step, SetWeight) else type(step).__name__
        for step in plan.steps
    )


# ---- how it is judged -------------------------------------------------------------------------------------------


def test_counts_decide_beside_the_limits():
    conf = config()
    assert judged_by(planned(conf), conf) == (
        "by counts of both versions at the same time, beside the fixed limits"
    )


BEFORE = (
    "by counts of the new version, held against what stable did before, because at 100 % nothing runs beside it; "
    "and by the fixed limits"
)


@pytest.mark.parametrize(
    ("shape", "strategy", "said"),
    [
        (PAIR, "direct", BEFORE),
        (COLOURS, "blue-green", f"{BEFORE}. {KEEP}"),
        (SELECTOR, "blue-green", BEFORE),
    ],
)
def test_a_plan_that_is_watched_at_100_percent_alone_is_held_against_before(shape, strategy, said):
    conf = config(shape)

    assert judged_by(planned(conf, strategy=strategy), conf) == said


def test_a_plan_that_keeps_a_control_is_judged_beside_it():
    conf = config(COLOURS)

    said = judged_by(planned(conf, strategy="blue-green", keep_baseline=5.0), conf)

    assert "both versions at the same time" in said


def test_who_observes_a_version_that_runs_alone_counts_no_other():
    conf = config(rest=f"{ERRORS}\n      evidence: {{mode: observe}}")

    assert "both versions" in judged_by(planned(conf), conf)
    assert "both versions" not in judged_by(planned(conf, strategy="direct"), conf)


def test_observed_counts_decide_nothing():
    conf = config(rest=f"{ERRORS}\n      evidence: {{mode: observe}}")
    assert "and decides nothing" in judged_by(planned(conf), conf)


@pytest.mark.parametrize(
    ("shape", "rest", "strategy", "why"),
    [
        (ALONE, ERRORS, "canary", "both versions run in one place"),
        (PAIR.partition("\n")[0], ERRORS, "canary", "both versions run in one place"),
        (ROLLOUT, ERRORS, "canary", "another controller moves the traffic"),
        (PAIR, ERRORS, "recreate", "the old version is gone before the new one serves"),
        (PAIR, f"{ERRORS}\n      evidence: {{mode: off}}", "canary", "evidence is off here"),
        (PAIR, "checks: [{metric: error_rate, above: 5, then: warn}]", "canary", "no check on errors"),
        (PAIR, "checks: [{metric: cpu, above: 80}]", "canary", "no check on errors"),
        (PAIR, "checks: [{metric: error_rate, above: 5, query: 'x'}]", "canary", "no check on errors"),
    ],
)  # fmt: skip
def test_where_the_limits_are_alone_it_is_said_why(shape, rest, strategy, why):
    conf = config(shape, rest)
    plan = planned(conf, strategy=strategy)

    said = judged_by(plan, conf)

    assert said.startswith("by the fixed limits alone, because ")
    assert why in said
    assert cautioned(conf, strategy=strategy) == []


CLOUD_RUN = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
accounts: {shop: {kind: gcp, project: p, location: europe-west1}}
metrics: {main: {kind: prometheus, url: "http://127.0.0.1:9"}}
environments: {production: {approvers: [S0SRE]}}
services:
  app:
    production:
      workload: {kind: cloud_run, account: shop, service: app, image: r/app}
      metrics: {source: main, template: cloud_run}
      checks: [{metric: error_rate, above: 5}]
"""


def test_a_source_without_counters_is_named():
    conf = read_config(CLOUD_RUN, "sluice.yaml")

    assert judged_by(planned(conf), conf) == (
        "by the fixed limits alone, because the metrics of cloud_run have no counters"
    )


@pytest.mark.parametrize("template", sorted({*NOT_MEASURED} - WITHOUT_QUERIES))
def test_a_template_of_prometheus_is_said_to_have_counters_where_its_adapter_has(template):
    has = raw_counters(template, Lanes("shop", "s", "c")) is not None

    assert (template in UNCOUNTED) is not has


def test_nothing_is_said_where_nothing_is_checked():
    conf = config(rest="")
    assert judged_by(planned(conf), conf) == ""


# ---- without a control ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "hint"),
    [("canary", KEEP), ("blue-green", KEEP), ("direct", "is seen there."), ("ab-test", None)],
)
def test_a_last_soak_at_100_percent_says_once_what_it_cannot_see(strategy, hint):
    said = cautioned(config(), strategy=strategy)

    assert [one.endswith(hint) for one in said] == ([True] if hint else [])


def test_a_router_of_all_or_nothing_is_not_told_to_keep_a_control():
    (said,) = cautioned(config(SELECTOR), strategy="blue-green")

    assert said.endswith("is seen there.")


@pytest.mark.parametrize("strategy", ["canary", "blue-green"])
def test_with_a_control_to_the_end_nothing_is_cautioned(strategy):
    assert cautioned(config(), strategy=strategy, keep_baseline=5.0) == []


def test_counts_that_only_observe_caution_nobody():
    assert cautioned(config(rest=f"{ERRORS}\n      evidence: {{mode: observe}}")) == []


# ---- what stays on the old version ------------------------------------------------------------------------------

KEPT = f"{ERRORS}\n      canary: {{steps: [10, 100], keep_baseline: 5}}\n      blue_green: {{keep_baseline: 10}}"


@pytest.mark.parametrize(
    ("wish", "steps"),
    [
        ({}, "Prepare 10 Soak Approve 95 Soak Approve 100 Promote"),
        ({"keep_baseline": 20.0}, "Prepare 10 Soak Approve 80 Soak Approve 100 Promote"),
        ({"strategy": "blue-green"}, "Prepare Smoke Approve 90 Soak 100 Promote"),
        ({"strategy": "blue-green", "keep_baseline": 2.5}, "Prepare Smoke Approve 97.5 Soak 100 Promote"),
        ({"strategy": "direct", "soak": (600,)}, "Prepare Approve Switch Soak Promote"),
        ({"strategy": "ab-test"}, "Prepare 50 Compare Approve 100 Promote"),
    ],
)  # fmt: skip
def test_the_configured_baseline_is_kept_unless_a_request_says_another(wish, steps):
    assert words(planned(config(rest=KEPT), **wish)) == steps


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"keep_baseline": 0.0}, ("the last soak keeps 0 % on the old version instead of 5 %",)),
        ({"keep_baseline": 2.0}, ("the last soak keeps 2 % on the old version instead of 5 %",)),
        ({"keep_baseline": 5.0}, ()),
        ({"keep_baseline": 10.0}, ()),
        ({"strategy": "blue-green", "keep_baseline": 5.0},
         ("the last soak keeps 5 % on the old version instead of 10 %",)),
    ],
)  # fmt: skip
def test_to_keep_less_than_configured_is_a_weakening(wish, said):
    request = request_for(Deploy("app", "v2", "production", wish=Wish(**wish)), config(rest=KEPT))
    assert request.weakened == said


def test_nothing_kept_is_the_literal_100_behind_a_gate_that_says_so():
    plan = planned(config(rest=KEPT), keep_baseline=0.0, steps=(10.0, 100.0))

    assert words(plan) == "Prepare Approve 10 Soak Approve 100 Soak Approve Promote"
    assert cautioned(config(rest=KEPT), keep_baseline=0.0)


@pytest.mark.parametrize(
    ("shape", "wish", "code"),
    [
        (PAIR, {"strategy": "ab-test", "keep_baseline": 5.0}, "option_not_for_strategy"),
        (PAIR, {"strategy": "rolling", "keep_baseline": 5.0}, "option_not_for_strategy"),
        (SELECTOR, {"strategy": "blue-green", "keep_baseline": 5.0}, "weights_unreachable"),
        (PAIR, {"strategy": "blue-green", "keep_baseline": 0.125}, "weights_unreachable"),
        (PAIR, {"steps": (50.0, 97.0), "keep_baseline": 5.0}, "bad_value"),
    ],
)
def test_a_baseline_that_nobody_could_keep_is_refused(shape, wish, code):
    with pytest.raises(PlanError) as refused:
        planned(config(shape), **wish)

    assert (refused.value.code, refused.value.key) == (code, "keep-baseline")


def test_a_switch_in_two_weights_keeps_its_deadline():
    plan = planned(config(), strategy="blue-green", keep_baseline=5.0, switch_timeout=30)

    moves = [step for step in plan.steps if isinstance(step, SetWeight)]
    assert moves == [SetWeight(95, timeout=30), SetWeight(100, timeout=30)]
    assert plan_from_json(plan_to_json(plan)) == plan


# ---- what is configured reaches the plan, and nobody's request changes it -----------------------------------------


def test_the_json_of_an_ordinary_plan_has_no_noise():
    steps = plan_to_json(planned(config(rest=f"{ERRORS}\n      evidence: {{alpha: 0.01}}")))[
        "steps"
    ]

    (soak, *_) = [step for step in steps if step["step"] == "Soak"]
    assert list(soak) == ["step", "duration", "min_requests", "checks"]
    assert {"step": "SetWeight", "percent": 10} in steps


def test_only_what_is_unusual_is_printed_on_every_step_that_is_judged():
    conf = config(
        rest=f"{ERRORS}\n      evidence: {{noise: 0.3}}", environment=", evidence: {warmup: 5m}"
    )
    plan = planned(conf)

    soaks = [step for step in plan_to_json(plan)["steps"] if step["step"] == "Soak"]
    assert [soak["evidence"] for soak in soaks] == [{"noise": 0.3, "warmup": 300}] * 3
    assert plan_from_json(plan_to_json(plan)) == plan
    assert {step.evidence for step in plan.steps if isinstance(step, Soak)} == {
        Policy(noise=0.3, warmup=300.0)
    }


def test_another_policy_is_another_plan():
    assert (
        planned(config()).digest
        != planned(config(rest=f"{ERRORS}\n      evidence: {{mode: off}}")).digest
    )


def test_a_step_that_is_judged_otherwise_than_asked_for_is_no_sound_plan():
    request = request_for(Deploy("app", "v2", "production", wish=Wish()), config())
    plan = compile_plan(request)
    laxer = [
        Soak(s.duration, s.min_requests, s.checks, Policy(mode="off")) if isinstance(s, Soak) else s
        for s in plan.steps
    ]
    (fault, *_) = faults(request.plan(laxer), request)
    assert fault == "the counts of a Soak do not decide as the request says"


KNOWN = Known({"app": ("production",)})


@pytest.mark.parametrize("word", ["evidence=off", "mode=off", "alpha=0.2", "--evidence off"])
def test_no_words_change_how_the_counts_decide(word):
    with pytest.raises(WordsError) as refused:
        parse_line(f"deploy app v2 to production {word}", KNOWN)
    assert refused.value.code in {"unknown_option", "unknown_word"}


@pytest.mark.parametrize("key", ["evidence", "mode", "alpha"])
def test_no_body_changes_how_the_counts_decide(key):
    body = {"service": "app", "version": "v2", "environment": "production", "config": {key: {}}}
    with pytest.raises(Refusal) as refused:
        deploy_from(body, KNOWN)
    assert (refused.value.code, refused.value.status) == ("unknown_key", 422)
