"""Whatever a valid route or TrafficSplit looks like: a write changes what is ours, nothing else, and can be undone."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from bot.sandbox.routes import fill_http_route, fill_route
from integrations.base import HeaderRule, Lane, RefusedError
from integrations.kube.lanes import lane_by_name
from integrations.routers.gateway_api import routes, sight
from integrations.routers.linkerd import backends
from tests.fakes.kubernetes import frozen, has_schemas, schema_of

Body = dict[str, Any]
LANE_OF: Callable[[str], Lane | None] = partial(
    lane_by_name, stable="auth-stable", canary="auth-canary"
)

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True).filter(
    lambda name: name not in {"auth-stable", "auth-canary", "stable", "canary"}
)
TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12)
PORTS = st.integers(1, 65535)
PATHS = st.builds(
    lambda kind, value: {"type": kind, "value": f"/{value}"},
    st.sampled_from(["Exact", "PathPrefix"]),
    st.from_regex(r"[a-z0-9]{0,8}", fullmatch=True),
)
HEADERS = st.lists(
    st.builds(
        lambda name, kind, value: {"name": f"h-{name}", "type": kind, "value": value},
        st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True),
        st.sampled_from(["Exact", "RegularExpression"]),
        st.from_regex(r"[a-z0-9.]{1,8}", fullmatch=True),
    ),
    max_size=3,
    unique_by=lambda header: header["name"].lower(),
)
FILTERS = st.lists(
    st.builds(
        lambda name, value: {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": name, "value": value}]},
        },
        st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True),
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    ),
    max_size=1,
)
WEIGHTS = st.sampled_from([0, 1, 9, 10, 50, 90, 100]) | st.integers(0, 1_000_000)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({}, optional=fields)


def backend(names: st.SearchStrategy[str]) -> st.SearchStrategy[Body]:
    required = {"name": names, "port": PORTS}
    extras = {
        "weight": WEIGHTS,
        "filters": FILTERS,
        "group": st.just(""),
        "kind": st.just("Service"),
    }
    return st.fixed_dictionaries(required, optional=extras)


def metadata() -> st.SearchStrategy[Body]:
    notes = st.dictionaries(NAMES, TEXTS, max_size=3)
    fixed = {
        "name": st.just("auth"),
        "namespace": st.just("orion"),
        "resourceVersion": st.just("7"),
    }
    return st.fixed_dictionaries(fixed, optional={"annotations": notes, "labels": notes})


def rules(http: bool) -> st.SearchStrategy[Body]:
    http_only = {"path": PATHS} if http else {}
    match = optional(headers=HEADERS, **http_only)
    fields = {"matches": st.lists(match, min_size=1, max_size=3), "filters": FILTERS}
    fields |= {"timeouts": st.just({"request": "3s"})} if http else {}
    return optional(name=NAMES, **fields)


def split_rule(http: bool) -> st.SearchStrategy[Body]:
    both = st.tuples(
        backend(st.just("auth-stable")),
        backend(st.just("auth-canary")),
        st.lists(backend(NAMES), max_size=2),
    ).flatmap(lambda found: st.permutations([found[0], found[1], *found[2]]))
    return st.builds(lambda rule, refs: {**rule, "backendRefs": refs}, rules(http), both)


def foreign_rule(http: bool) -> st.SearchStrategy[Body]:
    refs = st.lists(backend(NAMES | st.just("auth-stable")), max_size=2)
    names = NAMES | st.sampled_from(["sluice-1", "sluice-2", "sluice-01", "sluice-x"])
    ruled = st.builds(lambda rule, name: {**rule, "name": name}, rules(http), names)
    # A rule of our name that leads nowhere near the canary belongs to another service, but right before the split rule
    # it would be one of ours that somebody edited.
    return st.builds(lambda rule, found: {**rule, "backendRefs": found}, ruled, refs)


@st.composite
def route_bodies(draw: st.DrawFn) -> Body:
    kind = draw(st.sampled_from(["HTTPRoute", "GRPCRoute"]))
    http = kind == "HTTPRoute"
    before = draw(st.lists(foreign_rule(http), max_size=2))
    while before and before[-1]["name"] in {"sluice-1", "sluice-2"}:
        before.pop()
    found = [*before, draw(split_rule(http)), *draw(st.lists(foreign_rule(http), max_size=2))]
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": draw(metadata()),
        "spec": {"parentRefs": [{"name": "public"}], "rules": found},
    }
    (fill_http_route if http else fill_route)(body)
    return body


AUDIENCES = st.lists(
    st.sampled_from(
        [
            HeaderRule("x-user-tier", equals="beta"),
            HeaderRule("x-region", regex="us-.*"),
            HeaderRule("x-inside", present=True),
        ]
    ),
    unique=True,
    max_size=3,
)
PERCENTS = st.integers(0, 100) | st.sampled_from([0.5, 33.33])


def unless_inexact(write: Callable[[], Body]) -> Body:
    """Return what is written; a percentage that whole numbers cannot say beside others is no example."""
    try:
        return write()
    except RefusedError as error:
        if error.code != "inexact_weight":
            raise
        return reject()


def seen(body: Body) -> sight.Sight:
    return sight.sight_of(body, routes.find_fork(body, "orion", None, LANE_OF))


def written(body: Body, percent: float, rules: list[HeaderRule], fence: str) -> Body:
    return apply_json_patch(deepcopy(body), sight.patch_for(seen(body), percent, fence, rules))


def without_ours(body: Body) -> Body:
    """The object without what Sluice may change: the two weights, rules of our own, the fence."""
    rest = frozen(body)
    fork = seen(body).fork
    assert fork is not None
    ours = {route.index for route in seen(body).audience.routes}
    for at in (fork.stable, fork.canary):
        rest["spec"]["rules"][fork.index]["backendRefs"][at].pop("weight", None)
    rest["spec"]["rules"] = [r for n, r in enumerate(rest["spec"]["rules"]) if n not in ours]
    return rest


def weights(body: Body) -> tuple[int, int]:
    fork = seen(body).fork
    assert fork is not None
    return fork.weights


@settings(deadline=None, max_examples=40)
@given(route_bodies(), PERCENTS, AUDIENCES)
def test_a_write_changes_two_weights_our_rules_and_the_fence_only(body, percent, audience):
    before = deepcopy(body)
    after = unless_inexact(lambda: written(body, percent, audience, "1.2"))

    split = seen(after).split
    assert body == before
    assert (split.rules, split.fence) == (tuple(audience), "1.2")
    assert split.canary == percent
    assert without_ours(after) == without_ours(before)
    assert sum(weights(after)) > 0


@settings(deadline=None, max_examples=40)
@given(route_bodies(), PERCENTS, AUDIENCES)
def test_writing_and_writing_back_gives_the_object_that_there_was(body, percent, audience):
    found = seen(body).split.canary
    there = unless_inexact(lambda: written(body, percent, audience, "1.2"))
    after = unless_inexact(lambda: written(there, found, [], "1.3"))

    assert seen(after).split.canary == found or sum(weights(body)) == 0
    if sum(weights(after)) == sum(weights(body)):  # the sum that was found could carry the percent
        assert frozen(after) == frozen(body)
    assert without_ours(after) == without_ours(body)


@pytest.mark.skipif(not has_schemas, reason="the definitions are not next to the checkout")
@settings(deadline=None, max_examples=60)
@given(route_bodies(), PERCENTS, AUDIENCES)
def test_what_is_written_is_valid_by_the_definition_of_the_gateway_api(body, percent, audience):
    after = unless_inexact(lambda: written(body, percent, audience, "1.2"))
    plural = body["kind"].lower() + "s"
    schema = schema_of(f"{plural}.gateway.networking.k8s.io", strict=True)

    schema.validate(json.loads(json.dumps(after)))


FORMS = st.builds(
    lambda n, form: form(n), st.integers(0, 1000), st.sampled_from([int, str, lambda n: f"{n}000m"])
)


@st.composite
def split_bodies(draw: st.DrawFn) -> Body:
    names = ["auth-stable", "auth-canary", *draw(st.lists(NAMES, max_size=2, unique=True))]
    found = [{"service": name, "weight": draw(FORMS)} for name in draw(st.permutations(names))]
    return {
        "apiVersion": "split.smi-spec.io/v1alpha1",
        "kind": "TrafficSplit",
        "metadata": draw(metadata()),
        "spec": {"service": "auth", "backends": found},
    }


def bare(body: Body) -> Body:
    rest = frozen(body)
    for one in rest["spec"]["backends"]:
        if one["service"] in {"auth-stable", "auth-canary"}:
            del one["weight"]
    return rest


def shared(body: Body, percent: float, fence: str) -> Body:
    pair = backends.find_pair(body, LANE_OF)
    return apply_json_patch(deepcopy(body), backends.patch_for(body, pair, percent, fence))


@settings(deadline=None, max_examples=40)
@given(split_bodies(), PERCENTS)
def test_a_write_of_a_trafficsplit_changes_two_weights_and_the_fence_only(body, percent):
    after = unless_inexact(lambda: shared(body, percent, "1.2"))

    found, pair = (backends.find_pair(one, LANE_OF) for one in (body, after))
    assert pair.percent == percent
    assert bare(after) == bare(body)
    if sum(pair.weights) == sum(found.weights):
        back = shared(after, found.percent, "1.3")
        assert backends.find_pair(back, LANE_OF).weights == found.weights
        assert bare(back) == bare(body)
