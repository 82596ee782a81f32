"""What CloudWatch counts becomes readings: whole minutes since the window began, and nothing that was not told."""

from datetime import timedelta

import pytest

from bot.settings.metrics import NOT_MEASURED
from integrations.base import RefusedError
from integrations.metric import Missing, Reading
from integrations.metrics.cloudwatch import CloudWatchSource
from integrations.metrics.cloudwatch.minutes import Span
from integrations.metrics.templates import METRICS
from tests.contract.cloudwatch_world import FUNCTION, GROUPS, NOW, World, ago, world

TEMPLATES = ("lambda", "alb")
NOTHING = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
NO_DATA = Reading(Missing.NO_DATA, Missing.NO_DATA)
SEVEN = {"FunctionName": "thumbs", "Resource": "thumbs:live", "ExecutedVersion": "7"}


@pytest.fixture
async def cloud():
    async with world() as made:
        yield made


@pytest.fixture(params=TEMPLATES)
def busy(request, cloud: World):
    """Ten minutes of 900 requests a minute for stable and 100 for the canary, a tenth of which fail."""
    cloud.template = request.param
    cloud.traffic(request.param, minutes=range(11), stable=900, canary=100, errors=10)
    return cloud


async def test_every_metric_that_a_template_has_is_read_for_both_lanes(busy):
    snapshot = await busy.look(busy.template)

    assert (snapshot.at, snapshot.window, snapshot.problem) == (NOW, 300, "")
    assert tuple(snapshot.readings) == METRICS
    silent = NOT_MEASURED[busy.template] | {"cold_start_rate"}
    for name, reading in snapshot.readings.items():
        assert (reading == NOTHING) is (name in silent), name
        assert name in silent or {type(reading.stable), type(reading.canary)} == {float}


async def test_errors_are_in_percent_and_told_apart_by_lane(busy):
    readings = (await busy.look(busy.template)).readings

    assert readings["error_rate"] == Reading(0.0, 10.0)
    assert readings["success_rate"] == Reading(100.0, 90.0)


async def test_requests_are_those_of_the_whole_minutes_in_the_window(busy):
    # 12:05:20 to 12:10:20: the minutes from 12:06 to 12:09, the last of which ended a minute ago.
    readings = (await busy.look(busy.template)).readings

    assert readings["requests"] == Reading(2700.0, 300.0)
    assert readings["rps"] == Reading(15.0, pytest.approx(100 / 60))


@pytest.mark.parametrize(
    ("template", "stable", "canary"), [("lambda", (200, 300), (400, 600)), ("alb", (200, 200), (400, 400))]
)  # fmt: skip
async def test_latencies_are_in_milliseconds(cloud, template, stable, canary):
    cloud.traffic(template, minutes=range(11), stable=900, canary=100)
    readings = (await cloud.look(template)).readings

    told = [(readings["latency_avg"], 0), *((readings[f"latency_p{p}"], 1) for p in (95, 99))]
    for reading, which in told:
        assert reading == Reading(pytest.approx(stable[which]), pytest.approx(canary[which]))


async def test_a_percentile_of_several_minutes_is_their_mean_by_requests(cloud):
    cloud.fake.invoked(ago(3), "7", 300, ms=(100,))
    cloud.fake.invoked(ago(2), "7", 100, ms=(500,))

    readings = (await cloud.look()).readings
    assert readings["latency_p95"].canary == readings["latency_avg"].canary == pytest.approx(200)


async def test_all_series_are_asked_at_once_and_by_the_minute(busy):
    await busy.look(busy.template)

    (asked,) = busy.fake.asked
    assert {query["MetricStat"]["Period"] for query in asked["MetricDataQueries"]} == {60}
    assert asked["StartTime"] % 60 == asked["EndTime"] % 60 == 0


# ---- which minutes count --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "second", "counted"),
    [(180, 20, 1), (180, 0, 2), (179, 59, 1), (120, 0, 1), (119, 0, 0), (60, 30, 0), (300, 59, 3), (300, 0, 4)],
)  # fmt: skip
async def test_a_minute_counts_when_it_began_after_the_window_and_ended_a_minute_ago(
    cloud, window, second, counted
):
    cloud.now = NOW.replace(second=second)
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=100)

    found = (await cloud.look(window=window)).readings["requests"].canary
    assert found == (counted * 100 or Missing.NO_DATA)


def test_three_minutes_always_hold_one_that_counts():
    spans = [Span.of(NOW + timedelta(seconds=late), 180) for late in range(60)]

    assert {span.end - span.begin for span in spans} == {1, 2}


async def test_what_happened_before_a_change_of_weight_never_counts(cloud):
    # Half a second after 12:07 the weight changed: the minute of 12:07 still has requests from before.
    cloud.now = NOW.replace(second=0) + timedelta(seconds=0.9)
    changed = NOW.replace(minute=7, second=0) + timedelta(seconds=0.5)
    cloud.fake.invoked(changed.replace(second=0), "7", 1000, errors=1000)
    cloud.fake.invoked(ago(2), "7", 100)

    elapsed = int((cloud.now - changed).total_seconds())
    readings = (await cloud.look(window=elapsed)).readings
    assert (readings["requests"].canary, readings["error_rate"].canary) == (100, 0)


