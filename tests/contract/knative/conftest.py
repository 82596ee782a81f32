"""A Knative Service as somebody created it, and with the revision of a canary made and ready."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.knative_world import SERVICE, KnativeWorld, knative_world


@pytest.fixture
async def fresh(tmp_path) -> AsyncIterator[KnativeWorld]:
    """As somebody created it: everything follows the latest revision."""
    async with knative_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def world(fresh) -> KnativeWorld:
    """With a canary's revision made and ready."""
    second = await fresh.prepare()
    assert second == f"{SERVICE}-sluice-1-1"
    fresh.dark = second
    return fresh
