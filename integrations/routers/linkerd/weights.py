"""The weights of a TrafficSplit: whole numbers today, quantities in its first version.

Pure. `90`, `"90"`, `0.5`, `"500m"`, `"1e2"` and `"1k"` are read as what they are worth; written are whole numbers,
which every version takes, and as text where text was found.
"""

import re
from fractions import Fraction
from typing import Any

from integrations.base import RefusedError

_SUFFIXES = {"": Fraction(1)}
_SUFFIXES |= {unit: Fraction(1, 1000**n) for n, unit in enumerate("mun", start=1)}
_SUFFIXES |= {unit: Fraction(1000**n) for n, unit in enumerate("kMGTPE", start=1)}
_SUFFIXES |= {f"{unit}i": Fraction(1024**n) for n, unit in enumerate("KMGTPE", start=1)}
_QUANTITY = re.compile(
    r"\+?(\d{1,12}(?:\.\d{0,9})?)([munkMGTPE]?|[KMGTPE]i|[eE][+-]?\d{1,2})", re.ASCII
)


def weight_of(raw: Any, service: str) -> Fraction:
    """Return what a weight is worth. Raises `RefusedError` `bad_weights`."""
    found = None
    if isinstance(raw, str | int | float) and not isinstance(raw, bool):
        found = _QUANTITY.fullmatch(str(raw))
    if found is None:
        raise RefusedError(
            f"Backend {service} has a weight that is no number from 0: correct the TrafficSplit.",
            code="bad_weights",
        )
    if found[2] in _SUFFIXES:
        return Fraction(found[1]) * _SUFFIXES[found[2]]
    return Fraction(f"1{found[2]}") * Fraction(found[1])


def written_like(raw: Any, weight: int) -> int | str:
    """Return a weight in the form in which the one before it was found."""
    return str(weight) if isinstance(raw, str) else weight
