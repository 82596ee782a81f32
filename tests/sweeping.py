"""Which cases of a table the default run takes. The others carry the mark `sweep` and run in CI."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def mostly_swept(cases: Iterable[Any], keep: Callable[[Any], bool]) -> list[Any]:
    """Return the cases for `parametrize`; those that are not kept run in the sweep only."""
    made = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        made.append(pytest.param(*values, marks=[] if keep(case) else [pytest.mark.sweep]))
    return made
