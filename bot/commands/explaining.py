"""Why somebody stopped a rollout, given afterwards by whoever did it. Nothing ever waits for it."""

from dataclasses import replace
from datetime import datetime

from bot.commands.acting import act, find
from bot.commands.answers import Answer, Refusal
from bot.commands.world import Receipt, World
from bot.policy import Actor
from bot.rollout.acts import WrongStateError
from bot.rollout.explaining import explain
from bot.rollout.values import Rollout


async def give_reason(
    world: World, rollout: str, decision: int, reason: str, actor: Actor, receipt: Receipt | None
) -> Answer:
    """Note the reason of one decision. Raises `Refusal`."""

    def say(r: Rollout, now: datetime) -> Rollout:
        _check_whose(r, decision, actor)
        return explain(r, decision, actor.id, reason, now)

    answer = await act(world, rollout, actor, "read", receipt, say)
    return replace(answer, sentence="Noted, on the card and in the thread.")


async def explainable(world: World, rollout: str, decision: int, actor: Actor) -> Rollout:
    """Return the rollout, where this person may still say why they decided so. Raises `Refusal`."""
    r = await find(world, rollout)
    _check_whose(r, decision, actor)
    try:
        explain(r, decision, actor.id, "", world.now())
    except WrongStateError as error:
        raise Refusal(str(error), code=error.code, rollout=r) from error
    return r


def _check_whose(r: Rollout, decision: int, actor: Actor) -> None:
    if not 0 <= decision < len(r.decided):
        raise Refusal(
            f"{r.service} {r.version} has no such decision; nothing was changed. Say it in the thread.",
            code="unknown_button",
            rollout=r,
        )
    by = r.decided[decision].actor
    if by not in actor.ids:
        raise Refusal(
            f"{by} decided that, so {by} gives the reason. Say yours in the thread.",
            code="not_your_decision",
            status=403,
            rollout=r,
            people=(by,),
        )
