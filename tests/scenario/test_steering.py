"""People steer: pause, resume, extend, approve; and whoever may not is told why, alone, with nothing changed."""

import asyncio
from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Group, Person
from integrations.base import Lane
from tests.scenario.stage import ANA, BEN, DANA, DEPLOYS, OLU, Stage


@pytest.mark.sweep
async def test_soak_time_does_not_run_while_paused(stage):
    await stage.deploy()
    await stage.wait(30)
    assert "Paused auth-service v2.0.0 at 50 %." in await stage.say("/deploy pause auth-service")
    await stage.wait(600)
    assert "⏸ paused" in stage.card
    assert await stage.phase() == (Phase.PAUSED, "paused")
    await stage.say("/deploy resume auth-service")
    await stage.wait(20)
    assert (await stage.row()).phase is Phase.RUNNING
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.WAITING


async def test_a_pause_closes_the_gate_and_resume_opens_a_fresh_one_with_fresh_numbers(stage):
    await stage.deploy_to_gate()
    first = (await stage.row()).gate
    await stage.press("Pause", by=BEN)
    assert "Paused at 50 % by @Ben" in "\n".join(stage.channel())
    await stage.wait(45)
    await stage.press("Resume", by=BEN)
    row = await stage.row()
    assert row.phase is Phase.WAITING
    assert row.gate.id != first.id
    assert stage.clock.at == row.gate.look.at


@pytest.mark.sweep
async def test_a_paused_preparation_does_not_use_up_its_deadline(stage):
    stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", "never_ready")
    await stage.deploy()
    await stage.say("/deploy pause auth-service")
    await stage.wait(900)
    stage.mend("v2.0.0")
    await stage.say("/deploy resume auth-service")
    await stage.wait(30)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_a_pause_while_a_weight_is_on_its_way_shows_what_has_landed(stage):
    stage.cluster.drop(path="virtualservices")
    await stage.deploy()
    await stage.say("/deploy pause auth-service")
    await stage.wait(61)
    assert (await stage.row()).weight == stage.weights[1] == 50
    await stage.say("/deploy resume auth-service")
    await stage.wait(75)
    assert (await stage.row()).phase is Phase.WAITING


@pytest.mark.sweep
async def test_extend_moves_the_end_of_a_soak(stage):
    await stage.deploy()
    assert "Extended" in await stage.say("/deploy extend auth-service 3m")
    await stage.wait(180)
    assert (await stage.row()).phase is Phase.RUNNING
    await stage.wait(75)
    assert (await stage.row()).phase is Phase.WAITING


@pytest.mark.sweep
async def test_extend_moves_the_deadline_of_an_open_gate(tmp_path):
    async with Stage.opened(tmp_path, expires="2m") as stage:
        await stage.deploy_to_gate()
        await stage.say("/deploy extend auth-service 5m")
        await stage.wait(300)
        assert (await stage.row()).phase is Phase.WAITING
        await stage.wait(140)
        assert await stage.phase() == (Phase.PAUSED, "gate_expired")


@pytest.mark.sweep
async def test_an_expired_gate_holds_pages_reminds_and_resume_asks_again(tmp_path):
    async with Stage.opened(tmp_path, expires="2m") as stage:
        await stage.deploy_to_gate()
        await stage.wait(140)
        assert await stage.phase() == (Phase.PAUSED, "gate_expired")
        assert "Nobody decided in time" in stage.channel(DEPLOYS)[-1]
        assert "@oncall" in stage.channel(DEPLOYS)[-1]
        assert stage.weights == (50, 50)
        for _ in range(2):
            stage.clock.at += timedelta(days=1)
            await stage.wait(61)
        assert [line for line in await stage.told() if line.startswith("reminded")] == [
            "reminded:gate_expired"
        ] * 2
        await stage.press("Resume", by=ANA)
        gate = (await stage.row()).gate
        assert gate is not None
        assert stage.clock.at - gate.look.at < timedelta(seconds=10)


@pytest.mark.sweep
async def test_an_expired_gate_rolls_back_where_that_is_configured(tmp_path):
    async with Stage.opened(tmp_path, expires="2m", on_expiry="rollback") as stage:
        await stage.deploy_to_gate()
        await stage.wait(140)
        assert await stage.phase() == (Phase.ROLLED_BACK, "gate_expired")
        assert stage.as_armed


