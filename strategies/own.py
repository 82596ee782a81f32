"""The strategies that come with this package, by name."""

from collections.abc import Callable, Mapping

from strategies import ab_test, blue_green, canary, direct, recreate, rolling
from strategies.plan import Plan
from strategies.request import Request

COMPILERS: Mapping[str, Callable[[Request], Plan]] = {
    "direct": direct.compile,
    "recreate": recreate.compile,
    "canary": canary.compile,
    "blue-green": blue_green.compile,
    "rolling": rolling.compile,
    "ab-test": ab_test.compile,
}

OTHER_NAMES: Mapping[str, str] = {"allatonce": "direct", "abtesting": "ab-test", "a/b": "ab-test"}
"""What else people call them, as `squashed` writes it."""
