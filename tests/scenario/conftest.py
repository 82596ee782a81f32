"""A whole bot on virtual time, with everything around it on loopback: tests here read like a chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenario.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The house with `auth-service` v1.0.0 live in production."""
    async with Stage.opened(tmp_path) as opened:
        yield opened
