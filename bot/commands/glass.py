"""Breaking the glass: a person on call passes a rule in an emergency, with a reason, aloud, and on the record.

It passes what bars a start, and the list of approvers. It passes neither the rule that nobody approves their own
rollout, nor the number of people: it makes one more person count.
"""

from datetime import datetime

from bot import policy
from bot.commands.answers import Offer, Refusal
from bot.commands.authority import check
from bot.commands.world import World
from bot.grammar import render
from bot.grammar.phone import spoken
from bot.grammar.verbs import Deploy, Promote
from bot.policy import Actor, Membership
from bot.rollout.values import Rollout
from bot.rollout.voting import broken, without

FORM = "break-glass"
"""The form that asks for the reason; its button's value is the line that was refused."""
LABEL = "Break glass…"

_PASSABLE = {"identity_unavailable", "not_approver"}


def with_reason(reason: str) -> None:
    """Refuse to break the glass without a word. Raises `Refusal` 422."""
    if not spoken(reason):
        raise Refusal(
            "Breaking the glass needs a reason: put `because …` behind it. Everybody will read it.",
            code="missing_reason",
            status=422,
            key="reason",
        )


def only_now(command: Deploy) -> None:
    """Refuse to break the glass for later: what bars a start then is not known now. Raises `Refusal` 422."""
    if command.options.break_glass:
        raise Refusal(
            "The glass is broken for what starts now: leave at=, cron= and after= out. Nothing was changed.",
            code="glass_is_for_now",
            status=422,
            key="break-glass",
        )


async def shatter(world: World, r: Rollout, actor: Actor, barrier: Refusal, reason: str) -> Rollout:
    """Return the row of a start that passes what bars it. Raises `Refusal`."""
    with_reason(reason)
    membership = await world.directory.membership(actor, r.rules.break_glass)
    _may(policy.allow(actor, "deploy", r, membership, glass=True), r)
    said = str(barrier), reason, world.now(), barrier.people
    return broken(r, actor.id, barrier.code, *said)


def _may(decision: policy.Decision, r: Rollout) -> None:
    """Raise the refusal of a decision that says no; whoever may is named in it."""
    try:
        check(decision)
    except Refusal as refusal:
        refusal.people = (*refusal.people, *r.rules.break_glass)
        raise


async def looked_up(world: World, r: Rollout, actor: Actor, *, glass: bool) -> Membership:
    """Return what has to be known before a vote counts: the voter, the approvers, and who has voted before."""
    groups = r.gate.groups if r.gate is not None else ()
    voters = tuple(vote.actor for vote in r.gate.votes) if r.gate is not None else ()
    asked = (*groups, *r.rules.break_glass) if glass else groups
    return await world.directory.membership(actor, asked, voters)


def admitted(
    r: Rollout, actor: Actor, membership: Membership, now: datetime, reason: str, *, glass: bool
) -> tuple[Rollout, bool]:
    """Return the row that one more vote goes onto, and whether that is through broken glass. Raises `Refusal`.

    Earlier votes of people who have lost the right to approve are gone from it.
    """
    if r.gate is not None:
        r = without(r, policy.fallen(r, r.gate, membership))
    decision = policy.allow(actor, "promote", r, membership)
    if decision.allowed:
        decision = policy.doubted(r, actor, membership) or decision
    if not glass or decision.code not in _PASSABLE:
        try:
            check(decision)
        except Refusal as refusal:
            raise offered(refusal, r, r.gate.id if r.gate is not None else "", actor) from None
        return r, False
    with_reason(reason)
    _may(policy.allow(actor, "promote", r, membership, glass=True), r)
    doubt = policy.doubted(r, actor, membership)
    if doubt is not None:
        check(doubt)
    named = r.gate.groups if r.gate is not None else ()
    return broken(r, actor.id, decision.code, decision.sentence, reason, now, named), True


def offered(refusal: Refusal, r: Rollout, gate: str, actor: Actor) -> Refusal:
    """Return the refusal of a promote with the way through the glass, where there is one for a person."""
    others = set(r.rules.break_glass) - set(r.gate.groups if r.gate is not None else ())
    useful = others or refusal.code == "identity_unavailable"
    if refusal.code not in _PASSABLE or actor.door != "slack" or not useful:
        return refusal
    line = render(Promote(r.service, r.environment, gate, break_glass=True))
    refusal.offers = (*refusal.offers, Offer(LABEL, line, form=FORM))
    return refusal