async def test_too_early_for_a_number_nothing_is_asked_and_nothing_is_wrong(cloud):
    snapshot = await cloud.look(window=60)

    assert (cloud.fake.calls, snapshot.problem) == ([], "")
    assert snapshot.readings["error_rate"] == snapshot.readings["requests"] == NO_DATA
    assert snapshot.readings["cpu"] == NOTHING


async def test_minutes_that_have_not_arrived_are_not_silence(busy):
    busy.fake.late = 150  # so that of three minutes only the oldest is there
    readings = (await busy.look(busy.template)).readings

    assert readings["requests"] == Reading(900.0, 100.0)
    assert readings["rps"] == Reading(15.0, pytest.approx(100 / 60))
    assert readings["error_rate"].canary == 10


# ---- what was not told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_lane_without_requests_beside_one_with_some_has_none_and_no_error_rate(
    cloud, template
):
    cloud.traffic(template, minutes=range(11), stable=900, canary=0)
    readings = (await cloud.look(template)).readings

    assert readings["requests"] == Reading(2700.0, 0.0)
    assert readings["rps"].canary == 0
    for metric in ("error_rate", "success_rate", "latency_avg", "latency_p95"):
        assert readings[metric].canary is Missing.NO_DATA


@pytest.mark.parametrize("template", TEMPLATES)
async def test_where_nothing_is_heard_of_anybody_there_is_no_data_and_no_zero(cloud, template):
    snapshot = await cloud.look(template)

    assert snapshot.problem == ""
    for metric in set(METRICS) - NOT_MEASURED[template] - {"cold_start_rate"}:
        assert snapshot.readings[metric] == NO_DATA


async def test_other_callers_of_the_alias_show_that_the_source_is_alive(cloud):
    cloud.fake.invoked(ago(3), "5", 10)
    readings = (await cloud.look()).readings

    assert readings["requests"] == Reading(0.0, 0.0)
    assert readings["error_rate"] == NO_DATA


async def test_a_zero_that_a_balancer_tells_is_no_share(cloud):
    for group in ("stable_group", "canary_group"):
        whose = {"LoadBalancer": "app/shop/1", "TargetGroup": GROUPS[group]}
        cloud.fake.count("AWS/ApplicationELB", "RequestCount", ago(3), [0.0], **whose)
    readings = (await cloud.look("alb")).readings

    assert readings["requests"] == Reading(0.0, 0.0)
    assert readings["error_rate"] == NO_DATA


async def test_a_function_whose_errors_are_not_told_has_no_error_rate(cloud):
    cloud.fake.count("AWS/Lambda", "Invocations", ago(3), [1.0] * 50, **SEVEN)
    readings = (await cloud.look()).readings

    assert readings["requests"].canary == 50
    assert readings["error_rate"].canary is readings["success_rate"].canary is Missing.NO_DATA


async def test_failures_that_came_before_their_requests_do_not_count_yet(cloud):
    cloud.fake.invoked(ago(4), "7", 100, errors=1)
    cloud.fake.count("AWS/Lambda", "Errors", ago(2), [1.0] * 90, **SEVEN)

    assert (await cloud.look()).readings["error_rate"].canary == 1


async def test_more_failures_than_requests_are_all_of_them(cloud):
    cloud.fake.invoked(ago(3), "7", 10, errors=10)
    cloud.fake.count("AWS/Lambda", "Errors", ago(3), [1.0] * 5, **SEVEN)

    assert (await cloud.look()).readings["error_rate"].canary == 100


@pytest.mark.parametrize(("newest", "canary"), [(4, 600.0), (5, Missing.STALE), (9, Missing.STALE)])
async def test_a_busy_lane_that_falls_silent_is_stale_after_four_minutes(cloud, newest, canary):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=0)
    cloud.traffic("lambda", minutes=range(newest, 11), stable=0, canary=100)
    readings = (await cloud.look(window=570)).readings

    assert readings["requests"].canary == canary
    assert (readings["error_rate"].canary is Missing.STALE) is (canary is Missing.STALE)
    assert readings["requests"].stable == 900 * 8


async def test_a_lane_that_is_called_now_and_then_is_not_stale_between_two_calls(cloud):
    cloud.fake.invoked(ago(6), "7", 1)
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=0)

    assert (await cloud.look(window=570)).readings["requests"].canary == 1


async def test_a_source_that_died_is_stale_in_both_lanes(cloud):
    cloud.traffic("alb", minutes=range(6, 11), stable=900, canary=100)
    readings = (await cloud.look("alb", window=570)).readings

    assert readings["error_rate"] == Reading(Missing.STALE, Missing.STALE)


# ---- lanes ----------------------------------------------------------------------------------------------------------


async def test_a_version_that_there_is_not_yet_has_no_data(cloud):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=0)
    readings = (await cloud.look(canary="")).readings

    assert readings["error_rate"] == Reading(0.0, Missing.NO_DATA)
    assert readings["requests"].canary is Missing.NO_DATA


