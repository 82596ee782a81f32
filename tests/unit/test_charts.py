"""The picture of a stage: what is on it, what it says in words, and that it is really drawn so."""

import io
import math
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from bot.slack.blocks import SECTION
from bot.slack.charts.drawing import CANARY, HEIGHT, LIMIT, STABLE, WIDTH, draw, ticks
from bot.slack.charts.painter import Painter
from bot.slack.charts.series import Chart, stage_chart
from bot.slack.charts.words import ALT, alt_text, spark, spark_blocks
from bot.slack.limits import problems
from strategies.plan import Approve, Check, Plan, Prepare, Promote, SetWeight, Soak
from strategies.verdict import Look, Sample

T = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
CHECKS = (
    Check("error_rate", above=5.0),
    Check("latency_p95", above=500.0, then="warn"),
    Check("latency_p95", times_baseline=1.5),
)
ERRORS_ONLY = CHECKS[:1]


def rollout(checks=CHECKS, **changes) -> Rollout:
    steps = (Prepare(), SetWeight(25.0), Soak(600, checks=checks), Approve(1, (), 86400, "hold"))
    plan = Plan("checkout", "production", "v1.42", "canary", (*steps, SetWeight(100.0), Promote()))
    made = Rollout("r-1", "checkout", "production", "v1.42", plan, "U0DANA", T, 1, cursor=3)
    return replace(made, **changes)


def kept(minute, canary, stable=0.2, p95=400.0, weight=25.0, place="") -> KeptLook:
    samples = (Sample("error_rate", stable, canary), Sample("latency_p95", 380.0, p95))
    return KeptLook(2, weight, place, Look(T + timedelta(minutes=minute), 60, samples))


def chart(*errors, checks=CHECKS) -> Chart:
    made = stage_chart(rollout(checks), [kept(i, value) for i, value in enumerate(errors)])
    assert made is not None
    return made


def picture(*errors, checks=ERRORS_ONLY) -> Image.Image:
    return Image.open(io.BytesIO(draw(chart(*errors, checks=checks)))).convert("RGB")


