"""What a version changes, as a value and as a line; and when the next freeze begins."""

from datetime import UTC, datetime

import pytest

from bot.commands.previewing import next_freeze
from bot.rollout.changes import Changes, changes_of, delicate
from bot.settings.scalars import WeekTime
from bot.settings.values import FreezeWindow
from bot.slack.changing import changes_line, titles_line
from integrations.history import Between

LINK = "https://github.com/orion/auth/compare/v1...v2"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("db/migrations/0007_more.py", ("db/migrations/",)),
        ("migrations/0007.py", ("migrations/",)),
        ("app/Migration/x", ("app/Migration/",)),
        ("infra/terraform/main.tf", ("infra/terraform/",)),
        ("queries/clean.sql", ("queries/clean.sql",)),
        ("src/migrations.py", ()),
        ("docs/schema.md", ()),
        ("src/app.py", ()),
    ],
)
def test_what_is_hard_to_take_back_is_named(path, named):
    assert delicate([path]) == named


def test_a_huge_answer_is_kept_small():
    between = Between(
        9999,
        tuple(f"D{n}" for n in range(999)),
        ("t" * 9999,),
        ("a.sql",) * 3 + tuple(f"{n}.sql" for n in range(99)),
    )
    kept = changes_of(between, LINK)
    assert (kept.people, len(kept.authors), len(kept.touched), len(kept.titles[0])) == (
        999,
        20,
        6,
        120,
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (None, ""),
        (Changes(link=LINK), f"<{LINK}|compare>"),
        (Changes(1, ("Ana",), 1), "1 commit, 1 author"),
        (Changes(1234, ("Ana",), 7, whole=False), "1,234 commits, at least 7 authors"),
        (
            Changes(0, behind=3, link=LINK),
            f"3 commits of the live version missing · <{LINK}|compare>",
        ),
        (Changes(0), "no commits"),
        (
            Changes(2, ("A",), 1, touched=("a/", "b/", "c/", "d/")),
            "2 commits, 1 author · ⚠ touches a/, b/, c/ + 1 more",
        ),
        (
            Changes(1, ("A",), 1, touched=("<!here>/",)),
            "1 commit, 1 author · ⚠ touches &lt;!here&gt;/",
        ),
        (Changes(link="javascript:alert(1)", note="It did not answer."), "It did not answer."),
        (Changes(link="https://x|y>z", note="No."), "No."),
    ],
)
def test_one_line_says_how_much_and_what_is_delicate(changes, line):
    assert changes_line(changes) == line


def test_titles_show_their_markup_and_do_nothing():
    line = titles_line(Changes(9, titles=("Call <@U0BEN> & `x`\u202e",)))
    assert line == "• Call &lt;@U0BEN&gt; &amp; \u02cbx\u02cb\n+ 8 more"


def window(start, zone="Europe/Berlin"):
    day, hour = start
    return FreezeWindow.model_construct(
        from_=WeekTime(day, hour, 0), to=WeekTime(6, 0, 0), timezone=zone
    )


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-09-02T10:00", "2026-09-04T14:00"),  # a Wednesday: the Friday to come, in summer time
        ("2026-09-04T13:59", "2026-09-04T14:00"),
        ("2026-09-04T14:00", "2026-09-11T14:00"),  # it has begun: the next one
        ("2026-10-23T15:00", "2026-10-30T15:00"),  # the clocks change in between
    ],
)
def test_the_next_freeze_begins_by_the_clock_on_the_wall_there(now, begins):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = next_freeze((window((4, 16)),), at)
    assert found == datetime.fromisoformat(begins).replace(tzinfo=UTC)


def test_the_earliest_of_several_counts_and_none_is_none():
    at = datetime(2026, 9, 2, 10, tzinfo=UTC)
    first = next_freeze((window((4, 16)), window((3, 9), "Asia/Tokyo")), at)
    assert first == datetime(2026, 9, 3, 0, tzinfo=UTC)
    assert next_freeze((), at) is None
