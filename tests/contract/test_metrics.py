"""One suite for the simulated and the real Prometheus: the sandbox shows what production would show."""

import math
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from integrations.metric import Missing, Reading
from integrations.metrics.connection import Connection
from integrations.metrics.prometheus import PrometheusSource
from integrations.metrics.quoting import quote
from integrations.metrics.templates import CALLERS, CONTAINER, FUNCTIONS, METRICS, TEMPLATES
from tests.contract.metric_worlds import (
    GATE,
    NOW,
    WINDOW,
    look,
    scraped,
    simulated_minute,
    source_of,
)
from tests.fakes.prometheus_server import ABSENT, BINARY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real() -> AsyncIterator[str]:
    """The URL of a Prometheus that has scraped for a while."""
    if not BINARY.exists():
        pytest.skip(ABSENT)
    async with scraped() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulated() -> AsyncIterator[str]:
    """The URLs of the sandbox's Prometheus for `auth` and for `quiet`."""
    async with simulated_minute() as urls:
        yield urls


@pytest.fixture(params=["simulated", "real"])
def auth(request: pytest.FixtureRequest) -> str:
    """A Prometheus that knows `auth`: 20 requests a second in each lane, every tenth of the canary's an error."""
    return request.getfixturevalue(request.param).split()[0]


@pytest.fixture(params=["simulated", "real"])
def quiet(request: pytest.FixtureRequest) -> str:
    """A Prometheus that knows `quiet`, whose canary has had no request yet."""
    return request.getfixturevalue(request.param).split()[-1]


async def test_every_metric_is_read_for_both_lanes(auth):
    snapshot = await look(auth)

    assert (snapshot.at, snapshot.window, snapshot.problem) == (NOW, WINDOW, "")
    assert tuple(snapshot.readings) == METRICS
    there = {name: r for name, r in snapshot.readings.items() if name not in FUNCTIONS}
    assert all(isinstance(r.stable, float) and isinstance(r.canary, float) for r in there.values())
    for name in FUNCTIONS:
        assert snapshot.readings[name] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


async def test_errors_are_in_percent_and_told_apart_by_lane(auth):
    readings = (await look(auth)).readings

    assert readings["error_rate"].stable == pytest.approx(0, abs=0.5)
    assert readings["error_rate"].canary == pytest.approx(10, abs=0.5)
    assert readings["success_rate"].stable == pytest.approx(100, abs=0.5)
    assert readings["success_rate"].canary == pytest.approx(90, abs=0.5)


async def test_requests_are_per_second_and_over_the_window(auth):
    readings = (await look(auth)).readings

    for lane in ("stable", "canary"):
        assert getattr(readings["rps"], lane) == pytest.approx(20, rel=0.2)
        assert getattr(readings["requests"], lane) == pytest.approx(20 * WINDOW, rel=0.3)
        assert getattr(readings["requests"], lane).is_integer()


async def test_latencies_are_in_milliseconds_and_in_order(auth):
    readings = (await look(auth)).readings

    for lane, low, high in (("stable", 25, 150), ("canary", 150, 600)):
        p50, p95, p99 = (getattr(readings[f"latency_p{p}"], lane) for p in (50, 95, 99))
        assert p50 < p95 < p99
        assert low < getattr(readings["latency_avg"], lane) < p99
        assert low < p95 < high


async def test_an_average_is_of_all_requests(real):
    for template in TEMPLATES:
        average = (await look(real, template=template)).readings["latency_avg"]

        assert (average.stable, average.canary) == (pytest.approx(40), pytest.approx(400))


async def test_what_never_got_an_answer_is_a_share_of_what_callers_sent(real):
    failures = (await look(real)).readings["connection_failures"]

    assert failures.canary == pytest.approx(100 * 18 / (180 + 18 + 2 + 20), abs=0.5)
    assert failures.stable == 0


