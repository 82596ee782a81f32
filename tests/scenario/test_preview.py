"""M1, as a chat: what a person sees before a start, and that what starts is what was seen."""

from contextlib import asynccontextmanager

import pytest

from bot.rollout.values import Phase
from tests.fakes.code_hosts import TOKEN, FakeGithub
from tests.scenario.stage import ANA, BEN, DANA, IMAGE, Stage

PLAN = "/deploy plan auth-service v2.0.0"


class Previewing(Stage):
    """A stage whose service has its code on a GitHub."""

    token = TOKEN

    async def raise_world(self, folder, overrides):
        self.github = FakeGithub()
        self.github_url = await self.github.start()
        self.github.repositories["orion/auth"] = {"v1.0.0", "v2.0.0", "v3.0.0"}
        self.github.commits = [
            (who, f"Change {n}") for n, who in enumerate(["Kim", "Lee", "Max"] * 2)
        ]
        self.github.commits.append(("Kim", "Look <!channel> at ＊this＊ `now`"))
        self.github.files = ["db/migrations/0007.py", "src/app.py"]
        await super().raise_world(folder, overrides)

    def write(self, folder, text):
        text = text.replace("about: {oncall:", "about: {repository: orion/auth, oncall:")
        token = f'token: "{self.token}", ' if self.token else ""
        super().write(folder, f'{text}source: {{kind: github, {token}url: "{self.github_url}"}}\n')
        self.folder = folder

    async def strike(self):
        await super().strike()
        await self.github.stop()

    async def reconfigured(self, old, new):
        """Change the file and start again, as a deploy of the bot would."""
        path = self.folder / "sluice.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        await self.restart()

    def put_back(self, blocks, by=DANA):
        """Show a message again that was replaced, as a client does that has lost its connection."""
        self.slack.chat.edit(self.slack.ephemerals(by)[-1], text="again", blocks=blocks)

    @property
    def buttons(self):
        return self.slack.buttons(self.slack.ephemerals(DANA)[-1])


@asynccontextmanager
async def previewing(folder, *, token=TOKEN, **overrides):
    kind = type("_Stage", (Previewing,), {"token": token})
    async with kind.opened(folder, **overrides) as stage:
        yield stage


@pytest.mark.sweep
async def test_m1_a_preview_says_all_that_is_known_and_its_button_starts_it(tmp_path):
    """M1."""
    freeze = '[{from: "Sat 16:00", to: "Sun 08:00", timezone: Europe/Berlin}]'
    async with previewing(tmp_path, freeze=freeze) as stage:
        seen = await stage.say(f"{PLAN} steps=50,100")
        assert seen.startswith("*Deploy auth-service v2.0.0 → production")
        assert "*Now live*  v1.0.0" in seen
        assert "7 commits, 3 authors · compare · ⚠ touches db/migrations/" in seen
        assert "50 % of the traffic" in seen
        assert "Error rate ≤ 5 % → rollback" in seen
        assert "1 of @sre (not you)" in seen
        assert "ok · next freeze 2026-" in seen
        assert stage.buttons == ["Start rollout", "Edit…", "Cancel"]
        assert (stage.channel(), await stage.bot.store.history()) == ([], [])
        await stage.press("Start rollout", by=DANA)
        assert "auth-service v2.0.0 → production requested by @Dana" in stage.heard()
        assert (await stage.row()).changes.count == 7
        await stage.wait(15)
        assert stage.weights == (50, 50)


async def test_m1_titles_of_commits_are_shown_and_do_nothing(tmp_path):
    async with previewing(tmp_path) as stage:
        seen = await stage.say(PLAN)
        assert "Look <!channel> at ＊this＊" in seen
        assert "<!channel>" not in str(stage.slack.ephemerals(DANA)[-1].blocks)


@pytest.mark.sweep
async def test_m1_who_brought_what_is_live_is_named_and_since_when(tmp_path):
    async with previewing(tmp_path, approvals=0, approvers="[]") as stage:
        await stage.say("/deploy auth-service v2.0.0 steps=100", by=BEN)
        await stage.wait(200)
        assert (await stage.row()).phase is Phase.SUCCEEDED
        seen = await stage.say("/deploy plan auth-service v3.0.0")
        assert "v2.0.0 (since 2026-" in seen
        assert "by @Ben)" in seen
        assert "nobody is asked" in seen


