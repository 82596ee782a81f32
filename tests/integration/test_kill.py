"""A real process on a real file, killed with SIGKILL again and again in the middle of a walk."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import suppress

import pytest

from integrations.base import Lane
from tests.integration.street import Street, simulated
from tests.scenario.stage import ANA, DANA, DEPLOYS

KILLS = 4
PATIENCE = 100.0


@pytest.fixture
async def street(tmp_path):
    async with Street.with_a_process(
        tmp_path, simulated, steps="[50, 100]", min_requests=5
    ) as opened:
        yield opened


@pytest.mark.timeout(150)
@pytest.mark.sweep
async def test_a_walk_survives_being_killed_at_random_moments(street):
    chance = random.Random(1)
    people = asyncio.create_task(decide(street))
    async with asyncio.timeout(PATIENCE):
        for _ in range(KILLS):
            await asyncio.wait({people}, timeout=chance.uniform(0.3, 3))
            await street.kill()
            await street.serve()
        await people
        await told(street)

    assert street.weights == (100, 0)
    assert street.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert street.pods(Lane.CANARY) == 0
    keys = Counter(
        (m.channel, m.metadata["event_payload"]["key"])
        for m in street.slack.chat.messages.values()
        if m.metadata
    )
    assert {key: n for key, n in keys.items() if n > 1} == {}
    verbs = Counter(verb for (verb,) in ask(street, "SELECT verb FROM journal"))
    assert (verbs["created"], verbs["gate_opened"], verbs["promoted"]) == (1, 2, 2)
    assert verbs["succeeded"] == 1
    assert ask(street, "SELECT key FROM inbox WHERE answer IS NULL") == []


def ask(street: Street, query: str) -> list[tuple]:
    with sqlite3.connect(f"file:{street.folder}/sluice.db?mode=ro", uri=True) as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def phase(street: Street) -> str:
    with suppress(sqlite3.OperationalError):
        for (found,) in ask(street, "SELECT phase FROM rollouts"):
            return str(found)
    return ""


async def decide(street: Street) -> None:
    """Somebody deploys until it is there; somebody says yes to every question until it is answered."""
    while (now := phase(street)) != "SUCCEEDED":
        if not now:
            await street.slack.command(
                DANA, "/deploy", "auth-service v2.0.0 to production", DEPLOYS
            )
        for message in street.slack.messages(DEPLOYS):
            for label in street.slack.buttons(message):
                if now and label.startswith("Promote"):
                    with suppress(LookupError):
                        await street.slack.click(ANA, message.ts, label)
        await asyncio.sleep(0.2)


async def told(street: Street) -> None:
    """Wait until the card says how it ended."""
    while "🟢 live" not in street.card:  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.1)
