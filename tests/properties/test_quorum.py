"""A7: whatever people and tokens request, change and approve, nothing goes on without N who had no hand in it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands import Refusal
from bot.commands.glass import admitted
from bot.policy import Actor, Membership
from bot.rollout.gates import open_gate, vote
from bot.rollout.values import Rules
from bot.rollout.voting import edited
from strategies.plan import Approve, SetWeight
from tests.fakes.rollouts import NOON, rollout

PEOPLE = ("U0DANA", "U0ANA", "U0BEN", "U0KIM", "U0OLU")
MEMBERS = frozenset(PEOPLE) - {"U0OLU"}
OWNERS = {"token:ci": "U0ANA", "token:ops": "U0DANA", "token:robot": ""}
GROUPS = ("S0SRE", *OWNERS)
WHO = st.sampled_from([*PEOPLE, *OWNERS])
DEED = st.one_of(
    st.tuples(st.just("vote"), WHO, st.booleans()),
    st.tuples(st.just("edit"), st.sampled_from(PEOPLE), st.just(True)),
)


def actor(who):
    return Actor(who, "rest" if who in OWNERS else "slack", owner=OWNERS.get(who, ""))


def person(who):
    return OWNERS.get(who) or who


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PEOPLE), st.integers(1, 3), st.lists(DEED, max_size=12))
def test_nothing_is_promoted_without_so_many_people_who_neither_asked_for_it_nor_changed_it(
    requester, quorum, deeds
):
    steps = (Approve(quorum, GROUPS), SetWeight(100))
    row = rollout(steps, requester=requester, rules=Rules(quorum, GROUPS))
    row = open_gate(row, NOON, "approve")
    said: dict[str, str] = {}
    for number, (deed, who, known) in enumerate(deeds):
        now = NOON + timedelta(seconds=number)
        if deed == "edit":
            row = edited(row, who)
            continue
        before = row
        membership = Membership({"S0SRE": MEMBERS} if known else {}, known=known)
        try:
            row, _ = admitted(row, actor(who), membership, now, "", glass=False)
        except Refusal:
            continue
        kept = {v.actor for v in row.gate.votes}
        said = {voter: name for voter, name in said.items() if voter in kept} | {who: person(who)}
        row = vote(row, who, now, "", OWNERS.get(who, ""))
        if row.gate is None:
            _check(replace(row, requester=requester), before, said, quorum)
            return


def _check(row, before, said, quorum):
    """Who let it pass: so many, all different, none with a hand in it."""
    named = row.closed[-1].people
    owned = {who for who in said if who != "token:robot"}
    # A token that names nobody may be anybody who has voted already: it counts only among its like.
    assert sorted(named) == sorted(owned or said)
    people = {person(who) for who in named}
    assert len(people) == len(named) >= quorum
    assert not people & {before.requester, *before.editors}
    assert people <= MEMBERS | {"token:robot"}
