"""Soak: the metrics are watched; it fails early, is extended while evidence is thin, and asks in the end. Pure."""

from dataclasses import replace
from datetime import datetime

from bot.rollout import gates
from bot.rollout.judging import keeping, look_at
from bot.rollout.proof import kept_evidence
from bot.rollout.seen import Seen
from bot.rollout.turning import stopped
from bot.rollout.values import Entry, Phase, Rollout
from strategies.evidence import Policy
from strategies.plan import Soak
from strategies.verdict import Judgement, Verdict


def soak(r: Rollout, seen: Seen, step: Soak) -> Rollout:
    """Judge this look; done when the time was observed and the verdict is a pass."""
    if r.progress.since is None:
        return replace(r, progress=replace(r.progress, since=seen.now))
    judged, judgement = look_at(r, seen)
    if judgement is None or judged.phase is not Phase.RUNNING:
        return judged
    if judgement.asks:
        return _ask(judged, seen, judgement)
    if judged.progress.seconds(seen.now) < step.duration + judged.progress.extended:
        return judged
    # The deciding look is always kept: it is what the gate shows and the journal cites.
    judged = keeping(judged, seen, judgement)
    if judgement.verdict is Verdict.PASS:
        text = f"{r.weight:g} % looked well for {_span(judged, seen.now)}: {judgement.sentence}."
        return judged.to_next(seen.now).tell(
            Entry("soaked", "sluice", text, data=kept_evidence(judged, judgement))
        )
    left = _longest(step) - judged.progress.extended
    return _extend(judged, judgement, step, left) if left > 0 else _ask(judged, seen, judgement)


def _longest(step: Soak) -> int:
    """Return the seconds that a soak may be extended by without a person."""
    policy = step.evidence or Policy()
    return round((policy.max_extension - 1) * step.duration)


def _span(r: Rollout, now: datetime) -> str:
    seconds = int(r.progress.seconds(now))
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"


def _extend(r: Rollout, judgement: Judgement, step: Soak, left: int) -> Rollout:
    more = min(left, max(1, step.duration // 2))
    longer = replace(r.progress, extended=r.progress.extended + more)
    extended = replace(r, progress=longer)
    if r.progress.extended:
        return extended
    text = f"Watching {r.weight:g} % longer: {judgement.sentence}."
    return extended.tell(Entry("extended", "sluice", text, code="inconclusive"))


def _ask(r: Rollout, seen: Seen, judgement: Judgement) -> Rollout:
    kept = keeping(replace(r, progress=stopped(r.progress, seen.now)), seen, judgement)
    return gates.open_gate(kept, seen.now, "ask")
