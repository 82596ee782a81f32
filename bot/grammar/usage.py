"""The help text, for Slack and the command line, built from the tables that the parser reads by.

Pure. It stays below 3000 characters, the most that one Slack section takes.
"""

from bot.grammar.options import KEYS, Key
from bot.grammar.phrases import PHRASES

_TAIL = (
    "Phones may put their dashes and quotes; `--key value` is the same as `key=value`; "
    "a bare number as a duration is minutes; all behind `because` is the reason, as written."
)


def usage(
    topic: str = "",
    *,
    deploy: str = "/deploy",
    rollback: str = "/rollback",
    verb: str = "/deploy {verb}",
) -> str:
    """Return the help text, or the lines about one of `topics()`; `""` for a topic that there is not.

    `deploy` and `rollback` are what these commands are called at the door (Slack's are configurable), `verb` is how the
    other verbs are reached there; on the command line `sluice deploy`, `sluice rollback`, `sluice {verb}`.
    """
    doors = {"deploy": deploy, "rollback": rollback}
    phrases = [
        f"{doors.get(one.verb, verb.format(verb=one.verb))} {one.form}: {one.about}"
        for one in PHRASES
        if topic in {"", one.verb}
    ]
    phrases += [line for one in PHRASES if topic == one.verb for line in one.more]
    options = [_option(key) for key in KEYS if topic in {"", key.name, key.alias}]
    return "\n".join([*phrases, *options] if topic else [*phrases, "", *options, "", _TAIL])


def _option(key: Key) -> str:
    alias = f" ({key.alias})" if key.alias else ""
    return f"{key.name}{alias}={key.example}: {key.about}"


def topics() -> tuple[str, ...]:
    """Return the words that `help` takes."""
    options = (name for key in KEYS for name in (key.name, key.alias) if name)
    return (*(phrase.verb for phrase in PHRASES), *options)
