"""Judging without a control: at 100 %, or after a switch, there is no stable that runs at the same time.

What is left is before and after: is the canary more than twice as bad as stable ever was? It sees only that much, and
what hits everybody at that moment it takes for the canary's fault; keeping a little traffic on stable sees more.
"""

import math
from dataclasses import replace

from strategies.evidence.counts import Tally
from strategies.evidence.policy import Question

RECENT = 20
"""Windows of stable that count beside its whole history: the hour before may have been worse than the day."""
_TWICE = 2.0


def alone(question: Question, whole: Tally, recent: Tally) -> Question:
    """Return what is asked in the place of a question once stable has no traffic; one about a limit stays as it is.

    `whole` and `recent` are what stable counted before, in all and in the last `RECENT` windows.
    """
    if question.ratio == 0:
        return question
    worst = max(_upper(whole), _upper(recent))
    return replace(question, ratio=0.0, margin=_TWICE * question.ratio * worst + question.margin)


def _upper(tally: Tally) -> float:
    """Return an upper bound of the rate of bad events: three standard deviations and a little; 1 without exposures."""
    if not tally.of:
        return 1.0
    return min(1.0, (tally.bad + 2.25 + 3 * math.sqrt(tally.bad + 1)) / tally.of)
