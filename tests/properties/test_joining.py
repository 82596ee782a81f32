"""Whatever series bear, each query of a joined one gets its own back and nothing of another's."""

from hypothesis import given
from hypothesis import strategies as st

from integrations.metrics.answers import Sample
from integrations.metrics.joining import joined, named, parts, told_apart
from integrations.metrics.templates import TEMPLATES, Clusters, Lanes, raw_counters, render

HOSTILE = st.one_of(
    st.sampled_from(["q0", "q1", "sluice_metric", '"', '"), "sluice_metric", "q0", "", "")', "\\"]),
    st.text(max_size=20),
)
LABELS = st.dictionaries(
    st.sampled_from(["sluice_metric", "destination_workload", "job", "le", "pod"]), HOSTILE
)
CLUSTERS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(st.lists(st.lists(LABELS, max_size=4), min_size=1, max_size=30))
def test_no_series_reaches_another_query_whatever_it_bears(series):
    names = [f"q{number}" for number in range(len(series))]
    each = dict(zip(names, series, strict=True))
    # This is what Prometheus does with `label_replace`: the label is replaced, whatever it was.
    answer = [
        Sample(named(name, labels), float(name[1:])) for name in names for labels in each[name]
    ]

    apart = told_apart(answer[::-1], names)

    assert apart is not None
    for name, labels in each.items():
        assert [one.value for one in apart[name]] == [float(name[1:])] * len(labels)


@given(LABELS)
def test_an_answer_with_a_series_of_nobody_is_not_used(labels):
    assert told_apart([Sample({**labels, "sluice_metric": "q2"}, 1.0)], ["q0", "q1"]) is None


@given(st.sampled_from(TEMPLATES), st.sets(CLUSTERS, min_size=2, max_size=2), st.integers(1, 30))
def test_a_joined_query_holds_just_its_parts_whatever_the_lanes_are_called(template, names, few):
    stable, canary = names
    lanes = Lanes("orion", "auth-stable", "auth-canary")
    clusters = Clusters("orion", stable, canary)
    raw = raw_counters(template, lanes, clusters)
    assert raw is not None
    texts = [q.text for q in render(template, lanes, 60, clusters).values()] + [*raw.parts.values()]
    asked = {f"q{number}": text for number, text in enumerate(texts[:few])}

    assert dict(parts(joined(asked))) == asked


@given(st.text(max_size=60))
def test_what_was_not_joined_has_no_parts(text):
    assert parts(text) == ()
