"""Who may, asked in one place: what each command is to `bot.policy`, and the entrance of every door.

Before something goes forward a person is looked up; what goes back is not kept waiting. A command without a row in the
table is refused: a new word is closed until somebody says what it is.
"""

from collections.abc import Mapping

from bot import policy
from bot.commands.answers import Refusal, Unheard
from bot.commands.world import World
from bot.grammar import verbs
from bot.policy import Actor, Membership, Verb

COMMANDS: Mapping[type, Verb] = {
    verbs.Deploy: "deploy",
    verbs.Cancel: "deploy",
    verbs.Promote: "promote",
    verbs.Pause: "pause",
    verbs.Resume: "resume",
    verbs.Extend: "extend",
    verbs.Resolve: "resolve",
    verbs.Rollback: "rollback",
    verbs.Lock: "lock",
    verbs.Freeze: "lock",
    verbs.Unlock: "unlock",
    verbs.Thaw: "unlock",
    verbs.ShowPlan: "read",
    verbs.Status: "read",
    verbs.History: "read",
    verbs.Schedule: "read",
    verbs.Stats: "read",
    verbs.Help: "read",
}
"""The verb of every command."""
ACTS: Mapping[str, Verb] = {
    "promote": "promote",
    "approve": "promote",
    "keep": "keep",
    "pause": "pause",
    "resume": "resume",
    "adopt": "adopt",
    "extend": "extend",
    "resolve": "resolve",
    "rollback": "rollback",
    "acknowledge": "acknowledge",
}
"""The verb of everything that is done to one rollout; what is missing is no act at all, and is told so later."""

_DECIDED_LATER: frozenset[Verb] = policy.LOOKED_UP | {"promote"}
"""What needs a look-up, which would stand before the acknowledgement here; `vouch` does it."""
VOUCHED = Membership()
"""What is known of somebody whom `vouch` has let pass; inside of a transaction nobody is asked anything."""


def enter(world: World, actor: Actor, verb: Verb | None) -> None:
    """Refuse whoever has no business here, by what is known without asking anybody. Raises `Refusal`."""
    if verb is None:
        raise Refusal(
            "Nothing says who may do this, so nobody may. It needs a row in `bot/commands/authority.py`.",
            code="no_rule",
            status=403,
        )
    recalled = world.directory.recalled(actor) if actor.door == "slack" else None
    early: Verb = "read" if verb in _DECIDED_LATER else verb
    check(policy.allow(actor, early, membership=recalled))
    unplaced = policy.unplaced(actor, verb)
    if unplaced is not None:
        check(unplaced)


async def vouch(world: World, actor: Actor, verb: policy.Verb) -> None:
    """Refuse guests, bots, the deactivated, and whoever cannot be told from them, what moves a rollout forward.

    Whom Slack knew as a member within a day goes on while it does not answer. Going back and pausing never wait.
    """
    person = await world.directory.membership(actor, ()) if actor.door == "slack" else None
    check(policy.allow(actor, verb, membership=person))


def check(decision: policy.Decision) -> None:
    """Raise the refusal of a decision that says no."""
    if not decision.allowed:
        if decision.again:
            raise Unheard(decision.sentence, why=decision.why)
        status = 409 if decision.code in {"no_open_gate", "already_counted"} else 403
        raise Refusal(decision.sentence, code=decision.code, status=status)
