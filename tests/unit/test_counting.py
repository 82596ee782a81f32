"""What lies between two looks at the counters: resets, gaps, new pods, and everything that is not known."""

import json
import math

import pytest

from integrations.base import Lane
from integrations.counters import (
    MOST_VALUES,
    Counters,
    Process,
    counters_from_json,
    counters_to_json,
)
from integrations.metric import Missing
from integrations.metrics.answers import Sample
from integrations.metrics.counted import sight
from integrations.metrics.counting import FORGET_S, LONGEST_S, Sight, count
from integrations.metrics.templates import Lanes, raw_counters

LANES = {Lane.STABLE: "api-stable", Lane.CANARY: "api-canary"}
START = 1000.0


def pod(at: float, ok: float, failed: float = 0, **buckets: float) -> Process:
    bounds = {float(name[1:]): n for name, n in buckets.items()}
    return Process(at, {"all": ok + failed, "fine": ok, "failed": failed}, bounds)


def seen(now: float = START + 15, stable: Process | None = None, **processes: Process) -> Sight:
    """One look: the canary's pods by name, beside a stable pod that answers 100 each second."""
    stable = stable or pod(now, 100 * (now - START))
    named = {f"api-canary/{name}": one for name, one in processes.items()}
    return Sight(now, {"api-stable/s": stable, **named}, interval=15)


def begun(**processes: Process) -> Counters:
    return count(None, seen(START, **processes), LANES)[1]


def canary(before: Counters, now: Sight):
    counted, _ = count(before, now, LANES)
    assert counted.closed
    return counted.canary


def test_the_first_look_counts_nothing_and_says_that_counting_begins():
    counted, _ = count(None, seen(a=pod(START + 15, 5000)), LANES)

    assert not counted.closed
    assert counted.canary.requests is counted.canary.errors is Missing.NO_DATA
    assert "counting begins here" in counted.canary.problems[0]


@pytest.mark.parametrize(
    ("last", "now", "requests", "errors"),
    [
        ((100, 5), (130, 7), 32, 2),
        ((100, 5), (100, 5), 0, 0),
        ((100, 5), (20, 1), 21, 1),  # it began again
        ((100, 5), (20, 9), 29, 9),  # and counted more errors since than before
    ],
)
def test_a_counter_is_counted_from_where_it_was_and_from_nothing_after_a_reset(
    last, now, requests, errors
):
    lane = canary(begun(a=pod(START, *last)), seen(a=pod(START + 15, *now)))

    assert (lane.requests, lane.errors) == (requests, errors)


def test_pods_are_told_apart_before_they_are_summed():
    before = begun(a=pod(START, 1000), b=pod(START, 10))

    lane = canary(before, seen(a=pod(START + 15, 7), b=pod(START + 15, 900), c=pod(START + 15, 3)))

    assert lane.requests == 7 + 890 + 3


def test_a_failure_that_is_the_first_of_its_pod_is_counted():
    before = begun(a=Process(START, {"all": 50.0, "fine": 50.0}))

    assert canary(before, seen(a=pod(START + 15, 50, 1))).errors == 1


def test_no_failure_yet_is_no_error():
    before = begun(a=Process(START, {"all": 50.0, "fine": 50.0}))

    assert canary(before, seen(a=Process(START + 15, {"all": 60.0, "fine": 60.0}))).errors == 0


def test_where_nothing_tells_failures_they_are_not_available_and_requests_are():
    before = begun(a=Process(START, {"all": 50.0}))

    lane = canary(before, seen(a=Process(START + 15, {"all": 60.0})))

    assert (lane.requests, lane.errors) == (10, Missing.NOT_AVAILABLE)
    assert "check its labels" in lane.problems[0]


def test_counters_that_a_running_process_forgot_are_no_reset():
    before = begun(a=pod(START, 1000, 50))
    now = Sight(
        START + 15,
        seen(a=pod(START + 15, 990, 52)).processes,
        restarted=frozenset({"api-stable/s"}),
    )

    lane = canary(before, now)

    assert (lane.requests, lane.errors) == (2, 2)
    assert "went away while their process ran on" in lane.problems[0]


def test_a_process_that_began_again_and_only_fails_since_is_counted():
    before = begun(a=pod(START, 1000))
    failing = Process(START + 15, {"all": 3.0, "failed": 3.0})
    now = Sight(START + 15, seen(a=failing).processes, restarted=frozenset())

    lane = canary(before, now)

    assert (lane.requests, lane.errors) == (3, 3)


