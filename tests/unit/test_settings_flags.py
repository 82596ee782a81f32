"""A feature flag in the configuration: alone, beside others, and what it does not go with."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import parts_for, plan_for
from bot.settings import ConfigError, read_config

FILE = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{us: {{context: us}}}}
metrics: {{main: {{kind: prometheus, url: http://prometheus:9090}}}}
services:
  app:
    staging:
      metrics: {{source: main, template: {template}}}
      {more}
{where}
"""
UNLEASH = (
    '{kind: unleash, url: "https://u.example", token_file: /run/u, environment: prod, feature: f}'
)
ALONE = "      workload: {workload}\n      traffic: {traffic}"
BESIDE = """\
      targets:
        - {{name: pods, cluster: us, namespace: app, workload: {pods}{mesh}}}
        - {{name: flag, workload: {{kind: flag}}, traffic: {traffic}{own}}}"""
PAIR = "{kind: deployment, stable: a, canary: b, container: c, image: repo/app}"
COLOURS = "{kind: deployment, blue: a, green: b, container: c, image: repo/app}"
ONE = "{kind: deployment, name: a, container: c, image: repo/app}"
MESH = ", traffic: {kind: istio, virtual_service: app}"
GOOD = {"workload": "{kind: flag}", "traffic": UNLEASH, "pods": PAIR, "mesh": MESH, "own": ""}


def read(where, template="istio", more="min_requests: 5", **changes):
    text = where.format(**(GOOD | changes))
    return read_config(FILE.format(where=text, template=template, more=more), "sluice.yaml")


def codes(*args, **kwargs):
    with pytest.raises(ConfigError) as refused:
        read(*args, **kwargs)
    return [(one.code, one.key) for one in refused.value.errors]


def test_a_flag_alone_needs_neither_cluster_nor_namespace():
    block = read(ALONE, template="http").target("app", "staging")

    assert (block.lanes, block.counted, block.repository) == ("swap", False, None)
    assert block.places[0].workload.places("on") == ("on", "off")
    assert block.places[0].workload.places("") == ("off", "on")


@pytest.mark.parametrize(("pods", "lanes"), [(PAIR, "fixed"), (COLOURS, "swap")])
def test_a_flag_goes_along_with_what_shares_traffic(pods, lanes):
    config = read(BESIDE, pods=pods)
    block = config.target("app", "staging")

    assert (block.lanes, block.repository, block.counted) == (lanes, "repo/app", False)
    pods_part, flag = parts_for("app", "staging", config)
    assert (pods_part.lanes, pods_part.to, pods_part.unwatched) == ("", "", False)
    assert (flag.lanes, flag.to, flag.unwatched) == ("swap", "on", True)


def test_a_flag_with_numbers_of_its_own_is_watched():
    config = read(BESIDE, own=", metrics: {source: main, template: http}")

    assert [part.unwatched for part in parts_for("app", "staging", config)] == [False, False]


@pytest.mark.parametrize(
    ("changes", "code", "key"),
    [
        ({"pods": ONE, "mesh": ""}, "mixed_targets", "targets"),
        ({"mesh": ""}, "mixed_targets", "targets"),
        ({"mesh": f", traffic: {UNLEASH}"}, "not_its_router", "traffic"),
        ({"own": ", metrics: {source: main}"}, "template_not_for_target", "metrics"),
        ({"more": "match: [{header: x-a, present: true}]"}, "no_header_routes", "match"),
        ({"more": "strategy: recreate"}, "not_scalable", "strategy"),
        ({"more": "strategy: ab-test"}, "one_target_only", "strategy"),
    ],
)
def test_what_a_flag_does_not_go_along_with_is_refused_at_its_key(changes, code, key):
    assert (code, key) in codes(BESIDE, **changes)


@pytest.mark.parametrize(
    ("changes", "code", "key"),
    [
        ({"traffic": "{kind: istio, virtual_service: app}"}, "not_its_router", "traffic"),
        ({"template": "istio"}, "template_not_for_target", "metrics"),
        ({"traffic": UNLEASH.replace("feature: f", 'feature: ".."')}, "bad_name", "feature"),
        ({"traffic": UNLEASH.replace("//u", "//me:pw@u")}, "bad_url", "url"),
        ({"traffic": UNLEASH.replace("/run/u", "run")}, "bad_path", "token_file"),
        ({"traffic": UNLEASH.replace(", feature: f", "")}, "missing_key", "feature"),
    ],
)
def test_what_a_flag_alone_does_not_go_with_is_refused_at_its_key(changes, code, key):
    assert (code, key) in codes(ALONE, **({"template": "http"} | changes))


def test_a_flag_without_the_place_where_it_is_kept_is_refused():
    assert codes("      workload: {workload}", template="http") == [("missing_key", "traffic")]


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("checks: moderate", True),
        ("checks: [{metric: error_rate, above: 5, query: \"x{w='$workload'}\"}]", False),
    ],
)
def test_checks_that_count_requests_by_the_value_of_a_flag_are_warned_about(more, warned):
    config = read(ALONE, template="http", more=more)
    made = plan_for(Deploy("app", "on", "staging", Options()), config)
    assert any("has no numbers here" in one for one in made.warnings) is warned
