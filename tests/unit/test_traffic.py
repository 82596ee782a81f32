"""The sandbox's numbers follow from its cluster, its clock and its sliders, and windows are right."""

import math

import aiohttp
import pytest

from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import mean, quantile
from bot.sandbox.ways import canary_share
from integrations.base import Lane
from integrations.metrics.templates import render
from tests.unit.traffic_world import World, route


@pytest.fixture
def world() -> World:
    return World()


def test_requests_are_split_as_the_weights_say(world):
    world.split(25)
    world.wait(60)

    assert world.read("requests", Lane.STABLE) == pytest.approx(9000, rel=0.03)
    assert world.read("requests", Lane.CANARY) == pytest.approx(3000, rel=0.03)
    assert world.read("rps", Lane.CANARY) == pytest.approx(50, rel=0.03)


def test_a_window_over_a_weight_change_has_both_parts(world):
    world.wait(45)
    world.split(50)
    world.wait(15)

    assert world.read("requests", Lane.CANARY) == pytest.approx(15 * 100, rel=0.03)
    assert world.read("requests", Lane.STABLE) == pytest.approx(45 * 200 + 15 * 100, rel=0.03)


def test_what_is_before_the_window_does_not_count(world):
    world.split(50)
    world.wait(600)
    world.split(0)
    world.wait(60)

    assert world.read("requests", Lane.CANARY) == 0
    assert math.isnan(world.read("error_rate", Lane.CANARY))


def test_an_untouched_service_is_nearly_well(world):
    world.wait(60)

    assert world.read("error_rate", Lane.STABLE) == pytest.approx(0.2, rel=0.04)
    assert world.read("success_rate", Lane.STABLE) == pytest.approx(99.8, abs=0.02)
    assert world.read("latency_p95", Lane.STABLE) == pytest.approx(120, rel=0.04)
    assert world.read("latency_p50", Lane.STABLE) == pytest.approx(48, rel=0.04)


def test_a_broken_version_errs_in_its_lane_from_that_moment(world):
    world.split(50)
    world.wait(30)
    world.traffic.set_errors("v2", 40)
    world.traffic.set_latency("v2", 900)
    world.wait(30)

    assert world.read("error_rate", Lane.CANARY) == pytest.approx((0.2 + 40) / 2, rel=0.04)
    assert world.read("error_rate", Lane.STABLE) == pytest.approx(0.2, rel=0.04)
    assert world.read("latency_p95", Lane.CANARY, window=30) == pytest.approx(900, rel=0.04)
    assert world.read("latency_p95", Lane.STABLE) == pytest.approx(120, rel=0.04)


def test_a_broken_version_stays_broken_when_it_becomes_stable(world):
    world.traffic.set_errors("v2", 40)
    world.images["checkout-stable"] = "checkout:v2"
    world.traffic.tick()
    world.wait(60)

    assert world.read("error_rate", Lane.STABLE) == pytest.approx(40, rel=0.04)


def test_a_lane_without_requests_yet_has_no_series(world):
    world.wait(60)

    assert world.read("requests", Lane.CANARY) is None
    assert world.read("freshness", Lane.CANARY) is None
    assert world.read("cpu", Lane.CANARY) > 0


def test_a_lane_that_lost_its_pods_has_no_fresh_samples(world):
    world.split(50)
    world.wait(30)
    world.ready["checkout-canary"] = 0
    world.traffic.tick()
    world.wait(30)

    assert world.read("freshness", Lane.CANARY) is None
    assert world.read("requests", Lane.CANARY) == pytest.approx(3000, rel=0.03)


def test_the_same_world_gives_the_same_numbers_twice():
    numbers = []
    for _ in range(2):
        world = World()
        world.wait(60)
        numbers.append(world.traffic.numbers(60))

    assert numbers[0] == numbers[1]


def test_the_panel_sees_both_lanes(world):
    world.split(5)
    flow = world.traffic.flows[Lane.CANARY]

    assert (flow.version, flow.ready, flow.weight, flow.rps) == ("v2", 4, 5, 10)


def test_less_traffic_from_now_on(world):
    world.wait(30)
    world.traffic.set_rps(0)
    world.wait(30)

    assert world.read("requests", Lane.STABLE) == pytest.approx(6000, rel=0.03)


@pytest.mark.parametrize(
    ("slider", "value"),
    [("set_errors", -1), ("set_errors", 101), ("set_latency", 0), ("set_latency", math.inf)],
)
def test_impossible_sliders_are_errors(world, slider, value):
    with pytest.raises(ValueError, match="not"):
        getattr(world.traffic, slider)("v2", value)


