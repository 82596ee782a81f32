"""The table of design 7.1: what is typed, and the command or the error code that it is."""

import pytest

from bot.grammar import CODES, Known, WordsError, parse, parse_line
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

KNOWN = Known(
    {
        "checkout": ("staging", "production"),
        "auth-service": ("production",),
        "lab": ("testing", "development"),
        "edge": ("eu-west",),
        "status": ("production",),
        "ghost": (),
    }
)
IMAGE = "ghcr.io/orion/auth:v2.0.0"
DIGEST = "ghcr.io/orion/auth@sha256:" + "0a" * 32


def deploy(
    service="checkout", version="v2", environment="production", reason="", **options
) -> Deploy:
    return Deploy(service, version, environment, Options(**options), reason)


DEPLOY = [
    ("checkout v2", deploy()),
    ("  checkout   v2  ", deploy()),
    ("Checkout v2", deploy()),
    ("CHECKOUT v2 TO PRODUCTION", deploy()),
    ("checkout V2", deploy(version="V2")),
    ("checkout v2 to staging", deploy(environment="staging")),
    ("checkout v2 staging", deploy(environment="staging")),
    ("checkout v2 stage", deploy(environment="staging")),
    ("checkout v2 to Stage", deploy(environment="staging")),
    ("checkout v2 prod", deploy()),
    ("checkout to staging v2", deploy(environment="staging")),
    ("lab v2 test", deploy("lab", environment="testing")),
    ("lab v2 dev", deploy("lab", environment="development")),
    ("edge v2", deploy("edge", environment="eu-west")),
    ("edge v2 EU-West", deploy("edge", environment="eu-west")),
    (f"auth-service {IMAGE}", deploy("auth-service", IMAGE)),
    (f"auth-service {DIGEST}", deploy("auth-service", DIGEST)),
    ("auth-service localhost:5000/auth:v2", deploy("auth-service", "localhost:5000/auth:v2")),
    (f"auth-service sha256:{'0a' * 32}", deploy("auth-service", f"sha256:{'0a' * 32}")),
    (f"auth-service <http://{IMAGE}|{IMAGE}>", deploy("auth-service", IMAGE)),
    ("checkout 1.10", deploy(version="1.10")),
    ('"checkout" `v2`', deploy()),
    ("auth\u2011service v2", deploy("auth-service")),
    ("auth–service v2", deploy("auth-service")),
    ("check\u200bout\u00a0v2", deploy()),
    ("checkout staging to production", deploy(version="staging")),
    ("checkout v2 because  it's “late” — <!here>", deploy(reason="it's “late” — <!here>")),
    ("checkout v2 Because to staging soak=1", deploy(reason="to staging soak=1")),
    ("checkout v2 because one because two", deploy(reason="one because two")),
    ("checkout v2 because a\n\n  b ", deploy(reason="a\n\n  b")),
    ("checkout v2 strategy=blue-green", deploy(strategy="blue-green")),
    ("checkout v2 Strategy=Blue_Green", deploy(strategy="blue-green")),
    ("checkout v2 --strategy blue green to staging", deploy("checkout", "v2", "staging", strategy="blue-green")),
    ("checkout v2 strategy=all at once", deploy(strategy="direct")),
    ("—strategy canary checkout v2", deploy(strategy="canary")),
    ("checkout v2 -strategy=a/b", deploy(strategy="ab-test")),
    ("checkout v2 steps=5/25/50/100", deploy(steps=(5, 25, 50, 100))),
    ("checkout v2 soak=5 steps=aggressive", deploy(soak=(300,), steps=(25, 100))),
    ("checkout v2 auto-promote staging", deploy(environment="staging", auto_promote=True)),
    ("checkout v2 ——dry–run", deploy(dry_run=True)),
    ("deploy status v2", deploy("status")),
    ("deploy checkout v2", deploy()),
    ("plan checkout v2 soak=2h because why", ShowPlan(deploy(soak=(7200,), reason="why"))),
    ("", Help()),
    ("  \u200b ", Help()),
    ("help", Help()),
    ("--help", Help()),
    ("help promote", Help("promote")),
    ("Help Steps", Help("steps")),
    ("help dry-run", Help("dry-run")),
    ("status", Status()),
    ("Status checkout", Status("checkout")),
    ("status checkout prod", Status("checkout", "production")),
    ("status staging", Status(None, "staging")),
    ("history checkout", History("checkout")),
    ("stats", Stats()),
    ("Stats Checkout", Stats("checkout")),
    ("history checkout staging", History("checkout", "staging")),
    ("promote checkout", Promote("checkout")),
    ("approve checkout stage", Promote("checkout", "staging")),
    ("promote checkout gate=2 because numbers are fine", Promote("checkout", None, "2", "numbers are fine")),
    ("pause checkout", Pause("checkout")),
    ("pause checkout staging because I look", Pause("checkout", "staging", "I look")),
    ("resume checkout", Resume("checkout")),
    ("extend checkout", Extend("checkout")),
    ("extend checkout 45", Extend("checkout", None, 2700)),
    ("extend checkout prod PT1H", Extend("checkout", "production", 3600)),
    ("resolve checkout fixed by hand", Resolve("checkout", None, "fixed by hand")),
    ("lock checkout db drill", Lock("checkout", reason="db drill")),
    ("Lock Checkout prod —for 2h drill", Lock("checkout", "production", 7200, reason="drill")),
    ("lock checkout for 2 hours: drill", Lock("checkout", None, 7200, reason="drill")),
    ("lock checkout for 30 drill", Lock("checkout", None, 1800, reason="drill")),
    ("lock checkout for=1d drill", Lock("checkout", None, 86400, reason="drill")),
    ("lock checkout because for the drill", Lock("checkout", reason="for the drill")),
    ("lock --for 2h checkout drill", Lock("checkout", None, 7200, reason="drill")),
    ("lock checkout take over mine", Lock("checkout", None, None, True, "mine")),
    ("lock checkout take the whole day", Lock("checkout", reason="take the whole day")),
    ("freeze --for=90m staging load test", Freeze("staging", 5400, "load test")),
    ("lock checkout because for 2h", Lock("checkout", reason="for 2h")),
    ("lock checkout prod takeover", Lock("checkout", "production", None, True)),
    ("lock checkout take-over for 1h mine", Lock("checkout", None, 3600, True, "mine")),
    ("unlock checkout staging it is over", Unlock("checkout", "staging", "it is over")),
    ("freeze prod incident 12", Freeze("production", None, "incident 12")),
    ("freeze staging for 90m load test", Freeze("staging", 5400, "load test")),
    ("thaw prod", Thaw("production")),
    ("resolve checkout prod because prod is fine", Resolve("checkout", "production", "prod is fine")),
    ("cancel r-42", Cancel("r-42")),
    ("schedule", Schedule()),
    ("schedule checkout staging", Schedule("checkout", "staging")),
    ("rollback checkout now", Rollback("checkout", now=True)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "command"), DEPLOY)
