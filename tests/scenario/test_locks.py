"""M8: locks, the stopped line and quarantine, as people meet them in chat."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.commands import Receipt, Refusal
from bot.grammar.verbs import Deploy, Lock
from bot.policy import Actor
from bot.rollout.values import Phase
from bot.sandbox.chat import Person
from tests.scenario.stage import ANA, BEN, DANA, OLU, Stage

DEPLOY = "/deploy auth-service v2.0.0 steps=50,100"
HOUR = 3600
QUOTE = "\u02cb"
"""What a backtick looks like in Slack."""


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as opened:
        yield opened


def told_directly(stage: Stage, person: str) -> list[str]:
    """What the bot said to one person in their own conversation."""
    return stage.channel(f"D{person[1:]}")


async def press_directly(stage: Stage, button: str, by: str) -> None:
    """Press a button in one's own conversation with the bot; the answer takes the place of the question."""
    message = next(
        m
        for m in reversed(stage.slack.messages(f"D{by[1:]}"))
        if any(label.startswith(button) for label in stage.slack.buttons(m))
    )
    await stage.slack.click(by, message.ts, button)
    await stage.settled()


# ---- M8: a lock, and taking it over ---------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m8_a_lock_keeps_others_out_and_is_taken_over_aloud(stage):
    answer = await stage.say("/deploy lock auth-service for 2h db failover drill", by=BEN)
    assert "Locked auth-service in every environment: “db failover drill”" in answer
    assert "expires 2026-11-21 05:10 UTC" in answer
    assert stage.channel()[-1] == (
        "@Ben locked auth-service in every environment until 2026-11-21 05:10 UTC: “db failover drill”. "
        "`/rollback` still works."
    )

    refused = await stage.say(DEPLOY, by=DANA)
    assert "locked by @Ben since 2026-11-21 03:10 UTC, until 2026-11-21 05:10 UTC" in refused
    assert "db failover drill" in refused
    assert "[Take over] [Break glass…]" in refused
    assert "locked" in refused
    assert await stage.bot.store.history() == []

    await stage.press("Take over", by=DANA)
    assert "You took the lock of auth-service in every environment over from @Ben" in stage.heard(
        DANA
    )
    assert (
        "@Dana took the lock of auth-service in every environment over from @Ben"
        in stage.channel()[-1]
    )
    assert "@Dana took over your lock" in told_directly(stage, BEN)[-1]

    shown = await stage.say("/deploy plan auth-service v2.0.0", by=DANA)
    assert "auth-service in every environment is locked by you" in shown
    assert "requested by" in await stage.say(DEPLOY, by=DANA)
    assert "You hold the lock of auth-service in every environment yourself" in stage.story
    await stage.wait(16)
    assert stage.weights == (50, 50)


async def test_status_shows_who_locked_what_and_until_when(stage):
    await stage.say("/deploy lock auth-service production db drill", by=BEN)
    shown = await stage.say("/deploy status")
    assert "locked" in shown
    assert "@Ben" in shown
    assert "db drill" in shown
    _, body = await stage.rest("POST", "/api/v1/commands", json={"text": "status"})
    (lock,) = body["locks"]
    assert (lock["kind"], lock["owner"], lock["environment"]) == ("lock", BEN, "production")


async def test_a_lock_lasts_four_hours_unless_told_and_says_how_to_keep_it_longer(stage):
    answer = await stage.say("/deploy lock auth-service production release train", by=BEN)
    assert "expires 2026-11-21 07:10 UTC" in answer
    assert "lock auth-service production for 2d release train` keeps it longer" in answer.replace(
        QUOTE, "`"
    )
    await stage.wait(4 * HOUR)
    assert "run out" in stage.channel()[-1]
    assert "requested by" in await stage.say(DEPLOY)


async def test_a_second_lock_by_somebody_else_is_refused_with_the_way_to_take_it(stage):
    await stage.say("/deploy lock auth-service production drill one", by=BEN)
    refused = await stage.say("/deploy lock auth-service drill two", by=DANA)
    assert "already_locked" in refused
    assert "@Ben" in refused
    await stage.press("Take over", by=DANA)
    (lock,) = await stage.bot.store.locks()
    assert (lock.owner, lock.environment, lock.reason) == (DANA, "", "drill two")


async def test_what_is_taken_over_stays_as_wide_as_it_was(stage):
    await stage.say("/deploy lock auth-service the whole service", by=BEN)
    await stage.say("/deploy lock auth-service production takeover", by=DANA)
    (lock,) = await stage.bot.store.locks()
    assert (lock.owner, lock.environment, lock.reason) == (DANA, "", "the whole service")


