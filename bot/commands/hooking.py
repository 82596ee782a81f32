"""Questions of a controller that fetches its orders: go on from here? go back? Everything that is unclear is a no.

What is asked is remembered in the row, because the object does not say it; people are asked then. The answer is worked
out from the row and from the object as it stands at that moment, so that asking again and again changes nothing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.commands.acting import TRIES
from bot.commands.answers import Refusal
from bot.commands.world import World
from bot.rollout.fetching import CONFIRMS, ROLLBACK, opens, told
from bot.rollout.values import Phase, Rollout
from bot.settings.controllers import FlaggerCanary
from bot.settings.values import Config
from bot.store import NoRowError, PoisonedRowError, StaleError
from integrations.base import IntegrationError
from integrations.controller import LedState

EVENT = "event"
GATES = CONFIRMS | {ROLLBACK, EVENT}
"""What may be asked; `event` asks nothing and is only told."""
_PATIENCE = 8.0
"""Seconds for an answer: who asks gives up after ten, and whatever we said then would be lost."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as Flagger puts it."""

    gate: str
    name: str
    """Of the Canary."""
    namespace: str
    checksum: str
    metadata: Mapping[str, str] = field(default_factory=dict)


async def answer(world: World, asked: Asked) -> None:
    """Return for yes. Raises `Refusal` for no: 403, or 503 where that is because nobody can tell."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yes = await _answer(world, asked)
    except TimeoutError as error:
        raise _late("It could not be told in time whether this gate is open.") from error
    except IntegrationError as error:
        raise _late(f"Whether this gate is open cannot be told: {error}") from error
    if not yes and asked.gate != EVENT:
        what = (
            "Nobody asked to go back." if asked.gate == ROLLBACK else "Nobody has confirmed this."
        )
        raise _no(what, code="gate_shut")


async def _answer(world: World, asked: Asked) -> bool:
    service, environment = target_of(world.config, asked)
    if world.led is None:
        raise _late("Nothing is connected here that could tell.")
    led = await world.led(service, environment)
    if led is None or not led.fetches:
        raise _no("This target is led by something else.", code="unknown_canary")
    flying = await _flying(world, service, environment)
    if flying is None and led.moving and world.take_up is not None:
        await world.take_up(service, environment)
        flying = await _flying(world, service, environment)
    if flying is None:
        return False
    return await _noted(world, flying, asked, led)


def target_of(config: Config, asked: Asked) -> tuple[str, str]:
    """Return service and environment of a Canary. Raises `Refusal` where that is none of ours, or one of several."""
    wanted = asked.metadata.get("environment")
    found = [
        (service, environment)
        for service, block in config.services.items()
        for environment in block.targets
        if wanted in {None, environment}
        for place in config.target(service, environment).places
        if isinstance(place.workload, FlaggerCanary)
        and (place.workload.canary, place.namespace) == (asked.name, asked.namespace)
    ]
    if not found:
        raise _no(
            f"No workload in sluice.yaml is the Canary {asked.name} in namespace {asked.namespace}.",
            code="unknown_canary",
        )
    if len(found) > 1:
        raise _no(
            f"Several targets have a Canary {asked.name} in a namespace {asked.namespace}. "
            "Give the webhook metadata: {environment: NAME}.",
            code="ambiguous_canary",
        )
    return found[0]


async def _flying(world: World, service: str, environment: str) -> Rollout | None:
    found = await world.store.in_flight(service, environment)
    return next((r for r in found if r.phase is not Phase.SCHEDULED), None)


async def _noted(world: World, r: Rollout, asked: Asked, led: LedState) -> bool:
    """Return the answer for the row as it is now, which knows afterwards that it was asked."""
    for _ in range(TRIES):
        try:
            async with world.store.writing() as writing:
                r = await writing.load(r.id)
                yes = opens(r, asked.gate, led, asked.checksum, world.now())
                after = told(r, asked.gate, led, asked.checksum)
                if after is not r:
                    after = await writing.save(after, world.now())
        except StaleError:
            continue
        except (NoRowError, PoisonedRowError):
            return False  # it cannot be read any more; people have been called about that
        if after is not r or asked.gate == EVENT:
            world.wake(after)
        return yes
    raise _late("The rollout kept changing.")


def _no(sentence: str, *, code: str) -> Refusal:
    return Refusal(sentence, code=code, status=403)


def _late(sentence: str) -> Refusal:
    return Refusal(sentence, code="gate_unknown", status=503)
