"""When the target cannot be read or written on the way up: wait, hold, call people once, go on when it answers. Pure.

Nothing goes forward that was not read back. What time cannot mend (a refusal, a missing object) needs a person at once.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout import gates
from bot.rollout.intents import unwritten
from bot.rollout.part import Trouble
from bot.rollout.seen import Seen
from bot.rollout.starting import cancel
from bot.rollout.turning import hold
from bot.rollout.values import Entry, Phase, Rollout
from strategies.plan import Watch

PATIENCE = timedelta(minutes=5)
"""How long a target may be out of reach on the way up before the rollout holds and pages."""


def troubled(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout:
    """Count one more failed try; give up, hold or ask when it has lasted, or cannot pass by itself."""
    before = r.trouble if r.trouble is not None and r.trouble.tries > 0 else None
    if before is not None:
        since, tries, paged = before.since, before.tries + 1, before.paged
        trouble = replace(trouble, since=since, tries=tries, paged=paged)
    waited_out = seen.now - trouble.since > PATIENCE
    if r.armed is None and (trouble.final or waited_out):
        return cancel(r, seen.now, trouble.code, trouble.sentence)
    if trouble.final and not r.place:
        return _needs_attention(r, seen, trouble)
    if trouble.final and not trouble.paged:
        return _held(replace(r, trouble=replace(trouble, paged=True)), seen, trouble)
    if waited_out and not trouble.paged:
        return _page(replace(r, trouble=replace(trouble, paged=True)), seen, trouble)
    if before is not None:
        return replace(r, trouble=trouble)
    entry = Entry("trouble", "sluice", trouble.sentence, code=trouble.code)
    return replace(r, trouble=trouble).tell(entry)


def _page(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout:
    if r.phase is Phase.RUNNING:
        return hold(r, seen.now, trouble.code, trouble.sentence)
    event = "rollout.needs_attention"
    return r.tell(
        Entry("held", "sluice", trouble.sentence, code=trouble.code, event=event, tell="broadcast")
    )


def _held(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout:
    """Hold because of one of several targets: the others are judged on, and bad numbers bring home what can be."""
    text = f"{trouble.sentence} Nothing more is opened: `resume` tries again, `rollback` goes home."
    if r.phase is Phase.PAUSED:
        return _page(r, seen, replace(trouble, sentence=text))
    return hold(r, seen.now, trouble.code, text)


def _needs_attention(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout:
    text = f"{trouble.sentence} Nothing more is written until somebody decides."
    r = gates.close_gate(r, f"Closed: {trouble.sentence}", seen.now)
    entry = Entry(
        "needs_attention",
        "sluice",
        text,
        code=trouble.code,
        event="rollout.needs_attention",
        tell="broadcast",
    )
    return replace(
        r,
        phase=Phase.NEEDS_ATTENTION,
        code=trouble.code,
        trouble=trouble,
        resume_to=r.phase,
        reminded=seen.now,
    ).tell(entry)


def answers_again(r: Rollout, seen: Seen) -> Rollout:
    """Forget a trouble that is over; what it alone had held goes on, because everything is read back first."""
    over = r.trouble is not None and r.trouble.tries > 0 and not unwritten(r, seen)
    unseen = seen.split is None and seen.lanes is None and seen.fleet is None
    unseen = unseen and seen.led is None
    if not over or r.trouble is None or unseen:
        return r
    if r.trouble.final and r.trouble.code == r.code:
        # Nothing is written while it holds, so reading says nothing about a refused write.
        return r
    if r.phase is Phase.PAUSED and r.code == r.trouble.code:
        return _going_on(r, seen)
    paged, r = r.trouble.paged, replace(r, trouble=None)
    text = "The target answers again."
    entry = Entry("answers_again", "sluice", text, event="rollout.resumed")
    return r.tell(entry) if paged else r


def _going_on(r: Rollout, seen: Seen) -> Rollout:
    since = seen.now if isinstance(r.step, Watch) else r.progress.since
    progress = replace(r.progress, since=since, began=seen.now)
    text = f"The target answers again; going on at {r.weight:g} %."
    running = replace(r, phase=Phase.RUNNING, code="", progress=progress, reminded=None).tell(
        Entry("resumed", "sluice", text, event="rollout.resumed")
    )
    # A write that has still to land may fail as before: that people were called about it is remembered.
    return running if unwritten(running, seen) else replace(running, trouble=None)
