"""Calls counted by the minute: each minute once and whole, in both lanes at the same time, and nothing made up."""

import json
import math
from datetime import timedelta
from itertools import pairwise, product

import pytest

from integrations.base import Lane
from integrations.counters import (
    Counted,
    Counters,
    LaneCount,
    counters_from_json,
    counters_to_json,
)
from integrations.metric import Missing
from tests.contract.cloudwatch_world import GROUPS, NOW, World, ago, world
from tests.sweeping import mostly_swept

SEVEN = {"FunctionName": "thumbs", "Resource": "thumbs:live", "ExecutedVersion": "7"}


@pytest.fixture
async def cloud():
    async with world() as made:
        yield made


class Looks:
    """Looks of one rollout; what one leaves to the next is stored in between."""

    def __init__(self, cloud: World, template: str = "lambda", **options) -> None:
        self.cloud, self.source = cloud, cloud.source(template, **options)
        self.memory: Counters | None = None

    async def look(self, seconds: float = 0, weight: float | None = None) -> Counted:
        self.cloud.now += timedelta(seconds=seconds)
        counted, after = await self.source.counts(self.memory, weight=weight)
        self.memory = counters_from_json(json.loads(json.dumps(counters_to_json(after))))
        return counted


@pytest.fixture
async def looks(cloud) -> Looks:
    """Looks that began at 12:10:20, when 12:07 was the last minute that could be read."""
    made = Looks(cloud)
    await made.look()
    return made


def minutes_to_come(cloud: World, template: str = "lambda", **traffic) -> None:
    cloud.traffic(template, minutes=range(-10, 3), **traffic)


# ---- which minutes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["lambda", "alb"])
async def test_a_minute_is_counted_two_minutes_after_its_end(cloud, template):
    minutes_to_come(cloud, template, stable=900, canary=100, errors=10)
    looks = Looks(cloud, template)
    await looks.look()

    assert not (await looks.look(39)).closed
    counted = await looks.look(1)

    assert (counted.closed, counted.since) == (True, NOW.replace(minute=8, second=0))
    assert (counted.at, counted.seconds) == (NOW.replace(minute=9, second=0), 60)
    assert (counted.stable.requests, counted.stable.errors) == (900, 0)
    assert (counted.canary.requests, counted.canary.errors) == (100, 10)
    assert counted.stable.problems == counted.canary.problems == ()


