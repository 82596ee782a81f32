"""Targets that another controller leads: what may be configured, and what may be asked of them."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import rollback_plan
from bot.planning.plans import plan_for
from bot.settings.check import read_config
from bot.settings.problems import ConfigError
from bot.settings.values import Config
from strategies.plan import Approve, Follow, plan_from_json, plan_to_json
from strategies.request import PlanError

ROLLOUT = "{kind: argo_rollout, name: auth, container: auth, image: ghcr.io/orion/auth%s}"
FILE = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {context: prod}}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
environments: {production: {approvers: [S0SRE], approvals: 2, gate_expires: 1h}}
services:
  auth:
    production:
      cluster: prod
      namespace: orion
      workload: %s
      metrics: {source: main, template: http}
      %s
"""


def config(keys: str = "", extra: str = "") -> Config:
    return read_config(FILE % (ROLLOUT % keys, extra), "sluice.yaml")


def plan(extra: str = "", **options):
    asked = Deploy("auth", "v2", "production", Options(**options))
    return plan_for(asked, config(extra=extra))


def test_it_is_led_and_watched_and_its_numbers_are_of_one_place():
    block = config().target("auth", "production")
    workload = block.places[0].workload
    assert (block.lanes, block.repository, workload.watch) == ("led", "ghcr.io/orion/auth", True)
    assert workload.places("") == ("", "auth")
    assert workload.options() == {
        "name": "auth", "container": "auth", "image": "ghcr.io/orion/auth",
    }  # fmt: skip


def test_with_names_its_lanes_are_told_apart():
    workload = config(", stable: auth-stable, canary: auth-canary, watch: false")
    block = workload.target("auth", "production").places[0].workload
    assert (block.places(""), block.watch) == (("auth-stable", "auth-canary"), False)


@pytest.mark.parametrize(
    ("keys", "extra", "code"),
    [
        (", stable: auth-stable", "", "missing_key"),
        (", canary: auth-canary", "", "missing_key"),
        (", stable: auth, canary: auth", "", "same_workload"),
        (", steps: 3", "", "unknown_key"),
        ("", "traffic: {kind: istio, virtual_service: auth}", "not_its_router"),
        ("", "strategy: rolling", "controller_leads"),
        ("", "strategy: recreate", "controller_leads"),
        ("", "match: [{header: x-canary, present: true}]", "no_header_routes"),
    ],
)
def test_what_contradicts_that_is_refused(keys, extra, code):
    with pytest.raises(ConfigError) as refused:
        config(keys, extra)
    assert [problem.code for problem in refused.value.errors] == [code]


def test_it_stands_alone():
    where = "{name: %s, cluster: prod, namespace: %s, workload: " + ROLLOUT % "" + "}"
    places = ", ".join(where % (name, name) for name in ("a", "b"))
    file = FILE.replace("      cluster: prod\n      namespace: orion\n      workload: %s\n", "%s")
    with pytest.raises(ConfigError) as refused:
        read_config(file % (f"      targets: [{places}]\n", ""), "sluice.yaml")
    assert [problem.code for problem in refused.value.errors] == ["led_alone"]


def test_the_usual_plan_follows_the_controller_and_asks_at_its_pauses():
    (follow,) = plan().steps
    assert isinstance(follow, Follow)
    assert (follow.quorum, follow.groups, follow.expires, follow.full) == (
        2,
        ("S0SRE",),
        3600,
        False,
    )
    assert plan().strategy == "canary"
    assert plan_from_json(plan_to_json(plan())) == plan()


def test_direct_asks_once_and_goes_to_the_end():
    approve, follow = plan(strategy="direct").steps
    assert isinstance(approve, Approve)
    assert (approve.quorum, follow.full) == (2, True)


def test_going_back_after_success_goes_to_the_end_at_once():
    assert rollback_plan("auth", "production", "v1", "led").steps == (Follow(full=True),)


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "rolling"},
        {"strategy": "recreate"},
        {"strategy": "ab-test"},
        {"steps": (10.0, 100.0)},
        {"soak": (60,)},
        {"auto_promote": True},
        {"keep_baseline": 10.0},
        {"header": "x-canary"},
        {"batch_size": "25%"},
    ],
)
def test_what_only_the_controllers_plan_says_is_refused(options):
    with pytest.raises(PlanError) as refused:
        plan(**options)
    assert refused.value.code == "controller_leads"


def test_fewer_checks_than_configured_are_asked_about_before_it_begins():
    first, follow = plan("checks: [{metric: error_rate, above: 1}]", error_threshold=5.0).steps
    assert isinstance(first, Approve)
    assert first.weakened
    assert isinstance(follow, Follow)


FLAGGER = "{kind: flagger, canary: auth, container: auth, image: ghcr.io/orion/auth%s}"
GATES = '\nflagger: {token: "a-token-for-the-gates"}'


def test_a_canary_whose_gates_nobody_answers_is_refused():
    with pytest.raises(ConfigError) as wrong:
        read_config(FILE % (FLAGGER % "", ""), "sluice.yaml")
    assert "without the block flagger nobody answers" in str(wrong.value)


def test_the_lanes_of_a_canary_are_its_two_deployments():
    for keys, places in {
        "": ("auth-primary", "auth"),
        ", target: web": ("web-primary", "web"),
    }.items():
        block = read_config(FILE % (FLAGGER % keys, GATES), "sluice.yaml").target(
            "auth", "production"
        )
        workload = block.places[0].workload
        assert (block.lanes, workload.object, workload.places("")) == ("led", "auth", places)
        assert workload.options() == {
            "canary": "auth", "container": "auth", "image": "ghcr.io/orion/auth",
        }  # fmt: skip


@pytest.mark.parametrize(("names", "warned"), [("", True), (", stable: a, canary: b", False)])
def test_a_check_against_stable_that_nothing_tells_apart_is_warned_about(names, warned):
    check = "checks: [{metric: latency_p95, times_baseline: 1.5}]"
    made = plan_for(Deploy("auth", "v2", "production", Options()), config(names, check))
    assert any("held against stable" in one for one in made.warnings) is warned


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        ("canary: {steps: [5, 100]}", "steps"),
        ("canary: {auto_promote: true}", "auto_promote"),
        ("canary: {retention: 1h}", "retention"),
        ("blue_green: {smoke_for: 1m}", "smoke_for"),
        ("rolling: {batch: 3}", "rolling"),
        ("recreate: {soak: 1m}", "recreate"),
        ("ab_test: {split: 50}", "ab_test"),
        ('smoke: [{url: "http://x/"}]', "smoke"),
    ],
)
def test_what_the_plan_of_the_controller_says_is_not_ignored_but_refused(extra, key):
    with pytest.raises(ConfigError) as refused:
        config(extra=extra)
    assert [(one.code, one.key) for one in refused.value.errors] == [("controller_leads", key)]


def test_how_long_it_is_watched_may_be_said():
    assert config(extra="canary: {soak: 2m}")
