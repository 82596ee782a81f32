"""Simulate verdicts and print the tables beside the reference's: `python -m tests.bench.verdicts`."""

import argparse
import multiprocessing
import sys
import time
from collections import defaultdict
from multiprocessing.pool import Pool

from tests.bench.verdicts import printing
from tests.bench.verdicts.extending import Ending
from tests.bench.verdicts.measures import Sample
from tests.bench.verdicts.playing import judged, played, portions
from tests.bench.verdicts.rows import TABLES, Table


def main() -> None:
    asked = _arguments()
    began = time.monotonic()
    print(f"{printing.LEGEND} Seed {asked.seed}.\n")
    with multiprocessing.Pool(asked.workers) as pool:
        for name in asked.table or TABLES:
            for table in TABLES[name]:
                print(
                    simulated(pool, table, asked.rollouts or table.rollouts, asked.seed),
                    end="\n\n",
                    flush=True,
                )
    print(f"All of it took {time.monotonic() - began:.0f} s.", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.verdicts", description=__doc__)
    parser.add_argument(
        "--rollouts", type=int, help="of each row, instead of the table's own number"
    )
    parser.add_argument(
        "--table", choices=list(TABLES), action="append", help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    return parser.parse_args()


def simulated(pool: Pool, table: Table, rollouts: int, seed: int) -> str:
    """Return a table, played and printed."""
    work = portions(table, rollouts, seed)
    if not table.judges:
        ends: dict[int, list[Ending]] = defaultdict(list)
        for done, (portion, endings) in enumerate(pool.imap_unordered(played, work), start=1):
            ends[portion.row] += endings
            _progress(table, done, len(work))
        return printing.endings(table, ends)
    samples: dict[int, dict[str, Sample]] = defaultdict(dict)
    for done, (portion, said) in enumerate(pool.imap_unordered(judged, work), start=1):
        row = samples[portion.row]
        for judge, sample in said.items():
            row[judge] = row[judge] + sample if judge in row else sample
        _progress(table, done, len(work))
    return printing.judgements(table, samples)


def _progress(table: Table, done: int, of: int) -> None:
    print(
        f"\r{table.name}: {done} of {of}",
        end="\n" if done == of else "",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
