"""Whatever else is in a list of actions or in a record stays; only the two weights change, and exactly as asked."""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from integrations.base import RefusedError
from integrations.routers.alb import actions as alb
from integrations.routers.route53 import records as names

STABLE, CANARY = "arn:stable", "arn:canary"
T = TypeVar("T")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
LEAF = st.none() | st.booleans() | st.integers() | TEXT
MORE = st.dictionaries(
    TEXT.map(lambda text: f"X{text}"),
    st.recursive(
        LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner), max_leaves=4
    ),
    max_size=3,
)
PERCENT = st.integers(0, 100)


@st.composite
def lists_of_actions(draw: Any) -> list[dict[str, Any]]:
    """A login or two, and a forward to our groups among others, with things that nobody here knows."""
    arns = draw(
        st.permutations([STABLE, CANARY, *(f"arn:{n}" for n in range(draw(st.integers(0, 3))))])
    )
    groups = [
        {"TargetGroupArn": arn, "Weight": draw(st.integers(0, alb.MOST)), **draw(MORE)}
        for arn in arns
    ]
    forward = {
        "Type": "forward",
        "Order": 9,
        "ForwardConfig": {"TargetGroups": groups, **draw(MORE)},
    }
    logins = [{"Type": "authenticate-cognito", **more} for more in draw(st.lists(MORE, max_size=2))]
    return [*logins, forward | draw(MORE)]


def tried(make: Callable[[], T]) -> T | str:
    """Return what is made, or the code of why it is not."""
    try:
        return make()
    except RefusedError as error:
        return error.code


def without_our_weights(actions: list[Any]) -> list[Any]:
    kept = copy.deepcopy(actions)
    for group in kept[-1]["ForwardConfig"]["TargetGroups"]:
        if group["TargetGroupArn"] in {STABLE, CANARY}:
            del group["Weight"]
    return kept


@given(lists_of_actions(), PERCENT)
def test_of_actions_only_our_weights_change_and_the_way_home_is_never_refused(actions, percent):
    before = copy.deepcopy(actions)
    split = tried(lambda: alb.split(actions, STABLE, CANARY, percent))
    if isinstance(split, str):
        assert (split, percent > 0) == ("inexact_weight", True)
        return

    assert without_our_weights(split) == without_our_weights(before)
    assert actions == before
    assert alb.share_of_canary(split, STABLE, CANARY) == percent
    assert all(0 <= alb.weight_of(group) <= alb.MOST for group in alb.groups_of(split[-1]))
    assert any(alb.weight_of(group) for group in alb.groups_of(split[-1]))


@given(lists_of_actions(), st.sampled_from([STABLE, CANARY, "nothing"]))
def test_the_way_home_leaves_nothing_to_the_canary_whatever_somebody_took_away(actions, gone):
    config = actions[-1]["ForwardConfig"]
    config["TargetGroups"] = [x for x in config["TargetGroups"] if x["TargetGroupArn"] != gone]

    home = alb.home(actions, STABLE, CANARY)

    assert alb.share_of_canary(home, STABLE, CANARY) == 0
    assert len(alb.groups_of(home[-1])) <= 5
    assert home[:-1] == actions[:-1]


@given(st.lists(st.integers(0, names.MOST), min_size=2, max_size=5), PERCENT, MORE)
def test_of_records_only_the_weights_change_and_they_are_never_all_nothing(weights, percent, more):
    stable, canary, *others = (
        {**more, "SetIdentifier": str(n), "Weight": weight} for n, weight in enumerate(weights)
    )
    group = names.Group(stable, canary, tuple(others))
    shared = tried(lambda: names.shared(group, percent))
    if isinstance(shared, str):
        assert (shared, percent > 0) == ("inexact_weight", True)
        return

    assert shared.percent == percent
    assert shared.others == group.others
    assert any(names.weight_of(record) for record in shared.records)
    for old, new in ((stable, shared.stable), (canary, shared.canary)):
        assert new is not None
        assert 0 <= names.weight_of(new) <= names.MOST
        assert {**old, "Weight": 0} == {**new, "Weight": 0}