@pytest.mark.sweep
async def test_auto_promote_needs_one_approval_before_the_first_traffic(stage):
    await stage.deploy(options="steps=50,100 auto-promote")
    assert stage.weights == (100, 0)
    gate = stage.channel()[-1]
    assert "no decision after each soak (auto-promote)" in gate
    await stage.wait(300)
    assert stage.weights == (100, 0)
    await stage.press("Promote to 50 %")
    await stage.wait(300)
    assert (await stage.row()).phase is Phase.SUCCEEDED
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")


@pytest.mark.parametrize(
    ("option", "weakened"),
    [
        ("error-threshold=9", "error_rate limit 9 % instead of 5 %"),
        ("soak=10s", "soak 10 s instead of 60 s"),
        ("strategy=direct", "direct instead of canary"),
        ("steps=100", "all traffic in one step"),
    ],
)
async def test_what_weakens_the_configuration_is_listed_before_the_first_traffic(
    stage, option, weakened
):
    await stage.deploy(options=option)
    assert stage.weights == (100, 0)
    assert weakened.replace(" %", "") in stage.channel()[-1].replace(" %", "")


async def test_without_approvals_it_goes_to_the_end_alone(tmp_path):
    async with Stage.opened(tmp_path, approvals=0) as stage:
        await stage.deploy()
        await stage.wait(300)
        assert (await stage.row()).phase is Phase.SUCCEEDED


async def test_dry_run_and_plan_show_the_same_plan_and_change_nothing(stage):
    dry = await stage.say("/deploy auth-service v2.0.0 --dry-run")
    plan = await stage.say("/deploy plan auth-service v2.0.0")
    assert "Plan: auth-service v2.0.0 → production" in dry
    assert set(dry.splitlines()[1:]) <= set(plan.splitlines())
    assert "Error rate ≤ 5 % → rollback" in plan
    assert stage.channel() == []
    assert stage.cluster.log == []
    assert await stage.bot.store.history() == []


async def test_because_is_kept_word_for_word_and_is_no_markup(stage):
    await stage.say("/deploy auth-service v2.0.0 because <!channel> of *PROJ-1* & now")
    assert "because <!channel> of ＊PROJ-1＊ & now" in stage.card
    assert (await stage.row()).reason == "<!channel> of *PROJ-1* & now"
    card = stage.slack.card(DEPLOYS)
    assert "<!channel>" not in str(card.blocks)


@pytest.mark.sweep
async def test_two_people_make_a_quorum_and_one_counts_once(tmp_path):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        await stage.press("Promote", by=ANA)
        assert (await stage.row()).phase is Phase.WAITING
        assert "1 of 2 approvals" in stage.channel()[-1]
        await stage.press("Promote", by=ANA)
        assert "already_counted" in stage.heard(ANA)
        await stage.press("Promote", by=BEN)
        assert (await stage.row()).phase is Phase.RUNNING
        assert "Promoted to 100 % by @Ana, @Ben" in stage.story


REFUSED = [
    (DANA, "self_approval", "You requested this rollout"),
    (OLU, "not_approver", "You are not an approver of production"),
    ("U0GUEST", "guest", "Guests cannot use this bot"),
    ("U0GONE", "not_a_person", "Deactivated users"),
    ("U0ROBOT", "not_a_person", "bots cannot use this bot"),
    ("U0OUT", "guest", "Guests cannot use this bot"),
    ("U0ELSE", "external_user", "another workspace"),
]


@pytest.mark.sweep
@pytest.mark.parametrize(("who", "code", "sentence"), REFUSED)
async def test_who_may_not_promote_is_told_so_alone_and_nothing_changes(stage, who, code, sentence):
    for person in (
        Person("U0GUEST", "Guest", is_restricted=True),
        Person("U0GONE", "Gone", deleted=True),
        Person("U0ROBOT", "Robot", is_bot=True),
        Person("U0OUT", "Out", is_stranger=True),
        Person("U0ELSE", "Else", team_id="T0ELSE"),
    ):
        await stage.slack.add_person(person)
    everybody = ("U0ANA", "U0DANA", "U0GUEST", "U0GONE", "U0ROBOT", "U0OUT", "U0ELSE")
    await stage.slack.add_group(Group("S0SRE", "sre", everybody))
    await stage.deploy_to_gate()
    before = await stage.row()
    await stage.press("Promote to 100 %", by=who)
    await stage.wait(5)
    assert code in stage.heard(who)
    assert sentence in stage.heard(who)
    after = await stage.row()
    assert (after.phase, after.gate.votes) == (before.phase, ())


