"""A configuration with every shape of target, and short ways to plan for it."""

import pytest

from bot.grammar import Known, parse_line
from bot.grammar.verbs import Deploy
from bot.planning import plan_for
from bot.settings.check import read_config
from strategies.request import PlanError
from strategies.wish import Wish

TARGET = """
      cluster: prod
      namespace: shop
      metrics: {source: main}
      queries: {kafka_lag: 'max(lag)', revenue: 'sum(paid)'}
      smoke: [{url: "http://app-{env}/health"}]
      match: [{header: x-canary, present: true}]
      checks: [{metric: error_rate, above: 5}, {metric: error_rate, above_baseline: 2}]
      ab_test: {metrics: [{metric: rps, weight: 70}, cpu]}
"""
ALONE = """
      cluster: prod
      namespace: shop
      metrics: {source: main}
      workload: {kind: deployment, name: app, container: app, image: r/app}
"""
PAIR = """
      workload: {kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}
"""
COLOURS = """
      workload: {kind: deployment, blue: app-blue, green: app-green, container: app, image: r/app}
      traffic: {kind: service_selector, service: app}
"""
USUAL = ("production", "staging", "testing", "development", "prod", "stage", "test", "dev", "qa")
CONFIG = f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
metrics: {{main: {{kind: prometheus, url: "http://127.0.0.1:9"}}}}
environments:
  production: {{approvers: [S0SRE]}}
  prod: {{approvers: [S0SRE]}}
  lab: {{strategy: direct}}
  qa: {{}}
services:
  pair:
    about: {{instances: 8}}
    lab: {TARGET}{PAIR}      strategy: rolling
{"".join(f"    {name}: {TARGET}{PAIR}" for name in USUAL)}
  colours:
{"".join(f"    {name}: {TARGET.replace('match:', '#')}{COLOURS}" for name in USUAL)}
  alone:
    lab: {ALONE}
{"".join(f"    {name}: {ALONE}" for name in USUAL)}
"""
CONF = read_config(CONFIG, "sluice.yaml")
KNOWN = Known({name: tuple(one.targets) for name, one in CONF.services.items()})


def plan(words: str):
    return plan_for(parse_line(f"deploy {words}", KNOWN), CONF)


def wished(service="pair", environment="staging", **wish):
    return plan_for(Deploy(service, "v2", environment, wish=Wish(**wish)), CONF)


def refused(words: str) -> tuple[str, str]:
    with pytest.raises(PlanError) as caught:
        plan(words)
    return caught.value.code, caught.value.key


def the(kind: type, found):
    (step,) = [step for step in found.steps if isinstance(step, kind)]
    return step
