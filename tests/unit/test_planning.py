"""From words and the file to a plan: every default in its place, everything weakened put into words."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import plan_for, request_for, rollback_plan, rules_for
from bot.settings.check import read_config
from bot.settings.values import UnknownNameError
from strategies.plan import Approve, SetWeight, Soak
from strategies.request import PlanError

TARGET = """
      cluster: prod
      namespace: shop
      workload: {kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app, route: primary}
      metrics: {source: main, template: istio}
      canary: {steps: [5, 50, 100], soak: [1m, 5m, 10m]}
      checks:
        - {metric: error_rate, above: 5}
        - {metric: latency_p95, above: 500, then: warn}
      min_requests: 200
"""
CONFIG = f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters:
  prod: {{kubeconfig: /nowhere}}
metrics:
  main: {{kind: prometheus, url: "http://127.0.0.1:9"}}
environments:
  production: {{approvers: [S0SRE], approvals: 1, gate_expires: 2h, on_expiry: rollback}}
  staging: {{strategy: direct}}
services:
  app:
    about: {{oncall: S0ONCALL, owners: [S0APP]}}
    production: {TARGET}
    staging: {TARGET}
"""
CONF = read_config(CONFIG, "sluice.yaml")


def deploy(environment="production", **options) -> Deploy:
    return Deploy("app", "v2", environment, Options(**options))


def stages(**options):
    plan = plan_for(deploy(**options), CONF)
    weights = [s.percent for s in plan.steps if isinstance(s, SetWeight)]
    soaks = [s.duration for s in plan.steps if isinstance(s, Soak)]
    return list(zip(weights, soaks, strict=False))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(5, 60), (50, 300), (100, 600)]),
        ({"soak": (120,)}, [(5, 120), (50, 120), (100, 120)]),
        ({"soak": (60, 120)}, [(5, 60), (50, 120), (100, 120)]),
        ({"steps": (10.0, 100.0)}, [(10, 600), (100, 600)]),
        ({"steps": (10.0, 50.0)}, [(10, 600), (50, 600), (100, 600)]),
        ({"steps": (10.0, 50.0), "soak": (60, 120)}, [(10, 60), (50, 120), (100, 120)]),
        ({"keep_baseline": 10}, [(5, 60), (50, 300), (90, 600)]),
    ],
)
def test_steps_and_soaks_of_the_request_over_those_of_the_file(options, expected):
    assert stages(**options) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ()),
        ({"auto_promote": True}, ("no decision after each soak (auto-promote)",)),
        ({"strategy": "direct"}, ("direct instead of canary",)),
        ({"soak": (60,)}, ("soak 60 s instead of 600 s",)),
        ({"soak": (60, 300, 300)}, ("soak 60 s instead of 600 s",)),
        ({"soak": (60, 300, 600)}, ()),
        ({"soak": (900,)}, ()),
        ({"steps": (100.0,)}, ("all traffic in one step",)),
        ({"error_threshold": 9.0}, ("error_rate limit 9 instead of 5",)),
        ({"error_threshold": 2.0}, ()),
        ({"latency_p95": 900.0}, ("latency_p95 limit 900 instead of 500",)),
        ({"approvals": 2}, ()),
    ],
)
def test_what_a_request_weakens_is_said(options, said):
    assert request_for(deploy(**options), CONF).weakened == said


def test_where_nobody_has_to_approve_nothing_counts_as_weakened():
    request = request_for(deploy("staging", auto_promote=True), CONF)
    assert (request.strategy, request.approvals, request.weakened) == ("direct", 0, ())


