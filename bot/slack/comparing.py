"""An A/B test as people see it: the table of both variants, and the question which of them stays. Pure.

A is what was live, B the new version; everywhere a letter stands with its version.
"""

from collections.abc import Sequence

from bot.rollout.question import Gate
from bot.rollout.values import Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    clip,
    context,
    escape,
    section,
    table_text,
)
from bot.slack.message import Message
from bot.slack.voters import approvers, silence, standing
from bot.slack.wording import names, window_words
from strategies.compare import Comparison, Line
from strategies.plan import Compare, Score
from strategies.telling import counted
from strategies.verdict import metric_label, number

_NAME = 20
"""Characters of a version at the head of a column."""


def variant(r: Rollout, letter: str) -> str:
    """Return `A (v1)` or `B (v2)`, as plain text."""
    return f"{letter} ({r.version if letter == 'B' else r.from_version})"


def comparison_blocks(r: Rollout) -> list[Block]:
    """Return the table of both variants and who leads; nothing before the first comparison."""
    if r.comparison is None:
        return []
    table = r.comparison
    rows = [section(table_text(_rows(r, table)))] if table.lines else []
    said = [] if _how(r) == "sequential" and _explained(r) else [context(_said(r, table))]
    return [*rows, *said, *_beside(table)]


def _said(r: Rollout, table: Comparison) -> str:
    if _how(r) == "sequential":
        return escape(table.sentence)
    over = f" · {window_words(r.look)}" if r.look is not None and not r.look.problem else ""
    score = _score(table, weighted=_how(r) == "weighted")
    return f"{score} · {escape(table.sentence)}{over}"


def _beside(table: Comparison) -> list[Block]:
    """Return what is certain, where a literal score decides."""
    return [context(f"By the counts: {escape(table.certain)}")] if table.certain else []


def winner_line(r: Rollout) -> str:
    """Return who won an A/B test and how that was decided; `""` while nobody has."""
    if not r.winner:
        return ""
    won = f"Winner: *{escape(variant(r, r.winner))}*"
    people = _deciders(r)
    if people:
        return f"{won}, decided by {names(people)}"
    return f"{won}: {escape(r.comparison.sentence)}" if r.comparison and _explained(r) else won


def _explained(r: Rollout) -> bool:
    """Whether the line of the winner says why: the numbers have decided, and for it."""
    agrees = r.comparison is not None and r.comparison.winner == r.winner
    return bool(r.winner) and agrees and not _deciders(r)


def _deciders(r: Rollout) -> Sequence[str]:
    """Return who answered the question that the test ended with; nobody where its numbers decided."""
    tests = [index for index, step in enumerate(r.plan.steps) if isinstance(step, Compare)]
    asked = tuple(f"{r.id}.{index}." for index in tests)
    return next((gate.people for gate in r.closed if asked and gate.id.startswith(asked)), ())


def _rows(r: Rollout, table: Comparison) -> list[list[str]]:
    weighted = _how(r) != "wins"
    weight = ["Weight"] if weighted else []
    a, b = (clip(variant(r, letter), _NAME) for letter in "AB")
    head = ["Metric", *weight, a, b, "Winner"]
    return [head, *(_row(line, weighted=weighted) for line in table.lines)]


def _row(line: Line, *, weighted: bool) -> list[str]:
    # What decides by itself has no part in the score.
    alone = not line.weight and line.metric == "conversion_rate" and line.a is not None
    weight = ["–" if alone else f"{line.weight:g} %"] if weighted else []
    values = [number(line.a, line.metric), number(line.b, line.metric)]
    winner = f"{line.winner} ✓" if line.winner else line.why or "tie"
    return [metric_label(line.metric), *weight, *values, winner]


def _how(r: Rollout) -> Score:
    step = next((step for step in r.plan.steps if isinstance(step, Compare)), None)
    return "weighted" if step is None else step.score


def _score(table: Comparison, *, weighted: bool) -> str:
    if weighted:
        return f"Score A {table.score_a:g} : {table.score_b:g} B"
    return f"A wins {counted(int(table.score_a), 'metric')}, B wins {int(table.score_b)}"


def winner_card(r: Rollout, gate: Gate, value: str) -> Message:
    """Return the question which variant stays. `value` is what both buttons carry."""
    a, b = variant(r, "A"), variant(r, "B")
    ask = f"which version of {r.service} stays in {r.environment}, {a} or {b}?"
    table = comparison_blocks(r) or [section("⚠ There are no numbers to compare.")]
    meaning = (
        f"*Promote {escape(b)}* gives it all traffic and retires {escape(r.from_version)}. "
        f"*Keep {escape(a)}* returns all traffic to it and retires {escape(r.version)}; "
        "that is a good end, and nobody is alerted."
    )
    judged = gate.judgement
    checked = (
        [section(f"A check asks: {escape(judged.sentence)}.")] if judged and judged.asks else []
    )
    blocks = [
        section(f"🟡 *Decision needed:* {escape(ask)}  {approvers(gate)}"),
        *checked,
        *table,
        section(meaning),
        context(_who_may(r, gate)),
        _buttons(r, value),
    ]
    return Message(f"Decision needed: {ask} {_short(r)}".rstrip(), tuple(blocks))


def _buttons(r: Rollout, value: str) -> Block:
    # The one that leads is the one that stands out; without a leader neither does.
    leads = r.comparison.winner if r.comparison is not None else ""
    promote = button(
        f"Promote {variant(r, 'B')}", "promote", value, "primary" if leads == "B" else None
    )
    keep = button(f"Keep {variant(r, 'A')}", "keep", value, "primary" if leads == "A" else None)
    return actions(promote, keep)


def _who_may(r: Rollout, gate: Gate) -> str:
    parts = [f"B: {standing(r, gate)}", "A: anybody who may roll back", silence(r, gate)]
    return " · ".join(parts)


def _short(r: Rollout) -> str:
    return r.comparison.sentence if r.comparison is not None else ""
