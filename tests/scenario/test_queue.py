"""A busy target: the second one waits in line, and starts when the first has ended well."""

import asyncio

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Person
from tests.scenario.stage import ANA, BEN, DANA, OLU, Stage

BEGUN = {Phase.RUNNING, Phase.WAITING}
SECOND = "/deploy auth-service v3.0.0 to production"


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as opened:
        yield opened


async def queue_behind(stage: Stage) -> str:
    """Deploy, ask for another version, and press the button; return what was heard."""
    await stage.deploy()
    await stage.say(SECOND)
    await stage.press("Queue behind v2.0.0", by=DANA)
    await stage.settled()
    return stage.heard()


async def rows(stage: Stage) -> dict[str, Phase]:
    return {r.version: r.phase for r in await stage.bot.store.history()}


async def finish(stage: Stage, version: str) -> None:
    """Approve whatever is asked until this version is live."""
    for _ in range(40):
        if (await rows(stage))[version] is Phase.SUCCEEDED:
            return
        row = next(r for r in await stage.bot.store.in_flight() if r.version == version)
        if row.gate is not None:
            await stage.wait(6)
            await stage.say("/deploy promote auth-service production", by=ANA)
        await stage.wait(60)
        stage.mend(version)
    raise AssertionError(await rows(stage))


async def test_a_second_deploy_is_refused_with_a_link_and_a_button_that_queues(stage):
    await stage.deploy()
    refused = await stage.say(SECOND)
    assert "already has v2.0.0 in flight" in refused
    assert "[Queue behind v2.0.0]" in refused
    await stage.press("Queue behind v2.0.0", by=DANA)
    await stage.settled()
    assert "is queued by @Dana: it starts when v2.0.0" in stage.heard()
    assert await rows(stage) == {"v2.0.0": Phase.RUNNING, "v3.0.0": Phase.SCHEDULED}


@pytest.mark.sweep
async def test_it_starts_when_the_one_before_it_succeeded(stage):
    await queue_behind(stage)
    await finish(stage, "v2.0.0")
    await stage.wait(20)
    assert (await rows(stage))["v3.0.0"] in BEGUN
    (third,) = await stage.bot.store.in_flight()
    told = [row.entry.text for row in await stage.bot.store.journal(third.id)]
    assert any("it is next in the queue" in text for text in told)


@pytest.mark.sweep
async def test_it_asks_when_the_one_before_it_was_rolled_back(stage):
    await queue_behind(stage)
    await stage.say("/rollback auth-service", by=ANA)
    await stage.wait(120)
    row = next(r for r in await stage.bot.store.scheduled())
    assert row.code == "ahead_undone"
    assert "v2.0.0" in row.trouble.sentence
    assert "was rolled back" in row.trouble.sentence
    await stage.press("Start now", by=DANA)
    await stage.wait(5)
    assert (await rows(stage))["v3.0.0"] is Phase.RUNNING


@pytest.mark.sweep
async def test_the_line_is_first_come_first_served_and_survives_a_restart(stage):
    await queue_behind(stage)
    await stage.wait(1)
    await stage.say("/deploy auth-service v4.0.0 to production")
    await stage.press("Queue behind v2.0.0", by=DANA)
    await stage.settled()
    assert "1 before it in the queue" in stage.heard()
    third, second = await stage.bot.store.history(limit=2)
    assert (third.after, third.version) == (second.id, "v4.0.0")
    await stage.restart()
    await finish(stage, "v2.0.0")
    await stage.wait(20)
    found = await rows(stage)
    assert (found["v2.0.0"], found["v4.0.0"]) == (Phase.SUCCEEDED, Phase.SCHEDULED)
    assert found["v3.0.0"] in BEGUN


@pytest.mark.sweep
async def test_who_leaves_the_line_lets_the_next_one_move_up(stage):
    await queue_behind(stage)
    second = (await stage.bot.store.scheduled())[0]
    await stage.say(f"/deploy auth-service v4.0.0 to production after={second.id}")
    await stage.say(f"/deploy cancel {second.id}")
    await finish(stage, "v2.0.0")
    await stage.wait(70)
    assert (await rows(stage))["v4.0.0"] in BEGUN


