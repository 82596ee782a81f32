"""A slice of the simulation of verdicts (`python -m tests.bench.verdicts`): fewer rollouts, fixed seeds."""

import numpy as np
import pytest

from strategies.evidence import Policy
from tests.bench.verdicts import reference, weather
from tests.bench.verdicts.counts import HISTORY, STAGES, Scene, Stage, draw
from tests.bench.verdicts.deciding import fails_at, story
from tests.bench.verdicts.extending import LONG, play
from tests.bench.verdicts.limits import NEVER, literal, seed
from tests.bench.verdicts.measures import Figure, Sample, mark, read
from tests.bench.verdicts.playing import judged, portions
from tests.bench.verdicts.rows import TABLES, named
from tests.bench.verdicts.weather import LOOK

TRIPLE = weather.both_jump(3, 2)
SHORT = tuple(Stage(stage.share, 8) for stage in STAGES)
"""Two minutes each, so that the default run stays short."""


def counts(scene, rollouts):
    return draw(scene, rollouts, np.random.default_rng(7))


def delays(scene, rollouts):
    """Seconds until the engine fails each rollout; None where it does not."""
    drawn = counts(scene, rollouts)
    looks = [fails_at(story(drawn, rollout), Policy()) for rollout in range(rollouts)]
    return [None if look == NEVER else look * LOOK for look in looks]


def test_identical_versions_at_100_rps_are_never_rolled_back():
    assert delays(Scene(100, stages=SHORT), 40) == [None] * 40


def test_ten_points_more_errors_at_100_rps_are_found_within_two_minutes():
    found = delays(Scene(100, worse=0.1), 40)
    assert None not in found
    assert max(found) <= 120


def test_errors_of_both_versions_that_triple_are_not_held_against_the_canary():
    assert delays(Scene(100, weather=TRIPLE, stages=SHORT), 15) == [None] * 15


def test_the_limits_of_the_seeds_roll_back_what_stable_does_too_and_the_repaired_ones_do_not():
    drawn = counts(Scene(100, 0.045), 20)
    assert (seed(drawn) < NEVER).any()
    assert (literal(drawn) == NEVER).all()


def test_a_canary_without_control_is_held_against_what_stable_did_before():
    drawn = counts(Scene(100), 1)
    *_, last = story(drawn, 0).questions
    errors = next(question for question in last if question.name == "errors")
    assert errors.ratio == 0
    assert 0.02 < errors.margin < 0.03


def test_traffic_is_split_as_the_stages_say():
    drawn = counts(Scene(1000), 5)
    canary = drawn.canary.requests.sum(axis=0)
    share = canary / (canary + drawn.stable.requests.sum(axis=0))
    assert not share[:HISTORY].any()
    assert share[HISTORY::20] == pytest.approx([0.05, 0.25, 0.5, 1.0], abs=0.01)


def test_a_portion_is_the_same_whoever_plays_it():
    portion = portions(named("detection"), 2, seed=3)[-1]
    (_, first), (_, second) = judged(portion), judged(portion)
    assert first["seed"].prices.tolist() == second["seed"].prices.tolist()
    assert first["EVIDENCE"].delays.tolist() == second["EVIDENCE"].delays.tolist()


@pytest.mark.parametrize("name", [t.name for tables in TABLES.values() for t in tables])
def test_every_row_has_figures_of_the_reference(name):
    cells = [reference.cells(name, row.label) for row in named(name).rows]
    assert all(cells)
    judged_cells = [cell for row in cells for column, cell in row.items() if "median" not in column]
    assert all(0 <= read(cell).share <= 1 for cell in judged_cells)


@pytest.mark.parametrize(
    ("cell", "sign"),
    [
        ("100 %, 45/60 s, 10 e", ""),
        ("100 %, 30/30 s, 10 e", "▼ "),
        ("100 %, 90/90 s, 10 e", "▲ "),
        ("50 %, 900/— s, 10 e", "▲ "),
    ],
)
def test_a_difference_beyond_the_noise_of_both_is_marked(cell, sign):
    ours = Sample(np.repeat([45.0, 60.0], [90, 10]), np.full(100, 10.0))
    assert mark(ours, read(cell), 100, found=True) == sign


def test_rollbacks_of_the_innocent_are_marked_worse():
    ours = Sample(np.where(np.arange(100) < 20, 60.0, np.inf), np.full(100, 10.0))
    assert mark(ours, Figure(0.0, 0.001), 1000, found=False) == "▼ "


@pytest.mark.sweep
@pytest.mark.parametrize(
    "what",
    [
        weather.calm, weather.swing, TRIPLE, weather.slow_swing, weather.cold(2, 90), weather.cold(3, 60),
        weather.hiccup,
    ],
    ids=["calm", "swing", "triple", "slow swing", "cold", "colder", "hiccup"],
)  # fmt: skip
@pytest.mark.parametrize("rps", [10, 100, 1000])
def test_no_weather_rolls_back_identical_versions(rps, what):
    assert delays(Scene(rps, weather=what), 150) == [None] * 150


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("scene", "within"),
    [
        (Scene(1000, worse=0.1), 45),
        (Scene(1000, worse=0.02), 105),
        (Scene(100, worse=0.02), 600),
        (Scene(100, 0.001, slower=2), 180),
    ],
)
def test_what_is_worse_is_always_found(scene, within):
    found = delays(scene, 150)
    assert None not in found
    assert max(found) <= within


@pytest.mark.sweep
def test_the_policy_completes_what_is_good_and_never_what_is_bad():
    good, bad = (Scene(100, worse=worse, stages=LONG) for worse in (0.0, 0.02))
    ends = [
        {play(drawn, rollout, Policy()).how for rollout in range(40)}
        for drawn in (counts(good, 40), counts(bad, 40))
    ]
    assert ends == [{"completes"}, {"rolls back"}]
