"""What a target may be: its shapes, its strategies, its tests, its sets of checks."""

import pytest

from bot.settings import (
    ConfigError,
    DeploymentColours,
    DeploymentPair,
    EnvoyTraffic,
    ServiceSelectorTraffic,
    SingleDeployment,
    read_config,
)
from bot.settings.checks import SETS
from bot.settings.metrics import KNOWN_METRICS, NOT_MEASURED
from integrations.metrics.templates import TEMPLATES, Lanes, render
from strategies.cookies import Cookie, cookie_rule
from strategies.plan import Check, Rule, SmokeTest, Yardstick

PAIR = "{kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}"
COLOURS = "{kind: deployment, blue: app-blue, green: app-green, container: app, image: r/app}"
SINGLE = "{kind: deployment, name: app, container: app, image: r/app}"
REVISIONS = "{kind: knative_revision, service: app, image: r/app}"
ISTIO = "{kind: istio, virtual_service: app}"
SELECTOR = "{kind: service_selector, service: app}"


METRICS = "metrics: {source: main}"


def written(*lines: str, workload: str = PAIR, traffic: str = ISTIO, metrics: str = METRICS) -> str:
    """Return a file with one target; § in it marks where a mistake is told."""
    inside = "lambda_version" not in workload and "http_fleet" not in workload
    where = "cluster: prod\n      namespace: shop" if inside else ""
    target = [f"workload: {workload}", *([f"traffic: {traffic}"] if traffic else []), *lines]
    return f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
metrics: {{main: {{kind: prometheus, url: "http://127.0.0.1:9"}}}}
services:
  app:
    testing:
      {where}
      {metrics}
      {chr(10).join(target).replace(chr(10), chr(10) + " " * 6)}
