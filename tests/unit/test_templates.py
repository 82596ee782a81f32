"""Queries ask what they are meant to ask, and no name or value can make them ask anything else."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import Lane, RefusedError
from integrations.metrics.quoting import escape, quote, re2_quote
from integrations.metrics.templates import (
    CALLERS,
    FUNCTIONS,
    METRICS,
    TEMPLATES,
    Clusters,
    Lanes,
    render,
)
from integrations.metrics.variables import BadQueryError, asks_per_lane, fill

LANES = Lanes("orion", "auth-service-stable", "auth-service-canary")
NASTY = [
    'a"b',
    "a'b",
    "a\\",
    "a`b",
    "a\nb",
    "{}",
    '"} or vector(0) #',
    "ä\u202e\x00",
    "😀",
    "\ud800",
]


def read(literal: str) -> str:
    """Read a PromQL string as Prometheus does; JSON has all the escapes that we write but `\\U`."""
    assert literal[0] == literal[-1] == '"'
    short = re.sub(r"\\U([0-9a-f]{8})", lambda m: json.dumps(chr(int(m[1], 16)))[1:-1], literal)
    return json.loads(short)


def strings(query: str) -> list[str]:
    return [read(literal) for literal in re.findall(r'"(?:\\.|[^"\\])*"', query)]


def skeleton(query: str) -> str:
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', query)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_metric_has_a_query_with_balanced_brackets(template):
    for question in render(template, LANES, 300).values():
        bare = skeleton(question.text)
        assert all(bare.count(a) == bare.count(b) for a, b in ("()", "[]", "{}"))
        assert f"by ({question.label}" in bare


@pytest.mark.parametrize(
    ("template", "absent"),
    [
        ("istio", FUNCTIONS),
        ("linkerd", FUNCTIONS + CALLERS),
        ("http", FUNCTIONS + CALLERS),
        ("envoy", FUNCTIONS),
    ],
)
def test_all_metrics_are_rendered_that_the_template_has(template, absent):
    assert set(METRICS) - set(render(template, LANES, 300)) == set(absent)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_age_of_what_a_metric_is_made_of_can_be_asked(template):
    questions = render(template, LANES, 300)

    assert {q.age for q in questions.values()} - {""} <= set(questions)


def test_what_callers_saw_is_as_old_as_their_samples_and_not_as_those_of_a_lane_that_nobody_reaches():
    questions = render("istio", LANES, 300)

    assert questions["error_rate"].age != questions["connection_failures"].age


@pytest.mark.parametrize("template", TEMPLATES)
def test_one_workload_alone_is_the_canary_and_nobody_else(template):
    alone = Lanes("orion", "", "auth-service")

    assert [alone.workload(lane) for lane in Lane] == ["", "auth-service"]
    for question in render(template, alone, 300).values():
        assert "|auth" not in question.text
        assert "auth-service" in question.text


@pytest.mark.parametrize("template", TEMPLATES)
def test_both_lanes_are_in_one_query_and_told_apart_by_name(template):
    for question in render(template, LANES, 300).values():
        assert any(
            "auth-service-stable|auth-service-canary" in text for text in strings(question.text)
        )
        assert "version" not in question.text


@pytest.mark.parametrize(
    ("template", "metric", "part"),
    [
        (
            "http",
            "error_rate",
            'http_requests_total{job=~"auth-service-stable|auth-service-canary",status=~"5.."}',
        ),
        ("http", "success_rate", 'status=~"2.."'),
        ("http", "latency_p95", "1000 * histogram_quantile(0.95, sum by (job, le) (rate("),
        ("http", "latency_p99", "http_request_duration_seconds_bucket"),
        ("istio", "latency_p50", "histogram_quantile(0.5, sum by (destination_workload, le)"),
        ("istio", "rps", 'reporter="destination",destination_workload_namespace="orion"'),
        ("istio", "error_rate", 'grpc_response_status=~"2|4|8|13|14|15"'),
        ("istio", "requests", "[300s]"),
        ("istio", "latency_avg", "rate(istio_request_duration_milliseconds_sum{"),
        ("http", "latency_avg", "1000 * sum by (job) (rate(http_request_duration_seconds_sum{"),
        ("istio", "connection_failures", 'reporter="source"'),
        ("istio", "circuit_breaker_trips", 'response_flags=~"(.*,)?(UO)(,.*)?"'),
        (
            "linkerd",
            "error_rate",
            'deployment=~"auth-service-stable|auth-service-canary",classification="failure"',
        ),
        ("linkerd", "rps", 'direction="inbound",namespace="orion"'),
        ("linkerd", "requests", 'route_name!="probe",target_port!="4191"'),
        ("linkerd", "latency_p95", "histogram_quantile(0.95, sum by (deployment, le) (rate(resp"),
        ("envoy", "error_rate", 'envoy_response_code_class="5"'),
        ("envoy", "latency_p95", "envoy_cluster_upstream_rq_time_bucket"),
        ("envoy", "connection_failures", "envoy_cluster_upstream_cx_connect_fail"),
        ("envoy", "circuit_breaker_trips", "envoy_cluster_outlier_detection_ejections_enforced"),
        ("istio", "memory", "kube_pod_container_resource_limits"),
        ("istio", "cpu", "kube_pod_container_resource_requests"),
    ],
)
def test_query_contains(template, metric, part):
    assert part in render(template, LANES, 300)[metric].text


@pytest.mark.parametrize(
    ("pod", "lane"),
    [
        ("auth-7d9f8c6b5-x2x4z", "auth"),
        ("auth-canary-7d9f8c6b5-x2x4z", "auth-canary"),
        ("auth-admin-7d9f8c6b5-x2x4z", None),
        ("auth-canary-admin-7d9f8c6b5-x2x4z", None),
        ("xauth-7d9f8c6b5-x2x4z", None),
        ("auth-7d9f8c6b5", None),
    ],
)
def test_pods_belong_to_the_workload_that_made_them(pod, lane):
    query = render("istio", Lanes("orion", "auth", "auth-canary"), 60)["cpu"].text
    regex = next(text for text in strings(query) if "{5}" in text)
    found = re.fullmatch(regex, pod)
    assert (found[1] if found else None) == lane


@pytest.mark.parametrize("key", ["namespace", "stable", "canary"])
@pytest.mark.parametrize(
    "name", [" ", "Auth", "a b", "-a", "a-", 'a"', "a|b", "a" * 254, "ä", "a\n"]
)
def test_what_is_no_kubernetes_name_is_refused(key, name):
    names = {"namespace": "orion", "stable": "auth-stable", "canary": "auth-canary"} | {key: name}
    with pytest.raises(RefusedError) as error:
        Lanes(**names)
    assert error.value.code == "bad_name"
    assert key in str(error.value)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "ä", "a" * 501])
def test_what_is_no_name_of_a_cluster_is_refused(name):
    with pytest.raises(RefusedError) as error:
        Clusters("orion", "a", name)
    assert error.value.code == "bad_name"


@given(st.text("ab.|:/\"\\'`{}()*+?$^[]-", min_size=1), st.text("xy", min_size=1))
def test_no_name_of_a_cluster_leaves_its_string_or_matches_another(stable, canary):
    questions = render("envoy", LANES, 60, Clusters("orion", stable, canary))
    (regex,) = set(strings(questions["rps"].text))

    for name in (stable, canary):
        assert re.fullmatch(regex, name.replace(":", "_"))
    assert not re.fullmatch(regex, f"{stable}x{canary}z")


@pytest.mark.parametrize(("namespace", "canary"), [("", "auth"), ("orion", "")])
def test_only_stable_may_have_no_name(namespace, canary):
    with pytest.raises(RefusedError):
        Lanes(namespace, "", canary)


def test_two_lanes_of_one_name_are_refused():
    with pytest.raises(RefusedError) as error:
        Lanes("orion", "auth", "auth")
    assert error.value.code == "lanes_not_distinct"


def test_an_unknown_template_is_refused_by_a_sentence_that_names_the_known_ones():
    with pytest.raises(RefusedError, match="istio, linkerd, http, envoy") as error:
        render("isito", LANES, 60)
    assert error.value.code == "unknown_template"


def test_an_empty_window_is_an_error():
    with pytest.raises(ValueError, match="at least one second"):
        render("istio", LANES, 0)


def test_each_lane_has_its_workload():
    assert [LANES.workload(lane) for lane in Lane] == ["auth-service-stable", "auth-service-canary"]


@given(st.text())
def test_arbitrary_text_never_escapes_its_string(text):
    assert read(quote(text)) == text


@given(st.text())
def test_an_escaped_text_has_no_character_that_ends_any_string(text):
    assert not set(re.sub(r"\\.", "", escape(text))) & set("\"'`\\\n")


def test_half_a_character_becomes_the_replacement_character():
    assert read(quote("\ud800")) == "\ufffd"


@given(st.text())
def test_a_quoted_regex_matches_its_text_and_nothing_longer(text):
    assert re.fullmatch(re2_quote(text), text)
    assert not re.fullmatch(re2_quote(text), text + "x")


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        ('lag{app="$service"}', 'lag{app="a.b"}'),
        ("lag{app='${service}'}", "lag{app='a.b'}"),
        ('lag{app=~"$service-.*"}', 'lag{app=~"a\\\\.b-.*"}'),
        ("lag{app!~ `$service`}", "lag{app!~ `a\\.b`}"),
        ("rate(lag[$window])", "rate(lag[300s])"),
        (
            'label_replace(lag, "a", "$1", "b", "(.*)$")',
            'label_replace(lag, "a", "$1", "b", "(.*)$")',
        ),
        ('lag{price="$$service"}', 'lag{price="$service"}'),
        ("$metric:rate5m", "lag:rate5m"),
        ("lag # of $nobody", "lag # of $nobody"),
        ('lag{app=~#c\n"$service"}', 'lag{app=~#c\n"a\\\\.b"}'),
        (
            'lag{app=~ # of $nobody\r\n # "c"\n\t"$service"}',
            'lag{app=~ # of $nobody\r\n # "c"\n\t"a\\\\.b"}',
        ),
        ('lag{a!~"x" # =~\r, app="$service"}', 'lag{a!~"x" # =~\r, app="a.b"}'),
    ],
)
def test_variables_are_put_in(query, filled):
    assert fill(query, {"service": "a.b", "window": "300s", "metric": "lag"}) == filled


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("lag{app=$service}", 'x"'),
        ("$service", "up or vector(0)"),
        ("lag{app=`$service`}", "x`} or vector(0) #"),
        ('lag{app="$nobody"}', "x"),
        ('lag{app="${}"}', "x"),
        ('lag{app="$SERVICE"}', "x"),
    ],
)
def test_what_cannot_be_put_in_safely_is_refused(query, value):
    with pytest.raises(BadQueryError):
        fill(query, {"service": value})


@pytest.mark.parametrize("literal", ['"{}"', "'{}'"])
@given(value=st.text())
def test_no_value_of_a_variable_leaves_its_string(literal, value):
    filled = fill(f'lag{{app={literal.format("$service")},b="c"}}', {"service": value})
    inner = filled.removeprefix(f"lag{{app={literal[0]}").removesuffix(f'{literal[-1]},b="c"}}')
    assert read(f'"{inner}"') == value


@given(query=st.text("$servic{}\"'`=~#\\\n "), value=st.text())
def test_any_query_is_filled_or_refused_by_a_reason(query, value):
    try:
        filled = fill(query, {"service": value})
    except BadQueryError:
        return
    assert isinstance(filled, str)


@pytest.mark.parametrize(
    ("query", "per_lane"),
    [
        ("lag", False),
        ('lag{w="$workload"}', True),
        ('lag{l="${lane}"}', True),
        ('lag{l="$$lane"}', False),
    ],
)
def test_a_query_is_asked_per_lane_when_it_names_the_lane(query, per_lane):
    assert asks_per_lane(query) is per_lane
