"""Gates: questions to people. Opening, voting, expiring. Pure.

A gate is bound to its rollout, its step and its attempt, and leaves `open` exactly once.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from bot.rollout.proof import kept_evidence
from bot.rollout.question import ClosedGate, Gate, Vote
from bot.rollout.times import lasting
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutLed
from strategies.plan import Approve, Batch, Follow, Replace, SetWeight, Switch, Watch
from strategies.verdict import Judgement

_USUAL, _LONGEST = 1200, 3600
"""Seconds to wait for more requests where nothing tells how many come, and at most."""
CALL = 3
"""The rung of the reminders with which somebody is called; those before it are said in Slack."""


def next_weight(r: Rollout) -> float | None:
    """Return the weight that the next promotion leads to; `None` when it leads to the end."""
    for step in r.plan.steps[r.cursor :]:
        match step:
            case SetWeight(percent=percent):
                return percent
            case Switch() | Replace():
                return 100.0
            case Batch(instances=size):
                return _after_batch(r, size)
            case _:
                continue
    return None


def _after_batch(r: Rollout, size: int | str) -> float | None:
    """Return the share of the new version behind the next batch; None when all have moved."""
    if r.all_moved or r.weight >= 100:
        return None
    whole = r.armed.stable.replicas if r.armed else 0
    percent = float(size.rstrip("%")) if isinstance(size, str) else 100 * size / max(1, whole)
    return min(100.0, r.weight + percent)


def goal_of(r: Rollout) -> str:
    """Return where the next promotion leads; `Promote` or `Promoted` stands before it."""
    for index, step in enumerate(r.plan.steps[r.cursor :], r.cursor):
        match step:
            case SetWeight(percent=percent):
                return f"to {percent:g} %"
            case Switch():
                return "to 100 %"
            case Follow():
                return (r.followed.goal if r.followed else "") or "by the controller's plan"
            case Batch():
                return "in batches" if r.plan.repeated is not None else _notch(r, index)
            case Replace():
                return "with downtime"
            case _:
                continue
    return "to stable"


def _notch(r: Rollout, index: int) -> str:
    """Return what the batches of a plan add up to, with this one."""
    batches = [step for step in r.plan.steps[: index + 1] if isinstance(step, Batch)]
    shares = [step.instances for step in batches]
    if all(isinstance(share, str) for share in shares):
        return f"to {sum(float(str(share).rstrip('%')) for share in shares):g} %"
    return "to the next instances"


def open_gate(
    r: Rollout,
    now: datetime,
    kind: Literal["approve", "ask", "winner"],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Rollout:
    """Open the gate of the current step, with the newest numbers on it, and `more` kept beside the question."""
    attempt = r.progress.attempt + 1
    approve = _approve_of(r)
    expires = approve.expires if approve else r.rules.gate_expires
    gate = Gate(
        id=f"{r.id}.{r.cursor}.{attempt}",
        kind=kind,
        opened=now,
        expires=now + timedelta(seconds=expires),
        quorum=_quorum(r, approve),
        groups=approve.groups if approve and not r.rules.renewed else r.rules.approvers,
        look=r.look,
        judgement=r.judgement,
        weakened=approve.weakened if isinstance(approve, Approve) and kind == "approve" else (),
    )
    kept = replace(r.progress, attempt=attempt)
    return replace(r, phase=Phase.WAITING, gate=gate, progress=kept).tell(
        Entry(
            "gate_opened",
            "sluice",
            _question(r, kind),
            event="rollout.waiting",
            data={"gate": gate.id, **kept_evidence(r, gate.judgement), **more},
            # Numbers that are missing at the end of the longest soak need people, not only approvers: in the channel
            # the question itself mentions them.
            tell="alert" if is_blind(gate) else "",
        )
    )


def is_blind(gate: Gate) -> bool:
    """Whether it asks because there are no numbers that could decide."""
    return gate.kind == "ask" and gate.judgement is not None and not gate.judgement.asks


CHOICES = "Wait, raise the weight, or decide."
"""What people can do about too few requests: more of them come with time, or with a larger share."""


def is_short(judgement: Judgement | None) -> bool:
    """Whether the counts need nothing but more requests."""
    return judgement is not None and judgement.short and not judgement.asks


def wait_s(judgement: Judgement | None) -> int:
    """Return the seconds that people are offered to wait for more requests: whole minutes, an hour at most."""
    known = judgement.ruling.wait if judgement is not None and judgement.ruling is not None else 0
    return min(_LONGEST, 60 * -(-known // 60)) or _USUAL


def _quorum(r: Rollout, approve: Approve | Follow | None) -> int:
    """Return how many have to approve: as planned, or as configured since where that is more."""
    planned = approve.quorum if approve else 1
    return planned if approve and not r.rules.renewed else max(planned, r.rules.approvals)


def _approve_of(r: Rollout) -> Approve | Follow | None:
    """Return the step that says who may decide here: the current one, or the gate that stands behind the soak."""
    if isinstance(r.step, Follow):
        return r.step
    ahead = r.plan.steps[r.cursor : r.cursor + 2]
    return next((step for step in ahead if isinstance(step, Approve)), None)


def _question(r: Rollout, kind: str) -> str:
    if kind == "winner":
        stands = r.comparison.sentence if r.comparison else "no numbers"
        checked = r.judgement.sentence if r.judgement is not None and r.judgement.asks else ""
        what = f"A check of the A/B test asks: {checked}" if checked else "The A/B test is over"
        return f"{what} ({stands}): which variant stays, A ({r.from_version}) or B ({r.version})?"
    if kind == "ask" and r.judgement is not None:
        said = f"The metrics cannot decide at {r.weight:g} %: {r.judgement.sentence}."
        return f"{said} {CHOICES}" if is_short(r.judgement) else said
    asks = f" {r.followed.asks}" if isinstance(r.step, Follow) and r.followed else ""
    return f"Waiting for a decision at {r.weight:g} %{':' * bool(asks)}{asks}."


def close_gate(
    r: Rollout,
    sentence: str,
    now: datetime,
    people: tuple[str, ...] = (),
    *,
    promoted: bool = False,
) -> Rollout:
    """Close the open gate, if there is one, with the line that its message turns into."""
    if r.gate is None:
        return r
    took = max(0, int((now - r.gate.opened).total_seconds()))
    closed = ClosedGate(r.gate.id, sentence, people, at=now, took=took, promoted=promoted)
    return replace(r, gate=None, closed=(*r.closed, closed))


def vote(r: Rollout, actor: str, now: datetime, reason: str = "", owner: str = "") -> Rollout:
    """Count one person's yes on the open gate; with the quorum the rollout goes on.

    The caller has asked `bot.policy` who may. Raises `ValueError` without an open gate.
    """
    if r.gate is None:
        raise ValueError("no open gate")
    gate = replace(r.gate, votes=(*r.gate.votes, Vote(actor, now, owner)))
    data = {"gate": gate.id}
    if gate.missing:
        beside = ""
        if gate.votes[-1] not in gate.counted:
            beside = " A token that names no owner does not count beside people."
        text = f"{actor} approved at {r.weight:g} %; {gate.missing} more needed.{beside}"
        return replace(r, gate=gate).tell(Entry("voted", actor, text, data=data))
    won = gate.kind == "winner"
    waited = lasting((now - gate.opened).total_seconds())
    people = tuple(v.actor for v in gate.counted)
    why = f" ({reason})" if reason else ""
    done = f"Promoted {'B ' if won else ''}{goal_of(r)} by {', '.join(people)}"
    text = f"{done} after {waited}{why}."
    r = replace(r, winner="B") if won else r
    r = _past_twin(close_gate(replace(r, gate=gate), f"{done}{why}", now, people, promoted=True))
    entry = Entry(
        "promoted",
        actor,
        text,
        # Whoever was called because nobody answered need not come any more.
        event="rollout.resumed" if gate.reminders >= CALL or gate.paged else "",
        data={**data, "people": people, "waited_s": int((now - gate.opened).total_seconds())},
    )
    going = replace(r, phase=Phase.RUNNING, code="")
    if isinstance(r.step, Follow):
        # The step goes on; the controller is told, and only at the pause that this was about.
        return replace(going, intent=PutLed("resume", now, r.revision + 1, stop=gate.stop)).tell(
            entry
        )
    return going.to_next(now).tell(entry)


def _past_twin(r: Rollout) -> Rollout:
    """Skip the gate behind a soak that has just been decided by people: the same question is not asked twice."""
    following = r.plan.steps[r.cursor + 1 : r.cursor + 2]
    asked = isinstance(r.step, Watch) and bool(following) and isinstance(following[0], Approve)
    return replace(r, cursor=r.cursor + 1) if asked else r


def expire(r: Rollout, now: datetime) -> Rollout:
    """Close a gate that nobody answered in time: the safe default, and a page."""
    text = f"Nobody decided in time; holding at {r.weight:g} %. `resume` opens a fresh gate."
    r = close_gate(r, text, now)
    return replace(r, phase=Phase.PAUSED, code="gate_expired", reminded=now).tell(
        Entry(
            "gate_expired",
            "sluice",
            text,
            code="gate_expired",
            event="rollout.paused",
            tell="broadcast",
        )
    )


def on_expiry(r: Rollout) -> Literal["hold", "rollback"]:
    """Return what the open gate does when nobody answers."""
    return r.step.on_expiry if isinstance(r.step, Approve | Follow) else r.rules.on_expiry


def expires_words(r: Rollout) -> str:
    """Return what happens when nobody answers the open gate, as people are told it beforehand."""
    if on_expiry(r) == "hold":
        return "holds (nothing moves, rollback still works)"
    return f"rolls back to {r.from_version or 'the version before'}"


def extends_soak(r: Rollout) -> bool:
    """Whether `extend` moves the end of a soak (and not the deadline of a gate)."""
    return r.gate is None and isinstance(r.step, Watch) and not isinstance(r.step, Follow)
