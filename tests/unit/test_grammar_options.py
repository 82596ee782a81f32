"""The keys of design 7.1: every one of them, the ways to write it, and the values that cannot be."""

import re
import shlex
from pathlib import Path

import pytest

from bot.grammar import Known, WordsError, parse_line, usage
from bot.grammar.options import KEYS
from bot.grammar.phrases import VERBS
from bot.grammar.usage import topics
from bot.grammar.verbs import Options

KNOWN = Known({"checkout": ("production",), "auth-service": ("production",)})
CONTRACT = (
    "strategy traffic-steps (steps) step-duration (soak) error-threshold latency-p95 auto-promote dry-run namespace "
    "mesh at cron after header user-tier region batch-size batch-delay max-concurrent test-duration split approvals "
    "keep-baseline confidence break-glass gate"
)


def options(words: str) -> Options:
    command = parse_line(f"deploy checkout v2 {words}", KNOWN)
    return command.options


def refusal(words: str) -> WordsError:
    with pytest.raises(WordsError) as caught:
        options(words)
    return caught.value


def test_the_table_has_exactly_the_keys_of_the_contract():
    names = " ".join(f"{key.name} ({key.alias})" if key.alias else key.name for key in KEYS)

    assert names == CONTRACT


def test_every_option_has_a_key():
    fields = {key.field for key in KEYS if "deploy" in key.verbs}

    assert fields == set(Options.__dataclass_fields__) - {"typed"}


VALUES = [
    ("strategy=canary", {"strategy": "canary"}),
    ("strategy=DIRECT", {"strategy": "direct"}),
    ("strategy=All_At-Once", {"strategy": "direct"}),
    ("strategy=bluegreen", {"strategy": "blue-green"}),
    ('strategy="Blue Green"', {"strategy": "blue-green"}),
    ("strategy=A/B", {"strategy": "ab-test"}),
    ("strategy=ab-testing", {"strategy": "ab-test"}),
    ("strategy=recreate", {"strategy": "recreate"}),
    ("strategy=rolling", {"strategy": "rolling"}),
    ("traffic-steps=5,25,50,100", {"steps": (5, 25, 50, 100)}),
    ("steps=5/25/50", {"steps": (5, 25, 50, 100)}),
    ("steps=5%,25%", {"steps": (5, 25, 100)}),
    ("steps=0.5,99.5", {"steps": (0.5, 99.5, 100)}),
    ("steps=100", {"steps": (100,)}),
    ('steps="5, 25, 50"', {"steps": (5, 25, 50, 100)}),
    ("steps=Standard", {"steps": (10, 50, 100)}),
    ("steps=conservative", {"steps": (5, 10, 25, 50, 100)}),
    ("steps=aggressive", {"steps": (25, 100)}),
    ("step-duration=5", {"soak": (300,)}),
    ("soak=90s", {"soak": (90,)}),
    ("soak=1h30m", {"soak": (5400,)}),
    ("soak=PT5M", {"soak": (300,)}),
    ("soak=7d", {"soak": (604800,)}),
    ("soak=1,2h", {"soak": (60, 7200)}),
    ("steps=5,25 soak=1,2", {"steps": (5, 25, 100), "soak": (60, 120)}),
    ("steps=5,100 soak=1,2", {"steps": (5, 100), "soak": (60, 120)}),
    ("steps=standard soak=1/2/3", {"steps": (10, 50, 100), "soak": (60, 120, 180)}),
    ("error-threshold=5", {"error_threshold": 5}),
    ("error-threshold=0.5%", {"error_threshold": 0.5}),
    ("latency-p95=500", {"latency_p95": 500}),
    ("latency-p95=500ms", {"latency_p95": 500}),
    ("latency_p95=1.5s", {"latency_p95": 1500}),
    ("auto-promote", {"auto_promote": True}),
    ("--auto-promote no", {"auto_promote": False}),
    ("auto-promote=off", {"auto_promote": False}),
    ("AutoPromote=yes", {"auto_promote": True}),
    ("dry-run", {"dry_run": True}),
    ("--dry-run=false", {}),
    ("namespace=Orion", {"namespace": "orion"}),
    ("mesh=Istio", {"mesh": "istio"}),
    ("at=22:00", {"at": "22:00"}),
    ("at=7:05", {"at": "07:05"}),
    ("at=2031-05-01T22:00", {"at": "2031-05-01T22:00:00"}),
    ('at="2031-05-01 22:00:30"', {"at": "2031-05-01T22:00:30"}),
    ("at=2031-05-01T22:00Z", {"at": "2031-05-01T22:00:00+00:00"}),
    ('cron="0 2 * * *"', {"cron": "0 2 * * *"}),
    ("cron=“*/15 9-17 1,15 Jan-Mar MON-FRI”", {"cron": "*/15 9-17 1,15 jan-mar mon-fri"}),
    ("header=X-Canary", {"header": "x-canary"}),
    ("header=x-canary=True", {"header": "x-canary=True"}),
    ('header="X-Canary: true"', {"header": "x-canary=true"}),
    ("header=Cookie", {"header": "cookie"}),
    ("header=Cookie=Beta=1=2", {"header": "cookie=Beta=1=2"}),
    ("user-tier=beta", {"user_tier": "beta"}),
    ("region=us-west-2", {"region": "us-west-2"}),
    ("batch-size=25%", {"batch_size": "25%"}),
    ("batch-size=12.50%", {"batch_size": "12.5%"}),
    ("batch-size=2", {"batch_size": "2"}),
    ("batch-delay=1", {"batch_delay": 60}),
    ("batch-delay=0s", {"batch_delay": 0}),
    ("max-concurrent=5", {"max_concurrent": 5}),
    ("test-duration=24h", {"test_duration": 86400}),
    ("split=50/50", {"split": "50/50"}),
    ("split=70,30", {"split": "70/30"}),
    ("split=30", {"split": "70/30"}),
    ("approvals=2", {"approvals": 2}),
    ("keep-baseline=20", {"keep_baseline": 20}),
    ("keep-baseline=0", {"keep_baseline": 0}),
    ("confidence=High", {"confidence": "high"}),
    ("confidence=low", {"confidence": "low"}),
    ("confidence=99.5", {"confidence": "high"}),
    ("confidence=95%", {"confidence": "high"}),
    ("confidence=94", {"confidence": "normal"}),
    ("confidence=79%", {"confidence": "low"}),
]


