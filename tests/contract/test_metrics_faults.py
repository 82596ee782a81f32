"""Whatever a Prometheus does instead of answering, a look is a snapshot with reasons, and says nothing foreign."""

import asyncio
import logging
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrations.base import IntegrationError, Lane, RefusedError
from integrations.metric import Missing, Reading
from integrations.metrics.prometheus import PrometheusSource, stale_after
from integrations.metrics.templates import METRICS, TEMPLATES
from tests.fakes.prometheus import FakePrometheus

DOWN = Reading(Missing.DOWN, Missing.DOWN)


def source_of(url: str, **options) -> PrometheusSource:
    names = {"namespace": "orion", "stable": "auth-stable", "canary": "auth-canary"}
    clock = lambda: datetime(2026, 5, 4, tzinfo=UTC)  # noqa: E731
    return PrometheusSource(
        url, **{"template": "istio", "clock": clock, "timeout": 0.5, **names, **options}
    )


async def look(url: str, custom=None, **options):
    source = source_of(url, **options)
    try:
        return await source.look(window=300, custom=custom or {}, variables={})
    finally:
        await source.close()


@pytest.fixture
async def fake():
    fake = FakePrometheus()
    fake.url = await fake.start()
    yield fake
    await fake.stop()


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        ("401", "credentials (HTTP 401)"),
        ("403", "credentials (HTTP 403)"),
        ("404", "no query API"),
        ("429", "HTTP 429"),
        ("500", "HTTP 500"),
        ("503", "HTTP 503"),
        ("hang", "did not answer within 0.5 s"),
        ("drip", "did not answer within 0.5 s"),
        ("huge", "something else than metrics"),
        ("breaks off", "cannot be reached"),
        ("redirect", "redirect (HTTP 302)"),
        ("html", "something else than metrics"),
        ("truncated", "something else than metrics"),
        ("error", "something else than metrics"),
        ("list", "something else than metrics"),
        ("nested", "something else than metrics"),
        ("odd", "something else than metrics"),
    ],
)
async def test_a_source_that_is_not_well_is_one_sentence(fake, fault, part):
    fake.fault = fault
    async with asyncio.timeout(2):
        snapshot = await look(fake.url, custom={"lag": "lag"})

    assert part in snapshot.problem
    assert snapshot.problem.startswith(f"Prometheus at {fake.url} ")
    assert snapshot.problem.endswith(".")
    assert snapshot.readings == dict.fromkeys((*METRICS, "lag"), DOWN)
    assert "s3cret" not in snapshot.problem
    assert fake.elsewhere == 0


async def recorded(url: str, **options) -> str:
    """Return with what sentence a record of an hour is refused."""
    source = source_of(url, **{"template": "http", **options})
    until = datetime(2026, 5, 4, tzinfo=UTC)
    try:
        with pytest.raises(IntegrationError) as caught:
            await source.recorded(Lane.STABLE, until - timedelta(hours=1), until)
    finally:
        await source.close()
    return str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "+Inf", "-5", "1e30"])
async def test_a_number_of_series_that_is_no_number_is_one_sentence(fake, number):
    fake.vector(({}, number))
    assert await recorded(fake.url) == (
        "Prometheus does not say how many series there are; check the template."
    )


async def test_why_a_record_is_refused_is_told_short_and_without_control_characters(fake):
    fake.fault = "refused"
    said = await recorded(fake.url)
    begins = "Prometheus refuses its query (HTTP 422): “too many [31m samples would be loaded!!!"
    assert said.startswith(begins)
    assert said.endswith("!…”; take a shorter `--last`, or check the template.")
    assert len(said) < 250


@pytest.mark.parametrize("fault", ["422", "nested", "drip"])
async def test_a_record_that_cannot_be_read_is_one_sentence(fake, fault):
    fake.fault = fault
    said = await recorded(fake.url)
    assert said.startswith("Prometheus ")
    assert said.endswith(".")
    assert "s3cret" not in said


@pytest.mark.parametrize("fault", ["drip", "huge"])
async def test_an_endless_answer_does_not_keep_its_threads(fake, fault):
    fake.fault = fault
    await look(fake.url)
    fake.fault = ""

    assert (await look(fake.url, timeout=2)).problem == ""


async def test_a_source_that_is_not_there_is_one_sentence():
    snapshot = await look("http://127.0.0.1:1/s3cret-path")

    assert snapshot.problem.startswith("Prometheus at http://127.0.0.1:1 cannot be reached")
    assert snapshot.readings == dict.fromkeys(METRICS, DOWN)
    assert "s3cret" not in snapshot.problem


async def test_plain_http_where_tls_is_expected_is_one_sentence(fake):
    snapshot = await look(fake.url.replace("http:", "https:"), timeout=10.0)

    assert "certificate" in snapshot.problem


