"""Draw the picture of a stage as a PNG: errors above, p95 below, each lane with its own colour and marker.

The library is an extra of the package. It is loaded when the first picture is drawn, and only here.
"""

import math
from collections.abc import Sequence
from datetime import UTC
from importlib.util import find_spec
from io import BytesIO
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
_LOOKS = {"stable": {"color": STABLE, "marker": "s"}}
_CANARY_LOOK = {"color": CANARY, "marker": "o"}
LIMIT = "#000000"
_DASHES = ((0, (6, 3)), (0, (2, 2)), (0, (6, 2, 1, 2)))
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
        _name_limit(axes, limit)
    for lane in panel.lanes:
        look = _LOOKS.get(lane.name, _CANARY_LOOK)
        name = lane.name if lane.known else f"{lane.name}: no data"
        axes.plot(
            chart.at, _drawn(lane), label=name, linewidth=4, markersize=10, markevery=every, **look
        )
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


def _name_limit(axes: Any, limit: Line) -> None:
    """Write the limit on its own line, where the stage begins."""
    axes.annotate(
        limit.name,
        (0.0, limit.known[0]),
        xycoords=("axes fraction", "data"),
        xytext=(6, 5),
        textcoords="offset points",
        fontsize=_TEXT,
        color=_INK,
        parse_math=False,
        bbox={"facecolor": _PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _draw_time(chart: Chart, axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter  # noqa: PLC0415

    long = (chart.at[-1] - chart.at[0]).total_seconds() > 24 * 3600
    axes.xaxis.set_major_locator(AutoDateLocator(tz=UTC, minticks=2, maxticks=5))  # type: ignore[no-untyped-call]
    wording = "%b %d\n%H:%M" if long else "%H:%M"
    axes.xaxis.set_major_formatter(DateFormatter(wording, tz=UTC))  # type: ignore[no-untyped-call]
    axes.set_xlabel("UTC", fontsize=_TEXT, color=_INK)


def _drawn(line: Line) -> Sequence[float]:
    """Return the numbers as the library takes them: a gap is no number."""
    return [math.nan if value is None else value for value in line.values]


def _range(panel: Panel) -> tuple[float, float]:
    """Return the bounds of a panel: from nought to above whatever is on it, the limits included."""
    known = [value for line in (*panel.lanes, *panel.limits) for value in line.known]
    return 0.0, max(known, default=0.0) * 1.25 or 1.0
