"""A ledger as the text that stands on the row, and what becomes of that at a decision and at the end. Pure.

The one rule: what cannot be read proves nothing. Counting then begins anew, and the fixed limits go on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from bot.rollout.ledger import Ledger
from bot.rollout.values import Rollout
from integrations.counters import Counters, counters_from_json, counters_to_json
from strategies.evidence import Memory, SlowRule, Tally
from strategies.evidence.gauges import Gauge
from strategies.record import Record


def anew(r: Rollout) -> Rollout:
    """Return a row that a person lets go on although it failed: what was proven until then was their decision."""
    return _with(r, lambda ledger: replace(ledger, memory=Memory()))


def closed(r: Rollout) -> Rollout:
    """Return a row that has ended without the counters, which only its next look would have needed."""
    return _with(r, _without_counters) if r.phase.final else r


def _without_counters(ledger: Ledger) -> Ledger:
    return replace(ledger, counters=Counters())


def _with(r: Rollout, change: Callable[[Ledger], Ledger]) -> Rollout:
    """Return the row with its ledgers changed; one that cannot be read stays as it is."""

    def changed(text: str) -> str:
        try:
            return ledger_to_text(change(ledger_from_text(text))) if text else text
        except ValueError:
            return text

    parts = tuple(replace(part, ledger=changed(part.ledger)) for part in r.parts)
    return replace(r, ledger=changed(r.ledger), parts=parts)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A ledger as it is written: without what is kept with the look."""

    counters: dict[str, Any]
    memory: Memory
    slow: SlowRule | None
    past: Mapping[str, Tally]
    lately: Mapping[str, tuple[Tally, ...]]
    opened: datetime | None
    counted: datetime | None
    rate: float
    unserved: float
    lacking: tuple[str, ...]
    record: Record = field(default_factory=Record)
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    requests: float = 0.0
    seconds: float = 0.0
    read: bool = False


_KEPT = TypeAdapter(_Kept)


def ledger_to_text(ledger: Ledger) -> str:
    """Return what `ledger_from_text` reads. Its windows are not in it: they are kept with the look."""
    kept = _Kept(
        counters_to_json(ledger.counters),
        ledger.memory,
        ledger.slow,
        ledger.past,
        ledger.lately,
        ledger.opened,
        ledger.counted,
        ledger.rate,
        ledger.unserved,
        ledger.lacking,
        ledger.record,
        ledger.gauges,
        requests=ledger.requests,
        seconds=ledger.seconds,
        read=ledger.read,
    )
    return _KEPT.dump_json(kept).decode()


def ledger_from_text(text: str) -> Ledger:
    """Return a ledger; an empty text is a new one. Raises `ValueError` for anything else."""
    if not text:
        return Ledger()
    kept = _KEPT.validate_json(text)
    try:
        counters = counters_from_json(kept.counters)
    except (KeyError, TypeError) as error:
        raise ValueError("what was counted up to then cannot be read") from error
    return Ledger(
        counters=counters,
        memory=kept.memory,
        slow=kept.slow,
        past=kept.past,
        lately=kept.lately,
        opened=kept.opened,
        counted=kept.counted,
        rate=kept.rate,
        unserved=kept.unserved,
        lacking=kept.lacking,
        record=kept.record,
        gauges=kept.gauges,
        requests=kept.requests,
        seconds=kept.seconds,
        read=kept.read,
    )
