"""Prints the tables: each of our columns has that of the reference to its right, and a mark where the two differ."""

from collections.abc import Mapping, Sequence

import numpy as np

from tests.bench.figures import table as markdown
from tests.bench.verdicts import reference
from tests.bench.verdicts.extending import Ending
from tests.bench.verdicts.measures import (
    Sample,
    beside,
    mark,
    percent,
    quantile,
    read,
    shares_differ,
)  # fmt: skip
from tests.bench.verdicts.rows import Row, Table
from tests.bench.verdicts.weather import LOOK, Floats

LEGEND = (
    "Each column is followed by the reference's. ▲ better and ▼ worse than it beyond the noise of both (three standard "
    "deviations). Cells: rolled back, median/p95 delay, median failed (e) or answered (r) canary requests."
)
_HOW = {"completes alone": "completes", "asks the human": "asks", "rolls back": "rolls back"}
_MINUTES, _FAILED = "median minutes", "median failed canary requests"


def judgements(table: Table, samples: Mapping[int, Mapping[str, Sample]]) -> str:
    """Return a table of judges; `samples` by the place of the row."""
    head = [f"{table.title} (rollouts)", *_paired(table.judges)]
    return markdown(
        [head, *(_judged(table, row, samples[at]) for at, row in enumerate(table.rows))]
    )


def endings(table: Table, ends: Mapping[int, Sequence[Ending]]) -> str:
    """Return the table of the whole policy."""
    head = [f"{table.title} (rollouts)", *_paired((*_HOW, _MINUTES, _FAILED))]
    return markdown([head, *(_ended(row, ends[at]) for at, row in enumerate(table.rows))])


def _paired(columns: Sequence[str]) -> list[str]:
    return [name for column in columns for name in (column, "reference")]


def _judged(table: Table, row: Row, samples: Mapping[str, Sample]) -> list[str]:
    known, others = reference.cells(table.name, row.label), reference.rollouts(table.name)
    cells = [f"{row.label} ({len(samples[table.judges[0]].delays)})"]
    for judge in table.judges:
        ours, theirs = samples[judge], known.get(judge)
        sign = mark(ours, read(theirs), others, found=row.found) if theirs else ""
        cells += [sign + (ours.short() if table.short else ours.full(table.unit)), theirs or ""]
    return cells


def _ended(row: Row, ends: Sequence[Ending]) -> list[str]:
    known, others = reference.cells("policy", row.label), reference.rollouts("policy")
    cells = [f"{row.label} ({len(ends)})"]
    for column, how in _HOW.items():
        share = sum(end.how == how for end in ends) / len(ends)
        theirs = read(known[column])
        # To ask is neither good nor bad by itself: the other two columns say what it replaced.
        better = (
            ""
            if how == "asks"
            else "▲ "
            if (share > theirs.share) is (row.found is (how == "rolls back"))
            else "▼ "
        )
        differ = shares_differ(share, len(ends), theirs.share, others, theirs.digit)
        cells += [(better if differ else "") + percent(share, 0.001), known[column]]
    minutes = np.array([end.looks * LOOK / 60 for end in ends])
    failed = np.array([float(end.failed) for end in ends])
    cells += _median(minutes, known[_MINUTES], others, 0.05, 1)
    return cells + _median(failed, known[_FAILED], others, 1.0, 0)


def _median(values: Floats, theirs: str, others: int, digit: float, digits: int) -> list[str]:
    sign = {1: "▼ ", 0: "", -1: "▲ "}[beside(values, 0.5, float(theirs), others, digit)]
    return [f"{sign}{quantile(values, 0.5):.{digits}f}", theirs]