@pytest.mark.parametrize(
    ("http", "share"),
    [
        ([], 0),
        ([route(stable=75, canary=25)], 0.25),
        ([route(stable=3, canary=1)], 0.25),
        ([route(stable=0, canary=0)], 0),
        ([route(canary=100), route(stable=90, canary=10)], 0.1),
        (
            [
                {
                    "route": [
                        {"destination": {"host": "a-stable"}, "weight": 60},
                        {"destination": {"host": "a-canary"}, "weight": 40},
                    ]
                }
            ],
            0.4,
        ),
        ([{"redirect": {}}], 0),
    ],
)
def test_the_share_of_the_canary_is_read_from_the_first_split(http, share):
    assert canary_share({"spec": {"http": http}}) == share


def test_a_mixture_is_as_slow_as_its_slow_part_from_there_on():
    mixed = ((90, 100.0), (10, 1000.0))

    assert quantile(0.95, ((1, 100.0),)) == pytest.approx(100)
    assert 100 < quantile(0.5, mixed) * 3 < quantile(0.95, mixed) < 1000
    assert math.isnan(quantile(0.5, ()))


async def test_the_server_answers_like_prometheus(world):
    world.wait(60)
    server = SimulatedPrometheus(world.traffic, lambda: world.now)
    url = await server.start()
    query = render("istio", world.traffic.lanes, 60)["rps"].text
    async with aiohttp.ClientSession(url) as client:
        for ask in (
            client.get("/api/v1/query", params={"query": query}),
            client.post("/api/v1/query", data={"query": query}),
        ):
            async with ask as response:
                (row,) = (await response.json())["data"]["result"]
                assert row["metric"] == {"destination_workload": "checkout-stable"}
                assert float(row["value"][1]) == pytest.approx(200, rel=0.03)
    await server.stop()


@pytest.mark.parametrize("query", ["up", "", "rate(x[0s])", "rate(x[99999999999999s])"])
async def test_the_server_refuses_what_the_template_does_not_ask(world, query):
    server = SimulatedPrometheus(world.traffic, lambda: world.now)
    url = await server.start()
    async with (
        aiohttp.ClientSession(url) as client,
        client.get("/api/v1/query", params={"query": query}) as response,
    ):
        assert response.status == 400
        assert (await response.json())["errorType"] == "bad_data"
    await server.stop()


async def test_the_server_can_be_down_and_up_again(world):
    server = SimulatedPrometheus(world.traffic, lambda: world.now)
    async with aiohttp.ClientSession(await server.start()) as client:
        for down, status in ((True, 503), (False, 200)):
            server.down = down
            async with client.get("/-/healthy") as response:
                assert response.status == status
    await server.stop()


def test_the_mean_lies_between_the_median_and_the_p95(world):
    world.wait(60)

    assert 48 < world.read("latency_avg", Lane.STABLE) < 120
    assert mean([(90, 100.0), (10, 1000.0)]) == pytest.approx(
        0.9 * mean([(1, 100.0)]) + 0.1 * mean([(1, 1000.0)])
    )
    assert math.isnan(mean([]))


@pytest.mark.parametrize(
    ("metric", "usual"),
    [("connection_failures", 0), ("circuit_breaker_trips", 0), ("cpu", 24), ("memory", 46)],
)
def test_figures_are_set_by_version(world, metric, usual):
    world.split(50)
    world.wait(60)
    assert world.read(metric, Lane.CANARY) == pytest.approx(usual, rel=0.1)

    world.traffic.set_figure(metric, "v2", 42)

    assert world.read(metric, Lane.CANARY) == 42
    assert world.read(metric, Lane.STABLE) == pytest.approx(usual, rel=0.1)


def test_callers_still_tell_of_a_lane_that_lost_its_pods(world):
    world.split(50)
    world.wait(30)
    world.ready["checkout-canary"] = 0
    world.traffic.set_figure("connection_failures", "v2", 100)
    world.wait(30)

    assert world.read("callers_freshness", Lane.CANARY) == 5
    assert world.read("connection_failures", Lane.CANARY) == 100


def test_an_audience_reaches_the_canary_at_weight_nought(world):
    world.traffic.set_audience(10)
    world.wait(60)
    assert world.read("requests", Lane.CANARY) is None

    world.http = [{"name": "sluice-1", **route(canary=100)}, *world.http]
    world.traffic.tick()
    world.wait(60)

    assert world.read("rps", Lane.CANARY) == pytest.approx(20, rel=0.04)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_an_error(world, value):
    with pytest.raises(ValueError, match="not"):
        world.traffic.set_figure("cpu", "v2", value)


@pytest.mark.parametrize("percent", [-1, 101])
def test_an_impossible_audience_is_an_error(world, percent):
    with pytest.raises(ValueError, match="not"):
        world.traffic.set_audience(percent)
