"""The sluice.yaml of the design, and what becomes of it when something in it is changed."""

import pytest

from bot.settings import (
    ConfigError,
    read_config,
)

EXAMPLE = """\
# sluice.yaml                       (unknown keys, anchors and unquoted versions are errors with line numbers)
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters:
  prod-us-east-1: {kubeconfig: ~/.kube/config, context: prod}        # omit both in-cluster
metrics:
  main: {kind: prometheus, url: http://prometheus:9090}              # bearer_token_file, ca_file, timeout: 5s
alerts:
  - {kind: webhook, url: https://alerts.example/hook, secret: "${ALERT_SECRET}", events: [rollout.rolled_back]}
environments:
  production:
    strategy: canary                  # default strategy of the environment
    approvers: [S0SRE, U0BOB]         # Slack user-group or user ids; empty = nobody may promote
    approvals: 1
    self_approval: false
    gate_expires: 24h                 # then: on_expiry: hold | rollback
    freeze: [{from: "Fri 15:00", to: "Mon 08:00", timezone: Europe/Berlin}]
  staging: {strategy: blue-green, approvals: 0}
services:
  auth-service:
    # optional; every other key is an environment
    about: {owners: [S0AUTH], oncall: S0ONCALL, channel: C0ORION, critical: false, instances: 12, repository: orion/auth}
    production:
      cluster: prod-us-east-1
      namespace: orion
      workload: {kind: deployment, stable: auth-service-stable, canary: auth-service-canary,
                 container: auth-service, image: ghcr.io/orion/auth}
      traffic: {kind: istio, virtual_service: auth-service, route: primary}
      metrics: {source: main, template: istio}      # istio | linkerd | http | knative | lambda | envoy | custom queries
      canary: {steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s}
      checks:
        - {metric: error_rate, above: 5, then: rollback}              # percent
        - {metric: latency_p95, above: 500, then: warn}               # milliseconds
        - {metric: error_rate, above_baseline: 5, then: rollback}     # percentage points over stable
        - {metric: latency_p95, times_baseline: 1.5, then: rollback}
        - {metric: kafka_lag, query: 'max(lag{app="$service",version="$version"})', above: 1000, then: ask}
      min_requests: 1000
"""  # noqa: E501 - as it stands in the design


def problems(text, file="sluice.yaml"):
    with pytest.raises(ConfigError) as caught:
        read_config(text, file)
    return caught.value.errors


def changed(old, new):
    assert EXAMPLE.count(old) == 1, f"the example has {EXAMPLE.count(old)} times {old!r}"
    return EXAMPLE.replace(old, new)


def environment(old, new):
    return read_config(changed(old, new), "sluice.yaml").environment("production")
