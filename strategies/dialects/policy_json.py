"""Seed 000, policies of a service mesh: a JSON body with `policyId`.

Pure. Rates are percent; `rollbackOnErrorRate` is points over the baseline and `rollbackOnLatencyIncrease` percent
over it, because that is what the guide says its triggers mean.
"""

from typing import Any

from strategies.dialects import hotswap
from strategies.dialects.block import Block
from strategies.dialects.hotswap import STRATEGIES, Winner
from strategies.dialects.metric_names import seed_metrics
from strategies.plan import Check
from strategies.wish import Wish

_WHAT = "a policy deployment"
_TRIGGERS = ("rollbackOnErrorRate", "rollbackOnLatencyIncrease")
_KEYS = {
    "direct": ("monitoringPeriod", "autoPromote", *_TRIGGERS),
    "canary": ("canaryPercentage", "stages", "monitoringPeriod", "autoPromote", *_TRIGGERS),
    "blue-green": (
        "smokeTestsEnabled", "validationPeriod", "monitoringPeriod", "keepBlueForRollback",
        "blueRetentionPeriod", "autoPromote", *_TRIGGERS,
    ),
    "rolling": (
        "batchSize", "batchDelay", "healthCheckTimeout", "maxConcurrent", "autoPromote", *_TRIGGERS,
    ),
    "ab-test": (
        "policyAId", "policyBId", "trafficSplitA", "trafficSplitB", "testDuration",
        "comparisonMetrics", "autoPromoteWinner", *_TRIGGERS,
    ),
}  # fmt: skip
_STAGES = (10.0, 30.0, 50.0, 100.0)
"""Those of the guide."""
_MOST_INCREASE = 99_900
"""Percent; a thousand times the baseline."""


def read(body: Block) -> Wish:
    """Return what a body asks for. Raises `WishError`."""
    body.only(("policyId", "environment", "clusterId", "strategy", "version", "config"), _WHAT)
    strategy = body.choice("strategy", STRATEGIES, "unknown_strategy")
    config = body.options("config")
    config.fitting(strategy, _KEYS, f"the config of {_WHAT}")
    service = body.required("policyId")
    asked = hotswap.same_version(
        config, "policyBId", body.word("version"), config.text("policyBId")
    )
    return Wish(
        service=service,
        environment=body.text("environment"),
        version=asked or service,
        strategy=strategy,
        live=hotswap.live(config, "policyAId", asked),
        cluster=body.text("clusterId"),
        typed=hotswap.TYPED,
        **_watching(config),
        **_moving(config),
        **_comparing(config),
    )


def _watching(config: Block) -> dict[str, Any]:
    period = config.seconds("monitoringPeriod", "refuse")
    return {
        "steps": hotswap.stages(config, "canaryPercentage", "stages", _STAGES),
        "soak": None if period is None else (period,),
        "checks": _checks(config),
        "auto_promote": config.flag("autoPromote"),
        "smoke_enabled": config.flag("smokeTestsEnabled"),
        "smoke_for": config.seconds("validationPeriod", "refuse"),
        "retention": hotswap.retention(config, "keepBlueForRollback", "blueRetentionPeriod"),
    }


def _moving(config: Block) -> dict[str, Any]:
    return {
        "batch": config.batch_percent("batchSize"),
        "batch_delay": config.seconds("batchDelay", "refuse", at_least=0),
        "batch_timeout": config.seconds("healthCheckTimeout", "refuse"),
        "max_concurrent": config.whole("maxConcurrent", 1, 100_000),
    }


def _comparing(config: Block) -> dict[str, Any]:
    return {
        "split": _split(config),
        "test_duration": config.seconds("testDuration", "refuse"),
        "compare": seed_metrics(config, "comparisonMetrics"),
        "winner": _winner(config.flag("autoPromoteWinner")),
    }


def _checks(config: Block) -> tuple[Check, ...] | None:
    points = config.number("rollbackOnErrorRate", 0, 100)
    increase = config.number("rollbackOnLatencyIncrease", 0, _MOST_INCREASE)
    checks = (
        None if points is None else Check("error_rate", above_baseline=points),
        None
        if increase is None
        else Check("latency_p95", times_baseline=round(1 + increase / 100, 9)),
    )
    return tuple(check for check in checks if check is not None) or None


def _split(config: Block) -> float | None:
    live, new = hotswap.share(config, "trafficSplitA"), hotswap.share(config, "trafficSplitB")
    if live is None:
        return new
    if new is None:
        return 100 - live
    return hotswap.new_share(config, "trafficSplitB", live, new)


def _winner(auto: bool | None) -> Winner | None:
    if auto is None:
        return None
    return "auto" if auto else "manual"
