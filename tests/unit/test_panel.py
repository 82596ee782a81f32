"""The mesh beside the chat: each service by itself, and the one that is shown."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.cluster import SimulatedCluster
from bot.sandbox.panel import MeshPanel, Panels
from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.services import SITES, put_services
from bot.sandbox.traffic import SimulatedTraffic


class HandClock:
    """Sandbox time that is moved by hand."""

    speed = 1.0
    at = datetime(2026, 5, 4, tzinfo=UTC)

    def now(self):
        return self.at

    def run_at(self, speed):
        self.speed = speed


class World:
    """The services of the sandbox, running for a minute, and their panels."""

    def __init__(self):
        self.clock = HandClock()
        self.cluster = SimulatedCluster(clock=self.clock.now, pod_start=20)
        put_services(self.cluster)
        self.wait(60)
        self.panels = Panels({name: self._panel(site) for name, site in SITES.items()})
        self.panels.state()

    def _panel(self, site):
        place = {"service": site.service, "namespace": site.lanes.namespace}
        traffic = SimulatedTraffic(self.cluster, self.clock.now, lanes=site.lanes, **place)
        prometheus = SimulatedPrometheus(traffic, self.clock.now)
        return MeshPanel(self.cluster, traffic, prometheus, self.clock, **place)

    def wait(self, seconds):
        self.clock.at += timedelta(seconds=seconds)

    def run(self, name, version, **spec):
        """Give a Deployment another image, and more of its spec."""
        found = deepcopy(self.cluster.object("deployments", "shop", name))
        found["spec"]["template"]["spec"]["containers"][0]["image"] = (
            f"registry.example/x:{version}"
        )
        found["spec"].update(spec)
        self.cluster.put({**found, "kind": "Deployment", "apiVersion": "apps/v1"})

    def lanes(self):
        return self.panels.state()["lanes"]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def panels(world):
    return world.panels


def test_the_first_service_is_shown_and_the_others_are_named(panels):
    state = panels.state()

    assert (state["service"], state["services"]) == (
        "checkout",
        list(SITES),
    )


async def test_another_service_can_be_shown(panels):
    await panels.act("service", "cart")

    assert panels.state()["service"] == "cart"


async def test_a_slider_moves_the_service_that_is_shown(panels):
    await panels.act("service", "cart")
    await panels.act("errors", 12.0)

    assert panels.state()["errors"] == 12.0
    await panels.act("service", "checkout")
    assert panels.state()["errors"] < 1


async def test_metrics_are_down_for_all_services(panels):
    await panels.act("metrics_down", True)
    await panels.act("service", "cart")

    assert panels.state()["metrics_down"] is True


@pytest.mark.parametrize("name", ["basket", "", None, 3.0])
async def test_a_service_that_is_not_there_is_an_error(panels, name):
    with pytest.raises(ValueError, match="no such service"):
        await panels.act("service", name)


@pytest.mark.parametrize(
    ("service", "names", "versions"),
    [
        ("checkout", ["stable", "canary"], ["v1", ""]),
        ("cart", ["blue", "green"], ["v1", ""]),
        ("search", ["old", "new"], ["v1", ""]),
    ],
)
async def test_each_service_names_its_places(panels, service, names, versions):
    await panels.act("service", service)
    lanes = panels.state()["lanes"]

    assert [lane["name"] for lane in lanes] == names
    assert [lane["version"] for lane in lanes] == versions
    assert [lane["weight"] for lane in lanes] == [100, 0]


async def test_where_a_rollout_begins_the_page_looks(world):
    world.run("cart-green", "v2", replicas=4)

    assert world.panels.state()["service"] == "cart"
    await world.panels.act("service", "search")
    assert world.panels.state()["service"] == "search"


async def test_trouble_is_made_for_the_colour_that_is_new(world):
    world.run("cart-blue", "v3", replicas=4)
    world.wait(180)
    await world.panels.act("service", "cart")
    await world.panels.act("break", None)
    blue, green = world.lanes()

    assert (blue["version"], blue["error_rate"]) == ("v3", 30.0)
    assert green["error_rate"] is None


def test_instances_move_from_the_old_version_to_the_new_one(world):
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
    patience = {"minReadySeconds": 3600, "progressDeadlineSeconds": 7200}
    world.run("search", "v2", strategy=rolling, **patience)
    world.lanes()
    world.wait(30)
    old, new = world.lanes()

    assert (old["version"], old["ready"], old["weight"]) == ("v1", 8, 80)
    assert (new["version"], new["ready"], new["weight"]) == ("v2", 2, 20)


async def test_healing_heals_the_version_that_was_broken_after_it_is_gone_too(world):
    await world.panels.act("service", "search")
    world.run("search", "v2")
    await world.panels.act("break", None)
    world.run("search", "v1")
    world.wait(60)
    await world.panels.act("heal", None)
    world.run("search", "v2")
    world.wait(60)

    assert world.panels.state()["errors"] == 0.2