def test_behind_deploy(text, command):
    assert parse(text, command="deploy", known=KNOWN) == command


ROLLBACK = [
    ("", Rollback()),
    ("checkout", Rollback("checkout")),
    ("Checkout ", Rollback("checkout")),
    ("production", Rollback(None, "production")),
    ("checkout prod", Rollback("checkout", "production")),
    ("checkout to v1", Rollback("checkout", to="v1")),
    ("checkout production to v1", Rollback("checkout", "production", "v1")),
    ("checkout to v1 production", Rollback("checkout", "production", "v1")),
    ("checkout –to v1", Rollback("checkout", to="v1")),
    ("checkout ––to=v1 —now", Rollback("checkout", to="v1", now=True)),
    (f"auth-service to {IMAGE}", Rollback("auth-service", to=IMAGE)),
    ("checkout now", Rollback("checkout", now=True)),
    ("now checkout", Rollback("checkout", now=True)),
    ("checkout now now it burns", Rollback("checkout", now=True, reason="now it burns")),
    ("checkout bad latency, don't wait", Rollback("checkout", reason="bad latency, don't wait")),
    ("checkout “bad  latency” — again", Rollback("checkout", reason="“bad  latency” — again")),
    ("checkout — bad latency", Rollback("checkout", reason="bad latency")),
    ("checkout to v1 to fix logins", Rollback("checkout", to="v1", reason="to fix logins")),
    ("checkout because stagin is slow", Rollback("checkout", reason="stagin is slow")),
    ("checkout slow because of the db", Rollback("checkout", reason="slow because of the db")),
    ("checkout production is down", Rollback("checkout", "production", reason="is down")),
    ("checkout v2 is broken", Rollback("checkout", reason="v2 is broken")),
    ("status prod", Rollback("status", "production")),
    ("help", Help("rollback")),
]


