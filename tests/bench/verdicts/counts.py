"""Draws what both lanes count in each window: requests, errors, and requests by bucket of the latency histogram.

Poisson arrivals, binomial errors, log-normal latency. The 30 minutes before the rollout are the first windows; the
canary has no share of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.verdicts.weather import LOOK, Clock, Disturbance, Floats, Weather, begun, calm

Ints = NDArray[np.int64]

PYTHON = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
GO = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds that the Prometheus clients of these languages have by default."""
HISTORY = 30 * 60 // LOOK


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of the traffic (a fraction), and for how many looks."""

    share: float
    looks: int


STAGES = tuple(Stage(share, 20) for share in (0.05, 0.25, 0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rollouts of one row have in common."""

    rps: float
    base: float = 0.01
    """Share of errors of both versions."""
    worse: float = 0.0
    """What the canary fails additionally, as a share of its requests."""
    slower: float = 1.0
    """Factor on the canary's latency."""
    weather: Disturbance = calm
    stages: tuple[Stage, ...] = STAGES
    median: float = 0.1
    sigma: float = 0.6
    buckets: tuple[float, ...] = PYTHON


@dataclass(frozen=True, slots=True)
class Lane:
    """Counts by rollout and window; `buckets` not cumulative, the last one unbounded."""

    requests: Ints
    errors: Ints
    buckets: Ints

    def above(self, bounds: tuple[float, ...], bound: float) -> Ints:
        """Return the requests that took longer than a bound of the buckets."""
        return self.buckets[..., bounds.index(bound) + 1 :].sum(axis=-1)

    def of(self, rollout: int, windows: NDArray[np.intp]) -> "Lane":
        """Return one rollout with only some of its windows, still with an axis for rollouts."""
        return Lane(
            *(a[rollout : rollout + 1, windows] for a in (self.requests, self.errors, self.buckets))
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted in many rollouts of one scene. Windows before `HISTORY` come before the rollout."""

    scene: Scene
    stage: Ints
    """By window; -1 before the rollout."""
    canary: Lane
    stable: Lane

    @property
    def rollouts(self) -> int:
        return len(self.canary.requests)

    @property
    def looks(self) -> int:
        return len(self.stage) - HISTORY

    def of(self, rollout: int, windows: NDArray[np.intp]) -> "Counts":
        """Return one rollout with only some of its windows."""
        lanes = (lane.of(rollout, windows) for lane in (self.canary, self.stable))
        return Counts(self.scene, self.stage[windows], *lanes)


def draw(scene: Scene, rollouts: int, chance: np.random.Generator) -> Counts:
    """Return so many rollouts of a scene."""
    stage = np.repeat(np.arange(-1, len(scene.stages)), [HISTORY, *(s.looks for s in scene.stages)])
    starts = np.cumsum([0, *(s.looks for s in scene.stages[:-1])]) * float(LOOK)
    clock = Clock((np.arange(len(stage)) - HISTORY) * float(LOOK), tuple(starts))
    weather = begun(scene.weather(clock, chance, rollouts), clock)
    share = np.array([*(s.share for s in scene.stages), 0.0])[stage][None, :]
    base = scene.base * weather.errors
    worse = np.maximum((base + scene.worse) * weather.canary_errors, weather.broken)
    arrivals = np.broadcast_to(scene.rps * LOOK * weather.load, (rollouts, len(stage)))
    slower = weather.latency * weather.canary_latency * scene.slower
    canary = _lane(scene, weather, arrivals * share, worse, slower, chance)
    stable = _lane(scene, weather, arrivals * (1 - share), base, weather.latency, chance)
    return Counts(scene, stage, canary, stable)


def _lane(
    scene: Scene,
    weather: Weather,
    arrivals: Floats,
    failing: Floats,
    latency: Floats,
    chance: np.random.Generator,
) -> Lane:
    requests = chance.poisson(arrivals)
    failing = np.broadcast_to(np.clip(failing, 0, 1), requests.shape)
    if weather.cluster > 1:
        groups = chance.poisson(requests * failing / weather.cluster)
        more = chance.negative_binomial(np.maximum(groups, 1), 1 / weather.cluster)
        errors = np.minimum(requests, np.where(groups > 0, groups + more, 0))
    else:
        errors = chance.binomial(requests, failing)
    return Lane(requests, errors, chance.multinomial(requests, _shares(scene, latency)))


_erf = np.frompyfunc(math.erf, 1, 1)


def _shares(scene: Scene, latency: Floats) -> Floats:
    """Return which share of the requests falls into each bucket, by rollout and window."""
    bounds = np.log(np.array(scene.buckets) / scene.median) - np.log(latency)[..., None]
    below = 0.5 * (1 + _erf(bounds / (scene.sigma * math.sqrt(2))).astype(float))
    edges = np.zeros((*below.shape[:-1], 1))
    return np.diff(np.concatenate([edges, below, edges + 1], axis=-1), axis=-1)