async def test_a_lane_that_nobody_reaches_fails_by_what_the_callers_of_its_service_say(real):
    readings = (await look(real, "dead")).readings

    assert readings["connection_failures"].canary == 100
    assert readings["connection_failures"].stable == 0
    assert readings["error_rate"].canary is Missing.NO_DATA


async def test_breakers_trip_per_minute_and_those_that_name_no_lane_count_for_both(real):
    trips = (await look(real)).readings["circuit_breaker_trips"]

    assert trips.canary == pytest.approx(180, rel=0.1)
    assert trips.stable == pytest.approx(60, rel=0.1)


async def test_no_trip_yet_is_zero_and_without_callers_there_is_no_number(real):
    assert (await look(real, "rpc")).readings["circuit_breaker_trips"].stable == 0
    assert (await look(real, "nobody")).readings["circuit_breaker_trips"] == Reading(
        Missing.NO_DATA, Missing.NO_DATA
    )


@pytest.mark.parametrize("template", TEMPLATES)
async def test_one_workload_alone_is_read_as_the_canary(real, template):
    source = PrometheusSource(
        real, template=template, namespace="orion", canary="auth-canary", clock=lambda: NOW
    )
    custom = {"own": 'vector(1) and on() up{a!="$workload"}'}
    snapshot = await source.look(window=WINDOW, custom=custom, variables={})
    await source.close()

    assert snapshot.readings["error_rate"].canary == pytest.approx(10, abs=0.5)
    assert snapshot.readings["own"].canary == 1
    assert {r.stable for r in snapshot.readings.values()} == {Missing.NOT_AVAILABLE}


async def test_cpu_and_memory_are_shares(auth):
    readings = (await look(auth)).readings

    for metric in CONTAINER:
        assert 0 < readings[metric].stable < 100
        assert 0 < readings[metric].canary < 100


async def test_a_lane_without_requests_has_no_data(quiet):
    readings = (await look(quiet, "quiet")).readings

    assert isinstance(readings["error_rate"].stable, float)
    for metric in ("requests", "rps", "error_rate", "success_rate", "latency_p95"):
        assert readings[metric].canary is Missing.NO_DATA


async def test_a_query_that_does_not_parse_is_not_available_and_hurts_nobody(auth):
    snapshot = await look(auth, lag="sum(((")

    assert snapshot.readings["lag"] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
    assert snapshot.readings["error_rate"].canary == pytest.approx(10, abs=0.5)
    assert snapshot.problem == ""


@pytest.mark.parametrize("template", TEMPLATES)
async def test_an_unknown_service_has_no_data(real, template):
    readings = (await look(real, "nobody", template)).readings

    assert readings["error_rate"] == Reading(Missing.NO_DATA, Missing.NO_DATA)
    assert readings["cpu"] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


@pytest.mark.parametrize("template", TEMPLATES)
async def test_all_templates_read_the_same(real, template):
    istio, other = (await look(real)).readings, (await look(real, template=template)).readings

    for metric in ("error_rate", "success_rate", "latency_p50", "latency_p95", "latency_p99"):
        assert other[metric].stable == pytest.approx(istio[metric].stable, rel=0.05)
        assert other[metric].canary == pytest.approx(istio[metric].canary, rel=0.05)
    for metric in ("requests", "rps"):
        assert other[metric].canary == pytest.approx(istio[metric].canary, rel=0.3)
    assert other["memory"] == istio["memory"]


@pytest.mark.parametrize("template", TEMPLATES)
async def test_what_a_template_lacks_is_not_available_and_the_rest_has_numbers(real, template):
    absent = {"istio": FUNCTIONS, "envoy": FUNCTIONS}.get(template, FUNCTIONS + CALLERS)
    readings = (await look(real, template=template)).readings

    nothing = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
    assert {name for name, reading in readings.items() if reading == nothing} == set(absent)
    numbers = [r for name, r in readings.items() if name not in absent]
    assert all(isinstance(r.stable, float) and isinstance(r.canary, float) for r in numbers)


