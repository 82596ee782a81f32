"""Subsets that split nothing are found before the canary has pods: on a fake and, marked `cluster`, a real cluster."""

from collections.abc import AsyncIterator
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects
from integrations.base import Finding
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, World, open_world

STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


async def findings(world: World, **options: str) -> list[Finding]:
    return list(await world.router(**options).inspect(canary_pods=False))


async def codes(world: World, **options: str) -> list[str]:
    found = await findings(world, **options)
    assert all(finding.fatal for finding in found)
    return [finding.code for finding in found]


async def label(world: World, **labels: dict[str, str] | None) -> None:
    """Give subsets other labels; None takes them away."""

    def change(body: dict[str, Any]) -> None:
        for subset in body["spec"]["subsets"]:
            if subset["name"] in labels:
                subset["labels"] = labels[subset["name"]]
                if subset["labels"] is None:
                    del subset["labels"]

    await world.edit("destinationrules", change)


def second_rule(**changes: Any) -> dict[str, Any]:
    subsets = [{"name": lane, "labels": {"track": lane}} for lane in ("stable", "canary")]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "another"},
        "spec": {"host": SERVICE, "subsets": subsets} | changes,
    }


APP = {"app": SERVICE}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"canary": {"track": "stable"}}, ["subsets_overlap"]),
        ({"canary": {"track": "cannary"}}, ["subset_missing"]),
        ({"stable": {"track": "sable"}}, ["subset_missing"]),
        ({"canary": None}, ["subsets_overlap"]),
        ({"stable": None}, ["subsets_overlap"]),
        ({"stable": None, "canary": None}, ["subsets_overlap"] * 2),
        ({"stable": APP, "canary": APP}, ["subsets_overlap"] * 2),
        ({"stable": APP | {"track": "stable"}, "canary": APP | {"track": "canary"}}, []),
    ],
)
async def test_a_subset_has_to_select_the_pods_of_its_lane_and_no_others(world, labels, expected):
    await label(world, **labels)

    assert await codes(world) == expected


async def test_the_canarys_label_may_be_the_one_that_is_mistyped(world):
    def mistype(body):
        body["spec"]["template"]["metadata"]["labels"] = APP | {"track": "cannary"}
        body["spec"]["selector"]["matchLabels"] = APP | {"track": "cannary"}

    body = await world.object("deployments", CANARY)
    await world.delete("deployments", CANARY)
    mistype(body)
    body["metadata"] = {"name": CANARY}
    await world.apply("deployments", body)

    (first,) = await findings(world)

    assert first.code == "subset_missing"
    assert f"track=canary, which those of Deployment {CANARY} do not bear" in first.sentence


async def test_the_sentence_says_whose_pods_and_where_to_mend_it(world):
    await label(world, canary=None)

    (finding,) = await findings(world)

    assert finding.sentence.startswith(f"Subset canary of {SERVICE}.{world.namespace}")
    assert f"(no labels) selects the pods of Deployment {STABLE} too" in finding.sentence
    assert f"in DestinationRule {SERVICE}" in finding.sentence


async def test_a_second_rule_for_the_host_with_the_same_subsets_is_fatal(world):
    await world.apply("destinationrules", second_rule())

    first, second = await findings(world)

    assert (first.code, second.code) == ("subsets_overlap", "subsets_overlap")
    assert f"in DestinationRule another and in {SERVICE}" in first.sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"subsets": [{"name": "legacy", "labels": {"track": "legacy"}}]},
        {"host": "cart"},
        {"workloadSelector": {"matchLabels": {"app": "batch"}}},
        {"exportTo": ["elsewhere"]},
    ],
)
async def test_a_second_rule_with_other_subsets_hosts_or_clients_is_fine(world, changes):
    if "exportTo" in changes:
        await world.edit("destinationrules", lambda body: body["spec"].update(exportTo=["."]))
    await world.apply("destinationrules", second_rule(**changes))

    assert await codes(world) == []


async def test_what_some_clients_have_for_themselves_has_to_be_right_too(world):
    own = second_rule(workloadSelector={"matchLabels": {"app": "batch"}})
    own["spec"]["subsets"][1]["labels"] = {"track": "stable"}
    own["metadata"]["name"] = "zz"
    await world.apply("destinationrules", own)

    (finding,) = await findings(world)

    assert finding.code == "subsets_overlap"
    assert "in DestinationRule zz" in finding.sentence


async def test_subsets_of_another_service_are_not_judged(world):
    def lead_elsewhere(body):
        (route,) = body["spec"]["http"]
        body["spec"]["http"] = [deepcopy(route)]
        for entry in body["spec"]["http"][0]["route"]:
            entry["destination"]["host"] = "cart"

    cart = await world.object("services")
    cart["metadata"] = {"name": "cart"}
    cart["spec"] = {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 80}]}
    await world.apply("services", cart)
    await world.edit("virtualservices", lead_elsewhere)

    assert await codes(world) == ["route_missing"]


@pytest.mark.parametrize("kind", WORLDS)
async def test_colours_are_told_apart_by_the_names_of_their_subsets(kind, tmp_path):
    names = {"stable": f"{SERVICE}-blue", "canary": f"{SERVICE}-green"}
    objects = partial(colours_objects, mesh=True)
    async with open_world(kind, tmp_path, objects) as world:
        assert await codes(world, **names) == []

        await label(world, blue=APP, green=APP)
        assert await codes(world, **names) == ["subsets_overlap"]

        await label(world, blue={"version": "blue"}, green={"version": "gren"})
        assert await codes(world, **names) == ["subset_missing"]
