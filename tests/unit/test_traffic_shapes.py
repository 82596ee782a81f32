"""The simulated numbers of colours and of one Deployment, and those that teams ask for themselves."""

import pytest

from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane
from integrations.metric import Missing, Reading
from integrations.metrics.prometheus import PrometheusSource
from integrations.metrics.templates import Lanes
from tests.unit.traffic_world import World


@pytest.fixture
def world() -> World:
    return World()


class Selected(World):
    """Two colours behind one Service, or one Deployment alone; no mesh."""

    def __init__(self, lanes: Lanes, selector: dict[str, str]) -> None:
        self.selector = selector
        self.status = {"readyReplicas": 4, "replicas": 4, "updatedReplicas": 4}
        self.image = "checkout:v1"
        self.traffic = None
        super().__init__()
        self.traffic = SimulatedTraffic(
            self, lambda: self.now, service="checkout", namespace="shop", lanes=lanes
        )

    def object(self, plural, namespace, name, /):
        if plural not in {"services", "deployments"}:
            return None
        if plural == "services":
            return {"spec": {"selector": self.selector}}
        labels = {"app": "checkout", "version": name.removeprefix("checkout-")}
        spec = {"containers": [{"image": self.image}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        return {"spec": {"template": template}, "status": dict(self.status)}


@pytest.mark.parametrize(
    ("selector", "weights"),
    [
        ({"app": "checkout", "version": "blue"}, (100, 0)),
        ({"app": "checkout", "version": "green"}, (0, 100)),
        ({"app": "checkout"}, (50, 50)),
        ({"app": "nobody"}, (100, 0)),
    ],
)
def test_without_a_mesh_the_selector_of_the_service_decides(selector, weights):
    world = Selected(Lanes("shop", "checkout-blue", "checkout-green"), selector)

    flows = world.traffic.flows

    assert (flows[Lane.STABLE].weight, flows[Lane.CANARY].weight) == weights


def test_one_workload_alone_serves_everything_and_a_batch_shows_by_its_share():
    world = Selected(Lanes("shop", "", "checkout"), {"app": "checkout"})
    world.traffic.set_errors("v2", 40)
    world.wait(60)
    assert world.read("error_rate", Lane.CANARY) == pytest.approx(0.2, rel=0.04)

    world.image, world.status["updatedReplicas"] = "checkout:v2", 1
    world.traffic.tick()
    world.wait(60)

    assert list(world.traffic.flows) == [Lane.CANARY]
    assert world.read("rps", Lane.CANARY) == pytest.approx(200, rel=0.04)
    assert world.read("error_rate", Lane.CANARY) == pytest.approx(0.75 * 0.2 + 10, rel=0.04)


def test_a_batch_that_does_not_come_up_serves_nobody():
    world = Selected(Lanes("shop", "", "checkout"), {"app": "checkout"})
    world.traffic.set_errors("v2", 40)
    world.image = "checkout:v2"
    world.status |= {"updatedReplicas": 1, "readyReplicas": 3}

    assert world.traffic.flows[Lane.CANARY].errors == pytest.approx(0.2)


async def read(world: World, lanes: Lanes, **custom: str) -> dict[str, Reading]:
    server = SimulatedPrometheus(world.traffic, lambda: world.now)
    source = PrometheusSource(
        await server.start(),
        template="istio",
        namespace=lanes.namespace,
        stable=lanes.stable,
        canary=lanes.canary,
        clock=lambda: world.now,
    )
    snapshot = await source.look(window=60, custom=custom, variables={"version": "v2"})
    await source.close()
    await server.stop()
    return dict(snapshot.readings)


async def test_a_custom_query_tells_both_variants(world):
    for version, value in (("v1", 3.2), ("v2", 4.1)):
        world.traffic.set_figure("conversion_rate", version, value)
    world.traffic.set_figure("revenue", "v1", 7)

    readings = await read(
        world,
        world.traffic.lanes,
        conversion_rate='sum(conversion_rate{app="checkout",workload="$workload"})',
        newest='conversion_rate{version="$version"}',
        revenue='revenue{workload="$workload"}',
        unset='unset{workload="$workload"}',
        unnamed='revenue{app="checkout"}',
    )

    absent = Missing.NOT_AVAILABLE
    assert readings["conversion_rate"] == Reading(3.2, 4.1)
    assert readings["newest"] == Reading(absent, 4.1)
    assert readings["revenue"] == Reading(7, Missing.NO_DATA)
    assert readings["unset"] == Reading(absent, absent)
    assert readings["unnamed"] == Reading(absent, absent)


async def test_of_two_colours_either_may_be_the_stable_one(world):
    world.split(25)
    world.wait(60)
    lanes = world.traffic.lanes

    once = await read(world, lanes)
    turned = await read(world, Lanes(lanes.namespace, lanes.canary, lanes.stable))

    for metric, reading in once.items():
        assert turned[metric] == Reading(reading.canary, reading.stable)
