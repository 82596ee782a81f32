"""Draw the picture of a stage as a PNG: errors above, p95 below, each lane with its own colour and marker.

The library is an extra of the package. It is loaded when the first picture is drawn, and only here.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from typing import Any

from bot.slack.charts.series import Chart, Line, Panel

WIDTH, HEIGHT = 800, 760
"""Pixels. A phone shows the picture at half of that or less, so its letters are large."""
_TITLE, _TEXT = 30, 22
"""Pixels of the letters: the figure has 72 dots an inch, which makes a point a pixel."""
_DOTS = 72
_MARKS = 20
"""Markers on a line; more of them would hide it."""
_INK, _PAPER, _GRID = "#1d1c1d", "#ffffff", "#d5d5d5"
# Okabe and Ito: told apart with any kind of colour blindness, and each lane has its marker besides.
CANARY, STABLE = "#d55e00", "#0072b2"
# Stable is broad and lies below, so that both are seen where their numbers are the same.
_LOOKS = {"stable": {"color": STABLE, "marker": "s", "linewidth": 6, "markersize": 13, "zorder": 3}}
_CANARY_LOOK = {"color": CANARY, "marker": "o", "linewidth": 4, "markersize": 9, "zorder": 4}
LIMIT = "#000000"
_DASHES = ((0, (6, 3)), (0, (2, 2)), (0, (6, 2, 1, 2)))
_NAME = 0.12
"""Of the height of a panel, what the name of a limit takes."""
_STEPS = (
    *(1, 2, 3, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 3, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400 * 2**power for power in range(16)),
)
"""Seconds between two ticks, each at most twice the one before: too many of one are three of the next at least."""
_TICKS = 6
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_UNITS = {"error_rate": "%", "latency_p95": "ms"}


def can_draw() -> bool:
    """Whether the library is installed."""
    return find_spec("matplotlib") is not None


def draw(chart: Chart) -> bytes:
    """Return the picture; it is opaque, so that it reads the same on light and dark. Raises `ImportError`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - 70 MB, when needed
    from matplotlib.figure import Figure  # noqa: PLC0415

    size = (WIDTH / _DOTS, HEIGHT / _DOTS)
    figure = Figure(size, _DOTS, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(chart.title, fontsize=_TITLE, color=_INK, parse_math=False)
    axes = figure.subplots(len(chart.panels), 1, sharex=True, squeeze=False)
    for panel, place in zip(chart.panels, axes[:, 0], strict=True):
        _draw_panel(chart, panel, place)
    _draw_time(chart, axes[-1, 0])
    picture = BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _draw_panel(chart: Chart, panel: Panel, axes: Any) -> None:
    every = max(1, math.ceil(len(chart.at) / _MARKS))
    for index, limit in enumerate(panel.limits):
        dashes = _DASHES[index % len(_DASHES)]
        axes.plot(chart.at, _drawn(limit), color=LIMIT, linestyle=dashes, linewidth=3)
        _name_limit(axes, limit, above=not _crowded(panel, limit))
    for lane in panel.lanes:
        look = _LOOKS.get(lane.name, _CANARY_LOOK)
        name = lane.name if lane.known else f"{lane.name}: no data"
        axes.plot(chart.at, _drawn(lane), label=name, markevery=every, **look)
    axes.set_ylim(*_range(panel))
    unit = _UNITS.get(panel.metric, "")
    axes.set_title(f"{panel.label}, {unit}".rstrip(", "), fontsize=_TEXT, color=_INK, loc="left")
    axes.tick_params(labelsize=_TEXT, colors=_INK)
    axes.yaxis.get_major_locator().set_params(nbins=5)
    axes.grid(visible=True, color=_GRID, linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        fontsize=_TEXT, loc="upper right", bbox_to_anchor=(1.0, 1.22), ncols=2, frameon=False
    )


def _crowded(panel: Panel, limit: Line) -> bool:
    """Whether the line of another limit runs where the name of this one would stand above it."""
    own, room = limit.known[0], _range(panel)[1] * _NAME
    return any(own < other.known[0] < own + room for other in panel.limits)


def _name_limit(axes: Any, limit: Line, *, above: bool) -> None:
    """Write the name of a limit beside its line, where the stage begins."""
    axes.annotate(
        limit.name,
        (0.0, limit.known[0]),
        xycoords=("axes fraction", "data"),
        xytext=(6, 6 if above else -6),
        textcoords="offset points",
        verticalalignment="bottom" if above else "top",
        fontsize=_TEXT,
        color=_INK,
        parse_math=False,
        zorder=5,
    )


def _draw_time(chart: Chart, axes: Any) -> None:
    marks = ticks(chart.at[0], chart.at[-1])
    apart = min((b - a for a, b in pairwise(marks)), default=_DAY)
    # Every tick reads differently.
    wording = "%H:%M" if apart >= _MINUTE else "%H:%M:%S"
    if chart.at[-1] - chart.at[0] > _DAY:
        wording = "%b %d\n%H:%M"
    axes.set_xticks(marks, [f"{at.astimezone(UTC):{wording}}" for at in marks])
    axes.set_xlabel("UTC", fontsize=_TEXT, color=_INK)


def ticks(first: datetime, last: datetime) -> list[datetime]:
    """Return three to six round moments between two; of what is too short for that its whole seconds."""
    begin, end = math.ceil(first.timestamp()), math.floor(last.timestamp())
    for step in _STEPS:
        marks = range(-(-begin // step) * step, end + 1, step)
        if len(marks) <= _TICKS:
            break
    return [datetime.fromtimestamp(mark, UTC) for mark in marks] or [first]


def _drawn(line: Line) -> Sequence[float]:
    """Return the numbers as the library takes them: a gap is no number."""
    return [math.nan if value is None else value for value in line.values]


def _range(panel: Panel) -> tuple[float, float]:
    """Return the bounds of a panel: from nought to above whatever is on it, the limits included."""
    known = [value for line in (*panel.lanes, *panel.limits) for value in line.known]
    return 0.0, max(known, default=0.0) * 1.25 or 1.0
