"""`sluice calibrate`: what a service's own last hours say about how it is to be judged. The work is behind a door."""

from bot.cli.doors import Stretch
from bot.cli.mistakes import CliError
from bot.cli.place import Place, Words
from bot.cli.terminal import Outcome, clean
from bot.cli.typed import split_flags
from bot.grammar import Known
from bot.grammar.mistakes import shown
from bot.settings import load_config
from bot.settings.scalars import ScalarError, parse_duration
from strategies.calibration import as_json, lines

_DAY = 86400
_LEAST = 1800


def calibrate(words: Words, place: Place) -> Outcome:
    """Replay a service against itself. Raises what is wrong with the words, the file or the record."""
    flags, rest = split_flags(words, {"--last": "24h", "--target": "eu"}, strict=True)
    config = load_config(place.local.config_path)
    known = Known({name: tuple(one.targets) for name, one in config.services.items()})
    names = [word for word in rest[1:] if word != "to"]
    if not names:
        sentence = "Which service? Write `sluice calibrate SERVICE`."
        raise CliError(sentence, code="missing_service", key="SERVICE")
    if len(names) > 2:
        word = shown(names[2])
        raise CliError(
            f"I do not know what `{word}` is for. Leave it out.", code="unknown_word", key=word
        )
    service = known.service(names[0])
    if len(names) > 1:
        environment = known.required_environment(names[1], service)
    else:
        environment = known.default_environment(service)
    wanted = Stretch(service, environment, flags.get("--target", ""), _last(flags.get("--last")))
    found = place.doors.calibrate(place.local.config_path, wanted)
    return Outcome(as_json(found), [clean(line) for line in lines(found)])


def _last(text: str | None) -> int:
    if text is None:
        return _DAY
    try:
        return parse_duration(text, "refuse", at_least=_LEAST, at_most=_DAY)
    except ScalarError as error:
        raise CliError(f"--last: {error}", code="bad_value", key="--last") from None
