"""A Deployment's rollout is judged in kubectl's order, its newest pods say what is wrong."""

import pytest

from integrations.base import RefusedError
from integrations.kube.images import digest_of, image_of
from integrations.kube.pods import common_digest, problem_of, selector_query
from integrations.workloads.deployment.pods import newest_pods
from integrations.workloads.deployment.status import progress_of

REPO = "registry:5000/orion/auth"
DIGEST = "sha256:" + "a" * 64


def deployment(*, wanted: int = 3, seen: int = 2, conditions: tuple = (), **counts: int) -> dict:
    status = {"observedGeneration": seen, "conditions": list(conditions), **counts}
    return {
        "metadata": {"name": "auth", "generation": 2, "uid": "u1"},
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": "auth"}}},
        "status": status,
    }


LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
NO_QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
DONE = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("body", "settled", "ready", "problem"),
    [
        (deployment(**DONE), True, 3, ""),
        (deployment(**DONE, seen=1), False, 0, ""),
        (deployment(**DONE | {"updatedReplicas": 2}), False, 2, ""),
        (deployment(**DONE | {"replicas": 5, "availableReplicas": 5}), False, 3, ""),
        (deployment(**DONE | {"replicas": 5}), False, 1, ""),
        (deployment(**DONE | {"availableReplicas": 2}), False, 2, ""),
        (deployment(**DONE, conditions=(LATE,)), False, 3, "deadline"),
        (deployment(**DONE, conditions=(LATE,), seen=1), False, 0, ""),
        (deployment(wanted=3, conditions=(NO_QUOTA,)), False, 0, "quota"),
        (deployment(**DONE, conditions=(NO_QUOTA,)), True, 3, ""),
        (deployment(wanted=0), True, 0, ""),
    ],
)
def test_a_rollout_is_judged_as_kubectl_does(body, settled, ready, problem):
    progress = progress_of(body)

    assert (progress.settled, progress.ready, progress.problem) == (settled, ready, problem)


def test_a_paused_deployment_that_waits_says_so_and_which_it_is():
    body = deployment(wanted=3)
    body["metadata"]["namespace"] = "orion"
    body["spec"]["paused"] = True

    progress = progress_of(body)

    assert progress.problem == "paused"
    assert progress.detail.startswith("Deployment auth in namespace orion is paused")


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("v1.42", f"{REPO}:v1.42"),
        (DIGEST, f"{REPO}@{DIGEST}"),
        (f"{REPO}:v2", f"{REPO}:v2"),
        (f"{REPO}@{DIGEST}", f"{REPO}@{DIGEST}"),
        (f"{REPO}:v2@{DIGEST}", f"{REPO}:v2@{DIGEST}"),
    ],
)
def test_a_version_becomes_an_image_of_the_configured_repository(version, image):
    assert image_of(REPO, version) == image


@pytest.mark.parametrize(
    "version",
    [
        "evil.io/auth:v2",
        f"{REPO}x:v2",
        f"{REPO}/x:v2",
        REPO,
        f"{REPO}:",
        "",
        "v2\n",
        "a" * 129,
        "sha256:abc",
        f"{REPO}:v2 ; rm",
        "../v2",
        "vé",
    ],
)
def test_any_other_image_is_refused(version):
    with pytest.raises(RefusedError) as refused:
        image_of(REPO, version)

    assert refused.value.code == "wrong_image"


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"{REPO}@{DIGEST}", DIGEST),
        (f"docker-pullable://{REPO}@{DIGEST}", DIGEST),
        (DIGEST, ""),  # the unpacked image of a node, not one that can be pulled
        ("", ""),
        (f"{REPO}@sha256:short", ""),
    ],
)
def test_a_digest_is_what_a_registry_would_know(image_id, digest):
    assert digest_of(image_id) == digest


def replica_set(hashed: str, revision: str, owner: str = "u1") -> dict:
    return {
        "metadata": {
            "labels": {"pod-template-hash": hashed},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": owner, "controller": True}],
        }
    }


def pod(name: str, hashed: str, created: str = "2026-01-01T00:00:00Z", **status: object) -> dict:
    metadata = {"name": name, "labels": {"pod-template-hash": hashed}, "creationTimestamp": created}
    return {"metadata": metadata, "status": status}


PODS = [pod("a", "h1"), pod("b", "h2", "2026-01-02T00:00:00Z"), pod("c", "h3")]


@pytest.mark.parametrize(
    ("sets", "names"),
    [
        ([replica_set("h1", "9"), replica_set("h3", "10")], ["c"]),
        ([replica_set("h1", "9"), replica_set("h3", "10", owner="u2")], ["a"]),
        ([], ["b"]),  # no ReplicaSet may be listed: the newest pod tells
    ],
)
def test_only_pods_of_the_newest_replica_set_count(sets, names):
    found = newest_pods(deployment(), sets, PODS)

    assert [item["metadata"]["name"] for item in found] == names


def test_pods_that_are_leaving_do_not_count():
    leaving = pod("a", "h1")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-03T00:00:00Z"

    assert newest_pods(deployment(), [replica_set("h1", "1")], [leaving]) == []


def container(
    reason: str = "", restarts: int = 0, *, ready: bool = False, image_id: str = ""
) -> dict:
    state = {"waiting": {"reason": reason}} if reason else {"running": {}}
    return {
        "name": "web",
        "ready": ready,
        "restartCount": restarts,
        "state": state,
        "imageID": image_id,
    }


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"containerStatuses": [container("CrashLoopBackOff", 1)]}, "crash_loop"),
        ({"containerStatuses": [container(restarts=3)]}, "crash_loop"),
        ({"containerStatuses": [container(restarts=2)]}, ""),
        ({"containerStatuses": [container(restarts=9, ready=True)]}, ""),
        ({"initContainerStatuses": [container("ErrImagePull")]}, "image_pull"),
        ({"containerStatuses": [container("InvalidImageName")]}, "image_pull"),
        ({"containerStatuses": [container("CreateContainerConfigError")]}, "container_config"),
        ({"containerStatuses": [container("ContainerCreating")]}, ""),
        ({"conditions": [{"type": "PodScheduled", "reason": "Unschedulable"}]}, "unschedulable"),
        ({}, ""),
    ],
)
def test_a_pod_says_why_it_cannot_become_ready(status, problem):
    assert problem_of([pod("a", "h1", **status)])[0] == problem


@pytest.mark.parametrize(
    ("images", "digest"),
    [([f"r@{DIGEST}"] * 2, DIGEST), ([f"r@{DIGEST}", ""], ""), ([], "")],
)
def test_a_digest_counts_only_when_all_pods_agree(images, digest):
    pods = [pod("a", "h", containerStatuses=[container(image_id=image)]) for image in images]

    assert common_digest(pods, "web") == digest


def test_a_selector_is_asked_for_in_full():
    body = deployment()
    body["spec"]["selector"]["matchExpressions"] = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
    ]

    assert selector_query(body) == "app=auth,tier in (a,b),!old"
