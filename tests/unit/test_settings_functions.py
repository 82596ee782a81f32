"""What the block of a function may say, and what its smoke tests are."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import plan_for
from bot.settings import ConfigError, read_config
from bot.settings.functions import LambdaVersion
from strategies.request import PlanError
from tests.unit.test_settings_targets import mistake, target, written

KEYS = "kind: lambda_version, function: image-processor, alias: live"
PLAIN = f"{{{KEYS}}}"
HTTP = "metrics: {source: main, template: http}"
SAME = "{kind: lambda_alias, function: image-processor, alias: live}"


@pytest.mark.parametrize("traffic", ["", SAME])
def test_an_alias_is_workload_and_router_in_one(traffic):
    block = target(workload=PLAIN, traffic=traffic, metrics=HTTP)

    runs = block.workload
    assert isinstance(runs, LambdaVersion)
    assert (block.lanes, block.weights, block.repository, block.counted) == (
        "swap",
        "any",
        None,
        False,
    )
    assert runs.places("5", "6") == ("5", "6")
    assert runs.environment("5", "6") == "6"
    assert runs.measured() == {"function": "image-processor", "alias": "live"}
    assert runs.options() == {
        "function": "image-processor",
        "alias": "live",
        "image": None,
        "bucket": None,
        "key": None,
        "provisioned_concurrency": None,
    }


@pytest.mark.parametrize(
    ("workload", "code", "key"),
    [
        ("{kind: lambda_version, function: f}", "missing_key", "alias"),
        ("{kind: lambda_version, function: §'a/b', alias: live}", "bad_name", "function"),
        ("{kind: lambda_version, function: f, alias: §'42'}", "bad_name", "alias"),
        (f"{{{KEYS}, image: §'repo:v1'}}", "image_with_tag", "image"),
        (f"{{{KEYS}, bucket: b-1}}", "missing_key", "key"),
        (f"{{{KEYS}, key: 'a/{{version}}.zip'}}", "missing_key", "bucket"),
        (f"{{{KEYS}, bucket: b-1, key: §a.zip}}", "bad_object_key", "key"),
        (f"{{{KEYS}, bucket: b-1, key: §'{{version}}/{{version}}'}}", "bad_object_key", "key"),
        (f"{{{KEYS}, bucket: b-1, key: §'{{version}}/{{versoin}}.zip'}}", "bad_object_key", "key"),
        (f"{{{KEYS}, image: repo, bucket: §b-1, key: '{{version}}'}}", "contradiction", "bucket"),
        (f"{{{KEYS}, provisioned_concurrency: §0}}", "out_of_range", "provisioned_concurrency"),
        (f"{{{KEYS}, §container: app}}", "unknown_key", "container"),
    ],
)
def test_what_cannot_be_is_told_at_its_key(workload, code, key):
    assert mistake(workload=workload, traffic="") == (code, key)


@pytest.mark.parametrize(
    ("traffic", "code"),
    [
        ("§{kind: lambda_alias, function: other, alias: live}", "another_object"),
        ("§{kind: lambda_alias, function: image-processor, alias: test}", "another_object"),
        ("§{kind: istio, virtual_service: app}", "not_its_router"),
    ],
)
def test_traffic_names_the_same_alias_or_nothing(traffic, code):
    assert mistake(workload=PLAIN, traffic=traffic) == (code, "traffic")


def test_an_alias_splits_nothing_but_its_own_function():
    assert mistake(traffic=f"§{SAME}") == ("router_needs_revisions", "traffic")


def test_a_payload_is_for_the_function_of_the_target():
    smoke = "smoke: [{payload: {image: cat.png}, requests: 100, max_errors: 1}]"

    (test,) = target(smoke, workload=PLAIN, traffic="", metrics=HTTP).smoke

    assert (test.url, test.method) == ("lambda:image-processor:{env}", "INVOKE")
    assert (test.body, test.requests, test.max_errors) == ({"image": "cat.png"}, 100, 1)


def test_a_function_may_be_tested_by_its_address_as_well():
    (test,) = target(
        'smoke: [{url: "http://api/{env}"}]', workload=PLAIN, traffic="", metrics=HTTP
    ).smoke

    assert (test.url, test.method) == ("http://api/{env}", "GET")


@pytest.mark.parametrize(
    ("smoke", "code", "key"),
    [
        ("smoke: [§{requests: 3}]", "missing_key", "url"),
        ("smoke: [{payload: {}, url: §'http://a'}]", "contradiction", "url"),
        ("smoke: [{payload: {}, method: §POST}]", "contradiction", "method"),
        ("smoke: [{payload: {}, body: §x}]", "contradiction", "body"),
    ],
)
def test_a_test_has_one_receiver(smoke, code, key):
    assert mistake(smoke, workload=PLAIN, traffic="") == (code, key)


def test_where_there_is_no_function_there_is_no_payload():
    assert mistake("smoke: [{payload: §{}}]") == ("payload_without_function", "payload")


@pytest.mark.parametrize("template", ["istio", "linkerd", "envoy", "knative"])
def test_what_counts_pods_has_no_numbers_of_a_function(template):
    metrics = f"metrics: §{{source: main, template: {template}}}"
    assert mistake(workload=PLAIN, traffic="", metrics=metrics) == (
        "template_not_for_target",
        "metrics",
    )


def test_without_a_word_the_template_is_one_of_a_mesh_and_refused_as_well():
    found = mistake(workload=PLAIN, traffic="", metrics="metrics: §{source: main}")
    assert found == ("template_not_for_target", "metrics")


@pytest.mark.parametrize("key", ["cluster: prod", "namespace: shop"])
def test_a_function_is_in_no_cluster(key):
    found = mistake(key, workload=PLAIN, traffic="", metrics=HTTP)
    assert found == ("place_without_cluster", key.partition(":")[0])


@pytest.mark.parametrize(
    ("more", "version", "refused"),
    [("", "v2", True), ("", "06", True), ("", "6", False), (", image: repo/app", "v2", False)],
)
def test_a_version_that_is_published_elsewhere_is_a_number(more, version, refused):
    text = written(workload=f"{{{KEYS}{more}}}", traffic="", metrics=HTTP)
    deploy = Deploy("app", version, "testing", Options())
    config = read_config(text, "f")
    if not refused:
        assert plan_for(deploy, config).version == version
        return
    with pytest.raises(PlanError) as caught:
        plan_for(deploy, config)
    assert (caught.value.code, caught.value.key) == ("wrong_version", "version")


@pytest.mark.parametrize("more", ["", ", image: repo/app", ", provisioned_concurrency: 5"])
def test_one_alias_is_one_target_whatever_else_is_said_about_it(more):
    places = f"targets: [{{name: a, workload: {PLAIN}}}, {{name: b, workload: {{{KEYS}{more}}}}}]"
    text = written(places, workload=PLAIN, traffic="", metrics=HTTP)
    with pytest.raises(ConfigError) as caught:
        read_config(text.replace(f"      workload: {PLAIN}\n", "", 1), "f")
    assert [one.code for one in caught.value.errors] == ["same_target_twice"]


def test_a_kind_that_there_is_not_is_one_mistake():
    accounts = "accounts: {shop: {kind: gcp, project: p, location: eu}}\nservices:"
    text = written(
        workload="{kind: cloud_rn, account: shop, service: s}", traffic="", metrics=HTTP
    ).replace("services:", accounts)
    with pytest.raises(ConfigError) as caught:
        read_config(text, "f")
    assert [one.code for one in caught.value.errors] == ["unknown_kind"]
