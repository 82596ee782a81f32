"""A row is what a restart knows: whatever value it may hold, it comes back from its text as it went in."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.rollout.values import Rollout
from bot.store.rows import dump, load
from strategies.evidence import Tally
from strategies.plan import Batch

_MOMENTS = st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _NUMBERS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


def values(hint) -> st.SearchStrategy:
    """Return every value of a type as a row may hold it: aware times, finite numbers, all the way down."""
    if hint is datetime:
        return _MOMENTS
    if hint is float:
        return _NUMBERS
    if hint is Any:
        return _JSON
    if hint is Batch:
        # No plan has a batch of nothing: its number of rounds is part of what is written.
        sizes = st.integers(1, 99) | st.integers(1, 100).map(lambda n: f"{n}%")
        parts = {n: values(h) for n, h in get_type_hints(Batch).items()}
        return st.builds(Batch, **{**parts, "instances": sizes})
    if hint is Tally:
        # What no counter says is refused at once.
        exposures = st.integers(0, 10**9).map(float)
        return exposures.flatmap(lambda of: st.builds(Tally, st.floats(0, of), st.just(of)))
    if is_dataclass(hint):
        return st.builds(hint, **{n: values(h) for n, h in get_type_hints(hint).items()})
    parts, origin = get_args(hint), get_origin(hint)
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, parts))
    if origin is tuple and parts[-1] is ...:
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, parts))
    if origin is Mapping:
        return st.dictionaries(values(parts[0]), values(parts[1]), max_size=2)
    return st.from_type(hint)


_PARTS = {n: values(h) for n, h in get_type_hints(Rollout).items() if n != "news"}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.builds(Rollout, **_PARTS))
def test_a_row_comes_back_as_it_was_written(r):
    assert load(dump(r)) == r
