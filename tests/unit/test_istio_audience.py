"""An audience is a copy of the split route with one more condition, and leaves the object as it found it."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import PatchError, apply_json_patch
from integrations.base import HeaderRule, RefusedError
from integrations.routers.istio.audience import route_for
from integrations.routers.istio.lanes import LaneNames
from integrations.routers.istio.routes import Wanted, find_forks
from integrations.routers.istio.sight import patch_for, sight_of

NAMES = LaneNames("auth-stable", "auth-canary")
BETA = HeaderRule("x-user-tier", equals="beta")
WEST = HeaderRule("x-region", regex="us-west-[12]")
INSIDE = HeaderRule("x-inside", present=True)
OUTSIDE = HeaderRule("x-outside", present=False)


def main(**fields) -> dict:
    route = [
        {"destination": {"host": "auth", "subset": lane}, "weight": weight}
        for lane, weight in (("stable", 100), ("canary", 0))
    ]
    return {"name": "primary", "route": route, **fields}


def body_of(*http: dict) -> dict:
    return {
        "metadata": {"resourceVersion": "7", "annotations": {"a": "b"}},
        "spec": {"http": list(http)},
    }


def found(body: dict, route: str | None = None):
    return find_forks(body["spec"], "orion", Wanted(route), NAMES.tell)


def sight(body: dict):
    return sight_of(body, found(body))


def written(body: dict, *rules: HeaderRule, percent: float = 0) -> dict:
    return apply_json_patch(body, patch_for(sight(body), percent, "1.2", rules))


def names(body: dict) -> list[str | None]:
    return [route.get("name") for route in body["spec"]["http"]]


def test_each_rule_is_a_route_right_before_the_split_one_and_leads_to_the_canary_only():
    other = {
        "name": "by-path",
        "match": [{"uri": {"prefix": "/admin"}}],
        "route": [main()["route"][0]],
    }

    body = written(body_of(other, main()), BETA, WEST)

    assert names(body) == ["by-path", "sluice-1", "sluice-2", "primary"]
    assert body["spec"]["http"][1] == {
        "name": "sluice-1",
        "match": [{"headers": {"x-user-tier": {"exact": "beta"}}}],
        "route": [{"destination": {"host": "auth", "subset": "canary"}, "weight": 100}],
    }
    assert body["spec"]["http"][2]["match"] == [
        {"headers": {"x-region": {"regex": "us-west-[12]"}}}
    ]


@pytest.mark.parametrize(
    ("rule", "block"),
    [
        (INSIDE, {"headers": {"x-inside": {}}}),
        (OUTSIDE, {"withoutHeaders": {"x-outside": {}}}),
        (HeaderRule("x", equals=""), {"headers": {"x": {"exact": ""}}}),
    ],
)
def test_presence_is_an_empty_condition(rule, block):
    assert written(body_of(main()), rule)["spec"]["http"][0]["match"] == [block]


def test_the_conditions_of_the_split_route_hold_as_well():
    blocks = [
        {"uri": {"prefix": "/api"}, "headers": {"x-env": {"exact": "live"}}},
        {"uri": {"prefix": "/v2"}},
    ]

    body = written(body_of(main(match=blocks)), BETA)

    tier = {"x-user-tier": {"exact": "beta"}}
    assert body["spec"]["http"][0]["match"] == [
        {"uri": {"prefix": "/api"}, "headers": {"x-env": {"exact": "live"}} | tier},
        {"uri": {"prefix": "/v2"}, "headers": tier},
    ]
    assert sight(body).split.rules == (BETA,)


def test_requests_of_an_audience_are_treated_as_those_of_the_split_route():
    extras = {
        "timeout": "3s",
        "retries": {"attempts": 2},
        "headers": {"request": {"set": {"a": "b"}}},
    }
    route = main(**extras)
    route["route"][1] |= {
        "headers": {"response": {"set": {"lane": "canary"}}},
        "destination": {"host": "auth", "subset": "canary", "port": {"number": 8080}},
    }

    ours = written(body_of(route), BETA)["spec"]["http"][0]

    assert {key: ours[key] for key in extras} == extras
    assert ours["route"] == [route["route"][1] | {"weight": 100}]


def test_rules_and_weights_change_in_one_patch_and_are_read_back():
    split = sight(written(body_of(main()), BETA, INSIDE, percent=25)).split

    assert (split.canary, split.rules) == (25, (BETA, INSIDE))


def test_no_rules_take_the_routes_away():
    with_rules = written(body_of(main()), BETA, WEST)

    assert names(written(with_rules, percent=50)) == ["primary"]


def test_the_same_rules_leave_the_routes_alone():
    body = written(body_of(main()), BETA)

    ops = patch_for(sight(body), 50, "1.3", (BETA,))

    assert [op["path"] for op in ops if "/http/0" in op["path"]] == []
    assert sight(apply_json_patch(body, ops)).split.canary == 50


def test_other_rules_replace_them():
    body = written(written(body_of(main()), BETA, WEST), INSIDE)

    assert (names(body), sight(body).split.rules) == (["sluice-1", "primary"], (INSIDE,))


EDITS = {
    "another value": lambda ours: ours["match"][0]["headers"]["x-user-tier"].update(exact="alpha"),
    "one more block": lambda ours: ours["match"].append({"uri": {"prefix": "/"}}),
    "a prefix": lambda ours: ours["match"][0]["headers"].update({"x-user-tier": {"prefix": "b"}}),
    "no condition": lambda ours: ours.pop("match"),
    "a fault": lambda ours: ours.update(
        fault={"abort": {"httpStatus": 500, "percentage": {"value": 100}}}
    ),
    "a timeout": lambda ours: ours.update(timeout="1s"),
    "another place": lambda ours: ours["route"][0]["destination"].update(subset="stable"),
    "a second place": lambda ours: ours["route"].append(main()["route"][0]),
    "a redirect": lambda ours: (ours.pop("route"), ours.update(redirect={"uri": "/"})),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_of_our_route_reads_as_another_rule_and_going_back_removes_it(edit):
    original = body_of(main())
    body = written(original, BETA)
    edit(body["spec"]["http"][0])

    assert sight(body).split.rules not in {(BETA,), ()}
    assert written(body)["spec"] == original["spec"]


def test_an_edit_of_the_split_route_shows_and_writing_again_copies_it():
    body = written(body_of(main()), BETA)
    body["spec"]["http"][1]["timeout"] = "9s"

    assert sight(body).split.rules != (BETA,)
    again = written(body, BETA)
    assert sight(again).split.rules == (BETA,)
    assert again["spec"]["http"][0]["timeout"] == "9s"


def test_a_route_of_ours_that_was_moved_is_still_ours():
    body = written(body_of(main()), BETA, WEST)
    http = body["spec"]["http"]
    foreign = {"name": "by-path", "route": [main()["route"][0]]}
    body["spec"]["http"] = [http[0], foreign, http[2], http[1]]

    assert sight(body).split.rules == (BETA, HeaderRule("sluice-2"))
    assert names(written(body, BETA, WEST)) == ["by-path", "sluice-1", "sluice-2", "primary"]
    assert names(written(body)) == ["by-path", "primary"]


def test_routes_for_another_service_in_the_same_object_are_left_alone():
    theirs = [
        {"name": "sluice-1", "route": [{"destination": {"host": "pay", "subset": "canary"}}]},
        {
            "name": "pay",
            "route": [{"destination": {"host": "pay", "subset": s}} for s in ("x", "y")],
        },
    ]
    body = written(body_of(*theirs, main()), BETA)

    assert names(body) == ["sluice-1", "pay", "sluice-2", "primary"]
    assert sight(body).split.rules == (BETA,)
    assert body["spec"]["http"][:2] == theirs
    assert names(written(body)) == ["sluice-1", "pay", "primary"]


def test_a_route_that_somebody_moved_meanwhile_is_a_conflict():
    body = written(body_of(main()), BETA)
    ops = patch_for(sight(body), 0, "1.3")
    body["spec"]["http"].insert(0, {"name": "new", "route": [main()["route"][0]]})

    with pytest.raises(PatchError):
        apply_json_patch(body, ops)


def test_a_route_of_ours_that_somebody_edited_meanwhile_is_not_thrown_away_unseen():
    body = written(body_of(main()), BETA)
    ops = patch_for(sight(body), 0, "1.3")
    body["spec"]["http"][0]["timeout"] = "1s"

    with pytest.raises(PatchError):
        apply_json_patch(body, ops)


def test_our_routes_are_never_the_one_that_is_split():
    body = written(body_of(main()), BETA)
    body["spec"]["http"][0]["route"].append(main()["route"][0])

    assert [fork.name for fork in found(body)] == ["primary"]
    with pytest.raises(RefusedError, match=r"named routes: primary\)"):
        found(body, "sluice-1")


@pytest.mark.parametrize(
    "rule",
    [
        HeaderRule("x"),
        HeaderRule("x", equals="a", present=True),
        HeaderRule("X-Tier", equals="a"),
        HeaderRule("x tier", equals="a"),
        HeaderRule("", present=True),
        HeaderRule(":path", equals="a"),
        HeaderRule("uri", equals="/"),
        HeaderRule("@request.auth.claims.group", equals="a"),
        *(
            HeaderRule("x", regex=regex)
            for regex in (
                "*",
                "(",
                "a(?=b)",
                "(?<!a)b",
                r"(a)\1",
                "a++",
                "(?>a)",
                "(?x)a",
                r"a\Z",
                "a{2000}",
            )
        ),
    ],
)
def test_a_rule_that_istio_would_read_otherwise_is_refused(rule):
    with pytest.raises(RefusedError) as refused:
        written(body_of(main()), rule)

    assert refused.value.code == "bad_header_rule"


@pytest.mark.parametrize(
    "regex",
    ["^[5-9].*", "(?i)beta|alpha", r"\(?=", "[*+]", "(?P<aux>a)", r"a\\1", "[[a]", "a{2,3}"],
)
def test_what_re2_reads_is_written_as_it_is(regex):
    rule = HeaderRule("x-user-id", regex=regex)

    assert sight(written(body_of(main()), rule)).split.rules == (rule,)


@pytest.mark.parametrize("key", ["headers", "withoutHeaders"])
def test_a_header_that_the_split_route_already_asks_for_is_refused(key):
    body = body_of(main(match=[{"uri": {"exact": "/"}}, {key: {"X-User-Tier": {"exact": "gold"}}}]))

    with pytest.raises(RefusedError, match="primary") as refused:
        written(body, BETA)

    assert refused.value.code == "header_already_matched"


headers = st.from_regex(r"x-[a-z]{1,6}", fullmatch=True)
rules = st.one_of(
    st.builds(HeaderRule, headers, equals=st.text(max_size=5)),
    st.builds(HeaderRule, headers, regex=st.sampled_from(["a.*", "[0-4].*", ""])),
    st.builds(HeaderRule, headers, present=st.booleans()),
)
blocks = st.fixed_dictionaries(
    {},
    optional={
        "uri": st.just({"prefix": "/a"}),
        "headers": st.dictionaries(
            headers.map("main-{}".format), st.sampled_from([{}, {"exact": "1"}])
        ),
        "withoutHeaders": st.just({"main-b": {}}),
    },
)
foreign = st.builds(
    lambda name, tail: {"name": name, "route": [{"destination": {"host": "other"}}], **tail},
    st.sampled_from(["sluice-1", "sluice-3", "a", "sluice-x"]),
    st.dictionaries(st.just("timeout"), st.just("1s")),
)


@st.composite
def virtual_services(draw) -> dict:
    extras = draw(
        st.fixed_dictionaries(
            {}, optional={"match": st.lists(blocks, max_size=3), "timeout": st.just("3s")}
        )
    )
    before = draw(st.lists(foreign, max_size=2))
    # What stands right before the split route under a name of ours is taken for ours.
    wall = [{"name": "wall", "route": [{"destination": {"host": "other"}}]}] if before else []
    return body_of(*before, *wall, main(**extras), *draw(st.lists(foreign, max_size=2)))


@settings(deadline=None)
@given(virtual_services(), st.lists(rules, max_size=3), st.lists(rules, max_size=3))
def test_rules_are_read_as_written_and_without_rules_the_object_is_as_before(body, first, second):
    before = deepcopy(body)

    once = written(body, *first)
    twice = written(once, *second)
    after = written(twice)

    assert sight(once).split.rules == tuple(first)
    assert sight(twice).split.rules == tuple(second)
    assert after["metadata"]["annotations"].pop("sluice/fence") == "1.2"
    assert after == before


def test_a_route_is_built_from_what_was_read_without_changing_it():
    body = body_of(main(match=[{"headers": {"x-env": {"exact": "live"}}}]))
    before = deepcopy(body)

    route_for(BETA, found(body)[0], "sluice-1")

    assert body == before
