"""What is on the picture of a stage: the numbers of both lanes over its time, and the limits on them. Pure.

Where there is no number there is a gap, never a line: what was not measured is not drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from bot.slack.wording import percent
from strategies.limits import limit_words
from strategies.plan import Check
from strategies.verdict import metric_label

METRICS = ("error_rate", "latency_p95")
"""One panel each, in this order."""
_SILENCE = timedelta(minutes=3)
"""Between two looks that are a minute apart or less, so much is a gap; old looks, thinned out, stand further apart."""
_WIDER = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel; None where there is a gap."""

    name: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        """The numbers that there are, in order."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric over the time of the stage."""

    metric: str
    lanes: tuple[Line, ...]
    """The new version first."""
    limits: tuple[Line, ...]
    """Named by the limit in words and by what follows when it is broken."""

    @property
    def label(self) -> str:
        """What the metric is called on cards."""
        return metric_label(self.metric)


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is on the picture."""

    title: str
    at: tuple[datetime, ...]
    """The moments of the looks, oldest first, and one between two that are far apart."""
    panels: tuple[Panel, ...]
    looks: int

    @property
    def blank(self) -> bool:
        """Whether there is no number at all to draw."""
        return not any(line.known for panel in self.panels for line in panel.lanes)

    @property
    def span(self) -> str:
        """From when to when, with the zone."""
        first, last = self.at[0].astimezone(UTC), self.at[-1].astimezone(UTC)
        if first.date() == last.date():
            return f"{first:%H:%M} to {last:%H:%M} UTC"
        return f"{first:%b %-d %H:%M} to {last:%b %-d %H:%M} UTC"


def stage_chart(r: Rollout, kept: Sequence[KeptLook]) -> Chart | None:
    """Return the picture of the stage that the newest look is of; None without looks."""
    stage = _stage(kept)
    if not stage:
        return None
    last = stage[-1]
    where = f" ({last.place})" if last.place else ""
    title = f"{r.service} {r.version} at {percent(last.weight)}{where}"
    checks = r.watched.checks if r.watched else ()
    spaced = list(_spaced(stage))
    panels = tuple(_panel(r, metric, checks, spaced) for metric in METRICS)
    return Chart(title, tuple(one.look.at for one in spaced), panels, len(stage))


def _stage(kept: Sequence[KeptLook]) -> list[KeptLook]:
    """Return the newest looks that were taken at one weight and, of several targets, at one of them."""
    stage: list[KeptLook] = []
    for one in reversed(kept):
        if one.weight != kept[-1].weight:
            break
        if one.place == kept[-1].place:
            stage.append(one)
    return stage[::-1]


def _spaced(stage: Sequence[KeptLook]) -> Iterator[KeptLook]:
    """Yield the looks with an empty one wherever nobody looked for long."""
    apart = [after.look.at - before.look.at for before, after in pairwise(stage)]
    for index, one in enumerate(stage):
        yield one
        beside = [*apart[max(0, index - 1) : index], *apart[index + 1 : index + 2]]
        usual = max(beside, default=timedelta(0))
        if index < len(apart) and apart[index] > max(_SILENCE, _WIDER * usual):
            between = replace(one.look, at=one.look.at + apart[index] / 2, samples=())
            yield replace(one, look=between)


def _panel(r: Rollout, metric: str, checks: Sequence[Check], stage: Sequence[KeptLook]) -> Panel:
    samples = [one.look.get(metric) for one in stage]
    stable = tuple(sample.stable for sample in samples)
    canary = tuple(sample.canary for sample in samples)
    beside = any(value is not None for value in stable)
    lanes = [Line("canary" if beside or not r.one_place else "instances", canary)]
    if beside:
        lanes.append(Line("stable", stable))
    limits = [_limit(check, stable) for check in checks if check.metric == metric]
    return Panel(metric, tuple(lanes), tuple(line for line in limits if line.known))


def _limit(check: Check, stable: Sequence[float | None]) -> Line:
    """Return where a limit runs: level, or along the numbers of the stable lane."""
    name = f"limit {limit_words(check)}: {check.then}"
    match check.bound:
        case "above_baseline", points:
            return Line(name, tuple(None if v is None else v + points for v in stable))
        case "times_baseline", factor:
            return Line(name, tuple(None if v is None else v * factor for v in stable))
        case "margin", percent:
            part = (-percent if check.better == "higher" else percent) / 100
            return Line(name, tuple(None if v is None else v * (1 + part) for v in stable))
        case _, value:
            return Line(name, (value,) * len(stable))
