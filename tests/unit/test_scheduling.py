"""When a typed time comes, across the days on which the clocks are changed; and what a row does until it has come."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as some

from bot.grammar.crontab import crontab
from bot.grammar.moments import next_at, next_cron
from bot.grammar.quantities import moment
from bot.planning import rollback_plan
from bot.rollout import advance
from bot.rollout.pace import need, wake_at
from bot.rollout.seen import Afresh, Barred, Need, Seen
from bot.rollout.values import Phase, Rollout

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
"""A Saturday."""
SPRING = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
"""In the night that follows, Berlin's clocks skip from 02:00 to 03:00."""
AUTUMN = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
"""In the night that follows, Berlin's clocks show 02:00 to 03:00 twice."""


def at(text: str, now: datetime = NOW) -> str:
    return next_at(moment(text), now).isoformat(" ", "minutes")


def cron(text: str, now: datetime = NOW) -> str:
    return next_cron(crontab(text), now).isoformat(" ", "minutes")


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("22:00", "2026-11-21 22:00+00:00"),
        ("15:00", "2026-11-22 15:00+00:00"),
        ("2:00", "2026-11-22 02:00+00:00"),
        ("02:00 Europe/Berlin", "2026-11-22 01:00+00:00"),
        ("02:00 europe/berlin", "2026-11-22 01:00+00:00"),
        ("20:00 America/New_York", "2026-11-22 01:00+00:00"),
        ("2026-12-01T02:00", "2026-12-01 02:00+00:00"),
        ("2026-12-01T02:00Z", "2026-12-01 02:00+00:00"),
        ("2026-12-01T02:00+02:00", "2026-12-01 00:00+00:00"),
        ("2026-12-01 02:00 Asia/Tokyo", "2026-11-30 17:00+00:00"),
        ("2020-01-01T00:00Z", "2020-01-01 00:00+00:00"),
    ],
)
def test_a_time_is_the_next_such_time_and_a_date_is_itself(text, comes):
    assert at(text) == comes


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("02:00 Berlin", "Did you mean `Europe/Berlin`"),
        ("02:00 Nowhere/Else", "is not a time zone"),
        ("2026-12-01T02:00Z Europe/Berlin", "one of them is enough"),
        ("25:00 Europe/Berlin", "It is a time"),
        ("Europe/Berlin", "It is a time"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_what_would_be_right(text, part):
    with pytest.raises(ValueError, match=part.replace("/", ".")):
        moment(text)


@pytest.mark.parametrize(
    ("now", "comes"),
    [
        # Without the change 02:30 would be 01:30 in UTC; the clocks of Berlin then show 03:30.
        (SPRING, "2027-03-28 01:30+00:00"),
        (SPRING + timedelta(days=1), "2027-03-29 00:30+00:00"),
        (AUTUMN, "2026-10-25 00:30+00:00"),
        # Between the two 02:30 of that night the next one is tomorrow's.
        (datetime(2026, 10, 25, 0, 45, tzinfo=UTC), "2026-10-26 01:30+00:00"),
    ],
)
def test_half_past_two_comes_once_in_every_night(now, comes):
    assert at("02:30 Europe/Berlin", now) == comes
    assert cron("30 2 * * * Europe/Berlin", now) == comes


@pytest.mark.parametrize(("now", "nights"), [(SPRING, 3), (AUTUMN, 3)])
def test_followed_from_match_to_match_no_night_is_skipped_and_none_comes_twice(now, nights):
    dates = []
    for _ in range(nights):
        now = next_cron(crontab("30 2 * * * Europe/Berlin"), now)
        dates.append(now.date())
    first = dates[0]
    assert dates == [first + timedelta(days=n) for n in range(nights)]


def test_a_time_before_the_gap_and_one_in_it_keep_their_order():
    assert cron("30 2,3 * * * Europe/Berlin", SPRING) == "2027-03-28 01:30+00:00"
    assert cron("0 2,3 * * * Europe/Berlin", SPRING) == "2027-03-28 01:00+00:00"


SATURDAY, SUNDAY, MONDAY = date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)
TUESDAY, FRIDAY = date(2026, 11, 24), date(2026, 11, 27)


@pytest.mark.parametrize(
    ("weekdays", "day"),
    [
        ("*", SATURDAY),
        ("0", SUNDAY),
        ("7", SUNDAY),
        ("sun", SUNDAY),
        ("1", MONDAY),
        ("mon", MONDAY),
        ("1-5", MONDAY),
        ("mon-fri", MONDAY),
        ("2,4", TUESDAY),
        ("5", FRIDAY),
        ("5-7", SATURDAY),
        ("6", SATURDAY),
        ("*/2", SATURDAY),
        ("1-5/2", MONDAY),
    ],
)
def test_weekdays_count_as_crontab_counts_them(weekdays, day):
    assert cron(f"0 20 * * {weekdays}")[:10] == day.isoformat()


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("*/15 * * * *", "2026-11-21 15:15+00:00"),
        ("5/20 * * * *", "2026-11-21 15:05+00:00"),
        ("0 2 1 * *", "2026-12-01 02:00+00:00"),
        ("0 2 1 jan *", "2027-01-01 02:00+00:00"),
        # Both kinds of day are restricted: the 13th, or a Friday.
        ("0 0 13 * 5", "2026-11-27 00:00+00:00"),
        ("0 0 22 * 5", "2026-11-22 00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00+00:00"),
    ],
)
def test_a_crontab_line_comes_next(text, comes):
    assert cron(text) == comes


