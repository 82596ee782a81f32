"""Compare: both variants of an A/B test run side by side until one has won, or a person says which stays. Pure.

The guardrails of the step judge all the time, as in a soak. Variant A winning is a good end: traffic returns to it.
"""

from dataclasses import replace

from bot.rollout import gates
from bot.rollout.judging import look_at
from bot.rollout.seen import Seen
from bot.rollout.turning import start_back, stopped
from bot.rollout.values import Back, Entry, Phase, Rollout
from strategies.compare import compare
from strategies.plan import Compare
from strategies.verdict import Look


def run_test(r: Rollout, seen: Seen, step: Compare) -> Rollout:
    """Watch both variants; at the end there is a winner, or a person is asked."""
    if r.progress.since is None:
        return replace(r, progress=replace(r.progress, since=seen.now))
    judged, judgement = look_at(r, seen)
    if judgement is None or judged.phase is not Phase.RUNNING:
        return judged
    assert seen.look is not None
    judged = _compared(r, judged, seen.look, step)
    if judged.progress.seconds(seen.now) < step.duration + judged.progress.extended:
        return judged
    final = compare(seen.look, step)
    judged = replace(judged, look=seen.look, judgement=judgement, comparison=final)
    if step.winner == "manual" or not final.winner:
        return _ask(judged, seen)
    if final.winner == "A":
        return keep_a(
            judged, Back("variant_a_won", final.sentence, "sluice", seen.now, True, r.weight)
        )
    text = f"Variant B ({r.version}) won: {final.sentence}."
    return replace(judged, winner="B").to_next(seen.now).tell(Entry("winner", "sluice", text))


def _compared(before: Rollout, r: Rollout, look: Look, step: Compare) -> Rollout:
    """Keep the table as often as the numbers on the card, and whenever somebody else leads."""
    table = compare(look, step)
    leads = r.comparison.winner if r.comparison else None
    if r.look is not before.look or table.winner != leads:
        return replace(r, look=look, comparison=table)
    return r


def _ask(r: Rollout, seen: Seen) -> Rollout:
    kept = replace(r, progress=stopped(r.progress, seen.now))
    return gates.open_gate(kept, seen.now, "winner")


def keep_a(r: Rollout, back: Back) -> Rollout:
    """Let variant A stay: traffic returns to it, B is retired, and that is a success."""
    return start_back(replace(r, winner="A"), replace(back, lost=True))