async def test_several_minutes_are_one_window(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100)
    counted = await looks.look(190)

    assert counted.seconds == 180
    assert (counted.stable.requests, counted.canary.requests) == (2700, 300)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("cadence", "late"),
    mostly_swept(
        product([15, 47, 60, 200], [0, 119, 170]), lambda case: case in [(47, 170), (200, 0)]
    ),
)
async def test_every_minute_is_counted_once_however_often_one_looks(looks, cadence, late):
    told = {minute: 10 + 7 * (minute % 5) for minute in range(-40, 60)}
    for minute, calls in told.items():
        looks.cloud.fake.invoked(ago(-minute), "6", 5 * calls)
        looks.cloud.fake.invoked(ago(-minute), "7", calls, errors=calls // 10)
    looks.cloud.fake.late = late

    counted = [await looks.look(cadence) for _ in range(1200 // cadence)]

    closed = [one for one in counted if one.closed]
    minutes = round(sum(one.seconds for one in closed) / 60)
    assert minutes >= 16
    expected = [told[minute] for minute in range(-2, minutes - 2)]
    assert sum(one.canary.requests for one in closed) == sum(expected)
    assert sum(one.canary.errors for one in closed) == sum(calls // 10 for calls in expected)
    assert sum(one.stable.requests for one in closed) == 5 * sum(expected)
    assert all(now.since == last.at for last, now in pairwise(closed))


async def test_while_there_is_no_new_minute_nothing_is_asked(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100)
    await looks.look(40)
    looks.cloud.fake.calls.clear()

    counted = [await looks.look(15) for _ in range(3)]

    assert not any(one.closed or one.problem for one in counted)
    assert looks.cloud.fake.calls == []


async def test_nobody_heard_of_is_waited_for_and_counted_when_somebody_is(looks):
    assert not (await looks.look(300)).closed
    looks.cloud.fake.invoked(ago(-3), "6", 50)

    counted = await looks.look(60)

    assert counted.since == NOW.replace(minute=8, second=0)
    assert (counted.stable.requests, counted.canary.requests) == (50, 0)


async def test_a_lane_without_a_number_had_no_call_while_others_are_heard_of(looks):
    minutes_to_come(looks.cloud, stable=900, canary=0)
    counted = await looks.look(40)

    assert (counted.canary.requests, counted.canary.errors) == (0, 0)
    assert counted.canary.slower(500) is None


@pytest.mark.sweep
async def test_a_busy_lane_that_is_silent_is_waited_for_until_nothing_is_ever_as_late(cloud):
    cloud.traffic("lambda", minutes=range(3, 70), stable=900, canary=100)
    cloud.traffic("lambda", minutes=range(-10, 3), stable=900, canary=0)
    looks = Looks(cloud)
    await looks.look()

    assert not (await looks.look(159)).closed  # 12:08 ended 239 seconds ago
    counted = await looks.look(2)

    assert (counted.seconds, counted.stable.requests, counted.canary.requests) == (60, 900, 0)


@pytest.mark.sweep
@pytest.mark.parametrize(("weight", "closed"), [(100, True), (50, False)])
async def test_nobody_waits_for_a_lane_that_gets_no_traffic_any_more(cloud, weight, closed):
    cloud.traffic("lambda", minutes=range(3, 70), stable=900, canary=100)
    cloud.traffic("lambda", minutes=range(-10, 3), stable=0, canary=1000)
    looks = Looks(cloud)
    await looks.look(weight=weight)

    assert (await looks.look(40, weight)).closed is closed


async def test_after_more_than_an_hour_counting_begins_anew(looks):
    looks.cloud.traffic("lambda", minutes=range(-90, 3), stable=900, canary=100)
    assert not (await looks.look(2 * 3600)).closed
    looks.cloud.fake.invoked(ago(-118), "6", 1)
    looks.cloud.fake.invoked(ago(-118), "7", 1)

    assert (await looks.look(60)).seconds == 60


# ---- what they come to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["lambda", "alb"])
async def test_slow_calls_are_counted_by_bound(cloud, template):
    minutes_to_come(cloud, template, stable=900, canary=100)
    looks = Looks(cloud, template)
    await looks.look()
    canary = (await looks.look(40)).canary

    # A function answers half of them in 200 ms and half in 600, the balancer's group all of them in 400.
    expected = {200: 50, 500: 50, 750: 0} if template == "lambda" else {200: 100, 300: 100, 500: 0}
    assert {bound: canary.slower(bound) for bound in expected} == {
        bound: (slow, 100) for bound, slow in expected.items()
    }
    assert list(canary.buckets) == sorted(canary.buckets)
    assert canary.slower(123) is None


async def test_where_no_bound_is_told_latency_is_not_known_and_errors_are(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100, errors=10)
    looks.cloud.fake.statuses = {"canary_le_500": "InternalError"}
    counted = await looks.look(40)

    assert (counted.canary.requests, counted.canary.errors) == (100, 10)
    assert counted.canary.buckets == {}
    assert counted.stable.buckets[math.inf] == 900


async def test_calls_that_were_turned_away_are_none(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100)
    looks.cloud.fake.throttled(ago(2), 5000, version="7")

    assert (await looks.look(40)).canary.requests == 100


async def test_calls_whose_failures_are_not_told_are_waited_for_and_then_not_counted(looks):
    minutes_to_come(looks.cloud, stable=900, canary=0)
    looks.cloud.fake.count("AWS/Lambda", "Invocations", ago(2), [1.0] * 50, **SEVEN)

    assert not (await looks.look(159)).closed
    canary = (await looks.look(2)).canary

    assert (canary.requests, canary.errors) == (50, Missing.NO_DATA)
    assert canary.problems == (
        "CloudWatch does not tell which of its calls failed, so they are not counted.",
    )


async def test_more_failures_than_calls_are_all_of_them_and_it_is_said(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100)
    looks.cloud.fake.count("AWS/Lambda", "Errors", ago(2), [1.0] * 150, **SEVEN)
    canary = (await looks.look(40)).canary

    assert (canary.requests, canary.errors) == (100, 100)
    assert "more failures than calls" in canary.problems[0]


async def test_failures_of_a_group_that_nobody_asked_are_none(cloud):
    minutes_to_come(cloud, "alb", stable=900, canary=0)
    whose = {"LoadBalancer": "app/shop/1", "TargetGroup": GROUPS["canary_group"]}
    cloud.fake.count("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", ago(2), [1.0], **whose)
    looks = Looks(cloud, "alb")
    await looks.look()

    canary = (await looks.look(40)).canary
    assert (canary.requests, canary.errors) == (0, 0)


@pytest.mark.parametrize(
    ("lanes", "stable", "canary"),
    [({"stable": ""}, Missing.NOT_AVAILABLE, 100), ({"canary": ""}, 900, Missing.NO_DATA)],
)
async def test_a_lane_that_nobody_named_has_a_reason(cloud, lanes, stable, canary):
    minutes_to_come(cloud, stable=900, canary=100)
    looks = Looks(cloud, **lanes)
    await looks.look()
    counted = await looks.look(40)

    assert (counted.stable.requests, counted.canary.requests) == (stable, canary)


@pytest.mark.parametrize(
    ("weight", "stable", "canary"), [(100, 0, 1000), (0, 1000, 0), (50, 0, 0), (None, 0, 0)]
)
async def test_minutes_in_which_nobody_names_versions_belong_to_the_one_that_has_everything(
    cloud, weight, stable, canary
):
    cloud.fake.names_versions = False
    minutes_to_come(cloud, stable=900, canary=100, errors=10)
    looks = Looks(cloud)
    await looks.look(weight=weight)
    counted = await looks.look(40, weight)

    assert (counted.stable.requests, counted.canary.requests) == (stable, canary)
    assert counted.stable.errors + counted.canary.errors == (10 if weight in (0, 100) else 0)


# ---- what is remembered ---------------------------------------------------------------------------------------------


async def test_the_hour_before_tells_what_stable_usually_does(cloud):
    cloud.fake.names_versions = False  # as of an alias that gives everything to one version
    for minute in range(3, 90):
        cloud.fake.invoked(ago(minute), "6", 100, errors=2, ms=(40, 400))
    looks = Looks(cloud)
    await looks.look(weight=5)

    past = looks.source.history(looks.memory, Lane.STABLE)
    assert (past.requests, past.errors) == (6000, 120)
    assert past.slower(200) == (3000, 6000)
    nothing = LaneCount(Missing.NO_DATA, Missing.NO_DATA)
    assert looks.source.history(looks.memory, Lane.CANARY) == nothing


async def test_what_was_counted_is_history_too(looks):
    minutes_to_come(looks.cloud, stable=900, canary=100, errors=10)
    await looks.look(100)
    await looks.look(60)

    history = looks.source.history(looks.memory, Lane.CANARY)
    assert (history.requests, history.errors, history.buckets[200]) == (300, 30, 150)


# ---- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("throttled", "takes no more calls about the CloudWatch metrics of thumbs:live"),
        ("forbidden", "may not do cloudwatch:GetMetricData"),
        ("unavailable", "HTTP 503"),
        ("hang", "did not answer within 0.5 s"),
        ("html", "There are no numbers in the CloudWatch metrics of thumbs:live"),
        ("odd", "something else than the CloudWatch metrics"),
    ],
)
async def test_a_source_that_is_not_well_counts_nothing_and_loses_nothing(cloud, fault, said):
    minutes_to_come(cloud, stable=900, canary=100)
    looks = Looks(cloud, timeout=0.5)
    await looks.look()
    memory, cloud.fake.fault = looks.memory, fault

    counted = await looks.look(100)

    assert said in counted.problem
    assert "s3cret" not in counted.problem
    assert counted.canary.requests is counted.stable.errors is Missing.DOWN
    assert (counted.closed, looks.memory) == (False, memory)
    cloud.fake.fault = ""
    assert (await looks.look()).canary.requests == 200


@pytest.mark.parametrize("ident", ["stable_requests", "canary_errors", "whole_requests"])
async def test_without_a_series_that_matters_nothing_is_counted(looks, ident):
    minutes_to_come(looks.cloud, stable=900, canary=100)
    looks.cloud.fake.statuses = {ident: "PartialData"}
    memory = looks.memory

    counted = await looks.look(100)

    assert counted.problem == (
        "There are no numbers in the CloudWatch metrics of thumbs:live: "
        "CloudWatch has not read all of it (PartialData)."
    )
    assert (counted.closed, looks.memory) == (False, memory)


@pytest.mark.parametrize("template", ["lambda", "alb"])
async def test_as_many_series_are_asked_for_as_is_documented(cloud, template):
    looks = Looks(cloud, template)
    await looks.look(weight=5)
    await looks.look(40, weight=5)

    asked = [len(one["MetricDataQueries"]) for one in cloud.fake.asked]
    assert asked == ([55, 37] if template == "lambda" else [37, 37])