@pytest.mark.parametrize(("words", "expected"), VALUES)
def test_values(words, expected):
    assert options(words) == Options(**expected)


@pytest.mark.parametrize(
    "words",
    [
        "soak=5m",
        "--soak 5m",
        "--soak=5m",
        "-soak 5m",
        "SOAK=5m",
        "—soak 5m",
        "—soak=5m",
        "–-Soak “5m”",
        "--step_duration ‘5’",  # noqa: RUF001
        "stepDuration=PT5M",
        "--soak\u00a05m",
        "so\u200bak=5m",
        "soak=5m\u2069",
        "soak＝５ｍ",  # noqa: RUF001 full width, as Japanese keyboards write
    ],
)
def test_every_way_to_write_an_option_means_the_same(words):
    assert options(words) == Options(soak=(300,))


IMPOSSIBLE = [
    "strategy=yolo",
    "steps=50,25",
    "steps=25,25",
    "steps=0,50",
    "steps=5,101",
    "steps=-5",
    "steps=5,",
    "steps=,",
    "steps=5;25",
    "steps=swift",
    "soak=0",
    "soak=-5m",
    "soak=8d",
    "soak=99999999999999999999",
    "soak=5x",
    "soak=5m,",
    "steps=5,25,50 soak=1,2",
    "steps=5,25,50,100 soak=1,2,3",
    "steps=standard soak=1,2",
    "error-threshold=101",
    "error-threshold=-1",
    "error-threshold=nan",
    "latency-p95=0",
    "latency-p95=inf",
    "auto-promote=maybe",
    "namespace=a/b",
    "at=25:00",
    "at=22",
    "at=tomorrow",
    "at=2031-02-30T10:00",
    "at=22:00 cron='0 2 * * *'",
    'cron="0 2 * *"',
    'cron="60 2 * * *"',
    'cron="0 24 * * *"',
    'cron="0 2 0 * *"',
    'cron="0 2 * 13 *"',
    'cron="0 2 * * 8"',
    'cron="5-1 2 * * *"',
    'cron="*/0 2 * * *"',
    'cron="@daily"',
    "header=:true",
    "header=x-canary:<!here>",
    "user-tier=a,b",
    "batch-size=0",
    "batch-size=0%",
    "batch-size=101%",
    "batch-size=2.5",
    "batch-delay=soon",
    "max-concurrent=0",
    "max-concurrent=two",
    "test-duration=0",
    "split=60/60",
    "split=100",
    "split=20/30/50",
    "approvals=0",
    "approvals=-1",
    "approvals=1.5",
    "keep-baseline=21",
    "keep-baseline=-1",
    "confidence=0.95",
    "confidence=100",
    "confidence=sure",
]


