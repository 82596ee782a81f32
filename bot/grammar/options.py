"""The options of a request: one table of keys, and how `key=value`, `--key value` and bare flags are read by it.

Pure. A key that is not in the table is an error with a suggestion, never ignored; so is a value that cannot be.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.grammar import quantities as q
from bot.grammar.crontab import crontab
from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, closest, did_you_mean, inert, shown
from bot.grammar.verbs import Options
from bot.settings.scalars import PRESETS, format_duration, parse_percent, parse_strategy
from strategies import known_strategies

VOTES = ("promote", "approve")


@dataclass(frozen=True, slots=True)
class Key:
    """One option: how it is called, what it looks like, how it is read and written."""

    name: str
    example: str
    about: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    alias: str = ""
    flag: bool = False
    choices: tuple[str, ...] = ()
    """Words that the value may be, for a suggestion."""
    verbs: tuple[str, ...] = ("deploy", "plan")
    """Where it may stand."""

    @property
    def field(self) -> str:
        """The attribute of `Options` (of `Promote` for `gate`)."""
        return (self.alias or self.name).replace("-", "_")


def _numbers(weights: Iterable[float]) -> str:
    return ",".join(q.plain_number(weight) for weight in weights)


def _durations(seconds: Iterable[int]) -> str:
    return ",".join(format_duration(one) for one in seconds)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


_STRATEGIES = known_strategies()
_PRESETS = " | ".join(PRESETS)
KEYS: tuple[Key, ...] = (
    Key("strategy", "canary", " | ".join(_STRATEGIES), parse_strategy, choices=_STRATEGIES),
    Key(
        "traffic-steps",
        "5,25,50,100",
        f"percent, or {_PRESETS}",
        q.steps,
        _numbers,
        "steps",
        choices=tuple(PRESETS),
    ),
    Key("step-duration", "5m", "watch each step so long, or a list", q.soaks, _durations, "soak"),
    Key("error-threshold", "5", "percent of errors", parse_percent, q.plain_number),
    Key("latency-p95", "500", "milliseconds", q.latency, q.plain_number),
    Key("auto-promote", "true", "no gates", q.yes_or_no, _flag, flag=True),
    Key("dry-run", "true", "show, do nothing", q.yes_or_no, _flag, flag=True),
    Key("namespace", "orion", "must be the target's", q.lower_name),
    Key("mesh", "istio", "must be the target's", q.lower_name),
    Key("at", "22:00", "start then", q.moment, _quoted),
    Key("cron", '"0 2 * * *"', "start at the next match", crontab, _quoted),
    Key("after", "r-1a2b3c4d", "queue behind that rollout", q.name),
    Key("header", "x-canary=true", "these requests first", q.header, _quoted),
    Key("user-tier", "beta", "these users first", q.name),
    Key("region", "us-west-2", "this region first", q.name),
    Key("batch-size", "25%", "percent, or a number of instances", q.batch),
    Key("batch-delay", "1m", "wait between batches", q.delay, format_duration),
    Key("max-concurrent", "5", "instances at a time", q.count),
    Key("test-duration", "10m", "smoke or A/B test", q.duration, format_duration),
    Key("split", "50/50", "A/B, live first", q.split),
    Key("approvals", "2", "people per gate, only more", q.people),
    Key("keep-baseline", "5", "percent kept back, last soak", q.baseline, q.plain_number),
    Key("confidence", "high", "how sure you are: high, normal, low or percent", q.confidence),
    Key(
        "break-glass",
        "true",
        "pass a rule in an emergency",
        q.yes_or_no,
        _flag,
        flag=True,
        verbs=("deploy", *VOTES),
    ),
    Key("gate", "2", "with promote: this gate only", q.name, verbs=VOTES),
)

# What people try because other tools have it, and what to write here.
_ELSEWHERE = {
    "environment": "to ENVIRONMENT",
    "env": "to ENVIRONMENT",
    "to": "to ENVIRONMENT",
    "version": "SERVICE VERSION",
    "service": "SERVICE VERSION",
    "reason": "because REASON",
    "help": "help",
}


def _squashed(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


_BY_NAME = {_squashed(name): key for key in KEYS for name in (key.name, key.alias) if name}


def is_option(word: Word) -> bool:
    """Say whether a word is meant as an option: dashes in front, `=` inside, or the name of a flag."""
    key = _BY_NAME.get(_squashed(word.text))
    return word.dashed or "=" in word.text or (key is not None and key.flag)


@dataclass(frozen=True, slots=True)
class Given:
    """The options of one line, by field: what they are, and how key and value were typed."""

    values: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def take_option(line: Line, given: Given, verb: str) -> None:
    """Read the option that is next on the line, one of `verb`'s, into `given`. Raises `WordsError`."""
    word = line.take()
    assert word is not None
    typed, equals, value = word.text.lstrip("-").partition("=")
    key = _found(word, typed, verb)
    if key.field in given.values:
        sentence = f"`{shown(typed)}` is there twice. Say it once."
        raise WordsError(sentence, code="duplicate_option", key=shown(typed))
    if key.flag and not equals:
        given.values[key.field] = _flag_value(line, word)
        return
    text = line.take_value(value if equals else _next_value(line), typed)
    if not text:
        sentence = f"`{shown(word.text)}` has no value. Write for example `{_sample(key)}`."
        raise WordsError(sentence, code="empty_value", key=shown(typed), suggestion=_sample(key))
    text = _whole_strategy(line, text) if key.field == "strategy" else text
    given.values[key.field] = _value(key, typed, text)
    given.keys[key.field], given.texts[key.field] = shown(typed), text


