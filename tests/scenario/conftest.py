"""A whole bot on virtual time, with everything around it on loopback: tests here read like a chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenario.stage import Stage


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the default run play the first story of each table, and the sweep all the others.

    A story raises a whole world; the cases of a table mostly differ in what a faster test below holds as well.
    """
    played = set()
    for item in items:
        if Path(__file__).parent not in item.path.parents or "[" not in item.name:
            continue
        table = item.path, item.name.partition("[")[0]
        if table in played:
            item.add_marker(pytest.mark.sweep)
        elif item.get_closest_marker("sweep") is None:
            played.add(table)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The house with `auth-service` v1.0.0 live in production."""
    async with Stage.opened(tmp_path) as opened:
        yield opened
