"""Metric sources: what each kind can be asked, and what is said where a target asks for something else."""

import pytest

from bot.grammar.verbs import Deploy
from bot.planning import plan_for
from bot.settings import CloudWatchMetrics, ConfigError, read_config
from bot.settings.metrics import KNOWN_METRICS, NOT_MEASURED
from bot.settings.sources import SOURCES
from integrations import catalog
from integrations.metrics.cloudwatch.templates import TEMPLATES

LAMBDA = "workload: {kind: lambda_version, function: thumbs, alias: live}"
PAIR = """\
cluster: prod
      namespace: shop
      workload: {kind: deployment, stable: a-stable, canary: a-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}"""
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
ALB = f"""\
cluster: prod
      namespace: shop
      workload: {{kind: deployment, stable: a-stable, canary: a-canary, container: app, image: r/app}}
      traffic:
        kind: alb
        listener: {ARN}:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2
        stable: {ARN}:targetgroup/shop-stable/73e2d6bc24d8a067
        canary: {ARN}:targetgroup/shop-canary/943f017f100becff"""


def written(*lines: str, runs: str = LAMBDA, metrics: str = "", source: str = "") -> str:
    """Return a file with one target; § in it marks where a mistake is told."""
    used = metrics or "metrics: {source: numbers, template: lambda}"
    return f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
accounts: {{main: {{kind: aws, region: eu-west-1}}}}
metrics:
  numbers: {{kind: cloudwatch{source}}}
  prom: {{kind: prometheus, url: "http://127.0.0.1:9"}}
services:
  thumbs:
    testing:
      {used}
      {runs}
      {(chr(10) + " " * 6).join(lines)}
"""


def mistake(*lines: str, **parts: str) -> tuple[str, str]:
    """Return code and key of the one mistake, which must be told at the mark."""
    text = written(*lines, **parts)
    before, mark, _ = text.partition("§")
    with pytest.raises(ConfigError) as caught:
        read_config(text.replace("§", ""), "f")
    (problem,) = caught.value.errors
    assert mark
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert (problem.line, problem.column) == place
    return problem.code, problem.key


def warnings(*lines: str, **parts: str) -> str:
    config = read_config(written(*lines, **parts), "f")
    return " ".join(plan_for(Deploy("thumbs", "7", "testing"), config).warnings)


def test_a_source_of_a_cloud_needs_no_address():
    config = read_config(written(source=", account: main, timeout: 10s, logs: true"), "f")

    assert config.metrics["numbers"] == CloudWatchMetrics(account="main", timeout=10, logs=True)
    assert config.metrics["numbers"].options() == {"timeout": 10.0, "logs": True}


def test_every_kind_of_source_can_be_connected():
    assert set(SOURCES) == set(catalog.METRICS)


def test_an_account_that_there_is_not_is_told_at_its_key():
    assert mistake(source=", account: §maine") == ("unknown_account", "account")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_which_metrics_it_has_no_numbers_for(template):
    counted = {"cold_start_rate"} if template == "lambda" else set()
    told = {*TEMPLATES[template].metrics, *counted}

    assert set(KNOWN_METRICS) - told == NOT_MEASURED[template]
    assert template in CloudWatchMetrics.templates


@pytest.mark.parametrize(
    ("runs", "metrics", "code", "key"),
    [
        (PAIR, "metrics: {source: numbers, template: §istio}", "template_not_for_source", "template"),
        (PAIR, "metrics: §{source: numbers}", "template_not_for_source", "template"),
        (LAMBDA, "metrics: {source: prom, template: §lambda}", "template_not_for_source", "template"),
        (ALB, "metrics: {source: prom, template: §alb}", "template_not_for_source", "template"),
        (PAIR, "metrics: §{source: numbers, template: lambda}", "template_not_for_target", "metrics"),
        (PAIR, "metrics: §{source: numbers, template: alb}", "template_not_for_target", "metrics"),
        (LAMBDA, "metrics: §{source: numbers, template: alb}", "template_not_for_target", "metrics"),
        (ALB, "metrics: §{source: numbers, template: lambda}", "template_not_for_target", "metrics"),
        (LAMBDA, "metrics: {source: numbers, template: §lambdas}", "unknown_template", "template"),
    ],
)  # fmt: skip
def test_a_template_fits_its_source_and_what_runs_there(runs, metrics, code, key):
    assert mistake(runs=runs, metrics=metrics) == (code, key)


def test_a_load_balancer_is_measured_by_its_groups():
    config = read_config(
        written(runs=ALB, metrics="metrics: {source: numbers, template: alb}"), "f"
    )
    traffic = config.target("thumbs", "testing").traffic

    assert traffic.measured() == {
        "load_balancer": "app/shop/50dc6c495c0c9188",
        "stable_group": "targetgroup/shop-stable/73e2d6bc24d8a067",
        "canary_group": "targetgroup/shop-canary/943f017f100becff",
    }


@pytest.mark.parametrize(
    "line",
    [
        'queries: {orders: §"SELECT 1"}',
        'checks: [{metric: orders, above: 5, query: §"SELECT 1"}]',
        'ab_test: {metrics: [{metric: revenue, query: §"SELECT 1"}]}',
    ],
)
def test_a_source_without_queries_refuses_each_where_it_stands(line):
    assert mistake(line) == ("queries_not_for_source", "query")


def test_a_source_with_queries_takes_them():
    metrics = "metrics: {source: prom, template: istio}"

    assert read_config(written("queries: {orders: up}", runs=PAIR, metrics=metrics), "f")


@pytest.mark.parametrize(("soak", "said"), [("2m", True), ("299s", True), ("5m", False)])
def test_a_stage_that_is_over_before_its_numbers_come_is_warned_about(soak, said):
    found = warnings(f"canary: {{soak: {soak}}}", "strategy: canary")

    assert ("numbers has its numbers some minutes late" in found) is said


@pytest.mark.parametrize(("source", "said"), [("", True), (", logs: true", False)])
def test_a_check_of_cold_starts_that_nobody_counts_is_warned_about(source, said):
    found = warnings("checks: [{metric: cold_start_rate, above: 50, then: warn}]", source=source)

    assert ("Set logs: true" in found) is said


def test_a_check_without_numbers_is_not_told_to_get_a_query_that_would_be_refused():
    found = warnings("checks: [{metric: cpu, above: 80}]")

    assert "cpu has no numbers here" in found
    assert "takes no queries" in found
    assert "Add a query" not in found
