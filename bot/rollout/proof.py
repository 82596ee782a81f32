"""What a decision rests on, as its journal line keeps it. Pure.

The one rule: whoever doubts a decision finds on its own line all that it was made of: what was counted, compared and
held against a limit, by which policy and with which queries, under a digest that tells whether two lines rest on the
same.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bot.rollout import variants
from bot.rollout.gauging import query_of, standings
from bot.rollout.grounds import counts, planned_policy
from bot.rollout.ledger import Ledger
from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.values import Entry, Rollout
from strategies.compare import Comparison
from strategies.experiment import Weighed
from strategies.plan import Compare
from strategies.verdict import Judgement

_LONG = 500
"""Characters of a query; of a longer one its digest is kept, the text stands in the plan."""


def kept_evidence(r: Rollout, judgement: Judgement | None) -> Mapping[str, Any]:
    """Return what the journal line of a decision keeps; nothing where nothing was judged."""
    return {} if judgement is None else {"evidence": _sealed(_judged(r, judgement))}


def kept_test(
    r: Rollout, step: Compare, certain: Weighed | None, ledger: Ledger | None
) -> Mapping[str, Any]:
    """Return what the line that ends an A/B test keeps: both variants as they were counted, and how they compare."""
    ledger = ledger or Ledger()
    told = _judged(r, r.judgement) if r.judgement is not None else {}
    test = variants.experiment(ledger.record, ledger.slow, r.look, step)
    found = {"experiment": asdict(test.policy)} if test is not None else {}
    policy = {**told.get("policy", {}), **found, "guardrails": asdict(variants.careful(step))}
    own = {name: _text(query) for name, query in variants.queries(step).items()}
    counted = {"counts": ledger.queries} if ledger.queries else {}
    tallies = asdict(test.tallies) if test is not None else None
    outcome = {
        "counted": tallies,
        "outcome": asdict(certain) if certain is not None else None,
        "harm": {"a": ledger.record.a_harm.most, "b": ledger.record.b_harm.most},
        "table": _table(r.comparison),
    }
    queries = {**told.get("queries", {}), **counted, **own}
    return {"evidence": _sealed({**told, "test": outcome, "policy": policy, "queries": queries})}


def digest_of(entry: Entry) -> str:
    """Return the digest of what a journal line rests on; `""` where it keeps nothing."""
    kept = entry.data.get("evidence")
    return str(kept.get("digest", "")) if isinstance(kept, Mapping) else ""


def _judged(r: Rollout, judgement: Judgement) -> dict[str, Any]:
    ruling = judgement.ruling
    told: dict[str, Any] = {
        "looked": {"at": r.look.at.isoformat(), "window_s": r.look.window} if r.look else None,
        "limits": [
            {
                "metric": one.metric,
                "limit": one.limit,
                "canary": one.canary,
                "stable": one.baseline,
                "verdict": one.verdict.value,
                "then": one.then,
            }
            for one in judgement.results
        ],
        "queries": dict(_queries(r, judgement)),
    }
    if compared := list(_compared(r)):
        told |= {"compared": compared, "policy": asdict(planned_policy(r))}
    if ruling is not None:
        told |= {
            "verdict": ruling.verdict.value,
            "evidence": ruling.evidence,
            "chance": ruling.chance,
            "counts": {case.name: counts(case) for case in ruling.cases},
            "policy": asdict(planned_policy(r)),
        }
    return told


def _compared(r: Rollout) -> Iterator[dict[str, Any]]:
    """Yield what is known of the numbers that are compared with stable's, by target where there are several."""
    kept = [(part.name, part.ledger) for part in r.parts] or [("", r.ledger)]
    for name, text in kept:
        for check, known in standings(_ledger(text), r).items():
            place = {"target": name} if name else {}
            asked = {"metric": check.metric, "better": check.better, "margin": check.margin}
            yield {**place, **asked, **asdict(known)}


def _queries(r: Rollout, judgement: Judgement) -> Iterator[tuple[str, str]]:
    if judgement.ruling is not None and judgement.ruling.queries:
        yield "counts", judgement.ruling.queries
    for check in r.watched.checks if r.watched is not None else ():
        if check.query:
            yield check.metric, _text(query_of(check, r.look.window if r.look is not None else 60))


def _text(query: str) -> str:
    return query if len(query) <= _LONG else f"sha256 {_digest(query)}"


def _table(table: Comparison | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "score_a": table.score_a,
        "score_b": table.score_b,
        "lines": [asdict(line) for line in table.lines],
    }


def _ledger(text: str) -> Ledger:
    """Return a ledger as it was kept; an empty one where it cannot be read."""
    try:
        return ledger_from_text(text)
    except ValueError:
        return Ledger()


def _sealed(told: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: _plain(value) for key, value in told.items()}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return {**plain, "digest": _digest(text)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: what is no number, or without bound, is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