async def test_nobody_beside_the_canary_is_not_available(cloud):
    cloud.traffic("lambda", minutes=range(11), stable=0, canary=100)

    assert (await cloud.look(stable="")).readings["error_rate"] == Reading(Missing.NOT_AVAILABLE, 0)


@pytest.mark.parametrize("version", ["7", ""], ids=["by version", "of the alias"])
async def test_calls_that_were_turned_away_are_a_share_of_those_that_were_tried(cloud, version):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=75)
    cloud.fake.throttled(ago(3), 25, version=version)
    one, all_of_them = 100 * 25 / (3 * 75 + 25), 100 * 25 / (3 * 975 + 25)

    told = (await cloud.look()).readings["throttles"]

    assert told == (Reading(0.0, one) if version else Reading(all_of_them, all_of_them))


async def test_a_canary_that_is_turned_away_wholly_is_not_silent(cloud):
    cloud.traffic("lambda", minutes=range(6, 11), stable=100, canary=100)
    cloud.traffic("lambda", minutes=range(6), stable=100, canary=0)
    for minute in range(6):
        cloud.fake.throttled(ago(minute), 100)
    readings = (await cloud.look(window=570)).readings

    assert readings["error_rate"].canary is Missing.STALE
    assert readings["throttles"].canary == pytest.approx(100 * 400 / (400 + 800 + 400))


async def test_calls_that_are_only_turned_away_are_told(cloud):
    cloud.fake.throttled(ago(3), 9)
    readings = (await cloud.look()).readings

    assert readings["throttles"] == Reading(100, 100)
    assert readings["error_rate"].canary is Missing.NO_DATA


async def test_without_any_call_nothing_is_throttled_and_that_is_not_made_up(cloud):
    assert (await cloud.look()).readings["throttles"] == NO_DATA


@pytest.mark.parametrize(
    ("weight", "stable", "canary"),
    [
        (100, Reading(Missing.NO_DATA, 10.0), 300.0),
        (0, Reading(10.0, Missing.NO_DATA), 0.0),
        (50, NO_DATA, 0.0),
        (None, NO_DATA, 0.0),
    ],
)
async def test_where_one_version_has_everything_the_numbers_of_the_alias_are_its_own(
    cloud, weight, stable, canary
):
    cloud.fake.names_versions = False
    cloud.traffic("lambda", minutes=range(11), stable=0, canary=100, errors=10)
    readings = (await cloud.look(weight=weight)).readings

    assert readings["error_rate"] == stable
    assert readings["requests"].canary == canary


async def test_minutes_that_are_told_by_version_are_not_counted_twice(cloud):
    cloud.traffic("lambda", minutes=range(4, 11), stable=0, canary=100, errors=10)
    cloud.fake.names_versions = False
    cloud.traffic("lambda", minutes=range(4), stable=0, canary=100, errors=10)
    readings = (await cloud.look(window=570, weight=100)).readings

    assert (readings["requests"].canary, readings["error_rate"].canary) == (800, 10)


async def test_connections_that_were_never_made_are_a_share_of_what_was_sent(cloud):
    cloud.fake.served(ago(3), GROUPS["stable_group"], 900)
    cloud.fake.served(ago(3), GROUPS["canary_group"], 100, lost=25)
    assert (await cloud.look("alb")).readings["connection_failures"] == Reading(0, 25)


async def test_a_group_that_nobody_reaches_fails_by_its_connections_alone(cloud):
    cloud.fake.served(ago(3), GROUPS["stable_group"], 900)
    whose = {"LoadBalancer": "app/shop/1", "TargetGroup": GROUPS["canary_group"]}
    cloud.fake.count("AWS/ApplicationELB", "TargetConnectionErrorCount", ago(3), [1.0] * 9, **whose)
    readings = (await cloud.look("alb")).readings

    assert readings["connection_failures"] == Reading(0, 100)
    assert readings["error_rate"].canary is Missing.NO_DATA


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"template": "istio", "what": FUNCTION}, "unknown_template"),
        ({"template": "lambda", "what": GROUPS}, "template_not_for_target"),
        ({"template": "alb", "what": FUNCTION}, "template_not_for_target"),
    ],
)
async def test_a_source_that_could_never_work_is_refused_at_once(cloud, options, code):
    with pytest.raises(RefusedError) as error:
        CloudWatchSource(cloud.account(), clock=lambda: NOW, **options)
    assert error.value.code == code


# ---- queries of one's own --------------------------------------------------------------------------


async def test_a_query_of_ones_own_is_not_available_and_says_why_once(cloud, caplog):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=100)
    source = cloud.source()
    for _ in range(3):
        custom = {"orders": "SELECT SUM(Orders) FROM Shop", "error_rate": "SELECT 0"}
        snapshot = await source.look(window=300, custom=custom, variables={})

    assert snapshot.readings["orders"] == snapshot.readings["error_rate"] == NOTHING
    assert snapshot.readings["requests"].canary == 300
    told = [r.message for r in caplog.records if "orders" in r.message]
    assert len(told) == 1
    assert "CloudWatch is asked by its templates only" in told[0]
