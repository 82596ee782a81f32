"""The picture of a stage in words: for who hears it, and for where there is no picture. Pure."""

from bot.slack.blocks import Block, clip, context, escape, plain, section
from bot.slack.charts.series import Chart, Line, Panel
from strategies.figures import told_apart
from strategies.verdict import number, unit

ALT = 1000
"""Characters that Slack takes as the description of a file; a block would take twice as many."""
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24
"""Bars of one line: they fit beside the numbers on a phone."""
_GAP = "·"


def alt_text(chart: Chart) -> str:
    """Return what the picture shows, with its numbers."""
    looks = "one look" if chart.looks == 1 else f"{chart.looks} looks"
    said = [f"Chart of {chart.title}, {chart.span}, {looks}."]
    said += [_panel_words(panel) for panel in chart.panels]
    return clip(plain(" ".join(said)), ALT)


def _panel_words(panel: Panel) -> str:
    lanes = "; ".join(_lane_words(panel, lane) for lane in panel.lanes)
    limits = "; ".join(_limit_words(panel, line) for line in panel.limits) or "no limit"
    return f"{panel.label}: {lanes}; {limits}."


def _lane_words(panel: Panel, lane: Line) -> str:
    if not lane.known:
        return f"{lane.name} no data"
    low, high = min(lane.known), max(lane.known)
    shown = f"{lane.name} last {_last(panel, lane)}"
    if low != high:
        shown += f", from {number(low, panel.metric)} to {number(high, panel.metric)}"
    missing = len(lane.values) - len(lane.known)
    return f"{shown}, with gaps" if missing else shown


def _last(panel: Panel, lane: Line) -> str:
    value = lane.values[-1]
    if value is None:
        return "no data"
    limits = [bound for line in panel.limits if (bound := line.values[-1]) is not None]
    return told_apart(value, limits, unit(panel.metric))


def _limit_words(panel: Panel, line: Line) -> str:
    lanes = [lane for lane in panel.lanes if lane.name != "stable"]
    over = any(_broken(line, lane) for lane in lanes)
    return f"{line.name}{', crossed' if over else ''}"


def _broken(limit: Line, lane: Line) -> bool:
    pairs = zip(limit.values, lane.values, strict=True)
    known = [(bound, value) for bound, value in pairs if bound is not None and value is not None]
    below = "≥" in limit.name
    return any(value < bound if below else value > bound for bound, value in known)


def spark_blocks(chart: Chart) -> list[Block]:
    """Return the same numbers as text, one line a metric, for where there is no picture."""
    lines = [_spark_line(panel) for panel in chart.panels]
    return [section("\n".join(lines)), context(escape(f"{chart.title}, {chart.span}"))]


def spark_text(chart: Chart) -> str:
    """Return the notification line that goes with those blocks."""
    return f"The numbers of {chart.title}, {chart.span}"


def _spark_line(panel: Panel) -> str:
    lane = panel.lanes[0]
    if not lane.known:
        return f"*{escape(panel.label)}* no data"
    least, most = (number(pick(lane.known), panel.metric) for pick in (min, max))
    limits = "; ".join(line.name for line in panel.limits) or "no limit"
    words = f"{lane.name} last {_last(panel, lane)}, min {least}, max {most}, {limits}"
    return f"*{escape(panel.label)}* `{spark(lane.values)}` {escape(words)}"


def spark(values: tuple[float | None, ...]) -> str:
    """Return numbers as a row of bars; a dot where there is none."""
    shown = _thinned(values)
    known = [value for value in shown if value is not None]
    if not known:
        return _GAP * len(shown)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_GAP if v is None else _BARS[round((v - low) / step)] for v in shown)


def _thinned(values: tuple[float | None, ...]) -> list[float | None]:
    """Return at most `_WIDTH` numbers, of each stretch the worst: a peak must not fall between two bars."""
    if len(values) <= _WIDTH:
        return list(values)
    cuts = [round(i * len(values) / _WIDTH) for i in range(_WIDTH + 1)]
    stretches = [values[cuts[i] : cuts[i + 1]] for i in range(_WIDTH)]
    return [max((v for v in part if v is not None), default=None) for part in stretches]