@pytest.mark.sweep
async def test_a_line_that_took_half_a_day_asks(stage):
    await queue_behind(stage)
    await stage.say("/deploy pause auth-service production")
    await stage.wait(9 * 3600)
    await stage.say("/deploy resume auth-service production")
    await finish(stage, "v2.0.0")
    await stage.wait(70)
    row = next(r for r in await stage.bot.store.scheduled())
    assert row.code == "queued_long"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("/deploy auth-service v3.0.0 after=r-none", "unknown_rollout"),
        ("/deploy auth-service v3.0.0 after=ID at=22:00", "bad_value"),
        ("/deploy auth-service v3.0.0 after=", "empty_value"),
    ],
)
async def test_odd_words_about_the_queue_are_refused(stage, words, code):
    await stage.deploy()
    row = await stage.row()
    assert code in await stage.say(words.replace("ID", row.id))


@pytest.mark.sweep
async def test_the_same_version_is_not_queued_behind_itself_or_twice(stage):
    await stage.deploy()
    refused = await stage.say("/deploy auth-service v2.0.0 to production")
    assert "Queue" not in refused
    first = (await stage.row()).id
    await stage.say(f"{SECOND} after={first}")
    assert "already_queued" in await stage.say(f"{SECOND} after={first}")


@pytest.mark.sweep
async def test_a_queue_has_an_end(stage):
    await stage.deploy()
    first = (await stage.row()).id
    for n in range(3, 8):
        await stage.say(f"/deploy auth-service v{n}.0.0 to production after={first}")
    refused = await stage.say(f"/deploy auth-service v8.0.0 to production after={first}")
    assert "queue_full" in refused
    assert len(await stage.bot.store.scheduled()) == 5


@pytest.mark.sweep
async def test_two_presses_at_once_are_one_place_in_the_queue(stage):
    await stage.deploy()
    await stage.say(SECOND)
    message, label = stage._find("Queue behind v2.0.0", DANA)
    await asyncio.gather(*(stage.slack.click(DANA, message.ts, label) for _ in range(3)))
    await stage.settled()
    assert await rows(stage) == {"v2.0.0": Phase.RUNNING, "v3.0.0": Phase.SCHEDULED}
    assert len(await stage.bot.store.scheduled()) == 1


@pytest.mark.sweep
async def test_only_the_head_of_the_queue_asks_and_the_others_wait_for_it(stage):
    """Whoever cancels the head hands the same question on: v2.0.0 was rolled back before them, too."""
    await queue_behind(stage)
    await stage.wait(1)
    first = (await stage.row()).after
    await stage.say(f"/deploy auth-service v4.0.0 after={first}", by=OLU)
    before = len(stage.channel())
    await stage.say("/rollback auth-service now", by=ANA)
    await stage.wait(600)
    asked = [line for line in stage.channel()[before:] if "Decision needed" in line]
    assert len(asked) == 1
    assert "v3.0.0" in asked[0]
    assert {r.version: r.code for r in await stage.bot.store.scheduled()} == {
        "v3.0.0": "ahead_undone",
        "v4.0.0": "",
    }
    await stage.say("/deploy resume auth-service", by=DANA)
    await stage.wait(5)
    assert (await rows(stage))["v3.0.0"] is Phase.RUNNING
    await stage.say("/rollback auth-service now", by=ANA)
    await stage.wait(120)
    (fourth,) = await stage.bot.store.scheduled()
    assert fourth.code == "ahead_undone"
    assert "v3.0.0" in fourth.trouble.sentence


@pytest.mark.sweep
async def test_who_is_behind_a_head_that_was_cancelled_asks_about_what_was_before_it(stage):
    await queue_behind(stage)
    await stage.wait(1)
    first = (await stage.row()).after
    await stage.say(f"/deploy auth-service v4.0.0 after={first}", by=OLU)
    await stage.say("/rollback auth-service now", by=ANA)
    await stage.wait(120)
    await stage.press("Cancel", by=DANA)
    await stage.wait(70)
    (fourth,) = await stage.bot.store.scheduled()
    assert (fourth.version, fourth.code) == ("v4.0.0", "ahead_undone")
    assert "v2.0.0" in fourth.trouble.sentence


