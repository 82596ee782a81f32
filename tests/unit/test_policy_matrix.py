"""A5, A9: who may do what, for every door and every kind of asker; what has no row here fails.

The rows of what can be asked are taken from the program itself: the commands of the grammar, the routes, the buttons,
the forms, the shortcuts. A new one has to be written down here, with the verb that `bot.policy` is asked about it.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from bot.api import OPEN, Doors, api
from bot.cli.dispatch import _ROOMS
from bot.commands.authority import ACTS, COMMANDS
from bot.grammar import verbs
from bot.grammar.phrases import VERBS
from bot.policy import Actor, Membership, Person, Verb, allow
from bot.rollout.question import Gate
from bot.rollout.values import Rollout, Rules
from bot.slack.pressing import PRESSES
from strategies import compile_plan
from strategies.request import Request

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GROUPS = ("S0SRE", "token:ci")


def waiting() -> Rollout:
    plan = compile_plan(Request("app", "production", "v2", "canary", (100.0,), (60,), approvals=1))
    gate = Gate("g", "approve", NOW, NOW + timedelta(hours=1), 1, GROUPS)
    rules = Rules(1, GROUPS, break_glass=("S0ONCALL",))
    r = Rollout("r", "app", "production", "v2", plan, "U0DANA", NOW, 1, rules, gate=gate)
    return replace(r, editors=("U0EDI",))


def person(user: str, **flags: bool) -> tuple[Actor, Membership]:
    everybody = frozenset(
        {"U0ANA", "U0DANA", "U0EDI", "U0GUEST", "U0GONE", "U0BOT", "U0OUT", "U0ELSE"}
    )
    groups = {"S0SRE": everybody, "S0ONCALL": frozenset({"U0OLU"})}
    return Actor(user, "slack"), Membership(groups, Person(user, **flags))


ROLES = {
    "approver": person("U0ANA"),
    "member": person("U0MEM"),
    "on call": person("U0OLU"),
    "requester": person("U0DANA"),
    "editor": person("U0EDI"),
    "guest": person("U0GUEST", guest=True),
    "deactivated": person("U0GONE", deleted=True),
    "bot": person("U0BOT", bot=True),
    "stranger": person("U0OUT", stranger=True),
    "external team": (Actor("U0ELSE", "slack", team_ok=False), person("U0ELSE")[1]),
    "unplaced": (Actor("U0ANA", "slack", team_known=False), person("U0ANA")[1]),
    "Slack is silent": (Actor("U0ANA", "slack"), Membership(known=False)),
    "heard of this morning": (
        Actor("U0ANA", "slack"),
        Membership(person=Person("U0ANA"), known=False),
    ),
    "a guest this morning": (
        Actor("U0GUEST", "slack"),
        Membership(person=Person("U0GUEST", guest=True), known=False),
    ),
    "token listed": (Actor("token:ci", "rest"), Membership()),
    "token unlisted": (Actor("token:x", "rest"), Membership()),
    "token of the requester": (Actor("token:ci", "rest", owner="U0DANA"), Membership()),
    "token of the editor": (Actor("token:ci", "rest", owner="U0EDI"), Membership()),
    "alert": (Actor("alertmanager", "alertmanager"), Membership()),
    "controller": (Actor("controller:argo-rollouts", "sluice"), Membership()),
    "nobody": (Actor("", "slack"), Membership()),
}

BACK = ("rollback", "keep", "pause", "read")
FORWARD = ("deploy", "resume", "adopt", "extend", "resolve", "acknowledge", "lock")
YES = "yes"
OUTSIDE = {
    "guest": "guest",
    "a guest this morning": "guest",
    "stranger": "guest",
    "deactivated": "not_a_person",
    "bot": "not_a_person",
    "external team": "external_user",
    "nobody": "not_a_person",
}
"""Who may do nothing at all."""
PROMOTES = {
    "approver": YES,
    "token listed": YES,
    "requester": "self_approval",
    "editor": "self_approval",
    "token of the requester": "self_approval",
    "token of the editor": "self_approval",
    "unplaced": "identity_unavailable",
    "Slack is silent": "identity_unavailable",
    "heard of this morning": "identity_unavailable",
    "alert": "not_for_alerts",
    "controller": "not_a_person",
}
"""Who may promote: nobody but these."""


def expected(role: str, verb: str) -> str:
    if role in OUTSIDE:
        return OUTSIDE[role]
    if role == "controller" and verb not in {"deploy", "read"}:
        return "not_a_person"
    if role == "alert":
        return YES if verb in {"rollback", "pause", "read"} else "not_for_alerts"
    if verb == "promote":
        return PROMOTES.get(role, "not_approver")
    if role in {"unplaced", "Slack is silent"} and verb not in BACK:
        return "identity_unavailable"
    return YES


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("verb", get_args(Verb))
def test_who_may_do_what(verb, role):
    actor, membership = ROLES[role]
    decision = allow(actor, verb, waiting(), membership)
    assert (YES if decision.allowed else decision.code) == expected(role, verb)
    assert decision.allowed or decision.sentence


def test_every_verb_is_in_the_matrix():
    assert set(get_args(Verb)) == {*BACK, *FORWARD, "promote", "unlock"}


BREAKS = {"on call": (YES, YES)} | {
    "approver": ("may_not_break_glass", "may_not_break_glass"),
    "member": ("may_not_break_glass", "may_not_break_glass"),
    "requester": ("may_not_break_glass", "self_approval"),
    "editor": ("may_not_break_glass", "self_approval"),
    "unplaced": ("identity_unavailable", "identity_unavailable"),
    "Slack is silent": ("identity_unavailable", "identity_unavailable"),
    "heard of this morning": ("identity_unavailable", "identity_unavailable"),
    "token listed": ("glass_needs_a_person", "glass_needs_a_person"),
    "token unlisted": ("glass_needs_a_person", "glass_needs_a_person"),
    "token of the requester": ("glass_needs_a_person", "self_approval"),
    "token of the editor": ("glass_needs_a_person", "self_approval"),
    "alert": ("not_for_alerts", "not_for_alerts"),
    "controller": ("glass_needs_a_person", "not_a_person"),
}
"""Who may break the glass, to deploy and to promote."""


@pytest.mark.parametrize("role", ROLES)
def test_who_may_break_the_glass(role):
    actor, membership = ROLES[role]
    told = []
    for verb in ("deploy", "promote"):
        decision = allow(actor, verb, waiting(), membership, glass=True)
        told.append(YES if decision.allowed else decision.code)
    assert tuple(told) == BREAKS.get(role, (OUTSIDE.get(role),) * 2)


def test_with_slack_silent_the_glass_opens_to_whoever_was_last_known_to_be_on_call():
    then = Membership({"S0ONCALL": frozenset({"U0OLU"})}, known=False)
    assert allow(Actor("U0OLU", "slack"), "promote", waiting(), then, glass=True).allowed
    assert not allow(Actor("U0OLU", "slack"), "promote", waiting(), then).allowed


# ---- every door, by what the program says it has ---------------------------------------------------------------------

LINES = {
    "deploy": "deploy",
    "rollback": "rollback",
    "plan": "read",
    "status": "read",
    "history": "read",
    "stats": "read",
    "promote": "promote",
    "approve": "promote",
    "pause": "pause",
    "resume": "resume",
    "extend": "extend",
    "resolve": "resolve",
    "lock": "lock",
    "unlock": "unlock",
    "freeze": "lock",
    "thaw": "unlock",
    "schedule": "read",
    "cancel": "deploy",
    "help": "read",
}
"""The words, in Slack, in mentions, over REST and on the command line alike."""
BUTTONS = {
    "promote": "promote",
    "keep": "keep",
    "pause": "pause",
    "resume": "resume",
    "adopt": "adopt",
    "rollback": "rollback",
    "force": "rollback",
    "extend": "extend",
    "acknowledge": "acknowledge",
    "details": "read",
    "older": "read",
}
ROUTES = {
    "POST /api/v1/deployments": "deploy",
    "GET /api/v1/deployments": "token",
    "GET /api/v1/deployments/{id}": "token",
    "GET /api/v1/deployments/{id}/journal": "token",
    "POST /api/v1/deployments/{id}/{verb}": "the verb in it",
    "POST /api/v1/commands": "the words in it",
    "GET /api/v1/stats": "read",
    "GET /api/v1/openapi.json": "open",
    "POST /hooks/alertmanager/{token}": "alerts",
    "POST /hooks/flagger/{gate}/{token}": "controller",
    "GET /healthz": "open",
    "GET /readyz": "open",
    "GET /metrics": "open",
    "POST /slack/events": "signed",
}
"""`token`: reading needs any token; `open`: nothing; the rest asks `bot.policy`, or has a secret of its own."""
HERE = {
    "plan", "config", "serve", "sandbox", "migrate", "doctor", "token", "replay", "calibrate",
}  # fmt: skip
"""What the command line does by itself, with the rights of whoever has the machine."""


def test_every_word_has_a_row():
    assert set(VERBS) == set(LINES)


def test_every_command_has_a_verb_and_nothing_else_has():
    assert set(COMMANDS) == set(get_args(verbs.Command))


def test_every_button_has_a_row_and_is_asked_about_under_its_verb():
    assert set(PRESSES) == set(BUTTONS)
    assert {name: ACTS.get(name, "read") for name in BUTTONS if name != "force"} == {
        name: verb for name, verb in BUTTONS.items() if name != "force"
    }


async def _events(_):
    """Stand for the door of Slack, which is not knocked at here."""


def test_every_route_has_a_row_and_only_what_is_open_needs_no_token():
    doors = Doors(None, None, lambda: NOW, "root", None)
    app = api(doors, _events)
    found = {
        f"{route.method} {route.resource.canonical}": route.resource.canonical
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert set(found) == set(ROUTES)
    closed = {name for name, path in found.items() if path not in OPEN}
    assert {
        name
        for name, kind in ROUTES.items()
        if kind not in {"open", "signed", "alerts", "controller"}
    } == closed


def test_every_command_of_the_terminal_has_a_row():
    assert set(_ROOMS) == HERE
