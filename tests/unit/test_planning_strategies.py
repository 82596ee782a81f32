"""Every strategy out of words, wish and file: which one is taken, what it is made of, what does not belong to it."""

import pytest

from bot.grammar.verbs import Deploy, Options
from bot.planning import plan_for, request_for
from strategies.cookies import Cookie, cookie_in
from strategies.plan import (
    Batch,
    Check,
    Compare,
    Match,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    Yardstick,
)
from strategies.request import PlanError
from strategies.telling import plan_sentences
from strategies.wish import Wish
from tests.unit.planning_shapes import CONF, plan, refused, the, wished

# ---- which strategy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "strategy"),
    [
        ("production", "canary"),
        ("prod", "canary"),
        ("staging", "blue-green"),
        ("stage", "blue-green"),
        ("testing", "rolling"),
        ("test", "rolling"),
        ("development", "recreate"),
        ("dev", "recreate"),
        ("qa", "canary"),
    ],
)
def test_the_name_of_an_environment_has_its_usual_strategy(environment, strategy):
    assert plan_for(Deploy("pair", "v2", environment), CONF).strategy == strategy


@pytest.mark.parametrize(
    ("words", "strategy"),
    [
        ("alone v2 to lab", "direct"),
        ("pair v2 to lab", "rolling"),
        ("pair v2 to lab strategy=canary", "canary"),
    ],
)
def test_the_request_goes_before_the_target_and_the_target_before_its_environment(words, strategy):
    found = plan(words)

    assert found.strategy == strategy
    assert not any("usually means" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("words", "strategy", "said"),
    [
        ("alone v2 to staging", "rolling", "staging usually means blue-green"),
        ("colours v2 to production", "blue-green", "production usually means canary"),
        ("colours v2 to testing", "blue-green", "testing usually means rolling"),
    ],
)
def test_where_the_usual_strategy_is_impossible_the_nearest_is_taken_and_said(
    words, strategy, said
):
    found = plan(words)

    assert found.strategy == strategy
    assert any(said in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("alone v2 strategy=blue-green", "needs_two_lanes"),
        ("alone v2 strategy=ab-test", "needs_two_lanes"),
        ("colours v2 strategy=canary", "weights_unreachable"),
        ("colours v2 strategy=rolling", "weights_unreachable"),
    ],
)
def test_an_impossible_strategy_that_was_asked_for_is_refused(words, code):
    assert refused(words) == (code, "strategy")


# ---- what belongs to a strategy ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("pair v2 batch-size=2", "batch-size"),
        ("pair v2 batch-delay=1m", "batch-delay"),
        ("pair v2 max-concurrent=2", "max-concurrent"),
        ("pair v2 split=50/50", "split"),
        ("pair v2 test-duration=10m", "test-duration"),
        ("pair v2 strategy=direct steps=standard", "steps"),
        ("pair v2 strategy=direct traffic-steps=standard", "traffic-steps"),
        ("pair v2 strategy=rolling soak=5m", "soak"),
        ("pair v2 strategy=ab-test step-duration=5m", "step-duration"),
        ("pair v2 strategy=ab-test keep-baseline=5", "keep-baseline"),
        ("pair v2 strategy=direct header=x-canary", "header"),
        ("pair v2 strategy=rolling user-tier=beta", "user-tier"),
        ("pair v2 strategy=blue-green region=us-west-2", "region"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(words, key):
    assert refused(words) == ("option_not_for_strategy", key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_timeout", 30),
        ("batch_rollback", "none"),
        ("smoke_enabled", False),
        ("smoke_for", 60),
        ("smoke", (SmokeTest("http://a/"),)),
        ("switch_timeout", 30),
        ("compare", ("rps",)),
        ("winner", "auto"),
        ("score", "wins"),
    ],
)
def test_so_is_one_that_only_a_file_can_say(field, value):
    with pytest.raises(PlanError, match="means nothing for canary") as caught:
        wished(environment="production", **{field: value})

    assert caught.value.code == "option_not_for_strategy"


def test_an_audience_needs_somebody_who_can_tell_requests_apart():
    assert refused("alone v2 user-tier=beta") == ("no_header_routes", "user-tier")


# ---- what they are made of --------------------------------------------------------------------------------------


def test_audiences_of_the_request_come_behind_those_of_the_file():
    rules = the(Match, plan("pair v2 header=x-debug=on user-tier=beta region=us-west-2")).rules

    assert rules == (
        Rule("x-canary", present=True),
        Rule("x-debug", equals="on"),
        Rule("x-user-tier", equals="beta"),
        Rule("x-region", equals="us-west-2"),
    )


def test_a_cookie_of_a_request_is_found_among_others():
    shown = plan("pair v2 header=Cookie=beta=1")

    assert cookie_in(the(Match, shown).rules[-1]) == Cookie("beta", equals="1")
    assert "requests with any x-canary or cookie beta = 1 go" in " ".join(plan_sentences(shown))


