"""For arbitrary valid objects a write of a policy changes nothing but what it owns, and going back restores it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from integrations.workloads.policy.keeping import Note, kept_with, note_on, note_ops, notes_of
from integrations.workloads.policy.manifests import NONE, digest_of, image_of
from integrations.workloads.policy.slots import Slot, SpecSlot, SubsetSlot, subset_of

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
BLOCKS = st.dictionaries(WORDS, VALUES, max_size=3)
MINE, OTHERS = {"app": "auth", "track": "stable"}, {"app": "auth", "track": "canary"}


@st.composite
def metadata(draw: st.DrawFn) -> dict[str, Any]:
    notes = draw(st.dictionaries(WORDS, WORDS, max_size=3))
    return {"name": "auth", "resourceVersion": "7", "annotations": {"note": "x", **notes}}


@st.composite
def rules(draw: st.DrawFn) -> tuple[dict[str, Any], Slot]:
    """A DestinationRule with the lanes among its subsets, and the slot of the stable one."""
    lanes = [{"name": name, "labels": {"track": name}} for name in ("stable", "canary")]
    foreign = draw(
        st.lists(BLOCKS.map(lambda x: {**x, "name": "v9", "labels": {"v": "9"}}), max_size=2)
    )
    says = st.fixed_dictionaries({}, optional={"trafficPolicy": BLOCKS})
    subsets = draw(st.permutations([*({**lane, **draw(says)} for lane in lanes), *foreign]))
    rest = draw(BLOCKS)
    body = {"metadata": draw(metadata()), "spec": {**rest, "host": "auth", "subsets": subsets}}
    return body, subset_of(body, MINE, OTHERS)


@st.composite
def selecting(draw: st.DrawFn) -> tuple[dict[str, Any], Slot]:
    """An object that selects pods itself."""
    spec = {**draw(BLOCKS), "selector": {"matchLabels": {"track": "stable"}}}
    return {"metadata": draw(metadata()), "spec": spec}, SpecSlot("selector")


def written(
    body: dict[str, Any], slot: Slot, image: str, content: Any, counter: int = 1
) -> dict[str, Any]:
    """What an object is after a write, put together as the adapter does."""
    before, there = note_on(body, "stable"), slot.content(body)
    armed = before.armed_for(counter, there)
    kept = kept_with(before, there, image, armed)
    stored = "" if content is None else digest_of(content)
    notes = notes_of("stable", Note(image, stored, kept, counter, armed))
    return apply_json_patch(body, [*slot.ops(body, content), *note_ops(notes)])


def bare(body: dict[str, Any]) -> dict[str, Any]:
    copy = deepcopy(body)
    notes = copy["metadata"]["annotations"]
    copy["metadata"]["annotations"] = {
        k: v for k, v in notes.items() if not k.startswith("sluice/")
    }
    return copy


def without_owned(slot: Slot, body: dict[str, Any]) -> dict[str, Any]:
    rest = bare(body)
    if isinstance(slot, SubsetSlot):
        rest["spec"]["subsets"][slot.index].pop("trafficPolicy", None)
    else:
        rest["spec"] = {slot.selector: rest["spec"][slot.selector]}
    return rest


@given(rules() | selecting(), BLOCKS)
def test_nothing_changes_but_what_is_owned(found, content):
    body, slot = found
    after = written(body, slot, image_of("v2", content), content)

    assert slot.content(after) == content
    assert without_owned(slot, after) == without_owned(slot, body)


@given(rules() | selecting(), BLOCKS, BLOCKS)
def test_going_back_restores_every_byte_of_it(found, first, second):
    body, slot = found
    armed = note_on(body, "stable").image_of(slot.content(body))
    there = written(body, slot, image_of("v2", first), first)
    over = written(there, slot, image_of("v3", second), second)

    kept = note_on(over, "stable").kept or {}
    back = written(over, slot, armed, None if armed == NONE else kept[armed])

    assert bare(back) == bare(body)
    assert note_on(back, "stable").image_of(slot.content(back)) == armed


@given(BLOCKS, st.text(max_size=40), st.text(max_size=40))
def test_a_note_that_somebody_scribbled_over_is_none(content, says, keeps):
    annotations = {"sluice/policy.stable": says, "sluice/previous.stable": keeps}
    note = note_on({"metadata": {"annotations": annotations}}, "stable")

    assert note.image_of(content).startswith(("policy:found@", "policy:edited@"))
    assert not note.kept


def test_what_is_kept_stays_within_what_a_cluster_takes():
    note, packed = Note(), 0
    for number in range(8):
        # Text that cannot be packed well.
        content = {"lua": "".join(digest_of({"n": number, "i": i}) for i in range(1500))}
        kept = kept_with(note, content, "policy:next@sha256:0", armed="")
        note = Note(kept=kept)
        packed = len(notes_of("stable", note)["sluice/previous.stable"])
        assert image_of("found", content) in kept
    assert 1 <= len(kept) <= 3
    assert packed <= 96 * 1024


@pytest.mark.parametrize("bytes_each", [10, 60_000])
def test_what_a_rollout_goes_back_to_is_kept_however_often_and_large_others_edit(bytes_each):
    body, slot = {"metadata": {"annotations": {}}, "spec": {"live": True}}, SpecSlot("selector")
    body["metadata"]["annotations"]["note"] = "x"
    armed = note_on(body, "stable").image_of(slot.content(body))
    for number in range(6):
        body = written(body, slot, image_of("v2", {"v": 2}), {"v": 2}, counter=7)
        body["spec"] = {"edit": number, "lua": hard_to_pack(number, bytes_each)}

    back = (note_on(body, "stable").kept or {})[armed]

    assert back == {"live": True}
    over = written(body, slot, image_of("v3", {"v": 3}), {"v": 3}, counter=8)
    assert note_on(over, "stable").armed == note_on(body, "stable").image_of(slot.content(body))


def hard_to_pack(seed: int, size: int) -> str:
    return "".join(digest_of({"n": seed, "i": i}) for i in range(size // 64 + 1))
