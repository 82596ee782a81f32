"""What the `config` of a native body may say besides the words of the grammar: the other fields of a wish, by name.

Pure. One table; a name that is an option in chat stays one, so that it has one reader.
"""

from collections.abc import Callable, Mapping
from typing import Any

from strategies.dialects.block import Block
from strategies.wish import Wish

_MOST = 1_000_000_000


def _seconds(block: Block, key: str) -> int | None:
    return block.seconds(key, "refuse")


def _seconds_or_none(block: Block, key: str) -> int | None:
    return block.seconds(key, "refuse", at_least=0)


def _choice(*words: str) -> Callable[[Block, str], str | None]:
    choices = {word.replace("-", ""): word for word in words}
    return lambda block, key: block.choice(key, choices)


_FIELDS: Mapping[str, Callable[[Block, str], Any]] = {
    "cluster": Block.text,
    "live": Block.word,
    "min_soak": _seconds,
    "min_requests": lambda block, key: block.whole(key, 1, _MOST),
    "batch_timeout": _seconds,
    "batch_rollback": _choice("all", "failed-batch", "none"),
    "smoke_enabled": Block.flag,
    "smoke_for": _seconds_or_none,
    "switch_timeout": _seconds,
    "retention": _seconds_or_none,
    "compare": Block.texts,
    "winner": _choice("auto", "manual"),
    "score": _choice("weighted", "wins", "sequential"),
}
_SQUASHED = {name.replace("_", ""): name for name in _FIELDS}


def by_name(key: str) -> str | None:
    """Return the field that a key names, without the differences of spelling: capitals, dashes, underscores."""
    return _SQUASHED.get(key.casefold().replace("-", "").replace("_", ""))


def wish_from(config: Mapping[str, Any]) -> Wish:
    """Return what these keys ask for; those of others are not looked at. Raises `WishError`."""
    block, fields = Block(config, ("config",)), dict[str, Any]()
    for key in config:
        name = by_name(key)
        if name in fields:
            sentence = f"It says the same as another key, {name}. Say it once."
            raise block.wrong(key, sentence, code="duplicate_key")
        if name is not None:
            fields[name] = _FIELDS[name](block, key)
    return Wish(**fields)
