"""Every configuration block of the seeds, in native words."""

import re

import pytest

from strategies.dialects import known, read
from strategies.plan import Check, SmokeTest
from strategies.wish import Wish
from tests.unit.seed_blocks import DATA, DOCUMENTS, body_of, fenced, parsed, text_of

POLICY = {
    "service": "pol-123",
    "version": "pol-123",
    "environment": "Production",
    "cluster": "prod-us-east-1",
    "typed": (("cluster", "clusterId"),),
}
FUNCTION = {"service": "image-processor", "version": "6", "typed": (("cluster", "clusterId"),)}

WISHES = {
    "000_direct.json": Wish(
        **{**POLICY, "environment": "Development", "cluster": "dev-cluster"},
        strategy="direct",
        soak=(300,),
    ),
    "000_canary.json": Wish(
        **POLICY,
        strategy="canary",
        steps=(10, 30, 50, 100),
        soak=(300,),
        auto_promote=True,
        checks=(Check("error_rate", above_baseline=5), Check("latency_p95", times_baseline=1.5)),
    ),
    "000_blue_green.json": Wish(
        **POLICY,
        strategy="blue-green",
        smoke_enabled=True,
        smoke_for=120,
        soak=(600,),
        retention=3600,
    ),
    "000_rolling.json": Wish(
        **POLICY,
        strategy="rolling",
        batch="10%",
        batch_delay=60,
        batch_timeout=30,
        max_concurrent=5,
    ),
    "000_ab_test.json": Wish(
        **{**POLICY, "version": "pol-456"},
        live="pol-123",
        strategy="ab-test",
        split=50,
        test_duration=3600,
        compare=("error_rate", "latency_p95", "rps"),
        winner="auto",
    ),
    "001_all_at_once.json": Wish(**FUNCTION, strategy="direct"),
    "001_canary.json": Wish(
        **FUNCTION,
        strategy="canary",
        steps=(10, 50, 100),
        soak=(600,),
        checks=(
            Check("error_rate", above=5),
            Check("latency_p99", above=1000),
            Check("success_rate", below=95),
        ),
    ),
    "001_blue_green.json": Wish(**FUNCTION, strategy="blue-green", smoke_for=300, retention=3600),
    "001_rolling.json": Wish(
        **FUNCTION, strategy="rolling", batch="25%", batch_delay=300, batch_rollback="all"
    ),
    "001_ab_test.json": Wish(
        **{**FUNCTION, "service": "recommendation-engine", "version": "2"},
        live="1",
        strategy="ab-test",
        split=50,
        test_duration=86_400,
        winner="manual",
        compare=("latency_avg", "error_rate", "conversion_rate", "user_engagement"),
    ),
    "001_conservative.json": Wish(
        checks=(
            Check("error_rate", above=1),
            Check("latency_p99", above=500),
            Check("success_rate", below=99),
        )
    ),
    "001_moderate.json": Wish(
        checks=(
            Check("error_rate", above=5),
            Check("latency_p99", above=1000),
            Check("success_rate", below=95),
        )
    ),
    "002_canary.yaml": Wish(
        strategy="canary",
        steps=(10, 20, 30, 40, 50, 100),
        soak=(60,),
        checks=(
            Check("success_rate", below=99, failures=5, of=10),
            Check("latency_p99", above=500, failures=5, of=10),
        ),
        warnings=(
            "targetRef and service of the Canary are not used: the target is the one in sluice.yaml.",
        ),
    ),
    "002_rollback_triggers.yaml": Wish(
        strategy="canary",
        soak=(60,),
        checks=(Check("error_rate", above=1, failures=3, of=6),),
        warnings=(
            'The webhook "rollback-alert" is not called: its url is none of the alerts in sluice.yaml. Add it there.',
        ),
    ),
    "003_success_criteria.yaml": Wish(
        checks=(Check("error_rate", above=5), Check("latency_p95", above=500)),
        min_soak=300,
        min_requests=1000,
    ),
    "004_blue_green.yaml": Wish(
        strategy="blue-green",
        smoke=(SmokeTest("http://my-app-{env}.example.com/health", timeout=60),),
        switch_timeout=300,
    ),
    "004_rolling.yaml": Wish(strategy="rolling", batch=1, batch_timeout=300),
    "004_canary.yaml": Wish(
        strategy="canary",
        steps=(10, 25, 50, 75, 100),
        soak=(300,),
        checks=(Check("error_rate", above=5), Check("latency_p95", above=500)),
    ),
}


@pytest.mark.parametrize("name", WISHES)
def test_a_block_of_a_seed_is_understood_as_it_stands(name):
    assert read(body_of(name)) == WISHES[name]


