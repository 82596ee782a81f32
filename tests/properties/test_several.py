"""`advance` over two targets, with everything that may happen to each of them: the promises hold for both.

The machine is the one of a single target, once for the row and once for each target's world.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.applying import WRITING
from bot.rollout import advance
from bot.rollout.acts import WrongStateError, adopt, go_back, pause, resume
from bot.rollout.gates import vote
from bot.rollout.intents import fence_of, intent_state
from bot.rollout.pace import need, wake_at
from bot.rollout.part import Part, SmokeResult, Trouble
from bot.rollout.parts import summed, view
from bot.rollout.seen import Need, Seen
from bot.rollout.values import Phase, Rollout, Rules
from bot.rollout.wanted import PutFleet, PutLane, PutWeight
from integrations.base import Lane, Split
from strategies import compile_plan
from strategies.plan import Check
from strategies.request import Request
from strategies.verdict import Look, Sample
from tests.properties.test_advance import NEW, OLD, Instances, Pods, lane_state

FORWARD = {Phase.RUNNING, Phase.WAITING, Phase.PAUSED}
NAMES = ("us", "eu", "ap")


@dataclass
class Place:
    """One target's world."""

    pods: dict[Lane, Pods] = field(
        default_factory=lambda: {Lane.STABLE: Pods(OLD, 4, 4), Lane.CANARY: Pods(OLD, 0, 0)}
    )
    fleet: Instances = field(default_factory=lambda: Instances(OLD, 4, {OLD: 4}))
    weight: float = 0.0
    fence: str = ""
    errors: float | None = 0.2
    down: bool = False
    flag: bool = False
    late: list[tuple[float, str]] = field(default_factory=list)

    def settle(self) -> None:
        for pods in self.pods.values():
            pods.ready = pods.replicas
        self.fleet.settle()


def flag() -> Place:
    """A flag that goes along: its values are always there, and it has no numbers."""
    return Place(
        {Lane.STABLE: Pods("off", 1, 1), Lane.CANARY: Pods("on", 1, 1)}, errors=None, flag=True
    )


