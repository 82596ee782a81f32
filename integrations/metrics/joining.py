"""Several queries as one: their vectors side by side, told apart by a label that each gets.

Pure. `or` keeps every series whose labels no earlier one has, and no two have the same name here; so one query answers
what would be a dozen. It is a tree and not a chain: at each `or` Prometheus goes through all that is on its left. The
simulated Prometheus of the sandbox takes the same texts apart again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from integrations.metrics.answers import Sample

_LABEL = "sluice_metric"
_PART = re.compile(
    rf'label_replace\(\((?P<text>.*?)\), "{_LABEL}", "(?P<name>\w+)", "", ""\)', re.DOTALL
)
_BETWEEN = re.compile(r"(?:\(|\)| or )*")


def joined(queries: Mapping[str, str]) -> str:
    """Return one query for all of the queries, which go by their names; there is at least one."""
    return _tree(
        [f'label_replace(({text}), "{_LABEL}", "{name}", "", "")' for name, text in queries.items()]
    )


def _tree(vectors: Sequence[str]) -> str:
    if len(vectors) == 1:
        return vectors[0]
    half = len(vectors) // 2
    return f"({_tree(vectors[:half])} or {_tree(vectors[half:])})"


def parts(query: str) -> tuple[tuple[str, str], ...]:
    """Return the queries that a query was joined from, by name; none where it was not."""
    if not _BETWEEN.fullmatch(_PART.sub("", query)):
        return ()
    return tuple((one["name"], one["text"]) for one in _PART.finditer(query))


def named(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series as it comes back from a joined query."""
    return {**labels, _LABEL: name}


def told_apart(
    answer: Sequence[Sample], names: Iterable[str]
) -> dict[str, tuple[Sample, ...]] | None:
    """Return the samples of each query; None for an answer with a series that belongs to none.

    Whatever a series bears under our label was replaced by Prometheus: what comes back is a name that we gave.
    """
    apart: dict[str, list[Sample]] = {name: [] for name in names}
    for sample in answer:
        mine = apart.get(sample.labels.get(_LABEL, ""))
        if mine is None:
            return None
        mine.append(sample)
    return {name: tuple(found) for name, found in apart.items()}
