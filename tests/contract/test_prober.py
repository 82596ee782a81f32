"""What smoke tests make of a server that is well, slow, broken, huge or somewhere it should not be."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest

from integrations.addresses import forbidden
from integrations.probe import Probe, ProbeResult
from integrations.smoke.http import HttpProber
from tests.fakes.dark_lane import Target

OBJECT = {"type": "object", "required": ["status"], "properties": {"status": {"const": "up"}}}


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    await target.start()
    yield target
    await target.stop()


@pytest.fixture
async def prober() -> AsyncIterator[HttpProber]:
    prober = HttpProber(timeout=0.5, total=5)
    yield prober
    await prober.close()


def test_of(target: Target, **fields) -> Probe:
    return Probe(f"{target.url}/health", **fields)


test_of.__test__ = False


async def test_a_server_that_answers_as_expected_passes(target, prober):
    result = await prober.probe(test_of(target))

    assert result == ProbeResult(f"{target.url}/health", True, "answered 200 OK", 1, 0)
    assert target.seen == [("GET", "", "")]


async def test_many_requests_go_ten_at_a_time_each_on_a_connection_of_its_own(target, prober):
    target.crowd = 10

    result = await prober.probe(test_of(target, requests=100))

    assert (result.passed, result.sentence) == (True, "100 requests, 0 failed")
    assert (result.requests, target.most_at_once, len(target.connections)) == (100, 10, 100)


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ("ping", "text/plain; charset=utf-8", "ping"),
        ('{"user": "a"}', "application/json", '{"user": "a"}'),
        ("7", "text/plain; charset=utf-8", "7"),
        ({"user": ["ä"]}, "application/json", '{"user": ["\\u00e4"]}'),
        ([], "application/json", "[]"),
        (0, "application/json", "0"),
    ],
)
async def test_a_body_is_sent_as_text_or_as_json(target, prober, body, kind, sent):
    result = await prober.probe(test_of(target, method="POST", body=body))

    assert result.passed
    assert target.seen == [("POST", kind, sent)]


async def test_another_status_may_be_what_is_expected(target, prober):
    target.answers = [(401, "no")]

    assert (await prober.probe(test_of(target, expect=401))).passed


@pytest.mark.parametrize(("failures", "passed"), [(0, True), (5, True), (6, False)])
async def test_errors_are_allowed_up_to_their_limit(target, prober, failures, passed):
    target.answers = [(500, "<!channel> s3cret")] * failures + [(200, "fine")]

    result = await prober.probe(test_of(target, requests=100, max_errors=5.0))

    assert (result.passed, result.failed) == (passed, failures)
    assert "s3cret" not in result.sentence


async def test_a_failure_says_what_came_and_how_often(target, prober):
    target.answers = [(500, "")] * 2 + [(503, "")] + [(200, "fine")]

    result = await prober.probe(test_of(target, requests=20, max_errors=20.0))

    assert result.sentence == (
        "20 requests, 3 failed where 20 % may: answered 500 instead of 200 (and 1 other reasons)"
    )


async def test_a_test_that_cannot_pass_any_more_stops_asking(target, prober):
    target.answers = [(500, "")]

    result = await prober.probe(test_of(target, requests=1000, max_errors=1.0))

    assert not result.passed
    assert 11 <= len(target.seen) <= 20


async def test_one_request_that_fails_says_only_why(target, prober):
    target.answers = [(503, "")]

    result = await prober.probe(test_of(target))

    assert (result.passed, result.sentence) == (False, "answered 503 instead of 200")


async def test_a_redirect_is_not_followed(target, prober):
    target.answers, target.headers = [(302, "")], {"Location": "/elsewhere"}

    result = await prober.probe(test_of(target))

    assert (result.passed, target.elsewhere) == (False, 0)
    assert result.sentence == "answered 302 instead of 200, and redirects are not followed"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ('{"status": "up"}', None),
        ('{"status": "<!channel>"}', "does not fit its schema at $.status (const)"),
        ("{}", "does not fit its schema at $ (required)"),
        ("<html>", "something else than JSON"),
        ("", "something else than JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin1"), "something else than JSON"),
        ("[" * 100_000, "something else than JSON"),
    ],
)
async def test_answers_are_held_to_their_schema(target, prober, answer, part):
    target.answers = [(200, answer)]

    result = await prober.probe(test_of(target, schema=OBJECT))

    assert result.passed == (part is None)
    assert (part or "") in result.sentence
    assert "<" not in result.sentence


async def test_a_key_of_an_answer_is_shown_short_and_plain(target, prober):
    target.answers = [(200, json.dumps({"<!channel>" * 50: 1}))]

    result = await prober.probe(
        test_of(target, schema={"additionalProperties": {"type": "string"}})
    )

    assert not result.passed
    assert not set("<>!&*_`\n") & set(result.sentence)
    assert len(result.sentence) < 150


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"type": "thing"}, "no JSON Schema"),
        ({"$ref": "TARGET/elsewhere"}, "cannot be followed"),
        ({"$ref": "#"}, "cannot be followed"),
        ({"pattern": "("}, "no JSON Schema"),
    ],
)
async def test_a_schema_that_cannot_be_used_fails_and_fetches_nothing(target, prober, schema, part):
    target.answers = [(200, '"a"')]
    schema = json.loads(json.dumps(schema).replace("TARGET", target.url))

    result = await prober.probe(test_of(target, schema=schema))

    assert (result.passed, target.elsewhere) == (False, 0)
    assert part in result.sentence


@pytest.mark.parametrize("mishap", ["hang", "drip"])
async def test_a_slow_server_fails_in_time(target, prober, mishap):
    target.mishap = mishap

    result = await prober.probe(test_of(target))

    assert (result.passed, result.sentence) == (False, "not answered within 0.5 s")


async def test_a_test_as_a_whole_has_a_limit_too(target):
    target.mishap = "hang"
    prober = HttpProber(timeout=60, total=0.2)

    result = await prober.probe(test_of(target, requests=30, max_errors=50.0))
    await prober.close()

    assert (result.passed, result.requests, result.failed) == (False, 30, 30)
    assert "before the 0.2 s for the whole test were over" in result.sentence


@pytest.mark.parametrize("mishap", ["drop", "break off"])
async def test_an_answer_that_breaks_off_fails(target, prober, mishap):
    target.mishap = mishap

    result = await prober.probe(test_of(target))

    assert "broke off" in result.sentence
    assert not result.passed


async def test_of_a_giant_answer_only_a_part_is_read(target, prober):
    target.mishap = "huge"

    assert (await prober.probe(test_of(target))).passed
    held = await prober.probe(test_of(target, schema={}))
    assert (held.passed, "more than 1 MiB" in held.sentence) == (False, True)


async def test_a_refused_connection_fails(prober):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        result = await prober.probe(Probe(f"http://127.0.0.1:{closed.getsockname()[1]}/"))

    assert (result.passed, result.sentence) == (False, "not connected (refused, or no way there)")


async def test_something_that_is_no_http_fails(prober):
    async def gibber(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH <!channel>\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(gibber, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await prober.probe(Probe(f"http://127.0.0.1:{port}/"))

    assert not result.passed
    assert "SSH" not in result.sentence


async def test_a_plain_port_does_not_speak_tls(target, prober):
    result = await prober.probe(Probe(target.url.replace("http", "https", 1)))

    assert (result.passed, "TLS" in result.sentence) == (False, True)


async def test_a_name_that_nobody_knows_fails(prober):
    result = await prober.probe(Probe("http://nowhere.invalid/"))

    assert (result.passed, "cannot be resolved" in result.sentence) == (False, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.1.2:8080/",
        "http://0xa9fea9fe/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://user@169.254.169.254/",
        "https://169.254.169.254/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
        "http://metadata/computeMetadata/v1/",
    ],
)
async def test_where_clouds_keep_their_keys_nothing_is_sent(prober, url):
    result = await prober.probe(Probe(url))

    assert (result.passed, "metadata service" in result.sentence) == (False, True)


@pytest.mark.parametrize(
    "url", ["http://2852039166/", "http://0251.0376.0251.0376/", "http://169.254.43518/"]
)
async def test_a_number_is_no_host(prober, url):
    result = await prober.probe(Probe(url))

    assert (result.passed, result.sentence) == (False, "not sent: its URL cannot be read")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "::1", "fd12::1", "8.8.8.8"]
)
def test_where_targets_live_is_allowed(address):
    assert not forbidden(address)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "file:///etc/passwd"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "gopher://127.0.0.1/"},
        {"url": "http://"},
        {"url": "http://[::1"},
        {"url": "http://127.0.0.1:0/"},
        {"url": "http://127.0.0.1:99999/"},
        {"url": ""},
        {"url": "http://127.0.0.1/", "method": "GET / HTTP/1.1\r\nX: y"},
        {"url": "http://127.0.0.1/", "requests": 0},
    ],
)
async def test_what_cannot_be_asked_fails_with_what_to_correct(prober, fields):
    result = await prober.probe(Probe(**fields))

    assert (result.passed, result.requests) == (False, 0)
    assert result.sentence.startswith("it")


async def test_a_header_cannot_be_smuggled_in_by_the_url(target, prober):
    result = await prober.probe(Probe(f"{target.url}/a\r\nX-Evil: 1\r\n\r\n"))

    assert [method for method, *_ in target.seen] == ["GET"] * result.passed


async def test_a_prober_can_be_closed_before_it_was_used():
    await HttpProber().close()
