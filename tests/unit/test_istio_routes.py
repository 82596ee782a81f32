"""Which route is split is never guessed, and a write changes two weights and a fence of it, nothing else."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import PatchError, apply_json_patch
from integrations.base import HeaderRule, RefusedError
from integrations.routers.istio.lanes import LaneNames
from integrations.routers.istio.routes import Destination, Fork, Wanted, find_forks, full_host
from integrations.routers.istio.sight import patch_for, sight_of

NAMES = LaneNames("auth-stable", "auth-canary")


def arm(subset: str, weight: object = 0, host: str = "auth") -> dict:
    destination = {"host": host} | ({"subset": subset} if subset else {})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def route(*arms: dict, **fields: object) -> dict:
    return {"route": list(arms), **fields}


PAIR = (arm("stable", 90), arm("canary", 10))


def fork_of(*http: dict, wanted: str | None = None) -> Fork:
    (fork,) = find_forks({"http": list(http)}, "orion", Wanted(wanted), NAMES.tell)
    return fork


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
        ([("argocd", "2026-11-21T10:01:07Z", "f:spec")], "argocd at 10:01:07 UTC"),
        ([("sluice", "10:00", "f:spec"), ("argocd", "10:01", "f:metadata")], "sluice"),
        ([("sluice", "10:00", "f:spec"), ("argocd", "10:00", "f:spec")], "argocd"),
        ([("argocd", "10:00", "f:spec"), ("sluice", "10:00", "f:spec")], "argocd"),
        ([], ""),
    ],
)
def test_whoever_changed_the_spec_last_is_named_and_not_us_when_in_doubt(entries, who):
    fork = fork_of(route(*PAIR))
    body = {"metadata": {"managedFields": edits(*entries)}}

    assert sight_of(body, [fork]).split.changed_by == who


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
    st.builds(
        lambda base, more: {**base, **more},
        st.sampled_from(
            [
                route(arm("canary", 3)),
                route(arm("shadow"), arm("other", 5), name="theirs"),
                route(*PAIR, redirect={"uri": "/"}),
                {"delegate": {"name": "inner", "namespace": "payments"}},
                {},
            ]
        ),
        fields,
    ),
    max_size=3,
)


@st.composite
def lists_with_ours(draw, family: str) -> list[dict]:
    """Routes of one family, one of which is split; tls and tcp routes say so by their match."""
    arms = [
        arm("stable", draw(st.sampled_from([100, 0, None, 9]))),
        arm("canary", draw(st.sampled_from([0, 1, None]))),
    ]
    ours = route(*draw(st.permutations([*arms, *draw(extras)])), **draw(fields))
    match family:
        case "http":
            ours["name"] = "ours"
        case "tls":
            ours["match"] = [{"port": 443, "sniHosts": ["a.example", "auth.example"]}]
        case "tcp":
            ours["match"] = [{"port": 1}, {"port": 443}]
    routes = draw(others)
    routes.insert(draw(st.integers(0, len(routes))), ours)
    return routes


PLACES = {
    "http": Wanted("ours"),
    "tls": Wanted(sni="auth.example"),
    "tcp": Wanted(port=443),
    "http tls": Wanted("ours", 443, "AUTH.example"),
    "http tcp": Wanted("ours", 443),
}


@st.composite
def virtual_services(draw, families: str) -> dict:
    metadata = draw(st.dictionaries(words, values, max_size=3)) | {"resourceVersion": "7"}
    metadata["annotations"] = draw(
        st.none() | st.dictionaries(words, words, min_size=1, max_size=3)
    )
    if metadata["annotations"] is None:
        del metadata["annotations"]
    fixed = {family: draw(lists_with_ours(family)) for family in families.split()}
    return {"metadata": metadata, "spec": draw(fields) | fixed}


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(PLACES)), st.sampled_from([0, 100]))
def test_a_write_changes_the_weights_of_the_lanes_and_the_fence_and_nothing_else(
    data, families, percent
):
    body = data.draw(virtual_services(families))
    forks = find_forks(body["spec"], "orion", PLACES[families], NAMES.tell)
    assert [fork.family for fork in forks] == families.split()
    before = deepcopy(body)

    after = apply_json_patch(body, patch_for(sight_of(body, forks), percent, "1.2"))

    again = find_forks(after["spec"], "orion", PLACES[families], NAMES.tell)
    assert sight_of(after, again).split.canary == percent
    assert [fork.others for fork in again] == [fork.others for fork in forks]
    assert after["metadata"]["annotations"].pop("sluice/fence") == "1.2"
    for version in (before, after):
        for fork in forks:
            for place in (fork.stable, fork.canary):
                version["spec"][fork.family][fork.index]["route"][place].pop("weight", None)
    before["metadata"].setdefault("annotations", {})
    assert after == before


rules = st.lists(
    st.sampled_from(
        [HeaderRule("a", equals="b"), HeaderRule("c", regex="d.*"), HeaderRule("e", present=False)]
    ),
    max_size=3,
)


@settings(deadline=None)
@given(st.data(), st.sampled_from(["http", "http tls", "http tcp"]), rules)
def test_an_audience_comes_and_goes_and_leaves_nothing_behind(data, families, audience):
    body = data.draw(virtual_services(families))
    before = deepcopy(body)

    def written(body: dict, percent: float, rules: list[HeaderRule]) -> dict:
        forks = find_forks(body["spec"], "orion", PLACES[families], NAMES.tell)
        return apply_json_patch(body, patch_for(sight_of(body, forks), percent, "1.2", rules))

    there = written(body, 100, audience)
    forks = find_forks(there["spec"], "orion", PLACES[families], NAMES.tell)
    assert list(sight_of(there, forks).split.rules) == audience
    home = written(there, 0, [])

    for fork in find_forks(before["spec"], "orion", PLACES[families], NAMES.tell):
        for version in (before, home):
            for place in (fork.stable, fork.canary):
                version["spec"][fork.family][fork.index]["route"][place].pop("weight", None)
    assert home["spec"] == before["spec"]


def tcp(*ports: int, **fields: object) -> dict:
    return route(*PAIR, match=[{"port": port} for port in ports], **fields)


def tls(*names: str, port: int | None = None) -> dict:
    block = {"sniHosts": list(names)} | ({"port": port} if port else {})
    return route(*PAIR, match=[block])


@pytest.mark.parametrize(
    ("spec", "wanted", "places"),
    [
        ({"tcp": [tcp(3306)]}, Wanted(), ["/spec/tcp/0"]),
        ({"tls": [tls("a")]}, Wanted(), ["/spec/tls/0"]),
        ({"tcp": [tcp(1), tcp(2, 3)]}, Wanted(port=3), ["/spec/tcp/1"]),
        ({"tls": [tls("a"), tls("b", "c")]}, Wanted(sni="C"), ["/spec/tls/1"]),
        ({"tls": [tls("a", port=1), tls("a", port=2)]}, Wanted(None, 2, "a"), ["/spec/tls/1"]),
        ({"tls": [tls("a", port=9)], "tcp": [tcp(1)]}, Wanted(port=9), ["/spec/tls/0"]),
        (
            {"http": [route(*PAIR, name="m")], "tcp": [tcp(9)]},
            Wanted("m", 9),
            ["/spec/http/0", "/spec/tcp/0"],
        ),
        ({"http": [route(*PAIR, name="m")], "tcp": [tcp(9)]}, Wanted("m"), ["/spec/http/0"]),
    ],
)
def test_connections_are_told_by_port_and_server_name(spec, wanted, places):
    assert [f.path for f in find_forks(spec, "orion", wanted, NAMES.tell)] == places


@pytest.mark.parametrize(
    ("spec", "wanted", "code", "shown"),
    [
        ({"tcp": [tcp(1)]}, Wanted(port=2), "route_missing", r"port 2 \(there are: tcp port 1\)"),
        ({"tls": [tls("a")]}, Wanted(sni="b"), "route_missing", r"no tls route for b"),
        ({"tcp": [tcp(1)]}, Wanted(port=1, sni="b"), "route_missing", "no tls route for b on port"),
        ({"tcp": [tcp(1), tcp(1)]}, Wanted(port=1), "ambiguous_routes", "tcp port 1, tcp port 1"),
        (
            {"http": [route(*PAIR)], "tcp": [route(*PAIR)]},
            Wanted(),
            "ambiguous_routes",
            r"number 0 \(no name\), tcp number 0",
        ),
        (
            {"tcp": [route(arm("stable"), match=[{"port": 1}])]},
            Wanted(port=1),
            "route_missing",
            "1",
        ),
        ({"http": [route(*PAIR, name="m")]}, Wanted("m", 1), "route_missing", "port 1"),
    ],
)
def test_connections_that_cannot_be_told_apart_are_refused(spec, wanted, code, shown):
    with pytest.raises(RefusedError, match=shown) as refused:
        find_forks(spec, "orion", wanted, NAMES.tell)

    assert refused.value.code == code


def test_connections_have_no_headers():
    body = {"metadata": {"resourceVersion": "7"}, "spec": {"tcp": [tcp(1)]}}
    forks = find_forks(body["spec"], "orion", Wanted(), NAMES.tell)

    with pytest.raises(RefusedError) as refused:
        patch_for(sight_of(body, forks), 50, "1.2", [HeaderRule("x", present=True)])

    assert refused.value.code == "no_header_routes"


def test_a_route_that_took_the_place_of_the_one_seen_is_not_written():
    body = {"metadata": {"resourceVersion": "7"}, "spec": {"tcp": [tcp(1)]}}
    ops = patch_for(
        sight_of(body, find_forks(body["spec"], "orion", Wanted(), NAMES.tell)), 50, "1.2"
    )

    with pytest.raises(PatchError):
        apply_json_patch({**body, "spec": {"tcp": [tcp(2)]}}, ops)
