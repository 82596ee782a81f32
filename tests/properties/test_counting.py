"""Whatever happens to pods and scrapes: what the looks count together is what was there to be seen, and never less."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from integrations.base import Lane
from integrations.counters import Counters, Process, counters_from_json, counters_to_json
from integrations.metrics.counting import Sight, count

LANES = {Lane.STABLE: "s", Lane.CANARY: "c"}
STEP = 15.0

PODS = st.dictionaries(
    st.sampled_from(["c/1", "c/2", "c/3", "s/1", "s/2"]),
    st.tuples(
        st.integers(0, 50), st.integers(0, 5), st.sampled_from(["runs", "runs", "begins", "missed"])
    ),
    min_size=1,
)
"""What each pod does until the next look: answers, failures, and whether it begins again or is not scraped."""


@dataclass
class Pods:
    """Pods that count, and what of it was ever scraped."""

    fine: dict = field(default_factory=dict)
    failed: dict = field(default_factory=dict)
    shown: dict = field(default_factory=dict)
    due: dict = field(default_factory=dict)
    """What a pod answered since it was last scraped; a pod that begins again takes it along."""
    told: dict = field(default_factory=lambda: {"s": [0, 0], "c": [0, 0]})

    def live(self, now: float, doings: dict) -> Sight:
        for key, (ok, bad, event) in doings.items():
            if event == "begins":
                self._begin_again(key)
            self.fine[key] = self.fine.get(key, 0) + ok
            self.failed[key] = self.failed.get(key, 0) + bad
            due = self.due.setdefault(key, [0, 0])
            due[0] += ok + bad
            due[1] += bad
            if event != "missed":
                self._scrape(key, now)
        return Sight(now, dict(self.shown), interval=STEP)

    def _begin_again(self, key: str) -> None:
        """Begin at nothing; a reset that climbs past what was seen is invisible, so it is kept low."""
        if self.shown.get(key) and self.shown[key].counts["fine"] > 60:
            self.fine[key] = self.failed[key] = 0
            self.due[key] = [0, 0]

    def _scrape(self, key: str, now: float) -> None:
        counts = {"all": self.fine[key] + self.failed[key], "fine": self.fine[key]}
        if self.failed[key]:
            counts["failed"] = self.failed[key]
        self.shown[key] = Process(now, counts)
        requests, errors = self.due.pop(key)
        self.told[key[0]][0] += requests
        self.told[key[0]][1] += errors


def play(history: list[dict]) -> tuple[list, Pods]:
    """Look after each step, with the memory stored in between."""
    pods, memory, looks = Pods(), None, []
    for number, doings in enumerate(history):
        sight = pods.live(1000 + STEP * number, doings)
        counted, memory = count(memory, sight, LANES)
        memory = counters_from_json(counters_to_json(memory))
        looks.append(counted)
    return looks, pods


ALL = dict.fromkeys(("c/1", "s/1"), (0, 0, "runs"))


@given(st.lists(PODS, max_size=12))
def test_the_looks_together_count_what_was_scraped_since_the_first(history):
    nobody = {"c/1": (0, 0, "runs"), "s/1": (0, 0, "runs")}
    looks, pods = play([nobody, *history, ALL])
    closed = [look for look in looks if look.closed]

    for name, lanes in (("s", [x.stable for x in closed]), ("c", [x.canary for x in closed])):
        assert sum(lane.requests for lane in lanes) == pods.told[name][0]
        assert sum(lane.errors for lane in lanes) == pods.told[name][1]


@given(st.lists(PODS, max_size=12))
def test_no_count_is_negative_and_no_error_is_without_its_request(history):
    looks, _ = play(history)

    for lane in (lane for look in looks if look.closed for lane in (look.stable, look.canary)):
        if isinstance(lane.requests, float | int) and isinstance(lane.errors, float | int):
            assert 0 <= lane.errors <= lane.requests


COUNTS = st.one_of(st.integers(0, 10**6), st.floats(0, 1e9, allow_nan=False))
PROCESSES = st.dictionaries(
    st.sampled_from(["c/1", "c/2", "s/1", "x/9"]),
    st.builds(
        Process,
        st.floats(900, 1400),
        st.dictionaries(st.sampled_from(["all", "fine", "failed"]), COUNTS),
        st.dictionaries(st.sampled_from([1.0, 5.0, float("inf")]), COUNTS),
    ),
)
SIGHTS = st.builds(
    Sight,
    st.floats(900, 2500),
    PROCESSES,
    st.frozensets(st.sampled_from(["c/1", "s/7"])),
    st.sampled_from([0.0, 1.0, 15.0]),
    st.none() | st.frozensets(st.sampled_from(["c/1", "s/1"])),
    st.dictionaries(st.sampled_from(["c", "s"]), st.booleans()),
)


@given(st.lists(SIGHTS, min_size=1, max_size=6))
def test_whatever_is_seen_buckets_are_in_order_and_within_what_was_counted(sights):
    memory: Counters | None = None
    for sight in sights:
        counted, memory = count(memory, sight, LANES)
        for lane in (counted.stable, counted.canary):
            values = [lane.buckets[bound] for bound in sorted(lane.buckets)]
            assert values == sorted(values)
            assert all(value >= 0 for value in values)
            assert not isinstance(lane.requests, float | int) or lane.requests >= 0
        assert counted.closed or not isinstance(counted.canary.requests, float | int)
