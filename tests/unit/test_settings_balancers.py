"""`traffic` of the kinds of AWS: which keys go together, and what stands for which lane."""

import pytest

from bot.settings import ConfigError, read_config
from bot.settings.balancers import AlbTraffic, Route53Traffic

HEAD = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
RULE = f"{HEAD}listener-rule/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
LISTENER = f"{HEAD}listener/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2"
ONE, TWO = (
    f"{HEAD}targetgroup/auth-1/73e2d6bc24d8a067",
    f"{HEAD}targetgroup/auth-2/73e2d6bc24d8a068",
)
PAIR = f'stable: "{ONE}", canary: "{TWO}"'
COLOURS = f'blue: "{ONE}", green: "{TWO}"'
ALB = f'kind: alb, rule: "{RULE}"'
NAME = "kind: route53, zone: Z148QEXAMPLE8V, name: auth.orion.example"

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{}}}}
accounts: {{aws: {{kind: aws}}}}
metrics: {{main: {{kind: prometheus, url: "http://p"}}}}
services:
  auth:
    staging:
      cluster: prod
      namespace: orion
      workload: {{kind: deployment, {lanes}, container: auth, image: orion/auth}}
      traffic: {{{traffic}}}
      metrics: {{source: main}}
"""
FIXED, SWAP = "stable: a, canary: b", "blue: a, green: b"


def block(traffic: str, lanes: str = FIXED) -> AlbTraffic | Route53Traffic:
    config = read_config(CONFIG.format(lanes=lanes, traffic=traffic), "sluice.yaml")
    found = config.target("auth", "staging").traffic
    assert isinstance(found, AlbTraffic | Route53Traffic)
    return found


def mistake(traffic: str, lanes: str = FIXED) -> tuple[str, str]:
    with pytest.raises(ConfigError) as wrong:
        block(traffic, lanes)
    problem = wrong.value.errors[0]
    return problem.code, problem.key


@pytest.mark.parametrize(
    ("traffic", "lanes", "code", "key"),
    [
        (f"{ALB}, {PAIR}", SWAP, "router_needs_pair", "traffic"),
        (f"{ALB}, {COLOURS}", FIXED, "router_needs_colours", "traffic"),
        (f'{ALB}, {PAIR}, blue: "{ONE}"', FIXED, "contradiction", "blue"),
        (f'{ALB}, stable: "{ONE}"', FIXED, "missing_key", "canary"),
        (f'{ALB}, green: "{ONE}"', SWAP, "missing_key", "blue"),
        (ALB, FIXED, "missing_key", "stable"),
        (f'{ALB}, stable: "{ONE}", canary: "{ONE}"', FIXED, "same_workload", "canary"),
        (f"kind: alb, {PAIR}", FIXED, "missing_key", "rule"),
        (f'{ALB}, listener: "{LISTENER}", {PAIR}', FIXED, "contradiction", "listener"),
        (f'kind: alb, rule: "{LISTENER}", {PAIR}', FIXED, "bad_arn", "rule"),
        (f'{ALB}, stable: "{RULE}", canary: "{TWO}"', FIXED, "bad_arn", "stable"),
        (f"{NAME}, type: MX, stable: s, canary: c", FIXED, "unknown_type", "type"),
        ("kind: route53, zone: z, name: a.b, stable: s, canary: c", FIXED, "bad_id", "zone"),
        (
            'kind: route53, zone: Z1, name: "*.b.example", stable: s, canary: c',
            FIXED,
            "bad_name",
            "name",
        ),
        (f"{ALB}, account: gone, {PAIR}", FIXED, "unknown_account", "account"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_key(traffic, lanes, code, key):
    assert mistake(traffic, lanes) == (code, key)


def test_a_pair_keeps_its_lanes_and_colours_follow_what_is_live():
    assert block(f"{NAME}, stable: s, canary: c").lanes() == {"stable": "s", "canary": "c"}
    coloured = block(f"{NAME}, blue: b, green: g", SWAP)
    assert coloured.lanes("blue") == {"stable": "b", "canary": "g"}
    assert coloured.lanes("green") == {"stable": "g", "canary": "b"}


@pytest.mark.parametrize("where", [f'rule: "{RULE}"', f'listener: "{LISTENER}"'])
def test_metrics_are_told_what_cloudwatch_calls_them(where):
    assert block(f"kind: alb, {where}, {COLOURS}", SWAP).measured("green") == {
        "load_balancer": "app/orion/50dc6c495c0c9188",
        "stable_group": "targetgroup/auth-2/73e2d6bc24d8a068",
        "canary_group": "targetgroup/auth-1/73e2d6bc24d8a067",
    }


def test_what_the_adapters_are_made_with_has_neither_kind_nor_lanes():
    assert block(f"{ALB}, account: aws, {PAIR}, quiet: 20s").options() == {
        "rule": RULE,
        "listener": None,
        "quiet": 20,
    }
    assert block(f"{NAME}, stable: s, canary: c").options() == {
        "zone": "Z148QEXAMPLE8V",
        "name": "auth.orion.example",
        "type": "A",
    }


@pytest.mark.parametrize(
    "elsewhere",
    [TWO.replace("eu-west-1", "us-east-1"), TWO.replace("123456789012", "999999999999")],
)
def test_a_target_group_is_where_its_rule_is(elsewhere):
    assert mistake(f'{ALB}, stable: "{ONE}", canary: "{elsewhere}"') == ("contradiction", "canary")
