"""Whatever a led target shows and whoever says yes when: no order to go on names a pause that was not approved."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rollout import acts, advance, gates
from bot.rollout.part import Armed, LaneMemo
from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutLed
from integrations.controller import LedState
from strategies.plan import Follow, Plan

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
OLD, NEW, OTHER = (f"r/a:{tag}" for tag in ("v1", "v2", "v3"))

STATES = st.builds(
    LedState,
    image=st.sampled_from([OLD, NEW, NEW, NEW, NEW, OTHER]),
    stable=st.sampled_from([OLD, OLD, OLD, NEW]),
    phase=st.sampled_from(["progressing", "paused", "paused", "paused", "healthy", "degraded"]),
    weight=st.sampled_from([0.0, 25.0, 50.0, 100.0]),
    movement=st.sampled_from(["", "m1", "m1", "m1", "m2"]),
    here=st.sampled_from(["a", "b", "c"]),
    stop=st.sampled_from(["", "p1", "p2"]),
    aborted=st.sampled_from([False, False, False, True]),
    held=st.sampled_from([False, False, False, True]),
    fence=st.sampled_from(["", "1.1", "1.9"]),
)
ACTS = st.sampled_from(["look", "look", "look", "vote", "pause", "resume", "rollback"])


def begun(quorum: int) -> Rollout:
    armed = Armed(0.0, LaneMemo(OLD, 0, 0), LaneMemo(OLD, 0, 0), NOW)
    plan = Plan("a", "production", "v2", "canary", (Follow(quorum=quorum),))
    return Rollout(
        "r-1", "a", "production", "v2", plan, "U0DANA", NOW, 1,
        lanes="led", image=NEW, from_version="v1", armed=armed,
    )  # fmt: skip


def done(r: Rollout, act: str, led: LedState, now: datetime) -> Rollout:
    try:
        match act:
            case "vote" if r.gate is not None:
                return gates.vote(r, f"U{len(r.gate.votes)}", now)
            case "pause":
                return acts.pause(r, "U0ANA", "", now)
            case "resume":
                return acts.resume(r, "U0ANA", now)
            case "rollback":
                return acts.go_back(r, "U0ANA", "", now)
    except acts.WrongStateError:
        return r
    return advance(r, Seen(now=now, led=led, findings=()))


@given(
    story=st.lists(st.tuples(ACTS, STATES), min_size=1, max_size=25), quorum=st.sampled_from([1, 2])
)
@settings(max_examples=300, deadline=None)
def test_no_order_names_a_pause_that_was_not_approved(story, quorum):
    r, now, approved = begun(quorum), NOW, set()
    for act, led in story:
        now += timedelta(seconds=5)
        before, r = r, done(r, act, led, now)
        if act == "vote" and before.gate is not None and r.gate is None:
            assert len(before.gate.votes) + 1 == quorum
            approved.add(before.gate.stop)
        if before.gate is not None and r.gate is not None and r.gate.id == before.gate.id:
            assert r.gate.stop == before.gate.stop
        if isinstance(r.intent, PutLed) and r.intent.order == "resume":
            assert r.intent.stop in approved
            assert r.intent.stop
        if act == "look" and r.phase is Phase.WAITING and led.movement:
            assert r.gate is not None
            assert r.gate.stop == led.stop
        if before.phase is Phase.ROLLING_BACK:
            assert r.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.CANCELLED}
        if before.phase.final:
            assert (r.phase, r.intent) == (before.phase, None)
        r = replace(r, revision=r.revision + (r != before), news=())


@given(led=STATES, quorum=st.sampled_from([1, 2]), seconds=st.integers(0, 900))
@settings(max_examples=200, deadline=None)
def test_the_same_sight_twice_changes_nothing_more(led, quorum, seconds):
    now = NOW + timedelta(seconds=seconds)
    r = begun(quorum)
    for _ in range(12):
        after = replace(advance(r, Seen(now=now, led=led, findings=())), news=())
        if after == r:
            return
        r = replace(after, revision=r.revision + 1)
    raise AssertionError(f"it never rests: {r.phase} {r.intent}")
