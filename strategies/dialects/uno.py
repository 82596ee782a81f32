"""Seed 004, the uno pipeline: the Python options of its strategies, and of its scripts.

Pure. Durations are seconds, `batch_size` is a count, `metrics_threshold` has native metrics in native units. Without
`strategy` the options say which one is meant, because most of them belong to one.
"""

import re
from collections.abc import Collection

from strategies.dialects.block import Block
from strategies.dialects.metric_names import unknown
from strategies.plan import Check, SmokeTest
from strategies.scalars import checked_steps
from strategies.verdict import unit
from strategies.wish import Wish
from strategies.yardsticks import better_of

_STRATEGIES = {
    "bluegreen": "blue-green",
    "rolling": "rolling",
    "canary": "canary",
    "recreate": "recreate",
}
_OWN = {
    "blue-green": ("health_check_url", "health_check_timeout", "switch_timeout"),
    "rolling": ("batch_size", "batch_timeout"),
    "canary": ("initial_percentage", "increments", "increment_interval"),
    "recreate": (),
}
"""The options of every strategy."""
_ANYWHERE = (
    "app_name", "image_tag", "namespace", "environment", "platform", "strategy", "metrics_threshold",
)  # fmt: skip
_KEYS = {strategy: (*own, *_ANYWHERE) for strategy, own in _OWN.items()}
_WHAT = "the options of a deployment"

TELLING = frozenset(
    {"app_name", "image_tag", "metrics_threshold", *(key for own in _OWN.values() for key in own)}
)
"""The keys that tell this dialect; others have the rest as well."""

_INITIAL = 10.0
_INCREMENTS = (25.0, 50.0, 75.0, 100.0)
_CHECK_SECONDS = 60
"""Defaults of the guide."""
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*", re.ASCII | re.IGNORECASE)
_LARGEST = 1e14


def read(body: Block, metrics: Collection[str] | None) -> Wish:
    """Return what the options ask for. Raises `WishError`.

    `metrics` are the native names that can be measured; None: that is looked at elsewhere.
    """
    strategy = body.choice("strategy", _STRATEGIES, "unknown_strategy")
    body.fitting(strategy, _KEYS, _WHAT)
    body.choice("platform", {"kubernetes": "kubernetes"})
    interval = body.seconds("increment_interval", "seconds")
    return Wish(
        service=body.text("app_name"),
        version=body.word("image_tag"),
        environment=body.text("environment"),
        namespace=body.text("namespace"),
        strategy=strategy or _meant(body),
        steps=_steps(body),
        soak=None if interval is None else (interval,),
        checks=_checks(body, metrics),
        batch=body.whole("batch_size", 1, 100_000),
        batch_timeout=body.seconds("batch_timeout", "seconds"),
        smoke=_smoke(body),
        switch_timeout=body.seconds("switch_timeout", "seconds"),
    )


def _meant(body: Block) -> str | None:
    """Return the strategy that the options belong to. Raises `WishError` when they belong to several."""
    owners = {key: name for name, own in _OWN.items() for key in own if body.has(key)}
    names = sorted(set(owners.values()))
    if len(names) > 1:
        first, other = (next(key for key in owners if owners[key] == name) for name in names[:2])
        raise body.wrong(
            other,
            f"This belongs to {names[1]}, but {first} belongs to {names[0]}. Add strategy, and leave the others out.",
            code="missing_strategy",
        )
    return names[0] if names else None


def _steps(body: Block) -> tuple[float, ...] | None:
    first, rest = body.number("initial_percentage", 0.01, 100), body.percents("increments")
    if first is None and rest is None:
        return None
    start = _INITIAL if first is None else first
    if rest is None:
        return checked_steps((start, *(step for step in _INCREMENTS if step > start)))
    if rest[0] <= start:
        raise body.wrong(
            "increments",
            f"{rest[0]:g} does not rise above the initial percentage, {start:g}. Each step is larger than the last.",
            code="bad_steps",
        )
    return (start, *rest)


def _checks(body: Block, metrics: Collection[str] | None) -> tuple[Check, ...] | None:
    limits = body.inside("metrics_threshold")
    if limits is None:
        return None
    return tuple(_check(limits, metric, metrics) for metric in limits.body)


def _check(limits: Block, metric: str, metrics: Collection[str] | None) -> Check:
    if metrics is not None and metric not in metrics:
        raise unknown(limits, metric, metric, metrics)
    if better_of(metric) == "higher":
        raise limits.wrong(
            metric,
            "Here a limit means roll back above it, and of this metric more is better. "
            "Limit error_rate, or use a check with below in sluice.yaml.",
            code="bad_value",
        )
    limit = limits.number(metric, 0, 100 if unit(metric) == " %" else _LARGEST)
    return Check(metric, above=limit)


def _smoke(body: Block) -> tuple[SmokeTest, ...] | None:
    url, timeout = body.text("health_check_url"), body.seconds("health_check_timeout", "seconds")
    if url is None:
        if timeout is not None:
            sentence = "There is no health_check_url that it could be the time for. Add one, or leave it out."
            raise body.wrong("health_check_timeout", sentence, code="missing_key")
        return None
    if (
        not _URL.fullmatch(url)
        or "{" in url.replace("{env}", "")
        or "}" in url.replace("{env}", "")
    ):
        sentence = "This is no web address. Write it like http://my-app-{env}.example.com/health."
        raise body.wrong("health_check_url", sentence, code="bad_url")
    return (SmokeTest(url=url, timeout=_CHECK_SECONDS if timeout is None else timeout),)