def heights(image: Image.Image, colour: str) -> list[int]:
    """Return the rows of the upper half in which a colour is seen behind the legend and the title."""
    wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    rows = range(90, HEIGHT // 2)
    return [y for y in rows if sum(image.getpixel((x, y)) == wanted for x in range(60, WIDTH)) > 8]


def test_the_picture_is_a_png_of_the_promised_size():
    png = draw(chart(0.2, 0.3, 0.4))
    assert png.startswith(b"\x89PNG")
    assert Image.open(io.BytesIO(png)).size == (WIDTH, HEIGHT)


def test_a_canary_over_its_limit_is_drawn_above_the_line_and_a_good_one_below():
    bad, good = picture(8.0, 8.0, 8.0), picture(1.0, 1.0, 1.0)
    # Rows are counted from the top; the dashes of the limit are the only long black marks.
    assert max(heights(bad, CANARY)) < min(_dashes(bad))
    assert min(heights(good, CANARY)) > max(_dashes(good))
    assert min(heights(good, STABLE)) > max(_dashes(good))


def _dashes(image: Image.Image) -> list[int]:
    ink = tuple(int(LIMIT[i : i + 2], 16) for i in (1, 3, 5))
    return [
        y
        for y in range(90, HEIGHT // 2 - 30)
        if sum(image.getpixel((x, y)) == ink for x in range(400, WIDTH - 10)) > 100
    ]


def test_where_both_are_the_same_both_are_seen():
    image = picture(0.2, 0.2, 0.2)
    assert heights(image, CANARY)
    assert heights(image, STABLE)


@pytest.mark.parametrize(
    "seconds", [4, 14, 30, 59, 61, 150, 601, 3601, 7000, 40_000, 86_400, 900_000]
)
def test_the_time_has_three_to_six_different_ticks(seconds):
    for late in range(7):
        first = T + timedelta(seconds=late)
        marks = ticks(first, first + timedelta(seconds=seconds))
        assert 3 <= len(marks) <= 6
        assert len(set(marks)) == len(marks)


def test_a_gap_is_not_bridged():
    whole, gap = picture(1.0, 1.0, 1.0, 1.0), picture(1.0, None, None, 1.0)
    y = heights(whole, CANARY)[len(heights(whole, CANARY)) // 2]
    wanted = tuple(int(CANARY[i : i + 2], 16) for i in (1, 3, 5))
    middle = WIDTH // 2
    assert whole.getpixel((middle, y)) == wanted
    assert gap.getpixel((middle, y)) != wanted


def test_where_nobody_looked_for_long_there_is_a_gap():
    made = stage_chart(rollout(), [kept(i, 1.0) for i in (0, 1, 2, 9, 10)])
    assert made.panels[0].lanes[0].values == (1.0, 1.0, 1.0, None, 1.0, 1.0)
    assert made.looks == 5


def test_looks_that_were_thinned_out_are_no_gaps():
    made = stage_chart(rollout(), [kept(i, 1.0) for i in (0, 4, 8, 12, 14, 16)])
    assert made.panels[0].lanes[0].known == [1.0] * 6
    assert None not in made.panels[0].lanes[0].values[1:]


def test_only_the_stage_of_the_newest_look_is_drawn_and_of_several_targets_one():
    looks = [kept(0, 9.0, weight=5.0), kept(1, 1.0, place="eu"), kept(2, 2.0, place="us")]
    made = stage_chart(rollout(), [*looks, kept(3, 3.0, place="us")])
    assert made.panels[0].lanes[0].values == (2.0, 3.0)
    assert made.title == "checkout v1.42 at 25 % (us)"


def test_a_limit_over_the_baseline_runs_along_the_stable_lane():
    limits = chart(1.0, 2.0).panels[1].limits
    assert [line.name for line in limits] == [
        "limit ≤ 500 ms: warn",
        "limit ≤ stable × 1.5: rollback",
    ]
    assert limits[1].values == (570.0, 570.0)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (
            (0.2, 0.3, 0.25),
            "Error rate: canary last 0.25 %, from 0.20 % to 0.30 %; stable last 0.20 %",
        ),
        ((0.2, 6.0), "limit ≤ 5 %: rollback, crossed."),
        ((5.001, 5.001), "canary last 5.001 %"),
        ((0.2, 4.9), "limit ≤ 5 %: rollback. p95"),
        ((0.2, None), "canary last no data, with gaps"),
        ((None, None), "canary no data"),
        ((1.0, 1.0), "Chart of checkout v1.42 at 25 %, 14:02 to 14:03 UTC, 2 looks."),
    ],
)
def test_the_picture_says_its_numbers_in_words(errors, said):
    text = alt_text(chart(*errors))
    assert said in text or said.replace("last no data", "last –") in text
    assert len(text) <= ALT


def test_without_a_number_anywhere_there_is_nothing_to_draw_and_drawing_does_no_harm():
    nothing = [
        KeptLook(2, 25.0, "", Look(T + timedelta(minutes=i), 60, (), "unreachable")) for i in (0, 1)
    ]
    made = stage_chart(rollout(), nothing)
    assert made.blank
    assert draw(made).startswith(b"\x89PNG")
    assert "no data" in alt_text(made)


def test_a_stage_over_midnight_names_the_days():
    made = stage_chart(rollout(), [kept(0, 1.0), kept(60 * 30, 1.0)])
    assert made.span == "Nov 21 14:02 to Nov 22 20:02 UTC"


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ((0.0, 1.0, 2.0, 7.0), "▁▂▃█"),
        ((1.0, None, 1.0), "▁·▁"),
        ((None, None), "··"),
        ((3.0,), "▁"),
    ],
)
def test_numbers_as_bars(values, bars):
    assert spark(values) == bars


def test_a_peak_among_two_thousand_looks_stays_visible_in_text():
    values = tuple(9.0 if i == 777 else 1.0 for i in range(2000))
    assert spark(values).count("█") == 1
    assert len(spark(values)) == 24


def test_the_text_for_where_there_is_no_picture_fits_a_message():
    blocks = spark_blocks(chart(0.2, 6.0))
    assert problems({"text": "x", "blocks": blocks}) == []
    assert "*Error rate* `▁█` canary last 6 %, min 0.20 %, max 6 %, limit ≤ 5 %: rollback" in str(
        blocks
    )
    assert len(blocks[0]["text"]["text"]) < SECTION


async def test_without_the_library_nothing_is_painted(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(one) for one in sys.meta_path])
    assert await Painter().paint(chart(0.2, 0.3)) is None


class _Without:
    """A way to find modules on which the library does not exist."""

    def __init__(self, real):
        self.real = real

    def find_spec(self, name, path=None, target=None):
        gone = name.partition(".")[0] == "matplotlib"
        return None if gone else self.real.find_spec(name, path, target)


async def test_a_drawing_that_takes_too_long_is_given_up_and_the_loop_goes_on():
    held = threading.Event()
    painter = Painter(lambda _: held.wait(5) and b"", patience=0.05)
    assert await painter.paint(chart(0.2, 0.3)) is None
    held.set()
    painter.stop()


def test_a_version_is_text_and_never_a_formula():
    made = replace(chart(0.2, 0.3), title=r"checkout $\frac{1}{0}$ at 25 %")
    assert draw(made).startswith(b"\x89PNG")
    assert not math.isnan(made.panels[0].lanes[0].known[0])