@pytest.mark.parametrize(("text", "command"), ROLLBACK)
def test_behind_rollback(text, command):
    assert parse(text, command="rollback", known=KNOWN) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("deploy checkout v2", deploy()),
        ("/deploy checkout v2", deploy()),
        ("Deploy status", Status()),
        ("deploy deploy status v2", deploy("status")),
        ("rollback", Rollback()),
        ("rollback checkout", Rollback("checkout")),
        ("/rollback checkout now", Rollback("checkout", now=True)),
        ("status status", Status("status")),
        ("approve checkout", Promote("checkout")),
        ("", Help()),
        ("help rollback", Help("rollback")),
    ],
)
def test_a_line_begins_with_its_verb(text, command):
    assert parse_line(text, KNOWN) == command


# text, code, key, suggestion
REFUSED = [
    ("deploy checkotu v2", "unknown_service", "service", "checkout"),
    ("deploy statsu", "unknown_service", "service", "stats"),
    ("deploy rolback checkout", "unknown_service", "service", "rollback"),
    ("deploy zzz v2", "unknown_service", "service", None),
    ("deploy soak=5", "missing_service", "service", None),
    ("deploy checkout", "missing_version", "version", None),
    ("deploy checkout staging", "missing_version", "version", None),
    ("deploy checkout to staging", "missing_version", "version", None),
    ("deploy checkout because why", "missing_version", "version", None),
    ("deploy checkout -v2", "unknown_option", "v2", None),
    ("deploy checkout v2/", "bad_version", "version", None),
    ("deploy auth-service ghcr.io/orion/auth", "bad_version", "version", None),
    (f"deploy checkout {'v' * 129}", "bad_version", "version", None),
    ("deploy checkout v²³€", "bad_version", "version", None),
    ("deploy checkout v2 to", "missing_environment", "environment", None),
    ("deploy lab v2", "missing_environment", "environment", None),
    ("deploy ghost v2", "missing_environment", "environment", None),
    ("deploy checkout v2 to stagin", "unknown_environment", "environment", "staging"),
    ("deploy checkout v2 to mars", "unknown_environment", "environment", None),
    ("deploy checkout v2 eu-west", "unknown_environment", "environment", None),
    ("deploy auth-service v2 dev", "unknown_environment", "environment", None),
    ("deploy checkout v2 staging prod", "ambiguous_word", "environment", None),
    ("deploy checkout v2 stagin", "unknown_word", "stagin", "staging"),
    ("deploy checkout v2 v3", "unknown_word", "v3", None),
    ("deploy checkout v2 dry-run no", "unknown_word", "no", None),
    ("deploy checkout v2 strategy canary", "unknown_word", "strategy", "strategy=…"),
    ("deploy checkout v2 -", "unknown_word", "-", None),
    ("deploy checkout v2 <@U024BE7LH>", "unknown_word", "‹@U024BE7LH›", None),  # noqa: RUF001
    ("deploy checkout v2 trafic-steps=5", "unknown_option", "trafic-steps", "traffic-steps"),
    ("deploy checkout v2 --Traffic 5", "unknown_option", "Traffic", "traffic-steps"),
    ("deploy checkout v2 —force", "unknown_option", "force", None),
    ("deploy checkout v2 environment=staging", "unknown_option", "environment", "to ENVIRONMENT"),
    ("deploy checkout v2 —reason “bad latency”", "unknown_option", "reason", "because REASON"),
    ("deploy checkout v2 because", "missing_reason", "reason", None),
    ("deploy checkout v2 gate=2", "misplaced_option", "gate", None),
    ("plan checkout", "missing_version", "version", None),
    ("promote", "missing_service", "service", None),
    ("promote production", "missing_service", "service", None),
    ("promote checkout soak=5", "misplaced_option", "soak", None),
    ("pause checkout gate=2", "misplaced_option", "gate", None),
    ("promote checkout looks good", "unknown_word", "looks", None),
    ("status because I ask", "unknown_word", "because", None),
    ("history", "missing_service", "service", None),
    ("extend checkout 8d", "bad_value", "extend", None),
    ("extend checkout 5x", "bad_value", "extend", None),
    ("extend checkout 0", "bad_value", "extend", None),
    ("resolve checkout", "missing_reason", "reason", None),
    ("resolve checkout prdo fixed", "ambiguous_word", "environment", "production"),
    ("cancel", "missing_id", "id", None),
    ("cancel r 42", "bad_id", "id", None),
    ("help weather", "unknown_word", "weather", None),
    ("help promot", "unknown_word", "promot", "promote"),
    ("rollback checkoutt", "unknown_service", "service", "checkout"),
    ("rollback to v1", "missing_service", "service", None),
    ("rollback production is down", "missing_service", "service", None),
    ("rollback because it burns", "missing_service", "service", None),
    ("rollback checkout because", "missing_reason", "reason", None),
    ("rollback checkout to", "missing_version", "version", None),
    ("rollback checkout to because", "missing_version", "version", None),
    ("rollback checkout to b@d", "bad_version", "version", None),
    ("rollback checkout to production", "ambiguous_word", "version", "production"),
    ("rollback checkout v1.41", "ambiguous_word", "version", "to v1.41"),
    ("rollback checkout stging", "ambiguous_word", "environment", "staging"),
    ("rollback checkout Prodution: slow", "ambiguous_word", "environment", "production"),
    ("rollback checkout prdo is slow", "ambiguous_word", "environment", "production"),
    ("rollback checkout eu-wst is slow", "ambiguous_word", "environment", "eu-west"),
    ("rollback checkout staging production", "ambiguous_word", "environment", "production"),
    ("rollback checkout eu-west is slow", "unknown_environment", "environment", None),
    ("rollback auth-service dev", "unknown_environment", "environment", None),
    ("rollback checkout environment=staging", "unknown_option", "environment", "to ENVIRONMENT"),
    ("rollback checkout —bad latency", "unknown_option", "bad", None),
    ("rollback checkout --force", "unknown_option", "force", None),
    ("checkout v2", "unknown_word", "checkout", "deploy checkout"),
    ("promot checkout", "unknown_word", "promot", "promote"),
    ("lock", "missing_service", "service", None),
    ("lock checkout", "missing_reason", "reason", None),
    ("lock checkout prod for 2h", "missing_reason", "reason", None),
    ("lock production release", "missing_service", "service", "freeze production"),
    ("lock checkout prdo drill", "ambiguous_word", "environment", "production"),
    ("lock checkout for 31d drill", "bad_value", "for", "for 2h"),
    ("lock checkout --for soon", "bad_value", "for", "for 2h"),
    ("lock checkout for the drill", "bad_value", "for", "for 2h"),
    ("lock checkout for -1h drill", "bad_value", "for", "for 2h"),
    ("lock checkout for two hours", "bad_value", "for", "for 2h"),
    ("lock checkout prod until 18:00 drill", "bad_value", "for", "for 2h"),
    ("freeze production until monday", "bad_value", "for", "for 2h"),
    ("lock checkout until=5", "unknown_option", "until", None),
    ("lock checkout because " + "x" * 301, "too_long", "reason", None),
    ("unlock production", "missing_service", "service", "thaw production"),
    ("freeze", "missing_environment", "environment", None),
    ("freeze production", "missing_reason", "reason", None),
    ("freeze checkout incident", "unknown_environment", "environment", "lock checkout"),
    ("thaw nowhere", "unknown_environment", "environment", None),
    ("deploy stats production", "unknown_word", "environment", None),
    ("stats because I ask", "unknown_word", "because", None),
    ("/deploy freeze prod", "missing_reason", "reason", None),
    ("deploy checkout v2 because " + "x" * 40_000, "too_long", None, None),
]


