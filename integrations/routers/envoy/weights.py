"""A weight of a cluster as Envoy takes it.

Pure. Protocol buffers read 50, 50.0, "50" and 5e1 alike. What they refuse is None, never nothing: Envoy then goes on
with the routes it had.
"""

import re
from decimal import Decimal
from typing import Any

from integrations.routers.envoy.document import child

MOST = 0xFFFF_FFFF
"""The largest sum of weights that Envoy takes."""

_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


def weight_of(entry: Any) -> int | None:
    """Return the weight of a weighted cluster; None for what Envoy would refuse, such as none at all."""
    raw = child(entry, "weight")
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    text = str(raw)
    if not _NUMBER.fullmatch(text):
        return None
    worth = Decimal(text)
    return int(worth) if worth == worth.to_integral_value() and 0 <= worth <= MOST else None
