"""`help`, `--help` and `--version`: the words of the grammar from its own table, and those of this room."""

from importlib.metadata import PackageNotFoundError, version

from bot.cli.terminal import Outcome
from bot.grammar import Known, parse_line, usage
from bot.grammar.verbs import Help

HERE = {
    "serve": ("", "run the bot"),
    "sandbox": (
        "[--listen HOST:PORT] [--no-open] [--speed N] [--script FILE] [--live]",
        "try it without Slack and without a cluster",
    ),
    "config": ("check [FILE|-]", "find every mistake in sluice.yaml; - is standard input"),
    "doctor": ("", "look at everything that a start needs"),
    "migrate": ("", "bring the database up to date"),
    "token": ("create NAME [--owner U…] | revoke NAME", "let a program in, or out"),
    "replay": (
        "[SERVICE] [ENV] [--last 30d] [--config FILE] [alpha=0.02 noise=0.3 …]",
        "judge past rollouts again, by another file or another certainty",
    ),
    "calibrate": (
        "SERVICE [ENV] [--last 24h] [--target NAME]",
        "replay stable against itself and propose noise, warm-up and limits",
    ),
}
"""Word -> what follows it, and what it does. None of them needs a running bot."""

_NOTES = """\
plan also takes --config FILE and --preflight (ask the cluster too), and needs only SLUICE_CONFIG (sluice.yaml).
All other words go to the bot at SLUICE_URL (http://127.0.0.1:3000) with SLUICE_API_TOKEN.
--json prints exactly one JSON value. Exit: 0 done, 1 refused or failed, 2 the words or the configuration are wrong."""


def help_about(words: tuple[str, ...]) -> Outcome:
    """Return the help text, or the part about one word. Raises `WordsError` for a word that there is not."""
    text = _about(words)
    return Outcome({"code": "ok", "sentence": text}, text.splitlines())


def _about(words: tuple[str, ...]) -> str:
    topic = words[0].casefold() if len(words) == 1 else ""
    if topic in HERE:
        return _line(topic)
    command = parse_line(" ".join(("help", *words)), Known({}))
    assert isinstance(command, Help)
    theirs = usage(
        command.topic, deploy="sluice deploy", rollback="sluice rollback", verb="sluice {verb}"
    )
    if command.topic:
        return theirs
    return "\n".join([*(_line(word) for word in HERE), theirs, "", _NOTES])


def _line(word: str) -> str:
    form, about = HERE[word]
    return f"{' '.join(filter(None, ('sluice', word, form)))}: {about}"


def show_version() -> Outcome:
    """Return which version this is, as it was installed."""
    try:
        number = version("sluice")
    except PackageNotFoundError:
        number = "not installed"
    return Outcome({"version": number}, [f"sluice {number}"])
