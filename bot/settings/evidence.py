"""The block `evidence`: how sure the counts of both versions have to be before they decide, and what may be risked.

Pure. An environment says it for all its services, a target for itself: key by key the nearer one counts, and a key that
nobody writes is as usual (`strategies.evidence.Policy`).
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from bot.settings.block import Block
from bot.settings.document import Scalar
from bot.settings.fields import choice, number, read_seconds, refuse, whole
from bot.settings.scalars import format_duration
from strategies.evidence import Policy

_LONGEST_WARMUP = 3600
_MOST_REQUESTS = 1_000_000


def _off_is_a_word(value: Any) -> Any:
    """Take what YAML reads as true or false for the word it is: nobody puts `off` in quotes."""
    if isinstance(value, Scalar) and value.kind == "flag":
        return Scalar(value.text, "text", value.at)
    return value


def _read_warmup(value: Any) -> Any:
    seconds = read_seconds(value, 0)
    if isinstance(seconds, int) and not 0 <= seconds <= _LONGEST_WARMUP:
        said = format_duration(seconds)
        raise refuse("out_of_range", f"{said} is out of range: take 0s to 1h.")
    return seconds


Tolerated = Annotated[float, number(0, 200)]


class EvidenceBlock(Block):
    """How the counts decide; what each key means is said in `strategies.evidence.policy`."""

    mode: Annotated[
        Literal["decide", "observe", "off"],
        choice("decide", "observe", "off"),
        BeforeValidator(_off_is_a_word),
    ] = "decide"
    alpha: Annotated[float, number(0.0001, 0.2)] = 0.01
    beta: Annotated[float, number(0.001, 0.5)] = 0.05
    tolerate_errors: Tolerated = 5
    tolerate_latency: Tolerated = 15
    blast: Annotated[float, number(0.01, 100)] = 1
    budget: Annotated[int, whole(0, _MOST_REQUESTS)] = 10
    max_extension: Annotated[float, number(1, 20)] = 3
    warmup: Annotated[int, BeforeValidator(_read_warmup)] = 120
    windows: Annotated[int, whole(1, 20)] = 3
    noise: Annotated[float, number(0, 5)] = 0.1


def policy_from(environment: EvidenceBlock, target: EvidenceBlock) -> Policy | None:
    """Return how the counts decide for a target in an environment; None: as usual."""
    written = {
        name: getattr(block, name)
        for block in (environment, target)
        for name in block.model_fields_set
    }
    usual = Policy()
    policy = Policy(**{name: _like(getattr(usual, name), said) for name, said in written.items()})
    return None if policy == usual else policy


def _like(usual: Any, value: Any) -> Any:
    """Return a value of the type of its field: a plan has to come back from storage as it is."""
    return float(value) if isinstance(usual, float) else value
