"""The simulated Knative says no where the real one does, and moves only when it would."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from bot.sandbox.knative import SERVICES, refused
from bot.sandbox.orion import knative_objects
from tests.fakes.kubernetes import Clock, FakeCluster

PIN = {"revisionName": "shop-00001", "percent": 100}


def service(*traffic: dict[str, Any], name: str = "") -> dict[str, Any]:
    body = knative_objects("shop", "orion", "shop:1", 1)[1]
    if traffic:
        body["spec"]["traffic"] = list(traffic)
    if name:
        body["spec"]["template"]["metadata"] = {"name": name}
    return body


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        ([PIN | {"percent": 95}], "sum to 95, want 100"),
        ([PIN | {"percent": 101}], "0 <= 101 <= 100"),
        ([PIN | {"percent": -1}, PIN | {"percent": 101}], "0 <= -1 <= 100"),
        ([{"percent": 100, "revisionName": "a", "latestRevision": True}], "may not set"),
        ([{"percent": 100, "latestRevision": False}], "may not set"),
        ([PIN | {"configurationName": "shop"}], "must not set"),
        ([PIN | {"tag": "Canary"}], "DNS 1035"),
        ([PIN | {"tag": "a"}, {"latestRevision": True, "tag": "a"}], "Multiple definitions"),
    ],
)
def test_the_webhook_denies_traffic_that_is_wrong(traffic, said):
    assert said in refused(None, service(*traffic))


def test_the_webhook_takes_what_is_right_and_what_says_nothing():
    assert refused(None, service()) == ""
    assert refused(None, service(PIN, {"latestRevision": True, "tag": "new"})) == ""


def test_a_template_does_not_change_under_the_same_name():
    old = service(PIN, name="shop-a")
    new = deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:2"

    assert "without a name change" in refused(old, new)
    new["spec"]["template"]["metadata"]["name"] = "shop-b"
    assert refused(old, new) == ""
    new["spec"]["template"]["metadata"]["name"] = "cart-b"
    assert "must have prefix" in refused(old, new)


class Cluster:
    """One Service, driven by a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fake = FakeCluster(clock=self.clock)
        for body in knative_objects("shop", "orion", "shop:1", 1):
            self.fake.put(body)
        self.wait(20)

    @property
    def body(self) -> dict[str, Any]:
        found = self.fake.object(SERVICES, "orion", "shop")
        assert found is not None
        return found

    @property
    def routed(self) -> dict[str, int]:
        return {one["revisionName"]: one["percent"] for one in self.body["status"]["traffic"]}

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            assert self.body

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        self.fake.edit(SERVICES, "orion", "shop", change)


def rolled(image: str, name: str = "") -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["image"] = image
        body["spec"]["template"]["metadata"] = {"name": name} if name else {}

    return change


def test_a_revision_bears_the_labels_of_its_service_and_generation():
    revision = Cluster().fake.object("revisions", "orion", "shop-00001")

    assert revision is not None
    assert revision["metadata"]["labels"] == {
        "serving.knative.dev/service": "shop",
        "serving.knative.dev/configuration": "shop",
        "serving.knative.dev/configurationGeneration": "1",
    }


def test_what_follows_the_latest_revision_moves_by_itself_as_soon_as_one_is_ready():
    cluster = Cluster()
    cluster.edit(rolled("shop:2"))
    cluster.wait(4)
    before = cluster.routed
    cluster.wait(10)

    assert before == {"shop-00001": 100}
    assert cluster.routed == {"shop-00002": 100}


def test_what_is_pinned_stays():
    cluster = Cluster()
    cluster.edit(lambda body: body["spec"].update(traffic=[PIN]))
    cluster.edit(rolled("shop:2"))
    cluster.wait(60)

    assert cluster.routed == {"shop-00001": 100}
    assert cluster.body["status"]["latestReadyRevisionName"] == "shop-00002"


def test_one_target_that_is_not_ready_keeps_all_of_them_from_being_routed():
    cluster = Cluster()
    cluster.fake.break_image("shop:2", "crash_loop")
    cluster.edit(lambda body: body["spec"].update(traffic=[PIN]))
    cluster.edit(rolled("shop:2", "shop-b"))
    cluster.wait(20)
    half = [PIN | {"percent": 50}, {"revisionName": "shop-b", "percent": 50}]
    cluster.edit(lambda body: body["spec"].update(traffic=half))
    cluster.wait(20)

    routes = next(c for c in cluster.body["status"]["conditions"] if c["type"] == "RoutesReady")
    assert (routes["status"], routes["reason"]) == ("False", "RevisionMissing")
    assert cluster.routed == {"shop-00001": 100}


def test_two_entries_of_one_revision_are_never_done():
    cluster = Cluster()
    cluster.edit(lambda body: body["spec"].update(traffic=[PIN, PIN | {"percent": 0}]))
    cluster.wait(20)

    routes = next(c for c in cluster.body["status"]["conditions"] if c["type"] == "RoutesReady")
    assert routes["reason"] == "TrafficNotMigrated"


def test_a_revision_that_nothing_names_is_collected_and_one_with_a_tag_is_not():
    cluster = Cluster()
    tagged = [PIN, {"revisionName": "shop-b", "percent": 0, "tag": "kept"}]
    cluster.edit(lambda body: body["spec"].update(traffic=[PIN]))
    for name in ("b", "c", "d"):
        cluster.edit(rolled(f"shop:{name}", f"shop-{name}"))
        cluster.wait(10)
    cluster.edit(lambda body: body["spec"].update(traffic=tagged))
    cluster.wait(320)

    there = [cluster.fake.object("revisions", "orion", f"shop-{name}") for name in ("b", "c", "d")]
    assert [body is not None for body in there] == [True, False, True]


def test_a_name_that_another_template_took_routes_nothing_new():
    cluster = Cluster()
    cluster.edit(lambda body: body["spec"].update(traffic=[PIN]))
    cluster.edit(rolled("shop:2", "shop-b"))
    cluster.wait(10)
    cluster.edit(rolled("shop:3", "shop-c"))
    cluster.wait(10)
    cluster.edit(rolled("shop:4", "shop-b"))
    cluster.wait(10)

    routes = next(c for c in cluster.body["status"]["conditions"] if c["type"] == "RoutesReady")
    assert routes["reason"] == "RevisionNameTaken"


def test_a_core_service_of_the_same_name_is_another_object():
    cluster = Cluster()
    core = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "orion"},
    }
    cluster.fake.put(core | {"spec": {"type": "ExternalName"}})

    assert cluster.fake.object("services", "orion", "shop")["spec"] == {"type": "ExternalName"}
    assert "traffic" in cluster.body["spec"]
