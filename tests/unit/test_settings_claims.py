"""Two targets of one object: refused where the second one claims it."""

import pytest

from bot.settings import ConfigError, read_config

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{}}, other: {{}}}}
accounts:
  shop: {{kind: aws, region: eu-west-1}}
  same: {{kind: aws, region: eu-west-1}}
  else: {{kind: aws, region: us-east-1}}
  goo: {{kind: gcp, project: p, location: europe-west1}}
metrics: {{main: {{kind: prometheus, url: "http://p"}}}}
environments: {{}}
flagger: {{token: "a-token-for-the-gates"}}
services:
  one:
    staging:
      metrics: {{source: main, template: http}}
      {first}
  two:
    staging:
      metrics: {{source: main, template: http}}
      {second}
"""
HEAD = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
RULE = f"{HEAD}listener-rule/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
GROUPS = f'stable: "{HEAD}targetgroup/a/73e2d6bc24d8a067", canary: "{HEAD}targetgroup/b/73e2d6bc24d8a068"'
INSIDE = "cluster: prod\n      namespace: orion\n      "
PAIR = (
    f"{INSIDE}workload: {{kind: deployment, stable: a, canary: b, container: c, image: i/a}}\n"
    "      traffic: "
)
FLAG = "workload: {kind: flag}\n      traffic: "
LAMBDA = "workload: {kind: lambda_version, account: shop, function: f, alias: live}"
KNATIVE = f"{INSIDE}workload: {{kind: knative_revision, service: s, image: i/a}}"
RUN = "workload: {kind: cloud_run, account: goo, service: s, image: i/a}"
ARGO = f"{INSIDE}workload: {{kind: argo_rollout, name: r, container: c, image: i/a}}"
FLAGGER = f"{INSIDE}workload: {{kind: flagger, canary: r, container: c, image: i/a}}"
ALB = f'{PAIR}{{kind: alb, rule: "{RULE}", {GROUPS}}}'
NAMED = f"{PAIR}{{kind: route53, zone: Z1, name: a.example, stable: s, canary: c}}"
UNLEASH = f'{FLAG}{{kind: unleash, url: "http://u", token_file: /t, environment: e, feature: f}}'
ISTIO = f"{PAIR}{{kind: istio, virtual_service: v, route: r}}"


def mistakes(first: str, second: str) -> list[tuple[str, str, int]]:
    try:
        read_config(CONFIG.format(first=first, second=second), "sluice.yaml")
    except ConfigError as wrong:
        return [(one.code, one.key, one.line) for one in wrong.errors]
    return []


@pytest.mark.parametrize("target", [LAMBDA, KNATIVE, RUN, ARGO, FLAGGER, ALB, NAMED, UNLEASH])
def test_one_object_has_one_target(target):
    ((code, key, line),) = mistakes(target, target)

    at = "traffic" if "traffic:" in target else "workload"
    text = CONFIG.format(first=target, second=target).splitlines()
    assert (code, key, text[line - 1].strip().split(":")[0]) == ("same_object_twice", at, at)
    assert line > text.index("  two:")


def test_two_names_of_one_account_are_one_account():
    assert mistakes(LAMBDA, LAMBDA.replace("shop", "same")) != []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (LAMBDA, LAMBDA.replace("live", "beta")),
        (LAMBDA, LAMBDA.replace("shop", "else")),
        (KNATIVE, KNATIVE.replace("cluster: prod", "cluster: other")),
        (ARGO, ARGO.replace("orion", "lyra")),
        (NAMED, NAMED.replace("Z1, ", "Z1, type: AAAA, ")),
        (UNLEASH, UNLEASH.replace("environment: e", "environment: d")),
        (ISTIO, ISTIO),
        (ISTIO, ISTIO.replace("route: r", "route: q")),
    ],
)
def test_what_are_two_objects_or_may_be_shared_is_taken(first, second):
    assert mistakes(first, second) == []
