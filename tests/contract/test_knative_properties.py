"""Whatever the traffic of a Knative Service looks like: Knative takes every write, and only what is ours changes."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from bot.sandbox.knative import fill_service, refused
from integrations.serverless.knative.traffic import Tags, divided, entries_of, shares_of, tagged
from integrations.serverless.knative.writing import Template, patch_for
from tests.contract.knative_world import entry
from tests.fakes.kubernetes import frozen, has_schemas, schema_of

TAGS = Tags("canary")
LIVE, DARK = "shop-00001", "shop-sluice-1-1"
NAMES = st.sampled_from(["", LIVE, "shop-00007", "shop-00008"])
TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """A Service whose live revision has the largest share, with any entries beside it."""
    others = draw(st.lists(NAMES, max_size=4))
    tags = draw(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True, min_size=5))
    entries = [
        entry(name, 0, tag if draw(st.booleans()) else "")
        for name, tag in zip(others, tags, strict=False)
    ]
    live = entry(draw(st.sampled_from(["", LIVE])), 100, draw(st.sampled_from(["", "live"])))
    entries.insert(draw(st.integers(0, len(entries))), live)
    metadata: dict[str, Any] = {"name": "shop", "namespace": "orion", "resourceVersion": "7"}
    if draw(st.booleans()):
        metadata["annotations"] = {"note": draw(TEXTS)}
    template: dict[str, Any] = {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}
    if draw(st.booleans()):
        template["metadata"] = {"labels": {"x": "y"}}
    return {
        "metadata": metadata,
        "spec": {"template": template, "traffic": entries},
        "status": {"latestReadyRevisionName": LIVE},
    }


def written(
    body: dict[str, Any], canary: int, kept: frozenset[str], template: Template | None = None
) -> dict[str, Any]:
    shares = {LIVE: 100 - canary} | ({DARK: canary} if canary else {})
    shares = {name: share for name, share in shares.items() if share}
    prepared = DARK if DARK in kept else ""
    traffic = divided(entries_of(body), shares, tagged(prepared, kept, shares, TAGS), TAGS)
    ops = patch_for(body, traffic, fence="1.1", prepared=prepared, template=template)
    after = apply_json_patch(deepcopy(body), json.loads(json.dumps(ops)))
    assert refused(body, after) == ""
    if has_schemas:
        checked = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", **after}
        schema = schema_of("services.serving.knative.dev", strict=False)
        assert not list(schema.iter_errors(checked))
    fill_service(after)
    return after


def tags_of(body: dict[str, Any]) -> dict[str, str]:
    return {one["tag"]: one.get("revisionName", "") for one in entries_of(body) if one.get("tag")}


@given(services(), st.integers(0, 100))
def test_a_write_is_taken_and_leaves_everything_of_others(body, canary):
    both = frozenset({LIVE, DARK})
    made = written(body, 0, both, Template(DARK, "shop:2", 0, "shop"))
    after = written(made, canary, both)

    shares = {LIVE: 100 - canary, DARK: canary}
    assert shares_of(after) == {name: share for name, share in shares.items() if share}
    assert not any(one.get("latestRevision") and one.get("percent") for one in entries_of(after))
    ours = [
        (one["revisionName"], one.get("tag"))
        for one in entries_of(after)
        if one.get("revisionName") in both
    ]
    assert len(set(ours)) == len(ours)
    theirs = tags_of(body)
    assert theirs.items() <= tags_of(after).items()
    assert set(tags_of(after)) - set(theirs) <= TAGS.both
    assert tags_of(after)["canary"] == DARK


@given(services(), st.integers(0, 100))
def test_what_is_written_and_written_back_is_as_it_was_but_for_the_pin(body, canary):
    both = frozenset({LIVE, DARK})
    away = written(body, canary, both)
    home = written(written(away, 0, both), 0, frozenset({LIVE}))

    assert tags_of(home) == tags_of(body)
    assert shares_of(home) == {LIVE: 100}
    for one in (body, home):
        del one["spec"]["traffic"]
    fill_service(body)
    fill_service(home)
    assert frozen(home) == frozen(body)
