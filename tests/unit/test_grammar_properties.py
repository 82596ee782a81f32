"""What holds for every text and every command: no surprise errors, noise changes nothing, and the way back."""

import dataclasses
import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.grammar import CODES, Known, WordsError, parse, parse_line, render
from bot.grammar.options import KEYS
from bot.grammar.phrases import VERBS
from bot.grammar.usage import topics
from bot.grammar.verbs import (
    Cancel,
    Deploy,
    Extend,
    Freeze,
    Help,
    History,
    Lock,
    Options,
    Pause,
    Promote,
    Resolve,
    Resume,
    Rollback,
    Schedule,
    ShowPlan,
    Stats,
    Status,
    Thaw,
    Unlock,
)
from bot.settings.scalars import STRATEGIES

KNOWN = Known(
    {
        "checkout": ("staging", "production"),
        "auth-service": ("production",),
        "status": ("testing", "development"),
        "help": ("eu-west",),
    }
)
PLACES = [(name, env) for name, environments in KNOWN.services.items() for env in environments]

WORDS = [
    *VERBS, "for", "takeover", "2h", "hours",
    *KNOWN.services, "staging", "prod", "to", "now", "because", "v2", "5m", "-", "—", "“", '"', "'",
    *(f"{key.name}={key.example}" for key in KEYS), *(f"—{key.name}" for key in KEYS), "=", "--", "<@U1>", "<a:b|c d>",
]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(WORDS) | st.text(max_size=5)).map(" ".join))
@settings(max_examples=300)
def test_any_text_is_a_command_or_a_refusal(text):
    for read in (
        lambda: parse(text, command="deploy", known=KNOWN),
        lambda: parse(text, command="rollback", known=KNOWN),
        lambda: parse_line(text, KNOWN),
    ):
        command = command_or_refusal(read)
        if isinstance(command, WordsError):
            assert command.code in CODES
        else:
            assert parse_line(render(command), KNOWN) == command


def command_or_refusal(read):
    try:
        return read()
    except WordsError as error:
        return error


# Everything a command can hold once it was parsed.
reasons = st.just("") | st.text(max_size=40).map(str.strip)
percents = st.decimals(0, 100, places=2).map(float)
weights = st.lists(percents.filter(lambda p: 0 < p < 100), unique=True, max_size=6).map(
    lambda found: (*sorted(found), 100.0)
)
durations = st.integers(1, 7 * 86400)
lasting = st.none() | st.integers(1, 30 * 1440).map(lambda minutes: 60 * minutes)
names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=10)
lower = names.map(str.lower)
tags = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@st.composite
def all_options(draw):
    steps = draw(st.none() | weights)
    soaks = [1] if steps is None else [1, len(steps)] + [len(steps) - 1] * (len(steps) > 1)
    count = draw(st.sampled_from(soaks))
    some = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "soak": st.lists(durations, min_size=count, max_size=count).map(tuple),
                "strategy": st.sampled_from(STRATEGIES),
                "error_threshold": percents,
                "latency_p95": st.integers(1, 100_000).map(lambda tenths: tenths / 10),
                "auto_promote": st.booleans(),
                "dry_run": st.booleans(),
                "namespace": lower,
                "mesh": lower,
                "header": st.just("x-canary") | names.map(lambda value: f"x-canary={value}"),
                "user_tier": names,
                "region": names,
                "batch_size": st.integers(1, 99).map(str) | st.just("12.5%"),
                "batch_delay": durations | st.just(0),
                "max_concurrent": st.integers(1, 999),
                "test_duration": durations,
                "split": st.integers(1, 99).map(lambda a: f"{a}/{100 - a}"),
                "approvals": st.integers(1, 9),
                "keep_baseline": st.integers(0, 20).map(float),
                "confidence": st.sampled_from(["high", "normal", "low"]),
            },
        )
    )
    when = draw(
        st.sampled_from(
            [{}, {"at": "22:00"}, {"at": "22:00 Europe/Berlin"}, {"cron": "0 2 * * mon-fri"}]
        )
    )
    return Options(steps=steps, **some, **when)