@pytest.mark.parametrize("words", ["header=Cookie=beta", "header=cookie=beta=1;old=2"])
def test_the_value_of_the_header_cookie_is_one_cookie(words):
    error = refusal(words)

    assert (error.code, error.key) == ("bad_value", "header")
    assert "like beta=1" in str(error)


@pytest.mark.parametrize("words", IMPOSSIBLE)
def test_impossible_values_are_refused_and_name_their_key(words):
    error = refusal(words)

    last_key = re.findall(r"([a-z0-9-]+)=", words)[-1]
    assert (error.code, error.key) == ("bad_value", last_key)
    assert f"`{last_key}" in str(error)


def test_a_key_is_named_as_it_was_typed():
    assert refusal("--Step_Duration 8d").key == "Step_Duration"
    assert refusal("steps=5,25 StepDuration=1,2,3").key == "StepDuration"


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        ("strategy=cannary", "strategy=canary"),
        ("strategy=blu", "strategy=blue-green"),
        ("steps=standardd", "steps=standard"),
        ("soak=5x", None),
    ],
)
def test_a_slip_in_a_value_gets_a_suggestion(words, suggestion):
    assert refusal(words).suggestion == suggestion


@pytest.mark.parametrize("key", [key for key in KEYS if "deploy" in key.verbs])
@pytest.mark.parametrize("form", ["{}=", "--{}=", '{}=""', "—{}=“”"])
def test_a_key_with_an_empty_value_is_an_error(key, form):
    assert refusal(form.format(key.name)).code == "empty_value"


@pytest.mark.parametrize("after", ["", " because it is late", " --soak 5m", " —dry-run"])
def test_a_dashed_key_needs_a_value_behind_it(after):
    error = refusal(f"--namespace{after}")

    assert (error.code, error.key) == ("empty_value", "namespace")


@pytest.mark.parametrize("words", ["soak=1 soak=2", "steps=5 --traffic-steps 5", "dry-run dry-run"])
def test_an_option_is_said_once(words):
    assert refusal(words).code == "duplicate_option"


@pytest.mark.parametrize("words", ['cron="0 2 * * *', 'cron="0 2 because "late"', "steps='5,25"])
def test_a_quote_must_be_closed(words):
    assert refusal(words).code == "open_quote"


@pytest.mark.parametrize("words", ["password=hunter2", "—token=hunter2"])
def test_the_value_of_an_unknown_key_is_not_repeated(words):
    error = refusal(words)

    assert error.code == "unknown_option"
    assert "hunter2" not in f"{error}{error.key}{error.suggestion}"


def test_the_script_options_of_the_seed_are_accepted_as_they_stand():
    shared = Path(__file__).parents[3] / "shared" / "seeds"
    seeds = list(shared.glob("003_*.txt"))
    if not seeds:
        pytest.skip("the seeds are not next to this checkout")
    text = seeds[0].read_text()
    script = re.search(r"canary-deploy\.sh (auth-service(?:.*\\\n)+.*)", text)[1]

    typed = parse_line("deploy " + script.replace("\\\n", " "), KNOWN)
    joined = parse_line("deploy " + " ".join(shlex.split(script)), KNOWN)

    assert typed == joined
    assert typed.version == "ghcr.io/orion/auth:v2.0.0"
    assert typed.options == Options(
        namespace="orion", mesh="istio", error_threshold=5, latency_p95=500,
        steps=(5, 25, 50, 100), soak=(300,), auto_promote=True,
    )  # fmt: skip


def test_the_help_names_every_verb_and_every_option():
    lines = usage().splitlines()

    assert all(any(re.match(rf"/(deploy )?{verb}\b", line) for line in lines) for verb in VERBS)
    assert all(any(line.startswith(key.name) for line in lines) for key in KEYS)


def test_the_help_fits_into_one_slack_section():
    assert len(usage()) < 3000


def test_the_help_speaks_with_the_names_of_its_door():
    text = usage(deploy="sluice deploy", rollback="sluice rollback", verb="sluice {verb}")

    assert "sluice promote SERVICE" in text
    assert "/deploy" not in text


@pytest.mark.parametrize("topic", topics())
def test_every_topic_has_its_own_help(topic):
    assert 0 < len(usage(topic)) < 400


def test_a_topic_that_there_is_not_has_no_help():
    assert usage("weather") == ""


@pytest.mark.parametrize("key", KEYS)
def test_the_example_in_the_help_is_one_that_works(key):
    verb = "deploy checkout v2" if "deploy" in key.verbs else "promote checkout"

    assert parse_line(f"{verb} {key.name}={key.example}", KNOWN)
