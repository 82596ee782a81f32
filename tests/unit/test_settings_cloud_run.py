"""A service of Cloud Run as a workload, its account, and Google's Prometheus."""

import pytest

from bot.settings.check import read_config
from bot.settings.problems import ConfigError
from bot.settings.values import Config

RUN = "{kind: cloud_run, account: shop, service: checkout, image: gcr.io/orion/checkout%s}"
FILE = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
accounts:
  shop: {kind: gcp, project: orion, location: europe-west1}
  amazon: {kind: aws, region: eu-central-1}
metrics:
  google: {kind: prometheus, url: "https://monitoring.googleapis.com/v1/x", %s}
environments: {production: {approvals: 0}}
services:
  checkout:
    production:
      workload: %s
      metrics: {source: google, template: %s}
      %s
"""


def config(
    workload: str = RUN % "",
    extra: str = "",
    source: str = "account: shop",
    template: str = "cloud_run",
) -> Config:
    return read_config(FILE % (source, workload, template, extra), "sluice.yaml")


def faults(**given: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        config(**given)
    return [(problem.code, problem.key) for problem in refused.value.errors]


def test_a_service_is_workload_and_router_in_one():
    block = config(RUN % ", container: app, tag: dark").target("checkout", "production")

    workload = block.places[0].workload
    assert (block.lanes, block.repository, block.counted) == (
        "swap",
        "gcr.io/orion/checkout",
        False,
    )
    assert workload.options() == {
        "service": "checkout",
        "image": "gcr.io/orion/checkout",
        "container": "app",
        "tag": "dark",
    }
    assert (workload.account, workload.cloud) == ("shop", "gcp")
    assert workload.environment("checkout-00001-abc", "") == "dark"


def test_its_traffic_may_be_said_once_more():
    config(extra="traffic: {kind: cloud_run, service: checkout}")

    assert faults(extra="traffic: {kind: cloud_run, service: other}") == [
        ("another_object", "traffic")
    ]


def test_google_gives_a_token_to_its_own_prometheus():
    block = config()
    assert (block.metrics["google"].cloud, block.metrics["google"].account) == ("gcp", "shop")
    assert "account" not in block.metrics["google"].options()
    assert config(source="timeout: 5s").metrics["google"].cloud == ""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"workload": (RUN % "").replace("account: shop, ", "")}, ("missing_key", "account")),
        ({"workload": (RUN % "").replace("shop", "shops")}, ("unknown_account", "account")),
        ({"workload": (RUN % "").replace("shop", "amazon")}, ("wrong_account", "account")),
        ({"source": "account: amazon"}, ("wrong_account", "account")),
        ({"source": "account: shop, bearer_token_file: /t"}, ("contradiction", "account")),
        ({"workload": RUN % ", tag: 1st"}, ("bad_name", "tag")),
        ({"workload": RUN % ", tag: Canary"}, ("bad_name", "tag")),
        ({"workload": (RUN % "").replace("checkout}", "checkout:v1}")}, ("image_with_tag", "image")),
        ({"workload": (RUN % "").replace("service: checkout", "service: " + "a" * 50)}, ("bad_name", "service")),
        ({"extra": "canary: {steps: [33.3, 100]}"}, ("inexact_weight", "steps")),
        ({"extra": "strategy: recreate"}, ("not_scalable", "strategy")),
        ({"extra": "match: [{header: x, present: true}]"}, ("no_header_routes", "match")),
        (
            {
                "extra": "namespace: shop",
                "workload": "{kind: http_fleet, instances: [{name: n, url: 'http://n'}], version: {path: /v, json: v}, "
                "health: {path: /h}, update: {method: PUT, path: /u, body: {v: '{version}'}}}",
            },
            ("template_not_for_target", "metrics"),
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_key(given, found):
    assert found in faults(**given)


@pytest.mark.parametrize(("letters", "refused"), [(40, False), (41, True)])
def test_a_tag_has_room_beside_the_name_of_its_service(letters, refused):
    run = (
        f"{{kind: cloud_run, account: shop, service: {'c' * letters}, image: r/a}}"  # canary has 6
    )
    if refused:
        assert faults(workload=run) == [("tag_too_long", "tag")]
    else:
        assert config(run)
