"""Pods of one version over hours, minute by minute, drawn from a seed: as a record of them, and as Prometheus kept it.

Latencies are log-normal around 100 ms; `wobble` is how much the error rate of each pod goes up and down by itself.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from integrations.recording import Instance, Step

BOUNDS = (5, 25, 50, 100, 250, 500, 1000, 2500, math.inf)
"""Milliseconds."""
_MEDIAN, _SIGMA = 100.0, 0.6


@dataclass(frozen=True, slots=True)
class Days:
    """What is drawn."""

    pods: int = 6
    minutes: int = 180
    rps: float = 100.0
    """Of all pods together."""
    base: float = 0.01
    wobble: float = 0.0
    hot: float = 1.0
    """How many times as often as the others the first pod fails."""
    late: Mapping[int, int] = field(default_factory=dict)
    """By pod: the minute in which it starts."""
    cold: int = 0
    """Minutes for which a new pod is three times slower."""
    jump: int = 0
    """The minute from which on all pods fail eight times as often; 0: never."""
    seed: int = 1

    def record(self) -> tuple[Instance, ...]:
        chance = np.random.default_rng(self.seed)
        return tuple(self._pod(index, chance) for index in range(self.pods))

    def _pod(self, index: int, chance: np.random.Generator) -> Instance:
        begins = self.late.get(index, 0)
        rates = np.full(self.minutes, self.base * (self.hot if index == 0 else 1))
        if self.wobble:
            rates = rates * chance.gamma(self.wobble**-2, self.wobble**2, self.minutes)
        if self.jump:
            rates[self.jump :] *= 8
        requests = chance.poisson(self.rps * 60 / self.pods, self.minutes)
        errors = chance.binomial(requests, np.minimum(rates, 1.0))
        steps = [
            _step(of, bad, chance, 3.0 if begins and at - begins < self.cold else 1.0)
            if at >= begins
            else None
            for at, (of, bad) in enumerate(zip(requests.tolist(), errors.tolist(), strict=True))
        ]
        return Instance(f"checkout-{index}", tuple(steps), (begins,) if begins else ())


def _step(requests: int, errors: int, chance: np.random.Generator, slower: float) -> Step:
    below = [_below(bound / slower) for bound in BOUNDS]
    counts = chance.multinomial(requests, np.diff(below, prepend=0.0))
    buckets = dict(zip(map(float, BOUNDS), np.cumsum(counts).astype(float).tolist(), strict=True))
    return Step(float(requests), float(errors), buckets)


def _below(ms: float) -> float:
    if math.isinf(ms):
        return 1.0
    return 0.5 * (1 + math.erf(math.log(ms / _MEDIAN) / (_SIGMA * math.sqrt(2))))


def open_metrics(
    record: tuple[Instance, ...], begins: int, job: str, anew: int = 0, unread: range = range(0)
) -> str:
    """Return the counters of the pods from the Unix time `begins` on, a sample a minute, for `promtool`.

    All begin again in the minute `anew`; nobody scrapes in the minutes `unread`.
    """
    counted, timed = [], []
    for pod in record:
        labels = f'job="{job}",instance="{pod.name}:80",pod="{pod.name}"'
        for at, sums in _counters(pod, begins, anew, unread):
            counted += [
                f'http_requests_total{{{labels},status="{status}"}} {sums[status]:g} {at}'
                for status in ("200", "503")
            ]
            timed += [
                f'http_request_duration_seconds_bucket{{{labels},le="{_seconds(bound)}"}} {sums[bound]:g} {at}'
                for bound in BOUNDS
            ]
    return "\n".join(
        [
            "# TYPE http_requests counter",
            *counted,
            "# TYPE http_request_duration_seconds histogram",
            *timed,
            "# EOF\n",
        ]
    )


def _counters(
    pod: Instance, begins: int, anew: int, unread: range
) -> Iterator[tuple[int, dict[object, float]]]:
    nothing: dict[object, float] = dict.fromkeys(["200", "503", *BOUNDS], 0.0)
    sums = dict(nothing)
    for minute, step in enumerate(pod.steps):
        sums = dict(nothing) if anew and minute == anew else sums
        if step is None:
            continue
        sums["200"] += step.requests - (step.errors or 0)
        sums["503"] += step.errors or 0
        for bound in BOUNDS:
            sums[bound] += step.buckets[float(bound)]
        if minute not in unread:
            yield begins + 60 * minute, dict(sums)


def _seconds(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound / 1000:g}"