async def test_credentials_in_the_url_are_used_and_never_told(fake):
    fake.fault = "401"
    snapshot = await look(fake.url.replace("//", "//ana:s3cret@"))

    assert fake.tokens[0].startswith("Basic ")
    assert f"Prometheus at {fake.url} " in snapshot.problem


@pytest.mark.parametrize("warnings", [["store not reachable"], ["PromQL info: x", "partial"]])
async def test_a_partial_answer_is_no_answer(fake, warnings):
    fake.warnings = warnings

    assert "only a part of its data" in (await look(fake.url)).problem


async def test_a_remark_on_style_is_no_warning(fake):
    fake.warnings = ["PromQL info: metric might not be a counter"]

    assert (await look(fake.url)).problem == ""


LABELS = {
    "istio": "destination_workload",
    "linkerd": "deployment",
    "http": "job",
    "envoy": "envoy_cluster_name",
    "knative": "revision_name",
}


@pytest.mark.parametrize("template", TEMPLATES)
async def test_whatever_a_template_asks_nothing_is_made_up_when_nothing_comes(fake, template):
    fake.vector(({LABELS[template]: "auth-canary"}, "3"))
    told = await look(fake.url, template=template)
    fake.fault = "empty"
    nothing = await look(fake.url, template=template)

    assert told.readings["error_rate"] == Reading(Missing.NO_DATA, 3)
    assert all(isinstance(r.canary, Missing) for r in nothing.readings.values())
    assert nothing.readings["error_rate"] == Reading(Missing.NO_DATA, Missing.NO_DATA)
    assert nothing.problem == ""


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_what_is_no_finite_number_is_no_data(fake, value):
    fake.vector(({"destination_workload": "auth-canary"}, value))
    readings = (await look(fake.url)).readings

    # The answer to the question for the age of the samples is not a number either: it cannot vouch for anything.
    assert readings["error_rate"].canary is Missing.NO_DATA
    assert readings["error_rate"].stable is Missing.NO_DATA


@pytest.mark.parametrize(
    ("age", "canary"), [("120", 120), ("120.5", Missing.STALE), ("9e9", Missing.STALE)]
)
async def test_a_number_is_as_good_as_its_newest_sample(fake, age, canary):
    fake.vector(({"destination_workload": "auth-canary"}, age))

    assert (await look(fake.url)).readings["rps"].canary == canary


async def test_a_number_without_an_age_is_stale(fake):
    fake.vector(({"destination_workload": "auth-canary"}, "3"))
    fake.fault, fake.fault_only_for = "empty", "time() - max"
    snapshot = await look(fake.url)

    assert snapshot.readings["rps"] == Reading(Missing.NO_DATA, Missing.STALE)


async def test_numbers_whose_age_cannot_be_learned_are_not_used(fake):
    fake.vector(({"destination_workload": "auth-canary"}, "3"))
    fake.fault, fake.fault_only_for = "503", "time() - max"
    snapshot = await look(fake.url)

    assert snapshot.readings["rps"] == DOWN
    assert snapshot.problem == ""


@pytest.mark.parametrize(
    ("window", "seconds"),
    [(1, 60), (60, 60), (120, 60), (200, 100), (240, 120), (300, 120), (86400, 120)],
)
def test_two_scrape_intervals_are_between_one_and_two_minutes(window, seconds):
    assert stale_after(window) == seconds


@pytest.mark.parametrize(
    ("fault", "reading"), [("503", Missing.DOWN), ("hang", Missing.DOWN), ("422", None)]
)
async def test_a_broken_custom_query_does_not_blind_the_rest(fake, fault, reading):
    fake.vector(({"destination_workload": "auth-canary"}, "3"))
    fake.fault, fake.fault_only_for = fault, "lag"
    snapshot = await look(fake.url, custom={"lag": "lag"})

    assert snapshot.readings["error_rate"].canary == 3
    assert snapshot.readings["lag"].canary is (reading or Missing.NOT_AVAILABLE)
    assert snapshot.problem == ""


async def test_a_query_that_is_refused_everywhere_is_not_available(fake):
    fake.fault = "422"
    snapshot = await look(fake.url)

    assert snapshot.readings["cpu"] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
    assert snapshot.problem == ""


async def test_the_log_says_once_why_a_metric_is_not_available(fake, caplog):
    fake.vector(({"a": "s3cret"}, "3"), ({"a": "x"}, "4"))
    source = source_of(fake.url)
    with caplog.at_level(logging.WARNING, logger="integrations"):
        for _ in range(3):
            await source.look(window=300, custom={"lag": "lag"}, variables={})
    await source.close()

    assert [r.message for r in caplog.records] == [
        "metric lag is not available: its query returns several series where one is expected; aggregate them"
    ]


async def test_the_token_is_sent_and_not_shown(fake):
    source = source_of(fake.url, bearer_token="s3cret")
    await source.look(window=300, custom={}, variables={})
    await source.close()

    assert set(fake.tokens) == {"Bearer s3cret"}
    assert "s3cret" not in repr(source) + repr(vars(source))


