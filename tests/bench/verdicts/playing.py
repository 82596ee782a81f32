"""Plays the rollouts of a row, in portions that processes can share; the seed of a portion depends on nothing else."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from strategies.evidence import Policy
from tests.bench.verdicts import limits
from tests.bench.verdicts.counts import HISTORY, Counts, Ints, draw
from tests.bench.verdicts.deciding import fails_at, story
from tests.bench.verdicts.extending import Ending, play
from tests.bench.verdicts.measures import Sample
from tests.bench.verdicts.rows import Row, Table, named

PORTION = 50


@dataclass(frozen=True, slots=True)
class Portion:
    """So many rollouts of a row."""

    name: str
    """Of the table: a table itself cannot be sent to another process."""
    row: int
    number: int
    rollouts: int
    seed: int

    @property
    def table(self) -> Table:
        return named(self.name)

    @property
    def about(self) -> Row:
        return self.table.rows[self.row]


def portions(table: Table, rollouts: int, seed: int) -> list[Portion]:
    """Return the work that a table takes."""
    starts = range(0, rollouts, PORTION)
    return [
        Portion(table.name, row, number, min(PORTION, rollouts - start), seed)
        for row in range(len(table.rows))
        for number, start in enumerate(starts)
    ]


def counted(portion: Portion) -> Counts:
    """Return the drawn counts of a portion."""
    key = (portion.seed, crc32(portion.about.label.encode()), crc32(portion.name.encode()))
    return draw(
        portion.about.scene, portion.rollouts, np.random.default_rng((*key, portion.number))
    )


def judged(portion: Portion) -> tuple[Portion, dict[str, Sample]]:
    """Return what each judge of the table says about a portion."""
    counts = counted(portion)
    lane = counts.canary
    sums = np.cumsum(
        (lane.errors if portion.table.unit == "e" else lane.requests)[:, HISTORY:], axis=1
    )
    first = first_looks(counts, portion.table.judges)
    return portion, {judge: Sample.of(looks, sums) for judge, looks in first.items()}


def played(portion: Portion) -> tuple[Portion, list[Ending]]:
    """Return how the rollouts of a portion end under the whole policy."""
    counts = counted(portion)
    return portion, [play(counts, rollout, Policy()) for rollout in range(counts.rollouts)]


def first_looks(counts: Counts, judges: tuple[str, ...]) -> dict[str, Ints]:
    """Return by judge after how many looks each rollout is rolled back, or `NEVER`."""
    said: dict[str, Ints] = {"seed": limits.seed(counts), "peek z": limits.peek(counts)}
    stories = [story(counts, rollout) for rollout in range(counts.rollouts)]
    said["EVIDENCE"] = np.array([fails_at(one, Policy()) for one in stories])
    said["PRODUCT"] = np.minimum(said["EVIDENCE"], limits.literal(counts))
    if "noise 0.5" in judges:
        said["noise 0.5"] = np.array([fails_at(one, Policy(noise=0.5)) for one in stories])
    return {judge: said[judge] for judge in judges}
