"""Commands change the row: `handle(command, actor)` for every door, with one `policy.allow` behind it.

What a command changes is committed together with its receipt, in one transaction; only then may the door say so.
Nothing here touches a target or Slack: the reconciler does that when it is woken.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, assert_never

from bot.commands import alarming, hooking
from bot.commands.acting import find
from bot.commands.answers import Answer, Offer, Refusal
from bot.commands.as_it_stands import as_it_stands
from bot.commands.authority import ACTS, COMMANDS, enter
from bot.commands.belonging import belongs
from bot.commands.binding import Picture
from bot.commands.explaining import explainable, give_reason
from bot.commands.going_back import go_back
from bot.commands.limiting import Turnstile
from bot.commands.locking import let_in_or_out
from bot.commands.previewing import as_shown, shown
from bot.commands.queueing import queue, start_or_offer
from bot.commands.reading import details, history, stats, status
from bot.commands.scheduling import afresh, call_off, later, planned, schedule
from bot.commands.starting import repeated
from bot.commands.steering import press, settle_promote, steer
from bot.commands.todays_rules import renew
from bot.commands.world import Directory, Receipt, World
from bot.grammar import verbs
from bot.grammar.phone import spoken
from bot.policy import Actor
from bot.rollout.past import newest_finished
from bot.rollout.seen import Afresh
from bot.rollout.values import Rollout
from bot.store import Inbound

__all__ = ["Answer", "Commands", "Directory", "Offer", "Receipt", "Refusal", "World"]

Shows = verbs.ShowPlan | verbs.Status | verbs.History | verbs.Schedule | verbs.Stats | verbs.Help


class Commands:
    """The one entrance."""

    def __init__(self, world: World) -> None:
        """Work in this world."""
        self._world = world
        self._turnstile = Turnstile(world.now, world.config.limits.commands)

    async def handle(
        self, command: verbs.Command, actor: Actor, receipt: Receipt | None = None
    ) -> Answer:
        """Do what was asked, or raise `Refusal`."""
        async with as_it_stands(self._world):
            return await self._handle(command, actor, receipt)

    async def _handle(
        self, command: verbs.Command, actor: Actor, receipt: Receipt | None
    ) -> Answer:
        enter(self._world, actor, COMMANDS.get(type(command)))
        command = _worded(command)
        if receipt is not None and _known_again(command):
            # Before any bar or limit: what was done is told again, whatever was locked or filled since.
            before = await self._world.store.inbound(receipt.key)
            if before is not None:
                return await repeated(self._world, receipt.key)
        about = _counted(command)
        if not about:
            return await self._do(command, actor, receipt)
        with self._turnstile.passing(actor, about):
            return await self._do(command, actor, receipt)

    async def _do(self, command: verbs.Command, actor: Actor, receipt: Receipt | None) -> Answer:
        world = self._world
        match command:
            case verbs.Deploy():
                return await self._deploy(command, actor, receipt)
            case verbs.Rollback():
                return await go_back(world, command, actor, receipt)
            case verbs.Lock() | verbs.Unlock() | verbs.Freeze() | verbs.Thaw():
                return await let_in_or_out(world, command, actor, receipt)
            case verbs.Cancel():
                return await call_off(world, command, actor, receipt)
            case (
                verbs.Promote() | verbs.Pause() | verbs.Resume() | verbs.Extend() | verbs.Resolve()
            ):
                return await steer(world, command, actor, receipt)
            case _:
                return await self._show(command, actor)

    async def _deploy(self, command: verbs.Deploy, actor: Actor, receipt: Receipt | None) -> Answer:
        world = self._world
        if command.shown is not None:
            before = await as_shown(world, command, actor, receipt)
            if before is not None:
                return before
        if later(command):
            return await schedule(world, command, actor, receipt)
        if command.options.after:
            return await queue(world, command, actor, receipt)
        return await start_or_offer(world, command, actor, receipt)

    async def _show(self, command: Shows, actor: Actor) -> Answer:
        """Answer what changes nothing."""
        world = self._world
        match command:
            case verbs.ShowPlan():
                return await shown(world, command, actor)
            case verbs.Status():
                return await status(world, command, actor)
            case verbs.History():
                return await history(world, command)
            case verbs.Schedule():
                return await planned(world, command)
            case verbs.Stats():
                return await stats(world, command.service)
            case verbs.Help():
                return Answer(command.topic, kind="help")
            case _ as unknown:
                assert_never(unknown)

    async def belongs(self, rollout: str, channel: str) -> None:
        """Refuse a button in a channel where nothing about the rollout was ever shown. Raises `Refusal`."""
        await belongs(self._world, rollout, channel)

    async def press(
        self,
        verb: str,
        rollout: str,
        actor: Actor,
        receipt: Receipt | None = None,
        *,
        gate: str | None = None,
        reason: str = "",
        seconds: int = 1800,
        force: bool = False,
        winner: str = "",
        picture: Picture | None = None,
    ) -> Answer:
        """Do what a button or a REST action on one rollout asks, or raise `Refusal`."""
        # A word that is no act at all is told so where acts are known.
        enter(self._world, actor, ACTS.get(verb, "read"))
        reason = spoken(reason)
        counted = verb in {"promote", "resume", "adopt"}
        once = self._turnstile.passing(actor, rollout) if counted else nullcontext()
        async with as_it_stands(self._world):
            with once:
                return await press(
                    self._world,
                    verb,
                    rollout,
                    actor,
                    receipt,
                    gate=gate,
                    reason=reason,
                    seconds=seconds,
                    force=force,
                    winner=winner,
                    picture=picture,
                )

    async def explain(
        self,
        rollout: str,
        decision: int,
        reason: str,
        actor: Actor,
        receipt: Receipt | None = None,
    ) -> Answer:
        """Note why somebody stopped a rollout, said by themselves afterwards. Raises `Refusal`."""
        enter(self._world, actor, "read")
        return await give_reason(self._world, rollout, decision, reason, actor, receipt)

    async def explainable(self, rollout: str, decision: int, actor: Actor) -> Rollout:
        """Return the rollout, where this person may still say why they stopped it. Raises `Refusal`."""
        enter(self._world, actor, "read")
        return await explainable(self._world, rollout, decision, actor)

    async def alarm(self, notices: Sequence[alarming.Notice]) -> None:
        """Do what alerts ask for: they pause or roll back what their labels match. Raises `Refusal`."""
        block = self._world.config.alertmanager
        if block is not None:
            await alarming.alarm(self._world, block, notices)

    async def hooked(self, asked: hooking.Asked) -> None:
        """Return where a gate is open to the controller that asks. Raises `Refusal` everywhere else."""
        await hooking.answer(self._world, asked)

    async def stats(self, service: str | None, days: int, actor: Actor) -> Answer:
        """Return how the strategies did in the last `days`; the words of chat know no other window than the usual."""
        enter(self._world, actor, "read")
        return await stats(self._world, service, days)

    async def find(self, rollout: str) -> Rollout:
        """Return a rollout by id. Raises `Refusal`."""
        return await find(self._world, rollout)

    async def there(self, service: str, environment: str | None) -> str:
        """Return the rollout that going back would be about now; `""` where that is not one and known."""
        flying = await self._world.store.in_flight(service, environment)
        if flying:
            return flying[0].id if len(flying) == 1 else ""
        newest = newest_finished(await self._world.store.history(service, environment, limit=200))
        return newest.id if newest is not None else ""

    async def past(self, service: str, environment: str, actor: Actor) -> Sequence[Rollout]:
        """Return what was rolled out to a target, newest first; as far back as `rollback … to` looks."""
        enter(self._world, actor, "read")
        return await self._world.store.history(service, environment, limit=200)

    async def details(self, rollout: str, actor: Actor) -> Answer:
        """Return one rollout with the end of its journal. Raises `Refusal`."""
        enter(self._world, actor, "read")
        return await details(self._world, rollout)

    async def afresh(self, r: Rollout) -> Afresh:
        """Return what a scheduled rollout would be if it were asked for now; never refuses."""
        return await afresh(self._world, r)

    async def settle(self, inbound: Inbound) -> Answer:
        """Carry out a promote whose click was recorded: look up who may, then vote. Raises `Refusal`."""
        async with as_it_stands(self._world):
            return await settle_promote(self._world, inbound)

    async def renew(self) -> None:
        """Bring what is in flight under today's configuration of who may approve."""
        await renew(self._world)

    def known(self) -> Mapping[str, Sequence[str]]:
        """Return the services and their environments, for the grammar."""
        return {
            name: tuple(service.targets) for name, service in self._world.config.services.items()
        }


def _worded(command: verbs.Command) -> verbs.Command:
    """Return a command whose reason says something, or has none."""
    reason = getattr(command, "reason", "")
    if not reason or spoken(reason) == reason:
        return command
    changes: dict[str, Any] = {"reason": spoken(reason)}
    return replace(command, **changes)


def _known_again(command: verbs.Command) -> bool:
    """Whether a second delivery is looked for at once; a start that was shown says first whether it may be pressed."""
    match command:
        case verbs.Deploy():
            return command.shown is None
        case verbs.Lock() | verbs.Unlock() | verbs.Freeze() | verbs.Thaw() | verbs.Cancel():
            return True
        case _:
            return False


def _counted(command: verbs.Command) -> str:
    """Return what a command is counted about, `""` where it is not."""
    match command:
        case verbs.Deploy() | verbs.Promote() | verbs.Resume() | verbs.Lock() | verbs.Unlock():
            return command.service
        case verbs.Freeze() | verbs.Thaw():
            return command.environment
        case _:
            return ""
