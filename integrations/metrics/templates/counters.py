"""PromQL for counters as they are: what each process of either lane has counted since it started, and when it said so.

Pure. The one rule: a sum never goes beyond one process, because its counters start anew together; so nothing that
starts anew is hidden, and an answer has some 5 series and one per bucket for each process, however many callers, codes
and paths there are. One thing can still shrink such a sum: a proxy forgets a series that nobody used for a while
(Linkerd after ten minutes). Prometheus sees each series and says by `resets` whether one really began again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from integrations.metrics.quoting import quote
from integrations.metrics.templates.containers import pods_of
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, among, series

PROCESS = ("job", "instance", "pod")
"""The labels of the target, and of the pod where the scrape configuration gives it."""

BACK_S = 300
"""How far `scrapes` and `restarts` look back; an instant query looks back as far."""


class Part(StrEnum):
    """What is asked, but for the histograms."""

    ALL = "all"
    """Requests of a process, which may be a counter of its own."""
    FINE = "fine"
    """Those that tell that they did not fail."""
    FAILED = "failed"
    STAMPS = "stamps"
    """When a process was last scraped, as Unix time."""
    SCRAPES = "scrapes"
    """How often it was scraped in the last `BACK_S`."""
    RESTARTS = "restarts"
    """There for a process of which a series began again in that time."""
    UP = "up"
    """Whether any target of a workload is."""
    NOW = "now"


COUNTS = (Part.ALL, Part.FINE, Part.FAILED)
NEEDED = frozenset({*COUNTS, Part.STAMPS, Part.NOW})
"""Without one of these nothing is known."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The queries, by name, and how to read the answers."""

    lanes: Lanes
    label: str
    """The label with the lane's name in `lanes`."""
    parts: Mapping[str, str]
    buckets: Mapping[str, float]
    """The queries of histograms: how many milliseconds their unit has."""

    @property
    def digest(self) -> str:
        """A digest of all queries: it changes with any of them."""
        told = json.dumps(sorted(self.parts.items()))
        return blake2b(told.encode(errors="replace"), digest_size=8).hexdigest()


def raw(lanes: Lanes, *dialects: Dialect, up: str = "") -> Raw:
    """Return the queries of these ways to count, the better one first; they share the lanes' label."""
    families = [_Family(dialect, lanes) for dialect in dialects]
    texts = [family.parts() for family in families]
    parts = {name: " or ".join(f"({one[name]})" for one in texts) for name in texts[0]}
    histograms = {family.unit: family for family in families}
    return Raw(
        lanes,
        dialects[0].label,
        {
            **parts,
            **({Part.UP: up} if up else {}),
            Part.NOW: "vector(time())",
            **{f"buckets_{unit}": family.buckets() for unit, family in histograms.items()},
        },
        {f"buckets_{unit}": 1000.0 if unit == "s" else 1.0 for unit in histograms},
    )


def by_pods(lanes: Lanes, label: str, called: str = "") -> str:
    """Return whether any target among a lane's pods is up, where targets bear the labels `namespace` and `pod`."""
    named = quote(pods_of(lanes, called))
    targets = series("up", (f"namespace={quote(lanes.namespace)}", f"pod=~{named}"))
    return f'max by ({label}) (label_replace({targets}, "{label}", "$1", "pod", {named}))'


class _Family:
    """The counters of one kind of exporter."""

    def __init__(self, dialect: Dialect, lanes: Lanes) -> None:
        named = () if dialect.join else (among(dialect.label, lanes),)
        self.unit = "s" if dialect.to_ms else "ms"
        self._dialect = dialect
        self._where = (*dialect.place(lanes), *named)
        self._join = dialect.join(lanes, BACK_S) if dialect.join else ""
        self._by = f"by ({', '.join((dialect.label, *PROCESS))})"

    def parts(self) -> dict[str, str]:
        """Return the queries but that of the histogram."""
        counter = series(self._dialect.counter, self._where)
        told, failed = self._any(self._dialect.told), self._any(self._dialect.failed)
        return {
            Part.ALL: f"sum {self._by} ({counter}{self._join})",
            Part.FINE: f"sum {self._by} (({told}) unless ({failed}))",
            Part.FAILED: f"sum {self._by} ({failed})",
            Part.STAMPS: f"max {self._by} (timestamp({counter}){self._join})",
            Part.SCRAPES: f"max {self._by} (count_over_time({counter}[{BACK_S}s]){self._join})",
            Part.RESTARTS: f"sum {self._by} (resets({counter}[{BACK_S}s]){self._join}) > 0",
        }

    def buckets(self) -> str:
        """Return the query of the histogram."""
        by = f"by ({', '.join((self._dialect.label, *PROCESS, 'le'))})"
        return f"sum {by} ({series(f'{self._dialect.duration}_bucket', self._where)}{self._join})"

    def _any(self, which: tuple[str, ...]) -> str:
        counter = self._dialect.classed or self._dialect.counter
        return " or ".join(series(counter, (*self._where, it)) + self._join for it in which)
