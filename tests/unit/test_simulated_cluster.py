"""The simulated API server answers as the real one was measured to answer."""

import json

import pytest

from bot.sandbox.calls import Call
from bot.sandbox.cluster import SimulatedCluster, orion
from bot.sandbox.json_patch import (
    MalformedPatchError,
    PatchError,
    apply_json_patch,
    apply_merge_patch,
)
from bot.sandbox.objects import parse_selector
from tests.fakes.kubernetes import Clock, FakeCluster, has_schemas

VS = "/apis/networking.istio.io/v1/namespaces/orion/virtualservices/auth-service"
DEPLOYMENT = "/apis/apps/v1/namespaces/orion/deployments/auth-service-stable"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def cluster() -> SimulatedCluster:
    simulated = SimulatedCluster(clock=Clock())
    orion(simulated)
    return simulated


def ask(cluster, method, path, body=None, content_type="application/json", **query):
    raw = b"" if body is None else json.dumps(body).encode()
    return cluster.perform(Call(method, path, query, content_type, "test/1", raw))


def replace(path, value):
    return [{"op": "replace", "path": path, "value": value}]


@pytest.mark.parametrize(
    ("ops", "result"),
    [
        ([{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2]}),
        ([{"op": "replace", "path": "/a/1", "value": 9}], {"a": [1, 9]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
        ([{"op": "add", "path": "/x~1y~0", "value": 1}], {"a": [1, 2], "x/y~": 1}),
    ],
)
def test_json_patch_operations_apply(ops, result):
    assert apply_json_patch({"a": [1, 2]}, ops) == result


@pytest.mark.parametrize(
    ("ops", "error"),
    [
        ([{"op": "test", "path": "/a/0", "value": 2}], PatchError),
        ([{"op": "replace", "path": "/b", "value": 2}], PatchError),
        ([{"op": "remove", "path": "/a/2"}], PatchError),
        ([{"op": "add", "path": "/a/0/x", "value": 2}], PatchError),
        ([{"op": "move", "path": "/a", "from": "/b"}], MalformedPatchError),
        ([{"op": "add"}], MalformedPatchError),
        ({"a": 1}, MalformedPatchError),
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(ops, error):
    with pytest.raises(error):
        apply_json_patch({"a": [1, 2]}, ops)


def test_a_merge_patch_merges_objects_and_replaces_lists():
    body = {"a": {"x": 1, "y": 2}, "l": [1, 2]}

    assert apply_merge_patch(body, {"a": {"x": None, "z": 3}, "l": [9]}) == {
        "a": {"y": 2, "z": 3},
        "l": [9],
    }


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("app=auth", True),
        ("app==auth,track=canary", False),
        ("track!=canary", True),
        ("app in (auth,web)", True),
        ("app notin (auth)", False),
        ("app", True),
        ("!app", False),
    ],
)
def test_a_label_selector_selects(selector, fits):
    assert all(wants({"app": "auth"}) for wants in parse_selector(selector)) == fits


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("GET", VS + "x", None, "", 404),
        ("GET", "/apis/getambassador.io", None, "", 404),
        ("GET", "/apis/networking.istio.io", None, "", 200),
        ("GET", "/version", None, "", 200),
        ("PUT", VS, {}, "", 405),
        ("PATCH", VS, [], "application/strategic-merge-patch+json", 415),
        ("PATCH", VS, {"not": "a list"}, JSON_PATCH, 400),
        ("PATCH", VS, replace("/spec/nowhere/x", 1), JSON_PATCH, 422),
        ("PATCH", VS, replace("/metadata/resourceVersion", "1"), JSON_PATCH, 409),
        ("PATCH", VS, {"metadata": {"resourceVersion": "1"}}, MERGE_PATCH, 409),
        ("PATCH", VS, {"metadata": {"uid": "x"}}, MERGE_PATCH, 422),
        ("POST", "/api/v1/namespaces/nowhere/pods", {"metadata": {"name": "a"}}, "", 404),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "orion"}}, "", 409),
        ("GET", "/api/v1/namespaces/orion/pods", None, "", 200),
    ],
)
def test_requests_are_answered_with_the_right_status(
    cluster, method, path, body, content_type, status
):
    assert ask(cluster, method, path, body, content_type)[0] == status


