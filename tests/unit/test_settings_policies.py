"""What the block of a mesh policy may say, and what such a target can do."""

import pytest

from bot.settings.workloads import PolicyPair, WholePolicy
from strategies.fitting import misfit, nearest
from tests.unit.test_settings_targets import mistake, target

MANIFEST = 'manifest: "policies/{version}.yaml"'


def test_the_manifests_alone_make_a_policy_with_two_lanes():
    block = target(workload=f"{{kind: policy, {MANIFEST}}}")

    assert isinstance(block.workload, PolicyPair)
    assert (block.lanes, block.weights, block.repository) == ("fixed", "any", None)
    assert block.workload.places("") == ("stable", "canary")
    assert block.workload.options() == {"manifest": "policies/{version}.yaml", "resource": None}


def test_with_a_name_it_holds_for_all_instances_and_goes_direct():
    block = target(workload=f"{{kind: policy, name: app, {MANIFEST}}}", traffic="")

    assert isinstance(block.workload, WholePolicy)
    assert (block.lanes, block.weights) == ("one", "switch")
    for strategy in ("canary", "rolling", "blue-green", "ab-test"):
        assert misfit(strategy, block.lanes, block.weights)
        assert nearest(strategy, block.lanes, block.weights) == "direct"
    assert misfit("direct", block.lanes, block.weights) == ""


@pytest.mark.parametrize(
    ("workload", "code", "key"),
    [
        ("{kind: policy, manifest: §policies/v1.yaml}", "bad_manifest", "manifest"),
        ("{kind: policy, manifest: §'{version}/{version}.yaml'}", "bad_manifest", "manifest"),
        ("{kind: policy, name: app}", "missing_key", "manifest"),
        (f"{{kind: policy, {MANIFEST}, resource: §auth}}", "bad_name", "resource"),
        (f"{{kind: policy, {MANIFEST}, resource: §'Telemetry/../x'}}", "bad_name", "resource"),
        (f"{{kind: policy, {MANIFEST}, stable: a, canary: §a}}", "same_workload", "canary"),
        (f"{{kind: policy, {MANIFEST}, §container: app}}", "unknown_key", "container"),
    ],
)
def test_what_cannot_be_is_told_at_its_key(workload, code, key):
    traffic = "" if "name:" in workload else "{kind: istio, virtual_service: app}"
    assert mistake(workload=workload, traffic=traffic) == (code, key)


def test_a_strategy_that_needs_lanes_is_refused_with_what_fits():
    text = f"{{kind: policy, name: app, {MANIFEST}}}"
    assert mistake("strategy: §canary", workload=text, traffic="")[0] == "weights_unreachable"