@pytest.mark.parametrize("name", ["uri", "scheme", "method", "Authority"])
def test_what_the_mesh_takes_for_another_part_of_a_request_is_no_audience(name):
    assert refused(f"pair v2 header={name}=/x") == ("bad_header_rule", "header")


def test_rolling_takes_batches_from_the_file_or_the_words():
    usual = the(Batch, plan("pair v2 to testing"))
    asked = plan("pair v2 to testing batch-size=2 batch-delay=30s max-concurrent=1")

    assert (usual.instances, usual.max_concurrent) == ("25%", 5)
    assert the(Batch, asked) == Batch(2, 1, total=8)
    assert the(Soak, asked).duration == 30


def test_blue_green_tests_the_dark_lane_for_as_long_as_it_is_told():
    usual = the(Smoke, plan("pair v2 to staging"))
    asked = the(Smoke, plan("pair v2 to staging test-duration=10m"))

    assert (usual.tests, usual.duration) == ((SmokeTest("http://app-{env}/health"),), 120)
    assert asked.duration == 600


def test_a_wish_adds_tests_or_leaves_them_all_out():
    more = wished(smoke=(SmokeTest("http://more/"),), switch_timeout=60)
    without = wished(smoke_enabled=False, smoke_for=30)

    assert [test.url for test in the(Smoke, more).tests] == [
        "http://app-{env}/health",
        "http://more/",
    ]
    assert the(Switch, more).timeout == 60
    assert (the(Smoke, without).tests, the(Smoke, without).duration) == ((), 30)


def test_an_ab_test_gives_the_second_share_to_the_new_version():
    found = plan("pair v2 strategy=ab-test split=70/30 test-duration=1d")

    assert next(step.percent for step in found.steps if isinstance(step, SetWeight)) == 30
    assert the(Compare, found).duration == 86400
    assert [one.metric for one in the(Compare, found).metrics] == ["rps", "cpu"]


def test_metrics_that_are_named_keep_what_the_file_says_of_them():
    wish = Wish(strategy="ab-test", compare=("rps", "error_rate", "revenue"))
    request = request_for(Deploy("pair", "v2", "staging", wish=wish), CONF)

    assert request.compare == (
        Yardstick("rps", "higher", 70),
        Yardstick("error_rate", "lower"),
        Yardstick("revenue", "higher", 0, "sum(paid)"),
    )


def test_business_metrics_without_a_query_are_said_to_be_missing():
    found = wished(strategy="ab-test", compare=("error_rate", "conversion_rate"))

    assert any(w.startswith("conversion_rate has no query") for w in found.warnings)


@pytest.mark.parametrize(
    ("wish", "key"),
    [
        ({"strategy": "ab-test", "compare": ("charm",)}, "compare"),
        ({"checks": (Check("charm", above=1),)}, "charm"),
    ],
)
def test_a_metric_that_nobody_knows_is_refused(wish, key):
    with pytest.raises(PlanError, match="no built-in metric") as caught:
        wished(**wish)

    assert (caught.value.code, caught.value.key) == ("unknown_metric", key)


def test_a_wish_replaces_the_checks_of_its_metric_and_kind_and_leaves_the_others():
    asked = (Check("error_rate", above=1, then="ask"), Check("kafka_lag", above=9))
    request = request_for(Deploy("pair", "v2", "staging", wish=Wish(checks=asked)), CONF)

    assert request.checks == (
        Check("error_rate", above=1, then="ask"),
        Check("error_rate", above_baseline=2),
        Check("kafka_lag", above=9, query="max(lag)"),
    )


@pytest.mark.parametrize(
    ("service", "strategy", "retention"),
    [
        ("pair", "canary", 0),
        ("pair", "blue-green", 0),
        ("colours", "blue-green", 3600),
        ("colours", "direct", 3600),
        ("alone", "direct", 0),
    ],
)
def test_the_old_version_is_kept_an_hour_where_lanes_swap(service, strategy, retention):
    deploy = Deploy(service, "v2", "qa", Options(strategy=strategy))

    assert request_for(deploy, CONF).retention == retention


def test_a_wish_may_keep_the_old_version_for_another_time():
    wish = Wish(strategy="blue-green", retention=60)

    assert request_for(Deploy("colours", "v2", "qa", wish=wish), CONF).retention == 60


@pytest.mark.parametrize(
    ("key", "wish"),
    [
        ("cluster", {"cluster": "other"}),
        ("namespace", {"namespace": "other"}),
        ("mesh", {"mesh": "linkerd"}),
    ],
)
def test_another_target_is_refused(key, wish):
    with pytest.raises(PlanError) as caught:
        wished(**wish)

    assert (caught.value.code, caught.value.key) == ("other_target", key)


def test_one_deployment_has_no_mesh():
    assert refused("alone v2 mesh=istio") == ("other_target", "mesh")


def test_what_a_wish_takes_for_live_is_only_doubted():
    found = wished(live="v1", warnings=("A webhook is not configured here.",))

    assert found.warnings[0] == "A webhook is not configured here."
    assert any('takes "v1" for the live version' in warning for warning in found.warnings)
