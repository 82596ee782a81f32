"""Seed 001, serverless functions: a JSON body with `functionName`, and its threshold blocks alone.

Pure. Rates are fractions (0.05 is 5 %), latencies milliseconds; versions are numbers or text.
"""

from typing import Any, Literal

from strategies.dialects import hotswap
from strategies.dialects.block import Block
from strategies.dialects.hotswap import STRATEGIES, Winner
from strategies.dialects.metric_names import seed_metrics
from strategies.plan import Check
from strategies.wish import Wish

_WHAT = "a function deployment"
THRESHOLDS = ("rollbackOnErrorRate", "rollbackOnLatencyP99", "rollbackOnSuccessRate")
"""The keys that the guide also shows without a body around them."""
_KEYS = {
    "direct": THRESHOLDS,
    "canary": ("canaryPercentage", "canaryDuration", "canaryIncrements", *THRESHOLDS),
    "blue-green": ("testDuration", "switchType", "keepBlue", "keepBlueDuration", *THRESHOLDS),
    "rolling": ("batchSize", "batchDuration", "rollbackOnFailure", *THRESHOLDS),
    "ab-test": (
        "versionA", "versionB", "trafficSplit", "testDuration", "manualPromotion",
        "metricsToCompare", *THRESHOLDS,
    ),
}  # fmt: skip
_STAGES = (10.0, 50.0, 100.0)
"""Those of the guide."""
_HOUR_MS = 3_600_000


def read(body: Block) -> Wish:
    """Return what a body asks for. Raises `WishError`."""
    body.only(("functionName", "version", "environment", "clusterId", "strategy", "config"), _WHAT)
    strategy = body.choice("strategy", STRATEGIES, "unknown_strategy")
    config = body.options("config")
    config.fitting(strategy, _KEYS, f"the config of {_WHAT}")
    version = hotswap.same_version(
        config, "versionB", body.word("version"), config.word("versionB")
    )
    return Wish(
        service=body.required("functionName"),
        environment=body.text("environment"),
        version=version,
        strategy=strategy,
        live=hotswap.live(config, "versionA", version),
        cluster=body.text("clusterId"),
        typed=hotswap.TYPED,
        checks=_checks(config),
        **_watching(config, strategy),
        **_moving(config),
        **_comparing(config, version),
    )


def read_thresholds(block: Block) -> Wish:
    """Return the checks of a threshold block. Raises `WishError`."""
    block.only(THRESHOLDS, "a block of thresholds")
    return Wish(checks=_checks(block))


def _watching(config: Block, strategy: str | None) -> dict[str, Any]:
    soak = config.seconds("canaryDuration", "refuse")
    tested = config.seconds("testDuration", "refuse")
    if tested is not None and strategy is None:
        raise config.wrong(
            "testDuration",
            "It tests green before a blue-green switch and lasts as long as an A/B test. Add strategy to say which.",
            code="missing_strategy",
        )
    config.choice("switchType", {"instant": "Instant"})
    return {
        "steps": hotswap.stages(config, "canaryPercentage", "canaryIncrements", _STAGES),
        "soak": None if soak is None else (soak,),
        "smoke_for": tested if strategy == "blue-green" else None,
        "test_duration": tested if strategy == "ab-test" else None,
        "retention": hotswap.retention(config, "keepBlue", "keepBlueDuration"),
    }


def _moving(config: Block) -> dict[str, Any]:
    return {
        "batch": config.batch_percent("batchSize"),
        "batch_delay": config.seconds("batchDuration", "refuse", at_least=0),
        "batch_rollback": _undone(config.flag("rollbackOnFailure")),
    }


def _comparing(config: Block, version: str | None) -> dict[str, Any]:
    return {
        "split": _split(config, version),
        "compare": seed_metrics(config, "metricsToCompare"),
        "winner": _winner(config.flag("manualPromotion")),
    }


def _undone(rollback: bool | None) -> Literal["all", "none"] | None:
    if rollback is None:
        return None
    return "all" if rollback else "none"


def _winner(manual: bool | None) -> Winner | None:
    if manual is None:
        return None
    return "manual" if manual else "auto"


def _checks(config: Block) -> tuple[Check, ...] | None:
    errors = _rate(config, "rollbackOnErrorRate")
    latency = config.number("rollbackOnLatencyP99", 0.001, _HOUR_MS)
    success = _rate(config, "rollbackOnSuccessRate")
    checks = (
        None if errors is None else Check("error_rate", above=errors),
        None if latency is None else Check("latency_p99", above=latency),
        None if success is None else Check("success_rate", below=success),
    )
    return tuple(check for check in checks if check is not None) or None


def _rate(config: Block, key: str) -> float | None:
    """Return a fraction as percent."""
    fraction = config.number(key, -1e14, 1e14)
    if fraction is None:
        return None
    if not 0 <= fraction <= 1:
        raise config.wrong(
            key,
            f"{fraction:g} is out of range: here a rate is a fraction, 0 to 1, and 5 % is 0.05.",
            code="out_of_range",
        )
    return round(fraction * 100, 9)


def _split(config: Block, version: str | None) -> float | None:
    key = "trafficSplit"
    shares = config.inside(key)
    if shares is None:
        return None
    live, new = _variants(config, shares, version)
    first, second = hotswap.share(shares, live), hotswap.share(shares, new)
    assert first is not None
    assert second is not None
    return hotswap.new_share(config, key, first, second)


def _variants(config: Block, shares: Block, version: str | None) -> tuple[str, str]:
    """Return the keys of the live and of the new version in the split."""
    live = config.word("versionA")
    if version is not None and version in shares.body and len(shares.body) == 2:
        (other,) = (name for name in shares.body if name != version)
        if live is None or live == other:
            return other, version
    expected = " and ".join(one for one in (live, version) if one) or "versionA and versionB"
    raise config.wrong(
        "trafficSplit",
        f"It shares the traffic out to {', '.join(map(str, shares.body))}, but the test is between {expected}. "
        "Name exactly those two.",
        code="bad_split",
    )
