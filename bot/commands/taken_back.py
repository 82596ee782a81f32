"""No way back leads to what was itself taken back, or is quarantined: forward it meets its checks and gates again."""

from collections.abc import Sequence

from bot.commands.answers import Refusal
from bot.commands.world import World
from bot.grammar.verbs import Rollback
from bot.rollout.locks import Lock, standing
from bot.rollout.past import stable_versions, taken_back
from bot.rollout.times import clock
from bot.rollout.values import Rollout

_SHOWN = 200
"""Characters of why a version was taken back that somebody is told who would go back to it."""


async def not_taken_back(
    world: World, command: Rollback, environment: str, past: Sequence[Rollout], version: str
) -> None:
    """Refuse to go back to what was itself taken back; what ran right before the live one may always return.

    Raises `Refusal` 409 `was_taken_back`.
    """
    if version in stable_versions(past)[-2:-1]:
        return
    by: Rollout | Lock | None = taken_back(past).get(version)
    if by is None and command.service is not None:
        found = standing(
            await world.store.locks(), command.service, environment, version, world.now()
        )
        by = next((lock for lock in found if lock.kind == "quarantine"), None)
    if by is not None:
        raise _refused(command, environment, version, by)


def _refused(command: Rollback, environment: str, version: str, by: Rollout | Lock) -> Refusal:
    """Return the refusal of a way back to what was itself taken back: forward it meets its checks again."""
    if isinstance(by, Lock):
        who, at, why = f"{by.rollout or by.owner} by itself", by.at, by.reason
    elif by.rollback_of:
        who, at, why = by.requester, by.created, by.reason
    else:
        back = by.back
        who, at = (back.actor, back.at) if back else ("", by.ended or by.created)
        why = back.reason if back else ""
    why = f" (“{why[:_SHOWN]}”)" if why else ""
    here = f"{command.service} in {environment}"
    return Refusal(
        f"{version} was taken back on {here} {clock(at)}{f' by {who}' if who else ''}{why}, so no way back leads "
        f"there. Nothing was changed. `/deploy {command.service} {version} to {environment}` brings it again, with its "
        "checks.",
        code="was_taken_back",
        people=(who,),
    )
