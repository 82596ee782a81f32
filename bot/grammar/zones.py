"""Time zones as people type them. Pure; the names are those of the IANA database."""

from functools import cache
from zoneinfo import available_timezones

from bot.grammar.mistakes import closest, did_you_mean, shown


def zone_name(text: str) -> str:
    """Return the name of a time zone with its capitals. Raises `ValueError` when there is none."""
    name = _zones().get(text.casefold())
    if name is None:
        near = _cities().get(text.casefold()) or closest(text, sorted(_zones().values()))
        ask = did_you_mean(near) or " Write it like Europe/Berlin, or leave it out for UTC."
        raise ValueError(f"`{shown(text)}` is not a time zone.{ask}")
    return name


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


@cache
def _cities() -> dict[str, str]:
    return {name.rpartition("/")[2].casefold(): name for name in sorted(available_timezones())}
