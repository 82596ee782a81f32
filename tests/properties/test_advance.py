"""`advance` against a small world, with everything that people, pods, numbers and crashes can do in between.

The machine below is the reconciler in memory: it observes what `need` asks for, advances, "saves", and writes the
intent, which may land at once, later, never, or be followed by a crash. Whatever the order, the promises hold.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.applying import WRITING
from bot.policy import Actor, Membership, allow
from bot.rollout import advance
from bot.rollout.acts import WrongStateError, adopt, extend, go_back, keep, pause, resume
from bot.rollout.gates import vote
from bot.rollout.intents import fence_of, intent_state
from bot.rollout.pace import need, wake_at
from bot.rollout.part import SmokeResult, Trouble
from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rollout, Rules
from bot.rollout.wanted import PutFleet, PutLane, PutWeight
from integrations.base import FleetState, HeaderRule, Lane, LaneState, Split
from strategies import compile_plan
from strategies.plan import Check, Replace, Rule, SetWeight, SmokeTest, Switch, Watch
from strategies.request import Request
from strategies.verdict import Look, Sample

OLD, NEW, OTHER = "repo/app:v1", "repo/app:v2", "repo/app:v9"
FORWARD = {Phase.RUNNING, Phase.WAITING, Phase.PAUSED}


@dataclass
class Pods:
    image: str
    replicas: int
    ready: int


def lane_state(pods: Pods) -> LaneState:
    settled = pods.ready == pods.replicas
    return LaneState(pods.image, pods.replicas, pods.ready, settled, token="1")


@dataclass
class Instances:
    """One place whose instances move; those that were told to are ready when they settle."""

    image: str
    total: int
    there: dict[str, int]
    pending: int = 0
    careful: bool = False
    """New ones come first; old ones leave for those that are there, which takes the same word again."""

    def told(self, intent: PutFleet) -> None:
        self.image = intent.image
        if intent.replicas is not None:
            self.total = intent.replicas
        moved = self.there.get(intent.image, 0)
        wanted = self.total if intent.count is None else min(intent.count, self.total)
        if self.total == 0:
            self.there, self.pending = {}, 0
            return
        # Old ones leave at once, new ones come when they settle: the worst that a controller does.
        others = {image: n for image, n in self.there.items() if image != intent.image}
        left = min(
            sum(others.values()), self.total - (min(moved, wanted) if self.careful else wanted)
        )
        self.pending = max(0, wanted - moved)
        self.there = {intent.image: min(moved, wanted)} | _first(others, left)
        self.there = {image: n for image, n in self.there.items() if n}

    def scale(self, total: int) -> None:
        """Have another number of instances: more of the newest, or fewer, those on their way first."""
        self.pending += max(0, total - self.total)
        gone, self.total = max(0, self.total - total), total
        starting = min(gone, self.pending)
        self.pending, gone = self.pending - starting, gone - starting
        for image in sorted(self.there, key=lambda one: one == self.image):
            left = min(gone, self.there[image])
            self.there[image], gone = self.there[image] - left, gone - left
        self.there = {image: n for image, n in self.there.items() if n}

    def settle(self) -> None:
        if self.pending:
            self.there[self.image] = self.there.get(self.image, 0) + self.pending
            self.pending = 0

    def seen(self, fence: str) -> FleetState:
        moved = self.there.get(self.image, 0)
        old = sum(self.there.values()) - moved
        settled = not self.pending and not old and moved == self.total
        again = self.careful and old > 0 and moved + old > self.total
        return FleetState(
            self.image, self.total, moved, self.pending, old, moved + old, settled, "1", fence,
            again=again,
        )  # fmt: skip


def _first(others: dict[str, int], left: int) -> dict[str, int]:
    """The first `left` of the instances that run other versions."""
    kept = {}
    for image, n in others.items():
        kept[image] = min(n, left)
        left -= kept[image]
    return kept


class Walk(RuleBasedStateMachine):
    @initialize(
        steps=st.sampled_from([(100.0,), (5.0, 100.0), (10.0, 50.0, 100.0)]),
        approvals=st.integers(0, 2),
        retention=st.sampled_from([0, 90]),
        strategy=st.sampled_from(
            ["canary", "direct", "recreate", "rolling", "blue-green", "ab-test"]
        ),
        shape=st.sampled_from(["fixed", "fixed", "swap", "one"]),
        on_expiry=st.sampled_from(["hold", "rollback"]),
        batch=st.sampled_from(["25%", "50%", 1, 3]),
        undo=st.sampled_from(["all", "failed-batch", "none"]),
        winner=st.sampled_from(["auto", "manual"]),
        audience=st.booleans(),
        careful=st.booleans(),
    )
    def request(
        self, steps, approvals, retention, strategy, shape, on_expiry, batch, undo, winner, audience,
        careful,
    ):  # fmt: skip
        self.now = datetime(2026, 11, 21, tzinfo=UTC)
        approvers = ("U0ANA", "U0BEN") if approvals else ()
        if shape == "one" and strategy in {"blue-green", "ab-test"}:
            strategy = "rolling"
        matches = audience and shape != "one" and strategy in {"canary", "ab-test"}
        plan = compile_plan(
            Request(
                "app", "production", "v2", strategy, steps, (60,) * len(steps),
                checks=(Check("error_rate", above=5),), min_requests=10, approvals=approvals,
                approvers=approvers, gate_expires=600, on_expiry=on_expiry, retention=retention,
                lanes=shape, batch=batch, batch_delay=60, batch_rollback=undo, max_concurrent=2,
                winner=winner, test_duration=60, smoke=(SmokeTest("http://{env}.app/health"),),
                match=(Rule("x-canary", equals="true"),) if matches else (),
            )
        )  # fmt: skip
        rules = Rules(approvals, approvers, 600, on_expiry)
        self.row = Rollout(
            "r-1", "app", "production", "v2", plan, "U0DANA", self.now, 1, rules, lanes=shape
        )
        self.shape, self.smoking = shape, True
        self.fleet = Instances(OLD, 4, {OLD: 4}, careful=careful)
        self.rules: tuple[HeaderRule, ...] = ()
        self.pods = {Lane.STABLE: Pods(OLD, 4, 4), Lane.CANARY: Pods(OLD, 0, 0)}
        self.weight, self.fence = 0.0, ""
        self.errors: float | None = 0.2
        self.looked = None
        self.late: list[tuple[float, tuple[HeaderRule, ...], str]] = []
        self.raised_after_rollback = False
        self.foreign = False
        self.down = False
        self.gates: dict[str, int] = {}
        self.turns()

    # ---- the reconciler in memory -------------------------------------------------------------------------------

    def observe(self) -> Seen:
        wanted = need(self.row, self.now, self.looked)
        if self.down and (wanted.split or wanted.lanes or wanted.inspect or wanted.fleet):
            return Seen(self.now, trouble=Trouble("unreachable", "It is down.", self.now))
        look = None
        if wanted.window:
            self.looked = self.now
            look = self.look(wanted.window)
        lanes = {lane: lane_state(pods) for lane, pods in self.pods.items()}
        url = "http://canary.app/health"
        return Seen(
            self.now,
            split=Split(self.weight, "1", self.fence, rules=self.rules) if wanted.split else None,
            fleet=self.fleet.seen(self.fence) if wanted.fleet else None,
            smoke=(SmokeResult(url, self.smoking, "answered"),) if wanted.smoke else None,
            lanes=lanes if wanted.lanes else None,
            findings=() if wanted.inspect else None,
            look=look,
            image=NEW,
        )

    def look(self, window: int) -> Look:
        samples = (
            Sample("requests", 1000.0, None if self.errors is None else 1000.0),
            Sample("error_rate", 0.2, self.errors),
        )
        return Look(self.now, window, samples)

    def save(self, after: Rollout) -> None:
        before = self.row
        self.check_transition(before, after)
        self.row = replace(after, revision=before.revision + 1, news=())

    def turns(self, *, crash: bool = False, late: bool = False) -> None:
        for _ in range(30):
            seen = self.observe()
            after = advance(self.row, seen)
            assert advance(self.row, seen) == after, "the same sight gives the same answer"
            changed = after != self.row
            if changed:
                self.save(after)
            if crash:
                return
            if seen.trouble is not None or not (self.write(seen, late=late) or changed):
                return
        raise AssertionError("it never comes to rest")

    def write(self, seen: Seen, *, late: bool) -> bool:
        r = self.row
        if r.phase not in WRITING or r.intent is None:
            return False
        if intent_state(r, seen) != "pending":
            return False
        match r.intent:
            case PutWeight(percent=percent, rules=rules) if seen.split is not None:
                named = tuple(HeaderRule(x.header, x.equals, x.regex, x.present) for x in rules)
                if late:
                    self.late.append((percent, named, r.fence))
                    return False
                self.put_weight(percent, named, r.fence)
            case PutFleet() as intent if seen.fleet is not None:
                self.put_fleet(intent, r.fence)
            case PutLane(lane=lane, image=image, replicas=replicas) if seen.lanes is not None:
                self.put_lane(lane, image, replicas)
            case _:
                return False
        return True

    def put_fleet(self, intent: PutFleet, fence: str) -> None:
        if fence_of(fence) < fence_of(self.fence):
            return
        if self.row.phase is Phase.ROLLING_BACK:
            assert intent.image == OLD, "I2: going back moves nothing to the new version"
        self.fleet.told(intent)
        self.fence = fence

    def put_weight(self, percent: float, rules: tuple[HeaderRule, ...], fence: str) -> None:
        if fence_of(fence) < fence_of(self.fence):
            return  # the object carries a newer decision: the adapter refuses
        going_up = percent > self.weight
        assert not going_up or self.pods[Lane.CANARY].ready > 0, "traffic to a canary without pods"
        if going_up and self.row.phase is Phase.ROLLING_BACK:
            self.raised_after_rollback = True
        if percent < self.weight and not self.forced:
            assert self.pods[Lane.STABLE].ready > 0, "traffic to a stable lane without pods"
        self.weight, self.rules, self.fence = percent, rules, fence

    @property
    def forced(self) -> bool:
        return self.row.back is not None and self.row.back.force

    def put_lane(self, lane: Lane, image: str, replicas: int) -> None:
        pods = self.pods[lane]
        carries = self.weight > 0 if lane is Lane.CANARY else self.weight < 100
        stops = self.row.in_place and isinstance(self.row.step, Replace)
        assert replicas >= pods.replicas or not carries or stops, "a lane with traffic lost pods"
        if lane is Lane.STABLE and image != pods.image and not self.foreign:
            assert self.weight in {0.0, 100.0}
        ready = pods.ready if image == pods.image else 0
        self.pods[lane] = Pods(image, replicas, min(ready, replicas))

    # ---- what happens -------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 30, 61, 700]))
    def time_passes(self, seconds):
        end = self.now + timedelta(seconds=seconds)
        for _ in range(400):
            due = wake_at(self.row, self.now, self.looked)
            if due is None or due > end:
                break
            assert due >= self.now
            self.now = max(due, self.now + timedelta(milliseconds=100))
            self.turns()
        self.now = max(end, self.now)

    @rule()
    def pods_get_ready(self):
        for pods in self.pods.values():
            pods.ready = pods.replicas
        self.fleet.settle()
        self.turns()

    @rule(well=st.sampled_from([True, True, False]))
    def smoke_tests_pass_or_fail(self, well):
        self.smoking = well

    @rule()
    def a_write_is_on_its_way(self):
        self.turns(late=True)

    @rule()
    def writes_land_late(self):
        for percent, rules, fence in self.late:
            if fence_of(fence) >= fence_of(self.fence):
                self.weight, self.rules, self.fence = percent, rules, fence
        self.late.clear()
        self.turns()

    @rule()
    def the_process_dies_after_saving(self):
        self.turns(crash=True)
        self.looked = None

    @rule(errors=st.sampled_from([0.2, 0.2, 0.2, 0.2, 0.2, 40.0, None]))
    def numbers_change(self, errors):
        self.errors = errors

    @rule(down=st.sampled_from([True, False, False]))
    def the_target_is_out_of_reach(self, down):
        self.down = down

    @precondition(lambda self: self.row.gate is not None and self.row.gate.kind == "winner")
    @rule()
    def somebody_keeps_a(self):
        self.save(keep(self.row, "U0OLU", "", self.now))
        self.turns()

    @precondition(lambda self: self.row.armed is not None and self.row.phase in FORWARD)
    @rule(weight=st.sampled_from([0.0, 30.0]))
    def somebody_edits_the_weights(self, weight):
        if self.pods[Lane.CANARY].ready or weight == 0:
            self.weight, self.foreign = weight, True

    @precondition(lambda self: self.shape == "one" and self.row.phase in FORWARD)
    @rule(image=st.sampled_from([OLD, OTHER]), whim=st.integers(0, 2))
    def somebody_sets_an_image(self, image, whim):
        if self.row.armed is not None and not whim:
            self.fleet.told(PutFleet(image, self.now, 0))

    @precondition(lambda self: self.shape == "one" and self.fleet.total > 0)
    @rule(total=st.sampled_from([2, 4, 7]))
    def an_autoscaler_goes_on(self, total):
        self.fleet.scale(total)

    @precondition(lambda self: self.row.gate is not None)
    @rule(person=st.sampled_from(["U0ANA", "U0BEN", "U0DANA", "U0EVE"]))
    def somebody_promotes(self, person):
        decision = allow(Actor(person, "slack"), "promote", self.row, Membership())
        if decision.allowed:
            if self.row.gate.groups:
                assert person in {"U0ANA", "U0BEN"}, "I12: not an approver"
            self.save(vote(self.row, person, self.now))
            self.turns()

    @rule(act=st.sampled_from(["pause", "resume", "resume", "adopt", "extend"]))
    def somebody_steers(self, act):
        with suppress(WrongStateError):
            match act:
                case "pause":
                    self.save(pause(self.row, "U0OLU", "", self.now))
                case "resume":
                    self.save(resume(self.row, "U0OLU", self.now))
                case "adopt":
                    self.save(adopt(self.row, "U0OLU", self.now))
                case "extend":
                    self.save(extend(self.row, "U0OLU", 120, self.now))
            self.turns()

    @rule(times=st.integers(1, 3))
    def it_goes_well_for_a_while(self, times):
        for _ in range(times):
            self.pods_get_ready()
            self.time_passes(61)
            for person in ("U0ANA", "U0BEN"):
                if self.row.gate is not None and self.row.phase is Phase.WAITING:
                    self.somebody_promotes(person)

    @rule(force=st.booleans(), whim=st.integers(0, 5))
    def somebody_rolls_back(self, force, whim):
        final = self.row.phase.final
        if whim:
            return
        with suppress(WrongStateError):
            self.save(go_back(self.row, "U0OLU", "", self.now, force=force))
            assert not final
            self.turns()

    # ---- what must hold -----------------------------------------------------------------------------------------

    def check_transition(self, before: Rollout, after: Rollout) -> None:
        assert not before.phase.final or before.phase is after.phase, "final rows never reopen"
        if before.phase is Phase.ROLLING_BACK:
            back = {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.NEEDS_ATTENTION, Phase.CANCELLED}
            assert before.back is not None
            back |= {Phase.SUCCEEDED} if before.back.lost else set()
            back |= {Phase.PAUSED} if before.back.partial else set()
            assert after.phase in back, "rollback is absorbing"
        batch = before.plan.repeated
        assert after.cursor >= before.cursor or after.cursor == batch, "the cursor never goes back"
        if isinstance(after.intent, PutWeight) and after.intent != before.intent:
            self.check_weight_intent(before, after)
        for gate in {c.id for c in after.closed} - {c.id for c in before.closed}:
            self.gates[gate] = self.gates.get(gate, 0) + 1
            assert self.gates[gate] == 1, "I4: a gate closes once"
        left = before.cursor != after.cursor and after.phase is Phase.RUNNING
        if left and isinstance(before.step, Watch) and before.gate is None:
            assert self.errors is not None, "I10: unknown metrics advanced"
            assert before.progress.seconds(self.now) >= 60, "I11: the soak was cut short"

    def check_weight_intent(self, before: Rollout, after: Rollout) -> None:
        percent = after.intent.percent
        if after.phase is Phase.ROLLING_BACK:
            assert after.back is not None
            home = after.batch_began if after.back.partial else 0
            assert percent == home, "going back goes home"
        elif after.phase is Phase.RUNNING and isinstance(after.step, SetWeight | Switch):
            # What somebody else wrote and a person kept is smaller than what the plan had reached.
            kept = {after.weight} if after.weight < before.weight else set()
            weights = {0.0, *after.plan.weights, *kept}
            assert percent in weights, "I3: weights are those of the plan"
            assert kept or percent >= before.weight, "I3: forward weights only rise"

    @invariant()
    def no_weight_is_raised_after_a_rollback_was_recorded(self):
        assert not self.raised_after_rollback  # I2

    @invariant()
    def the_end_is_what_it_says(self):
        if self.shape == "one":
            self.the_instances_are_what_it_says()
        elif self.row.phase is Phase.SUCCEEDED and self.row.winner == "A":
            assert self.weight == 0
            assert self.pods[Lane.STABLE].image == OLD
            assert self.pods[Lane.CANARY].replicas == 0
        elif self.shape == "swap" and self.row.phase is Phase.SUCCEEDED and not self.row.in_place:
            assert self.weight == 100
            assert self.pods[Lane.CANARY].image == NEW
            assert self.row.retire_at is not None or self.pods[Lane.STABLE].replicas == 0
        else:
            self.the_lanes_are_what_it_says()
        if self.row.phase.final:
            assert self.rules == (), "an audience outlived its rollout"

    def the_instances_are_what_it_says(self):
        if self.row.phase is Phase.ROLLED_BACK:
            assert (set(self.fleet.there), self.fleet.image) == ({OLD}, OLD)
        if self.row.phase is Phase.SUCCEEDED:
            assert (set(self.fleet.there), self.fleet.image) == ({NEW}, NEW)

    def the_lanes_are_what_it_says(self):
        if self.row.phase is Phase.ROLLED_BACK:  # I5
            assert self.weight == 0
            assert self.pods[Lane.STABLE].image == OLD
            assert (self.pods[Lane.CANARY].image, self.pods[Lane.CANARY].replicas) == (OLD, 0)
        if self.row.phase is Phase.SUCCEEDED:
            assert self.weight == 0
            assert self.pods[Lane.STABLE].image == NEW
            assert self.pods[Lane.STABLE].ready > 0
            assert self.pods[Lane.CANARY].replicas == 0

    @invariant()
    def a_live_row_has_a_next_look_or_a_gate(self):
        if not self.row.phase.final:  # I9
            due = wake_at(self.row, self.now, self.looked)
            assert due is not None
            assert due <= self.now + timedelta(days=1)

    @invariant()
    def a_gate_is_open_only_while_waiting(self):
        assert (self.row.gate is not None) == (self.row.phase is Phase.WAITING)

    def teardown(self):
        """I16: with all faults healed, and one person who wants it back, the world comes home."""
        if not hasattr(self, "row"):
            return
        self.down, self.errors, self.smoking = False, 0.2, True
        with suppress(WrongStateError):
            self.save(go_back(self.row, "U0OLU", "", self.now))
        for _ in range(6):
            self.pods_get_ready()
            self.time_passes(61)
        if self.shape == "one" and self.fleet.image == OTHER and not self.row.phase.final:
            assert self.row.phase is Phase.NEEDS_ATTENTION, "another's version is left to a person"
            return
        assert self.row.phase.final
        self.the_end_is_what_it_says()


Walk.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_every_walk_keeps_the_promises = Walk.TestCase
