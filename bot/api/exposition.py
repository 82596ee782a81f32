"""What Prometheus scrapes: sums out of the database, in its text format.

Nothing is counted in memory, so a restart loses nothing and no counter ever goes down; the text is kept for a few
seconds, so that scraping often costs no more than scraping seldom.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.store import BUCKETS, Durations, Store, Totals

KEPT = timedelta(seconds=5)
OUTCOMES = ("rollback", "pause", "older", "resolved", "no_action", "unmatched")
"""Of an alert that Alertmanager sent."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """The text, made anew when it is older than `KEPT`."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Read from `store`."""
        self._store = store
        self._now = now
        self._made: datetime | None = None
        self._text = ""
        self._lock = asyncio.Lock()

    async def text(self) -> str:
        """Return all metrics; several scrapes at once ask the database once."""
        async with self._lock:
            now = self._now()
            if self._made is None or not timedelta() <= now - self._made < KEPT:
                self._text = exposed(
                    await self._store.counts(),
                    await self._store.totals(),
                    await self._store.alarms(),
                    await self._store.delivered(),
                )
                self._made = now
            return self._text


def exposed(
    phases: Mapping[str, int],
    totals: Totals,
    alarms: Mapping[str, int],
    delivered: Mapping[tuple[str, str], int],
) -> str:
    """Return the metrics of a bot."""
    lines = [
        *_head("sluice_rollouts", "gauge", about="Rollouts by phase."),
        *(_line("sluice_rollouts", {"phase": p}, n) for p, n in sorted(phases.items())),
        *_of_rollouts(totals),
        *_of_alerts(alarms, delivered),
    ]
    return "\n".join(lines) + "\n"


def _of_rollouts(totals: Totals) -> list[str]:
    """Return what became of the rollouts that have ended, and how long they took."""
    return [
        *_head(
            "sluice_rollouts_total", "counter", about="Rollouts that have ended, undoings left out."
        ),
        *(
            _line(
                "sluice_rollouts_total",
                {"strategy": strategy, "environment": environment, "outcome": outcome},
                count,
            )
            for strategy, environment, outcome, count in totals.rollouts
        ),
        *_head(
            "sluice_rollbacks_total", "counter", about="Versions taken back, by how it came about."
        ),
        *(
            _line("sluice_rollbacks_total", {"strategy": strategy, "kind": kind}, count)
            for strategy, kind, count in totals.rollbacks
        ),
        *_histogram(
            "sluice_rollout_machine_seconds",
            totals.machine,
            about="How long rollouts took, without the time that they waited for people.",
        ),
        *_histogram(
            "sluice_rollout_human_wait_seconds",
            totals.waited,
            about="How long rollouts waited for people.",
        ),
    ]


def _of_alerts(alarms: Mapping[str, int], delivered: Mapping[tuple[str, str], int]) -> list[str]:
    """Return what came from Alertmanager, and what became of what was sent to sinks."""
    return [
        *_head(
            "sluice_alerts_received_total",
            "counter",
            about="Alerts that Alertmanager sent, each once, by what became of them.",
        ),
        *(
            _line("sluice_alerts_received_total", {"outcome": outcome}, alarms.get(outcome, 0))
            for outcome in OUTCOMES
        ),
        *_head(
            "sluice_alerts_sent_total",
            "counter",
            about="Alerts to sinks that are not tried any more: delivered, or dead because they cannot be.",
        ),
        *(
            _line("sluice_alerts_sent_total", {"sink": sink, "outcome": state}, count)
            for (sink, state), count in sorted(delivered.items())
        ),
    ]


def _head(name: str, kind: str, *, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _histogram(name: str, every: Iterable[Durations], *, about: str) -> Iterator[str]:
    yield from _head(name, "histogram", about=about)
    for one in every:
        labels = {"strategy": one.strategy, "outcome": one.outcome}
        for bound, count in zip(_bounds(), (*one.within, one.count), strict=True):
            yield _line(f"{name}_bucket", {**labels, "le": bound}, count)
        yield _line(f"{name}_sum", labels, one.total)
        yield _line(f"{name}_count", labels, one.count)


def _bounds() -> Sequence[str]:
    return (*(str(bound) for bound in BUCKETS), "+Inf")


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
