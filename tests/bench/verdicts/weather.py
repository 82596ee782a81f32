"""What goes wrong although nobody deployed a bad version: disturbances of load, errors and latency over time.

Each one is a function of the times of the windows and returns factors by rollout and window; where it is random it is
drawn for each rollout anew. The history before a rollout is calm.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LOOK = 15
"""Seconds between two looks: one window."""
MINUTE = 60 // LOOK


def _even() -> Floats:
    return np.ones((1, 1))


def _none() -> Floats:
    return np.zeros((1, 1))


@dataclass(frozen=True, slots=True)
class Clock:
    """When the windows begin, in seconds since the rollout did; the history has negative ones."""

    begins: Floats
    stages: tuple[float, ...]
    """When each stage begins."""

    @property
    def windows(self) -> int:
        return len(self.begins)

    @property
    def history(self) -> int:
        return int((self.begins < 0).sum())


@dataclass(frozen=True, slots=True)
class Weather:
    """Factors by rollout and window; an axis of length 1 stands for "all alike"."""

    load: Floats = field(default_factory=_even)
    errors: Floats = field(default_factory=_even)
    """Of what both lanes fail anyway."""
    canary_errors: Floats = field(default_factory=_even)
    """Of all that the canary fails."""
    broken: Floats = field(default_factory=_none)
    """The least share of its requests that the canary fails."""
    latency: Floats = field(default_factory=_even)
    canary_latency: Floats = field(default_factory=_even)
    cluster: float = 1.0
    """How many errors come together on average."""


Disturbance = Callable[[Clock, np.random.Generator, int], Weather]
"""Of the clock, a source of chance, and how many rollouts."""


def begun(weather: Weather, clock: Clock) -> Weather:
    """Return the weather with a calm history; the canary's own needs no care, it has no traffic there."""
    began = clock.begins >= 0
    both = (weather.load, weather.errors, weather.latency)
    load, errors, latency = (np.where(began, factor, 1.0) for factor in both)
    return replace(weather, load=load, errors=errors, latency=latency)


def calm(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
    return Weather()


def _wave(clock: Clock, chance: np.random.Generator, rollouts: int) -> Floats:
    """Return a sine of 20 minutes that begins anywhere."""
    turn = 2 * np.pi * (clock.begins + LOOK / 2) / 1200
    return np.sin(turn + chance.uniform(0, 2 * np.pi, (rollouts, 1)))


def swing(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
    wave = 1 + 0.7 * _wave(clock, chance, rollouts)
    return Weather(load=wave, errors=wave)


def slow_swing(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
    return Weather(latency=1 + 0.35 * _wave(clock, chance, rollouts))


def both_jump(factor: float, stage: int) -> Disturbance:
    """Both versions fail so many times as often from the beginning of a stage on."""

    def jump(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
        return Weather(errors=np.where(clock.begins >= clock.stages[stage], factor, 1.0)[None, :])

    return jump


def late(factor: float, stage: int) -> Disturbance:
    """The canary alone fails so many times as often from the beginning of a stage on."""

    def begin(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
        return Weather(
            canary_errors=np.where(clock.begins >= clock.stages[stage], factor, 1.0)[None, :]
        )

    return begin


def bursts(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
    """Both versions fail 15 times as often for a minute, once in 20 minutes on average."""
    begun = chance.random((rollouts, clock.windows + MINUTE)) < 1 / (20 * MINUTE)
    within = sum(begun[:, MINUTE - k : MINUTE - k + clock.windows] for k in range(MINUTE)) > 0
    return Weather(errors=np.where(within, 15.0, 1.0))


def cold(factor: float, seconds: float) -> Disturbance:
    """The canary is slower in its first seconds."""

    def warming(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
        young = (clock.begins >= 0) & (clock.begins < seconds)
        return Weather(canary_latency=np.where(young, factor, 1.0)[None, :])

    return warming


def clusters(mean: float) -> Disturbance:
    """A client that fails tries again: errors come together, so many on average (geometric)."""
    return lambda clock, chance, rollouts: Weather(cluster=mean)


def wobble(spread: float) -> Disturbance:
    """The error rate of the canary alone goes up and down each minute (gamma, mean 1, that variation)."""

    def wobbling(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
        minutes = -(-clock.windows // MINUTE)
        factors = chance.gamma(spread**-2, spread**2, (rollouts, minutes))
        return Weather(canary_errors=np.repeat(factors, MINUTE, axis=1)[:, : clock.windows])

    return wobbling


def hiccup(clock: Clock, chance: np.random.Generator, rollouts: int) -> Weather:
    """The canary fails half of its requests during one window, whenever."""
    when = chance.integers(clock.history, clock.windows, (rollouts, 1))
    return Weather(broken=np.where(np.arange(clock.windows) == when, 0.5, 0.0))
