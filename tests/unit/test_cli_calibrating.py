"""`sluice calibrate`: which hours of which target the door is asked for, and what becomes of the answer."""

import pytest

from bot.cli import DoorError, Stretch
from strategies.calibration import Table, calibrate
from tests.fakes.days import Days
from tests.fakes.shell import Shell
from tests.unit.test_calibration import plan_of


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    shell.calibration = calibrate(Table(Days(minutes=60, base=0.045).record(), 60), plan_of(50))
    return shell


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("checkout", Stretch("checkout", "production", "", 86400)),
        ("Checkout prod --last 6h", Stretch("checkout", "production", "", 21600)),
        ("checkout to production", Stretch("checkout", "production", "", 86400)),
        ("checkout --target=eu --last=90m", Stretch("checkout", "production", "eu", 5400)),
    ],
)
def test_the_door_is_asked_for_a_target_and_a_time(shell, line, wanted):
    assert shell.sluice("calibrate", *line.split()).code == 0
    assert shell.opened == [("calibrate", wanted)]


def test_people_read_figures_and_a_block_to_paste(shell):
    said = shell.sluice("calibrate", "checkout")

    assert "rollouts of stable against itself" in said.out
    assert "  - {metric: error_rate, above: 9.5}" in said.out


def test_machines_read_one_json_value(shell):
    said = shell.sluice("calibrate", "checkout", "--json")

    assert (said.json["noise"], said.json["limits"][0]["take"]) == (0.1, 9.5)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "missing_service"),
        ("chekout", "unknown_service"),
        ("checkout mars", "unknown_environment"),
        ("checkout production twice", "unknown_word"),
        ("checkout --last 25h", "bad_value"),
        ("checkout --last 5", "bad_value"),
        ("checkout --lsat 5h", "unknown_option"),
    ],
)
def test_words_that_are_wrong_open_nothing(shell, line, code):
    said = shell.sluice("calibrate", *line.split(), "--json")

    assert (said.code, said.json["code"]) == (2, code)
    assert shell.opened == []


def test_a_record_that_cannot_be_had_is_a_sentence_and_exit_1(shell):
    shell.fails = DoorError("checkout ran in one pod at a time.", code="one_pod")

    said = shell.sluice("calibrate", "checkout", "--json")

    assert (said.code, said.json["code"]) == (1, "one_pod")
