"""What smoke tests make of a function: the dark version is invoked by its number, over a real client."""

from collections.abc import AsyncIterator

import pytest

from integrations.probe import Probe, ProbeResult
from integrations.smoke.functions import FunctionProber
from integrations.smoke.http import HttpProber
from tests.contract.lambda_worlds import World, opened
from tests.fakes.dark_lane import Target

SCHEMA = {"type": "object", "required": ["width"]}


@pytest.fixture
async def world(monkeypatch) -> AsyncIterator[World]:
    async with opened(monkeypatch) as one:
        one.fake.add("6", "code 6")
        yield one


async def probed(world: World, url: str = "lambda:image-processor:6", **fields) -> ProbeResult:
    others = HttpProber()
    try:
        probe = Probe(url, **{"body": {"image": "cat.png"}, **fields})
        return await FunctionProber(world.account, others).probe(probe)
    finally:
        await others.close()


async def test_a_version_that_answers_passes(world):
    result = await probed(world)

    assert (result.passed, result.sentence) == (True, "answered")
    assert world.fake.payloads == [{"image": "cat.png"}]


async def test_a_load_test_is_many_invocations_of_that_version_alone(world):
    result = await probed(world, requests=100, max_errors=1)

    assert (result.passed, result.sentence) == (True, "100 requests, 0 failed")
    assert len(world.fake.payloads) == 100


@pytest.mark.parametrize(("broken", "passed"), [(0.0, True), (0.2, False), (1.0, False)])
async def test_errors_of_the_function_count_against_what_may_fail(world, broken, passed):
    world.fake.broken["6"] = broken

    result = await probed(world, requests=100, max_errors=5)

    assert result.passed is passed
    assert passed or "its log shows" in result.sentence
    assert "s3cret" not in result.sentence


async def test_errors_of_the_live_version_do_not_matter(world):
    world.fake.broken["5"] = 1.0

    assert (await probed(world)).passed


@pytest.mark.parametrize(
    ("answer", "expect", "schema", "passed", "said"),
    [
        ({"width": 3}, 200, SCHEMA, True, ""),
        ({"height": 3}, 200, SCHEMA, False, "does not fit its schema"),
        ({"statusCode": 200}, 200, None, True, ""),
        ({"statusCode": 502}, 200, None, False, "statusCode 502 instead of 200"),
        ({"statusCode": 404}, 404, None, True, ""),
        ({"ok": 1}, 404, None, False, "no statusCode instead of 404"),
        ("text", 200, None, True, ""),
        (None, 200, None, True, ""),
    ],
)
async def test_the_answer_has_to_fit(world, answer, expect, schema, passed, said):
    world.fake.answers["6"] = answer

    result = await probed(world, expect=expect, schema=schema)

    assert result.passed is passed
    assert said in result.sentence


async def test_an_answer_of_another_version_is_a_failure(world):
    world.fake.executes["6"] = "5"

    result = await probed(world)

    assert (result.passed, result.sentence) == (
        False,
        "answered by another version than the one that was invoked",
    )


@pytest.mark.parametrize(
    ("aws", "status", "code"),
    [
        ("TooManyRequestsException", 429, "throttled"),
        ("ExpiredTokenException", 403, "credentials_expired"),
        ("AccessDeniedException", 403, "forbidden"),
        ("ServiceException", 500, "unreachable"),
    ],
)
async def test_an_invocation_that_aws_refuses_is_a_failure_with_its_code(world, aws, status, code):
    world.fake.fail(aws, status, operation="Invoke")

    result = await probed(world)

    assert (result.passed, result.sentence) == (False, f"not invoked ({code})")


async def test_a_version_that_is_not_there_is_a_failure(world):
    assert (
        await probed(world, "lambda:image-processor:9")
    ).sentence == "not invoked (version_missing)"


@pytest.mark.parametrize(
    "url", ["lambda:image-processor:", "lambda:image-processor:live", "lambda:a/b:6", "lambda:"]
)
async def test_what_names_no_version_is_never_sent(world, url):
    result = await probed(world, url)

    assert not result.passed
    assert "lambda:FUNCTION:VERSION" in result.sentence
    assert world.fake.calls == []


async def test_a_payload_that_lambda_would_not_take_is_never_sent(world):
    result = await probed(world, body="x" * (6 << 20))

    assert "6 MB" in result.sentence
    assert world.fake.calls == []


async def test_an_address_is_asked_as_ever(world):
    target = Target()
    await target.start()
    try:
        result = await probed(world, f"{target.url}/health", body=None)
    finally:
        await target.stop()

    assert (result.passed, result.sentence) == (True, "answered 200 OK")
