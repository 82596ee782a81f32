"""Backtest: the rollouts of the past, judged again by other limits or with another certainty. Pure.

The one rule: a replay walks the way of a live look. The same windows go through the same formulas, and the same looks
through the same checks; only what they are held against is another. What was not stored is said, never guessed.
"""

from bot.replaying.course import played
from bot.replaying.saying import as_json, lines, verdict
from bot.replaying.values import Case, Judge, Played, Report, Stop, Wanted

__all__ = [
    "Case",
    "Judge",
    "Played",
    "Report",
    "Stop",
    "Wanted",
    "as_json",
    "lines",
    "played",
    "verdict",
]