async def test_a_token_file_is_read_anew(fake, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    source = source_of(fake.url, bearer_token_file=str(file))
    await source.look(window=300, custom={}, variables={})
    file.write_text("second\n")
    await source.look(window=300, custom={}, variables={})
    await source.close()

    assert fake.tokens[0] == "Bearer first"
    assert fake.tokens[-1] == "Bearer second"


@pytest.mark.parametrize("content", [None, "", "two\nlines", "ä"])
async def test_a_token_file_that_cannot_be_used_is_one_sentence(fake, tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    snapshot = await look(fake.url, bearer_token_file=str(file))

    assert "check bearer_token_file" in snapshot.problem
    assert fake.queries == []


async def test_a_missing_ca_file_is_one_sentence(fake):
    snapshot = await look(fake.url.replace("http:", "https:"), ca_file="/nowhere/ca.pem")

    assert "a file for its TLS cannot be read" in snapshot.problem


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file, signed by itself."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("there is no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    name = ["-subj", "/CN=prometheus", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", file.with_suffix(".key"), "-out", file.with_suffix(".crt")]
    subprocess.run(
        [openssl, "req", "-x509", "-days", "2", *kind, *name, *files],
        check=True,
        capture_output=True,
    )
    file.write_text(file.with_suffix(".key").read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_as_good_as_its_authority(certificate, trusted):
    fake = FakePrometheus()
    url = await fake.start(tls=certificate)
    authority = str(certificate.with_suffix(".crt")) if trusted else None
    snapshot = await look(url, ca_file=authority, timeout=10.0)
    await fake.stop()

    assert ("not trusted" in snapshot.problem) is not trusted
    assert bool(fake.queries) is trusted


async def test_a_bad_variable_is_found_before_anything_is_asked(fake):
    snapshot = await look(fake.url, custom={"lag": 'lag{a="$nobody"}'})

    assert snapshot.readings["lag"].canary is Missing.NOT_AVAILABLE
    assert not any("lag{" in query for query in fake.queries)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"template": "linkerdd"}, "unknown_template"),
        ({"stable": "Auth"}, "bad_name"),
        ({"template": "envoy", "clusters": {"auth-stable": "a b"}}, "bad_name"),
        ({"clusters": {"auth-stable": "x", "auth-canary": "x"}}, "lanes_not_distinct"),
    ],
)
def test_a_source_that_could_never_work_is_refused_at_once(options, code):
    with pytest.raises(RefusedError) as error:
        source_of("http://prometheus:9090", **options)
    assert error.value.code == code


@pytest.mark.parametrize(
    "url", ["", "prometheus:9090", "ftp://x", "http://", "http://[::1", "http://x:99999"]
)
def test_a_bad_url_is_refused_without_repeating_it(url):
    with pytest.raises(RefusedError, match="must be like") as error:
        source_of(url)
    assert error.value.code == "bad_url"


async def test_one_workload_alone_has_nobody_beside_it_whatever_fails(fake):
    fake.fault, fake.fault_only_for = "500", "container_cpu"

    snapshot = await look(fake.url, stable="")

    assert snapshot.readings["cpu"] == Reading(Missing.NOT_AVAILABLE, Missing.DOWN)


@pytest.mark.parametrize(
    "metric", ["connection_failures", "circuit_breaker_trips", "cold_start_rate"]
)
@pytest.mark.parametrize(("template", "label"), [("http", "job"), ("linkerd", "deployment")])
async def test_what_a_template_does_not_have_is_not_available(fake, template, label, metric):
    fake.vector(({label: "auth-canary"}, "3"))

    snapshot = await look(fake.url, template=template)

    assert snapshot.readings["rps"].canary == 3
    assert snapshot.readings[metric] == Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


async def test_a_look_is_one_query_and_one_more_for_each_of_your_own(fake):
    fake.vector(({"destination_workload": "auth-canary"}, "3"))
    snapshot = await look(fake.url, custom={"lag": "lag"})

    assert len(fake.queries) == 2
    assert not snapshot.problem


async def test_a_joined_query_that_is_refused_is_asked_in_parts(fake):
    fake.vector(({"destination_workload": "auth-canary"}, "3"))
    fake.fault, fake.fault_only_for = "422", " or label_replace("
    snapshot = await look(fake.url)

    assert len(fake.queries) > 10
    assert snapshot.readings["rps"].canary == 3.0


async def test_where_nobody_listens_nothing_is_asked_twice(fake):
    url, tries = fake.url, []
    await fake.stop()

    async def count(reader, writer):
        tries.append(1)
        writer.transport.abort()

    server = await asyncio.start_server(count, "127.0.0.1", int(url.rpartition(":")[2]))
    snapshot = await look(url)
    server.close()

    assert len(tries) == 1
    assert snapshot.readings == dict.fromkeys(METRICS, DOWN)
