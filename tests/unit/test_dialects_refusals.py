"""What a dialect cannot mean is refused with the key, the value and what would be right; nothing is skipped."""

import pytest

from strategies.dialects import known, read
from strategies.wish import WishError

AGENT = {"name": "request-duration", "thresholdRange": {"max": 500}}


def policy(strategy="Canary", **config):
    return {"policyId": "p", "strategy": strategy, "config": config}


def function(strategy="Canary", **config):
    return {"functionName": "f", "version": 6, "strategy": strategy, "config": config}


def criteria(**keys):
    return {"successCriteria": keys}


POLICY = [
    ({"policyId": "p", "polcy": 1}, "unknown_key", "polcy"),
    ({"policyId": ""}, "empty_value", "policyId"),
    ({"policyId": 5}, "bad_value", "policyId"),
    ({"policyId": "p", "strategy": "Canery"}, "unknown_strategy", "strategy"),
    ({"policyId": "p", "strategy": "Recreate"}, "unknown_strategy", "strategy"),
    ({"policyId": "p", "config": []}, "bad_value", "config"),
    ({"policyId": "p", "config": None}, "empty_value", "config"),
    ({"policyId": "p", "version": 1.5}, "bad_value", "version"),
    ({"policyId": "p", "version": True}, "bad_value", "version"),
    (policy(canaryPercentge=5), "unknown_key", "canaryPercentge"),
    (policy(batchSize=5), "option_not_for_strategy", "batchSize"),
    (policy(stages=[]), "bad_steps", "stages"),
    (policy(stages=[10, 5, 100]), "bad_steps", "stages"),
    (policy(stages=[10, 10]), "bad_steps", "stages"),
    (policy(stages=[10, 130]), "bad_steps", "stages"),
    (policy(stages=[0, 100]), "bad_steps", "stages"),
    (policy(stages=["10", "ten"]), "bad_number", "stages"),
    (policy(stages="10,30"), "bad_value", "stages"),
    (policy(canaryPercentage="0"), "out_of_range", "canaryPercentage"),
    (policy(canaryPercentage="101"), "out_of_range", "canaryPercentage"),
    (policy(canaryPercentage=5, stages=[10, 100]), "contradiction", "canaryPercentage"),
    (policy(monitoringPeriod="-PT5M"), "bad_duration", "monitoringPeriod"),
    (policy(monitoringPeriod=-300), "bad_duration", "monitoringPeriod"),
    (policy(monitoringPeriod=300), "bare_number", "monitoringPeriod"),
    (policy(monitoringPeriod="PT0S"), "out_of_range", "monitoringPeriod"),
    (policy(monitoringPeriod="P8D"), "out_of_range", "monitoringPeriod"),
    (policy(monitoringPeriod=["PT5M"]), "bad_duration", "monitoringPeriod"),
    (policy(autoPromote="yes"), "bad_flag", "autoPromote"),
    (policy(autoPromote=1), "bad_flag", "autoPromote"),
    (policy(rollbackOnErrorRate="101"), "out_of_range", "rollbackOnErrorRate"),
    (policy(rollbackOnErrorRate="-1"), "out_of_range", "rollbackOnErrorRate"),
    (policy(rollbackOnErrorRate=float("nan")), "bad_number", "rollbackOnErrorRate"),
    (policy(rollbackOnLatencyIncrease="-50"), "out_of_range", "rollbackOnLatencyIncrease"),
    (policy("Rolling", batchSize="0"), "out_of_range", "batchSize"),
    (policy("Rolling", batchSize="110"), "out_of_range", "batchSize"),
    (policy("Rolling", maxConcurrent="0"), "out_of_range", "maxConcurrent"),
    (policy("Rolling", maxConcurrent="1.5"), "bad_number", "maxConcurrent"),
    (policy("Rolling", maxConcurrent=10**400), "bad_number", "maxConcurrent"),
    (policy("Rolling", monitoringPeriod="PT5M"), "option_not_for_strategy", "monitoringPeriod"),
    (policy("ABTesting", trafficSplitA="50", trafficSplitB="40"), "bad_split", "trafficSplitB"),
    (policy("ABTesting", trafficSplitA="100"), "out_of_range", "trafficSplitA"),
    (policy("ABTesting", comparisonMetrics=["vibes"]), "unknown_metric", "comparisonMetrics"),
    (policy("ABTesting", comparisonMetrics=[]), "bad_value", "comparisonMetrics"),
    (policy("ABTesting", comparisonMetrics=["errorRate"] * 2), "bad_value", "comparisonMetrics"),
    (policy("ABTesting", policyAId="a", policyBId="a"), "contradiction", "policyAId"),
    (
        {**policy("ABTesting", policyBId="b"), "version": "c"},
        "contradiction",
        "policyBId",
    ),
    (
        policy("BlueGreen", keepBlueForRollback="false", blueRetentionPeriod="PT1H"),
        "contradiction",
        "blueRetentionPeriod",
    ),
]
FUNCTION = [
    (function(rollbackOnErrorRate=5), "out_of_range", "rollbackOnErrorRate"),
    (function(rollbackOnSuccessRate="95"), "out_of_range", "rollbackOnSuccessRate"),
    (function(rollbackOnLatencyP99=0), "out_of_range", "rollbackOnLatencyP99"),
    (function(rollbackOnErrorRate={"max": 1}), "bad_number", "rollbackOnErrorRate"),
    (function(canaryDuration="ten minutes"), "bad_duration", "canaryDuration"),
    (function(canaryIncrements=[50, 10]), "bad_steps", "canaryIncrements"),
    (function(canaryPercentage=20, canaryIncrements=[10]), "contradiction", "canaryPercentage"),
    (function(keepBlue=True), "option_not_for_strategy", "keepBlue"),
    (function("BlueGreen", switchType="Gradual"), "bad_value", "switchType"),
    (function("BlueGreen", keepBlue="maybe"), "bad_flag", "keepBlue"),
    (function("BlueGreen", keepBlue=True, keepBlueDuration="PT0S"), "contradiction", "keepBlue"),
    (function("Rolling", batchSize=0), "out_of_range", "batchSize"),
    (function("ABTesting", trafficSplit={"5": 50, "6": 60}), "bad_split", "trafficSplit"),
    (function("ABTesting", trafficSplit={"5": 50, "7": 50}), "bad_split", "trafficSplit"),
    (function("ABTesting", trafficSplit={"6": 100}), "bad_split", "trafficSplit"),
    (function("ABTesting", trafficSplit={"4": 10, "5": 40, "6": 50}), "bad_split", "trafficSplit"),
    (function("ABTesting", versionA=4, trafficSplit={"5": 50, "6": 50}), "bad_split", "trafficSplit"),
    (function("ABTesting", trafficSplit={"5": 0, "6": 100}), "out_of_range", "5"),
    (function("ABTesting", versionB=7), "contradiction", "versionB"),
    (function("ABTesting", versionA=6), "contradiction", "versionA"),
    (function("ABTesting", metricsToCompare=["latency"]), "unknown_metric", "metricsToCompare"),
    (
        {"functionName": "f", "config": {"testDuration": "PT5M"}},
        "missing_strategy",
        "testDuration",
    ),
    ({"rollbackOnErrorRate": 1.5}, "out_of_range", "rollbackOnErrorRate"),
]  # fmt: skip
FLAGGER = [
    ({"analysis": {}}, "bad_value", "analysis"),
    ({"analysis": {"interval": "1m", "iterations": 10}}, "unknown_key", "iterations"),
    ({"analysis": {"interval": 60}}, "bare_number", "interval"),
    ({"stepWeight": 60, "maxWeight": 50}, "bad_steps", "stepWeight"),
    ({"stepWeight": 0}, "out_of_range", "stepWeight"),
    ({"stepWeight": 10, "maxWeight": 150}, "out_of_range", "maxWeight"),
    ({"maxWeight": 50}, "missing_key", "maxWeight"),
    ({"stepWeight": 10, "stepWeights": [10]}, "contradiction", "stepWeight"),
    ({"stepWeights": [50, 10]}, "bad_steps", "stepWeights"),
    ({"threshold": 0}, "out_of_range", "threshold"),
    ({"threshold": 5, "metrics": []}, "bad_value", "metrics"),
    ({"threshold": 5, "metrics": [{"name": "x"}]}, "unknown_metric", "name"),
    ({"threshold": 5, "metrics": [{"name": "error-rate"}]}, "missing_key", "thresholdRange"),
    (
        {"threshold": 5, "metrics": [{**AGENT, "thresholdRange": {"min": 5}}]},
        "unknown_key",
        "min",
    ),
    ({"threshold": 5, "metrics": [{**AGENT, "interval": "5m"}]}, "contradiction", "interval"),
    ({"threshold": 5, "metrics": [{**AGENT, "templateRef": {}}]}, "unknown_key", "templateRef"),
    ({"threshold": 5, "webhooks": [{"name": "x"}]}, "missing_key", "url"),
    ({"kind": "Canary", "spec": {"service": {}}}, "missing_key", "analysis"),
    ({"kind": "Canary", "spec": {"skipAnalysis": True}}, "unknown_key", "skipAnalysis"),
    ({"kind": "Canary", "apiVersion": "v1"}, "bad_value", "apiVersion"),
]
ORION = [
    (criteria(), "empty_value", "successCriteria"),
    (criteria(errorRat={"threshold": 5}), "unknown_key", "errorRat"),
    (criteria(errorRate=5), "bad_value", "errorRate"),
    (criteria(errorRate={"threshold": 5}), "missing_key", "unit"),
    (criteria(errorRate={"unit": "percent"}), "missing_key", "threshold"),
    (criteria(errorRate={"threshold": 5, "unit": "permille"}), "bad_value", "unit"),
    (criteria(errorRate={"threshold": 5, "unit": "fraction"}), "out_of_range", "threshold"),
    (criteria(latencyP95={"threshold": -1, "unit": "seconds"}), "out_of_range", "threshold"),
    (criteria(minimumDuration=0), "out_of_range", "minimumDuration"),
    (criteria(minimumRequests=0), "out_of_range", "minimumRequests"),
    ({**criteria(minimumRequests=5), "more": 1}, "unknown_key", "more"),
]
UNO = [
    ({"batch_size": 0}, "out_of_range", "batch_size"),
    ({"batch_size": "25%"}, "bad_number", "batch_size"),
    ({"batch_size": 1.5}, "bad_number", "batch_size"),
    ({"batch_timeout": -1}, "bad_duration", "batch_timeout"),
    ({"batch_timeout": 0}, "out_of_range", "batch_timeout"),
    ({"batch_sise": 1, "batch_size": 1}, "unknown_key", "batch_sise"),
    ({"batch_size": 1, "initial_percentage": 10}, "missing_strategy", "batch_size"),
    ({"strategy": "canary", "batch_size": 1}, "option_not_for_strategy", "batch_size"),
    ({"strategy": "ab-test", "batch_size": 1}, "unknown_strategy", "strategy"),
    ({"initial_percentage": 30, "increments": [25, 50]}, "bad_steps", "increments"),
    ({"initial_percentage": 25, "increments": [25, 50]}, "bad_steps", "increments"),
    ({"initial_percentage": 0}, "out_of_range", "initial_percentage"),
    ({"increments": [50, 25]}, "bad_steps", "increments"),
    ({"increments": [50, 125]}, "bad_steps", "increments"),
    ({"metrics_threshold": {}}, "bad_value", "metrics_threshold"),
    ({"metrics_threshold": {"cpu": "high"}}, "bad_number", "cpu"),
    ({"metrics_threshold": {"error_rate": 500}}, "out_of_range", "error_rate"),
    ({"increments": [n / 10 for n in range(101, 203)]}, "bad_steps", "increments"),
    ({"metrics_threshold": {"success_rate": 95}}, "bad_value", "success_rate"),
    ({"health_check_timeout": 60}, "missing_key", "health_check_timeout"),
    ({"health_check_url": "my-app/health"}, "bad_url", "health_check_url"),
    ({"health_check_url": "http://{host}/health"}, "bad_url", "health_check_url"),
    ({"platform": "mainframe", "batch_size": 1}, "bad_value", "platform"),
]
NONE = [
    ({}, "unknown_dialect", ""),
    ([], "unknown_dialect", ""),
    ("canary", "unknown_dialect", ""),
    ({"steps": [5, 100]}, "unknown_dialect", "steps"),
    ({"policyId": "p", "functionName": "f"}, "unknown_dialect", ""),
    ({"batch_size": 1, "stepWeight": 10}, "unknown_dialect", ""),
]


