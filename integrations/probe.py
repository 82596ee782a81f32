"""What the bot asks of whoever sends the requests of smoke tests: the protocol and its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Probe:
    """One smoke test, with its URL already filled in."""

    url: str
    method: str = "GET"
    body: Any = None
    """Text as it is sent, or JSON."""
    expect: int = 200
    requests: int = 1
    max_errors: float = 0.0
    """Percent of the requests that may fail."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema of every answer."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of one smoke test. A failure is a value, not an error."""

    url: str
    passed: bool
    sentence: str
    """What was seen: `100 requests, 0 failed` or `answered 503 instead of 200`."""
    requests: int = 0
    failed: int = 0


class Prober(Protocol):
    """Who sends the requests of smoke tests."""

    async def probe(self, probe: Probe) -> ProbeResult:
        """Send the requests of one test, some at a time. Never raises for a target that answers badly or not at all."""
        ...
