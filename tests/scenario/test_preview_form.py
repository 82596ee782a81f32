"""`/deploy` with nothing: the form, its preview, its start; and everything that can be filled in wrongly."""

import asyncio

import pytest

from bot.slack.form import View
from tests.scenario.stage import DANA, DEPLOYS, Stage
from tests.scenario.test_preview import previewing

GIVEN = {"service": "auth-service", "environment": "production", "version": "v2.0.0"}


async def opened(stage, *, by=DANA):
    """Type `/deploy` alone, and return the form that is then on the screen."""
    assert await stage.say("/deploy", by=by) == ""
    return form(stage)


def form(stage):
    (view,) = stage.slack.views.open.values()
    return view


async def sent(stage, given, *, by=DANA):
    """Send the form, and return what is wrong with it."""
    wrong = await stage.slack.submit(by, form(stage)["id"], given)
    await stage.settled()
    return wrong


def words(stage):
    return "\n".join(line for block in form(stage)["blocks"] for line in stage.slack._lines(block))


def inputs(view):
    return {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}


def hint(view, name):
    return next(b["hint"]["text"] for b in view["blocks"] if b.get("block_id") == name)


@pytest.mark.sweep
async def test_m1_bare_deploy_opens_a_form_that_shows_the_plan_and_then_starts_it(tmp_path):
    """M1, or modal when typed bare."""
    async with previewing(tmp_path) as stage:
        fields = inputs(await opened(stage))
        assert list(fields) == ["service", "environment", "version", "strategy", "steps", "reason"]
        assert fields["environment"]["initial_option"]["value"] == "production"
        assert fields["strategy"]["options"][0]["text"]["text"] == "As configured (canary)"
        assert (
            await sent(stage, {**GIVEN, "steps": "50, 100", "reason": "because <!here> PROJ-1"})
            == {}
        )
        shown = words(stage)
        assert "Deploy auth-service v2.0.0 → production" in shown
        assert "7 commits, 3 authors" in shown
        assert form(stage)["submit"]["text"] == "Start rollout"
        assert await stage.bot.store.history() == []
        assert await sent(stage, {}) == {}
        assert stage.slack.views.open == {}
        assert "requested by @Dana" in stage.channel(stage.slack.chat.direct(DANA).id)[-1]
        row = await stage.row()
        assert (row.version, row.reason) == ("v2.0.0", "because <!here> PROJ-1")
        await stage.wait(15)
        assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_the_hint_says_what_is_live_and_what_was_before(tmp_path):
    async with previewing(tmp_path, approvals=0, approvers="[]") as stage:
        await stage.say("/deploy auth-service v2.0.0 steps=100")
        await stage.wait(200)
        view = await opened(stage)
        assert "auth-service/production: v2.0.0, before it v1.0.0" in hint(view, "version")


@pytest.mark.sweep
async def test_edit_brings_back_what_was_filled_in(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say("/deploy plan auth-service v2.0.0 steps=50,100 soak=2m because of PROJ-1")
        await stage.press("Edit…", by=DANA)
        fields = inputs(form(stage))
        assert fields["version"]["initial_value"] == "v2.0.0"
        assert fields["steps"]["initial_value"] == "50, 100"
        assert fields["reason"]["initial_value"] == "of PROJ-1"
        assert await sent(stage, {"version": "v3.0.0"}) == {}
        assert "Deploy auth-service v3.0.0" in words(stage)
        assert await sent(stage, {}) == {}
        row = await stage.row()
        assert (row.version, row.reason) == ("v3.0.0", "of PROJ-1")
        assert [step.duration for step in row.plan.steps if type(step).__name__ == "Soak"] == [
            120,
            120,
        ]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"version": "v2 to staging"}, "version", "one word"),
        ({"version": "<!channel>"}, "version", "not a version"),
        ({"version": "rollback"}, "version", "not a version"),
        ({"version": "ghcr.io/evil/other:v2"}, "version", ""),
        ({"steps": "many"}, "steps", "does not work"),
        ({"steps": "150"}, "steps", "does not work"),
        ({"steps": "50,100 auto-promote"}, "steps", ""),
        ({"steps": "--now"}, "steps", ""),
        ({"strategy": "ab-test", "steps": "50,100"}, "steps", ""),
    ],
)
async def test_rubbish_is_refused_at_its_field_and_nothing_happens(stage, given, field, said):
    await opened(stage)
    wrong = await sent(stage, {**GIVEN, **given})
    assert said in wrong[field]
    assert "<!" not in str(wrong)
    assert form(stage)["title"]["text"] == "Start a rollout"
    assert await stage.bot.store.history() == []


