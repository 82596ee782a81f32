"""Compare: both variants of an A/B test run side by side until one has won, or a person says which stays. Pure.

The guardrails of the step judge all the time, as in a soak. Variant A winning is a good end: traffic returns to it. A
literal score is read once, at the end; what is certain ends the test as soon as it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.rollout import gates, variants
from bot.rollout.judging import keeping, look_at
from bot.rollout.proof import kept_test
from bot.rollout.seen import Seen
from bot.rollout.turning import start_back, stopped
from bot.rollout.values import Back, Entry, Phase, Rollout
from strategies.compare import Comparison, beside, compare, weighed
from strategies.experiment import Weighed, foreseen
from strategies.plan import Compare
from strategies.verdict import Judgement
from strategies.yardsticks import weights_of


def run_test(r: Rollout, seen: Seen, step: Compare) -> Rollout:
    """Watch both variants; at the end there is a winner, or a person is asked."""
    if r.progress.since is None:
        return replace(r, progress=replace(r.progress, since=seen.now))
    judged, judgement = look_at(r, seen)
    if judgement is None or judged.phase is not Phase.RUNNING:
        return judged
    over = judged.progress.seconds(seen.now) >= step.duration + judged.progress.extended
    certain = _certain(r, seen, step, over=over)
    table = _foretold(_table(seen, step, certain), r, seen, step)
    ends = over or (step.score == "sequential" and _decides(certain))
    if not (ends or judgement.asks):
        return _told(r, _kept(r, judged, seen, judgement, table))
    judged = _told(r, replace(keeping(judged, seen, judgement), comparison=table))
    if judgement.asks:
        # A check that asks is not outvoted by a score.
        return _ask(judged, seen, kept_test(judged, step, certain, seen.ledger))
    return _ended(judged, seen, step, certain)


def _certain(r: Rollout, seen: Seen, step: Compare, *, over: bool) -> Weighed | None:
    if seen.ledger is None or variants.tested(r) is None:
        return None
    return variants.weighed(seen.ledger.record, seen.ledger.slow, seen.look, step, over=over)


def _decides(certain: Weighed | None) -> bool:
    return certain is not None and (certain.broken or certain.winner is not None)


def _table(seen: Seen, step: Compare, certain: Weighed | None) -> Comparison:
    assert seen.look is not None
    if step.score != "sequential":
        return beside(compare(seen.look, step), certain)
    problem = seen.ledger.problem if seen.ledger is not None else ""
    return weighed(certain, weights_of(step.metrics), seen.look, problem)


def _foretold(table: Comparison, r: Rollout, seen: Seen, step: Compare) -> Comparison:
    """Return the table with what the test can see, which is said once."""
    known = r.comparison.foreseen if r.comparison is not None else ""
    if known or seen.ledger is None or variants.tested(r) is None:
        return replace(table, foreseen=known)
    record = seen.ledger.record
    if record.seconds < min(variants.FIRST, step.duration / 10):
        return table
    test = variants.experiment(record, seen.ledger.slow, seen.look, step)
    if test is None:
        return table
    return replace(table, foreseen=foreseen(test.tallies, test.split, test.policy))


def _kept(
    before: Rollout, r: Rollout, seen: Seen, judgement: Judgement, table: Comparison
) -> Rollout:
    """Keep the table as often as the numbers on the card, and whenever it says something else."""
    if r.look is not before.look:
        return replace(r, comparison=table)
    if _news(table) != _news(r.comparison):
        return replace(keeping(r, seen, judgement), comparison=table)
    return r


def _news(table: Comparison | None) -> object:
    return None if table is None else (table.winner, table.sure, table.broken, table.foreseen)


def _told(before: Rollout, r: Rollout) -> Rollout:
    """Say once what the test can see, and that its split is not what it should be."""
    was, now = before.comparison, r.comparison
    if now is None:
        return r
    if now.foreseen and not (was and was.foreseen):
        r = r.tell(Entry("foreseen", "sluice", f"{now.foreseen}."))
    if now.sure and not (was and was.sure):
        text = (
            f"By the counts: {now.certain}. The test goes on: its literal score decides at the end."
        )
        r = r.tell(Entry("warned", "sluice", text, code="variant_certain"))
    if now.broken and not (was and was.broken):
        text = f"Warning: {now.certain or now.sentence}."
        r = r.tell(Entry("warned", "sluice", text, code="split_broken"))
    return r


def _ended(r: Rollout, seen: Seen, step: Compare, certain: Weighed | None) -> Rollout:
    """End the test: with its winner, with A where nobody is better for certain, or with a question."""
    table = r.comparison
    assert table is not None
    kept = kept_test(r, step, certain, seen.ledger)
    stays = step.score == "sequential" and _nobody(certain) and _enough(seen, step)
    if step.winner == "manual" or not (table.winner or stays):
        return _ask(r, seen, kept)
    if table.winner != "B":
        code = "no_clear_winner" if stays else "variant_a_won"
        return keep_a(r, Back(code, table.sentence, "sluice", seen.now, True, r.weight), kept)
    text = f"Variant B ({r.version}) won: {table.sentence}."
    return replace(r, winner="B").to_next(seen.now).tell(Entry("winner", "sluice", text, data=kept))


def _enough(seen: Seen, step: Compare) -> bool:
    """Whether both variants were asked so often that "nobody is better" means something."""
    assert seen.ledger is not None
    record = seen.ledger.record
    return min(record.a.requests, record.b.requests) >= step.min_requests


def _nobody(certain: Weighed | None) -> bool:
    """Whether all is known and nobody is better: then A stays, because it was there."""
    return certain is not None and not (certain.broken or certain.missing or certain.winner)


def _ask(r: Rollout, seen: Seen, kept: Mapping[str, Any]) -> Rollout:
    still = replace(r, progress=stopped(r.progress, seen.now))
    return gates.open_gate(still, seen.now, "winner", kept)


def keep_a(r: Rollout, back: Back, kept: Mapping[str, Any] | None = None) -> Rollout:
    """Let variant A stay: traffic returns to it, B is retired, and that is a success. `kept` says what it rests on."""
    return start_back(replace(r, winner="A"), replace(back, lost=True), kept)
