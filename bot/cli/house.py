"""What runs or looks after a bot: serve, sandbox, migrate, doctor, token. The work is behind the place.doors."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.cli.doors import SandboxOptions
from bot.cli.mistakes import DONE, REFUSED, CliError
from bot.cli.place import Place, Words
from bot.cli.terminal import Outcome, clean
from bot.cli.typed import split_flags
from bot.grammar.mistakes import closest, did_you_mean, shown
from bot.settings import (
    SettingsError,
    database_url,
    parse_listen,
    read_settings,
)

_COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skip": ""}
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_OWNER = re.compile(r"[UW][A-Z0-9]{2,20}")
_ROOT = "root"
"""The name under which SLUICE_API_TOKEN acts."""
_FASTEST = 3600.0


def serve(words: Words, place: Place) -> Outcome:
    """Run the bot until it is stopped."""
    _alone(words)
    return _ended(place.doors.serve(read_settings(place.environ)))


def sandbox(words: Words, place: Place) -> Outcome:
    """Run the bot with a stand-in Slack and a simulated mesh until it is stopped."""
    flags, rest = split_flags(
        words,
        {"--listen": "127.0.0.1:8080", "--no-open": "", "--speed": "30", "--script": "demo.txt", "--live": ""},
        strict=True,
    )  # fmt: skip
    _no_more(rest, 1)
    usual = SandboxOptions()
    host, port = _loopback(flags["--listen"]) if "--listen" in flags else (usual.host, usual.port)
    options = SandboxOptions(
        host,
        port,
        open_page="--no-open" not in flags,
        speed=_speed(flags["--speed"]) if "--speed" in flags else usual.speed,
        script=_script(flags["--script"]) if "--script" in flags else None,
        live="--live" in flags,
    )
    return _ended(place.doors.sandbox(options))


def migrate(words: Words, place: Place) -> Outcome:
    """Bring the database up to date."""
    _alone(words)
    place.doors.migrate(database_url(place.environ))
    return _done("The database is up to date.")


def doctor(words: Words, place: Place) -> Outcome:
    """Look at everything that a start needs; one failed row makes it exit 1."""
    _alone(words)
    rows = place.doors.doctor(place.local.config_path)
    lines: list[str] = []
    for row in rows:
        status = place.style.paint(f"{row.status:<4}", _COLOURS[row.status])
        lines.append(f"{status}  {clean(f'{row.name}: {row.message}')}")
        lines += [clean(f"      {row.fix}")] if row.fix else []
    failed = any(row.status == "fail" for row in rows)
    values = [
        {"name": row.name, "status": row.status, "message": row.message, "fix": row.fix}
        for row in rows
    ]
    return Outcome(values, lines, exit_code=REFUSED if failed else DONE)


def token(words: Words, place: Place) -> Outcome:
    """Do `token create NAME [--owner U…]` or `token revoke NAME`."""
    acts: Mapping[str, Callable[[Words], Outcome]] = {
        "create": lambda rest: _create(rest, place),
        "revoke": lambda rest: _revoke(rest, place),
    }
    word = words[1] if len(words) > 1 else ""
    act = acts.get(word.casefold())
    if act is None:
        near = closest(word, acts) if word else None
        ask = did_you_mean(f"token {near}" if near else None)
        what = f"`token {shown(word)}` is nothing I can do." if word else "What about the token?"
        raise CliError(
            f"{what}{ask or ' Write `sluice token create NAME` or `sluice token revoke NAME`.'}",
            code="unknown_word" if word else "missing_word",
            key=shown(word) or "token",
            suggestion=near or "",
        )
    return act(words[2:])


def _create(words: Words, place: Place) -> Outcome:
    flags, rest = split_flags(words, {"--owner": "U0BOB"}, strict=True)
    name, owner = _token_name(rest), flags.get("--owner", "")
    if owner and not _OWNER.fullmatch(owner):
        raise CliError(
            f"`{shown(owner)}` is no Slack user id. Write one like U0BOB, from the person's profile in Slack.",
            code="bad_value",
            key="--owner",
        )
    secret = place.doors.create_token(database_url(place.environ), name, owner)
    value = {"name": name, "owner": owner or None, "token": secret}
    return Outcome(value, [secret], ["Keep it well: it is not shown again."])


def _revoke(words: Words, place: Place) -> Outcome:
    _, rest = split_flags(words, {}, strict=True)
    name = _token_name(rest)
    if not place.doors.revoke_token(database_url(place.environ), name):
        raise CliError(
            f"There is no token called {name}. Nothing was changed.",
            code="unknown_token",
            exit_code=REFUSED,
            key=name,
        )
    return _done(f"The token {name} no longer opens anything.")


def _token_name(words: Words) -> str:
    if not words:
        raise CliError(
            "Which token? Give it a name, for example `ci`.", code="missing_name", key="NAME"
        )
    _no_more(words, 1)
    if not _TOKEN_NAME.fullmatch(words[0]) or words[0] == _ROOT:
        raise CliError(
            f"`{shown(words[0])}` cannot be the name of a token. Use letters, digits, dots and dashes, at most 63, "
            f"and not `{_ROOT}`, which is SLUICE_API_TOKEN.",
            code="bad_name",
            key=shown(words[0]),
        )
    return words[0]


def _loopback(text: str) -> tuple[str, int]:
    try:
        host, port = parse_listen(text)
    except SettingsError as error:
        sentence = f"`{shown(text)}` is no address to listen on. Write it like 127.0.0.1:8080."
        raise CliError(sentence, code=error.code, key="--listen") from None
    if host.casefold() != "localhost" and not _is_loopback(host):
        raise CliError(
            f"The sandbox lets anybody be anybody, so it listens on loopback only, not on {shown(host)}. "
            "Write for example 127.0.0.1:8080.",
            code="not_loopback",
            key="--listen",
        )
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed <= _FASTEST:
        raise CliError(
            f"`{shown(text)}` is no speed. Write how much faster than the clock, above 0 and up to {_FASTEST:g}.",
            code="bad_value",
            key="--speed",
        )
    return speed


def _script(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise CliError(
            f"There is no file {shown(text)}. Check the name.",
            code="unreadable_file",
            key="--script",
        )
    return path


def _alone(words: Words) -> None:
    _, rest = split_flags(words, {}, strict=True)
    _no_more(rest, 1)


def _no_more(words: Words, most: int) -> None:
    if len(words) > most:
        word = shown(words[most])
        raise CliError(
            f"I do not know what `{word}` is for. Leave it out.", code="unknown_word", key=word
        )


def _done(sentence: str) -> Outcome:
    return Outcome({"code": "ok", "sentence": sentence}, [sentence])


def _ended(exit_code: int) -> Outcome:
    """Return the end of something that ran; on its way it has told people all they need."""
    if exit_code == DONE:
        return Outcome({"code": "ok", "sentence": "Stopped."})
    detail = "It stopped because something failed; standard error says what."
    return Outcome({"code": "failed", "title": "Failed", "detail": detail}, exit_code=exit_code)
