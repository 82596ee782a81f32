"""The answer to `stats` as a table of a terminal: one line per strategy, every number that there is.

Pure. The numbers come from a bot that may be older or newer than this command line: what is missing is left blank.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.cli.drawing import padded
from bot.cli.terminal import clean
from bot.rollout.times import lasting

_TIMES = ("STRATEGY", "DONE", "SUCCEEDED", "WORK", "90 %", "PEOPLE", "90 %", "GATE", "90 %")
_TURNS = (
    "STRATEGY", "BY ITSELF", "FOR METRICS", "BY HAND", "AFTER SUCCESS", "A WEEK", "WARNED", "STUCK", "NOT BEGUN", "A:B",
)  # fmt: skip
_LEGEND = (
    "WORK, PEOPLE (waiting for one): median of those that succeeded, and what 9 of 10 stayed below. "
    "GATE: open until let pass."
)


def stats_lines(body: Mapping[str, Any]) -> list[str]:
    """Return the numbers of `GET /api/v1/stats` as lines; none where nothing has ended."""
    found = body.get("strategies")
    strategies = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if not strategies:
        return []
    rows = [(clean(str(one.get("strategy", ""))), one) for one in strategies]
    if len(rows) > 1:
        rows.append(("all", dict(_part(body, "total"))))
    bound = _number(body, "only_newest")
    observed = _part(body, "observe_only").get("sentence")
    return [
        *_table(_TIMES, [(name, *_times(tally)) for name, tally in rows]),
        _LEGEND,
        "Rolled back, and what else happened:",
        *_table(_TURNS, [(name, *_turns(tally)) for name, tally in rows]),
        *([clean(observed)] if isinstance(observed, str) else []),
        *([f"Only the newest {bound} rollouts are counted."] if bound else []),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["  ".join(line).rstrip() for line in padded([head, *rows])]


def _times(tally: Mapping[str, Any]) -> tuple[str, ...]:
    rate = _number(tally, "success_rate")
    succeeded = _number(tally, "succeeded")
    return (
        _number(tally, "finished"),
        f"{succeeded} ({rate} %)" if rate else succeeded,
        *_spread(_part(tally, "machine_s")),
        *_spread(_part(tally, "human_wait_s")),
        *_spread(_part(tally, "approval_s")),
    )


def _turns(tally: Mapping[str, Any]) -> tuple[str, ...]:
    back, worse, won = (_part(tally, key) for key in ("rolled_back", "degradations", "winners"))
    return (
        _number(back, "automatic"),
        _number(worse, "rolled_back"),
        _number(back, "by_hand"),
        _number(back, "after_success"),
        _number(tally, "rollbacks_per_week"),
        _number(worse, "warned"),
        _number(tally, "resolved"),
        _number(tally, "cancelled"),
        ":".join(filter(None, (_number(won, "A"), _number(won, "B")))),
    )


def _part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = body.get(key)
    return part if isinstance(part, Mapping) else {}


def _number(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return f"{value:.10g}" if isinstance(value, int | float) else ""


def _spread(spread: Mapping[str, Any]) -> tuple[str, str]:
    times = (spread.get("median"), spread.get("p90"))
    middle, long = (lasting(time) if isinstance(time, int | float) else "" for time in times)
    return middle, long
