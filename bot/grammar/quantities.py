"""How the values of options are read: what `bot.settings.scalars` does not have already, chat's way.

Pure. Every reader takes what was typed and raises `ValueError` with a sentence that tells what is wanted; what a reader
returns reads as itself again.
"""

import re
from datetime import datetime, time

from bot.grammar.zones import zone_name
from bot.settings.scalars import parse_batch, parse_duration, parse_percent, parse_steps
from strategies import cookies

YES = frozenset({"true", "yes", "on"})
NO = frozenset({"false", "no", "off"})
CONFIDENCE = ("high", "normal", "low")

_COUNT = re.compile(r"[0-9]{1,6}")
_LATENCY = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,4})?)(?P<unit>ms|s)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:z|[+-]\d\d:\d\d)?", re.ASCII)
_CLOCK = re.compile(r"\d\d?:\d\d", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
# The value is visible ASCII without quotes, angle brackets and `|`: those are how Slack and the grammar mark things.
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64})(?:\s*[=:]\s*([!#-&(-;=?-_a-z{}~]{1,128}))?")
_HOUR_MS = 3_600_000
_ALL = 100
_MOST_PEOPLE = 20


def steps(text: str) -> tuple[float, ...]:
    """Read weights in percent, with `,` or `/` between them, or a preset; 100 is added where it is missing."""
    if not all(parts(text)):
        raise ValueError("A step is missing: write the steps without blanks, like 5,25,50,100.")
    return parse_steps(text)


def parts(text: str) -> list[str]:
    """Return what stands between the commas or slashes."""
    return [part.strip() for part in re.split(r"[,/]", text)]


def duration(text: str) -> int:
    """Read a duration in whole seconds, at least one; a bare number is minutes (design 7.1)."""
    return parse_duration(text, "minutes")


def delay(text: str) -> int:
    """Read a duration in whole seconds that may be none at all."""
    return parse_duration(text, "minutes", at_least=0)


def soaks(text: str) -> tuple[int, ...]:
    """Read one soak in seconds for all steps, or one per step with `,` or `/` between them."""
    return tuple(duration(part) for part in parts(text))


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not _COUNT.fullmatch(text) or int(text) == 0:
        raise ValueError("It is a whole number from 1 to 999999.")
    return int(text)


def people(text: str) -> int:
    """Read how many people, 1 to 20 as in the file."""
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= _MOST_PEOPLE:
        raise ValueError(f"It is a whole number from 1 to {_MOST_PEOPLE}.")
    return int(text)


def batch(text: str) -> str:
    """Read the size of a batch: `25%` of the instances, or `2` instances."""
    return str(parse_batch(text))


def latency(text: str) -> float:
    """Read milliseconds above 0: `500`, `500ms`, `1.5s`."""
    found = _LATENCY.fullmatch(text.casefold())
    number = float(found["number"]) * (1000 if found["unit"] == "s" else 1) if found else 0.0
    if not 0 < number <= _HOUR_MS:
        raise ValueError("It is milliseconds above 0, like 500, 500ms or 1.5s.")
    return round(number, 4)


def yes_or_no(text: str) -> bool:
    """Read the value of a flag."""
    word = text.casefold()
    if word not in YES | NO:
        raise ValueError("It is true or false.")
    return word in YES


def split(text: str) -> str:
    """Read an A/B split `A/B`, the live version first; one number is the share of the new version."""
    shares = [parse_percent(part) for part in parts(text)]
    if len(shares) == 1:
        shares.insert(0, _ALL - shares[0])
    if len(shares) > 2 or sum(shares) != _ALL or not all(shares):
        raise ValueError("It is two shares above 0 that make 100, like 50/50.")
    return "/".join(plain_number(share) for share in shares)


def confidence(text: str) -> str:
    """Read how sure the requester is: `high`, `normal` or `low`, or percent, where 95 is high and below 80 is low."""
    word = text.casefold()
    if word in CONFIDENCE:
        return word
    if word[:1].isalpha():
        raise ValueError("It is high, normal or low, or percent from 50 to below 100, like 95%.")
    level = parse_percent(text)
    if not 50 <= level < _ALL:
        raise ValueError("It is percent from 50 to below 100, like 95%.")
    return "high" if level >= 95 else "normal" if level >= 80 else "low"


def baseline(text: str) -> float:
    """Read how many percent stay on the old version in a last soak, 0 to 20 (design 7.1)."""
    kept = parse_percent(text)
    if kept > 20:
        raise ValueError("It is percent from 0 to 20.")
    return kept


def name(text: str) -> str:
    """Read a name of letters, digits, dots, dashes and underscores."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            "It is a name of at most 63 letters, digits, dots, dashes and underscores."
        )
    return text


def lower_name(text: str) -> str:
    """Read a name that exists in lower case only."""
    return name(text).lower()


def header(text: str) -> str:
    """Read a header rule: `x-canary` (present) or `x-canary=true` (equal); its name becomes lower case.

    The value of the header `cookie` is one cookie, `beta=1`.
    """
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError("It is a header, x-canary, or a header and its value, x-canary=true.")
    title, value = found.groups()
    if title.lower() == cookies.HEADER and value is not None:
        cookies.cookie_pair(value)
    return title.lower() if value is None else f"{title.lower()}={value}"


def moment(text: str) -> str:
    """Read when to start, `22:00` or a date with a time, perhaps with a zone, in ISO form."""
    typed, _, zone = text.rpartition(" ")
    if not (typed and zone[:1].isalpha()):
        return _instant(text)
    when = _instant(typed)
    if "T" in when and datetime.fromisoformat(when).tzinfo is not None:
        raise ValueError("It has an offset and a time zone; one of them is enough.")
    return f"{when} {zone_name(zone)}"


def _instant(text: str) -> str:
    typed = text.casefold()
    try:
        if _CLOCK.fullmatch(typed):
            return time.fromisoformat(typed.zfill(5)).isoformat("minutes")
        if _MOMENT.fullmatch(typed):
            return datetime.fromisoformat(typed.upper()).isoformat()
    except ValueError:
        pass  # shaped like a time, but there is no 25:00: the same sentence helps
    raise ValueError(
        "It is a time, 22:00, or a date and a time, 2031-05-01T22:00 with or without Z or +02:00; "
        "a time zone may follow, 22:00 Europe/Berlin."
    )


def plain_number(number: float) -> str:
    """Return a number as a person types it: no `.0`, no exponent."""
    return f"{number:.9f}".rstrip("0").rstrip(".")
