"""What every kind of smoke test has in common: a few requests at a time, a count of what failed, one sentence.

The one rule: whatever the other side does is a result, never an error. Nothing of an answer gets into a sentence but a
short plain spelling of where it does not fit its schema.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from integrations.probe import Probe, ProbeResult

_AT_ONCE = 10

# A `$ref` to another document would make the validator fetch it from wherever it says.
_NO_DOCUMENTS: Registry[Any] = Registry()


class NotAsExpectedError(Exception):
    """One request failed. `str()` is the reason, as the second half of a sentence."""


@dataclass(slots=True)
class _Tally:
    """What came of the requests so far."""

    wanted: int
    limit: float
    """Percent that may fail."""
    sent: int = 0
    passed: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.failures.total()

    @property
    def lost(self) -> bool:
        """Whether the test can no longer pass; then it is no use to go on asking."""
        return 100 * self.failed > self.limit * self.wanted

    def fail(self, why: str, times: int = 1) -> None:
        self.failures[why] += times


async def run(
    probe: Probe, request: Callable[[], Awaitable[None]], *, total: float, well: str
) -> ProbeResult:
    """Send the requests of one test, ten at a time; `request` raises `NotAsExpectedError` for one that fails.

    Stops early once so many have failed that the test cannot pass, or `total` seconds are over. `well` is what is said
    of a single request that passed.
    """
    tally = _Tally(probe.requests, probe.max_errors)
    try:
        async with asyncio.timeout(total):
            workers = min(_AT_ONCE, probe.requests)
            await asyncio.gather(*(_work(tally, request) for _ in range(workers)))
    except TimeoutError:
        late = tally.wanted - tally.passed - tally.failed
        tally.fail(f"not answered before the {total:g} s for the whole test were over", late)
    return ProbeResult(
        probe.url,
        passed=not tally.lost,
        sentence=_sentence(tally, well),
        requests=tally.passed + tally.failed,
        failed=tally.failed,
    )


async def _work(tally: _Tally, request: Callable[[], Awaitable[None]]) -> None:
    while tally.sent < tally.wanted and not tally.lost:
        tally.sent += 1
        try:
            await request()
        except NotAsExpectedError as error:
            tally.fail(str(error))
        else:
            tally.passed += 1


def unusable(probe: Probe) -> str:
    """Say why a test cannot be run at all, whatever it is sent to; `""` when it can."""
    if probe.requests < 1:
        return "it has no requests; give it at least one"
    if probe.schema is None:
        return ""
    try:
        validator_for(probe.schema, default=Draft202012Validator).check_schema(probe.schema)
    except SchemaError:
        return "its schema is no JSON Schema; correct `schema`"
    return ""


def hold_schema(answer: bytes | None, schema: Mapping[str, Any]) -> None:
    """Hold an answer to its schema; None is one that is too large. Raises `NotAsExpectedError`."""
    if answer is None:
        raise NotAsExpectedError("answered with more than 1 MiB, too much to hold to its schema")
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotAsExpectedError("answered with something else than JSON") from None
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        error = next(kind(schema, registry=_NO_DOCUMENTS).iter_errors(value), None)
    except (Unresolvable, RecursionError):
        raise NotAsExpectedError(
            "not judged: its schema has a reference that cannot be followed"
        ) from None
    if error is not None:
        where, rule = _plain(error.json_path), _plain(str(error.validator))
        raise NotAsExpectedError(f"answered JSON that does not fit its schema at {where} ({rule})")


def _plain(text: str) -> str:
    """Cut foreign text, and strip it of everything that Slack or a terminal could take for markup."""
    return re.sub(r"[^A-Za-z0-9 .\[\]$'-]", "?", text)[:60]


def _sentence(tally: _Tally, well: str) -> str:
    requests = tally.passed + tally.failed
    if not tally.failed:
        return well if requests == 1 else f"{requests} requests, 0 failed"
    (why, _), *others = tally.failures.most_common()
    if requests == tally.wanted == 1:
        return why
    more = f" (and {len(others)} other reasons)" if others else ""
    return f"{requests} requests, {tally.failed} failed where {tally.limit:g} % may: {why}{more}"
