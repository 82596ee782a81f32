"""Run the benchmarks and print their table: `python -m tests.bench`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import acknowledge, batching, click, judging
from tests.bench.figures import table
from tests.bench.yard import Yard

CLICKS = 100


async def main() -> None:
    clicks = int(sys.argv[1]) if len(sys.argv) > 1 else CLICKS
    rows = [["what", "Sluice", "beside", "ratio"], *judging.measure(), *await batching.measure()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Yard.opened(folder, services=20 + clicks) as yard:
            rows += await click.measure(yard, folder, yard.names[20:])
            rows += await acknowledge.measure(yard)
    print(table(rows))


if __name__ == "__main__":
    asyncio.run(main())