def test_a_change_of_the_spec_counts_a_generation_and_names_its_editor(cluster):
    before = cluster.object("virtualservices", "orion", "auth-service")

    _, after = ask(
        cluster, "PATCH", VS, {"spec": {"hosts": ["x"]}}, MERGE_PATCH, fieldManager="kim"
    )

    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
    assert {e["manager"] for e in after["metadata"]["managedFields"]} == {"kubectl", "kim"}


def test_a_change_of_annotations_counts_no_generation(cluster):
    patch = {"metadata": {"annotations": {"a": "b"}}}

    assert ask(cluster, "PATCH", VS, patch, MERGE_PATCH)[1]["metadata"]["generation"] == 1


def test_a_write_that_changes_nothing_is_elided(cluster):
    before = cluster.object("virtualservices", "orion", "auth-service")

    _, after = ask(cluster, "PATCH", VS, {"spec": {"hosts": ["auth-service"]}}, MERGE_PATCH)

    assert after["metadata"] == before["metadata"]


def test_a_dry_run_shows_and_stores_nothing(cluster):
    _, shown = ask(cluster, "PATCH", VS, {"spec": {"hosts": ["x"]}}, MERGE_PATCH, dryRun="All")

    assert shown["spec"]["hosts"] == ["x"]
    assert cluster.object("virtualservices", "orion", "auth-service")["spec"]["hosts"] == [
        "auth-service"
    ]
    assert cluster.log == []


def test_status_is_changed_only_through_its_own_path(cluster):
    patch = {"status": {"note": "x"}, "spec": {"hosts": ["x"]}}

    _, by_object = ask(cluster, "PATCH", VS, {"status": {"note": "x"}}, MERGE_PATCH)
    _, by_status = ask(cluster, "PATCH", VS + "/status", patch, MERGE_PATCH)

    assert "status" not in by_object
    assert (by_status["status"], by_status["spec"]["hosts"]) == ({"note": "x"}, ["auth-service"])


def test_deleting_a_namespace_deletes_what_is_in_it(cluster):
    ask(cluster, "DELETE", "/api/v1/namespaces/orion")

    assert ask(cluster, "GET", DEPLOYMENT)[0] == 404
    assert ask(cluster, "GET", "/api/v1/namespaces/orion/pods")[1]["items"] == []


def test_who_asks_whether_they_may_is_told_yes(cluster):
    review = {"spec": {"resourceAttributes": {"verb": "patch"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    assert ask(cluster, "POST", path, review)[1]["status"] == {"allowed": True}


def test_every_applied_write_is_logged_with_its_time(cluster):
    ask(cluster, "PATCH", VS, replace("/metadata/resourceVersion", "1"), JSON_PATCH)
    ask(cluster, "PATCH", VS, {"spec": {"hosts": ["x"]}}, MERGE_PATCH)

    assert [(method, path, body) for _, method, path, body in cluster.log] == [
        ("PATCH", VS, {"spec": {"hosts": ["x"]}})
    ]


def test_an_earlier_template_makes_its_replica_set_the_newest_again(cluster):
    clock = cluster._clock
    for image in ("r:v2", "r:v1.0.0", "r:v2"):
        patch = replace("/spec/template/spec/containers/0/image", image)
        ask(cluster, "PATCH", DEPLOYMENT, patch, JSON_PATCH)
        clock.advance(10)

    body = cluster.object("deployments", "orion", "auth-service-stable")
    sets = list(cluster._objects.select("replicasets", "orion", "track=stable"))

    assert body["status"]["updatedReplicas"] == 4
    assert len(sets) == 3
    assert body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


@pytest.mark.skipif(not has_schemas, reason="the Istio CRDs are not beside the checkout")
@pytest.mark.parametrize("weight", ["90", 90.5, True])
def test_the_schemas_of_istio_are_enforced_where_they_are_at_hand(weight):
    fake = FakeCluster()
    orion(fake)

    status, body = ask(
        fake, "PATCH", VS, replace("/spec/http/0/route/0/weight", weight), JSON_PATCH
    )

    assert (status, "is invalid" in body["message"]) == (422, True)