@pytest.mark.parametrize(("text", "code", "key", "suggestion"), REFUSED)
def test_wrong_words_are_refused_with_a_code(text, code, key, suggestion):
    with pytest.raises(WordsError) as caught:
        parse_line(text, KNOWN)

    assert (caught.value.code, caught.value.key, caught.value.suggestion) == (code, key, suggestion)


@pytest.mark.parametrize(("text", "code"), [(text, code) for text, code, _, _ in REFUSED])
def test_a_refusal_is_a_sentence_that_can_be_posted_as_it_is(text, code):
    with pytest.raises(WordsError) as caught:
        parse_line(text, KNOWN)

    sentence = str(caught.value)
    assert code in CODES
    assert sentence[0].isupper() or sentence[0] == "`" or sentence.startswith(tuple(KNOWN.services))
    assert sentence[-1] in ".?"
    assert len(sentence) < 250
    assert not set("<>\n") & set(sentence)


def test_a_name_that_two_services_share_but_for_capitals_must_be_exact():
    twins = Known({"Auth": ("production",), "auth": ("production",)})

    assert parse_line("status Auth", twins) == Status("Auth")
    with pytest.raises(WordsError) as caught:
        parse_line("status AUTH", twins)
    assert caught.value.code == "ambiguous_word"


def test_an_environment_configured_by_its_short_name_has_its_long_one_too():
    short = Known({"shop": ("prod", "dev")})

    assert parse_line("deploy shop v2", short) == deploy("shop", environment="prod")
    assert parse_line("deploy shop v2 development", short) == deploy("shop", environment="dev")
