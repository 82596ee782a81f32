"""Many looks at one Prometheus are few requests, and none of them learns or suffers anything of another."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from integrations.metric import Missing
from integrations.metrics.answers import QueryRefusedError
from integrations.metrics.batching import AT_ONCE, MOST_TEXTS, Line
from integrations.metrics.connection import Connection, SourceDownError
from integrations.metrics.joining import named, parts
from integrations.metrics.prometheus import PrometheusSource
from tests.contract.metric_worlds import NOW
from tests.fakes.prometheus import FakePrometheus

LIMIT_S = 0.5


class Crowd(FakePrometheus):
    """It has numbers of many services: of `svc-7` everything is 7. Its series bear a label that is ours already."""

    def __init__(self) -> None:
        super().__init__()
        self.too_long = 1 << 20
        """Characters of a query from which it is refused."""
        self.refused = 0
        self.foreign = False
        """Whether joined queries come back with a series that nobody asked for."""
        self.most_at_once = self._now = 0

    async def _query(self, request):
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            query = (await request.post() or request.query)["query"]
            await asyncio.sleep(0)
            if len(query) > self.too_long:
                self.refused += 1
                return web.Response(status=413)
            return await super()._query(request)
        finally:
            self._now -= 1

    def _result(self, query, without=""):
        asked = parts(query)
        told = [row for name, text in asked or (("", query),) for row in rows(name, text)]
        return told + ([{"metric": {}, "value": [1.0, "9"]}] if asked and self.foreign else [])


def rows(name: str, text: str) -> list:
    found = re.search(r"svc-(\d+)-canary", text)
    if found is None:
        return [{"metric": named(name, {"asked": text}), "value": [1.0, "1"]}]
    labels = {"destination_workload": found[0], "sluice_metric": "q0", "asked": text}
    return [{"metric": named(name, labels) if name else labels, "value": [1.0, found[1]]}]


@pytest.fixture
async def fake():
    fake = Crowd()
    fake.url = await fake.start()
    yield fake
    await fake.stop()


@asynccontextmanager
async def line_to(url: str, seconds: float = LIMIT_S):
    line = Line(Connection(url, timeout=seconds))
    yield line
    await line.close()


def source(line: Line, number: int) -> PrometheusSource:
    return PrometheusSource(
        line=line,
        template="istio",
        namespace="orion",
        stable=f"svc-{number}-stable",
        canary=f"svc-{number}-canary",
        clock=lambda: NOW,
    )


async def look(line: Line, number: int, custom=None):
    return await source(line, number).look(window=60, custom=custom or {}, variables={})


async def rps(line: Line, *numbers: int) -> list:
    """Look at many services at once; return what each learns."""
    looks = await asyncio.gather(*(look(line, number) for number in numbers))
    return [one.readings["rps"].canary for one in looks]


async def test_many_looks_at_once_are_few_requests_and_each_gets_its_own_numbers(fake):
    async with line_to(fake.url, 5) as line:
        assert await rps(line, *range(1, 41)) == [*range(1, 41)]

    assert len(fake.queries) <= 40 * 14 / (MOST_TEXTS - 14) + 1
    assert max(len(parts(query)) for query in fake.queries) <= MOST_TEXTS


async def test_a_look_and_what_it_counts_are_one_request(fake):
    async with line_to(fake.url) as line:
        asked = source(line, 3)
        snapshot, (counted, _) = await asyncio.gather(
            asked.look(window=60, custom={}, variables={}), asked.counts(None)
        )

    assert len(fake.queries) == 1
    assert not snapshot.problem
    assert not counted.problem


async def test_what_many_ask_at_one_moment_is_asked_once(fake):
    async with line_to(fake.url) as line:
        custom = {"lag": 'lag{job="svc-3-canary"}'}
        looks = await asyncio.gather(*(look(line, 3, custom) for _ in range(5)))
        assert [one.readings["lag"].canary for one in looks] == [3] * 5
        assert len(fake.queries) == 2
        await look(line, 3)

    assert len(fake.queries) == 3  # another moment


async def test_a_target_that_ends_leaves_the_connection_to_the_others(fake):
    async with line_to(fake.url) as line:
        await source(line, 1).close()

        assert await rps(line, 2) == [2]


async def test_a_look_that_is_interrupted_takes_no_answer_from_the_others(fake):
    async with line_to(fake.url) as line:
        asked = [["svc-1-canary", "x"], ["svc-1-canary", "x"], ["svc-2-canary", "x"]]
        looks = [asyncio.create_task(line.together(texts)) for texts in asked]
        while not fake.queries:  # noqa: ASYNC110 - another task counts
            await asyncio.sleep(0)
        looks[0].cancel()
        told = await asyncio.gather(*looks, return_exceptions=True)

    assert isinstance(told[0], asyncio.CancelledError)
    assert [one[0][0].value for one in told[1:]] == [1, 2]
    assert len(fake.queries) == 1


async def test_what_nobody_waits_for_any_more_is_not_asked(fake):
    async with line_to(fake.url) as line:
        interrupted = asyncio.create_task(line.together(["svc-1-canary"]))
        await asyncio.sleep(0)
        interrupted.cancel()
        await line.together(["svc-2-canary"])

    assert fake.queries == ["svc-2-canary"]


@pytest.mark.parametrize("fault", ["422", "503", "html", "odd"])
async def test_a_query_that_goes_wrong_costs_the_others_nothing(fake, fault):
    fake.fault, fake.fault_only_for = fault, "svc-2-"
    async with line_to(fake.url) as line:
        first = await rps(line, 1, 2, 3)
        asked = len(fake.queries)
        again = await rps(line, 1, 2, 3)

    lost = Missing.NOT_AVAILABLE if fault == "422" else Missing.DOWN
    assert first == again == [1, lost, 3]
    # It goes out alone from then on, and the others together.
    others = [query for query in fake.queries[asked:] if "svc-2-" not in query]
    assert len([query for query in others if parts(query)]) == 1


async def test_who_is_well_again_goes_with_the_others_again(fake):
    fake.fault, fake.fault_only_for = "422", "svc-2-"
    async with line_to(fake.url) as line:
        await rps(line, 1, 2)
        fake.fault = ""
        assert await rps(line, 1, 2) == [1, 2]
        asked = len(fake.queries)
        assert await rps(line, 1, 2) == [1, 2]

    assert len(fake.queries) == asked + 1


async def test_one_text_that_goes_wrong_leaves_its_look_the_rest(fake):
    fake.fault, fake.fault_only_for = "422", "container_memory"
    async with line_to(fake.url) as line:
        snapshots = await asyncio.gather(*(look(line, number) for number in (1, 2)))

    assert [one.readings["rps"].canary for one in snapshots] == [1, 2]
    assert {one.readings["memory"].canary for one in snapshots} == {Missing.NOT_AVAILABLE}


@pytest.mark.sweep
async def test_a_slow_batch_is_one_failure_for_each_and_next_time_only_for_the_slow_one(fake):
    fake.fault, fake.fault_only_for = "hang", "svc-2-"
    async with line_to(fake.url) as line:
        first = await asyncio.gather(*(look(line, number) for number in (1, 2, 3)))
        asked = len(fake.queries)
        again = await rps(line, 1, 2, 3)

    assert asked <= 2
    assert all("did not answer within 0.5 s" in one.problem for one in first if one.problem)
    assert first[1].problem
    assert again == [1, Missing.DOWN, 3]


@pytest.mark.sweep
async def test_who_was_slow_makes_nobody_wait_a_second_time(fake):
    fake.fault, fake.fault_only_for = "hang", "svc-2-"
    async with line_to(fake.url) as line:
        for _ in range(2):
            told = await asyncio.gather(*(line.together([f"svc-{n}-canary"]) for n in (1, 2, 3)))

    assert [isinstance(one[0], SourceDownError) for one in told] == [False, True, False]


async def test_a_look_at_a_source_that_is_down_asks_it_once_more_and_no_more(fake):
    fake.fault = "503"
    async with line_to(fake.url) as line:
        assert (await look(line, 1)).problem

    assert len(fake.queries) == 2


@pytest.mark.sweep
async def test_a_source_that_hangs_fails_every_look_in_time_and_is_not_asked_for_more(fake):
    fake.fault = "hang"
    async with line_to(fake.url) as line:
        async with asyncio.timeout(4 * LIMIT_S):
            told = await rps(line, *range(60))

    assert set(told) == {Missing.DOWN}
    assert len(fake.queries) < 60


@pytest.mark.parametrize("fault", ["503", "429", "html"])
async def test_a_source_that_is_down_is_not_asked_text_by_text(fake, fault):
    fake.fault = fault
    async with line_to(fake.url) as line:
        assert set(await rps(line, *range(20))) == {Missing.DOWN}

    assert len(fake.queries) <= 20


async def test_what_is_too_much_together_is_asked_in_smaller_parts_from_then_on(fake):
    fake.too_long = 40_000
    async with line_to(fake.url, 5) as line:
        assert await rps(line, *range(1, 7)) == [1, 2, 3, 4, 5, 6]
        refused = fake.refused
        assert refused
        for _ in range(3):
            assert await rps(line, *range(1, 7)) == [1, 2, 3, 4, 5, 6]

    assert fake.refused < 4 * refused


HOSTILE = (
    'vector(1)), "sluice_metric", "q1", "", "") or label_replace((vector(2)',
    'label_replace(vector(3), "sluice_metric", "q0", "", "")',
    "vector(4) # ",
    "scalar(vector(5))",
)


@pytest.mark.parametrize("query", HOSTILE)
async def test_what_people_wrote_is_never_joined_with_anything(fake, query):
    async with line_to(fake.url) as line:
        _, other = await asyncio.gather(look(line, 1, {"own": query}), look(line, 2))

    assert other.readings["rps"].canary == 2
    assert query in fake.queries
    assert not any(query in asked for asked in fake.queries if asked != query)


async def test_a_series_that_belongs_to_nobody_lets_each_be_asked_by_itself(fake):
    fake.foreign = True
    async with line_to(fake.url) as line:
        told = await line.together(["svc-1-canary", "svc-2-canary"])

    assert [one[0].value for one in told] == [1, 2]


async def test_no_more_requests_are_on_their_way_than_allowed(fake):
    async with line_to(fake.url, 5) as line:
        await rps(line, *range(40))

    assert 1 < fake.most_at_once <= AT_ONCE


async def test_who_waits_when_the_bot_stops_is_let_go(fake):
    fake.fault = "hang"
    async with line_to(fake.url, 30) as line:
        waiting = [asyncio.create_task(look(line, number)) for number in range(20)]
        while not fake.queries:  # noqa: ASYNC110 - another task counts
            await asyncio.sleep(0)
    told = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(one, asyncio.CancelledError) for one in told)


async def test_failures_are_values(fake):
    fake.fault, fake.fault_only_for = "422", "bad"
    async with line_to(fake.url) as line:
        good, bad = await asyncio.gather(line.alone("good"), line.alone("bad"))
        fake.fault = "503"
        down = await line.alone("bad")

    assert good[0].value == 1
    assert isinstance(bad, QueryRefusedError)
    assert isinstance(down, SourceDownError)
