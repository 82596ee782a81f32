"""For arbitrary sets: a movement and its way back leave every byte as it was, but for the fence."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.daemons import fill_daemon_set
from bot.sandbox.json_patch import apply_json_patch
from bot.sandbox.stateful import fill_stateful_set
from integrations.workloads.daemonset import DaemonSetFleet
from integrations.workloads.statefulset import StatefulSetFleet

OLD, NEW = "r/app:v1", "r/app:v2"
TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NOTES = st.none() | st.dictionaries(
    TEXT.filter(lambda key: not key.startswith("sluice/")), TEXT, max_size=3
)
STRATEGIES = {
    "StatefulSet": st.just({})
    | st.fixed_dictionaries(
        {"type": st.just("RollingUpdate")},
        optional={"rollingUpdate": st.fixed_dictionaries({}, optional={"maxUnavailable": JSON})},
    ),
    "DaemonSet": st.just({})
    | st.fixed_dictionaries(
        {"type": st.just("RollingUpdate")},
        optional={"rollingUpdate": st.dictionaries(TEXT, JSON, max_size=3)},
    ),
}


class OneObject:
    """As much of a cluster as a fleet needs: one set, whose pods nobody runs."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        del query
        return self.body if path.endswith("/app") else {"items": []}

    async def patch(self, path: str, ops: list[dict[str, Any]]) -> None:
        del path
        self.body = apply_json_patch(deepcopy(self.body), ops)


@st.composite
def sets(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    container = {**draw(st.dictionaries(TEXT, JSON, max_size=2)), "name": "app", "image": OLD}
    others = [{"name": f"other-{n}", "image": draw(TEXT)} for n in range(draw(st.integers(0, 2)))]
    containers = draw(st.permutations([container, *others]))
    metadata = {"name": "app", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    notes = draw(NOTES)
    body = {
        "kind": kind,
        "metadata": metadata | ({} if notes is None else {"annotations": notes}),
        "spec": {
            **draw(st.dictionaries(TEXT, JSON, max_size=2)),
            "replicas": draw(st.integers(1, 9)),
            "selector": {"matchLabels": {"app": "app"}},
            "template": {"metadata": {}, "spec": {"containers": containers}},
            "updateStrategy": draw(STRATEGIES[kind]),
        },
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 4},
    }
    (fill_stateful_set if kind == "StatefulSet" else fill_daemon_set)(body)
    return body


def plain(body: dict[str, Any]) -> dict[str, Any]:
    copy = deepcopy(body)
    notes = copy["metadata"].pop("annotations", {})
    kept = {key: value for key, value in notes.items() if key != "sluice/fence"}
    return {**copy, "notes": kept}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
@given(data=st.data())
def test_there_and_back_changes_nothing_but_the_fence(kind, data):
    body = data.draw(sets(kind))
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))

    async def walk() -> tuple[dict[str, Any], dict[str, Any]]:
        cluster: Any = OneObject(deepcopy(body))
        make: Any = StatefulSetFleet if kind == "StatefulSet" else DaemonSetFleet
        fleet = make(cluster, namespace="n", name="app", container="app", image="r/app")
        for number, count in enumerate(counts):
            await fleet.write(image=NEW, count=count, token="7", fence=f"1.{number + 1}")
        between = deepcopy(cluster.body)
        await fleet.write(image=OLD, token="7", fence="2.1")
        return between, cluster.body

    between, after = asyncio.run(walk())

    assert plain(after) == plain(body)
    assert after["metadata"]["annotations"]["sluice/fence"] == "2.1"
    told = {c["name"]: c["image"] for c in between["spec"]["template"]["spec"]["containers"]}
    assert told["app"] == NEW