async def test_two_people_lock_at_once_and_one_of_them_has_it(stage):
    commands = stage.bot.commands
    asked = [
        commands.handle(
            Lock("auth-service", "production", reason=f"drill {who}"), Actor(who, "rest")
        )
        for who in ("token:one", "token:two", "token:three")
    ]
    came = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in came if isinstance(one, Refusal)]
    assert [one.code for one in refused] == ["already_locked", "already_locked"]
    assert len(await stage.bot.store.locks()) == 1


async def test_a_lock_that_lands_between_the_check_and_the_insert_wins(stage, monkeypatch):
    """The transaction that would create the rollout looks once more."""
    bot, writing = stage.bot, stage.bot.store.writing
    deploy = Deploy("auth-service", "v2.0.0", "production")

    @asynccontextmanager
    async def just_before():
        monkeypatch.undo()
        await bot.commands.handle(
            Lock("auth-service", reason="just now"), Actor("token:ben", "rest")
        )
        async with writing() as opened:
            yield opened

    monkeypatch.setattr(bot.store, "writing", just_before)
    with pytest.raises(Refusal) as refused:
        await bot.commands.handle(deploy, Actor("token:ci", "rest"), Receipt("key-1", {}))
    assert (refused.value.code, refused.value.status) == ("locked", 423)
    assert await bot.store.history() == []
    assert await bot.store.inbound("key-1") is None


async def test_one_s_own_lock_and_that_of_another_door_are_two(stage):
    await stage.say("/deploy lock auth-service production mine", by=DANA)
    status, body = await stage.rest(
        "POST", "/api/v1/deployments",
        json={"service": "auth-service", "version": "v2.0.0", "environment": "production"},
    )  # fmt: skip
    assert (status, body["code"]) == (423, "locked")
    assert [offer["label"] for offer in body["offers"]] == ["Take over"]


@pytest.mark.sweep
async def test_rollback_goes_through_every_lock(stage):
    await stage.deploy()
    await stage.say("/deploy lock auth-service production drill", by=BEN)
    await stage.say("/deploy freeze production incident 12", by=BEN)
    await stage.say("/rollback auth-service")
    await stage.wait(60)
    assert (await stage.phase())[0] is Phase.ROLLED_BACK


# ---- releasing ------------------------------------------------------------------------------------------------------


async def test_one_s_own_lock_ends_quietly_and_that_of_somebody_else_aloud(stage):
    await stage.say("/deploy lock auth-service production drill", by=BEN)
    before = len(stage.channel())
    assert "Unlocked auth-service in production" in await stage.say(
        "/deploy unlock auth-service", by=BEN
    )
    assert len(stage.channel()) == before

    await stage.say("/deploy lock auth-service production drill", by=BEN)
    await stage.say("/deploy unlock auth-service production it is over", by=ANA)
    assert "@Ana ended the lock of auth-service in production that @Ben had" in stage.channel()[-1]
    assert "it is over" in stage.channel()[-1]
    assert "@Ana ended the lock" in told_directly(stage, BEN)[-1]


async def test_who_unlocks_nothing_is_told_what_there_is(stage):
    assert "not_locked" in await stage.say("/deploy unlock auth-service production")
    await stage.say("/deploy freeze production incident 12", by=BEN)
    refused = await stage.say("/deploy unlock auth-service production")
    assert "production is stopped by @Ben" in refused
    assert "thaw production" in refused


@pytest.mark.parametrize(
    "words", ["lock auth-service drill", "unlock auth-service", "freeze production x"]
)
async def test_guests_lock_nothing(stage, words):
    await stage.slack.add_person(Person("U0GUS", "Gus", is_restricted=True))
    assert "guest" in await stage.say(f"/deploy {words}", by="U0GUS")
    assert await stage.bot.store.locks() == []


# ---- time -----------------------------------------------------------------------------------------------------------


async def test_the_owner_is_asked_half_an_hour_before_and_may_extend_or_release(stage):
    """M8: [Extend 1 h] [Release]."""
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    await stage.wait(90 * 60 - 1)
    assert told_directly(stage, BEN) == []
    await stage.wait(1)
    (asked,) = told_directly(stage, BEN)
    assert "Your lock of auth-service in production ends 2026-11-21 05:10 UTC" in asked
    assert "[Extend 1 h] [Release]" in asked
    await press_directly(stage, "Extend 1 h", BEN)
    assert "now ends 2026-11-21 06:10 UTC" in told_directly(stage, BEN)[-1]
    await stage.wait(HOUR)
    assert "[Extend 1 h] [Release]" in told_directly(stage, BEN)[-1]
    await press_directly(stage, "Release", BEN)
    assert await stage.bot.store.locks() == []