class Walk(RuleBasedStateMachine):
    @initialize(
        places=st.integers(2, 3),
        steps=st.sampled_from([(100.0,), (5.0, 50.0, 100.0)]),
        approvals=st.integers(0, 1),
        strategy=st.sampled_from(["canary", "direct", "recreate", "rolling", "blue-green"]),
        shape=st.sampled_from(["fixed", "fixed", "swap", "one"]),
        flagged=st.booleans(),
        undo=st.sampled_from(["all", "failed-batch", "none"]),
    )
    def request(self, places, steps, approvals, strategy, shape, undo, flagged):
        self.now = datetime(2026, 11, 21, tzinfo=UTC)
        if shape == "one" and strategy == "blue-green":
            strategy = "rolling"
        flagged = flagged and shape != "one"
        if flagged and strategy == "recreate":
            strategy = "direct"
        approvers = ("U0ANA",) if approvals else ()
        plan = compile_plan(
            Request(
                "app", "production", "v2", strategy, steps, (60,) * len(steps),
                checks=(Check("error_rate", above=5),), min_requests=10, approvals=approvals,
                approvers=approvers, gate_expires=600, lanes=shape, batch="50%", batch_delay=60,
                batch_rollback=undo, max_concurrent=4, retention=60, has_instances=not flagged,
            )
        )  # fmt: skip
        self.places = {name: Place() for name in NAMES[:places]}
        if flagged:
            self.places[NAMES[places - 1]] = flag()
        self.row = Rollout(
            "r-1", "app", "production", "v2", plan, "U0DANA", self.now, 1,
            Rules(approvals, approvers, 600, "hold"), lanes=shape,
            parts=tuple(
                Part(name, to="on", lanes="swap", unwatched=True) if place.flag else Part(name)
                for name, place in self.places.items()
            ),
        )  # fmt: skip
        self.looked = None
        self.foreign = False
        self.turns()

    # ---- the reconciler in memory -----------------------------------------------------------------------------------

    def observe(self) -> Seen:
        wanted = need(self.row, self.now, self.looked)
        parts = {name: self.sight(name, one) for name, one in wanted.parts.items()}
        if any(one.look for one in parts.values()):
            self.looked = self.now
        return Seen(self.now, parts=parts)

    def sight(self, name: str, wanted: Need) -> Seen:
        place = self.places[name]
        reads = wanted.split or wanted.lanes or wanted.inspect or wanted.fleet
        if place.down and reads:
            return Seen(self.now, trouble=Trouble("unreachable", "It is down.", self.now))
        lanes = {lane: lane_state(pods) for lane, pods in place.pods.items()}
        if place.flag:
            assert not wanted.window, "a flag without numbers is never asked for any"
            lanes = {
                lane: replace(one, counted=False, standing=True) for lane, one in lanes.items()
            }
        samples = (
            Sample("requests", 1000.0, None if place.errors is None else 1000.0),
            Sample("error_rate", 0.2, place.errors),
        )
        return Seen(
            self.now,
            split=Split(place.weight, "1", place.fence) if wanted.split else None,
            fleet=place.fleet.seen(place.fence) if wanted.fleet else None,
            smoke=(SmokeResult("http://x", True, "answered"),) if wanted.smoke else None,
            lanes=lanes if wanted.lanes else None,
            findings=() if wanted.inspect else None,
            look=Look(self.now, wanted.window, samples) if wanted.window else None,
            image="on" if place.flag else NEW,
        )

    def save(self, after: Rollout) -> None:
        before = self.row
        assert not before.phase.final or before.phase is after.phase, "final rows never reopen"
        if before.phase is Phase.ROLLING_BACK:
            back = {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.NEEDS_ATTENTION, Phase.CANCELLED}
            assert before.back is not None
            back |= {Phase.PAUSED} if before.back.partial else set()
            assert after.phase in back, "rollback is absorbing"
        self.in_order(after)
        if not after.phase.final and after.armed is not None:
            assert replace(summed(after), look=None) == replace(after, look=None), "sums up"
        self.row = replace(after, revision=before.revision + 1, news=())

    def in_order(self, after: Rollout) -> None:
        """Forward, no target is ahead of the one before it."""
        repeats = after.plan.repeated is not None
        if after.phase is not Phase.RUNNING or self.foreign or repeats or after.lanes == "one":
            return
        if not any(part.stable_touched for part in after.parts):
            weights = [part.weight for part in after.parts]
            assert weights == sorted(weights, reverse=True), "forward goes in order"

    def turns(self, *, crash: bool = False, late: bool = False) -> None:
        for _ in range(60):
            seen = self.observe()
            after = advance(self.row, seen)
            assert advance(self.row, seen) == after, "the same sight gives the same answer"
            changed = after != self.row
            if changed:
                self.save(after)
            if crash:
                return
            blind = any(one.trouble for one in seen.parts.values())
            if blind and self.row.phase is not Phase.ROLLING_BACK:
                return
            wrote = [
                self.write(part, seen.parts[part.name], late=late)
                for part in self.row.parts
                if part.name in seen.parts
            ]
            if not any(wrote) and (blind or not changed):
                return
        raise AssertionError("it never comes to rest")

    def write(self, part: Part, seen: Seen, *, late: bool) -> bool:
        r, place = view(self.row, part), self.places[part.name]
        if r.phase not in WRITING or r.intent is None or place.down:
            return False
        if intent_state(r, seen) != "pending":
            return False
        match r.intent:
            case PutWeight(percent=percent) if seen.split is not None:
                if late:
                    place.late.append((percent, r.fence))
                    return False
                self.put_weight(place, percent, r.fence)
            case PutFleet() as intent if seen.fleet is not None:
                if fence_of(r.fence) >= fence_of(place.fence):
                    going_back = self.row.phase is Phase.ROLLING_BACK
                    assert not going_back or intent.image == OLD, "I2"
                    place.fleet.told(intent)
                    place.fence = r.fence
            case PutLane(lane=lane, image=image, replicas=replicas) if seen.lanes is not None:
                assert not place.flag, "nothing is started where everything is always there"
                ready = place.pods[lane].ready if image == place.pods[lane].image else 0
                place.pods[lane] = Pods(image, replicas, min(ready, replicas))
            case _:
                return False
        return True

    def put_weight(self, place: Place, percent: float, fence: str) -> None:
        if fence_of(fence) < fence_of(place.fence):
            return
        up = percent > place.weight
        assert not up or place.pods[Lane.CANARY].ready > 0, "traffic to a canary without pods"
        assert not (up and self.row.phase is Phase.ROLLING_BACK), "I2: raised after a rollback"
        if percent < place.weight:
            assert place.pods[Lane.STABLE].ready > 0, "traffic to a stable lane without pods"
        place.weight, place.fence = percent, fence

    # ---- what happens -----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([5, 61, 700]))
    def time_passes(self, seconds):
        end = self.now + timedelta(seconds=seconds)
        for _ in range(500):
            due = wake_at(self.row, self.now, self.looked)
            if due is None or due > end:
                break
            assert due >= self.now
            self.now = max(due, self.now + timedelta(milliseconds=100))
            self.turns()
        self.now = max(end, self.now)

    @rule(name=st.sampled_from(NAMES))
    def pods_get_ready(self, name):
        if name in self.places:
            self.places[name].settle()
            self.turns()

    @rule(times=st.integers(1, 8))
    def it_goes_well_for_a_while(self, times):
        for _ in range(times):
            for place in self.places.values():
                place.settle()
            self.time_passes(61)
            if self.row.gate is not None and self.row.phase is Phase.WAITING:
                self.save(vote(self.row, "U0ANA", self.now))
                self.turns()

    @rule()
    def a_write_is_on_its_way(self):
        self.turns(late=True)

    @rule()
    def writes_land_late(self):
        for place in self.places.values():
            for percent, fence in place.late:
                if fence_of(fence) >= fence_of(place.fence):
                    place.weight, place.fence = percent, fence
            place.late.clear()
        self.turns()

    @rule()
    def the_process_dies_after_saving(self):
        self.turns(crash=True)
        self.looked = None

    @rule(name=st.sampled_from(NAMES), errors=st.sampled_from([0.2, 0.2, 0.2, 40.0, None]))
    def numbers_change(self, name, errors):
        if name in self.places:
            self.places[name].errors = errors

    @rule(name=st.sampled_from(NAMES), down=st.booleans())
    def a_target_is_out_of_reach(self, name, down):
        if name in self.places:
            self.places[name].down = down

    @precondition(lambda self: self.row.armed is not None and self.row.phase in FORWARD)
    @rule(name=st.sampled_from(NAMES), weight=st.sampled_from([0.0, 30.0]))
    def somebody_edits_the_weights(self, name, weight):
        place = self.places.get(name)
        if place is not None and (weight == 0 or place.pods[Lane.CANARY].ready):
            place.weight, self.foreign = weight, True

    @rule(act=st.sampled_from(["pause", "resume", "resume", "adopt"]))
    def somebody_steers(self, act):
        with suppress(WrongStateError):
            match act:
                case "pause":
                    self.save(pause(self.row, "U0OLU", "", self.now))
                case "resume":
                    self.save(resume(self.row, "U0OLU", self.now))
                case "adopt":
                    self.save(adopt(self.row, "U0OLU", self.now))
            self.turns()

    @rule(whim=st.integers(0, 4))
    def somebody_rolls_back(self, whim):
        with suppress(WrongStateError):
            if not whim:
                self.save(go_back(self.row, "U0OLU", "", self.now))
                self.turns()

    # ---- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def the_end_is_the_same_everywhere(self):
        if self.row.phase not in {Phase.SUCCEEDED, Phase.ROLLED_BACK}:
            return
        runs = NEW if self.row.phase is Phase.SUCCEEDED else OLD
        for place in self.places.values():
            if self.row.lanes == "one":
                assert (set(place.fleet.there), place.fleet.image) == ({runs}, runs)
                continue
            swaps = place.flag or self.row.lanes == "swap"
            swapped = swaps and runs == NEW and not self.row.in_place
            assert place.weight == (100 if swapped else 0)
            serving = place.pods[Lane.CANARY if swapped else Lane.STABLE]
            live = {OLD: "off", NEW: "on"}[runs] if place.flag else runs
            assert (serving.image, serving.ready > 0) == (live, True)

    @invariant()
    def a_live_row_has_a_next_look_or_a_gate(self):
        if not self.row.phase.final:
            due = wake_at(self.row, self.now, self.looked)
            assert due is not None
            assert due <= self.now + timedelta(days=1)

    @invariant()
    def a_gate_is_open_only_while_waiting(self):
        assert (self.row.gate is not None) == (self.row.phase is Phase.WAITING)

    def teardown(self):
        """With all faults healed, and one person who wants it back, every target comes home."""
        if not hasattr(self, "row"):
            return
        for place in self.places.values():
            place.down, place.errors = False, 0.2
        with suppress(WrongStateError):
            self.save(go_back(self.row, "U0OLU", "", self.now))
        for _ in range(6):
            for place in self.places.values():
                place.settle()
            self.time_passes(61)
        assert self.row.phase.final
        self.the_end_is_the_same_everywhere()


Walk.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_every_walk_over_several_targets_keeps_the_promises = Walk.TestCase


def test_a_batch_that_goes_back_alone_gets_nothing_that_somebody_took_from_it():
    walk = Walk()
    walk.request(
        places=3,
        approvals=0,
        flagged=False,
        undo="failed-batch",
        strategy="rolling",
        steps=(100.0,),
        shape="fixed",
    )
    walk.pods_get_ready(name="eu")
    walk.it_goes_well_for_a_while(times=7)
    walk.a_write_is_on_its_way()
    walk.somebody_edits_the_weights(name="eu", weight=0.0)
    walk.numbers_change(errors=40.0, name="us")
    walk.a_write_is_on_its_way()
    walk.somebody_edits_the_weights(name="us", weight=0.0)
    walk.it_goes_well_for_a_while(times=1)
    assert walk.places["us"].weight == 0