@pytest.mark.parametrize("late", [Lane.STABLE, Lane.CANARY])
def test_the_window_stays_open_until_both_lanes_were_scraped(late):
    before = begun(a=pod(START, 100))
    fresh, old = pod(START + 15, 140), pod(START, 100)
    first = seen(a=old) if late is Lane.CANARY else seen(stable=pod(START, 0), a=fresh)

    counted, held = count(before, first, LANES)
    lane = canary(held, seen(START + 30, a=pod(START + 30, 190)))

    assert not counted.closed
    assert lane.requests == 90


def test_a_lane_that_should_have_been_scraped_twice_is_stale_and_nothing_is_lost():
    before = begun(a=pod(START, 100))

    counted, held = count(before, seen(START + 31, a=pod(START, 100)), LANES)
    back, _ = count(held, seen(START + 45, a=pod(START + 45, 190)), LANES)

    assert counted.canary.requests is Missing.STALE
    assert not counted.closed
    assert (back.seconds, back.canary.requests, back.stable.requests) == (45, 90, 4500)


def test_a_lane_that_is_lost_for_long_stands_back_and_is_not_held_against_the_other():
    memory = begun(a=pod(START, 100))
    lost = START + LONGEST_S + 1
    _, memory = count(memory, seen(lost), LANES)

    alone, memory = count(memory, seen(lost + 15), LANES)
    back, memory = count(memory, seen(lost + 30, a=pod(lost + 30, 90_000)), LANES)
    again, _ = count(memory, seen(lost + 45, a=pod(lost + 45, 90_010)), LANES)

    assert (alone.stable.requests, alone.canary.requests) == (1500, Missing.STALE)
    assert (back.stable.requests, back.canary.requests) == (1500, Missing.NO_DATA)
    assert again.canary.requests == 10


def test_a_pod_that_was_known_at_the_first_look_and_not_read_is_not_taken_for_new():
    first = Sight(START, seen(START).processes, frozenset({"api-canary/a"}), interval=15)
    memory = count(None, first, LANES)[1]

    first, memory = count(memory, seen(a=pod(START + 15, 90_000)), LANES)
    lane = canary(memory, seen(START + 30, a=pod(START + 30, 90_010)))

    assert (first.canary.requests, lane.requests) == (Missing.NO_DATA, 10)


def test_a_pod_that_was_away_for_long_is_counted_from_where_it_comes_back():
    memory = begun(a=pod(START, 0), b=pod(START, 100))
    looks = []
    for now in (*range(1100, 1500, 100), 1500):
        back = {"b": pod(now, 90_000 + now)} if now >= 1400 else {}
        counted, memory = count(memory, seen(now, a=pod(now, now - START), **back), LANES)
        looks.append(counted.canary.requests)

    assert looks == [100, 100, 100, 100, 200]


def test_one_silent_pod_is_said_and_its_next_sample_counts_both_windows():
    memory = begun(a=pod(START, 100), b=pod(START, 100))

    first, memory = count(
        memory, seen(START + 45, a=pod(START + 45, 110), b=pod(START, 100)), LANES
    )
    second, _ = count(
        memory, seen(START + 60, a=pod(START + 60, 120), b=pod(START + 60, 150)), LANES
    )

    assert first.canary.requests == 10
    assert first.canary.problems == (
        "1 of 2 targets have no new sample; their next one counts this time too.",
    )
    assert (second.canary.requests, second.canary.problems) == (60, ())


@pytest.mark.parametrize(
    ("up", "requests"),
    [({"api-canary": True}, 0), ({"api-canary": False}, Missing.NO_DATA), ({}, Missing.NO_DATA)],
)
def test_a_lane_without_a_counter_has_no_requests_only_if_its_targets_are_up(up, requests):
    lane = canary(begun(), Sight(START + 15, seen().processes, interval=15, up=up))

    assert lane.requests == requests
    assert lane.problems == (
        ("None of its targets is up; check that its pods run and can be scraped.",)
        if up == {"api-canary": False}
        else ()
    )


def test_a_lane_without_a_name_has_no_numbers_and_holds_nobody_up():
    lanes = {Lane.STABLE: "", Lane.CANARY: "api-canary"}
    memory = count(None, seen(START, a=pod(START, 5)), lanes)[1]

    counted, _ = count(memory, seen(a=pod(START + 15, 8)), lanes)

    assert (counted.stable.requests, counted.canary.requests) == (Missing.NOT_AVAILABLE, 3)


