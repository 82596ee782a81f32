"""An HTTP fleet asks its own nodes only, tells each of them once, and names those that do not take part."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import RefusedError, TryAgainError
from tests.contract.fleet_worlds import ALL, WAYS, NodesYard, open_nodes

OLD, NEW = "v1.0.0", "v2"


@pytest.fixture
async def yard() -> AsyncIterator[NodesYard]:
    async with open_nodes() as opened:
        yield opened


async def test_the_nodes_move_in_the_order_in_which_they_are_listed(yard):
    await yard.tell(NEW, count=2)

    assert [node.version for node in yard.runners.nodes.values()] == [NEW] * 2 + [OLD] * 4


async def test_going_back_in_part_takes_those_that_moved_last(yard):
    await yard.tell(NEW, count=4)
    yard.wait(30)

    await yard.tell(OLD, "1.2", count=4)

    assert [node.version for node in yard.runners.nodes.values()] == [NEW] * 2 + [OLD] * 4


async def test_an_update_carries_its_fence_and_what_the_node_needs_to_know(yard):
    await yard.tell(NEW, "7.3", count=1)

    (headers,) = yard.runners.headers
    assert headers["Sluice-Fence"] == "7.3"
    assert "/node-1/functions/auth-service" in yard.runners.asked


async def test_nodes_that_run_it_already_are_not_told_again(yard):
    await yard.tell(NEW, count=2)
    yard.wait(30)

    await yard.tell(NEW, "1.2", count=3)

    assert [node.updates for node in yard.runners.nodes.values()][:4] == [[NEW], [NEW], [NEW], []]


async def test_a_process_that_has_just_started_sees_what_the_nodes_were_told(yard):
    await yard.tell(NEW, count=2)
    yard.wait(30)

    fresh = yard.again()
    now = await fresh.read()

    assert (now.image, now.moved, now.old, now.fence) == (NEW, 2, 4, "")
    await fresh.write(image=NEW, count=3, token="", fence="1.2")
    assert yard.runners.updates == 3
    await fresh.close()


# ---- late updates ---------------------------------------------------------------------------------


async def test_an_update_that_lands_after_going_back_is_seen_and_the_node_told_again(yard):
    yard.runners.holding = True
    with pytest.raises(TryAgainError):
        await yard.tell(NEW, count=2)
    yard.runners.holding = False
    await yard.tell(OLD, "1.2")

    yard.runners.land()
    now = await yard.state()

    assert (now.moved, now.settled, now.image) == (ALL - 2, False, OLD)
    await yard.tell(OLD, "1.3")
    yard.wait(30)
    assert (await yard.state()).settled


async def test_the_way_back_is_done_only_after_a_quiet_period(yard):
    await yard.tell(NEW, count=2)
    yard.wait(30)
    await yard.tell(OLD, "1.2")
    yard.wait(14)
    assert ((await yard.state()).moved, (await yard.state()).settled) == (ALL, False)

    yard.wait(1)

    assert (await yard.state()).settled


async def test_nodes_that_keep_fences_stop_a_process_that_is_late(yard):
    yard.runners.keeps_fences = True
    await yard.tell(NEW, "2.5", count=2)
    late = yard.again()

    with pytest.raises(RefusedError) as refused:
        await late.write(image="v3", token="", fence="2.4")

    assert refused.value.code == "fenced"
    await late.close()


async def test_what_a_newer_process_told_the_nodes_is_believed(yard):
    yard.runners.keeps_fences = True
    await yard.tell(NEW, "2.5", count=2)
    newer = yard.again()
    await newer.write(image="v3", count=3, token="", fence="2.6")
    yard.wait(30)

    now = await yard.state()

    assert (now.image, now.moved, now.fence) == ("v3", 3, "2.6")
    await newer.close()


# ---- nodes that do not take part ------------------------------------------------------------------


async def test_a_node_that_dies_while_it_moves_is_pending_and_named(yard):
    await yard.tell(NEW, count=2)
    yard.runners.nodes["node-2"].dead = True
    yard.wait(30)

    now = await yard.state()

    assert (now.moved, now.pending, now.old, now.problem) == (1, 1, 4, "node_unreachable")
    assert "node-2" in now.detail


async def test_a_node_whose_turn_has_not_come_does_not_hold_up_the_others(yard):
    yard.runners.nodes["node-6"].dead = True

    await yard.tell(NEW, count=2)
    yard.wait(30)

    now = await yard.state()
    assert (now.moved, now.pending, now.old, now.problem) == (2, 0, 4, "")


async def test_a_node_that_comes_back_with_the_wrong_version_is_told_again(yard):
    await yard.tell(NEW)
    yard.wait(30)
    yard.runners.nodes["node-3"].dead = True
    await yard.tell(OLD, "1.2")
    assert (await yard.state()).problem == "node_unreachable"
    yard.runners.nodes["node-3"].dead = False
    yard.wait(30)
    assert (await yard.state()).old == 1

    await yard.tell(OLD, "1.3")
    yard.wait(30)

    assert (await yard.state()).settled
    assert yard.runners.versions == {OLD: ALL}


async def test_one_that_refuses_the_update_is_named_and_the_others_are_told(yard):
    yard.runners.nodes["node-1"].deaf = True

    await yard.tell(NEW, count=2)
    yard.wait(30)

    now = await yard.state()
    assert (now.moved, now.old, now.problem) == (1, 5, "")
    assert "node-1 (answered 500)" in now.detail


async def test_when_not_one_takes_the_update_that_is_an_error(yard):
    for node in yard.runners.nodes.values():
        node.deaf = True

    with pytest.raises(TryAgainError, match=r"node-1 \(answered 500\)"):
        await yard.tell(NEW, count=2)


async def test_a_node_that_is_not_healthy_says_why(yard):
    yard.runners.broken.add(NEW)
    await yard.tell(NEW, count=1)
    yard.wait(60)

    now = await yard.state()

    assert (now.pending, now.problem) == (1, "")
    assert "node-1 (answered 503)" in now.detail


async def test_before_the_start_a_node_that_is_away_is_a_remark(yard):
    yard.runners.nodes["node-4"].answers = 503

    (finding,) = await yard.fleet.inspect()

    assert (finding.code, finding.fatal) == ("instances_away", False)
    assert "node-4 (answered 503)" in finding.sentence


async def test_nodes_cannot_be_stopped(yard):
    with pytest.raises(RefusedError) as refused:
        await yard.tell(OLD, replicas=0)

    assert refused.value.code == "not_scalable"
    assert yard.runners.updates == 0


# ---- what passes and what does not ----------------------------------------------------------------


async def test_a_redirect_is_not_followed(yard):
    async with open_nodes(1) as elsewhere:
        yard.runners.redirect = f"{elsewhere.runners.url}/node-1/version"

        with pytest.raises(TryAgainError, match="redirects are not followed"):
            await yard.state()

        assert elsewhere.runners.asked == []


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fd00:ec2::254]"])
async def test_a_metadata_service_is_never_asked(url):
    async with open_nodes(instances=[{"name": "node-1", "url": url}]) as yard:
        with pytest.raises(TryAgainError, match="metadata service"):
            await yard.state()


async def test_the_token_is_read_anew_for_each_look(yard, tmp_path):
    yard.runners.token = "first"
    file = tmp_path / "token"
    file.write_text("first\n")
    fleet = yard.again(bearer_token_file=str(file))
    assert (await fleet.read()).moved == ALL

    yard.runners.token = "second"
    file.write_text("second")

    assert (await fleet.read()).moved == ALL
    await fleet.close()


@pytest.mark.parametrize("text", ["", "\x00", "é"])
async def test_a_token_that_cannot_be_one_is_refused_without_its_text(yard, tmp_path, text):
    file = tmp_path / "token"
    file.write_bytes(text.encode())
    fleet = yard.again(bearer_token_file=str(file))

    with pytest.raises(RefusedError) as refused:
        await fleet.read()

    assert refused.value.code == "token_unusable"
    assert str(tmp_path) not in str(refused.value)
    await fleet.close()


@pytest.mark.parametrize(
    "version", [{"path": "/health"}, {"path": "/version"}, {"path": "/version", "json": "a.b"}]
)
async def test_what_does_not_look_like_a_version_is_none(yard, version):
    fleet = yard.again(version=version)

    with pytest.raises(TryAgainError, match="without its version"):
        await fleet.read()

    await fleet.close()


async def test_names_cannot_climb_out_of_their_path(yard):
    ways = {"version": WAYS["version"] | {"path": "/x/{instance}/version"}}
    hostile = {"name": "../node-2", "url": f"{yard.runners.url}/node-1"}
    fleet = yard.again(instances=[hostile], **ways)

    with pytest.raises(TryAgainError):
        await fleet.read()

    assert yard.runners.asked == ["/node-1/x/../node-2/version"]
    await fleet.close()


async def test_text_is_sent_as_it_was_written(yard):
    update = WAYS["update"] | {"body": '{"version": "{version}", "on": "{instance}"}'}
    fleet = yard.again(update=update)
    await fleet.read()

    await fleet.write(image=NEW, count=1, token="", fence="1.1")

    assert yard.runners.headers[0]["Content-Type"].startswith("text/plain")
    assert yard.runners.nodes["node-1"].version == NEW
    await fleet.close()


async def test_a_node_that_never_answers_costs_its_own_time_only(yard):
    fleet = yard.again(timeout=0.1)
    yard.runners.nodes["node-1"].hangs = True

    now = await fleet.read()

    assert (now.moved, now.pending, now.problem) == (ALL - 1, 1, "node_unreachable")
    assert "node-1 (not answered within 0.1 s)" in now.detail
    await fleet.close()