def test_a_day_that_no_year_has_never_comes():
    with pytest.raises(ValueError, match="No day fits"):
        cron("0 0 30 2 *")


@pytest.mark.parametrize(
    "text", ["0 2 * *", "0 2 * * * Berlin Paris", "0 2 * * * Nowhere", "61 * * * *"]
)
def test_a_line_that_is_no_crontab_is_refused(text):
    with pytest.raises(ValueError, match=r"five fields|time zone|minute"):
        crontab(text)


_FIELD = {
    "minute": some.sampled_from(["*", "0", "7,42", "*/10", "10-20/3"]),
    "hour": some.sampled_from(["*", "2", "0,23", "*/6", "9-17"]),
    "day": some.sampled_from(["*", "1", "15,31", "*/9"]),
    "month": some.sampled_from(["*", "2", "11-12", "1,6"]),
}


@given(
    **_FIELD,
    now=some.integers(0, 1_000_000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
)
def test_without_weekdays_apscheduler_says_the_same(minute, hour, day, month, now):
    trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, timezone=UTC)
    expected = trigger.get_next_fire_time(None, now + timedelta(microseconds=1))
    assert next_cron(crontab(f"{minute} {hour} {day} {month} *"), now) == expected


# ---- the row that waits ---------------------------------------------------------------------------------------------

PLAN = rollback_plan("app", "production", "v2")
OTHER = replace(PLAN, strategy="canary")
DUE = NOW + timedelta(hours=1)


def waiting(**changes: object) -> Rollout:
    row = Rollout("r-1", "app", "production", "v2", PLAN, "U0DANA", NOW, 0, phase=Phase.SCHEDULED)
    return replace(row, due=DUE, **changes)


def seen(late: timedelta = timedelta(), **found: object) -> Seen:
    now = DUE + late
    fresh = replace(waiting(), id="r-2", phase=Phase.RUNNING, created=now, due=None)
    return Seen(now, afresh=Afresh(**{"rollout": fresh, **found}))


def test_before_its_time_nothing_is_looked_at_and_the_timer_is_set():
    assert need(waiting(), NOW, None) == Need()
    assert wake_at(waiting(), NOW, None) == DUE


def test_when_it_is_due_it_is_the_row_that_would_be_created_now_with_its_own_name():
    row = advance(waiting(reason="night", revision=4), seen())
    assert (row.phase, row.id, row.revision, row.created) == (Phase.RUNNING, "r-1", 4, DUE)
    assert (row.requester, row.reason) == ("U0DANA", "night")


MINUTE = timedelta(minutes=1)
AGAINST = [
    ({"rollout": None, "problem": "no such service.", "busy": "r-9"}, 0, "not_plannable"),
    (
        {"rollout": replace(waiting(), plan=OTHER), "barred": Barred("frozen", "now")},
        0,
        "plan_changed",
    ),
    ({"barred": Barred("frozen", "it is frozen")}, 16, "frozen"),
    ({"busy": "r-9"}, 16, "missed"),
    ({}, 16, "missed"),
    ({}, 15, ""),
    ({"busy": "r-9"}, 15, "target_busy"),
]


@pytest.mark.parametrize(("found", "late", "code"), AGAINST)
def test_what_speaks_against_a_start_is_asked_about(found, late, code):
    row = advance(waiting(), seen(late * MINUTE, **found))
    assert row.code == code
    assert (row.gate is None) == (row.phase is Phase.RUNNING) == (not code)


def test_an_open_question_is_not_asked_again_and_never_forgotten():
    asks = advance(waiting(), seen(16 * MINUTE))
    later = DUE + 20 * MINUTE
    assert need(asks, later, None) == Need()
    assert wake_at(asks, later, None) == asks.gate.expires
    assert advance(asks, Seen(later)) == asks


def test_a_busy_target_is_looked_at_again_for_a_quarter_of_an_hour_only():
    asks = advance(waiting(), seen(busy="r-9"))
    assert need(asks, DUE + 15 * MINUTE, None).afresh
    assert wake_at(asks, DUE + MINUTE, None) < DUE + 2 * MINUTE
    assert not need(asks, DUE + 16 * MINUTE, None).afresh
    assert wake_at(asks, DUE + 16 * MINUTE, None) == asks.gate.expires


def test_silence_cancels_and_is_told_to_whom_it_concerns():
    asks = advance(waiting(), seen(16 * MINUTE))
    row = advance(asks, Seen(asks.gate.expires))
    assert (row.phase, row.code, row.gate, row.trouble) == (
        Phase.CANCELLED,
        "schedule_expired",
        None,
        None,
    )
    assert row.news[-1].tell == "requester"
