"""A question carries a picture of its stage (M3), and so does the thread of an automatic rollback (M5).

The question is asked first. What Slack does not take becomes a picture in the thread, or the same numbers as text.
"""

import struct
from collections.abc import AsyncIterator

import pytest

from bot.sandbox.uploads import File
from bot.slack.charts.painter import Painter
from tests.scenario.stage import ALERTS, DEPLOYS, Stage

PNG = b"\x89PNG\r\n\x1a\n" + b"drawn by a test"
UPLOAD = "files.getUploadURLExternal"
COMPLETE = "files.completeUploadExternal"


class Gallery(Stage):
    """A stage with pictures, drawn at once: what is on them is tested elsewhere."""

    painted = staticmethod(lambda _: PNG)

    async def start_bot(self) -> None:
        await super().start_bot()
        self.hire(self.painted)

    def hire(self, draw) -> None:
        """Let another painter draw."""
        self.bot.announcer.pictures._painter = Painter(draw)

    @property
    def question(self) -> str:
        """The newest question in the channel."""
        return next(text for text in reversed(self.channel()) if "Decision needed" in text)

    @property
    def files(self) -> list[File]:
        return list(self.slack.uploads.files.values())

    def called(self, method: str) -> int:
        return sum(name == method for name, _ in self.slack.calls)


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[Gallery]:
    async with Gallery.opened(tmp_path, pictures="true", soak="3m") as opened:
        yield opened


async def to_gate(stage: Gallery) -> None:
    await stage.deploy()
    await stage.wait(4 * 60)


@pytest.mark.sweep
async def test_the_question_gets_its_picture_with_its_numbers_in_words(stage):
    """M3, drawn for real."""
    stage.hire(None)

    await to_gate(stage)

    assert "Decision needed:* promote auth-service v2.0.0 from 50 % to 100 %?" in stage.question
    assert "[picture: Chart of auth-service v2.0.0 at 50 %, 03:1" in stage.question
    assert "Error rate: canary last" in stage.question
    assert "limit ≤ 5 %: rollback" in stage.question
    assert "[Promote to 100 %]" in stage.question
    [file] = stage.files
    assert struct.unpack(">II", file.body[16:24]) == (800, 760)
    assert file.alt in stage.question

    await stage.press("Promote to 100 %")
    assert "picture" not in stage.channel()[-1]


@pytest.mark.sweep
async def test_the_question_is_asked_before_there_is_a_picture(stage):
    await to_gate(stage)
    order = [
        name for name, args in stage.slack.calls if name.startswith("files.") or "blocks" in args
    ]
    asked = max(i for i, name in enumerate(order) if name == "chat.postMessage")
    assert order.index(UPLOAD) > asked
    assert order[-1] == "chat.update"


@pytest.mark.sweep
async def test_slack_looks_through_the_file_for_some_seconds_and_the_buttons_never_go(stage):
    stage.slack.scan_slowly(3)
    await to_gate(stage)
    for _ in range(60):
        assert "[Promote to 100 %]" in stage.question
        await stage.wait(1)
    assert "[picture:" in stage.question
    assert stage.called(UPLOAD) == 1


@pytest.mark.sweep
async def test_what_slack_never_takes_into_the_question_hangs_in_the_thread(stage):
    stage.slack.scan_slowly(10**6)
    await to_gate(stage)
    await stage.wait(120)

    assert "[picture:" not in stage.question
    assert "[Promote to 100 %]" in stage.question
    assert stage.story.count("[picture: Chart of auth-service v2.0.0 at 50 %") == 1
    await stage.wait(300)
    assert stage.called(COMPLETE) == 2


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("method", "error"),
    [
        (UPLOAD, "missing_scope"),
        (UPLOAD, "file_uploads_disabled"),
        (COMPLETE, "posting_to_channel_denied"),
    ],
)
async def test_where_slack_takes_no_files_the_numbers_are_told_as_text(stage, method, error):
    stage.slack.refuse(method, error)
    await to_gate(stage)
    assert "[picture:" not in stage.question
    assert "Error rate" in stage.question
    assert "canary last" in stage.question
    assert "[Promote to 100 %]" in stage.question
    assert stage.called(method) == 1


@pytest.mark.sweep
@pytest.mark.parametrize("broken", [UPLOAD, "upload", COMPLETE])
async def test_a_hiccup_of_slack_costs_a_picture_some_seconds(stage, broken):
    """F29: a 5xx is no answer."""
    stage.slack.fail(broken, times=2)
    await to_gate(stage)
    await stage.wait(10)
    assert "[picture:" in stage.question


@pytest.mark.sweep
async def test_a_rate_limit_is_waited_out(stage):
    stage.slack.rate_limit(UPLOAD, retry_after=20)
    await to_gate(stage)
    before = stage.called(UPLOAD)
    await stage.wait(10)
    assert stage.called(UPLOAD) == before
    await stage.wait(30)
    assert "[picture:" in stage.question


@pytest.mark.sweep
async def test_a_drawing_that_fails_leaves_the_numbers_as_text(stage):
    stage.hire(lambda _: 1 / 0)
    await to_gate(stage)
    assert "canary last" in stage.question
    assert stage.called(UPLOAD) == 0


@pytest.mark.sweep
async def test_a_restart_uploads_nothing_twice(stage):
    stage.slack.scan_slowly(2)
    await to_gate(stage)
    assert stage.called(UPLOAD) == 1
    await stage.restart()
    await stage.wait(60)
    assert "[picture:" in stage.question
    await stage.restart()
    await stage.wait(60)
    assert stage.called(UPLOAD) == 1


@pytest.mark.sweep
async def test_a_fresh_snapshot_gets_a_fresh_picture_in_place_of_the_old_one(stage):
    await to_gate(stage)
    [old] = stage.files

    for version in ("v1.0.0", "v2.0.0"):  # of both: that is no reason to go home
        stage.traffic.set_errors(version, 4)
    await stage.wait(300)

    [fresh] = stage.files
    assert fresh.id != old.id
    assert stage.question.count("[picture:") == 1
    assert fresh.id in str(stage.slack.messages(DEPLOYS)[-1].blocks)


@pytest.mark.sweep
async def test_an_automatic_rollback_leaves_one_picture_in_the_thread(stage):
    """M5."""
    await stage.deploy()
    await stage.wait(150)
    stage.traffic.set_errors("v2.0.0", 60)
    await stage.wait(120)
    assert stage.story.count("[picture: Chart of auth-service v2.0.0 at 50 %") == 1
    await stage.restart()
    await stage.wait(600)
    assert stage.story.count("[picture:") == 1
    assert not any("[picture:" in text for text in stage.channel(ALERTS))