async def test_a_short_lock_asks_at_half_its_life(stage):
    await stage.say("/deploy lock auth-service production for 20m drill", by=BEN)
    await stage.wait(10 * 60)
    assert len(told_directly(stage, BEN)) == 1


async def test_a_restart_keeps_the_lock_and_asks_once(stage):
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    await stage.restart()
    assert "locked" in await stage.say(DEPLOY)
    await stage.wait(91 * 60)
    await stage.restart()
    await stage.wait(60)
    assert len(told_directly(stage, BEN)) == 1
    await stage.wait(30 * 60)
    await stage.restart()
    await stage.wait(60)
    assert sum("run out" in line for line in stage.channel()) == 1


async def test_what_slack_does_not_take_is_told_when_it_is_back(stage):
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    stage.slack.fail("chat.postMessage", times=3)
    await stage.wait(90 * 60)
    assert told_directly(stage, BEN) == []
    stage.slack.recover()
    await stage.wait(300)
    assert len(told_directly(stage, BEN)) == 1


async def test_where_the_owner_cannot_be_told_directly_the_channel_is_without_buttons(stage):
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    stage.slack.refuse("chat.postMessage", "cannot_dm_bot", times=1)
    await stage.wait(90 * 60)
    assert "@Ben: your lock of auth-service in production ends" in stage.channel()[-1]
    assert "[" not in stage.channel()[-1]


@pytest.mark.parametrize("code", ["token_revoked", "fatal_error"])
async def test_a_refusal_that_passes_does_not_lose_the_reminder(stage, code):
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    stage.slack.refuse("chat.postMessage", code)
    await stage.wait(95 * 60)
    stage.slack.recover()
    await stage.wait(60)
    assert "[Extend 1 h] [Release]" in told_directly(stage, BEN)[-1]


async def test_what_happened_while_slack_was_away_is_told_in_order_over_a_restart(stage):
    """A take-over and a stop by REST, an outage, a restart: Ben and the channel hear of all of it."""
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    stage.slack.fail("chat.postMessage", times=10**6)
    for line in ("lock auth-service production takeover mine now", "freeze production stop"):
        await stage.rest("POST", "/api/v1/commands", json={"text": line})
    await stage.wait(120)
    await stage.restart()
    stage.slack.recover()
    await stage.wait(120)
    assert "took over your lock" in told_directly(stage, BEN)[-1]
    taken, stopped = stage.channel()[-2:]
    assert "took the lock of auth-service in production over from @Ben" in taken
    assert "production was stopped by" in stopped
    assert await stage.bot.store.notices() == []


# ---- a button counts for the lock that it was about -----------------------------------------------------------------


async def test_the_reminder_of_a_lock_that_was_taken_over_ends_nothing(stage):
    await stage.say("/deploy lock auth-service production for 2h drill", by=BEN)
    await stage.wait(90 * 60)
    await stage.say("/deploy lock auth-service production takeover hands off", by=DANA)
    for button in ("Release", "Extend 1 h"):
        await press_directly(stage, button, BEN)
        assert "locked by @Dana since" in stage.slack.text_of(stage.slack.ephemerals(BEN)[-1])
        assert "lock_gone" in stage.heard(BEN)
    (lock,) = await stage.bot.store.locks()
    assert (lock.owner, lock.reason) == (DANA, "hands off")


async def test_a_lock_is_not_taken_with_a_button_that_was_about_another(stage):
    await stage.say("/deploy lock auth-service for 2h drill", by=BEN)
    await stage.say(DEPLOY, by=DANA)
    await stage.say("/deploy unlock auth-service", by=BEN)
    await stage.press("Take over", by=DANA)
    assert "nobody keeps others out of auth-service" in stage.heard(DANA)
    assert await stage.bot.store.locks() == []
    await stage.say(DEPLOY, by=OLU)
    await stage.say("/deploy lock auth-service production an incident", by=ANA)
    with pytest.raises(AssertionError):
        await stage.press("Take over", by=OLU)


@pytest.mark.sweep
async def test_the_release_of_a_lock_leaves_the_quarantine_beside_it(stage):
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(120)
    await stage.say("/deploy lock auth-service production for 2h I investigate", by=BEN)
    await stage.wait(90 * 60)
    await press_directly(stage, "Release", BEN)
    (left,) = await stage.bot.store.locks()
    assert left.kind == "quarantine"


