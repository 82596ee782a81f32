"""A look as text and back: its numbers, and what was counted in it, target by target.

The one rule: what was counted is never in two looks. A target that was not looked at in a turn still carries its look
of an earlier one, so every count has the moment of its look beside it, and is read once.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from bot.store.rows import epoch, moment
from strategies.evidence import Both, Tally, Window
from strategies.verdict import Look, Sample

_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    OSError,
    RecursionError,
)
"""What foreign text does to a reader; `OSError` is a moment that the system's clock does not know."""
_LONGEST = 366 * 86400.0
"""Seconds of one window: more than that nobody has counted."""
MOST_WINDOWS = 40
"""Of one target in one look, once others have handed theirs on; the oldest go, and are told to be lost."""


def dump_look(r: Rollout) -> str:
    """Return the look on a row as text, with what was counted on each of its targets. Raises where there is none."""
    look = r.look
    assert look is not None, "there is nothing to keep"
    place = next((part.name for part in r.parts if _same(part.look, look)), "")
    body = {"window": look.window, "samples": [_sample_json(one) for one in look.samples]}
    owners = [(part.name, part.look) for part in r.parts] or [("", look)]
    counted = {name: [epoch(one.at), _to_json(one.windows)] for name, one in owners if one}
    extra = {
        "problem": look.problem,
        "beside": look.beside,
        "place": place,
        "counted": {name: told for name, told in counted.items() if told[1]},
    }
    body |= {name: value for name, value in extra.items() if value}
    return _compact(body)


def load_look(row: Any) -> KeptLook | None:
    """Return one row of the table; None for one that cannot be read, or has what is no number of ours."""
    try:
        body = json.loads(row.body, parse_constant=_no_number, parse_float=_number)
        samples = tuple(_sample(**sample) for sample in body["samples"])
        place, told = body.get("place", ""), body.get("counted", {})
        counted = {name: (moment(at), _from_json(rows)) for name, (at, rows) in told.items()}
        own = counted.pop(place, (moment(row.at), ()))[1]
        problem, beside = body.get("problem", ""), body.get("beside", False)
        look = Look(moment(row.at), _count(body["window"]), samples, problem, beside, own)
        lost = _count(body.get("lost", 0))
        return KeptLook(row.cursor, row.weight, place, look, counted, lost)
    except _UNREADABLE:
        return None


def once(kept: Iterable[KeptLook]) -> list[KeptLook]:
    """Return looks in their order, each count in the first that has it."""
    taken: set[tuple[str, Any]] = set()
    found = []
    for one in kept:
        others = {
            place: told for place, told in one.others.items() if (place, told[0]) not in taken
        }
        taken |= {(one.place, one.look.at), *((place, at) for place, (at, _) in others.items())}
        found.append(replace(one, others=others))
    return found


def handed_on(gone: str, heir: str) -> str:
    """Return the text of a look with what one before it, which goes, had counted; as it is where nothing had."""
    try:
        before, after = json.loads(gone), json.loads(heir)
        told, own = before.get("counted", {}), after.get("counted", {})
    except (ValueError, AttributeError, RecursionError):
        return heir
    lost = before.get("lost", 0)
    if not told and not lost:
        return heir
    for place, (at, windows) in told.items():
        until, more = own.get(place, (at, []))
        both = windows if until == at else [*windows, *more]
        lost += max(0, len(both) - MOST_WINDOWS)
        own[place] = [until, both[-MOST_WINDOWS:]]
    after |= {"counted": own, "lost": after.get("lost", 0) + lost}
    return _compact(after)


def _same(one: Look | None, look: Look) -> bool:
    """Whether it is the same look; only that of a target says what was counted."""
    return one is not None and replace(one, windows=look.windows) == look


def _compact(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sample_json(sample: Sample) -> dict[str, Any]:
    lanes = {"stable": _finite(sample.stable), "canary": _finite(sample.canary)}
    why = {"why_stable": sample.why_stable, "why_canary": sample.why_canary}
    return {
        "metric": sample.metric,
        **lanes,
        **{name: text for name, text in why.items() if text},
    }


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _no_number(text: str) -> float:
    raise ValueError(text)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= sys.maxsize:
        raise ValueError("that is no count")
    return value


def _positive(value: Any, most: float = sys.float_info.max) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError("nothing can have been counted so")
    return float(value)


def _sample(**told: Any) -> Sample:
    sample = Sample(**told)
    for value in (sample.stable, sample.canary):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError("that is no number")
    return sample


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _to_json(windows: Sequence[Window]) -> list[Any]:
    return [
        [
            *(_short(part) for part in (one.seconds, one.stage, one.weight, one.age)),
            {n: [_tally_json(t.canary), _tally_json(t.stable)] for n, t in one.tallies.items()},
        ]
        for one in windows
    ]


def _tally_json(tally: Tally | None) -> list[float] | None:
    return None if tally is None else [_short(tally.bad), _short(tally.of)]


def _short(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _from_json(stored: Sequence[Any]) -> tuple[Window, ...]:
    return tuple(
        Window(
            _positive(seconds, _LONGEST),
            _count(stage),
            _positive(weight),
            float(age),
            {n: Both(_tally(canary), _tally(stable)) for n, (canary, stable) in told.items()},
        )
        for seconds, stage, weight, age, told in stored
    )


def _tally(stored: Sequence[float] | None) -> Tally | None:
    return None if stored is None else Tally(_positive(stored[0]), _positive(stored[1]))
