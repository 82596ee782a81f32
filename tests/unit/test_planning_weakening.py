"""Every way in which a request can be weaker than the file is put into words, and nothing else is."""

import pytest

from bot.grammar.verbs import Deploy
from bot.planning import plan_for, request_for
from bot.settings.check import read_config
from strategies.plan import Approve, Batch, Check, Prepare, SetWeight, SmokeTest, Switch
from strategies.wish import Wish

CONFIG = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {kubeconfig: /nowhere}}
metrics: {main: {kind: prometheus, url: "http://127.0.0.1:9"}}
environments: {production: {approvers: [S0SRE], approvals: 1}}
services:
  app:
    about: {instances: 20}
    production:
      cluster: prod
      namespace: shop
      workload: {kind: deployment, blue: app-blue, green: app-green, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}
      metrics: {source: main}
      canary: {steps: [5, 50, 100], soak: 5m}
      smoke: [{url: "http://app-{env}/health"}]
      checks:
        - {metric: error_rate, above: 5}
        - {metric: success_rate, below: 95}
        - {metric: latency_p95, times_baseline: 1.5, failures: 2, of: 4}
"""
CONF = read_config(CONFIG, "sluice.yaml")


def weakened(config=CONF, **wish):
    return request_for(Deploy("app", "v2", "production", wish=Wish(**wish)), config).weakened


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"auto_promote": True}, "no decision after each soak (auto-promote)"),
        ({"strategy": "direct"}, "direct instead of canary"),
        ({"strategy": "recreate"}, "recreate instead of canary"),
        ({"soak": (60,)}, "soak 60 s instead of 300 s"),
        ({"steps": (100.0,)}, "all traffic in one step"),
        (
            {"steps": (90.0, 100.0)},
            "90 % of the traffic in the first step, as good as all of it at once",
        ),
        ({"min_requests": 10}, "a verdict after 10 requests instead of 1000"),
        ({"retention": 60}, "the old version is kept 1m instead of 1h"),
        ({"retention": 0}, "the old version is kept 0s instead of 1h"),
        ({"checks": (Check("error_rate", above=9),)}, "error_rate limit 9 instead of 5"),
        ({"checks": (Check("success_rate", below=90),)}, "success_rate limit 90 instead of 95"),
        (
            {"checks": (Check("error_rate", above=5, then="warn"),)},
            "error_rate: warn instead of rollback",
        ),
        (
            {"checks": (Check("latency_p95", times_baseline=1.5, failures=3, of=4),)},
            "latency_p95: 3 of 4 looks must fail instead of 2 of 4",
        ),
        ({"strategy": "rolling", "batch": "50%"}, "batches of 50% instead of 25%"),
        ({"strategy": "rolling", "batch": 6}, "batches of 6 instead of 25%"),
        ({"strategy": "rolling", "batch_delay": 10}, "between batches 10s instead of 1m"),
        (
            {"strategy": "rolling", "max_concurrent": 9},
            "9 instances at the same time instead of 5",
        ),
        (
            {"strategy": "rolling", "batch_rollback": "failed-batch"},
            "a failure undoes failed-batch instead of all",
        ),
        (
            {"strategy": "rolling", "batch_rollback": "none"},
            "a failure undoes none instead of all",
        ),
        ({"strategy": "blue-green", "smoke_enabled": False}, "no smoke tests"),
        ({"strategy": "blue-green", "smoke_for": 10}, "tried in the dark 10s instead of 2m"),
        ({"strategy": "blue-green", "test_duration": 10}, "tried in the dark 10s instead of 2m"),
        ({"strategy": "ab-test", "test_duration": 60}, "the test runs 1m instead of 1h"),
        ({"strategy": "ab-test", "split": 80}, "80 % for the new variant instead of 50 %"),
        (
            {"strategy": "ab-test", "winner": "auto"},
            "the winner is promoted without a person (winner auto)",
        ),
    ],
)
def test_what_is_weaker_is_said(wish, said):
    assert weakened(**wish) == (said,)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"soak": (600,)},
        {"steps": (1.0, 5.0, 50.0, 100.0)},
        {"min_requests": 5000},
        {"min_soak": 900},
        {"retention": 7200},
        {"checks": (Check("error_rate", above=1), Check("cpu", above=80))},
        {"checks": (Check("success_rate", below=99),)},
        {"strategy": "rolling", "batch": 1, "batch_delay": 600, "max_concurrent": 1},
        {"strategy": "blue-green", "smoke": (SmokeTest("http://more/"),), "smoke_for": 600},
        {"strategy": "ab-test", "split": 10, "test_duration": 86400, "score": "wins"},
        {"confidence": "low", "approvals": 2},
    ],
)
def test_what_is_stricter_or_merely_different_is_not(wish):
    assert weakened(**wish) == ()


def test_a_batch_out_of_nobody_knows_how_many_may_be_everything():
    unknown = read_config(CONFIG.replace("    about: {instances: 20}\n", ""), "f")

    assert weakened(unknown, strategy="rolling", batch=1) == ("batches of 1 instead of 25%",)


@pytest.mark.parametrize(
    ("usual", "strategy", "said"),
    [
        ("direct", "recreate", ("recreate instead of direct",)),
        ("recreate", "direct", ()),
        ("recreate", "canary", ()),
        ("blue-green", "canary", ()),
    ],
)
def test_serving_less_is_weaker_than_serving_all(usual, strategy, said):
    config = read_config(CONFIG.replace("approvals: 1}", f"approvals: 1, strategy: {usual}}}"), "f")

    assert weakened(config, strategy=strategy) == said


@pytest.mark.parametrize(
    ("wish", "first"),
    [
        ({"auto_promote": True}, SetWeight),
        ({"strategy": "direct"}, Switch),
        ({"strategy": "blue-green", "smoke_enabled": False, "auto_promote": True}, Switch),
        ({"strategy": "rolling", "batch": "100%", "auto_promote": True}, Batch),
        ({"strategy": "ab-test", "winner": "auto", "auto_promote": True}, SetWeight),
    ],
)
def test_one_gate_that_lists_it_stands_before_the_first_traffic(wish, first):
    steps = plan_for(Deploy("app", "v2", "production", wish=Wish(**wish)), CONF).steps
    before = steps[: next(i for i, step in enumerate(steps) if isinstance(step, first))]

    (gate,) = [step for step in before if isinstance(step, Approve)]
    assert gate.weakened
    assert not isinstance(steps[0], Prepare) or steps.index(gate) > 0