async def test_the_end_of_a_lock_says_what_else_keeps_others_out(stage):
    await stage.say("/deploy freeze production for 1h stop", by=ANA)
    await stage.say("/deploy lock auth-service production for 20m drill", by=BEN)
    await stage.wait(21 * 60)
    assert "has run out" in stage.channel()[-1]
    assert "But production is stopped by @Ana" in stage.channel()[-1]
    await stage.wait(40 * 60)
    assert "deploys start there again" in stage.channel()[-1]


# ---- somebody whom nobody could look up ------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_while_slack_does_not_say_who_somebody_is_only_known_members_go_on(stage):
    """E.3 no. 6: unknown is no, unless they were a member within a day; rollback and pause stay open."""
    await stage.slack.add_person(Person("U0GUS", "Gus", is_restricted=True))
    await stage.deploy()
    running = (await stage.row()).id
    stage.slack.fail("users.info", times=10**6)
    for line in (
        "auth-service v9.0.0",
        f"auth-service v3.0.0 after={running}",
        "auth-service v6.0.0 at=05:00",
        f"cancel {running}",
        "extend auth-service production 24h",
        "resume auth-service",
        "resolve auth-service by hand",
        "lock auth-service takeover",
        "freeze production for 30d lol",
        "unlock auth-service",
        "thaw production",
    ):
        assert "identity_unavailable" in await stage.say(f"/deploy {line}", by="U0GUS"), line
    assert "is queued" in await stage.say(f"/deploy auth-service v3.0.0 after={running}", by=DANA)
    assert len(await stage.bot.store.history()) == 2
    await stage.say("/deploy pause auth-service", by="U0GUS")
    assert (await stage.bot.store.get(running)).phase is Phase.PAUSED


async def test_who_was_a_member_yesterday_is_nobody_in_particular_today(stage):
    await stage.say("/deploy lock auth-service drill", by=DANA)
    stage.slack.fail("users.info", times=10**6)
    assert "ends" in await stage.say("/deploy lock auth-service drill", by=DANA)
    await stage.wait(25 * HOUR)
    assert "identity_unavailable" in await stage.say("/deploy lock auth-service x", by=DANA)


# ---- what starts later ----------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_what_is_due_while_locked_asks_instead_of_starting(stage):
    await stage.say("/deploy auth-service v2.0.0 steps=50,100 at=05:00")
    await stage.say("/deploy lock auth-service production for 4h drill", by=BEN)
    await stage.wait(2 * HOUR)
    assert await stage.phase() == (Phase.SCHEDULED, "locked")
    assert "was not started because auth-service in production is locked by @Ben" in stage.heard(
        DANA
    )
    await stage.press("Start now", by=ANA)
    assert "[Take over]" in stage.heard(ANA)
    await stage.say("/deploy unlock auth-service production", by=BEN)
    assert "it can start now" in stage.heard(DANA)
    assert "it can start now" in "\n".join(stage.channel())
    await stage.press("Start now", by=ANA)
    await stage.wait(16)
    assert stage.weights == (50, 50)


async def test_a_start_planned_into_a_lock_warns(stage):
    await stage.say("/deploy lock auth-service production for 4h drill", by=BEN)
    answer = await stage.say("/deploy auth-service v2.0.0 at=05:00")
    assert "it will ask instead of starting: auth-service in production is locked by @Ben" in answer


async def test_a_lock_that_lands_while_a_scheduled_rollout_begins_wins(stage):
    """The row that begins is refused by its own transaction, and the next look asks."""
    await stage.say("/deploy auth-service v2.0.0 steps=50,100 at=05:00")
    store, afresh = stage.bot.store, stage.bot.reconciler._afresh

    async def late(r):
        found = await afresh(r)
        if not await store.locks():
            locker = Actor("token:ben", "rest")
            await stage.bot.commands.handle(Lock("auth-service", reason="just now"), locker)
        return found

    stage.bot.reconciler.consult(late)
    await stage.wait(2 * HOUR)
    assert await stage.phase() == (Phase.SCHEDULED, "locked")
    assert stage.as_armed


async def test_a_lock_by_rest_keeps_people_out(stage):
    _, taken = await stage.rest(
        "POST", "/api/v1/commands", json={"text": "lock auth-service drill"}
    )
    assert taken["code"] == "ok"
    (lock,) = await stage.bot.store.locks()
    assert lock.expires - lock.at == timedelta(hours=4)
    assert "locked" in await stage.say(DEPLOY)
