"""What REST bodies mean: JSON in, the same commands as the grammar makes out.

Pure. A body goes through the grammar's own tables, so that a word means the same at every door. Unknown keys are errors
that name the key; a bare number as a duration is an error, because JSON does not say minutes or seconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bot.api.native_names import by_name, wish_from
from bot.commands import Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.options import KEYS, Key
from bot.grammar.places import USUAL
from bot.grammar.quantities import parts, plain_number
from bot.grammar.verbs import Deploy
from strategies import dialects
from strategies.wish import Wish, WishError

_NATIVE = ("service", "version", "environment", "strategy", "config", "reason", "at", "dry_run")
_SEEDS = ("functionName", "policyId")
"""The key that names the service in the body of a seed, and tells that it is one."""
_BESIDE = ("reason", "at", "dry_run")
"""What may stand beside a seed's own keys."""
_VERSIONS = ("version", "versionB", "policyBId")
_DURATIONS = {"soak", "batch_delay", "test_duration"}


def squashed(name: str) -> str:
    """Return a key without the differences of spelling: capitals, dashes, underscores."""
    return name.casefold().replace("-", "").replace("_", "")


_BY_NAME: Mapping[str, Key] = {
    squashed(name): key
    for key in KEYS
    if "deploy" in key.verbs
    for name in (key.name, key.alias)
    if name
}


def deploy_from(body: Any, known: Known) -> Deploy:
    """Return the command of a native body or of a seed's. Raises `Refusal` 422 and `WordsError`."""
    if not isinstance(body, dict):
        raise _wrong("The body must be a JSON object.", "bad_body")
    if any(key in body for key in _SEEDS):
        return _from_seed(body, known)
    command = _from_native(body, known)
    wish = _understood(lambda: wish_from(_config(body)))
    return command if wish == Wish() else command.wishing(wish)


def _from_seed(body: Mapping[str, Any], known: Known) -> Deploy:
    """Return the command of a seed's body: its names as they are configured, the rest as a wish."""
    wish = _understood(
        lambda: dialects.read({key: body[key] for key in body if key not in _BESIDE})
    )
    names = {
        "service": wish.service,
        "version": wish.version,
        "environment": wish.environment or USUAL,
    }
    beside = {key: body[key] for key in _BESIDE if key in body}
    typed = {
        "service": next(key for key in _SEEDS if key in body),
        "version": next((key for key in _VERSIONS if _has(body, key)), "version"),
    }
    try:
        command = _from_native({**names, **beside}, known)
    except WordsError as error:
        raise _renamed(words_refused(error), typed) from None
    except Refusal as refusal:
        raise _renamed(refusal, typed) from None
    return command.wishing(wish)


def _has(body: Mapping[str, Any], key: str) -> bool:
    config = body.get("config")
    return key in body or (isinstance(config, dict) and key in config)


def _renamed(refusal: Refusal, typed: Mapping[str, str]) -> Refusal:
    """Return a refusal with the key as the body has it."""
    return Refusal(
        str(refusal),
        code=refusal.code,
        status=refusal.status,
        key=typed.get(refusal.key, refusal.key),
        suggestion=refusal.suggestion,
    )


def _understood(read: Callable[[], Wish]) -> Wish:
    try:
        return read()
    except WishError as error:
        raise Refusal(
            str(error), code=error.code, status=422, key=error.key, suggestion=error.suggestion
        ) from None


def _from_native(body: Mapping[str, Any], known: Known) -> Deploy:
    for key in body:
        if key not in _NATIVE:
            raise _wrong(
                f"{key[:60]} is not a key of a deployment; known are {', '.join(_NATIVE)}.",
                "unknown_key",
                key,
            )
    words = ["deploy", _word(body, "service"), _word(body, "version")]
    if body.get("environment") is not None:
        words += ["to", _word(body, "environment")]
    words += _options(body)
    if body.get("dry_run"):
        words.append("dry-run=true")
    reason = _text(body, "reason")
    line = " ".join(words) + (f" because {reason}" if reason else "")
    command = parse_line(line, known)
    if not isinstance(command, Deploy):
        raise _wrong("The body does not name a deployment.", "bad_body")
    return command


def _word(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value or len(value.split()) != 1:
        raise _wrong(f"{key} must be one word in quotes.", f"missing_{key}", key)
    if value.startswith("-") or "=" in value:
        raise _wrong(f"{key} cannot be {value[:60]!r}.", "bad_value", key)
    return value


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{key} must be text.", "bad_value", key)
    return value


def _config(body: Mapping[str, Any]) -> Mapping[str, Any]:
    config = {} if body.get("config") is None else body["config"]
    if not isinstance(config, dict):
        raise _wrong("config must be an object.", "bad_value", "config")
    return config


def _options(body: Mapping[str, Any]) -> list[str]:
    given = {name: value for name, value in _config(body).items() if by_name(name) is None}
    if body.get("strategy") is not None:
        given["strategy"] = body["strategy"]
    if body.get("at") is not None:
        given["at"] = body["at"]
    if not isinstance(body.get("dry_run", False), bool):
        raise _wrong("dry_run must be true or false.", "bad_value", "dry_run")
    return [_option(name, value) for name, value in given.items()]


def _option(name: str, value: Any) -> str:
    key = _BY_NAME.get(squashed(name))
    if key is None:
        raise _wrong(f"{name[:60]} is not an option of a deployment.", "unknown_key", name)
    text = _spelled(name, value, duration=key.field in _DURATIONS)
    if '"' in text or "\n" in text:
        raise _wrong(f"{name} cannot contain quotes or line breaks.", "bad_value", name)
    # By the key as it was written, so that a refusal names that one.
    return f'{name}="{text}"' if " " in text else f"{name}={text}"


def _spelled(name: str, value: Any, *, duration: bool) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            if duration:
                raise _bare(name)
            return str(value) if isinstance(value, int) else plain_number(value)
        case str():
            if duration and any(part.isdigit() for part in parts(value)):
                raise _bare(name)
            return value
        case list() if not any(isinstance(one, list) for one in value):
            return ",".join(_spelled(name, one, duration=duration) for one in value)
        case _:
            raise _no_value(name, value)


def _no_value(name: str, value: Any) -> Refusal:
    if value is None:
        return _wrong(
            f"{name} has no value (null). Give one, or leave {name} out to keep what is configured.",
            "bad_value",
            name,
        )
    kind = "a list within a list" if isinstance(value, list) else "an object"
    return _wrong(
        f"{name} cannot be {kind}. Give text, a number, true, false, or a plain list of them.",
        "bad_value",
        name,
    )


def _bare(name: str) -> Refusal:
    return _wrong(
        f'{name} is a duration: write it with its unit, like "5m" or "PT5M".', "bare_number", name
    )


def _wrong(sentence: str, code: str, key: str = "") -> Refusal:
    return Refusal(sentence, code=code, status=422, key=key)


def words_refused(error: WordsError) -> Refusal:
    """Return words that were not understood as the refusal that REST answers."""
    return Refusal(
        str(error),
        code=error.code,
        status=422,
        key=error.key or "",
        suggestion=error.suggestion or "",
    )
