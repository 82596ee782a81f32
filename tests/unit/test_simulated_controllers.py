"""The controllers of the simulated cluster do over time what Kubernetes' own do."""

import json

import pytest

from bot.sandbox.calls import Call
from bot.sandbox.cluster import SimulatedCluster
from bot.sandbox.orion import colours, fleet
from tests.fakes.kubernetes import Clock

SEARCH = "/apis/apps/v1/namespaces/orion/deployments/search"
IMAGE = "/spec/template/spec/containers/0/image"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster(clock=Clock())


def ask(cluster, method, path, body=None, content_type="application/json", **query):
    raw = b"" if body is None else json.dumps(body).encode()
    return cluster.perform(Call(method, path, query, content_type, "test/1", raw))


def replace(path, value):
    return [{"op": "replace", "path": path, "value": value}]


def run_v2(cluster):
    ask(cluster, "PATCH", SEARCH, replace(IMAGE, "r:v2"), JSON_PATCH)


def image_of(pod):
    return pod["spec"]["containers"][0]["image"]


def images(cluster):
    pods = list(cluster._objects.select("pods", "orion", "app=search"))
    return sorted(map(image_of, pods))


def test_what_happened_between_two_looks_is_made_up_for(cluster):
    fleet(cluster, replicas=8)
    cluster.object("deployments", "orion", "search")
    cluster._clock.advance(60)
    run_v2(cluster)
    cluster._clock.advance(60)

    body = cluster.object("deployments", "orion", "search")

    assert body["status"]["conditions"][-1]["reason"] == "NewReplicaSetAvailable"
    assert images(cluster) == ["r:v2"] * 8


def test_a_recreated_deployment_never_runs_two_versions(cluster):
    fleet(cluster, replicas=2)
    cluster.object("deployments", "orion", "search")
    patch = {"spec": {"strategy": {"type": "Recreate"}}}
    ask(cluster, "PATCH", SEARCH, patch, MERGE_PATCH)
    run_v2(cluster)

    cluster.object("deployments", "orion", "search")

    assert images(cluster) == ["r:v2"] * 2


def test_a_paused_deployment_keeps_its_pods_but_takes_another_number(cluster):
    fleet(cluster, replicas=2)
    cluster.object("deployments", "orion", "search")
    ask(cluster, "PATCH", SEARCH, {"spec": {"paused": True, "replicas": 3}}, MERGE_PATCH)
    run_v2(cluster)

    body = cluster.object("deployments", "orion", "search")

    assert images(cluster) == ["ghcr.io/orion/search:v1.0.0"] * 3
    assert body["status"].get("updatedReplicas", 0) == 0


def test_pods_that_are_ready_but_not_yet_available_hold_a_rollout_up(cluster):
    fleet(cluster, replicas=4)
    cluster.object("deployments", "orion", "search")
    cluster._clock.advance(60)
    ask(cluster, "PATCH", SEARCH, {"spec": {"minReadySeconds": 100}}, MERGE_PATCH)
    run_v2(cluster)

    cluster._clock.advance(99)
    waiting = cluster.object("deployments", "orion", "search")["status"]
    cluster._clock.advance(200)
    done = cluster.object("deployments", "orion", "search")["status"]

    assert (waiting["readyReplicas"], waiting["updatedReplicas"]) == (5, 2)
    assert (done["availableReplicas"], done["updatedReplicas"]) == (4, 4)


def test_pods_that_are_not_ready_are_the_first_to_go(cluster):
    fleet(cluster, replicas=2)
    cluster.object("deployments", "orion", "search")
    cluster._clock.advance(60)
    ready = {
        pod["metadata"]["name"] for pod in cluster._objects.select("pods", "orion", "app=search")
    }
    ask(cluster, "PATCH", SEARCH, {"spec": {"replicas": 4}}, MERGE_PATCH)
    cluster.object("deployments", "orion", "search")

    ask(cluster, "PATCH", SEARCH, {"spec": {"replicas": 2}}, MERGE_PATCH)
    cluster.object("deployments", "orion", "search")

    left = {
        pod["metadata"]["name"] for pod in cluster._objects.select("pods", "orion", "app=search")
    }
    assert left == ready


def test_a_deadline_counts_from_the_last_progress(cluster):
    fleet(cluster, replicas=4)
    cluster.object("deployments", "orion", "search")
    cluster._clock.advance(60)
    patch = {"spec": {"minReadySeconds": 50, "progressDeadlineSeconds": 80}}
    ask(cluster, "PATCH", SEARCH, patch, MERGE_PATCH)
    run_v2(cluster)

    reasons = set()
    for _ in range(20):
        cluster._clock.advance(10)
        status = cluster.object("deployments", "orion", "search")["status"]
        reasons.add(status["conditions"][-1]["reason"])

    assert reasons == {"ReplicaSetUpdated", "NewReplicaSetAvailable"}


def test_endpoints_are_the_pods_that_a_service_selects_and_whether_they_are_ready(cluster):
    colours(cluster, replicas=2)
    path = "/apis/discovery.k8s.io/v1/namespaces/orion/endpointslices"
    wanted = {"labelSelector": "kubernetes.io/service-name=cart"}

    _, starting = ask(cluster, "GET", path, **wanted)
    cluster._clock.advance(5)
    _, started = ask(cluster, "GET", path, **wanted)

    ready = [
        [e["conditions"]["ready"] for e in x["items"][0]["endpoints"]] for x in (starting, started)
    ]
    assert ready == [[False, False], [True, True]]
    assert len({e["addresses"][0] for e in started["items"][0]["endpoints"]}) == 2