@pytest.mark.parametrize(
    ("body", "code", "key"), [*POLICY, *FUNCTION, *FLAGGER, *ORION, *UNO, *NONE]
)
def test_rubbish_is_refused_with_its_key(body, code, key):
    with pytest.raises(WishError) as error:
        read(body)

    assert (error.value.code, error.value.key) == (code, key)
    assert str(error.value).startswith(f"{key}: " if key and code != "unknown_dialect" else "")
    assert str(error.value).endswith(".")
    assert error.value.path[-1:] == ((key,) if key else ())


def test_a_metric_that_nobody_measures_is_refused_where_it_is_known_what_is_measured():
    body = {"metrics_threshold": {"eror_rate": 5}}

    with pytest.raises(WishError) as error:
        read(body, metrics=("error_rate", "kafka_lag"))

    assert (error.value.code, error.value.suggestion) == ("unknown_metric", "error_rate")
    assert read({"metrics_threshold": {"kafka_lag": 5}}, metrics=("kafka_lag",)).checks


@pytest.mark.parametrize(
    ("body", "near"),
    [
        (policy(canaryPercentge=5), "canaryPercentage"),
        (policy("ABTesting", comparisonMetrics=["erorRate"]), "errorRate"),
        ({"batch_size": 1, "batch_timout": 5}, "batch_timeout"),
    ],
)
def test_a_slip_of_the_finger_gets_a_suggestion(body, near):
    with pytest.raises(WishError) as error:
        read(body)

    assert error.value.suggestion == near


@pytest.mark.parametrize(
    "body", [{"slack": {}, "metrics": {}, "services": {}}, {"kind": "Deployment", "spec": {}}, 5]
)
def test_other_files_are_no_block(body):
    assert not known(body)


def test_foreign_text_is_clipped_and_harmless_in_a_sentence():
    with pytest.raises(WishError) as error:
        read({"policyId": "p", "x" * 500 + "\n\x1b[2J": 1})

    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value) + error.value.key
    assert len(error.value.key) <= 60
