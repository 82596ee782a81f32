"""From `argv` to an exit code: which word leads where, and the last resort when something of our own breaks.

The verbs of the grammar come from its own table, so that a new one needs no line here.
"""

import contextlib
import traceback
from collections.abc import Callable, Mapping, Sequence

from bot.cli import files, house
from bot.cli.calibrating import calibrate
from bot.cli.doors import Doors
from bot.cli.helping import HERE, help_about, show_version
from bot.cli.mistakes import INTERRUPTED, REFUSED, CliError, as_json, translated
from bot.cli.place import Place, Words
from bot.cli.replaying import replay
from bot.cli.steering import steer
from bot.cli.terminal import Outcome, Terminal, clean
from bot.cli.typed import Typed, read, split_flags, wants_json
from bot.grammar.mistakes import closest, did_you_mean, shown
from bot.grammar.phrases import VERBS
from bot.settings import client_settings, local_settings

_ROOMS: Mapping[str, Callable[[Words, Place], Outcome]] = {
    "plan": files.show_plan,
    "config": files.config,
    "serve": house.serve,
    "sandbox": house.sandbox,
    "migrate": house.migrate,
    "doctor": house.doctor,
    "token": house.token,
    "replay": replay,
    "calibrate": calibrate,
}
"""Words that need no running bot."""

_WORDS = (*VERBS, *HERE)


def run(
    argv: Sequence[str],
    doors: Doors,
    *,
    environ: Mapping[str, str] | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Do what was typed (`argv` without the name of the program) and return the exit code of design §7.4."""
    terminal = terminal or Terminal.standard()
    local = local_settings(environ)
    style = terminal.style(colour=local.colour)
    place = Place(doors, environ, local, terminal.stdin, style)
    try:
        outcome = _outcome(argv, place, terminal)
        terminal.show(outcome, as_json=wants_json(argv))
    except (KeyboardInterrupt, BrokenPipeError):
        terminal.silence()
        return INTERRUPTED
    except OSError:
        # Standard output cannot be written (a full disk): nothing is left to say it on.
        terminal.silence()
        return REFUSED
    return outcome.exit_code


def _outcome(argv: Sequence[str], place: Place, terminal: Terminal) -> Outcome:
    # What the doors print on their way is no part of the one JSON value.
    aside = contextlib.redirect_stdout(terminal.err) if wants_json(argv) else None
    try:
        with aside or contextlib.nullcontext():
            return _led(read(argv), place)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: nobody is shown a traceback who did not ask
        known = translated(error)
        if known is None and place.local.debug:
            terminal.complain("".join(traceback.format_exception(error)))
        return _failed(known or _our_fault(error))


def _led(typed: Typed, place: Place) -> Outcome:
    verb, words = typed.verb.removeprefix("/"), typed.words
    deploy_help = verb == "deploy" and words[1:2] == ("help",)
    if not words or typed.help:
        return help_about((verb,) if verb in _WORDS else ())
    if verb in {"help", "?"} or deploy_help:
        return help_about(words[2:] if deploy_help else words[1:])
    if verb == "--version":
        return show_version()
    if verb in _ROOMS:
        return _ROOMS[verb](words, place)
    if verb not in VERBS:
        raise _unknown(verb)
    if verb == "rollback" and split_flags(words, {"--offline": ""}, strict=False)[0]:
        raise _later("rollback --offline")
    return steer(verb, words, client_settings(place.environ), place.style)


def _unknown(verb: str) -> CliError:
    if not verb:
        sentence = "Word 1 is empty. Is a variable of the shell not set?"
        return CliError(sentence, code="empty_word")
    near = closest(verb, _WORDS)
    ask = did_you_mean(near) or " `sluice help` shows what there is."
    return CliError(
        f"`{shown(verb)}` is not something I can do.{ask}",
        code="unknown_word",
        key=shown(verb),
        suggestion=near or "",
    )


def _later(words: str) -> CliError:
    return CliError(
        f"`{words}` is not available yet in this version. Nothing was done.",
        code="not_yet_available",
    )


def _our_fault(error: Exception) -> CliError:
    return CliError(
        f"Something in Sluice itself went wrong ({type(error).__name__}). SLUICE_DEBUG=1 shows where.",
        code="internal_error",
        exit_code=REFUSED,
    )


def _failed(error: CliError) -> Outcome:
    notes = [clean(f"{error} [{error.code}]")]
    notes += [clean(f"  sluice {text}   ({label})") for text, label in error.offers]
    return Outcome(as_json(error), notes=notes, exit_code=error.exit_code)
