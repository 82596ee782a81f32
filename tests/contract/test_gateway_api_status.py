"""When a split of a route counts as written: not before those controllers that report say that they took it over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from integrations.base import RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, open_world
from tests.contract.test_gateway_api import FORMS, Mesh, misbehaving
from tests.contract.test_gateway_api_audience import BETA

GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}
TRUE = {"status": "True", "reason": "Fine"}


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[Mesh]:
    async with open_world("fake", tmp_path, FORMS["http"].objects) as opened:
        assert isinstance(opened, FakeWorld)
        mesh = Mesh(opened, FORMS["http"])
        await mesh.router().read()
        opened.fake.stalled = True
        yield mesh


def said(kind: str, generation: int | None = None, **changes: str) -> dict[str, Any]:
    seen = {} if generation is None else {"observedGeneration": generation}
    moment = {"lastTransitionTime": "2026-08-01T12:00:00Z", "message": ""}
    return {"type": kind, **TRUE, **moment, **seen, **changes}


async def report(fake: Mesh, *conditions: dict[str, Any], parent: Any = GATEWAY) -> None:
    entry = {
        "parentRef": parent,
        "controllerName": "example.com/gw",
        "conditions": list(conditions),
    }
    await fake.world._send(
        "PATCH",
        fake.world.path("httproutes", SERVICE) + "/status",
        {"status": {"parents": [entry] if conditions else []}},
        "application/merge-patch+json",
    )


async def generation(fake: Mesh) -> int:
    return (await fake.world.object("httproutes"))["metadata"]["generation"]


async def fence(fake: Mesh) -> str:
    return (await fake.router().read()).fence


async def test_the_fence_is_held_back_until_the_controller_has_seen_the_write(fake):
    await fake.write(50, "3.7")
    before = await fake.router().read()

    now = await generation(fake)
    await report(fake, said("Accepted", now), said("ResolvedRefs", now - 1))
    between = await fence(fake)
    await report(fake, said("Accepted", now), said("ResolvedRefs", now))

    assert (before.canary, before.fence) == (50, "3.0")
    assert between == "3.0"
    assert await fence(fake) == "3.7"


async def test_writing_the_same_again_says_what_it_waits_for(fake):
    await fake.write(50, "3.7")
    sent = len(misbehaving(fake).log)

    with pytest.raises(TryAgainError, match=r"example|sandbox") as waiting:
        await fake.write(50, "3.7")

    assert waiting.value.code == "route_not_accepted"
    assert len(misbehaving(fake).log) == sent


async def test_another_write_goes_through_while_the_controller_lags(fake):
    await fake.write(50, "3.7", rules=(BETA,))

    await fake.write(0, "3.8")

    assert await fake.weights() == [100, 0]
    with pytest.raises(RefusedError, match=r"3\.8"):
        await fake.write(50, "3.7")


@pytest.mark.parametrize(
    ("conditions", "weight", "shown"),
    [
        ([], 50, "3.7"),  # who reports nothing holds nobody up
        ([said("Accepted")], 50, "3.7"),  # nor who does not say which generation (Linkerd)
        ([said("Accepted", status="False", reason="NoMatchingParent")], 50, "3.0"),
        ([said("Accepted", status="Unknown")], 0, "3.0"),
        ([said("ResolvedRefs", status="False", reason="BackendNotFound")], 50, "3.0"),
        # A canary that is gone gets nothing, so it does not hold up the way home.
        ([said("ResolvedRefs", status="False", reason="BackendNotFound")], 0, "3.7"),
        ([said("Programmed", status="False")], 50, "3.7"),
    ],
)
async def test_what_a_controller_says_counts_for_what_it_is(fake, conditions, weight, shown):
    await fake.write(weight, "3.7")
    now = await generation(fake)
    dated = [c if c["type"] == "Accepted" else c | {"observedGeneration": now} for c in conditions]

    await report(fake, *dated)

    assert await fence(fake) == shown


@pytest.mark.parametrize(
    ("parent", "shown"),
    [
        ({"name": "public"}, "3.0"),
        (GATEWAY | {"namespace": "orion"}, "3.0"),
        ({"name": "former"}, "3.7"),
        (GATEWAY | {"sectionName": "https"}, "3.7"),
    ],
)
async def test_only_reports_about_parents_that_the_route_still_has_count(fake, parent, shown):
    await fake.write(50, "3.7")

    await report(fake, said("Accepted", 1), parent=parent)

    assert await fence(fake) == shown


async def test_a_fence_that_is_not_ours_and_none_at_all_are_shown_as_they_are(fake):
    await report(fake, said("Accepted", status="False"))

    assert await fence(fake) == ""


async def test_what_a_controller_says_reaches_nobody_as_markup(fake):
    misbehaving(fake)._validate = False  # the definition of today allows words only
    await report(fake, said("Accepted", status="False", reason="<!channel> *x*"))

    finding, *_ = await fake.router().inspect(canary_pods=False)

    assert (finding.code, finding.fatal) == ("route_not_accepted", True)
    assert not set("<>*`&!") & set(finding.sentence)
