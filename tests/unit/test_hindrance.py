"""Why something comes late: what stood longest in the way, in that channel or in all of them."""

from datetime import UTC, datetime, timedelta

from bot.slack.hindrance import UNKNOWN, Hindrances

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def test_a_shut_channel_is_its_own_reason_and_no_other_channels():
    hindered = Hindrances()
    for minute in (0, 15, 30):
        hindered.shut("C1", "is_archived", at(minute))
    why = "this channel could not be posted to (archived)"
    assert hindered.why("C1", at(0), at(45)) == why
    assert hindered.why("C2", at(0), at(45)) == UNKNOWN


def test_what_stood_longest_in_the_way_since_then_is_the_reason():
    hindered = Hindrances()
    for minute in range(60):
        hindered.down(at(minute))
    hindered.limited(at(60), at(61))
    assert hindered.why("C1", at(0), at(62)) == "Slack could not be reached"
    assert hindered.why("C1", at(60), at(62)) == "Slack limited me"
    assert hindered.why("C1", at(90), at(95)) == UNKNOWN
