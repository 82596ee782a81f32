"""What is a zone's own: one batch for everything, changes that take their time, and resolvers that take more."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import ConflictError, GoneError, RefusedError, TryAgainError
from tests.contract.balancer_worlds import ZoneWorld
from tests.fakes.aws_route53 import NAME, weighted


@pytest.fixture
async def world() -> AsyncIterator[ZoneWorld]:
    opened = ZoneWorld()
    await opened.start()
    yield opened
    await opened.stop()


async def test_weights_and_note_are_one_batch(world):
    await world.write(25)

    assert world.fake.operations.count("ChangeResourceRecordSets") == 1
    assert (world.weights, '"sluice/fence=1.1"' in world.fake.note) == ((75, 25), True)


async def test_what_somebody_wrote_between_the_look_and_the_batch_is_a_conflict(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.before("ChangeResourceRecordSets", lambda: world.put_weights(60, 40))

    with pytest.raises(ConflictError):
        await router.write(5, token=token, fence="1.1")

    assert (world.weights, world.fake.note) == ((60, 40), [])


async def test_a_value_that_somebody_edited_is_a_conflict_too(world):
    router = world.router()
    token = (await router.read()).token
    edited = [{"Value": "192.0.2.99"}]
    world.fake.record("stable")["ResourceRecords"] = edited

    with pytest.raises(ConflictError):
        await router.write(5, token=token, fence="1.1")

    assert world.fake.record("stable")["ResourceRecords"] == edited


async def test_a_batch_that_is_refused_for_another_reason_is_no_conflict(world):
    world.fake.fail("InvalidChangeBatch", operation="ChangeResourceRecordSets")

    with pytest.raises(RefusedError) as refused:
        await world.write(5)

    assert refused.value.code == "refused_by_aws"


async def test_a_write_that_lands_after_the_rollback_changes_nothing(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.hold("ChangeResourceRecordSets")
    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="3.4")
    # The weights already are what the rollback wants; only its note moves the zone past the late batch.
    await world.write(0, "3.5")
    await world.write(0, "3.6")

    assert world.fake.land() == [400]
    assert world.weights == (100, 0)


async def test_a_zone_that_is_busy_is_tried_again(world):
    world.fake.busy = True

    with pytest.raises(TryAgainError) as busy:
        await world.write(5)

    assert busy.value.code == "throttled"


async def test_a_zone_that_is_not_there_is_gone(world):
    world.fake.gone = True

    with pytest.raises(GoneError) as gone:
        await world.router().read()

    assert gone.value.code == "zone_missing"


async def test_a_weight_waits_for_the_servers_and_then_for_the_resolvers(world):
    router = world.router()
    written = await router.write(50, token=(await router.read()).token, fence="1.1")
    assert written.waits == "Route 53 is not in sync yet"

    world.wait(30)
    assert (await router.read()).waits == ("resolvers may keep the old answer until 03:02:30 UTC")
    world.wait(120)

    assert (await router.read()).waits == ""


async def test_a_change_is_asked_about_every_five_seconds_at_most(world):
    router = world.router()
    await router.write(50, token=(await router.read()).token, fence="1.1")
    for _ in range(20):
        world.wait(1)
        await router.read()

    assert world.fake.operations.count("GetChange") == 5


async def test_a_process_that_just_started_counts_from_the_note_and_a_minute_more(world):
    await world.write(50)
    world.wait(60)

    assert "03:03:00" in (await world.router().read()).waits
    world.wait(120)

    assert (await world.router().read()).waits == ""


async def test_a_change_that_may_not_be_asked_about_counts_after_the_usual_time(world):
    router = world.router()
    world.fake.fail("AccessDenied", status=403, operation="GetChange", times=99)
    await router.write(50, token=(await router.read()).token, fence="1.1")
    assert (await router.read()).waits == "Route 53 is not in sync yet"
    world.wait(60)

    assert "03:03:00" in (await router.read()).waits


async def test_a_write_of_the_fence_alone_waits_for_nothing_new(world):
    router = world.router()
    split = await router.write(50, token=(await router.read()).token, fence="1.1")
    world.wait(30)
    await router.read()
    world.wait(120)

    split = await router.write(50, token=(await router.read()).token, fence="1.2")

    assert (split.fence, split.waits) == ("1.2", "")


async def test_texts_of_others_in_the_note_stay(world):
    world._put_note('"heritage=ours"')

    await world.write(5)
    await world.write(0, "1.2")

    assert world.fake.note[0] == '"heritage=ours"'
    assert [x for x in world.fake.note if "fence" in x] == ['"sluice/fence=1.2"']


async def test_other_records_of_the_name_keep_their_weight_and_are_not_sent(world):
    world.fake.records.append(weighted("third", 50, "192.0.2.3"))

    await world.write(25)

    assert (world.weights, world.fake.record("third")["Weight"]) == ((75, 25), "50")


async def test_without_any_weight_every_record_is_answered_alike(world):
    world.put_weights(0, 0)

    assert (await world.router().read()).canary == 50
    await world.write(0)

    assert world.weights == (100, 0)


async def test_without_stable_there_is_nothing_to_go_home_to_and_nothing_is_sent(world):
    await world.write(50, "1.1")
    stable = world.fake.record("stable")
    world.fake.records.remove(stable)

    with pytest.raises(RefusedError) as refused:
        await world.write(0, "1.2")
    assert (refused.value.code, world.fake.record("canary")["Weight"]) == ("cannot_cut_off", "50")

    world.fake.records.append(stable)
    assert (await world.write(0, "1.2")).canary == 0


async def test_without_stable_another_record_takes_over(world):
    world.fake.records.append(weighted("third", 50, "192.0.2.3"))
    await world.write(50, "1.1")
    world.fake.records.remove(world.fake.record("stable"))

    await world.write(0, "1.2")

    assert world.fake.record("canary")["Weight"] == "0"


@pytest.mark.parametrize(
    ("ttl", "told"), [(60, "about 2 min (TTL 60 s)"), (300, "about 10 min"), (20, "about 40 s")]
)
async def test_how_slow_going_back_is_stands_in_the_preflight(world, ttl, told):
    for name in ("stable", "canary"):
        world.fake.record(name)["TTL"] = str(ttl)

    (found,) = await world.router().inspect(canary_pods=False)

    assert (found.code, found.fatal, told in found.sentence) == ("slow_way_back", False, True)
    assert ("Lower it" in found.sentence) == (ttl > 60)


async def test_records_that_cannot_be_split_are_found(world):
    world.fake.record("canary")["TTL"] = "300"
    assert (await world.router().inspect(canary_pods=False))[0].code == "ttl_differs"

    world.fake.record("canary")["TrafficPolicyInstanceId"] = "t-1"
    assert (await world.router().inspect(canary_pods=False))[1].code == "traffic_policy"

    for name in ("stable", "canary"):
        del world.fake.record(name)["Weight"]
        world.fake.record(name)["Failover"] = "PRIMARY"
    assert (await world.router().inspect(canary_pods=False))[0].code == "not_weighted"

    world.fake.records.remove(world.fake.record("canary"))
    assert (await world.router().inspect(canary_pods=False))[0].code == "records_missing"


@pytest.mark.parametrize(
    ("name", "identifier", "found"),
    [
        (NAME, "canary", ["owned_by_external_dns"]),
        (f"a-{NAME}", "stable", ["owned_by_external_dns"]),
        (f"a-{NAME}", "third", []),
        (f"zz.{NAME}", "stable", []),
    ],
)
async def test_records_of_external_dns_are_refused(world, name, identifier, found):
    claim = weighted(
        identifier, 0, '"heritage=external-dns,external-dns/owner=default"', kind="TXT"
    )
    world.fake.records.append({**claim, "Name": f"{name}."})

    told = await world.router().inspect(canary_pods=False)

    assert [one.code for one in told if one.fatal] == found


async def test_an_alias_has_a_minute_and_stays_what_it_is(world):
    alias = {"HostedZoneId": "Z1", "DNSName": "lb.example.", "EvaluateTargetHealth": "true"}
    for name in ("stable", "canary"):
        record = world.fake.record(name)
        del record["TTL"], record["ResourceRecords"]
        record["AliasTarget"] = alias

    await world.write(25)
    world.wait(60)

    assert (world.weights, world.fake.record("stable")["AliasTarget"]) == ((75, 25), alias)
    assert "03:03:00" in (await world.router().read()).waits


async def test_names_are_told_apart_by_their_type_and_not_by_their_spelling(world):
    world.fake.records += [
        {**weighted("stable", 100, "2001:db8::1"), "Type": "AAAA"},
        {**weighted("canary", 0, "2001:db8::2"), "Type": "AAAA"},
    ]

    await world.write(25)

    six = [x["Weight"] for x in world.fake.records if x["Type"] == "AAAA"]
    assert (world.weights, six) == ((75, 25), ["100", "0"])
    assert NAME in str(world.router())


async def test_a_record_that_somebody_took_away_is_waited_for_on_the_way_home(world):
    await world.write(50)
    world.wait(600)
    world.fake.records.remove(world.fake.record("canary"))

    router = world.router()
    home = await router.write(0, token=(await world.seen(router)).token, fence="1.2")

    assert (home.canary, home.waits) == (0, "Route 53 is not in sync yet")


async def test_a_time_in_the_note_that_is_still_to_come_is_not_waited_for_without_end(world):
    await world.write(50)
    note = next(x for x in world.fake.records if x["Name"] == f"_sluice.{NAME}.")
    note["ResourceRecords"] = [{"Value": '"sluice/sent=2030-01-01T00:00:00Z"'}]
    router = world.router()
    assert (await router.read()).waits

    world.wait(61)

    assert (await router.read()).waits == ""


@pytest.mark.parametrize(
    ("weight", "code", "elsewhere"),
    [
        (50, "canary_reached_elsewhere", "record canary of type AAAA"),
        (0, "other_type_not_split", ""),
    ],
)
async def test_records_for_the_other_kind_of_address_are_told(world, weight, code, elsewhere):
    world.fake.records += [
        weighted("stable", 50, "2001:db8::1", kind="AAAA"),
        weighted("canary", weight, "2001:db8::2", kind="AAAA"),
    ]

    found = {one.code: one for one in await world.router().inspect(canary_pods=False)}

    assert not found[code].fatal
    assert (await world.write(25)).elsewhere == elsewhere
    assert (await world.router().read()).elsewhere == elsewhere


async def test_a_router_of_the_other_kind_of_address_sees_both(world):
    world.fake.records += [
        weighted("stable", 100, "2001:db8::1", kind="AAAA"),
        weighted("canary", 0, "2001:db8::2", kind="AAAA"),
    ]
    world.put_weights(50, 50)

    split = await world.router(type="AAAA").read()

    assert (split.canary, split.elsewhere) == (0, "record canary of type A")
