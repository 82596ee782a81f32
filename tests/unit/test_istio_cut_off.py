"""When the route to split cannot be told any more: nothing goes to the canary, and what did not is left alone."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from integrations.base import Lane, RefusedError
from integrations.routers.istio.cut_off import Wreck, destinations
from integrations.routers.istio.lanes import LaneNames
from integrations.routers.istio.routes import Destination, destination_of, is_managed

NAMES = LaneNames("auth-stable", "auth-canary")
HOST = "auth.orion.svc.cluster.local"
SPARE = {Destination(HOST, "canary"): {"host": HOST, "subset": "stable"}}


def arm(subset: str, weight: object = None, **destination: object) -> dict:
    entry = {"destination": {"host": "auth", "subset": subset, **destination}}
    return entry if weight is None else entry | {"weight": weight}


def route(*arms: dict, **fields: object) -> dict:
    return {"route": list(arms), **fields}


OWN_STABLE, OWN_CANARY = (
    {"destination": {"host": f"auth-{lane}"}} for lane in ("stable", "canary")
)


def wreck(spec: dict) -> Wreck:
    return Wreck(spec, "orion", NAMES.tell)


def cut_off(spec: dict, spare=SPARE) -> dict:
    return apply_json_patch({"spec": spec}, wreck(spec).ops(spare, "VirtualService auth"))["spec"]


def one(*arms: dict, **fields: object) -> dict:
    return {"http": [route(*arms, **fields)]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (one(arm("stable", 50), arm("canary", 50)), one(arm("stable", 100), arm("canary", 0))),
        (one(arm("canary", 7), arm("stable", 2)), one(arm("canary", 0), arm("stable", 9))),
        (one(arm("stable"), arm("canary")), one(arm("stable", 100), arm("canary", 0))),
        (one(arm("stable", "50"), arm("canary", "50")), one(arm("stable", 100), arm("canary", 0))),
        (one(arm("stable", -5), arm("canary", 5)), one(arm("stable", 5), arm("canary", 0))),
        (
            one(arm("stable", 40), arm("canary", 40), arm("shadow", 20)),
            one(arm("stable", 80), arm("canary", 0), arm("shadow", 20)),
        ),
        (
            one(arm("stable", 40), arm("canary", 30), arm("canary", 30)),
            one(arm("stable", 100), arm("canary", 0), arm("canary", 0)),
        ),
        (one(arm("canary")), one(arm("stable", host=HOST))),
        (
            one(arm("canary", port={"number": 80})),
            one(arm("stable", host=HOST, port={"number": 80})),
        ),
        (
            one(arm("canary", 0), arm("canary", 0)),
            one(arm("stable", 100, host=HOST), arm("stable", 0, host=HOST)),
        ),
        (
            {"http": [route(arm("canary", 7)), route(arm("stable", 0, host="pay"))]},
            {"http": [route(arm("stable", 7, host=HOST)), route(arm("stable", 0, host="pay"))]},
        ),
        (
            {"http": [route(OWN_CANARY), route(OWN_STABLE)]},
            {"http": [route(OWN_STABLE), route(OWN_STABLE)]},
        ),
        (
            {
                "tcp": one(arm("stable", 5), arm("canary", 5))["http"],
                "tls": one(arm("canary"))["http"],
            },
            {
                "tcp": one(arm("stable", 10), arm("canary", 0))["http"],
                "tls": one(arm("stable"))["http"],
            },
        ),
        (
            {"http": [route(arm("canary", 100), name="sluice-1"), *one(arm("stable"))["http"]]},
            one(arm("stable")),
        ),
        (one(arm("stable", 100), arm("canary", 0)), one(arm("stable", 100), arm("canary", 0))),
        (one(arm("stable", 100), arm("canary")), one(arm("stable", 100), arm("canary"))),
        (one(arm("shadow")), one(arm("shadow"))),
        ({}, {}),
    ],
)
def test_nothing_goes_to_the_canary_any_more(before, after):
    assert cut_off(before) == after
    assert not wreck(after).serves_canary


@pytest.mark.parametrize(
    ("spec", "percent"),
    [
        (one(arm("canary")), 100),
        (one(arm("stable", 30), arm("canary", 10)), 25),
        (one(arm("stable", 30), arm("canary", 10), arm("shadow", 60)), 10),
        ({"http": one(arm("shadow"))["http"], "tcp": one(arm("canary", 1))["http"]}, 100),
        (one(arm("stable"), arm("canary")), 50),
        (one(arm("stable", 100), arm("canary", 0)), 0),
        ({}, 0),
    ],
)
def test_the_largest_share_that_any_route_gives_the_canary_is_told(spec, percent):
    assert wreck(spec).canary == percent


def test_routes_of_an_audience_are_rules_and_no_share():
    spec = {"http": [route(arm("canary"), name="sluice-1"), *one(arm("stable"))["http"]]}

    assert (wreck(spec).canary, [rule.header for rule in wreck(spec).rules]) == (0, ["sluice-1"])


def test_a_canary_without_a_stable_anywhere_is_said_with_what_to_write():
    with pytest.raises(
        RefusedError, match=r"VirtualService auth has no .* stable .*kubectl edit"
    ) as refused:
        cut_off(one(arm("canary")), spare={})

    assert refused.value.code == "cannot_cut_off"


def test_only_what_has_no_stable_in_the_object_needs_one_from_elsewhere():
    assert wreck(one(arm("canary"))).orphans == list(SPARE)
    assert wreck({"http": [route(arm("canary"))], "tcp": [route(arm("stable"))]}).orphans == []


arms = st.builds(
    arm,
    st.sampled_from(["stable", "canary", "canary", "shadow"]),
    st.none() | st.integers(-1, 100) | st.just("5"),
    host=st.sampled_from(["auth", "pay", "auth-x.orion.svc.cluster.local"]),
)
routes = st.lists(
    st.builds(
        lambda entries, name, more: route(*entries, **({"name": name} if name else {}), **more),
        st.lists(arms, max_size=3),
        st.sampled_from(["", "primary", "sluice-1", "sluice-2"]),
        st.dictionaries(st.sampled_from(["timeout", "retries", "x"]), st.integers(), max_size=2),
    ),
    max_size=4,
)


def lanes(one_route: dict) -> list[Lane | None]:
    return [NAMES.tell(destination_of(entry, "orion")) for entry in one_route["route"]]


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"http": routes, "tls": routes, "tcp": routes}))
def test_a_cut_off_leaves_nothing_to_the_canary_and_touches_nothing_else(spec):
    before = deepcopy(spec)
    spare = {one: {"host": one.host, "subset": "stable"} for one in destinations(spec, "orion")}

    after = cut_off(spec, spare)

    assert not wreck(after).serves_canary
    assert cut_off(after, spare) == after
    for family, listed in before.items():
        kept = [r for r in listed if not (is_managed(r) and set(lanes(r)) - {None})]
        assert len(kept) == len(after[family])
        for old, new in zip(kept, after[family], strict=True):
            if Lane.CANARY not in lanes(old):
                assert new == old
            assert {**new, "route": []} == {**old, "route": []}
            for was, now in zip(old["route"], new["route"], strict=True):
                if NAMES.tell(destination_of(was, "orion")) is None:
                    assert now == was
