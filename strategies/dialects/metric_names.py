"""What the seeds call a metric, in native names. A name that nobody knows is refused: it would never be measured."""

from collections.abc import Collection

from strategies.dialects.block import Block
from strategies.scalars import shown, suggestion

SEED_NAMES = {
    "errorRate": "error_rate",
    "responseTime": "latency_avg",
    "p50Latency": "latency_p50",
    "p95Latency": "latency_p95",
    "p99Latency": "latency_p99",
    "throughput": "rps",
    "resourceUsage": "cpu",
    "conversionRate": "conversion_rate",
    "userEngagement": "user_engagement",
    "revenue": "revenue",
}
"""Where the service has no query for one of them, planning says so and the table shows it as not available."""


def seed_metrics(block: Block, key: str) -> tuple[str, ...] | None:
    """Return the native names of a list of seed names, in its order."""
    names = block.texts(key)
    if names is None:
        return None
    return tuple(_native(block, key, name) for name in names)


def _native(block: Block, key: str, name: str) -> str:
    if name not in SEED_NAMES:
        raise unknown(block, key, name, SEED_NAMES)
    return SEED_NAMES[name]


def unknown(block: Block, key: str, name: str, known: Collection[str]) -> Exception:
    """Return the error about a name that is no metric; `key` is where it stands."""
    near = suggestion(name, known) or ""
    ask = f" Did you mean {near}?" if near else ""
    return block.wrong(
        key,
        f"{shown(name)} is no metric that can be measured.{ask} Known are {', '.join(known)}.",
        code="unknown_metric",
        near=near,
    )
