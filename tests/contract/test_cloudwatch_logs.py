"""Cold starts are in the log of a function only: read where that is allowed, once a minute, and never in the way."""

from datetime import timedelta

import pytest

from integrations.metric import Missing, Reading
from tests.contract.cloudwatch_world import ago, world

NOTHING = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


@pytest.fixture
async def cloud():
    async with world() as made:
        yield made


async def test_cold_starts_are_the_share_of_invocations_that_began_with_one(cloud):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=100)
    cloud.fake.reported(ago(3), "6", warm=99, cold=1)
    cloud.fake.reported(ago(3), "7", warm=3, cold=1)
    cloud.fake.reported(ago(9), "7", warm=0, cold=50)

    readings = (await cloud.look(logs=True)).readings
    assert readings["cold_start_rate"] == Reading(1.0, 25.0)


async def test_logs_are_read_only_where_that_is_allowed(cloud):
    cloud.fake.reported(ago(3), "7", warm=3, cold=1)

    assert (await cloud.look()).readings["cold_start_rate"] == NOTHING
    assert (await cloud.look("alb", logs=True)).readings["cold_start_rate"] == NOTHING
    assert "StartQuery" not in cloud.fake.calls


async def test_a_query_in_the_log_is_sent_once_a_minute_and_waited_for_over_several_looks(cloud):
    cloud.fake.reported(ago(3), "7", warm=3, cold=1)
    cloud.fake.polls = 6
    source = cloud.source(logs=True)
    looks = [await source.look(window=300, custom={}, variables={}) for _ in range(3)]

    told = [snapshot.readings["cold_start_rate"].canary for snapshot in looks]
    assert told == [Missing.NO_DATA, 25.0, 25.0]
    assert cloud.fake.calls.count("StartQuery") == 1
    assert sum(cloud.waited) <= 3

    cloud.now += timedelta(minutes=1)
    await source.look(window=300, custom={}, variables={})
    assert cloud.fake.calls.count("StartQuery") == 2


async def test_a_log_without_a_line_of_a_version_has_no_data(cloud):
    cloud.fake.reported(ago(3), "7", warm=3, cold=0)

    assert (await cloud.look(logs=True)).readings["cold_start_rate"] == Reading(Missing.NO_DATA, 0)


@pytest.mark.parametrize(
    ("fault", "only", "canary"),
    [
        ("forbidden", "StartQuery", Missing.NOT_AVAILABLE),
        ("throttled", "StartQuery", Missing.DOWN),
        ("unavailable", "GetQueryResults", Missing.DOWN),
        ("hang", "GetQueryResults", Missing.DOWN),
        ("empty", "GetQueryResults", Missing.NOT_AVAILABLE),
        ("list", "GetQueryResults", Missing.DOWN),
    ],
)
async def test_a_log_that_does_not_answer_hurts_nobody_else(cloud, caplog, fault, only, canary):
    cloud.traffic("lambda", minutes=range(11), stable=900, canary=100)
    cloud.fake.reported(ago(3), "7", warm=3, cold=1)
    cloud.fake.fault, cloud.fake.fault_only_for = fault, only
    snapshot = await cloud.look(logs=True)

    assert snapshot.readings["cold_start_rate"].canary is canary
    assert (snapshot.problem, snapshot.readings["error_rate"].canary) == ("", 0)
    assert "metric cold_start_rate is not available" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_function_without_a_log_and_a_query_that_fails_are_not_available(cloud, caplog):
    assert (await cloud.look(logs=True)).readings["cold_start_rate"] == NOTHING
    assert "the log /aws/lambda/thumbs is not there" in caplog.text

    cloud.fake.reported(ago(3), "7", warm=3, cold=1)
    cloud.fake.query_ends_as = "Timeout"
    assert (await cloud.look(logs=True)).readings["cold_start_rate"] == NOTHING
    assert "its query in the log ended as Timeout" in caplog.text