def test_buckets_are_counted_at_the_bounds_that_both_lanes_have():
    before = begun(a=pod(START, 100, b50=60, b250=90, binf=100))
    before = Counters(
        before.at,
        before.interval,
        {**before.processes, "api-stable/s": pod(START, 0, b100=0, b250=0, binf=0)},
    )
    stable = pod(START + 15, 1500, b100=1000, b250=1400, binf=1500)
    now = seen(stable=stable, a=pod(START + 15, 120, b50=65, b250=100, binf=120))

    counted, _ = count(before, now, LANES)

    assert counted.canary.buckets == {250: 10, math.inf: 20}
    assert counted.stable.buckets == {250: 1400, math.inf: 1500}
    assert counted.canary.slower(250) == (10, 20)
    assert counted.canary.slower(50) is None
    assert "only the 1 that both have" in counted.canary.problems[0]


def test_buckets_never_fall_with_their_bounds():
    before = begun(a=pod(START, 100, b50=60, b250=90, binf=100))
    now = Sight(
        START + 15,
        seen(a=pod(START + 15, 130, b50=70, b250=88, binf=130)).processes,
        restarted=frozenset(),
    )

    assert canary(before, now).buckets == {50: 10, 250: 10, math.inf: 30}


def test_an_older_sample_of_another_prometheus_is_no_reset():
    memory = begun(a=pod(START, 100), b=pod(START, 100))
    behind = seen(a=pod(START - 5, 95), b=pod(START + 15, 104))

    first, memory = count(memory, behind, LANES)
    second, _ = count(
        memory, seen(START + 30, a=pod(START + 30, 120), b=pod(START + 30, 104)), LANES
    )

    assert (first.canary.requests, second.canary.requests) == (4, 20)


def test_the_lanes_may_swap_roles_between_two_looks():
    before = begun(a=pod(START, 100))
    swapped = {Lane.STABLE: "api-canary", Lane.CANARY: "api-stable"}

    counted, _ = count(before, seen(a=pod(START + 15, 110)), swapped)

    assert (counted.stable.requests, counted.canary.requests) == (10, 1500)


def test_what_is_remembered_survives_as_json():
    memory = begun(a=pod(START, 100, 3, b50=60, binf=103))

    assert counters_from_json(json.loads(json.dumps(counters_to_json(memory)))) == memory


@pytest.mark.parametrize(
    "stored", [{}, {"at": 1}, {"at": 1, "interval": 1, "processes": {}, "open": {}, "x": 1}]
)
def test_a_foreign_memory_is_refused(stored):
    with pytest.raises((KeyError, ValueError)):
        counters_from_json(stored)


def test_what_is_remembered_has_a_limit_and_old_pods_go_first():
    memory = begun()
    for number in range(30):
        now = START + 15 * (number + 1)
        young = {f"p{number}-{i}": pod(now, 5, b1=1, b2=2, binf=5) for i in range(200)}
        _, memory = count(memory, seen(now, **young), LANES)

    values = sum(1 + len(p.counts) + len(p.buckets) for p in memory.processes.values())
    assert values <= MOST_VALUES
    assert "api-canary/p29-0" in memory.processes
    assert "api-canary/p0-0" not in memory.processes
    for _ in range(FORGET_S // LONGEST_S + 1):
        _, memory = count(memory, seen(memory.at + LONGEST_S + 1), LANES)
    assert list(memory.processes) == ["api-stable/s"]


RAW = raw_counters("istio", Lanes("shop", "api-stable", "api-canary"))
TARGET = {"destination_workload": "api-canary", "job": "j", "instance": "i", "pod": "p"}


def answers(value: float) -> dict:
    def one(n: float, **more: str) -> list[Sample]:
        return [Sample({**TARGET, **more}, n)]

    return {
        "all": one(9), "fine": one(value), "failed": [], "stamps": one(START),
        "scrapes": one(21), "now": [Sample({}, START + 1)], "buckets_ms": one(4, le="0.07"),
    }  # fmt: skip


def test_an_answer_is_read_process_by_process():
    look = sight(answers(8.0), RAW)

    (key,) = look.processes
    assert key.startswith("api-canary/")
    assert look.processes[key] == Process(START, {"all": 9, "fine": 8}, {0.07: 4})
    assert (look.now, look.interval, look.known) == (START + 1, 15, {key})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_a_process_with_a_value_that_is_no_count_was_not_scraped(value):
    look = sight(answers(value), RAW)

    assert look.processes == {}
    assert len(look.known) == 1
