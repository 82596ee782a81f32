"""Observe only: the counts say what they would have done, and in the end that is held against what was done. Pure.

The one rule: nothing here moves a rollout. It tells once when the counts would have gone back, and scores once at the
end; what is scored is a success, and a rollback that a check or a person asked for.
"""

from dataclasses import replace
from datetime import datetime

from bot.rollout.ledger import policy_of
from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.observed import Score
from bot.rollout.parts import view
from bot.rollout.times import lasting
from bot.rollout.values import Entry, Phase, Rollout
from strategies.evidence import Verdict
from strategies.evidence.saying import worse
from strategies.plan import Soak
from strategies.verdict import Judgement


def observing(r: Rollout, judgement: Judgement, now: datetime, place: str = "") -> Rollout:
    """Return the row, with a line the first time that the counts of a target would have rolled it back."""
    ruling = judgement.ruling
    if ruling is None or ruling.verdict is not Verdict.FAIL or r.observed.at is not None:
        return r
    own = next((view(r, part) for part in r.parts if part.name == place), r)
    policy = policy_of(own)
    if policy is None or policy.mode != "observe":
        return r
    text = f"Would have rolled back at {own.weight:g} %: {worse(ruling)} (observe only)."
    entry = Entry(
        "observed",
        "sluice",
        f"{place}: {text}" if place else text,
        code="would_roll_back",
        data={"weight": own.weight, "evidence": ruling.evidence, "chance": ruling.chance},
    )
    return r.tell(entry, observed=replace(r.observed, at=now, weight=own.weight))


def scored(r: Rollout) -> Rollout:
    """Return a row that has ended with the score of what the counts would have done; any other as it is."""
    if r.observed.score or not r.phase.final or not _observes(r):
        return r
    ended, score = _ended(r), _score(r)
    if not ended or not score:
        return r
    agreed = (score == "pass") == (r.phase is Phase.SUCCEEDED)
    entry = Entry(
        "observed",
        "sluice",
        f"Observe only: {_would(r)}, {'and' if agreed else 'but'} it {ended}.",
        code="agreed" if agreed else "disagreed",
        tell="",
        data={"score": score, "agreed": agreed},
    )
    return r.tell(entry, observed=replace(r.observed, score=score))


def _observes(r: Rollout) -> bool:
    steps = (step for step in r.plan.steps if isinstance(step, Soak))
    return any(step.evidence is not None and step.evidence.mode == "observe" for step in steps)


def _ended(r: Rollout) -> str:
    """Return how it ended where that says something about the version; `""` where it does not."""
    if r.rollback_of:
        return ""
    if r.phase is Phase.SUCCEEDED:
        return "" if r.winner == "A" else "succeeded"
    if r.phase is not Phase.ROLLED_BACK or r.back is None:
        return ""
    if not r.back.automatic:
        return f"was rolled back by {r.back.actor}{_later(r)}"
    return f"was rolled back by its limits{_later(r)}" if r.back.code == "check_failed" else ""


def _later(r: Rollout) -> str:
    if r.back is None or r.observed.at is None:
        return ""
    seconds = (r.back.at - r.observed.at).total_seconds()
    return f" {lasting(seconds)} later" if seconds >= 1 else " at the same moment"


def _would(r: Rollout) -> str:
    if r.observed.at is None:
        return "the counts found nothing against it"
    return f"the counts would have rolled it back at {r.observed.weight:g} %"


def _score(r: Rollout) -> Score:
    if r.observed.at is not None:
        return "rollback"
    return "pass" if any(_counted(text) for text in _ledgers(r)) else ""


def _ledgers(r: Rollout) -> tuple[str, ...]:
    return tuple(part.ledger for part in r.parts) or (r.ledger,)


def _counted(text: str) -> bool:
    """Whether the counts had anything to go by."""
    try:
        return ledger_from_text(text).counted is not None
    except ValueError:
        return False