def _found(word: Word, typed: str, verb: str) -> Key:
    key = _BY_NAME.get(_squashed(typed))
    if key is None:
        raise unknown_option(word.text, typed)
    if verb not in key.verbs:
        sentence = f"`{shown(typed)}` goes with {key.verbs[0]}, not with {verb}. Leave it out."
        raise WordsError(sentence, code="misplaced_option", key=shown(typed))
    return key


def unknown_option(word: str, typed: str) -> WordsError:
    """Return the error for a key that is not in the table."""
    names = [name for key in KEYS for name in (key.name, key.alias) if name]
    near = _ELSEWHERE.get(typed.casefold()) or closest(typed.replace("_", "-"), names)
    ask = did_you_mean(near) or " See `help` for the options there are."
    # Only the key: what stands behind an unknown one may be a password meant for another window.
    sentence = f"`{shown(word.partition('=')[0])}` is not an option here.{ask}"
    return WordsError(sentence, code="unknown_option", key=shown(typed), suggestion=near)


def _next_value(line: Line) -> str:
    word = line.peek()
    if word is None or word.because or word.dashed:
        return ""
    line.take()
    return word.text


def _flag_value(line: Line, flag: Word) -> bool:
    """Return true for a bare flag; only behind dashes does a `true` or `no` belong to it, as in other tools."""
    word = line.peek()
    if flag.dashed and word is not None and word.key in q.YES | q.NO:
        line.take()
        return q.yes_or_no(word.key)
    return True


def _whole_strategy(line: Line, text: str) -> str:
    """Return all of `blue green` or `all at once`: blanks do not matter in the names of strategies."""
    if _is_strategy(text):
        return text
    longer, back = text, line.at
    for _ in range(2):
        word = line.take()
        longer = f"{longer} {word.text}" if word else longer
        if _is_strategy(longer):
            return longer
    line.at = back
    return text


def _is_strategy(text: str) -> bool:
    try:
        parse_strategy(text)
    except ValueError:
        return False
    return True


def _value(key: Key, typed: str, text: str) -> Any:
    try:
        return key.read(text)
    except ValueError as error:
        choice = closest(text, key.choices)
        near = f"{key.alias or key.name}={choice}" if choice else None
        said = f"`{shown(f'{typed}={text}')}` does not work. {inert(str(error))}"
        sentence = said + did_you_mean(near)
        raise WordsError(sentence, code="bad_value", key=shown(typed), suggestion=near) from None


def _sample(key: Key) -> str:
    return f"{key.alias or key.name}={key.example}"


def options_from(given: Given) -> Options:
    """Return the options of one request. Raises `WordsError` where two of them contradict each other."""
    options = replace(Options(), **given.values, typed=_typed(given))
    if options.at is not None and options.cron is not None:
        sentence = "`at` and `cron` both say when to start. Choose one."
        raise WordsError(sentence, code="bad_value", key=given.keys["cron"])
    if options.after is not None and (options.at or options.cron):
        sentence = "`after` and a moment both say when to start. Choose one."
        raise WordsError(sentence, code="bad_value", key=given.keys["after"])
    if options.steps is not None and options.soak is not None and len(options.soak) > 1:
        typed = given.texts["steps"]
        steps = len(options.steps if typed.casefold() in PRESETS else q.parts(typed))
        if len(options.soak) != steps:
            key = given.keys["soak"]
            counts = f"`{key}` has {len(options.soak)} values for {steps} steps."
            sentence = f"{counts} Give one for all, or one per step."
            raise WordsError(sentence, code="bad_value", key=key)
    return options


def _typed(given: Given) -> tuple[tuple[str, str], ...]:
    names = {key.field: key.name for key in KEYS}
    return tuple((field, typed) for field, typed in given.keys.items() if typed != names[field])


def options_to_words(options: Options) -> list[str]:
    """Return the options as `key=value`, only those that say something, in the order of the table."""
    default, said = Options(), _as_given(options)
    return [
        f"{key.alias or key.name}={key.write(value)}"
        for key in KEYS
        if "deploy" in key.verbs
        and (value := getattr(said, key.field)) != getattr(default, key.field)
    ]


def _as_given(options: Options) -> Options:
    """Leave out a last step of 100 that was added: with one soak per given step it would be one too many."""
    steps, soak = options.steps, options.soak
    added = steps is not None and soak is not None and 1 < len(soak) == len(steps) - 1
    return replace(options, steps=steps[:-1]) if added and steps is not None else options
