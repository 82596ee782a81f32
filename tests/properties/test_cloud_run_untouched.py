"""Whatever a service of Cloud Run looks like, a rollout writes what is its own and nothing else."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integrations.revisions import Notes
from integrations.serverless.cloud_run.reading import FENCE, KEPT, LATEST, PREPARED, REVISION, shown
from integrations.serverless.cloud_run.writing import divided, published, revision_name

NAMES = st.sampled_from(["co-00001-a", "co-00002-b", "co-sluice-1-1"])
TAGS = st.sampled_from(["prod", "edge", "canary", "canary-before", "kim"])
KEYS = st.sampled_from(["note", "team", "sluice/rollback", FENCE, PREPARED, KEPT, "a.b/c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a service as Google would show it: shares together 100, each tag once."""
    cut = draw(st.integers(0, 100))
    shares = [
        {"type": REVISION, "revision": draw(NAMES), "percent": cut},
        {"type": LATEST, "percent": 100 - cut},
    ]
    tags = draw(st.lists(TAGS, unique=True, max_size=4))
    entries = [{"type": REVISION, "revision": draw(NAMES), "tag": tag} for tag in tags]
    if entries and draw(st.booleans()):
        entries[0] |= {"type": LATEST, "percent": 0}
        del entries[0]["revision"]
    containers = [{"name": name, "image": f"x/{name}:1", "env": draw(JSON)} for name in ("a", "b")]
    return {
        "name": "projects/p/locations/l/services/co",
        "etag": '"1"',
        "annotations": draw(st.dictionaries(KEYS, st.text(max_size=8), max_size=5)),
        "template": {"containers": containers, "labels": draw(JSON)},
        "traffic": draw(st.permutations([*shares, *entries])) if draw(st.booleans()) else [],
        "latestReadyRevision": "projects/p/locations/l/services/co/revisions/co-00002-b",
        "ingress": draw(JSON),
    }


def foreign(service: dict[str, Any]) -> tuple[Any, ...]:
    """Return what is not ours of a service."""
    notes = {k: v for k, v in service["annotations"].items() if k not in (FENCE, PREPARED, KEPT)}
    tags = {
        one["tag"]: (one["type"], one.get("revision"))
        for one in service["traffic"]
        if one.get("tag") and one["tag"] not in ("canary", "canary-before")
    }
    rest = {k: v for k, v in service.items() if k not in ("annotations", "traffic")}
    return notes, tags, rest


@given(services(), st.integers(0, 100), st.sets(NAMES))
def test_a_write_keeps_everything_that_is_somebody_elses(service, percent, kept):
    before = deepcopy(service)
    shares = {"co-00001-a": 100 - percent, "co-sluice-1-1": percent}
    shares = {name: share for name, share in shares.items() if share}

    body = divided(service, shares, Notes("1.2", "co-sluice-1-1", frozenset(kept)), "canary")[
        "service"
    ]

    assert service == before
    assert foreign(body) == foreign(before)
    seen = shown(body)
    assert (seen.shares, seen.fence, seen.prepared) == (shares, "1.2", "co-sluice-1-1")
    assert seen.kept == kept
    tags = [one["tag"] for one in body["traffic"] if one.get("tag")]
    assert len(tags) == len(set(tags))
    assert sum(one.get("percent", 0) for one in body["traffic"]) == 100


@given(services(), st.integers(0, 1))
def test_a_new_revision_changes_one_image_and_has_no_share(service, index):
    notes = Notes("1.1", revision_name("co", "1.1"), frozenset())
    shares = shown(service).shares

    body = published(divided(service, shares, notes, "canary"), notes.prepared, index, "x/new:2")
    template = body["service"]["template"]

    assert template.pop("revision") == "co-sluice-1-1"
    assert template.pop("annotations") == {"sluice/made": "co-sluice-1-1=x/new:2"}
    template["containers"][index]["image"] = service["template"]["containers"][index]["image"]
    assert template == service["template"]
    assert not any(
        one["type"] == LATEST and one.get("percent") for one in body["service"]["traffic"]
    )
