"""How often Slack is called: all cards together stay within the minute, and what people wait for is seen at once."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.pace import BURST, EDITS, Edits, Pace, Quiet
from tests.fakes.wheel import VirtualClock


@dataclass
class Board:
    """Cards that change, and the edits that show them; looked at once a second, as the announcer is rung."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    wanted: dict[str, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    ended: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.edits = Edits(self.clock.now)
        self.began = self.clock.at

    @property
    def now(self) -> float:
        return (self.clock.at - self.began).total_seconds()

    def look(self) -> None:
        for card, state in self.wanted.items():
            if self.shown.get(card) == state:
                continue
            if self.edits.wait(card, urgent=card in self.ended) is None:
                self.edits.count()
                self.edits.rest(card)
                self.sent.append(self.now)
                self.shown[card] = state
                if card in self.ended:
                    self.seen.setdefault(card, self.now)

    def pass_second(self) -> None:
        self.look()
        self.clock.at += timedelta(seconds=1)


def most_in_a_minute(times: list[float]) -> int:
    return max((sum(1 for other in times if at <= other < at + 60) for at in times), default=0)


@settings(max_examples=25, deadline=None)
@given(
    cards=st.integers(1, 40),
    ends=st.lists(st.integers(70, 200), max_size=8, unique=True),
)
def test_forty_cards_that_change_every_second_stay_within_fifty_edits_a_minute(cards, ends):
    board = Board()
    for second in range(240):
        for n in range(cards):
            if f"card {n}" not in board.ended:
                board.wanted[f"card {n}"] = second
        for n, end in enumerate(ends[:cards]):
            if second == end:
                board.ended[f"card {n}"] = board.now
        board.pass_second()
    for _ in range(130):
        board.pass_second()
    assert most_in_a_minute(board.sent) <= EDITS
    assert all(board.seen[card] - at <= 5 for card, at in board.ended.items())
    assert board.shown == board.wanted


def test_one_card_alone_rests_five_seconds_and_many_rest_longer():
    clock = VirtualClock()
    edits = Edits(clock.now)
    assert edits.wait("a", urgent=False) is None
    edits.rest("a")
    assert edits.wait("a", urgent=False) == clock.at + timedelta(seconds=5)
    for n in range(19):
        edits.wait(str(n), urgent=False)
    assert edits.interval == timedelta(seconds=30)
    clock.at += timedelta(seconds=61)
    assert edits.interval == timedelta(seconds=5)


def test_what_people_wait_for_waits_only_for_the_limit_of_all():
    clock = VirtualClock()
    edits = Edits(clock.now)
    for _ in range(EDITS - 1):
        edits.count()
    edits.rest("a")
    assert edits.wait("a", urgent=True) is None
    edits.count()
    assert edits.wait("a", urgent=True) == clock.at + timedelta(seconds=60)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=2)])
def test_a_clock_that_goes_back_keeps_nobody_waiting(back):
    clock = VirtualClock()
    edits, pace, quiet = Edits(clock.now), Pace(clock.now), Quiet(clock.now)
    for _ in range(EDITS):
        edits.count()
    edits.rest("a")
    for _ in range(BURST):
        pace.spend("C1")
    quiet.ask("chat.update", 30)
    clock.at -= back
    assert edits.wait("a", urgent=False) is None
    assert pace.wait("C1") is None
    assert quiet.until("chat.update") is None


def test_quiet_is_kept_for_the_method_that_asked_and_for_no_other():
    clock = VirtualClock()
    quiet = Quiet(clock.now)
    until = quiet.ask("chat.update", 30)
    assert quiet.until("chat.update") == until == clock.at + timedelta(seconds=30)
    assert quiet.until("chat.postMessage") is None
    clock.at = until
    assert quiet.until("chat.update") is None


def test_a_channel_takes_a_burst_and_then_a_message_a_second():
    clock = VirtualClock()
    pace = Pace(clock.now)
    for _ in range(BURST):
        assert pace.wait("C1") is None
        pace.spend("C1")
    assert pace.wait("C1") == clock.at + timedelta(seconds=1)
    assert pace.wait("C2") is None