@pytest.mark.sweep
async def test_a_start_counts_once(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(PLAN)
        preview = stage.slack.ephemerals(DANA)[-1].blocks
        for _ in range(3):
            stage.put_back(preview)
            await stage.press("Start rollout", by=DANA)
        assert "Already recorded" in stage.heard()
        assert len(await stage.bot.store.history()) == 1


async def test_what_was_shown_to_one_person_starts_for_nobody_else(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(PLAN)
        preview = stage.slack.ephemerals(DANA)[-1].blocks
        await stage.say("/deploy help", by=ANA)
        stage.put_back(preview, by=ANA)
        await stage.press("Start rollout", by=ANA)
        assert "not_your_plan" in stage.heard(ANA)
        assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_another_version_is_live_meanwhile_and_the_new_preview_starts_it(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(PLAN)
        stage.cluster.edit(
            "deployments",
            "orion",
            "auth-service-stable",
            lambda body: body["spec"]["template"]["spec"]["containers"][0].update(
                image=f"{IMAGE}:v3.0.0"
            ),
        )
        await stage.press("Start rollout", by=DANA)
        assert "out of date: v3.0.0 is live now, and it was v1.0.0" in stage.heard()
        assert "plan_changed" in stage.heard()
        assert await stage.bot.store.history() == []
        await stage.press("Start rollout", by=DANA)
        assert (await stage.row()).version == "v2.0.0"


async def test_another_configuration_makes_another_plan(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(PLAN)
        await stage.reconfigured("soak: 1m", "soak: 3m")
        await stage.press("Start rollout", by=DANA)
        assert "out of date: today's configuration makes another plan of it" in stage.heard()
        assert await stage.bot.store.history() == []


async def test_cancel_changes_nothing(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(PLAN)
        await stage.press("Cancel", by=DANA)
        assert stage.heard() == "Nothing was changed."


@pytest.mark.sweep
async def test_a_busy_target_offers_the_queue_in_the_place_of_the_start(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.deploy("v3.0.0")
        seen = await stage.say(PLAN)
        assert "rollout_in_flight" in seen
        assert "Start rollout" not in stage.buttons
        assert "Queue behind v3.0.0" in stage.buttons


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ((500, {}), "GitHub answered with an error (HTTP 500)."),
        ((404, {}), "GitHub does not know both versions as tags"),
        ((429, {}), "GitHub asks us to slow down."),
    ],
)
async def test_trouble_with_the_host_of_the_code_is_a_sentence_and_the_link_stays(
    tmp_path, trouble, said
):
    async with previewing(tmp_path) as stage:
        stage.github.answers = [trouble]
        seen = await stage.say(PLAN)
        assert f"compare · {said}" in seen
        assert "Start rollout" in stage.buttons


@pytest.mark.sweep
async def test_a_host_that_hangs_delays_nobody_for_long(tmp_path):
    async with previewing(tmp_path) as stage:
        stage.github.hanging.clear()
        assert "GitHub did not answer in time: link only." in await stage.say(PLAN)
        stage.github.hanging.set()
        await stage.wait(1)
        assert "7 commits" in await stage.say(PLAN)
        assert len(stage.github.seen) == 1


async def test_without_a_token_there_is_a_link_and_nobody_is_asked(tmp_path):
    async with previewing(tmp_path, token="") as stage:
        seen = await stage.say(PLAN)
        assert "*Changes*  compare" in seen
        link = f"{stage.github_url}/orion/auth/compare/v1.0.0...v2.0.0"
        assert link in str(stage.slack.ephemerals(DANA)[-1].blocks)
        assert stage.github.seen == []


async def test_a_dry_run_shows_the_plan_alone(tmp_path):
    async with previewing(tmp_path) as stage:
        seen = await stage.say("/deploy auth-service v2.0.0 --dry-run")
        assert seen.startswith("*Plan: auth-service v2.0.0 → production")
        assert stage.buttons == []
        assert stage.github.seen == []


@pytest.mark.sweep
async def test_an_ordinary_deploy_keeps_what_it_changes_too(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.deploy()
        row = await stage.row()
        assert (row.changes.count, row.changes.people, row.changes.touched) == (
            7,
            3,
            ("db/migrations/",),
        )
        await stage.restart()
        assert (await stage.row()).changes == row.changes


@pytest.mark.sweep
async def test_the_card_and_the_gate_say_what_it_changes(tmp_path):
    """M2 and M3: `7 commits, 3 authors, ⚠ migrations · compare`."""
    async with previewing(tmp_path) as stage:
        await stage.deploy()
        assert "7 commits, 3 authors · compare · ⚠ touches db/migrations/" in stage.card
        await stage.wait(75)
        gate = next(text for text in stage.channel() if "Decision needed" in text)
        assert "7 commits, 3 authors · compare" in gate