@pytest.mark.sweep
async def test_behind_something_old_means_behind_what_is_in_flight_now(stage):
    await stage.ship("v2.0.0")
    old = (await stage.row()).id
    await stage.deploy("v3.0.0")
    answer = await stage.say(f"/deploy auth-service v4.0.0 after={old}")
    assert "it starts when v3.0.0" in answer


async def test_queueing_into_a_lock_says_what_will_be_in_the_way(stage):
    await stage.deploy()
    await stage.say("/deploy lock auth-service production for 4h drill", by=BEN)
    answer = await stage.say(f"{SECOND} after={(await stage.row()).id}")
    assert "it will ask instead of starting: auth-service in production is locked by @Ben" in answer


@pytest.mark.sweep
async def test_a_stuck_finger_is_stopped_and_may_still_roll_back(stage):
    """A23: the limit is for what moves forward."""
    await stage.deploy()
    for _ in range(19):
        await stage.say("/deploy resume auth-service production")
    refused = await stage.say("/deploy resume auth-service production")
    assert "too_many_commands" in refused
    assert "Rolling auth-service" in await stage.say("/rollback auth-service")
    await stage.wait(61)
    assert "too_many_commands" not in await stage.say("/deploy resume auth-service production")


@pytest.mark.sweep
async def test_what_guests_try_stops_nobody(tmp_path):
    """A23: nobody uses up what others may do, least of all whoever may do nothing."""
    async with Stage.opened(tmp_path, extra="limits: {commands: 1}\n") as stage:
        await stage.deploy_to_gate()
        for n in range(12):
            await stage.slack.add_person(Person(f"U0G{n}", "Gus", is_restricted=True))
            refused = await stage.say("/deploy resume auth-service", by=f"U0G{n}")
            assert "guest" in refused
        await stage.press("Promote to 100 %", by=ANA)
        assert (await stage.row()).phase is Phase.RUNNING


ELSEWHERE = """\
    staging:
      cluster: prod
      namespace: staging
      workload:
        {kind: deployment, stable: auth-service-stable, canary: auth-service-canary, container: auth-service,
         image: ghcr.io/orion/auth}
      traffic: {kind: istio, virtual_service: auth-service, route: primary}
      metrics: {source: main, template: istio}
"""


@pytest.mark.sweep
async def test_the_last_free_place_goes_to_one_of_two_and_a_repeat_of_it_is_known_again(tmp_path):
    """The transaction counts; what went through is told again, whatever was locked or filled since."""
    async with Stage.opened(tmp_path, extra=f"{ELSEWHERE}limits: {{rollouts: 1}}\n") as stage:

        async def ask(where: str):
            body = {"service": "auth-service", "version": "v2.0.0", "environment": where}
            headers = {"Idempotency-Key": where}
            return await stage.rest("POST", "/api/v1/deployments", json=body, headers=headers)

        came = dict(await asyncio.gather(ask("production"), ask("staging")))
        assert set(came) == {201, 429}
        assert came[429]["code"] == "too_many_rollouts"
        await stage.say("/deploy lock auth-service drill", by=BEN)
        status, again = await ask(came[201]["environment"])
        assert (status, again["id"]) == (201, came[201]["id"])


@pytest.mark.sweep
async def test_what_is_due_while_there_is_no_room_asks_and_so_many_may_be_planned(tmp_path):
    few = f"{ELSEWHERE}limits: {{rollouts: 1, scheduled: 2}}\n"
    async with Stage.opened(tmp_path, extra=few) as stage:
        for at in ("03:11", "05:00"):
            await stage.say(f"/deploy auth-service v3.0.0 to staging at={at}")
        full = await stage.say("/deploy auth-service v3.0.0 to staging at=06:00")
        assert "too_many_scheduled" in full
        await stage.deploy()
        await stage.wait(60)
        due = min(await stage.bot.store.scheduled(), key=lambda r: r.due)
        assert due.code == "too_many_rollouts"
        assert "1 rollouts are in flight" in stage.heard(DANA)
