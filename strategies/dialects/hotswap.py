"""What the JSON bodies of the two HotSwap guides (seeds 000 and 001) say alike: strategies, stages, what is kept."""

from typing import Literal

from strategies.dialects.block import Block

STRATEGIES = {
    "direct": "direct",
    "allatonce": "direct",
    "canary": "canary",
    "bluegreen": "blue-green",
    "rolling": "rolling",
    "abtesting": "ab-test",
}
"""Squashed words of the bodies -> native names."""

TYPED = (("cluster", "clusterId"),)
"""Keys that planning would name otherwise."""

_HOUR = 3_600
"""How long both guides keep the old version when a body only says that it is kept."""

Winner = Literal["auto", "manual"]


def stages(
    config: Block, first: str, every: str, usual: tuple[float, ...]
) -> tuple[float, ...] | None:
    """Return the steps from the key of the first one and the key of all of them.

    With the first alone the others are those of the guide (`usual`) above it; two that contradict are refused.
    """
    start, steps = config.number(first, 0.01, 100), config.percents(every)
    if start is None:
        return steps
    if steps is None:
        return (start, *(step for step in usual if step > start))
    if steps[0] != start:
        raise config.wrong(
            first,
            f"{start:g} is not the first of {every}, which is {steps[0]:g}. Say the same in both, or leave one out.",
            code="contradiction",
        )
    return steps


def retention(config: Block, keep: str, duration: str) -> int | None:
    """Return the seconds that the old version is kept, None: as configured."""
    kept, seconds = config.flag(keep), config.seconds(duration, "refuse", at_least=0)
    if kept is False and seconds:
        raise config.wrong(
            duration,
            f"It is kept for {seconds} s, but {keep} is false. Leave one of them out.",
            code="contradiction",
        )
    if kept and seconds == 0:
        raise config.wrong(
            keep,
            f"It is true, but {duration} is no time at all. Leave one out.",
            code="contradiction",
        )
    if kept is None or seconds is not None:
        return seconds
    return _HOUR if kept else 0


def new_share(config: Block, key: str, live: float, new: float) -> float:
    """Return the percent of the new version when both shares make 100 and neither is nothing."""
    if round(live + new, 9) != 100:
        raise config.wrong(
            key,
            f"{live:g} and {new:g} make {live + new:g}, not 100. Give two shares that make 100, like 50 and 50.",
            code="bad_split",
        )
    return new


def share(config: Block, key: str) -> float | None:
    """Return one share of an A/B split in percent: none and all would be no test."""
    return config.number(key, 0.01, 99.99)


def same_version(block: Block, key: str, version: str | None, other: str | None) -> str | None:
    """Return the version that two keys name; `key` is that of the second."""
    if version is not None and other is not None and version != other:
        raise block.wrong(
            key,
            f"It is {other}, but the version is {version}. Say the same in both, or leave one out.",
            code="contradiction",
        )
    return version if version is not None else other


def live(config: Block, key: str, new: str | None) -> str | None:
    """Return the version that a test believes to be live."""
    version = config.word(key)
    if version is not None and version == new:
        raise config.wrong(
            key,
            f"It is {version}, and so is the new version. A test needs two different ones.",
            code="contradiction",
        )
    return version
