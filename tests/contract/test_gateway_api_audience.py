"""An audience in a route: copies of the split rule with one more header, and nothing else of the route changes."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from integrations.base import ConflictError, HeaderRule, RefusedError
from tests.contract.kubernetes_worlds import WORLDS, FakeWorld, open_world
from tests.contract.test_gateway_api import CANARY, FORMS, Mesh, misbehaving
from tests.fakes.kubernetes import frozen

BETA = HeaderRule("x-user-tier", equals="beta")
WEST = HeaderRule("x-region", regex="us-west|us")
INSIDE = HeaderRule("x-inside", present=True)


@pytest.fixture(params=["http", "grpc", "linkerd"])
def form(request):
    return FORMS[request.param]


@pytest.fixture(params=WORLDS)
async def mesh(request, form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world(request.param, tmp_path, form.objects) as opened:
        yield Mesh(opened, form)


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[Mesh]:
    async with open_world("fake", tmp_path, FORMS["http"].objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield Mesh(opened, FORMS["http"])


async def rules_in(mesh: Mesh) -> list[dict[str, Any]]:
    return (await mesh.world.object(mesh.plural))["spec"]["rules"]


async def names_in(mesh: Mesh) -> list[str | None]:
    return [rule.get("name") for rule in await rules_in(mesh)]


async def unsettled(mesh: Mesh) -> dict[str, Any]:
    """The object without what its controller reports."""
    body = frozen(await mesh.world.object(mesh.plural))
    body.pop("status", None)
    return body


async def test_an_audience_goes_to_the_canary_and_is_read_back(mesh):
    await mesh.write(0, rules=(BETA, WEST, INSIDE))

    split = await mesh.router().read()
    assert (split.canary, split.rules) == (0, (BETA, WEST, INSIDE))
    assert (await names_in(mesh))[:3] == ["sluice-1", "sluice-2", "sluice-3"]
    rules = await rules_in(mesh)
    assert [(r["backendRefs"][0]["name"], r["backendRefs"][0]["weight"]) for r in rules[:3]] == [
        (CANARY, 1)
    ] * 3
    assert [rule["matches"][0]["headers"] for rule in rules[:3]] == [
        [{"name": "x-user-tier", "type": "Exact", "value": "beta"}],
        [{"name": "x-region", "type": "RegularExpression", "value": "^(?:us-west|us)$"}],
        [{"name": "x-inside", "type": "RegularExpression", "value": ".+"}],
    ]


async def test_weights_move_under_an_audience_and_going_back_takes_it_away(mesh):
    before = await unsettled(mesh)
    await mesh.write(0, "1.1", rules=(BETA,))
    await mesh.write(50, "1.2", rules=(BETA,))
    split = await mesh.router().read()
    assert (split.canary, split.rules) == (50, (BETA,))

    await mesh.write(0, "1.3")

    split = await mesh.router().read()
    assert (split.canary, split.rules) == (0, ())
    assert await unsettled(mesh) == before


async def test_other_rules_replace_those_that_are_there(mesh):
    await mesh.write(0, "1.1", rules=(BETA, WEST))

    await mesh.write(0, "1.2", rules=(INSIDE,))

    assert (await mesh.router().read()).rules == (INSIDE,)
    assert len(await rules_in(mesh)) == 2


async def test_the_conditions_and_the_treatment_of_the_split_rule_hold_as_well(fake):
    header = {"name": "x-env", "type": "Exact", "value": "live"}
    extras = {
        "filters": [
            {
                "type": "ResponseHeaderModifier",
                "responseHeaderModifier": {"set": [{"name": "a", "value": "b"}]},
            }
        ],
        "timeouts": {"request": "3s"},
        "name": "main",
    }
    matches = [
        {"path": {"type": "PathPrefix", "value": "/api"}, "headers": [header]},
        {"path": {"type": "Exact", "value": "/v2"}, "method": "GET"},
    ]
    await fake.edit(lambda body: body["spec"]["rules"][0].update(extras, matches=matches))

    await fake.write(0, rules=(BETA,))

    ours, main = await rules_in(fake)
    tier = {"name": "x-user-tier", "type": "Exact", "value": "beta"}
    assert ours["matches"] == [
        matches[0] | {"headers": [header, tier]},
        matches[1] | {"headers": [tier]},
    ]
    assert [ours[key] for key in ("filters", "timeouts")] == [extras["filters"], extras["timeouts"]]
    assert (main["matches"], main["name"]) == (matches, "main")


async def test_a_stale_token_adds_no_audience(mesh):
    router = mesh.router()
    token = (await router.read()).token
    await mesh.edit(lambda body: body["metadata"].update(labels={"team": "a"}))

    with pytest.raises(ConflictError):
        await router.write(0, token=token, fence="1.1", rules=(BETA,))

    assert (await router.read()).rules == ()


@pytest.mark.parametrize(
    "edit",
    [
        lambda ours: ours["matches"][0]["headers"][0].update(value="alpha"),
        lambda ours: ours["matches"].append({"headers": [{"name": "b", "value": "c"}]}),
        lambda ours: ours["backendRefs"][0].update(port=81),
        lambda ours: ours.update(filters=[]),
    ],
)
async def test_somebody_elses_edit_of_an_audience_is_seen_and_going_back_removes_it(mesh, edit):
    await mesh.write(0, "1.1", rules=(BETA,))

    def change(body):
        edit(body["spec"]["rules"][0])

    await mesh.edit(change)
    seen = (await mesh.router().read()).rules
    await mesh.write(0, "1.2")

    assert len(seen) == 1
    assert seen != (BETA,)
    assert "sluice-1" not in await names_in(mesh)


async def test_rules_of_another_service_in_the_same_route_are_left_alone(fake):
    theirs = {
        "name": "sluice-1",
        "matches": [{"path": {"type": "PathPrefix", "value": "/cart"}}],
        "backendRefs": [{"name": "cart", "port": 80, "weight": 1, "group": "", "kind": "Service"}],
    }
    await fake.edit(lambda body: body["spec"]["rules"].append(deepcopy(theirs)))

    await fake.write(0, "1.1", rules=(BETA,))
    with_ours = await names_in(fake)
    await fake.write(0, "1.2")

    assert with_ours == ["sluice-2", None, "sluice-1"]
    assert (await rules_in(fake))[-1] == theirs


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (HeaderRule("x-user-tier"), "bad_header_rule"),
        (HeaderRule("X-Upper", equals="a"), "bad_header_rule"),
        (HeaderRule("x", regex="("), "bad_header_rule"),
        (HeaderRule("x", equals=""), "bad_header_rule"),
        (HeaderRule("x", equals="a" * 4097), "bad_header_rule"),
        (HeaderRule("x", present=False), "bad_header_rule"),
        (HeaderRule("x-env", equals="b"), "header_already_matched"),
    ],
)
async def test_a_rule_that_cannot_be_written_is_refused_and_nothing_is_applied(fake, rule, code):
    held = [{"headers": [{"name": "X-Env", "value": "live"}]}]
    await fake.edit(lambda body: body["spec"]["rules"][0].update(matches=held))
    router = fake.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(50, token=token, fence="1.1", rules=(rule,))

    assert refused.value.code == code
    assert (await router.read()).token == token


@pytest.mark.parametrize(
    ("rules", "matches", "sentence"), [(15, 1, "17 rules"), (1, 64, "192 matches")]
)
async def test_a_route_without_room_for_the_audience_is_refused(fake, rules, matches, sentence):
    def fill(body):
        main = body["spec"]["rules"][0]
        main["matches"] = [{"path": {"value": f"/{n}"}} for n in range(matches)]
        other = {"backendRefs": [{"name": "other", "port": 80}]}
        body["spec"]["rules"] += [deepcopy(other) for _ in range(rules - 1)]

    await fake.edit(fill)

    with pytest.raises(RefusedError, match=sentence) as refused:
        await fake.write(0, rules=(BETA, WEST))

    assert refused.value.code == "too_many_rules"
    assert len(await rules_in(fake)) == rules


async def test_where_names_of_rules_are_dropped_there_is_no_audience_and_nothing_is_applied(fake):
    cluster = misbehaving(fake)
    kind = next(kind for kind in cluster.kinds if kind.plural == "httproutes")

    def older(body):
        kind.fill(body)
        for rule in body["spec"]["rules"]:
            rule.pop("name", None)

    cluster.kinds.remove(kind)
    cluster.kinds.append(type(kind)(kind.group, kind.versions, kind.plural, kind.kind, fill=older))
    before = await rules_in(fake)

    with pytest.raises(RefusedError) as refused:
        await fake.write(0, rules=(BETA,))

    assert refused.value.code == "no_header_routes"
    assert await rules_in(fake) == before
    await fake.write(25)
    assert await fake.weights() == [75, 25]


async def test_whether_names_stay_is_tried_once(fake):
    router = fake.router()
    split = await router.read()
    await router.write(0, token=split.token, fence="1.1", rules=(BETA,))
    await fake.write(0, "1.2")
    misbehaving(fake).requests.clear()

    await router.write(0, token=(await router.read()).token, fence="1.3", rules=(WEST,))

    assert [method for method, _ in misbehaving(fake).requests] == ["GET", "PATCH"]


async def test_an_audience_does_not_disturb_the_preflight(mesh):
    await mesh.write(0, rules=(BETA,))

    assert list(await mesh.router().inspect(canary_pods=False)) == []
