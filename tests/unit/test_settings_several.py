"""Several targets of one service in one environment: what fits together, and what is refused where."""

import pytest

from bot.settings import ConfigError, read_config

FILE = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{us: {{context: us}}, eu: {{context: eu}}}}
metrics: {{main: {{kind: prometheus, url: http://prometheus:9090}}}}
services:
  app:
    staging:
      {above}
      metrics: {{source: main}}
      {more}
      targets:
        - {{name: us-east, cluster: us, namespace: app, workload: {pair}, traffic: {mesh}}}
        - {{name: {name}, cluster: {cluster}, namespace: app, workload: {second}{traffic}}}
"""
PAIR = "{kind: deployment, stable: a, canary: b, container: c, image: repo/app}"
ONE = "{kind: deployment, name: a, container: c, image: repo/app}"
MESH = "{kind: istio, virtual_service: app}"
GOOD = {
    "above": "min_requests: 5", "more": "strategy: canary", "pair": PAIR, "mesh": MESH, "name": "eu-west",
    "cluster": "eu", "second": PAIR, "traffic": f", traffic: {MESH}",
}  # fmt: skip


def read(**changes):
    return read_config(FILE.format(**(GOOD | changes)), "sluice.yaml")


def test_several_targets_are_read_in_their_order():
    block = read().target("app", "staging")

    assert [place.name for place in block.places] == ["us-east", "eu-west"]
    assert [place.cluster for place in block.places] == ["us", "eu"]
    assert (block.lanes, block.weights, block.repository) == ("fixed", "any", "repo/app")


@pytest.mark.parametrize(
    ("changes", "code", "key"),
    [
        ({"name": "us-east"}, "duplicate_target", "targets"),
        ({"second": ONE, "traffic": ""}, "mixed_targets", "targets"),
        ({"traffic": ""}, "mixed_targets", "targets"),
        ({"second": ONE}, "traffic_without_lanes", "traffic"),
        ({"above": "namespace: app"}, "key_and_targets", "namespace"),
        ({"more": "strategy: ab-test"}, "one_target_only", "strategy"),
        ({"cluster": "us"}, "same_target_twice", "targets"),
        ({"cluster": "mars"}, "unknown_cluster", "cluster"),
        ({"name": '""'}, "empty_value", "name"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_its_key(changes, code, key):
    with pytest.raises(ConfigError) as refused:
        read(**changes)

    assert (code, key) in [(one.code, one.key) for one in refused.value.errors]