@pytest.mark.sweep
async def test_when_slack_does_not_say_who_may_promote_is_refused_and_rollback_works(stage):
    await stage.deploy_to_gate()
    stage.slack.refuse("usergroups.users.list", "fatal_error")
    await stage.press("Promote to 100 %", by=ANA)
    assert "identity_unavailable" in stage.heard(ANA)
    assert (await stage.row()).phase is Phase.WAITING
    await stage.press("Roll back", by=ANA)
    await stage.wait(30)
    assert stage.as_armed


async def test_a_promote_without_a_gate_says_where_things_stand(stage):
    await stage.deploy()
    answer = await stage.say("/deploy promote auth-service", by=ANA)
    assert "no_open_gate" in answer
    assert "running at 50 %" in answer


@pytest.mark.sweep
async def test_a_typed_promote_for_a_gate_that_just_opened_is_asked_again(stage):
    await stage.deploy()
    await stage.wait(59)
    while (await stage.row()).gate is None:
        await stage.wait(1)
    assert "gate_changed" in await stage.say("/deploy promote auth-service", by=ANA)
    await stage.wait(6)
    assert "Recorded" in await stage.say("/deploy promote auth-service", by=ANA)
    await stage.wait(20)
    assert stage.weights == (0, 100)


@pytest.mark.sweep
async def test_the_button_of_a_gate_that_is_gone_tells_what_became_of_it(stage):
    await stage.deploy_to_gate()
    message = stage.slack.messages(DEPLOYS)[-1]
    (promote, *_), value = stage.slack.buttons(message), message
    await stage.press("Promote to 100 %", by=ANA)
    stage.slack.chat.post(value)  # an old view of the message, as on a phone without signal
    await stage.slack.click(BEN, message.ts, promote)
    await stage.settled()
    assert "gate_closed" in stage.heard(BEN)
    assert "Promoted to 100 % by @Ana" in stage.heard(BEN)


@pytest.mark.sweep
async def test_of_two_people_at_once_one_wins_and_the_other_is_told(stage):
    await stage.deploy_to_gate()
    message = stage.slack.messages(DEPLOYS)[-1]
    promote = next(b for b in stage.slack.buttons(message) if b.startswith("Promote"))
    await asyncio.gather(
        stage.slack.click(ANA, message.ts, promote), stage.slack.click(BEN, message.ts, promote)
    )
    await stage.settled()
    heard = [m for who in (ANA, BEN) for m in stage.slack.ephemerals(who)]
    assert len([m for m in heard if "gate_closed" in stage.slack.text_of(m)]) == 1
    assert (await stage.told()).count("promoted") == 1


@pytest.mark.sweep
async def test_a_rollback_beats_a_promote_that_was_clicked_at_the_same_time(stage):
    await stage.deploy_to_gate()
    message = stage.slack.messages(DEPLOYS)[-1]
    promote, _, back, *_ = stage.slack.buttons(message)
    await asyncio.gather(
        stage.slack.click(ANA, message.ts, promote), stage.slack.click(OLU, message.ts, back)
    )
    await stage.settled()
    await stage.wait(60)
    assert stage.as_armed


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/deploy pause auth-service", "nothing_in_flight"),
        ("/deploy resume auth-service", "nothing_in_flight"),
        ("/deploy promote auth-service", "nothing_in_flight"),
        ("/deploy extend auth-service", "nothing_in_flight"),
        ("/rollback auth-service", "nothing_to_roll_back"),
    ],
)
async def test_without_a_rollout_there_is_nothing_to_steer(stage, line, code):
    assert code in await stage.say(line)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/deploy resume auth-service", "not_paused"),
        ("/deploy resolve auth-service fixed by hand", "nothing_to_resolve"),
    ],
)
async def test_what_does_not_fit_the_state_is_said(stage, line, code):
    await stage.deploy()
    assert code in await stage.say(line)


@pytest.mark.sweep
async def test_a_second_pause_says_that_it_is_paused(stage):
    await stage.deploy()
    await stage.say("/deploy pause auth-service")
    assert "already_paused" in await stage.say("/deploy pause auth-service", by=ANA)


@pytest.mark.sweep
async def test_a_question_about_unclear_numbers_is_answered_once(tmp_path):
    async with Stage.opened(tmp_path, slow="ask") as stage:
        stage.traffic.set_latency("v2.0.0", 900)
        await stage.deploy()
        await stage.wait(20)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert "p95" in stage.channel()[-1]
        await stage.press("Promote to 100 %", by=ANA)
        await stage.wait(30)
        assert stage.weights == (0, 100)
