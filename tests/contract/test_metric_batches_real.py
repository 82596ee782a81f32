"""A real Prometheus answers many looks together as it answers each by itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from integrations.counters import Counters
from integrations.metric import Missing, Reading, Snapshot
from integrations.metrics.batching import Line
from integrations.metrics.connection import Connection
from integrations.metrics.prometheus import PrometheusSource
from integrations.metrics.templates import TEMPLATES
from tests.contract.metric_worlds import NOW, WINDOW, scraped
from tests.fakes.prometheus_server import ABSENT, BINARY

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.sweep,  # a real Prometheus has to scrape for a while first
    pytest.mark.skipif(not BINARY.exists(), reason=ABSENT),
]

SERVICES = ("auth", "quiet", "mute", "rpc", "still", "old", "code", "dead", "auth-canary")
"""The last one has no series, and its name begins as that of a lane of the first."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    async with scraped() as url:
        yield url


def source(line: Line, template: str, service: str) -> PrometheusSource:
    return PrometheusSource(
        line=line,
        template=template,
        namespace="orion",
        stable=f"{service}-stable",
        canary=f"{service}-canary",
        clock=lambda: NOW,
    )


async def look(line: Line, template: str, service: str) -> tuple[Snapshot, Counters]:
    asked = source(line, template, service)
    own = {"lag": 'up{job=~"exporter|$workload"} * 0 + 7', "number": "scalar(vector(3))"}
    snapshot, (counted, counters) = await asyncio.gather(
        asked.look(window=WINDOW, custom=own, variables={}), asked.counts(None)
    )
    assert not counted.problem
    return snapshot, counters


@pytest.mark.parametrize("template", TEMPLATES)
async def test_what_is_asked_together_is_answered_as_what_is_asked_alone(url, template):
    line = Line(Connection(url))
    together = await asyncio.gather(*(look(line, template, service) for service in SERVICES))
    alone = [await look(line, template, service) for service in SERVICES]
    await line.close()

    for (batched, counters), (single, others) in zip(together, alone, strict=True):
        assert not batched.problem
        assert {name: numbers(one) for name, one in batched.readings.items()} == {
            name: [near(number) for number in numbers(one)] for name, one in single.readings.items()
        }
        assert {key: one.counts.keys() for key, one in counters.processes.items()} == {
            key: one.counts.keys() for key, one in others.processes.items()
        }


def numbers(reading: Reading) -> list[float | Missing]:
    return [reading.stable, reading.canary]


def near(number: float | Missing) -> object:
    """Return what equals the same of another moment."""
    return number if isinstance(number, Missing) else pytest.approx(number, rel=0.3)


async def test_what_bears_our_label_already_is_told_apart_all_the_same(url):
    """The label is in the data, with the names that we give."""
    line = Line(Connection(url))
    texts = [
        f'label_replace(vector({number}), "sluice_metric", "q{1 - number}", "", "")'
        for number in (0, 1)
    ]
    first, second = await line.together(texts)
    await line.close()

    assert [one.value for one in first] == [0]
    assert [one.value for one in second] == [1]