@st.composite
def deploys(draw, words=reasons):
    service, environment = draw(st.sampled_from(PLACES))
    version = draw(
        tags.filter(lambda tag: tag.lower() not in {"to", "because", "dry-run", "auto-promote"})
        .filter(lambda tag: tag.lower().replace("_", "-") not in {"dry-run", "auto-promote"})
        .filter(lambda tag: tag.lower().replace("-", "") not in {"dryrun", "autopromote"})
        | tags.map("ghcr.io/orion/auth:{}".format)
    )
    return Deploy(service, version, environment, draw(all_options()), draw(words))


@st.composite
def others(draw):
    service, environment = draw(st.sampled_from(PLACES))
    environment = draw(st.sampled_from([None, environment]))
    reason, why = draw(reasons), draw(reasons.filter(bool))
    to = draw(st.none() | tags.map("v{}".format))
    return draw(
        st.sampled_from(
            [
                Promote(service, environment, draw(st.none() | names), reason),
                Pause(service, environment, reason),
                Resume(service, environment, reason),
                Extend(service, environment, draw(durations), reason),
                Resolve(service, environment, why),
                Rollback(service, environment, to, draw(st.booleans()), reason),
                Rollback(),
                Lock(service, environment, draw(lasting), draw(st.booleans()), why),
                Unlock(service, environment, reason),
                Freeze(PLACES[0][1], draw(lasting), why),
                Thaw(PLACES[0][1], reason),
                Status(service, environment),
                Status(),
                History(service, environment),
                Stats(draw(st.none() | st.just(service))),
                Cancel(draw(names), reason),
                Schedule(service, environment),
                Help(draw(st.sampled_from(["", *topics()]))),
            ]
        )
    )


@given(deploys() | deploys().map(ShowPlan) | others())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_a_command_written_out_reads_as_itself(command):
    assert parse_line(render(command), KNOWN) == command


DASHES = "‐‑–—−－"  # noqa: RUF001 the very characters that phones put for a hyphen
QUOTES = ["“{}”", "„{}”", "‘{}’", "'{}'", '"{}"']  # noqa: RUF001
BLANKS = [" ", "  ", "\u00a0", " \u200b", "\t", "\u2009"]


def noisy(draw, word: str) -> str:
    """Write one word as a phone might; a version keeps its letters, everything else may change its capitals."""
    head, equals, value = word.partition("=")
    head = draw(st.sampled_from([head, head.capitalize(), head.upper()]))
    if equals:
        quoted = value if value.startswith('"') else draw(st.sampled_from(QUOTES)).format(value)
        lead = draw(st.sampled_from(["", "-", "--", "—", "––"]))
        word = f"{lead}{head}={draw(st.sampled_from([value, quoted]))}"
    else:
        word = head
    dash = draw(st.sampled_from(["-", *DASHES]))
    first, rest = word[:1], word[1:]
    return first + rest.replace("-", dash) + draw(st.sampled_from(["", "\u200b", "\u2069"]))


@st.composite
def typed_on_a_phone(draw):
    deploy = dataclasses.replace(draw(deploys()), version="42", reason="")
    # `x-canary=True` and names keep the capitals they were given, quotes cannot be put around quotes.
    kept = {"header": None, "user_tier": None, "region": None, "cron": None, "at": None}
    deploy = dataclasses.replace(deploy, options=dataclasses.replace(deploy.options, **kept))
    words = [noisy(draw, word) for word in render(deploy).split(" ")]
    blank = draw(st.sampled_from(BLANKS))
    return blank.join(words).join([blank, blank]), deploy


@given(typed_on_a_phone())
@settings(max_examples=150)
def test_capitals_dashes_quotes_and_blanks_of_a_phone_change_nothing(pair):
    text, deploy = pair

    assert parse_line(text, KNOWN) == deploy


@given(st.text(min_size=1, max_size=80).map(str.strip).filter(bool))
def test_a_reason_is_kept_as_it_was_written(reason):
    line = f"deploy checkout v2 because {reason}"

    assert parse_line(line, KNOWN).reason == reason
