"""What every router keeps, tried on the Gateway API and on Linkerd, both ways; also on a real server (`cluster`)."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bot.sandbox.orion import (
    gateway_objects,
    grpc_objects,
    linkerd_objects,
    traffic_split_objects,
)
from integrations.base import ConflictError, GoneError, RefusedError, Router, TryAgainError
from tests.contract.kubernetes_worlds import (
    SERVICE,
    WORLDS,
    FakeWorld,
    Objects,
    World,
    open_world,
)
from tests.fakes.kubernetes import frozen

STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"


@dataclass(frozen=True)
class Form:
    """One kind of object that splits by Services."""

    objects: Objects
    plural: str
    make: Callable[..., Router]

    def parts(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The backends of an object, and how each is called, whatever the kind."""
        if self.plural == "trafficsplits":
            return body["spec"]["backends"]
        split = [r for r in body["spec"]["rules"] if "sluice-" not in r.get("name", "")]
        return split[0]["backendRefs"]


FORMS = {
    "http": Form(gateway_objects, "httproutes", lambda w, **o: w.gateway(**o)),
    "grpc": Form(grpc_objects, "grpcroutes", lambda w, **o: w.gateway(route_kind="GRPCRoute", **o)),
    "linkerd": Form(linkerd_objects, "httproutes", lambda w, **o: w.linkerd(**o)),
    "smi": Form(traffic_split_objects, "trafficsplits", lambda w, **o: w.traffic_split(**o)),
}


class Mesh:
    """A world with one form of split."""

    def __init__(self, world: World, form: Form) -> None:
        self.world = world
        self.form = form
        self.plural = form.plural

    def router(self, **options: Any) -> Any:
        return self.form.make(self.world, **options)

    async def weights(self) -> list[Any]:
        body = await self.world.object(self.plural)
        return [part.get("weight") for part in self.form.parts(body)]

    async def write(self, canary: float, fence: str = "1.1", **options: Any) -> None:
        """Read and write with a router of its own: what it leaves behind is not yet settled."""
        router = self.router()
        await router.write(canary, token=(await router.read()).token, fence=fence, **options)

    async def edit(self, change: Callable[[dict[str, Any]], None], manager: str = "argocd") -> None:
        await self.world.edit(self.plural, change, manager=manager)

    async def weigh(self, *weights: int) -> None:
        def change(body: dict[str, Any]) -> None:
            for part, weight in zip(self.form.parts(body), weights, strict=True):
                part["weight"] = weight

        await self.edit(change)


@pytest.fixture(params=FORMS)
def form(request) -> Form:
    return FORMS[request.param]


