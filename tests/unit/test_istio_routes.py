"""Which route is split is never guessed, and a write changes two weights and a fence of it, nothing else."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from integrations.base import RefusedError
from integrations.routers.istio.lanes import LaneNames
from integrations.routers.istio.router import patch_for, sight_of
from integrations.routers.istio.routes import Destination, find_fork, full_host

NAMES = LaneNames("auth-stable", "auth-canary")


def arm(subset: str, weight: object = 0, host: str = "auth") -> dict:
    destination = {"host": host} | ({"subset": subset} if subset else {})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def route(*arms: dict, **fields: object) -> dict:
    return {"route": list(arms), **fields}


PAIR = (arm("stable", 90), arm("canary", 10))


def fork_of(*http: dict, wanted: str | None = None):
    return find_fork({"http": list(http)}, "orion", wanted, NAMES.tell)


@pytest.mark.parametrize(
    ("http", "wanted", "index"),
    [
        ([route(*PAIR)], None, 0),
        ([route(arm("canary")), route(*PAIR)], None, 1),
        ([route(*PAIR, redirect={}), route(*PAIR)], None, 1),
        ([route(*PAIR, delegate={}), route(*PAIR)], None, 1),
        ([route(*PAIR, directResponse={}), route(*PAIR)], None, 1),
        ([route(*PAIR, name="a"), route(*PAIR, name="b")], "b", 1),
        ([route(arm("x"), arm("y")), route(*PAIR)], None, 1),
        ([route(arm("stable"), arm("stable"), arm("canary")), route(*PAIR)], None, 1),
        ([route(arm("", host="auth-stable"), arm("", host="auth-canary"))], None, 0),
    ],
)
def test_the_one_route_with_a_stable_and_a_canary_is_found(http, wanted, index):
    assert fork_of(*http, wanted=wanted).index == index


@pytest.mark.parametrize(
    ("http", "wanted", "code"),
    [
        ([], None, "route_missing"),
        ([route(arm("canary"))], None, "route_missing"),
        ([route(*PAIR, name="a")], "b", "route_missing"),
        ([route(arm("canary"), name="a"), route(*PAIR)], "a", "route_missing"),
        ([route(*PAIR), route(*PAIR)], None, "ambiguous_routes"),
        ([route(*PAIR, name="a"), route(*PAIR, name="a")], "a", "ambiguous_routes"),
        ([route(arm("stable", 110), arm("canary", -10))], None, "bad_weights"),
        ([route(arm("stable", "90"), arm("canary", 10))], None, "bad_weights"),
        ([route(arm("stable", True), arm("canary", 10))], None, "bad_weights"),
    ],
)
def test_anything_else_is_refused(http, wanted, code):
    with pytest.raises(RefusedError) as refused:
        fork_of(*http, wanted=wanted)

    assert refused.value.code == code


@pytest.mark.parametrize("weight", [None, 0])
def test_a_missing_weight_is_nought(weight):
    assert fork_of(route(arm("stable", 100), arm("canary", weight))).weights == (100, 0)


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("auth", "auth.orion.svc.cluster.local"),
        ("auth.orion.svc.cluster.local", "auth.orion.svc.cluster.local"),
        ("api.orion.io", "api.orion.io"),
        ("*", "*"),
    ],
)
def test_only_a_host_without_dots_is_short(host, full):
    assert full_host(host, "orion") == full


@pytest.mark.parametrize(
    ("host", "service"),
    [("auth.orion.svc.cluster.local", ("auth", "orion")), ("api.orion.io", None), ("*", None)],
)
def test_a_host_outside_the_cluster_has_no_service(host, service):
    assert Destination(host, "").service == service


def edits(*entries: tuple[str, str, str]) -> list[dict]:
    return [{"manager": who, "time": at, "fieldsV1": {part: {}}} for who, at, part in entries]


@pytest.mark.parametrize(
    ("entries", "who"),
    [
        ([("argocd", "10:00", "f:spec"), ("sluice", "10:01", "f:spec")], "sluice"),
        ([("sluice", "10:00", "f:spec"), ("argocd", "10:01", "f:spec")], "argocd"),
        ([("sluice", "10:00", "f:spec"), ("argocd", "10:01", "f:metadata")], "sluice"),
        ([("sluice", "10:00", "f:spec"), ("argocd", "10:00", "f:spec")], "argocd"),
        ([("argocd", "10:00", "f:spec"), ("sluice", "10:00", "f:spec")], "argocd"),
        ([], ""),
    ],
)
def test_whoever_changed_the_spec_last_is_named_and_not_us_when_in_doubt(entries, who):
    fork = fork_of(route(*PAIR))
    body = {"metadata": {"managedFields": edits(*entries)}}

    assert sight_of(body, fork).split.changed_by == who


words = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
# Any field but those that say what kind of route it is.
fields = st.dictionaries(words.map("x-{}".format), values, max_size=2)
extras = st.lists(st.integers(0, 50).map(lambda weight: arm("shadow", weight)), max_size=2)
others = st.lists(
    st.builds(lambda more: route(arm("canary", 3), **more), fields),
    max_size=3,
)


@st.composite
def virtual_services(draw) -> dict:
    arms = [
        arm("stable", draw(st.sampled_from([100, 0, None, 9]))),
        arm("canary", draw(st.sampled_from([0, 1, None]))),
    ]
    ours = route(
        *draw(st.permutations([*arms, *draw(extras)])),
        **draw(fields),
    )
    if draw(st.booleans()):
        ours["name"] = draw(words)
    http = draw(others)
    http.insert(draw(st.integers(0, len(http))), ours)
    metadata = draw(st.dictionaries(words, values, max_size=3)) | {"resourceVersion": "7"}
    metadata["annotations"] = draw(
        st.none() | st.dictionaries(words, words, min_size=1, max_size=3)
    )
    if metadata["annotations"] is None:
        del metadata["annotations"]
    return {
        "metadata": metadata,
        "spec": draw(st.dictionaries(words, values, max_size=2)) | {"http": http},
    }


@settings(deadline=None)
@given(virtual_services(), st.sampled_from([0, 100]))
def test_a_write_changes_two_weights_and_the_fence_of_any_virtual_service(body, percent):
    fork = find_fork(body["spec"], "orion", None, NAMES.tell)
    before = deepcopy(body)

    after = apply_json_patch(body, patch_for(sight_of(body, fork), percent, "1.2"))

    assert after["metadata"]["annotations"].pop("sluice/fence") == "1.2"
    assert find_fork(after["spec"], "orion", None, NAMES.tell).others == fork.others
    for version in (before, after):
        for place in (fork.stable, fork.canary):
            version["spec"]["http"][fork.index]["route"][place].pop("weight", None)
    before["metadata"].setdefault("annotations", {})
    assert after == before
