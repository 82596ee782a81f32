"""Workloads whose instances move: a StatefulSet, a DaemonSet, and nodes that are spoken to over HTTP."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning.plans import plan_for
from bot.settings.check import read_config
from bot.settings.problems import ConfigError
from bot.settings.values import Config
from strategies.plan import Plan
from strategies.request import PlanError

NODES = """{kind: http_fleet, instances: [{name: node-1, url: "http://node-1:8080"}, {name: node-2, url: "http://node-2:8080/api"}],
        version: {path: /version, json: runner.version}, health: {path: /healthz},
        update: {method: PUT, path: "/functions/{service}", body: {version: "{version}"}}}"""
SETS = "{kind: %s, name: auth, container: auth, image: ghcr.io/orion/auth}"
FILE = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {context: prod}}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
environments: {production: {approvals: 0}}
services:
  auth:
    production:
      %s
      namespace: orion
      workload: %s
      metrics: {source: main, template: http}
      %s
"""
CLUSTER = "cluster: prod"


def config(workload: str, cluster: str | None = None, extra: str = "") -> Config:
    if cluster is None:
        cluster = "" if workload == NODES else CLUSTER
    return read_config(FILE % (cluster, workload, extra), "sluice.yaml")


def faults(workload: str, cluster: str | None = None, extra: str = "") -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        config(workload, cluster, extra)
    return [(problem.code, problem.key) for problem in refused.value.errors]


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
def test_a_set_is_one_place_with_an_image(kind):
    block = config(SETS % kind).target("auth", "production")

    assert (block.lanes, block.repository) == ("one", "ghcr.io/orion/auth")
    assert block.places[0].workload.options() == {
        "name": "auth",
        "container": "auth",
        "image": "ghcr.io/orion/auth",
    }


def test_nodes_need_no_cluster_and_their_version_is_just_a_name():
    block = config(NODES, cluster="").target("auth", "production")

    options = block.places[0].workload.options()
    assert (block.lanes, block.repository, block.places[0].cluster) == ("one", None, None)
    assert options["version"] == {"path": "/version", "json": "runner.version"}
    assert [one["name"] for one in options["instances"]] == ["node-1", "node-2"]
    assert options["update"]["body"] == {"version": "{version}"}


def test_whatever_runs_in_a_cluster_needs_one():
    assert faults(SETS % "statefulset", cluster="") == [("missing_key", "cluster")]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("http://node-1:8080", "ftp://node-1", "bad_url"),
        ("http://node-1:8080", "http://root:secret@node-1", "bad_url"),
        ("http://node-1:8080", "http://node-1?x=1", "bad_url"),
        ("http://node-2:8080/api", "http://node-1:8080", "duplicate_instance"),
        ("name: node-2", "name: node-1", "duplicate_instance"),
        ("/healthz", "healthz", "bad_path"),
        ("/healthz", "//elsewhere/healthz", "bad_path"),
        ("/healthz", "/a/../healthz", "bad_path"),
        ("/healthz", '"/{host}"', "bad_path"),
        ("/healthz", '"/{version}"', "bad_path"),
        ("runner.version", '"a b"', "bad_name"),
        ('"{version}"', "v1", "version_missing"),
        ("method: PUT", "method: GET", "unknown_word"),
    ],
)
def test_what_could_lead_elsewhere_or_to_nothing_is_refused(old, new, code):
    assert old in NODES

    assert [found for found, _ in faults(NODES.replace(old, new), cluster="")] == [code]


def test_a_fleet_without_instances_is_none():
    start, end = NODES.index("[{"), NODES.index("}],") + 2
    nobody = NODES[:start] + "[]" + NODES[end:]

    assert faults(nobody, cluster="") == [("no_instances", "instances")]


@pytest.mark.parametrize("workload", [SETS % "daemonset", NODES])
def test_what_cannot_be_stopped_is_not_recreated(workload):
    assert faults(workload, extra="strategy: recreate") == [("not_scalable", "strategy")]
    with pytest.raises(PlanError) as refused:
        plan(workload, strategy="recreate")
    assert refused.value.code == "not_scalable"


def plan(workload: str, **options: str) -> Plan:
    deploy = Deploy("auth", "v2", "production", Options(**options))
    return plan_for(deploy, config(workload))


def test_a_stateful_set_may_be_recreated():
    assert plan(SETS % "statefulset", strategy="recreate").strategy == "recreate"


def test_the_plan_says_that_a_late_update_may_get_through():
    assert any("quiet period" in text for text in plan(NODES, strategy="rolling").warnings)
    assert not any("quiet period" in text for text in plan(SETS % "daemonset").warnings)
