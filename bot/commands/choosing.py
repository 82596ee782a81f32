"""Which variant of an A/B test stays: B by a vote on the gate, A by anybody who may roll back.

Keeping A takes traffic away from the new version, so it asks for no approval, like a rollback.
"""

from datetime import datetime

from bot.commands.acting import act
from bot.commands.answers import Answer, Refusal
from bot.commands.world import Receipt, World
from bot.policy import Actor
from bot.rollout import acts
from bot.rollout.values import Rollout


async def keep(
    world: World,
    rollout: str,
    actor: Actor,
    receipt: Receipt | None,
    reason: str,
    gate: str | None = None,
) -> Answer:
    """Let A stay, in the very commit that records it."""

    def stay(r: Rollout, now: datetime) -> Rollout:
        if gate is not None and (r.gate is None or r.gate.id != gate):
            raise acts.WrongStateError(
                f"Nothing was changed: {gate} is not the open gate of {r.target}.",
                code="gate_closed",
            )
        return acts.keep(r, actor.id, reason, now)

    return await act(world, rollout, actor, "keep", receipt, stay)


def winner_named(r: Rollout, winner: str) -> str:
    """Return `A` or `B` for a variant or a version that somebody named. Raises `Refusal` 422."""
    if r.gate is None or r.gate.kind != "winner":
        raise _wrong(
            "winningVersion names the winner of an A/B test, and this rollout does not ask for one. Leave it out."
        )
    names = {"a": "A", r.from_version.casefold(): "A", "b": "B", r.version.casefold(): "B"}
    found = names.get(winner.casefold())
    if found is None:
        raise _wrong(
            f"{winner[:60]} is neither A ({r.from_version}) nor B ({r.version}). Name one of the two."
        )
    return found


def _wrong(sentence: str) -> Refusal:
    return Refusal(sentence, code="bad_value", status=422, key="winningVersion")
