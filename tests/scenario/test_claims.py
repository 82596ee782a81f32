"""M8, M9: lists and finished cards claim what is so now: what is live, what was, what is locked. As chats."""

import re

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ANA, BEN, DANA, DEPLOYS, OLU, Stage

PAYMENTS = """\
  payments:
    about: {oncall: S0ONCALL}
    production:
      cluster: prod
      namespace: orion
      workload:
        {kind: deployment, name: auth-service-stable, container: auth-service, image: ghcr.io/orion/auth}
      metrics: {source: main, template: istio}
      checks: [{metric: error_rate, above: 5}]
      strategy: rolling"""


def cards(stage):
    """The cards in the channel, oldest first."""
    texts = [stage.slack.text_of(m) for m in stage.slack.messages(DEPLOYS) if not m.thread_ts]
    return [text for text in texts if "· plan " in text]


def updates(stage):
    return [call for call in stage.slack.calls if call[0] == "chat.update"]


async def click(stage, message, label, by=DANA):
    await stage.slack.click(by, message.ts, label)
    await stage.settled()


@pytest.mark.sweep
async def test_m9_a_card_that_is_no_longer_live_says_so_and_its_old_buttons_tell_what_is(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.ship("v2.0.0")
        phone = stage.slack.card(DEPLOYS)  # somebody's phone goes on showing this one
        await stage.ship("v3.0.0")
        first, second = cards(stage)
        assert re.match(
            r"⚪ was live · \*auth-service v2.0.0 → production\* — .* UTC – .* UTC, replaced by v3.0.0",
            first,
        )
        assert "[Roll back" not in first
        assert second.startswith("🟢 live · *auth-service v3.0.0 → production*")
        edits = len(updates(stage))
        await stage.restart()
        assert len(updates(stage)) == edits, "it changes once"

        row = await stage.bot.store.history()
        told = await pressed_late(stage, phone, row[-1].id)
        assert "Now: auth-service v3.0.0 in production is 🟢 live" in told

        await stage.say("/rollback auth-service now")
        assert "[Roll back" not in stage.card
        await stage.wait(5)
        assert "on its way back from v3.0.0, 0 % there" in stage.card
        await stage.wait(120)
        assert "taken back to v2.0.0 by @Dana" in cards(stage)[1]
        history = (await stage.say("/deploy history auth-service")).splitlines()[1:]
        assert [line.split(" · ")[0] for line in history] == [
            "🟢 live",
            "⚪ was live",
            "⚪ was live",
        ]
        assert "taken back to v2.0.0 by @Dana" in history[1]
        await stage.slack.open_home(DANA)
        await stage.settled()
        assert stage.slack.shown(stage.slack.views.homes[DANA]).count("🟢 live") == 1


async def pressed_late(stage, phone, rollout):
    """Press the button that an old phone still shows under a card."""
    stage.slack.chat.post(phone)
    await click(stage, phone, "Roll back to v1.0.0")
    assert (await stage.bot.store.get(rollout)).phase is Phase.SUCCEEDED
    return stage.heard()


@pytest.mark.sweep
async def test_m8_status_has_a_line_for_every_target_and_says_it_in_the_notification(tmp_path):
    async with Stage.opened(tmp_path, extra=PAYMENTS) as stage:
        told = await stage.say("/deploy status", by=OLU)
        assert "*auth-service* nothing deployed by me yet" in told
        await stage.say("/deploy lock payments for 2h because drill", by=BEN)
        await stage.deploy()
        await stage.say("/deploy auth-service v3.0.0")
        await stage.press("Queue behind v2.0.0", by=DANA)
        told = await stage.say("/deploy status", by=OLU)
        service, payments = (
            line for line in told.splitlines() if line.startswith("*") and "· " in line
        )
        assert "🔵 in progress v2.0.0 at 50 %, stage 1 of 2 by @Dana" in service
        assert "#2 in queue behind v2.0.0: v3.0.0 (@Dana)" in service
        assert "drill" not in service, "a lock is told where it reaches"
        assert re.match(
            r"\*payments\* nothing deployed by me yet · 🔒 locked by @Ben .*: drill", payments
        )
        assert "[Take over payments]" in told
        assert stage.slack.ephemerals(OLU)[-1].text == (
            "2 services in production: auth-service v2.0.0 at 50 %, payments locked."
        )
        assert "Take over" not in await stage.say("/deploy status", by=BEN), "it is Ben's own"
        one = await stage.say("/deploy status auth-service", by=OLU)
        assert "stage 1 of 2" in one
        assert "drill" not in one


async def test_m2_an_open_question_leaves_the_card_alone_and_says_how_old_its_numbers_are(tmp_path):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        gate = stage.slack.text_of(stage.slack.messages(DEPLOYS)[-1])
        assert re.search(r"as of \d\d:\d\d UTC · all checks pass", gate)
        edits = len(updates(stage))
        await stage.wait(240)
        assert len(updates(stage)) == edits
        await stage.press("Promote to 100 %", by=ANA)
        await stage.say("/deploy promote auth-service", by=ANA)
        assert re.search(
            r"already counted on this gate.* UTC; it waits for 1 more", stage.heard(ANA)
        )


@pytest.mark.sweep
async def test_a_long_reason_is_short_on_the_card_and_a_busy_way_back_says_what_it_is(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.deploy(options="steps=50,100 because " + "я" * 3000)
        assert "because " + "я" * 299 + "…" in stage.card
        stage.cluster.fail(500, times=10**6)
        await stage.say("/rollback auth-service because slow")
        told = await stage.say("/deploy auth-service v3.0.0")
        assert "is rolling back from v2.0.0 to v1.0.0" in told
        assert "[Queue behind v2.0.0]" in told


@pytest.mark.sweep
@pytest.mark.parametrize("version", ["v2.0.0"])
async def test_one_rollout_is_no_plural(tmp_path, version):
    async with Stage.opened(tmp_path) as stage:
        await stage.deploy(version)
        assert "*The only rollout of auth-service.*" in await stage.say(
            "/deploy history auth-service"
        )
