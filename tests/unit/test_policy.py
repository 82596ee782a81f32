"""Who may: everybody may go back; promoting needs a known person on the list who did not ask for it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from bot.policy import Actor, Membership, Person, allow, frozen
from bot.rollout.question import Gate, Vote
from bot.rollout.values import Rollout, Rules
from bot.settings.scalars import WeekTime
from strategies import compile_plan
from strategies.request import Request

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SRE = Membership({"S0SRE": frozenset({"U0ANA", "U0BEN", "U0DANA"})}, Person("U0ANA"))


def waiting(
    groups=("S0SRE", "U0OLU", "token:ci"), votes=(), *, self_approval=False, approvals=1
) -> Rollout:
    plan = compile_plan(
        Request("app", "production", "v2", "canary", (100.0,), (60,), approvals=approvals)
    )
    gate = Gate("g", "approve", NOW, NOW + timedelta(hours=1), 1, groups, votes)
    rules = Rules(approvals, groups, self_approval=self_approval)
    return Rollout("r", "app", "production", "v2", plan, "U0DANA", NOW, 1, rules, gate=gate)


def slack(user: str, **flags) -> Actor:
    return Actor(user, "slack", **flags)


def asked(actor: Actor, rollout: Rollout, membership: Membership | None = SRE) -> str:
    decision = allow(actor, "promote", rollout, membership)
    assert decision.allowed or decision.sentence.endswith((".", ")"))
    return "yes" if decision.allowed else decision.code


VOTED = (Vote("U0ANA", NOW),)


@pytest.mark.parametrize(
    ("actor", "rollout", "membership", "answer"),
    [
        (slack("U0ANA"), waiting(), SRE, "yes"),
        (slack("U0OLU"), waiting(), SRE, "yes"),
        (slack("U0EVE"), waiting(), SRE, "not_approver"),
        (slack("U0DANA"), waiting(), SRE, "self_approval"),
        (slack("U0DANA"), waiting(self_approval=True), SRE, "yes"),
        (slack("U0ANA"), waiting(votes=VOTED), SRE, "already_counted"),
        (slack("U0ANA"), waiting(groups=()), SRE, "no_approvers"),
        (slack("U0DANA"), waiting(groups=(), approvals=0), SRE, "yes"),
        (slack("U0ANA"), waiting(), None, "identity_unavailable"),
        (slack("U0ANA"), waiting(), Membership(known=False), "identity_unavailable"),
        (slack("U0ANA", team_ok=False), waiting(), SRE, "external_user"),
        (Actor("token:ci", "rest"), waiting(), Membership(), "yes"),
        (Actor("token:x", "rest", owner="U0OLU"), waiting(), Membership(), "not_approver"),
        (Actor("token:ci", "rest", owner="U0DANA"), waiting(), Membership(), "self_approval"),
        (Actor("token:ci", "rest", owner="U0ANA"), waiting(votes=VOTED), Membership(), "already_counted"),
    ],
)  # fmt: skip
def test_who_may_promote(actor, rollout, membership, answer):
    assert asked(actor, rollout, membership) == answer


@pytest.mark.parametrize(
    ("flag", "code"),
    [("deleted", "not_a_person"), ("bot", "not_a_person"), ("guest", "guest"), ("stranger", "guest")],
)  # fmt: skip
def test_a_listed_account_must_still_be_a_member(flag, code):
    members = Membership({"S0SRE": frozenset({"U0ANA"})}, Person("U0ANA", **{flag: True}))
    assert asked(slack("U0ANA"), waiting(), members) == code


@pytest.mark.parametrize("verb", ["pause", "rollback", "keep", "read"])
def test_going_back_needs_no_look_up(verb):
    assert allow(slack("U0EVE"), verb, waiting(), None).allowed
    assert not allow(slack("U0EVE", team_ok=False), verb, waiting(), None).allowed


def window(start: str, end: str, timezone: str = "Europe/Berlin"):
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

    def at(text: str) -> WeekTime:
        day, clock = text.split()
        hour, minute = clock.split(":")
        return WeekTime(days.index(day), int(hour), int(minute))

    return SimpleNamespace(from_=at(start), to=at(end), timezone=timezone)


@pytest.mark.parametrize(
    ("moment", "closed"),
    [
        ("2026-11-20T13:59", False),  # Friday 14:59 in Berlin
        ("2026-11-20T14:00", True),
        ("2026-11-22T23:00", True),  # over Sunday midnight
        ("2026-11-23T06:59", True),
        ("2026-11-23T07:00", False),
        ("2026-07-17T12:59", False),  # summer: Berlin is two hours ahead
        ("2026-07-17T13:00", True),
    ],
)
def test_a_freeze_is_in_the_time_of_its_place(moment, closed):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    told = frozen([window("Fri 15:00", "Mon 08:00")], now)
    assert bool(told) == closed
    assert not closed or told == "from Fri 15:00 to Mon 08:00 (Europe/Berlin)"


@pytest.mark.parametrize(
    ("verb", "allowed"),
    [("deploy", True), ("read", True)]
    + [(verb, False) for verb in ("promote", "rollback", "pause", "resume", "keep", "resolve")],
)
def test_a_controller_may_begin_what_it_leads_and_nothing_else(verb, allowed):
    assert allow(Actor("controller:argo-rollouts", "sluice"), verb).allowed is allowed
