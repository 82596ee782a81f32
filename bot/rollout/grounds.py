"""What a judgement by counts rests on, as a person is shown it, and what keeps the counts from telling more. Pure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.rollout.ledger import Ledger, asked, put, stage_of
from bot.rollout.values import Rollout
from strategies.evidence import Case, Policy, Ruling, Tally, Verdict
from strategies.evidence.saying import misrouted, unanswered, unserved
from strategies.plan import Compare, Soak
from strategies.verdict import Judgement

UNSERVED = timedelta(minutes=2)
"""Without a request of the canary, after which that is said."""
_EXPECTED = 10.0
"""Requests that the canary should have got in that time: without so many of them, silence may be chance."""


def grounded(ruling: Ruling, ledger: Ledger, r: Rollout) -> Ruling:
    """Return the ruling with what only the row and its ledger know: what is slow, and what stable did before."""
    own = asked(ledger, r)
    bounds = {one.question.name: one.bound for one in own}
    now = {one.name: one for one in put(ledger, own, r)}

    def told(case: Case) -> Case:
        question, bound = now.get(case.name), bounds.get(case.name)
        if question is None or question.ratio == case.ratio:
            return replace(case, bound=bound)
        before = ledger.past.get(case.name, Tally(0.0, 0.0))
        return replace(case, bound=bound, before=before, ratio=0.0, margin=question.margin)

    cases = tuple(map(told, ruling.cases))
    both = told(ruling.shared) if ruling.shared is not None else None
    return replace(ruling, cases=cases, shared=both, queries=ledger.queries)


def hindered(
    judgement: Judgement,
    ledger: Ledger,
    r: Rollout,
    policy: Policy,
    *,
    turned_away: bool = False,
) -> Judgement:
    """Return the judgement with what keeps the counts from telling more, each to be said once.

    `turned_away`: calls are throttled, which is why the canary got none; the limits say that, and it is no wrong route.
    """
    remarks: dict[str, str] = {}
    if _is_unserved(ledger, r) and not turned_away:
        said = unserved(ledger.unserved)
        remarks |= _remark(said, code="canary_without_traffic")
        if judgement.verdict is not Verdict.FAIL and policy.mode == "decide":
            judgement = replace(judgement, verdict=Verdict.INCONCLUSIVE, sentence=said, short=False)
    elif not turned_away and (off := _misrouted(ledger, r)) is not None:
        remarks |= _remark(off, code="share_off")
    lacking = [one.bound for one in asked(ledger, r) if one.question.name in ledger.lacking]
    if lacking:
        remarks |= _remark(unanswered(lacking), code="not_counted")
    return replace(judgement, remarks=remarks) if remarks else judgement


def _remark(said: str, *, code: str) -> dict[str, str]:
    return {code: said}


def _is_unserved(ledger: Ledger, r: Rollout) -> bool:
    expected = ledger.rate * r.weight / 100 * ledger.unserved
    return ledger.unserved >= UNSERVED.total_seconds() and expected >= _EXPECTED


def _misrouted(ledger: Ledger, r: Rollout) -> str | None:
    """Return that the share that was counted in this stage is not the weight; an audience has a share of its own."""
    if r.audience or r.weight >= 100:
        return None
    bursts = [trial.burst for trial in ledger.memory.trials.values()]
    own = [one for one in bursts if one.stage == stage_of(r)]
    most = max(own, key=lambda one: one.canary.of + one.stable.of, default=None)
    return misrouted(most.canary.of, most.stable.of, r.weight) if most is not None else None


def planned_policy(r: Rollout) -> Policy:
    """Return how the counts are to decide, as the plan says it."""
    step = r.watched
    return (step.evidence if isinstance(step, Soak | Compare) else None) or Policy()


def counts(case: Case) -> dict[str, Any]:
    """Return what was counted for one question as JSON."""
    lanes = {"canary": case.canary, "stable": case.stable, "before": case.before}
    return {
        **{name: {"bad": one.bad, "of": one.of} for name, one in lanes.items() if one is not None},
        "tolerated": {"ratio": case.ratio, "margin": case.margin},
        **({"slower_than_ms": case.bound} if case.bound is not None else {}),
        **({"at_least": case.at_least} if case.at_least is not None else {}),
    }