async def test_a_proxy_tells_what_reached_no_host_as_a_share_of_what_was_sent(real):
    failures = (await look(real, template="envoy")).readings["connection_failures"]
    lost = (await look(real, "lost", template="envoy")).readings

    assert failures.canary == pytest.approx(100 * 5 / (20 + 5), abs=0.5)
    assert failures.stable == 0
    assert lost["connection_failures"] == Reading(0, 100)
    assert lost["error_rate"].canary is Missing.NO_DATA


async def test_a_proxy_tells_what_its_breakers_refused_and_whom_it_ejected_per_minute(real):
    trips = (await look(real, template="envoy")).readings["circuit_breaker_trips"]

    assert trips.canary == pytest.approx(60 * (2 + 1), rel=0.1)
    assert trips.stable == 0


async def test_a_counter_that_a_proxy_does_not_export_is_not_available_and_not_zero(real):
    readings = (await look(real, "rpc", template="envoy")).readings

    assert readings["rps"].canary == pytest.approx(10, rel=0.2)
    for metric in CALLERS:
        assert readings[metric] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


async def test_clusters_may_bear_other_names_than_workloads(real):
    source = PrometheusSource(
        real,
        template="envoy",
        namespace="orion",
        stable="gate-stable",
        canary="gate-canary",
        clusters=GATE,
        clock=lambda: NOW,
    )
    readings = (await source.look(window=WINDOW, custom={}, variables={})).readings
    await source.close()

    assert readings["error_rate"].stable == 0
    assert readings["error_rate"].canary == pytest.approx(25, abs=0.5)
    assert readings["latency_avg"] == Reading(pytest.approx(40), pytest.approx(45))
    assert readings["connection_failures"].canary == pytest.approx(20, abs=0.5)
    assert readings["memory"].canary == pytest.approx(50)


@pytest.mark.parametrize("template", TEMPLATES)
async def test_no_error_yet_is_zero_and_not_missing(real, template):
    readings = (await look(real, template=template)).readings

    assert readings["error_rate"].stable == 0
    assert readings["success_rate"].stable == 100


@pytest.mark.parametrize("template", TEMPLATES)
async def test_where_nothing_tells_failures_they_are_not_available_and_not_zero(
    real, template, caplog
):
    readings = (await look(real, "mute", template)).readings

    assert readings["rps"].canary > 15
    for metric in ("error_rate", "success_rate", *CALLERS):
        assert readings[metric] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
    assert "error_rate is not available: the counter of requests lacks the label" in caplog.text


@pytest.mark.parametrize(
    ("service", "errors", "successes"),
    [
        ("code", Reading(0, 25), Reading(100, 75)),
        ("both", Reading(50, 50), Reading(50, 50)),
        ("mixed", Reading(50, Missing.NOT_AVAILABLE), Reading(50, Missing.NOT_AVAILABLE)),
    ],
)
async def test_an_exporter_may_tell_the_status_as_status_or_as_code(
    real, service, errors, successes
):
    readings = (await look(real, service, "http")).readings

    for metric, told in (("error_rate", errors), ("success_rate", successes)):
        assert readings[metric].stable == pytest.approx(told.stable, abs=0.5)
        assert (
            readings[metric].canary is told.canary
            if isinstance(told.canary, Missing)
            else readings[metric].canary == pytest.approx(told.canary, abs=0.5)
        )


@pytest.mark.parametrize("template", TEMPLATES)
async def test_series_that_stand_still_have_no_rates(real, template):
    readings = (await look(real, "still", template)).readings

    assert readings["rps"].canary == readings["requests"].canary == 0
    assert readings["error_rate"].canary is Missing.NO_DATA
    assert readings["latency_p95"].canary is Missing.NO_DATA


@pytest.mark.parametrize("template", ["istio", "linkerd"])
async def test_a_grpc_failure_is_an_error_though_its_http_code_is_200(real, template):
    readings = (await look(real, "rpc", template)).readings

    assert readings["error_rate"].canary == pytest.approx(50, abs=1)
    assert readings["success_rate"].canary == pytest.approx(50, abs=1)
    assert readings["error_rate"].stable == 0


