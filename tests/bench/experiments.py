"""Who wins A/B tests of a day, by four ways to decide: `python -m tests.bench.experiments [TESTS PER ROW]`.

Seeded. Looks every five minutes; a daily wave of ±20 %; 10 requests per user, 1 % errors, 5 % slow, CPU per request
wobbles by 5 %; 3 % of the users convert. numpy draws, the product decides; each cell is "winner B / A / none, median
hours". Beside them stands what the rules did in the simulation that they were chosen with, of 400 tests per row.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from strategies.compare import compare
from strategies.experiment import Arm, Assigned, ExperimentPolicy, Pairs, Split, Use, paired, weigh
from strategies.plan import Compare
from strategies.verdict import Look, Sample
from strategies.yardsticks import yardsticks
from tests.bench.figures import percentile, table

TESTS, LOOKS, EVERY = 100, 288, 300.0
REQUESTS, ERRORS, SLOW, CONVERSION, WAVE, WOBBLE = 10, 0.01, 0.05, 0.03, 0.2, 0.05
DAY = LOOKS * EVERY
OPERATIONS = ExperimentPolicy(DAY, business=False)
BUSINESS = ExperimentPolicy(DAY)
EVEN = Split(50)
NOON = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass(frozen=True)
class Truth:
    """How B differs from A, as factors, and what is expected of that."""

    name: str
    users: int
    """Per minute, of both variants."""
    conversion: float = 1.0
    errors: float = 1.0
    slow: float = 1.0
    found: tuple[str, str] = ("", "")
    """Operations only, with conversion."""


TRUTHS = (
    Truth("A = B", 20, found=("0 / 0 / 100, 24.0 h", "0 / 0 / 100, 24.0 h")),
    Truth("A = B", 200, found=("0 / 0 / 100, 24.0 h", "0 / 0 / 100, 24.0 h")),
    Truth("B converts +10 %", 20, 1.1, found=("0 / 0 / 100, 24.0 h", "0.2 / 0 / 100, 24.0 h")),
    Truth("B converts +10 %", 200, 1.1, found=("0 / 0 / 100, 24.0 h", "97.5 / 0 / 2.5, 9.5 h")),
    Truth("B converts −10 %, errors −20 %", 20, 0.9, 0.8, 1, ("8.8 / 0 / 91.2, 24.0 h", "0 / 0 / 100, 24.0 h")),
    Truth("B converts −10 %, errors −20 %", 200, 0.9, 0.8, 1, ("100 / 0 / 0, 4.5 h", "0 / 98.8 / 1.2, 8.3 h")),
    Truth("B errors −20 %, slow −20 %", 20, 1, 0.8, 0.8, ("100 / 0 / 0.5, 10.9 h", "0 / 0 / 100, 24.0 h")),
    Truth("B errors −20 %, slow −20 %", 200, 1, 0.8, 0.8, ("100 / 0 / 0, 1.3 h", "31.5 / 0 / 68.5, 24.0 h")),
    Truth("B errors +20 %", 20, 1, 1.2, found=("0 / 1.8 / 98.2, 24.0 h", "0 / 1.8 / 98.2, 24.0 h")),
    Truth("B errors +20 %", 200, 1, 1.2, found=("0 / 100 / 0, 7.0 h", "0 / 100 / 0, 7.0 h")),
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How one test ended: `""` is nobody."""

    winner: str = ""
    hours: float = DAY / 3600


def drawn(truth, rng):
    """Return the looks of one test: cumulative counts of both variants."""
    wave = 1 + WAVE * np.sin(2 * np.pi * np.arange(LOOKS) / LOOKS)
    rate = truth.users * EVERY / 60 / 2 * wave
    factors = ((1.0, 1.0, 1.0), (truth.conversion, truth.errors, truth.slow))
    arms = [_arms(rate, *each, rng) for each in factors]
    pairs, looks = Pairs(), []
    for index, wobble in enumerate(np.exp(rng.normal(0, WOBBLE, LOOKS))):
        pairs = paired(pairs, EVERY, Use(10.0, 1000.0), Use(10.0 * wobble, 1000.0))
        looks.append(Assigned((index + 1) * EVERY, *(Arm(*arm[index]) for arm in arms), cpu=pairs))
    return looks


def _arms(rate, conversion, errors, slow, rng):
    users = rng.poisson(rate)
    shares = (
        (users, 1, 1),
        (users * REQUESTS, 1, 1),
        (users * REQUESTS, ERRORS, errors),
        (users * REQUESTS, SLOW, slow),
        (users, CONVERSION, conversion),
    )
    counts = [rng.binomial(of, share * factor) for of, share, factor in shares]
    return np.cumsum(counts, axis=1).T.astype(float).tolist()


def sequential(looks, policy):
    """Return how the product's test ends."""
    for look in looks:
        winner = weigh(look, EVEN, policy).winner
        if winner:
            return Ended(winner, look.seconds / 3600)
    return Ended()


def peeking(looks):
    """Return how a test ends that stops at the first p < 0.05 of the conversions."""
    for look in looks:
        a, b = look.a, look.b
        both = (a.converted + b.converted) / (a.assigned + b.assigned)
        error = (both * (1 - both) * (1 / a.assigned + 1 / b.assigned)) ** 0.5
        z = (b.converted / b.assigned - a.converted / a.assigned) / error if error else 0.0
        if abs(z) > 1.96:
            return Ended("B" if z > 0 else "A", look.seconds / 3600)
    return Ended()


def literal(look):
    """Return how the seeds' score ends: slow requests stand for latency, good answers per request for throughput."""
    a, b, cpu = look.a, look.b, np.exp(look.cpu.mean)
    samples = (
        Sample("requests", a.requests, b.requests),
        Sample("error_rate", a.errors / a.requests, b.errors / b.requests),
        Sample("latency_p95", a.slow / a.requests, b.slow / b.requests),
        Sample("rps", 1 - a.errors / a.requests, 1 - b.errors / b.requests),
        Sample("cpu", 1.0, cpu),
    )
    step = Compare(yardsticks(()), int(DAY))
    return Ended(compare(Look(NOON, int(DAY), samples), step).winner)


def shares(ended):
    """Return winner B / A / none in percent."""
    counts = Counter(one.winner for one in ended)
    return " / ".join(f"{100 * counts[name] / len(ended):.3g}" for name in ("B", "A", ""))


def timed(ended):
    """Return the shares and the median hours."""
    return f"{shares(ended)}, {percentile([one.hours for one in ended], 0.5):.1f} h"


def row(truth, tests, seed):
    """Return the figures of one truth."""
    rng = np.random.default_rng(seed)
    ends = []
    for _ in range(tests):
        looks = drawn(truth, rng)
        sequences = [sequential(looks, policy) for policy in (OPERATIONS, BUSINESS)]
        ends.append((literal(looks[-1]), peeking(looks), *sequences))
    seeds, peeks, operations, business = zip(*ends, strict=True)
    head = (str(truth.users), truth.name, shares(seeds), shares(peeks))
    return (*head, timed(operations), truth.found[0], timed(business), truth.found[1])


def main() -> None:
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else TESTS
    rows = [
        (
            "users/min", "truth", "seeds' score", "peeking z",
            "operations only", "expected", "with conversion", "expected",
        )
    ]  # fmt: skip
    rows += [row(truth, tests, seed) for seed, truth in enumerate(TRUTHS, 5)]
    print(table(rows))


if __name__ == "__main__":
    main()