@pytest.fixture(params=WORLDS)
async def mesh(request, form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world(request.param, tmp_path, form.objects) as opened:
        yield Mesh(opened, form)


@pytest.fixture
async def fake(form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world("fake", tmp_path, form.objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield Mesh(opened, form)


def misbehaving(fake: Mesh) -> Any:
    assert isinstance(fake.world, FakeWorld)
    return fake.world.fake


def patches(fake: Mesh) -> int:
    return sum(method == "PATCH" for method, _ in misbehaving(fake).requests)


async def test_a_fresh_split_gives_everything_to_stable_and_has_no_fence(mesh):
    split = await mesh.router().read()

    assert (split.canary, split.fence, split.mark, split.rules) == (0, "", "", ())


@pytest.mark.parametrize(
    ("percent", "stored"),
    [(5, [95, 5]), (100, [0, 100]), (0, [100, 0]), (33.33, [6667, 3333]), (0.5, [995, 5])],
)
async def test_what_is_written_is_what_is_read_and_both_backends_stay(mesh, percent, stored):
    await mesh.write(percent)

    split = await mesh.router().read()
    assert await mesh.weights() == stored
    assert (split.canary, split.fence) == (percent, "1.1")


async def test_the_sum_that_was_found_is_kept_as_long_as_it_can_say_it(mesh):
    await mesh.weigh(9, 1)

    await mesh.write(50, "1.1")
    assert await mesh.weights() == [5, 5]

    await mesh.write(5, "1.2")
    assert await mesh.weights() == [95, 5]


async def test_another_backend_keeps_its_share(mesh):
    def add(body):
        parts = mesh.form.parts(body)
        name = {"service": "old"} if mesh.plural == "trafficsplits" else {"name": "old", "port": 80}
        parts[0]["weight"] = 80
        parts.append(name | {"weight": 20})

    await mesh.edit(add)

    await mesh.write(25)

    assert await mesh.weights() == [60, 20, 20]
    assert (await mesh.router().read()).canary == 25


async def test_weights_that_are_all_zero_are_never_left_so(mesh):
    await mesh.weigh(0, 0)
    assert (await mesh.router().read()).canary == 0

    await mesh.write(0)

    assert await mesh.weights() == [100, 0]


async def test_a_stale_token_is_refused_and_nothing_is_applied(mesh):
    router = mesh.router()
    token = (await router.read()).token
    await mesh.edit(lambda body: body["metadata"].update(labels={"team": "a"}))

    for other in (router, mesh.router()):
        with pytest.raises(ConflictError):
            await other.write(50, token=token, fence="1.1")

    assert await mesh.weights() == [100, 0]


async def test_the_same_write_twice_changes_the_object_once(mesh):
    await mesh.write(25)
    once = await mesh.router().read()

    await mesh.write(25)

    assert await mesh.router().read() == once


async def test_a_newer_fence_is_written_even_when_the_weights_are_as_asked(mesh):
    first = await mesh.router().read()

    await mesh.write(0, "1.1")

    second = await mesh.router().read()
    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(mesh, older):
    await mesh.write(0, "7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await mesh.write(50, older)

    assert refused.value.code == "fenced"
    assert await mesh.weights() == [100, 0]


async def test_somebody_elses_weights_are_read_with_their_name(mesh):
    await mesh.weigh(90, 10)

    split = await mesh.router().read()

    assert split.canary == 10
    assert re.fullmatch(r"argocd at \d\d:\d\d:\d\d UTC", split.changed_by)


async def test_a_mark_of_an_offline_rollback_is_read(mesh):
    note = {"sluice/rollback": "kim at noon"}
    await mesh.edit(lambda body: body["metadata"].update(annotations=note))

    assert (await mesh.router().read()).mark == "kim at noon"


async def test_everything_else_on_the_object_stays_as_it_was(mesh):
    def decorate(body):
        body["metadata"] |= {"annotations": {"note": "café ~/"}, "labels": {"a": "b"}}

    await mesh.edit(decorate)
    before = await mesh.world.object(mesh.plural)

    await mesh.write(25)

    after = await mesh.world.object(mesh.plural)
    for body in (before, after):
        body.pop("status", None)
        for part in mesh.form.parts(body):
            del part["weight"]
    assert frozen(before) == frozen(after)


@pytest.mark.parametrize("start", [5, 25, 50, 100])
async def test_a_rollback_works_from_every_weight(mesh, start):
    await mesh.write(start, "1.1")

    await mesh.write(0, "1.2")

    assert await mesh.weights() == [100, 0]


async def test_two_writers_with_one_token_change_the_weights_once(mesh):
    token = (await mesh.router().read()).token
    writers = [mesh.router() for _ in range(5)]

    done = await asyncio.gather(
        *(w.write(5 * (n + 1), token=token, fence="1.1") for n, w in enumerate(writers)),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 4 + ["Split"]


async def test_a_missing_object_is_gone_and_found_before_a_rollout(mesh):
    router = mesh.router()
    token = (await router.read()).token
    await mesh.world.delete(mesh.plural)
    code = {"trafficsplits": "traffic_split", "httproutes": "httproute"}.get(
        mesh.plural, "grpcroute"
    )

    with pytest.raises(GoneError) as gone:
        await router.read()
    with pytest.raises(GoneError):
        await router.write(5, token=token, fence="1.1")

    assert gone.value.code == f"{code}_missing"
    assert [f.code for f in await router.inspect(canary_pods=False)] == [f"{code}_missing"]


async def test_lanes_are_told_by_the_pods_that_a_service_selects(mesh):
    key = "service" if mesh.plural == "trafficsplits" else "name"

    def point(body):
        for part, name in zip(mesh.form.parts(body), ("v2", "v1"), strict=True):
            part[key] = name

    for name, lane in (("v1", "stable"), ("v2", "canary")):
        service = await mesh.world.object("services", f"{SERVICE}-{lane}")
        spec = {"selector": service["spec"]["selector"], "ports": [{"port": 80}]}
        metadata = {"name": name}
        await mesh.world.apply(
            "services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        )
    await mesh.edit(point)
    assert (await mesh.router().read()).canary == 100

    await mesh.write(25)

    assert await mesh.weights() == [25, 75]


async def test_a_service_that_selects_the_pods_of_both_lanes_is_neither(mesh):
    key = "service" if mesh.plural == "trafficsplits" else "name"
    await mesh.edit(lambda body: mesh.form.parts(body)[1].update({key: SERVICE}))

    with pytest.raises(RefusedError) as refused:
        await mesh.router().read()

    assert refused.value.code == "route_missing"


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan, math.inf])
async def test_what_is_no_percentage_is_refused_before_anything_is_sent(fake, percent):
    with pytest.raises(RefusedError) as refused:
        await fake.write(percent)

    assert refused.value.code == "bad_weight"
    assert patches(fake) == 0


@pytest.mark.parametrize("name", ["../orion", "a/b?x", "%2e%2e", "UPPER", "", "a..b"])
async def test_a_name_that_is_no_name_never_reaches_the_cluster(fake, name):
    option = {"smi": "traffic_split", "linkerd": "http_route"}
    kind = next(key for key, form in FORMS.items() if form is fake.form)
    await fake.router().read()
    before = len(misbehaving(fake).requests)

    with pytest.raises(RefusedError) as refused:
        await fake.router(**{option.get(kind, "route"): name}).read()

    assert refused.value.code == "bad_name"
    assert len(misbehaving(fake).requests) == before


async def test_reading_is_one_get_and_writing_after_it_is_one_patch(fake):
    router = fake.router()
    await router.read()
    misbehaving(fake).requests.clear()

    split = await router.read()
    await router.write(5, token=split.token, fence="1.1")

    assert [method for method, _ in misbehaving(fake).requests] == ["GET", "PATCH"]


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(fake):
    router = fake.router()
    token = (await router.read()).token
    misbehaving(fake).drop()

    with pytest.raises(TryAgainError):
        await router.write(5, token=token, fence="1.1")

    assert ((await router.read()).canary, patches(fake)) == (5, 1)


async def test_a_write_that_lands_after_the_rollback_changes_nothing(fake):
    router = fake.router()
    token = (await router.read()).token
    misbehaving(fake).hold()
    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="3.4")
    await fake.write(0, "3.5")

    assert await misbehaving(fake).land() == [409]
    assert await fake.weights() == [100, 0]


async def test_a_forbidden_write_names_the_verb_and_the_resource(fake):
    misbehaving(fake).fail(403, method="PATCH")

    with pytest.raises(RefusedError, match=f"patch {fake.plural}") as refused:
        await fake.write(5)

    assert refused.value.code == "forbidden"


async def test_a_cluster_that_does_not_serve_the_kind_is_refused(fake):
    misbehaving(fake).kinds[:] = [k for k in misbehaving(fake).kinds if k.plural != fake.plural]

    with pytest.raises(RefusedError) as refused:
        await fake.router().read()

    assert refused.value.code == "api_missing"


@pytest.mark.parametrize(
    ("form", "served"),
    [
        ("http", "v1beta1"),
        ("grpc", "v1alpha2"),
        ("linkerd", "v1beta1"),
        ("smi", "v1alpha2"),
        ("smi", "v1alpha4"),
    ],
    indirect=["form"],
)
async def test_the_version_that_is_served_is_spoken(fake, served):
    for kind in list(misbehaving(fake).kinds):
        if kind.plural == fake.plural:
            misbehaving(fake).kinds.remove(kind)
            older = type(kind)(kind.group, (served,), kind.plural, kind.kind, fill=kind.fill)
            misbehaving(fake).kinds.append(older)

    await fake.write(5)

    assert f"/{served}/" in misbehaving(fake).requests[-1][1]
    assert await fake.router().read()


async def test_the_fence_of_another_service_in_the_same_object_is_not_ours(mesh):
    theirs = {"sluice/fence": "2.5", "sluice/fence.payments-canary": "2.5"}
    await mesh.edit(lambda body: body["metadata"].update(annotations=dict(theirs)))

    found = await mesh.router().read()
    await mesh.write(50, "1.7")
    with pytest.raises(RefusedError) as refused:
        await mesh.write(60, "1.6")
    await mesh.edit(lambda body: body["metadata"]["annotations"].update({"sluice/fence": "2.6"}))
    await mesh.write(0, "1.8")

    notes = (await mesh.world.object(mesh.plural))["metadata"]["annotations"]
    assert (found.fence, refused.value.code) == ("", "fenced")
    assert (await mesh.router().read()).fence == notes[f"sluice/fence.{CANARY}"] == "1.8"
    assert notes["sluice/fence.payments-canary"] == "2.5"


@pytest.mark.parametrize("form", ["http", "grpc", "linkerd"], indirect=True)
async def test_weights_at_their_limit_beside_another_backend_go_home(mesh):
    def fill(body):
        refs = mesh.form.parts(body)
        refs.append(refs[0] | {"name": "old", "weight": 1})
        for ref in refs[:2]:
            ref["weight"] = 1_000_000

    await mesh.edit(fill)

    await mesh.write(0)

    assert await mesh.weights() == [1_000_000, 0, 1]
