"""A Deployment is held back and let go, as its JSON Patch says."""

import json

import pytest

from bot.sandbox.json_patch import apply_json_patch
from integrations.kube.template import template_with
from integrations.workloads.deployment.counting import set_of
from integrations.workloads.deployment.holding import (
    HELD,
    drop_note_ops,
    hold_ops,
    is_held,
    keep_note_ops,
    release_ops,
    room_for,
)

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
FOUND = [
    {},
    {"strategy": {"type": "Recreate"}},
    {"strategy": ROLLING, "minReadySeconds": 10, "progressDeadlineSeconds": 600},
]


def deployment(note: str | None = None, **spec: object) -> dict:
    annotations = {"other": "x"} | ({} if note is None else {"sluice/strategy": note})
    return {
        "metadata": {"name": "auth", "annotations": annotations},
        "spec": {"paused": False, **spec},
    }


def hold(body: dict, room: int) -> dict:
    return apply_json_patch(body, [*hold_ops(room), *keep_note_ops(body)])


def release(body: dict) -> dict:
    return apply_json_patch(body, [*release_ops(body), *drop_note_ops(body)])


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_comes_back_however_often_it_was_held(found):
    body = deployment(**found)

    held = hold(hold(body, 1), 4)

    assert is_held(held)
    assert held["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 4}
    assert json.loads(held["metadata"]["annotations"]["sluice/strategy"]) == found
    assert release(held) == body


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "x",
        "[]",
        '{"strategy": "Recreate"}',
        '{"strategy": {"type": "Other"}}',
        '{"minReadySeconds": "7"}',
        '{"minReadySeconds": true}',
    ],
)
def test_without_a_sound_note_the_defaults_of_the_api_come_back(note):
    held = hold(deployment(strategy=ROLLING), 2)
    held["metadata"]["annotations"].pop("sluice/strategy")
    if note is not None:
        held["metadata"]["annotations"]["sluice/strategy"] = note

    assert release(held) == deployment()
    assert release(hold(held, 3)) == deployment()


def test_what_somebody_applied_meanwhile_is_what_is_found_next():
    body = hold(deployment(minReadySeconds=5), 2)
    body["spec"] |= {"strategy": ROLLING, "minReadySeconds": 9, "progressDeadlineSeconds": 60}

    assert release(body)["spec"] == body["spec"]
    assert release(hold(body, 3))["spec"] == body["spec"]


def replica_set(
    available: int = 0, patience: int = 0, image: str = "r:v1", born: str = "1"
) -> dict:
    labels = {"app": "auth", "pod-template-hash": born}
    template = {
        "metadata": {"labels": labels, "annotations": {}},
        "spec": {"containers": [{"name": "auth", "image": image}]},
    }
    return {
        "metadata": {"name": f"auth-{born}", "creationTimestamp": born},
        "spec": {"minReadySeconds": patience, "template": template},
        "status": {"availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("newest", "count", "room"),
    [
        (None, 3, 3),
        (replica_set(0, HELD), 3, 3),
        (replica_set(0), 3, 3),
        (replica_set(6), 8, 2),
        (replica_set(6), 6, 1),
        (replica_set(6, HELD), 8, 8),
    ],
)
def test_pods_that_are_still_available_use_up_no_room(newest, count, room):
    assert room_for(count, newest) == room


def test_the_set_of_a_template_is_the_oldest_that_is_equal_but_for_its_hash():
    sets = [replica_set(born="3"), replica_set(born="2"), replica_set(image="r:v2", born="1")]
    template = {
        "metadata": {"labels": {"app": "auth"}},
        "spec": {"containers": [{"name": "auth", "image": "r:v9"}]},
    }

    assert set_of(template, sets) is None
    assert set_of(template_with(template, 0, "r:v1"), sets) is sets[1]
    assert set_of(template_with(template, 0, "r:v2"), sets) is sets[2]
    assert template["spec"]["containers"][0]["image"] == "r:v9"