@pytest.mark.parametrize(
    ("options", "code", "key"),
    [
        ({"approvals": 0}, "approvals_lowered", "approvals"),
        ({"namespace": "other"}, "other_target", "namespace"),
        ({"mesh": "linkerd"}, "other_target", "mesh"),
        ({"soak": (60, 60, 60, 60)}, "bad_value", "step-duration"),
        ({"strategy": "yolo"}, "unknown_strategy", "strategy"),
        ({"steps": (50.0, 25.0)}, "bad_value", "traffic-steps"),
        ({"batch_size": "25%"}, "option_not_for_strategy", "batch-size"),
        ({"keep_baseline": 60}, "bad_value", "keep-baseline"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(options, code, key):
    with pytest.raises(PlanError) as caught:
        plan_for(deploy(**options), CONF)
    assert (caught.value.code, caught.value.key) == (code, key)


def test_approvals_need_somebody_to_approve():
    with pytest.raises(PlanError, match="lists no approvers"):
        plan_for(deploy("staging", approvals=1), CONF)


def test_namespace_and_mesh_of_the_target_may_be_said():
    assert plan_for(deploy(namespace="Shop", mesh="istio"), CONF) == plan_for(deploy(), CONF)


@pytest.mark.parametrize("wanted", [Deploy("ap", "v2", "production"), Deploy("app", "v2", "test")])
def test_names_that_are_not_configured_are_refused(wanted):
    with pytest.raises(UnknownNameError):
        plan_for(wanted, CONF)


def test_a_threshold_without_a_check_becomes_one():
    request = request_for(deploy("staging", error_threshold=3.0), CONF)
    assert request.checks[0].above == 3
    assert request.min_requests == 200


def test_gates_carry_what_the_environment_says():
    gate = next(s for s in plan_for(deploy(approvals=2), CONF).steps if isinstance(s, Approve))
    assert (gate.quorum, gate.groups, gate.expires) == (2, ("S0SRE",), 7200)
    assert gate.on_expiry == "rollback"
    rules = rules_for("app", "production", CONF)
    assert (rules.oncall, rules.owners, rules.on_expiry) == ("S0ONCALL", ("S0APP",), "rollback")


def test_the_way_back_has_no_gate_and_no_soak():
    steps = [type(s).__name__ for s in rollback_plan("app", "production", "v1").steps]
    assert steps == ["Prepare", "Switch", "Promote"]


DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "version", ["v2", DIGEST, "r/app:v2", f"r/app@{DIGEST}", f"r/app:v2@{DIGEST}"]
)
def test_a_version_is_a_tag_a_digest_or_the_configured_image(version):
    assert plan_for(Deploy("app", version, "production"), CONF).version == version


@pytest.mark.parametrize(
    "version",
    ["evil.example/app:v2", "r/app2:v2", "r/app/x:v2", "app:v2", "r/app@sha256:0a", "sha512:0a"],
)
def test_another_image_is_refused_before_there_is_a_row(version):
    with pytest.raises(PlanError, match="not a version of r/app") as caught:
        plan_for(Deploy("app", version, "production"), CONF)
    assert (caught.value.code, caught.value.key) == ("bad_version", "version")


def approved_by(approvers: str, **options):
    """Return the plan where production lists other approvers."""
    conf = read_config(CONFIG.replace("[S0SRE]", approvers), "sluice.yaml")
    return plan_for(deploy(**options), conf)


def test_more_approvals_than_people_are_refused():
    with pytest.raises(PlanError, match="approvers of this environment has 2") as caught:
        approved_by('[U0BOB, "token:ci"]', approvals=3)
    assert (caught.value.code, caught.value.key) == ("bad_value", "approvals")


def test_as_many_approvals_as_people_are_fine():
    gate = next(
        s for s in approved_by("[U0BOB, U0EVE]", approvals=2).steps if isinstance(s, Approve)
    )
    assert gate.quorum == 2


@pytest.mark.parametrize(("approvals", "warned"), [(5, False), (6, True)])
def test_many_approvals_out_of_a_group_are_warned_of(approvals, warned):
    plan = approved_by("[S0SRE, U0BOB]", approvals=approvals)
    assert any("check that @S0SRE has that many people" in w for w in plan.warnings) is warned


def test_without_a_gate_nobody_is_warned_of_approvals():
    conf = read_config(CONFIG.replace("approvals: 1", "approvals: 6"), "sluice.yaml")
    assert any("@S0SRE" in w for w in plan_for(deploy(), conf).warnings)
    ungated = CONFIG.replace("approvals: 1", "approvals: 6").replace(
        "canary: {", "canary: {auto_promote: true, "
    )
    assert not any("@S0SRE" in w for w in plan_for(deploy(), read_config(ungated, "f")).warnings)