async def test_several_mistakes_are_told_at_once(stage):
    await opened(stage)
    assert set(await sent(stage, {**GIVEN, "version": "a b", "steps": "x"})) == {"version", "steps"}


async def test_phones_may_type_as_they_do(stage):
    await opened(stage)
    assert await sent(stage, {**GIVEN, "version": " V2.0.0\u200b ", "steps": "50 / 100"}) == {}
    assert "Deploy auth-service V2.0.0" in words(stage)


@pytest.mark.sweep
async def test_with_101_services_the_name_is_typed_and_a_slip_is_asked_about(tmp_path):
    async with Many.opened(tmp_path) as stage:
        fields = inputs(await opened(stage))
        assert fields["service"]["type"] == "plain_text_input"
        given = {**GIVEN, "service": "auth-servce"}
        assert "Did you mean `auth-service`" in (await sent(stage, given))["service"]
        assert await sent(stage, {**GIVEN, "service": "Auth-Service"}) == {}
        assert "Deploy auth-service v2.0.0" in words(stage)


class Many(Stage):
    """A stage with 101 services."""

    def write(self, folder, text):
        name = "  auth-service:\n"
        head, _, body = text.partition(name)
        more = "".join(f"  svc-{n}: {{about: {{critical: false}}}}\n" for n in range(100))
        super().write(folder, f"{head}{more}{name}{body}")


async def test_a_mention_gets_a_button_that_opens_it(stage):
    await stage.slack.mention(DANA, DEPLOYS, "deploy")
    await stage.settled()
    assert "[Open the form]" in stage.heard()
    await stage.press("Open the form", by=DANA)
    assert inputs(form(stage))


async def test_a_key_that_is_stale_leads_to_words_and_a_button(stage):
    """B.1: a trigger lives three seconds."""
    stage.slack.refuse("views.open", "expired_trigger_id", times=1)
    await stage.say("/deploy")
    assert "`/deploy SERVICE VERSION`" in stage.heard()
    await stage.press("Open the form", by=DANA)
    assert inputs(form(stage))


@pytest.mark.sweep
async def test_what_takes_long_is_shown_as_one_moment(stage):
    """B.1: loading view first."""
    known = stage.bot.door.forms.by_name
    known["deploy"] = Slow(known["deploy"])
    typing = asyncio.create_task(stage.say("/deploy"))
    async with asyncio.timeout(5):
        while not stage.slack.views.open:  # noqa: ASYNC110 - the stand-in tells nobody when a form opens
            await asyncio.sleep(0.01)
    assert "One moment…" in str(form(stage)["blocks"])
    known["deploy"].go.set()
    await typing
    assert inputs(form(stage))


class Slow:
    """A form that waits to be told."""

    name = "deploy"

    def __init__(self, form):
        self.form, self.go = form, asyncio.Event()

    async def view(self, actor, about) -> View:
        await self.go.wait()
        return await self.form.view(actor, about)


@pytest.mark.sweep
async def test_the_plan_is_out_of_date_when_it_is_sent(tmp_path):
    async with previewing(tmp_path) as stage:
        await opened(stage)
        await sent(stage, GIVEN)
        await stage.reconfigured("soak: 1m", "soak: 3m")
        assert await sent(stage, {}) == {}
        assert "out of date" in words(stage)
        assert await stage.bot.store.history() == []
        assert await sent(stage, {}) == {}
        assert (await stage.row()).version == "v2.0.0"


async def test_what_bars_the_start_leaves_no_button_to_start(tmp_path):
    freeze = '[{from: "Mon 00:00", to: "Sun 23:59", timezone: UTC}]'
    async with previewing(tmp_path, freeze=freeze) as stage:
        await opened(stage)
        assert await sent(stage, GIVEN) == {}
        assert "frozen" in words(stage)
        assert "submit" not in form(stage)


async def test_a_reason_of_any_length_fits_its_form(stage):
    await opened(stage)
    assert await sent(stage, {**GIVEN, "reason": "ß" * 300}) == {}
    assert await sent(stage, {}) == {}
    assert (await stage.row()).reason == "ß" * 300


async def test_the_words_of_the_command_line_keep_their_help(stage):
    status, body = await stage.rest("POST", "/api/v1/commands", json={"text": "deploy"})
    assert (status, body["kind"]) == (200, "help")
    assert stage.slack.views.open == {}