@pytest.mark.parametrize("template", TEMPLATES)
async def test_old_samples_are_stale(real, template):
    readings = (await look(real, "old", template)).readings

    assert readings["error_rate"].canary is Missing.STALE
    assert readings["requests"].canary is Missing.STALE
    assert readings["requests"].stable == 0


async def test_shares_are_of_limits_and_else_of_requests(real):
    readings = (await look(real)).readings

    assert readings["cpu"].stable == pytest.approx(50, rel=0.1)
    assert readings["memory"].stable == pytest.approx(50)
    assert readings["cpu"].canary == pytest.approx(60, rel=0.1)
    assert readings["memory"].canary == pytest.approx(25)


async def test_without_limits_and_requests_there_is_no_share(real):
    readings = (await look(real, "quiet")).readings

    assert readings["cpu"].stable is readings["memory"].stable is Missing.NOT_AVAILABLE


@pytest.mark.parametrize(
    ("query", "stable", "canary"),
    [
        ("vector(7)", Missing.NOT_AVAILABLE, 7),
        ("scalar(vector(7))", Missing.NOT_AVAILABLE, 7),
        ("7", Missing.NOT_AVAILABLE, 7),
        (
            'vector(7) and on() label_replace(vector(1), "v", "$version", "", "")',
            Missing.NOT_AVAILABLE,
            7,
        ),
        (
            'count(istio_requests_total{reporter="destination",destination_workload="$workload"} > 0)',
            1,
            3,
        ),
        ('count(http_requests_total{job=~"$service-$lane"} > 0)', 1, 2),
        ("count(up{job='$service'}) or vector(3)", Missing.NOT_AVAILABLE, 3),
        ("vector(0) / 0", Missing.NOT_AVAILABLE, Missing.NO_DATA),
        ("1 / vector(0)", Missing.NOT_AVAILABLE, Missing.NO_DATA),
        ("nothing_like_it", Missing.NOT_AVAILABLE, Missing.NO_DATA),
        ("istio_requests_total", Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE),
        ("up[5m]", Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE),
        ('"a text"', Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE),
        ('up{a="$nobody"}', Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE),
        ('sum(rate(http_requests_total{job="auth-$lane"}[$window])) > bool 1', 1, 1),
    ],
)
async def test_custom_queries(real, query, stable, canary):
    snapshot = await look(real, lag=query)

    assert snapshot.readings["lag"] == Reading(stable, canary)
    assert isinstance(snapshot.readings["error_rate"].canary, float)


@pytest.mark.parametrize("between", ["", " ", "#c\n", "# =~\r", " # \"\n\t# '\r\n"])
async def test_a_value_matches_itself_alone_whatever_stands_before_its_string(real, between):
    query = f'count(http_requests_total{{job=~{between}"$version"}})'
    source = source_of(real)
    snapshot = await source.look(
        window=WINDOW, custom={"lag": query}, variables={"version": "auth-(stable|canary)"}
    )
    await source.close()

    assert snapshot.readings["lag"].canary is Missing.NO_DATA


async def test_a_custom_query_replaces_the_built_in_metric(real):
    snapshot = await look(real, error_rate='vector(42) and on() up{job!="$lane"}')

    assert snapshot.readings["error_rate"] == Reading(42, 42)


@pytest.mark.parametrize(
    "text", ["a'b\"c", "\\", "`", "\n\x00\x7f", "ä\u202e😀", '"} or vector(0) #']
)
async def test_a_quoted_text_comes_back_from_the_real_parser_as_it_went_in(real, text):
    connection = Connection(real)
    samples = await connection.ask(
        f'label_replace(vector(1), "text", {quote(text.replace("$", "$$"))}, "", "")'
    )
    connection.close()

    assert samples[0].labels == {"text": text}
    assert math.isfinite(samples[0].value)
