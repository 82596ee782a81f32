"""Plans and rollouts as lines of a terminal: a table, a bar for every weight, a sentence for every step.

Pure. Rows come from a bot that may be older or newer than this command line: what is missing in one is left blank.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.cli.terminal import Style, clean
from strategies.limits import limit_words
from strategies.plan import Plan, SetWeight, Step, Switch, Watch
from strategies.telling import estimate_phrase, plan_sentences

_GREEN, _YELLOW, _RED = "32", "33", "31"
_PHASES = {
    "SCHEDULED": ("scheduled", ""),
    "RUNNING": ("in progress", ""),
    "WAITING": ("waiting for a decision", _YELLOW),
    "PAUSED": ("paused", _YELLOW),
    "ROLLING_BACK": ("rolling back", _RED),
    "NEEDS_ATTENTION": ("needs attention", _RED),
    "SUCCEEDED": ("live", _GREEN),
    "ROLLED_BACK": ("rolled back", _RED),
    "CANCELLED": ("not started", ""),
}
_FINAL = frozenset({"SUCCEEDED", "ROLLED_BACK", "CANCELLED"})
_HEAD = ("SERVICE", "ENVIRONMENT", "VERSION", "STATE", "TRAFFIC", "BY", "WHEN (UTC)", "ID")
_STATE = _HEAD.index("STATE")


def bar(weight: float, style: Style) -> str:
    """Return a weight in percent as a picture with its number."""
    # The smallest share is still a share: 5 % of the traffic must not look like none.
    full = max(1 if weight > 0 else 0, min(10, round(weight / 10)))
    on, off = ("▓", "░") if style.blocks else ("#", ".")
    return f"{on * full}{off * (10 - full)} {weight:g} %"


def plan_lines(plan: Plan, style: Style, advice: str = "", judged: str = "") -> list[str]:
    """Return a plan as people read it before it runs.

    `advice` says which strategy would fit and why, `judged` what decides about its stages.
    """
    arrow = "→" if style.blocks else "->"
    told = zip(plan.steps, plan_sentences(plan), strict=True)
    steps = [
        f"{number:>3}. {step.step:<10} {_drawn(step, sentence, style)}"
        for number, (step, sentence) in enumerate(told, 1)
    ]
    return [
        clean(f"{plan.service} {plan.version} {arrow} {plan.environment}"),
        f"{plan.strategy}, {estimate_phrase(plan)}, plan {plan.digest}",
        *(clean(step) for step in steps),
        *_checks(plan, arrow),
        *([clean(f"Judged: {judged}")] if judged else []),
        *(clean(f"Warning: {warning}") for warning in plan.warnings),
        *(clean(line) for line in advice.splitlines()),
    ]


def _drawn(step: Step, sentence: str, style: Style) -> str:
    """Return the sentence of a step, with a bar before every weight."""
    if isinstance(step, SetWeight | Switch):
        # The bar ends in the number that the sentence begins with.
        weight = step.percent if isinstance(step, SetWeight) else 100.0
        return f"{bar(weight, style)}{sentence.removeprefix(f'{weight:g} %')}"
    return sentence


def _checks(plan: Plan, arrow: str) -> list[str]:
    watches = [step for step in plan.steps if isinstance(step, Watch)]
    checks = dict.fromkeys(check for watch in watches for check in watch.checks)
    lines = [f"{check.metric} {limit_words(check)} {arrow} {check.then}" for check in checks]
    if not lines:
        return ["Checks: none"] if watches else []
    return [clean(f"{'Checks:' if not n else '':<7} {line}") for n, line in enumerate(lines)]


def rollout_lines(rows: Iterable[Mapping[str, Any]], style: Style) -> list[str]:
    """Return rollouts as a table, and below it what keeps any of them from going on."""
    every = list(rows)
    if not every:
        return []
    cells = [_cells(row, style) for row in every]
    troubles = [
        clean(f"! {_text(row, 'service')} in {_text(row, 'environment')}: {detail}")
        for row in every
        if _text(row, "phase") not in _FINAL and (detail := _trouble(row))
    ]
    head, *lines = padded([_HEAD, *cells])
    for line, row in zip(lines, every, strict=True):
        _, colour = _PHASES.get(_text(row, "phase"), ("", ""))
        line[_STATE] = style.paint(line[_STATE], colour)
    table = [("  ".join(line).rstrip(), row) for line, row in zip(lines, every, strict=True)]
    below = [line for drawn, row in table for line in (drawn, *_targets(row, style))]
    return ["  ".join(head).rstrip(), *below, *troubles]


def _targets(row: Mapping[str, Any], style: Style) -> list[str]:
    """Return a line for each of several targets of a rollout in flight."""
    found = row.get("targets")
    if _text(row, "phase") in _FINAL or not isinstance(found, list):
        return []
    parts = [part for part in found if isinstance(part, Mapping)]
    width = max((len(_text(part, "name")) for part in parts), default=0)
    return [
        clean(f"  {_text(part, 'name').ljust(width)}  {_weight(part, style)}{_trailing(part)}")
        for part in parts
    ]


def _weight(part: Mapping[str, Any], style: Style) -> str:
    weight = part.get("weight")
    return bar(float(weight), style) if isinstance(weight, int | float) else ""


def _trailing(part: Mapping[str, Any]) -> str:
    trouble = _trouble(part)
    return f"  {trouble}" if trouble else ""


def padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the cells of a table, as wide as their columns are."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]


def _cells(row: Mapping[str, Any], style: Style) -> list[str]:
    phase = _text(row, "phase")
    weight = row.get("weight")
    shown = isinstance(weight, int | float) and phase not in _FINAL
    arrow = " → " if style.blocks else " -> "
    return [
        clean(cell)
        for cell in (
            _text(row, "service"),
            _text(row, "environment"),
            arrow.join(filter(None, (_text(row, "from_version"), _text(row, "version")))),
            _state(row, phase),
            bar(float(weight), style) if shown and weight is not None else "",
            _text(row, "requester"),
            _when(_time(row, phase)),
            _text(row, "id"),
        )
    ]


def _state(row: Mapping[str, Any], phase: str) -> str:
    if phase == "SUCCEEDED" and row.get("winner") == "A":
        return "A stays"
    return _PHASES.get(phase, (phase.lower().replace("_", " "), ""))[0]


def _time(row: Mapping[str, Any], phase: str) -> str:
    """Return the one moment of a row: when it starts, ended, or was created."""
    due = _text(row, "due") if phase == "SCHEDULED" else ""
    return due or _text(row, "ended") or _text(row, "created")


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _trouble(row: Mapping[str, Any]) -> str:
    trouble = row.get("trouble")
    return _text(trouble, "detail") if isinstance(trouble, Mapping) else ""


def _when(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at.astimezone(UTC) if at.tzinfo else at).strftime("%Y-%m-%d %H:%M")
