"""How a Knative Service is configured, and what is said about mistakes."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import plan_for
from bot.settings import ConfigError, read_config
from bot.settings.knative import KnativeRevision
from strategies.request import PlanError

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters:
  prod: {{kubeconfig: "~/.kube/config"}}
metrics:
  main: {{kind: prometheus, url: "http://prometheus:9090"}}
environments:
  production: {{approvers: [S0SRE], approvals: 1}}
services:
  shop:
    production:
      cluster: prod
      namespace: orion
      workload: {{kind: knative_revision, {workload}}}
      {traffic}
      metrics: {{source: main, template: knative}}
"""
PLAIN = "service: shop, image: ghcr.io/orion/shop"


def block(workload: str = PLAIN, traffic: str = "") -> KnativeRevision:
    text = CONFIG.format(workload=workload, traffic=traffic)
    found = read_config(text, "sluice.yaml").target("shop", "production").places[0].workload
    assert isinstance(found, KnativeRevision)
    return found


def codes(workload: str = PLAIN, traffic: str = "") -> list[str]:
    with pytest.raises(ConfigError) as error:
        block(workload, traffic)
    return [problem.code for problem in error.value.errors]


def test_a_service_and_its_image_are_enough():
    found = block()

    assert (found.service, found.container, found.tag) == ("shop", None, "canary")
    assert (found.lanes, found.clustered, found.counted, found.stops) == (
        "swap",
        True,
        False,
        False,
    )
    assert found.environment("shop-00001", "shop-sluice-1-1") == "canary"
    assert found.options() == {
        "service": "shop",
        "container": None,
        "image": "ghcr.io/orion/shop",
        "tag": "canary",
    }


def test_its_traffic_may_be_said_once_more():
    assert block(traffic="traffic: {kind: knative, service: shop}") == block()


@pytest.mark.parametrize(
    ("workload", "traffic", "code"),
    [
        (PLAIN, "traffic: {kind: knative, service: cart}", "another_object"),
        (PLAIN, "traffic: {kind: istio, virtual_service: shop}", "not_its_router"),
        (f"{PLAIN}, tag: Canary", "", "bad_name"),
        (f"{PLAIN}, tag: 2nd", "", "bad_name"),
        (f"{PLAIN}, tag: {'t' * 53}", "", "tag_too_long"),
        (f"{PLAIN}, account: shop", "", "unknown_key"),
        ("service: shop", "", "missing_key"),
    ],
)
def test_mistakes_are_told(workload, traffic, code):
    assert codes(workload, traffic)[0] == code


def test_recreate_is_refused_because_revisions_cannot_be_stopped():
    assert codes(traffic="strategy: recreate") == ["not_scalable"]


@pytest.mark.parametrize("name", ["a" * 46, "1st", "shop-"])
def test_a_name_that_leaves_no_room_for_revisions_is_refused(name):
    assert codes(PLAIN.replace("shop", name, 1)) == ["bad_name"]


def test_the_longest_name_is_taken():
    assert block(PLAIN.replace("shop", "a" * 45, 1)).service == "a" * 45


def test_steps_that_the_platform_cannot_carry_are_refused():
    assert codes(traffic="canary: {steps: [12.5, 100]}") == ["inexact_weight"]


@pytest.mark.parametrize(
    "options",
    [
        Options(strategy="canary", steps=(12.5, 100.0)),
        Options(strategy="rolling", batch_size="33.3%"),
    ],
)
def test_weights_that_the_platform_cannot_carry_are_refused_by_the_plan(options):
    config = read_config(CONFIG.format(workload=PLAIN, traffic=""), "sluice.yaml")
    deploy = Deploy("shop", "v2", "production", options)

    with pytest.raises(PlanError) as refused:
        plan_for(deploy, config)

    assert refused.value.code == "inexact_weight"
