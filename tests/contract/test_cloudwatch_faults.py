"""Whatever CloudWatch does instead of answering, a look is a snapshot with reasons, and says nothing foreign."""

import asyncio

import pytest

from integrations.base import TryAgainError
from integrations.metric import Missing, Reading
from integrations.metrics.templates import METRICS
from tests.contract.cloudwatch_world import World, ago, world

DOWN = Reading(Missing.DOWN, Missing.DOWN)
ABOUT = "the CloudWatch metrics of thumbs:live"


@pytest.fixture
async def cloud():
    async with world() as made:
        made.traffic("lambda", minutes=range(11), stable=900, canary=100, errors=10)
        yield made


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("throttled", f"takes no more calls about {ABOUT}"),
        ("too many", f"takes no more calls about {ABOUT}"),
        ("expired", "credentials for AWS have expired"),
        ("unknown key", "does not know these credentials"),
        ("forbidden", f"may not do cloudwatch:GetMetricData on {ABOUT}"),
        ("internal", f"HTTP 500 about {ABOUT}"),
        ("unavailable", f"HTTP 503 about {ABOUT}"),
        ("hang", f"did not answer within 0.5 s about {ABOUT}"),
        ("drop", f"did not answer about {ABOUT}"),
        ("html", f"There are no numbers in {ABOUT}"),
        ("truncated", f"There are no numbers in {ABOUT}"),
        ("empty", f"There are no numbers in {ABOUT}"),
        ("list", "something else than the CloudWatch metrics"),
        ("odd", "something else than the CloudWatch metrics"),
        ("text", "something else than the CloudWatch metrics"),
    ],
)
async def test_a_source_that_is_not_well_is_one_sentence(cloud, fault, said):
    cloud.fake.fault = fault
    async with asyncio.timeout(5):
        snapshot = await cloud.look(custom={"orders": "x"}, timeout=0.5)

    assert said in snapshot.problem
    assert snapshot.problem.endswith(".")
    assert snapshot.readings == dict.fromkeys((*METRICS, "orders"), DOWN)
    assert "s3cret" not in snapshot.problem
    assert "<!" not in snapshot.problem


async def test_a_source_that_was_not_well_is_asked_again_at_the_next_look(cloud):
    source = cloud.source()
    cloud.fake.fault = "unavailable"
    assert (await source.look(window=300, custom={}, variables={})).problem
    cloud.fake.fault = ""

    snapshot = await source.look(window=300, custom={}, variables={})
    assert (snapshot.problem, snapshot.readings["error_rate"]) == ("", Reading(0.0, 10.0))


async def test_a_source_that_is_not_there_is_one_sentence(cloud):
    account = cloud.account(endpoint="http://127.0.0.1:1")

    assert f"did not answer about {ABOUT}" in (await cloud.look(account=account)).problem


async def test_an_answer_that_is_not_even_xml_is_to_be_tried_again_whoever_asks(cloud):
    cloud.fake.fault = "truncated"

    with pytest.raises(TryAgainError, match="AWS did not answer about the zones"):
        await cloud.account().call("route53", "list_hosted_zones", what="the zones")


async def test_without_credentials_nothing_is_sent_and_it_is_said(cloud, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    snapshot = await cloud.look(account=cloud.account(credentials=False))

    assert snapshot.problem.startswith("There are no credentials for AWS")
    assert cloud.fake.calls == []


# ---- parts of an answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "calls"), [(7, 7), (20, 3), (1000, 1)])
async def test_an_answer_in_pages_is_one_answer(cloud: World, page, calls):
    whole = (await cloud.look()).readings
    cloud.fake.asked.clear()
    cloud.fake.page = page

    assert (await cloud.look()).readings == whole
    assert len(cloud.fake.asked) == calls


async def test_pages_without_an_end_are_not_followed_for_ever(cloud):
    cloud.fake.endless = True

    assert "does not come to an end" in (await cloud.look(timeout=5)).problem
    assert len(cloud.fake.asked) == 20


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden", "Whatever"])
async def test_a_series_that_is_not_complete_is_not_used(cloud, status, caplog):
    cloud.fake.statuses = {"canary_errors": status, "stable_p99": status}
    snapshot = await cloud.look()

    assert snapshot.problem == ""
    assert snapshot.readings["error_rate"] == Reading(0.0, Missing.DOWN)
    assert snapshot.readings["success_rate"].canary is Missing.DOWN
    assert snapshot.readings["latency_p99"] == Reading(Missing.DOWN, pytest.approx(600))
    assert snapshot.readings["requests"] == Reading(2700.0, 300.0)
    assert (
        f"canary_errors is not available: CloudWatch has not read all of it ({status})"
        in caplog.text
    )


async def test_without_its_requests_a_lane_has_no_number_at_all(cloud):
    cloud.fake.statuses = {"canary_requests": "InternalError"}
    readings = (await cloud.look()).readings

    for metric in ("requests", "rps", "error_rate", "latency_p95"):
        assert readings[metric].canary is Missing.DOWN
        assert isinstance(readings[metric].stable, float)


async def test_where_no_series_is_complete_the_source_is_down(cloud):
    idents = [query["Id"] for query in (await _asked(cloud))["MetricDataQueries"]]
    cloud.fake.statuses = dict.fromkeys(idents, "InternalError")
    snapshot = await cloud.look()

    assert (
        snapshot.problem
        == f"There are no numbers in {ABOUT}: CloudWatch has not read all of it (InternalError)."
    )
    assert set(snapshot.readings.values()) == {DOWN}


async def _asked(cloud: World) -> dict:
    await cloud.look()
    return cloud.fake.asked[-1]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0])
async def test_what_is_no_number_is_no_data(cloud, value, caplog):
    whose = {"FunctionName": "thumbs", "Resource": "thumbs:live", "ExecutedVersion": "7"}
    cloud.fake.count("AWS/Lambda", "Errors", ago(3), [value * 100], **whose)
    readings = (await cloud.look()).readings

    assert readings["error_rate"] == Reading(0.0, Missing.NO_DATA)
    assert readings["requests"].canary == 300


async def test_answers_to_questions_that_nobody_asked_are_left_alone(cloud):
    cloud.fake.extra = [{"Id": "stranger", "Values": [1.0], "Timestamps": [ago(3).timestamp()]}]

    assert (await cloud.look()).readings["error_rate"] == Reading(0.0, 10.0)


async def test_numbers_of_other_minutes_are_left_alone(cloud):
    whole = (await cloud.look()).readings
    moments = [ago(30).timestamp(), (ago(-30)).timestamp()]
    cloud.fake.extra = [
        {
            "Id": "canary_errors",
            "Values": [500.0, 500.0],
            "Timestamps": moments,
            "StatusCode": "Complete",
        }
    ]

    assert (await cloud.look()).readings == whole
