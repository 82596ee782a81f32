"""A route file is replaced as a whole, by one writer at a time, and says the same as before but for what is ours."""

import asyncio
import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.base import ConflictError, RefusedError, TryAgainError
from integrations.routers.envoy.files import RouteFile
from tests.contract.envoy_worlds import RULES, World, route, table, without_fence


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


async def test_two_writers_with_one_token_change_the_weights_once(world):
    token = (await world.router().read()).token

    done = await asyncio.gather(
        *(
            world.router().write(5 * (n + 1), token=token, fence="1.1")
            for n in range(8)
        ),
        return_exceptions=True,
    )  # fmt: skip

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 7 + ["Split"]


async def test_a_writer_waits_for_the_one_before_it_and_then_finds_another_file(world):
    """Two writers read the same hash; the second comes to its own check while the first is still writing."""
    router, file = world.router(), RouteFile(str(world.path))
    token = (await router.read()).token
    inside, go_on = threading.Event(), threading.Event()

    def slowly(data: bytes) -> bytes:
        inside.set()
        assert go_on.wait(5)
        return data.replace(b"mine-7", b"mine-8")

    first = asyncio.create_task(asyncio.to_thread(file.replace, token, slowly))
    await asyncio.to_thread(inside.wait, 5)
    second = asyncio.create_task(router.write(50, token=token, fence="1.1"))
    await asyncio.sleep(0.05)
    go_on.set()

    await first
    with pytest.raises(ConflictError):
        await second
    assert (world.content["version_info"], world.weights()) == ("mine-8", [100, 0])


async def test_a_file_that_stays_locked_is_tried_again(world, monkeypatch):
    monkeypatch.setattr("integrations.routers.envoy.files._PATIENCE_S", 0.05)
    folder = os.open(world.path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)

    with pytest.raises(TryAgainError) as again:
        await world.write(5)
    os.close(folder)
    await world.write(5)

    assert again.value.code == "envoy_file_locked"
    assert world.weights() == [95, 5]


async def test_the_file_is_moved_into_place_with_its_mode_and_nothing_stays_beside_it(world):
    world.path.chmod(0o640)
    rest = world.path.with_name(".rds.yaml.sluice")
    rest.write_text("what a process left that was killed")
    before = world.path.stat()

    await world.write(5)

    after = world.path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert [one.name for one in world.path.parent.iterdir()] == ["rds.yaml"]


async def test_a_link_is_refused(world):
    link = world.path.with_name("link.json")
    link.symlink_to(world.path)
    router = world.router(file=str(link))

    with pytest.raises(RefusedError) as refused:
        await router.read()

    assert refused.value.code == "envoy_file_is_link"
    assert [f.code for f in await router.inspect(canary_pods=False)] == ["envoy_file_is_link"]


@pytest.mark.parametrize(
    "text",
    [
        "resources:\n# by ana\n- name: front\n",
        '{"resources": [], "resources": []}',
        '{"resources": [NaN]}',
        '{"a": 0.1000000000000000000001}',
        '{"a": 1e999}',
        '{"a": "\\ud800 ä"}',
        "[]",
        "",
        "{",
        "[" * 100_000,
    ],
)
async def test_what_could_not_be_written_back_is_refused_whole(world, text):
    world.path.write_text(text)

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert refused.value.code == "envoy_file_not_json"
    assert world.path.read_text() == text


async def test_bytes_that_are_no_text_are_refused(world):
    world.path.write_bytes(b"\xff\xfe{\x00}\x00")

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert refused.value.code == "envoy_file_not_json"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be somebody to whom things can be forbidden."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def closed() -> Iterator[World]:
    """A file that everybody may read, in a folder that nobody may change."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.path.parent.chmod(0o555)
        yield world
        world.path.parent.chmod(0o755)


async def test_a_folder_that_cannot_be_written_is_found_before_a_rollout(closed):
    with unprivileged():
        findings = await closed.router().inspect(canary_pods=False)
        with pytest.raises(RefusedError) as refused:
            await closed.write(5)

    assert [f.code for f in findings] == [refused.value.code] == ["envoy_file_forbidden"]
    assert closed.weights() == [100, 0]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(-1e6, 1e6) | st.text(max_size=8)


JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


FIELDS = st.dictionaries(st.sampled_from(["timeout", "a", "typed_per_filter_config"]), JSON)


ENTRIES = st.lists(st.builds(dict, name=st.just("old"), weight=st.integers(0, 9)), max_size=2)


METADATA = st.sampled_from(
    [
        {},
        {"metadata": {"filter_metadata": {"x": {"y": 1}}}},
        {"metadata": {"typed_filter_metadata": {}}},
    ]
)


OTHERS = st.lists(
    st.builds(lambda extra, name: {"name": name, **extra}, FIELDS, st.text(max_size=4)), max_size=3
)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    split = route(draw(st.sampled_from([100, 1000])), 0, **draw(FIELDS), **draw(METADATA))
    entries = split["route"]["weighted_clusters"]["clusters"]
    entries[1] |= draw(FIELDS)
    entries += draw(ENTRIES)
    split["match"] |= draw(FIELDS)
    content = table(*draw(OTHERS), split, *draw(OTHERS), **draw(FIELDS))
    content["resources"] += draw(st.lists(JSON.filter(lambda x: not isinstance(x, dict))))
    layout = draw(
        st.sampled_from([{}, {"indent": 2}, {"indent": "\t"}, {"separators": (",", ":")}])
    ) | {"ensure_ascii": draw(st.booleans())}
    return (json.dumps(content, **layout) + draw(st.sampled_from(["", "\n"]))).encode(), layout


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=files(), rules=st.lists(st.sampled_from(RULES), unique=True))
async def test_there_and_back_nothing_but_the_fence_differs(world, made, rules):
    data, _ = made
    world.path.write_bytes(data)

    await world.write(50, rules=rules)
    on_the_way = world.content
    read = await world.router().read()
    await world.write(0, fence="1.2")

    assert (read.canary, read.rules, read.fence) == (50, tuple(rules), "1.1")
    assert without_fence(world.path.read_bytes()) == without_fence(data)
    routes = on_the_way["resources"][0]["virtual_hosts"][0]["routes"]
    routes[:] = [one for one in routes if not str(one.get("name")).startswith("sluice-")]
    (split,) = [one for one in routes if "route" in one]
    for entry in split["route"]["weighted_clusters"]["clusters"][:2]:
        entry["weight"] = 0
    before = json.loads(data)
    (was,) = [o for o in before["resources"][0]["virtual_hosts"][0]["routes"] if "route" in o]
    for entry in was["route"]["weighted_clusters"]["clusters"][:2]:
        entry["weight"] = 0
    assert without_fence(json.dumps(on_the_way)) == without_fence(json.dumps(before))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=files())
async def test_the_layout_of_a_file_stays(world, made):
    data, layout = made
    world.path.write_bytes(data)

    await world.write(0)
    first = world.path.read_text("utf-8")
    await world.write(50, fence="1.2")
    await world.write(0, fence="1.3")

    assert first == json.dumps(json.loads(first), **layout) + "\n" * data.endswith(b"\n")
    assert world.path.read_text("utf-8") == first.replace('"1.1"', '"1.3"')
