"""One act on one row, committed together with its receipt. Every command that changes a rollout in flight ends here.

The effect is in the very commit that records the request; a row that moved meanwhile is read again.
"""

from collections.abc import Callable
from datetime import datetime

from bot import policy
from bot.commands.answers import Answer, Offer, Refusal
from bot.commands.authority import VOUCHED, check
from bot.commands.barring import bar_of, refusal, start_of_row
from bot.commands.limiting import no_room
from bot.commands.starting import busy, repeated
from bot.commands.world import Receipt, World
from bot.policy import Actor, Verb
from bot.rollout import acts
from bot.rollout.explaining import unexplained
from bot.rollout.stuck import since_stuck
from bot.rollout.values import Rollout
from bot.store import BarredError, BusyError, FullError, NoRowError, PoisonedRowError, StaleError

TRIES = 20
"""How often a row may move under an act before the person is asked to say it again."""

Act = Callable[[Rollout, datetime], Rollout]


async def find(world: World, rollout: str) -> Rollout:
    """Return a rollout by id. Raises `Refusal` 404."""
    try:
        return await world.store.get(rollout)
    except NoRowError as error:
        raise unknown(rollout) from error
    except PoisonedRowError as error:
        raise unreadable(rollout) from error


def unknown(rollout: str) -> Refusal:
    """Return the refusal of an id that nobody knows."""
    return Refusal(
        f"There is no rollout {rollout[:40]}. `/deploy history SERVICE` lists those that were.",
        code="unknown_rollout",
        status=404,
    )


def unreadable(rollout: str) -> Refusal:
    """Return the refusal of a row that cannot be read."""
    return Refusal(
        f"The stored row of {rollout[:40]} cannot be read. Look at the log, then roll the target back by hand.",
        code="poisoned_row",
        status=500,
    )


async def act(
    world: World, rollout: str, actor: Actor, verb: Verb, receipt: Receipt | None, change: Act
) -> Answer:
    """Apply one change with its receipt in one transaction; a row that moved meanwhile is read again.

    Whoever goes forward was vouched for before.
    """
    for _ in range(TRIES):
        try:
            async with world.store.writing() as writing:
                now = world.now()
                if receipt is not None and not await writing.receive(
                    receipt.inbound(actor, actor.door, now, rollout, done=True)
                ):
                    return await repeated(world, receipt.key)
                r = await writing.load(rollout)
                check(policy.allow(actor, verb, r, VOUCHED))
                r = await writing.save(change(r, now), now)
        except StaleError:
            continue
        except BusyError as error:
            raise await busy(world.store, error.rollout) from error
        except BarredError as error:
            asked = start_of_row(r, actor.id)
            raise refusal(bar_of(error.lock, asked), asked, r) from error
        except FullError as error:
            raise no_room(error, r) from error
        except NoRowError as error:
            raise unknown(rollout) from error
        except PoisonedRowError as error:
            raise unreadable(rollout) from error
        except acts.WrongStateError as error:
            raise Refusal(
                str(error), code=error.code, rollout=await find(world, rollout)
            ) from error
        world.wake(r)
        look_behind(world, actor, verb, r)
        return Answer(did(verb, r), rollout=r, offers=_afterwards(verb, r, actor))
    raise Refusal(
        "The rollout kept changing while this was tried; nothing was done. Try again.",
        code="conflict",
    )


def look_behind(world: World, actor: Actor, verb: Verb, r: Rollout) -> None:
    """Have whoever did what never waits for a look-up looked up now that it is done."""
    if actor.door == "slack" and verb in policy.ALWAYS and world.look_behind is not None:
        world.look_behind(actor, r)


def _afterwards(verb: Verb, r: Rollout, actor: Actor) -> tuple[Offer, ...]:
    """Return how whoever stopped it without a word says why; nobody is held up by that."""
    newest = unexplained(r) if verb in {"pause", "rollback"} and actor.door == "slack" else None
    if newest is None or r.decided[newest].actor != actor.id:
        return ()
    return (Offer("Add a reason", f"{r.id} {newest}", form="reason"),)


def _reminded(r: Rollout) -> str:
    stuck = since_stuck(r) is not None
    return "others are reminded once an hour only" if stuck else "nobody is reminded of it any more"


def did(verb: Verb, r: Rollout) -> str:
    """Return what was done, as a sentence."""
    if r.code == "called_off":
        return f"Cancelled {r.service} {r.version}; it will not start."
    done = {
        "pause": f"Paused {r.service} {r.version} at {r.weight:g} %.",
        "resume": f"Going on with {r.service} {r.version} at {r.weight:g} %.",
        "adopt": f"Going on with {r.service} {r.version} from {r.weight:g} %.",
        "extend": f"Extended for {r.service} {r.version}.",
        "keep": f"A stays: {r.from_version} of {r.service} gets all traffic back now.",
        "rollback": f"Rolling {r.service} in {r.environment} back to {r.from_version or 'the version before'} now.",
        "resolve": f"Resolved {r.service} {r.version} by hand.",
        "acknowledge": f"You look at {r.service} {r.version}; {_reminded(r)}.",
        "promote": f"Approved {r.service} {r.version} at {r.weight:g} %.",
    }
    return done.get(verb, "Done.")