"""


def target(*lines: str, **shape: str):
    return read_config(written(*lines, **shape), "f").target("app", "testing")


def mistake(*lines: str, **shape: str):
    """Return code and key of the one mistake, which must be told at the mark."""
    text = written(*lines, **shape)
    before, mark, _ = text.partition("§")
    with pytest.raises(ConfigError) as caught:
        read_config(text.replace("§", ""), "f")
    (problem,) = caught.value.errors
    if mark:
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert (problem.line, problem.column) == place
    return problem.code, problem.key


@pytest.mark.parametrize(
    ("workload", "traffic", "kind", "lanes", "weights"),
    [
        (PAIR, ISTIO, DeploymentPair, "fixed", "any"),
        (COLOURS, ISTIO, DeploymentColours, "swap", "any"),
        (COLOURS, SELECTOR, DeploymentColours, "swap", "switch"),
        (SINGLE, "", SingleDeployment, "one", "any"),
        (PAIR, "", DeploymentPair, "one", "any"),
    ],
)
def test_the_keys_of_a_workload_say_its_shape(workload, traffic, kind, lanes, weights):
    found = target(workload=workload, traffic=traffic)

    assert isinstance(found.workload, kind)
    assert (found.lanes, found.weights) == (lanes, weights)


@pytest.mark.parametrize("strategy", ["blue-green", "ab-test"])
def test_a_pair_without_a_router_is_one_place(strategy):
    assert mistake(f"strategy: §{strategy}", traffic="") == ("needs_two_lanes", "strategy")
    assert mistake("match: §[{header: x, equals: a}]", traffic="") == ("no_header_routes", "match")


def test_a_pair_without_a_router_may_name_its_service():
    found = target(workload=PAIR.replace("}", ", service: app}"), traffic="").workload

    assert (found.unrouted, found.unrouted_options()) == ("replica_ratio", {"service": "app"})
    assert found.options() == {"container": "app", "image": "r/app"}


def test_a_service_selector_has_a_label_and_perhaps_a_preview():
    written_out = (
        "{kind: service_selector, service: app, preview: app-next, key: app.kubernetes.io/colour}"
    )

    assert target(workload=COLOURS, traffic=SELECTOR).traffic.key == "version"
    assert target(workload=COLOURS, traffic=written_out).traffic == ServiceSelectorTraffic(
        service="app", preview="app-next", key="app.kubernetes.io/colour"
    )


ENVOY = "{kind: envoy, file: /etc/envoy/rds.json, stable: app-1, canary: app-2}"


def test_a_route_file_splits_between_two_clusters_that_the_numbers_are_of():
    found = target("metrics: {source: main, template: envoy}", traffic=ENVOY, metrics="")

    assert found.traffic == EnvoyTraffic(file="/etc/envoy/rds.json", stable="app-1", canary="app-2")
    assert found.traffic.clusters("app-stable", "app-canary") == {
        "app-stable": "app-1",
        "app-canary": "app-2",
    }
    assert found.traffic.headers


@pytest.mark.parametrize(
    ("traffic", "code", "key"),
    [
        ("{kind: envoy, file: §rds.json, stable: a, canary: b}", "bad_path", "file"),
        ("{kind: envoy, file: §/etc/, stable: a, canary: b}", "bad_path", "file"),
        ('{kind: envoy, file: §"/etc/${X}", stable: a, canary: b}', "bad_path", "file"),
        ("{kind: envoy, file: /f, stable: §a b, canary: b}", "bad_name", "stable"),
        ("{kind: envoy, file: /f, stable: a, canary: §a}", "same_workload", "canary"),
        ("{kind: envoy, file: /f, stable: a, canary: b, admin: §x}", "bad_url", "admin"),
        (
            "{kind: envoy, file: /f, stable: a, canary: b, admin: §'http://u:p@h:1'}",
            "bad_url",
            "admin",
        ),
        (
            "{kind: envoy, file: /f, stable: a, canary: b, admin: §'http://h:1/?x'}",
            "bad_url",
            "admin",
        ),
        ("{kind: envoy, stable: a, canary: b}", "missing_key", "file"),
    ],
)
def test_a_route_file_needs_a_path_and_two_clusters(traffic, code, key):
    assert mistake(traffic=traffic) == (code, key)


def test_a_route_file_is_for_a_pair():
    assert mistake(workload=COLOURS, traffic=ENVOY) == ("router_needs_pair", "traffic")


@pytest.mark.parametrize(
    ("metrics", "code", "key"),
    [
        ("{source: main, template: istio, clusters: §{app-stable: a}}", "clusters_not_for_template", "clusters"),
        ("§{source: main, template: envoy, clusters: {app-stabel: a}}", "unknown_workload", "metrics"),
        ("{source: main, template: §conduit}", "unknown_template", "template"),
    ],
)  # fmt: skip
def test_clusters_are_those_of_workloads_and_for_a_proxy(metrics, code, key):
    assert mistake(f"metrics: {metrics}", metrics="") == (code, key)


def test_clusters_may_bear_other_names_than_workloads():
    names = "{app-stable: httproute/shop/app/rule/0, app-canary: 'a|b:1'}"
    found = target(f"metrics: {{source: main, template: envoy, clusters: {names}}}", metrics="")

    assert found.metrics.clusters == {
        "app-stable": "httproute/shop/app/rule/0",
        "app-canary": "a|b:1",
    }


@pytest.mark.parametrize("template", ["istio", "linkerd", "envoy"])
def test_a_mesh_has_no_numbers_of_revisions(template):
    metrics = f"metrics: §{{source: main, template: {template}}}"
    found = mistake(workload=REVISIONS, traffic="", metrics=metrics)
    assert found == ("template_not_for_target", "metrics")


def test_what_knative_counts_is_nothing_of_a_pair():
    found = mistake(metrics="metrics: §{source: main, template: knative}")
    assert found == ("template_not_for_target", "metrics")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_says_which_metrics_it_has_no_numbers_for(template):
    lanes = Lanes("shop", "app-stable", "app-canary")

    metrics = f"metrics: {{source: main, template: {template}}}"
    shape = {"workload": REVISIONS, "traffic": ""} if template == "knative" else {}
    assert target(metrics, metrics="", **shape)
    assert set(KNOWN_METRICS) - set(render(template, lanes, 60)) == NOT_MEASURED[template]


@pytest.mark.parametrize(
    ("keys", "headers"),
    [
        ("", True),
        (", route: main", True),
        (", port: 443", False),
        (', sni: "*.example.com"', False),
        (", route: main, port: 443, sni: auth.example.com", True),
    ],
)
def test_connections_of_a_virtual_service_have_no_headers(keys, headers):
    traffic = f"{{kind: istio, virtual_service: app{keys}}}"
    assert target(traffic=traffic).traffic.headers is headers
    if not headers:
        rules = "match: [{header: x, equals: a}]"
        assert mistake(rules, traffic=traffic) == ("no_header_routes", "match")


def test_a_route_of_our_own_is_never_the_one_to_split():
    traffic = "{kind: istio, virtual_service: app, route: §sluice-1}"
    assert mistake(traffic=traffic) == ("bad_name", "route")
    assert (
        target(traffic=traffic.replace("§sluice-1", "sluice-main")).traffic.route == "sluice-main"
    )


@pytest.mark.parametrize(
    ("shape", "code", "key"),
    [
        ({"workload": SINGLE, "traffic": f"§{ISTIO}"}, "traffic_without_lanes", "traffic"),
        (
            {"workload": PAIR.replace("{", "§{").replace("}", ", service: app}")},
            "service_beside_traffic",
            "workload",
        ),
        ({"workload": COLOURS, "traffic": ""}, "missing_key", "traffic"),
        ({"traffic": f"§{SELECTOR}"}, "selector_needs_colours", "traffic"),
        ({"workload": COLOURS.replace("app-green", "§app-blue")}, "same_workload", "green"),
        ({"workload": SINGLE.replace("app,", "app, §stabel: x,", 1)}, "unknown_key", "stabel"),
        (
            {"workload": COLOURS, "traffic": SELECTOR.replace("}", ", key: §a b}")},
            "bad_name",
            "key",
        ),
    ],
)
def test_a_shape_that_contradicts_itself_is_refused(shape, code, key):
    assert mistake(**shape) == (code, key)


@pytest.mark.parametrize(
    ("workload", "found"),
    [
        ("{kind: deployment, container: app, image: r/app}", {"stable", "canary"}),
        ("{kind: deployment, name: a, green: b, container: app, image: r/app}", {"blue", "name"}),
        (
            "{kind: deployment, blue: a, canary: b, container: app, image: r/app}",
            {"stable", "blue"},
        ),
    ],
)
def test_half_a_shape_is_told_what_it_lacks_and_what_it_has_too_much(workload, found):
    with pytest.raises(ConfigError) as caught:
        read_config(written(workload=workload), "f")

    assert {problem.key for problem in caught.value.errors} == found


@pytest.mark.parametrize(
    ("strategy", "shape", "code"),
    [
        ("blue-green", {"workload": SINGLE, "traffic": ""}, "needs_two_lanes"),
        ("ab-test", {"workload": SINGLE, "traffic": ""}, "needs_two_lanes"),
        ("canary", {"workload": COLOURS, "traffic": SELECTOR}, "weights_unreachable"),
        ("rolling", {"workload": COLOURS, "traffic": SELECTOR}, "weights_unreachable"),
        ("ab-test", {"workload": COLOURS, "traffic": SELECTOR}, "weights_unreachable"),
    ],
)
def test_a_strategy_that_the_target_cannot_do_is_found_in_the_file(strategy, shape, code):
    assert mistake(f"strategy: §{strategy}", **shape) == (code, "strategy")


@pytest.mark.parametrize("strategy", ["canary", "rolling", "direct", "recreate"])
def test_one_deployment_can_do_the_rest(strategy):
    assert target(f"strategy: {strategy}", workload=SINGLE, traffic="").strategy == strategy


def test_every_strategy_has_its_block():
    found = target(
        "direct: {soak: 1m}",
        "recreate: {soak: 2m}",
        "blue_green: {smoke_for: 3m, soak: 10m, retention: 1h, switch_timeout: 5m}",
        "rolling: {batch: 2, delay: 0s, max_concurrent: 3, timeout: 30s, rollback: failed-batch}",
        "ab_test: {split: 30, duration: 1d, winner: auto, score: wins, metrics: [rps, {metric: cpu, weight: 10}]}",
        "min_soak: 5m",
    )

    assert (found.direct.soak, found.recreate.soak, found.min_soak) == (60, 120, 300)
    green = found.blue_green
    assert (green.smoke_for, green.soak, green.retention, green.switch_timeout) == (
        180, 600, 3600, 300,
    )  # fmt: skip
    rolling = found.rolling
    assert (rolling.batch, rolling.delay, rolling.max_concurrent) == (2, 0, 3)
    assert (rolling.timeout, rolling.rollback) == (30, "failed-batch")
    assert (found.ab_test.split, found.ab_test.duration, found.ab_test.winner) == (
        30,
        86400,
        "auto",
    )
    assert found.ab_test.metrics == (
        Yardstick("rps", "higher"),
        Yardstick("cpu", "lower", 10),
    )


@pytest.mark.parametrize("batch", ["25%", '"25%"', "12.5%", "100%"])
def test_a_batch_may_be_percent(batch):
    assert target(f"rolling: {{batch: {batch}}}").rolling.batch == batch.strip('"')


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("rolling: {batch: §0}", "bad_batch", "batch"),
        ("rolling: {batch: §0%}", "out_of_range", "batch"),
        ("rolling: {batch: §101%}", "out_of_range", "batch"),
        ("rolling: {batch: §2.5}", "bad_batch", "batch"),
        ("rolling: {rollback: §some}", "unknown_word", "rollback"),
        ("rolling: {max_concurrent: §0}", "out_of_range", "max_concurrent"),
        ("rolling: {delay: §5}", "bare_number", "delay"),
        ("ab_test: {split: §100}", "out_of_range", "split"),
        ("ab_test: {split: §50/50}", "bad_number", "split"),
        ("ab_test: {metrics: [§conversion_rate]}", "unknown_metric", "metrics"),
        ("ab_test: {metrics: [{metric: rps, weight: §-1}]}", "out_of_range", "weight"),
        ("blue_green: {§smoke: 1m}", "unknown_key", "smoke"),
        ("min_soak: §0s", "out_of_range", "min_soak"),
        ("checks: §modrate", "unknown_preset", "checks"),
        ("checks: [{preset: §strict}]", "unknown_preset", "preset"),
        ("checks: [{preset: moderate, §above: 5}]", "unknown_key", "above"),
        ("checks: [{preset: moderate}, {metric: rps, below: §-1}]", "out_of_range", "below"),
        ("checks: [{metric: connection_failures, above: §101}]", "out_of_range", "above"),
        ("queries: {kafka lag: x}", "bad_name", "kafka lag"),
        ("smoke: [{url: §app/health}]", "bad_url", "url"),
        ('smoke: [{url: §"http://app-{colour}/"}]', "bad_url", "url"),
        ("smoke: [{url: 'http://a/', method: §FETCH}]", "unknown_word", "method"),
        ("smoke: [{url: 'http://a/', expect: §99}]", "out_of_range", "expect"),
        ("smoke: [{url: 'http://a/', requests: §0}]", "out_of_range", "requests"),
        ("smoke: [{url: 'http://a/', max_errors: §101}]", "out_of_range", "max_errors"),
        ("smoke: [{url: 'http://a/', schema: {type: objekt}}]", "bad_schema", "schema"),
        (
            "smoke: [{url: 'http://a/', schema: {$ref: 'http://evil/'}}]",
            "remote_schema",
            "schema",
        ),
        ("smoke: [{url: 'http://a/', body: §2026-01-01}]", "unquoted_value", "body"),
        ("match: [§{header: x-canary}]", "one_condition", "match"),
        ("match: [{header: x-canary, equals: a, regex: §b}]", "one_condition", "regex"),
        ("match: [{header: x-canary, present: §false}]", "one_condition", "present"),
        ("match: [{header: §x canary, present: true}]", "bad_name", "header"),
        ("match: [{header: x-user, regex: §'['}]", "bad_regex", "regex"),
        ("match: [{header: x-user, regex: §'(?!a)b'}]", "bad_regex", "regex"),
        ("match: [{header: x-user, regex: §'[[a]b]'}]", "bad_regex", "regex"),
        ("match: [{header: x-user, regex: §'[a--b]'}]", "bad_regex", "regex"),
        ("match: [§{present: true}]", "one_condition", "match"),
        ("match: [{header: x-user, cookie: §beta, present: true}]", "one_condition", "cookie"),
        ("match: [{cookie: §a=b, present: true}]", "bad_name", "cookie"),
        ("match: [{cookie: beta, equals: §'1;a=2'}]", "bad_name", "equals"),
        ("match: [{header: Cookie, equals: §beta}]", "bad_name", "equals"),
        ("match: [{cookie: beta, regex: §'a;b'}]", "bad_regex", "regex"),
        ("match: [{cookie: beta, regex: §'[[:punct:]]'}]", "bad_regex", "regex"),
        ("match: §[{header: URI, equals: /x}]", "bad_header_rule", "match"),
    ],
)
def test_a_mistake_is_told_where_it_is(line, code, key):
    assert mistake(line) == (code, key)


def test_nothing_tells_requests_apart_on_one_deployment():
    line = "match: §[{header: x-canary, present: true}]"

    assert mistake(line, workload=SINGLE, traffic="") == ("no_header_routes", "match")
    assert mistake(line, workload=COLOURS, traffic=SELECTOR) == ("no_header_routes", "match")


def test_rules_and_tests_are_read_into_what_plans_carry():
    found = target(
        "match:",
        "  - {header: X-User-Tier, equals: beta}",
        "  - {header: x-user-id, regex: '^[0-4].*'}",
        "  - {header: x-canary, present: true}",
        "  - {header: x-user-id, regex: '[[:alpha:]]+[0-4]'}",
        "  - {cookie: beta, equals: '1'}",
        "  - {header: Cookie, equals: beta=1}",
        "  - {cookie: beta, regex: '^v[12]$'}",
        "  - {cookie: beta, present: true}",
        "smoke:",
        "  - {url: 'http://app-{env}/health'}",
        "  - {url: 'http://app-{env}/pay', method: POST, body: {amount: 1, note: 'a', tags: [x, 1.5, true, null]},",
        "     expect: 201, requests: 100, max_errors: 1, timeout: 2m,",
        "     schema: {type: object, required: [id], properties: {id: {type: integer}}}}",
    )

    assert found.match == (
        Rule("x-user-tier", equals="beta"),
        Rule("x-user-id", regex="^[0-4].*"),
        Rule("x-canary", present=True),
        Rule("x-user-id", regex="[[:alpha:]]+[0-4]"),
        cookie_rule(Cookie("beta", equals="1")),
        cookie_rule(Cookie("beta", equals="1")),
        cookie_rule(Cookie("beta", regex="v[12]")),
        cookie_rule(Cookie("beta", present=True)),
    )
    assert found.smoke == (
        SmokeTest("http://app-{env}/health"),
        SmokeTest(
            "http://app-{env}/pay",
            "POST",
            {"amount": 1, "note": "a", "tags": ["x", 1.5, True, None]},
            201, 100, 1,
            {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
            120,
        ),
    )  # fmt: skip


def test_a_preset_is_a_set_of_checks_alone_or_beside_others():
    more = "checks: [{metric: cpu, above: 80, then: warn}, {preset: conservative}]"

    assert target("checks: mesh").checks == SETS["mesh"]
    assert target(more).checks == (Check("cpu", above=80, then="warn"), *SETS["conservative"])


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("conservative", "error_rate above 1 rollback, latency_p99 above 500 rollback, success_rate below 99 rollback"),
        ("moderate", "error_rate above 5 rollback, latency_p99 above 1000 rollback, success_rate below 95 rollback"),
        ("functions", ("error_rate above 5 rollback, latency_p99 above 1000 rollback, "
                      "success_rate below 95 rollback, cold_start_rate above 50 warn")),
        ("orion", ("error_rate above 5 rollback, latency_p95 above 500 warn, latency_p99 above 1000 rollback, "
                  "success_rate below 95 rollback, cpu above 80 warn, memory above 80 warn")),
        ("mesh", ("error_rate above_baseline 5 rollback, latency_p95 times_baseline 1.5 rollback, "
                 "connection_failures above 10 rollback, circuit_breaker_trips above 100 rollback")),
    ],
)  # fmt: skip
def test_the_sets_are_the_tables_that_people_know(name, rows):
    checks = target(f"checks: {name}").checks

    said = [f"{c.metric} {c.bound[0]} {c.bound[1]:g} {c.then}" for c in checks]
    assert ", ".join(said) == rows


def test_a_query_is_written_once_for_checks_and_variants():
    found = target(
        "queries: {conversion_rate: 'sum(buys)', kafka_lag: 'max(lag)'}",
        "checks: [{metric: kafka_lag, above: 9}, {metric: conversion_rate, query: 'own', below: 1}]",
        "ab_test: {metrics: [conversion_rate, {metric: kafka_lag, weight: 5}]}",
    )

    assert [c.query for c in found.checks] == ["max(lag)", "own"]
    assert found.ab_test.metrics == (
        Yardstick("conversion_rate", "higher", 0, "sum(buys)"),
        Yardstick("kafka_lag", "lower", 5, "max(lag)"),
    )


def test_metrics_of_the_mesh_need_no_query():
    names = ["latency_avg", "connection_failures", "circuit_breaker_trips", "cold_start_rate"]
    checks = ", ".join(f"{{metric: {name}, above: 5}}" for name in names)

    assert [c.metric for c in target(f"checks: [{checks}]").checks] == names
