"""Several questions as one query: their vectors side by side, told apart by a label that each gets.

Pure. `or` keeps every series whose labels no earlier one has, and no two have the same name here; so one query answers
what would be a dozen. The simulated Prometheus of the sandbox takes the same texts apart again.
"""

import re
from collections.abc import Mapping, Sequence

from integrations.metrics.answers import Sample
from integrations.metrics.templates import Question

_LABEL = "sluice_metric"
_PART = re.compile(
    rf'label_replace\(\((?P<text>.*?)\), "{_LABEL}", "(?P<name>\w+)", "", ""\)(?: or |$)', re.DOTALL
)


def joined(questions: Mapping[str, Question]) -> str:
    """Return one query for all of the questions."""
    return " or ".join(
        f'label_replace(({question.text}), "{_LABEL}", "{name}", "", "")'
        for name, question in questions.items()
    )


def parts(query: str) -> tuple[tuple[str, str], ...]:
    """Return the questions that a query was joined from, by name; none where it was not."""
    found = list(_PART.finditer(query))
    whole = "".join(one[0] for one in found)
    return tuple((one["name"], one["text"]) for one in found) if whole == query else ()


def named(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series as it comes back from a joined query."""
    return {**labels, _LABEL: name}


def told_apart(
    answer: Sequence[Sample], questions: Mapping[str, Question]
) -> dict[str, list[Sample]] | None:
    """Return the samples of each question; None for an answer with a series that belongs to none."""
    apart: dict[str, list[Sample]] = {name: [] for name in questions}
    for sample in answer:
        name = sample.labels.get(_LABEL, "")
        if name not in apart:
            return None
        apart[name].append(sample)
    return apart
