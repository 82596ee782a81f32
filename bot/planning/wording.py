"""The options that people type, in native words.

Pure. After it nobody knows whether a request was typed or came as a file.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, cast

from bot.grammar.verbs import Options
from bot.settings.scalars import parse_batch
from bot.settings.targets import TargetBlock
from strategies import cookies
from strategies.plan import Check, Rule
from strategies.wish import Wish

_FIELDS = {"batch_size": "batch"}
"""Where the field of a wish is not called as that of the option."""


def wish_of(options: Options, target: TargetBlock) -> Wish:
    """Return what the options ask for; a limit keeps what the target does when its check fails."""
    return Wish(
        strategy=options.strategy,
        namespace=options.namespace,
        mesh=options.mesh,
        steps=options.steps,
        soak=options.soak,
        checks=tuple(_limits(options, target)) or None,
        auto_promote=options.auto_promote,
        keep_baseline=options.keep_baseline,
        approvals=options.approvals,
        match=tuple(_audience(options)) or None,
        batch=None if options.batch_size is None else parse_batch(options.batch_size),
        batch_delay=options.batch_delay,
        max_concurrent=options.max_concurrent,
        split=None if options.split is None else float(options.split.partition("/")[2]),
        test_duration=options.test_duration,
        confidence=cast("Literal['high', 'normal', 'low'] | None", options.confidence),
        at=options.at,
        cron=options.cron,
        typed=tuple((_FIELDS.get(name, name), key) for name, key in options.typed),
    )


def _limits(options: Options, target: TargetBlock) -> Iterator[Check]:
    for metric, limit in (
        ("error_rate", options.error_threshold),
        ("latency_p95", options.latency_p95),
    ):
        if limit is None:
            continue
        configured = [c for c in target.checks if c.metric == metric and c.above is not None]
        yield from (replace(c, above=limit) for c in configured or [Check(metric, above=limit)])


def _audience(options: Options) -> Iterator[Rule]:
    """Yield the rules of `header=`, `user-tier=` and `region=`; any of them is enough for a request.

    The header `cookie` carries all cookies, so its value is one of them: `NAME=VALUE`.
    """
    if options.header is not None:
        name, equals, value = options.header.partition("=")
        if name == cookies.HEADER and equals:
            yield cookies.cookie_rule(cookies.cookie_pair(value))
        else:
            yield Rule(name, equals=value) if equals else Rule(name, present=True)
    if options.user_tier is not None:
        yield Rule("x-user-tier", equals=options.user_tier)
    if options.region is not None:
        yield Rule("x-region", equals=options.region)