def test_every_copy_is_a_case():
    copies = {path.name for path in DATA.iterdir() if path.suffix in {".json", ".yaml"}}
    assert copies == set(WISHES)


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the seeds are not next to the checkout")
@pytest.mark.parametrize("document", ["000", "001", "002", "003"])
def test_the_copies_are_all_configuration_blocks_of_their_seed(document):
    blocks = [text for text in fenced(document, "json", "yaml") if known(parsed(text))]

    assert blocks
    assert set(blocks) == {text_of(name) for name in WISHES if name.startswith(document)}


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the seeds are not next to the checkout")
@pytest.mark.parametrize(("document", "mark"), [("003", "--traffic-steps"), ("004", "--app-name")])
def test_the_copied_scripts_are_those_of_their_seed(document, mark):
    scripts = [text for text in fenced(document, "bash") if mark in text]

    copies = {path.read_text("utf-8") for path in DATA.glob(f"{document}_*.sh")}
    assert set(scripts) == copies


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the seeds are not next to the checkout")
def test_the_options_of_004_are_those_of_its_lists():
    (path,) = DOCUMENTS.glob("004_*")
    listed = re.findall(
        r"^- `(\w+)`: .*?(?:\(default: (.*)\))?$", path.read_text("utf-8"), re.MULTILINE
    )
    copies = {
        key: value
        for name in WISHES
        if name.startswith("004")
        for key, value in body_of(name).items()
    }

    assert {key for key, _ in listed} == set(copies)
    assert {key: parsed(default) for key, default in listed if default} == {
        key: copies[key] for key, default in listed if default
    }


def policy(strategy="Canary", version=None, **config):
    body = {"policyId": "p", "strategy": strategy, "config": config}
    return body if version is None else {**body, "version": version}


def function(strategy="Canary", version=6, **config):
    return {"functionName": "f", "version": version, "strategy": strategy, "config": config}


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (policy(canaryPercentage="5"), "steps", (5, 10, 30, 50, 100)),
        (policy(canaryPercentage=10), "steps", (10, 30, 50, 100)),
        (policy(stages=["10", "60"]), "steps", (10, 60, 100)),
        (policy(rollbackOnLatencyIncrease=25), "checks", (Check("latency_p95", times_baseline=1.25),)),
        (policy(version="v2"), "version", "v2"),
        (policy("ABTESTING", trafficSplitA="70"), "split", 30),
        (policy("ab-testing", trafficSplitB=20), "split", 20),
        (policy("ABTesting", autoPromoteWinner="False"), "winner", "manual"),
        (policy("BlueGreen", keepBlueForRollback="false"), "retention", 0),
        (policy("BlueGreen", keepBlueForRollback=True), "retention", 3600),
        (policy("BlueGreen", blueRetentionPeriod="PT30M"), "retention", 1800),
        (policy("Rolling", batchDelay="PT0S"), "batch_delay", 0),
        (policy("Rolling", batchSize="12.5"), "batch", "12.5%"),
        (function(canaryPercentage=25), "steps", (25, 50, 100)),
        (function(rollbackOnErrorRate="0.07"), "checks", (Check("error_rate", above=7),)),
        (function(version="6"), "version", "6"),
        (function("ABTesting", versionA="5", trafficSplit={"5": 80, "6": 20}), "split", 20),
        (function("ABTesting", version=7, trafficSplit={"6": "80", "7": "20"}), "split", 20),
        (function("ABTesting", manualPromotion=False), "winner", "auto"),
        (function("ABTesting", testDuration="PT30M"), "test_duration", 1800),
        (function("Rolling", rollbackOnFailure=False), "batch_rollback", "none"),
        (function("BlueGreen", keepBlue=False), "retention", 0),
        ({"stepWeight": 20, "maxWeight": 50}, "steps", (20, 40, 50, 100)),
        ({"stepWeight": 50}, "steps", (50, 100)),
        ({"stepWeights": [1, 10, 80]}, "steps", (1, 10, 80, 100)),
        ({"threshold": 5, "interval": "30s"}, "soak", (30,)),
        ({"initial_percentage": 30}, "steps", (30, 50, 75, 100)),
        ({"increments": [60]}, "steps", (10, 60, 100)),
        ({"increment_interval": "5m"}, "soak", (300,)),
        ({"strategy": "Blue-Green", "metrics_threshold": {"cpu": 80}}, "strategy", "blue-green"),
        ({"metrics_threshold": {"cpu": 80}}, "strategy", None),
        ({"successCriteria": {"minimumDuration": "10"}}, "min_soak", 600),
        (
            {"successCriteria": {"latencyP95": {"threshold": 0.5, "unit": "seconds"}}},
            "checks",
            (Check("latency_p95", above=500),),
        ),
    ],
)  # fmt: skip
def test_what_a_key_means(body, field, value):
    assert getattr(read(body), field) == value


def test_a_configured_sink_needs_no_warning():
    body = body_of("002_rollback_triggers.yaml")

    assert read(body, sinks=("http://slack-webhook/alert",)).warnings == ()


def test_the_address_of_a_webhook_is_never_repeated():
    hook = {"name": "x", "url": "https://hooks.example/s3cret"}

    assert "s3cret" not in str(read({"threshold": 3, "webhooks": [hook]}).warnings)


def test_of_two_wishes_the_upper_one_counts_and_checks_of_another_bound_stay():
    upper = Wish(steps=(5, 100), checks=(Check("error_rate", above=3),))
    lower = Wish(
        steps=(50, 100),
        min_soak=60,
        checks=(Check("error_rate", above=9), Check("error_rate", above_baseline=1)),
    )

    assert upper.over(lower) == Wish(
        steps=(5, 100),
        min_soak=60,
        checks=(Check("error_rate", above_baseline=1), Check("error_rate", above=3)),
    )
