"""A sluice.yaml that is right is read as it stands; one that is wrong is told where, what and why, all at once."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings import (
    ConfigError,
    DeploymentPair,
    EnvironmentBlock,
    IstioTraffic,
    Problem,
    Secret,
    UnknownNameError,
    WeekTime,
    format_problem,
    load_config,
    read_config,
)
from strategies.plan import Check

DESIGN = Path(__file__).parents[3] / "shared" / "design.md"

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


def target(old="", new=""):
    text = changed(old, new) if old else EXAMPLE
    return read_config(text, "sluice.yaml").target("auth-service", "production")


def environment(old, new):
    return read_config(changed(old, new), "sluice.yaml").environment("production")


# --- what is right -----------------------------------------------------------------------------------------------


def test_the_example_is_the_one_of_the_design():
    if not DESIGN.exists():
        pytest.skip("the design is not beside this checkout")

    assert EXAMPLE in DESIGN.read_text()


def test_the_example_is_read_as_it_stands():
    config = read_config(EXAMPLE, "sluice.yaml")
    production = config.environment("production")

    assert (config.slack.channel, config.slack.alert_channel) == ("C0DEPLOYS", "C0ALERTS")
    assert (
        config.clusters["prod-us-east-1"].kubeconfig,
        config.clusters["prod-us-east-1"].context,
    ) == (
        "~/.kube/config",
        "prod",
    )
    assert (config.metrics["main"].url, config.metrics["main"].timeout) == (
        "http://prometheus:9090",
        5,
    )
    assert config.alerts[0].secret == Secret("${ALERT_SECRET}")
    assert config.alerts[0].events == ("rollout.rolled_back",)
    assert (
        production.strategy,
        production.approvers,
        production.approvals,
        production.gate_expires,
    ) == (
        "canary",
        ("S0SRE", "U0BOB"),
        1,
        86_400,
    )
    assert (production.freeze[0].from_, production.freeze[0].to) == (
        WeekTime(4, 15, 0),
        WeekTime(0, 8, 0),
    )
    assert config.services["auth-service"].about.owners == ("S0AUTH",)
    assert list(config.services["auth-service"].targets) == ["production"]


def test_the_target_of_the_example_has_all_its_parts():
    found = target()

    assert found.workload == DeploymentPair(
        stable="auth-service-stable",
        canary="auth-service-canary",
        container="auth-service",
        image="ghcr.io/orion/auth",
    )
    assert found.traffic == IstioTraffic(virtual_service="auth-service", route="primary")
    assert (found.canary.steps, found.canary.soak, found.canary.retention) == (
        (5, 25, 50, 100),
        (300,),
        0,
    )
    assert found.checks[1] == Check("latency_p95", above=500, then="warn")
    assert found.checks[4].query == 'max(lag{app="$service",version="$version"})'
    assert found.min_requests == 1000


def test_defaults_fill_what_is_not_written():
    found = target(
        "      canary: {steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s}\n",
        "",
    )

    assert (found.canary.steps, found.canary.soak, found.canary.auto_promote) == (
        (10, 50, 100),
        (300,),
        False,
    )
    assert target(
        "{metric: error_rate, above: 5, then: rollback}", "{metric: cpu, above: 5}"
    ).checks[0] == Check("cpu", above=5)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("standard", (10, 50, 100)),
        ("Conservative", (5, 10, 25, 50, 100)),
        ("aggressive", (25, 100)),
        ("[5, 50]", (5, 50, 100)),
        ("[0.5, 99.5]", (0.5, 99.5, 100)),
        ("[100]", (100,)),
        ("20", (20, 100)),
    ],
)
def test_steps_are_a_preset_or_a_list_and_end_at_100(steps, expected):
    assert target("[5, 25, 50, 100]", steps).canary.steps == expected


@pytest.mark.parametrize(
    ("canary", "steps", "soak"),
    [
        ("steps: [5, 50, 100], soak: [1m, 2m, 3m]", (5, 50, 100), (60, 120, 180)),
        ("steps: [5, 50], soak: [1m, 2m]", (5, 50, 100), (60, 120, 120)),
        ("steps: [5, 50], soak: PT5M", (5, 50, 100), (300,)),
        ("soak: [1m, 2m, 3m]", (10, 50, 100), (60, 120, 180)),
    ],
)
def test_a_soak_is_one_for_all_or_one_per_given_step(canary, steps, soak):
    found = target("steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s", canary)

    assert (found.canary.steps, found.canary.soak) == (steps, soak)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("true", True),
        ("True", True),
        ("yes", True),
        ("on", True),
        ("false", False),
        ("no", False),
        ("OFF", False),
    ],
)
def test_every_spelling_of_true_and_false_counts(word, expected):
    assert environment("self_approval: false", f"self_approval: {word}").self_approval is expected


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Blue_Green", "blue-green"),
        ("all-at-once", "direct"),
        ("A/B", "ab-test"),
        ('"ab testing"', "ab-test"),
    ],
)
def test_strategy_names_are_read_as_in_chat(word, name):
    assert environment("strategy: canary ", f"strategy: {word} ").strategy == name


def test_a_target_may_override_the_strategy_of_its_environment():
    assert target("min_requests: 1000", "strategy: rolling").strategy == "rolling"


def test_an_environment_that_is_not_listed_has_the_defaults():
    config = read_config(EXAMPLE, "sluice.yaml")

    assert config.environment("qa") == EnvironmentBlock()
    assert config.environment("qa").approvals == 0


def test_production_asks_for_an_approval_unless_the_file_says_otherwise():
    silent = environment("    approvals: 1\n", "")
    none = environment("    approvals: 1\n", "    approvals: 0\n")
    unlisted = read_config(
        "slack: {channel: C0A, alert_channel: C0B}\nclusters: {}\nmetrics: {}\nservices: {}", "f"
    )

    assert (silent.approvals, none.approvals, unlisted.environment("production").approvals) == (
        1,
        0,
        1,
    )


def test_a_token_and_a_group_may_approve():
    found = environment("[S0SRE, U0BOB]", "[S0SRE, W0ANA, 'token:ci']")

    assert found.approvers == ("S0SRE", "W0ANA", "token:ci")


def test_an_in_cluster_connection_needs_no_keys():
    config = read_config(
        changed("{kubeconfig: ~/.kube/config, context: prod}", "{}"), "sluice.yaml"
    )

    assert config.clusters["prod-us-east-1"].kubeconfig is None


@pytest.mark.parametrize(
    "image", ["auth", "localhost:5000/auth", "registry.example:443/a/b__c/d-e.f"]
)
def test_an_image_is_a_repository(image):
    assert target("ghcr.io/orion/auth", image).workload.image == image


def test_json_is_yaml():
    text = '{"slack": {"channel": "C0A", "alert_channel": "C0B"}, "clusters": {}, "metrics": {}, "services": {}}'

    assert read_config(text, "f").slack.channel == "C0A"


@pytest.mark.parametrize(
    ("service", "name", "code", "suggestion"),
    [
        ("auth-servce", "production", "unknown_service", "auth-service"),
        ("billing", "production", "unknown_service", None),
        ("auth-service", "prodution", "unknown_environment", "production"),
    ],
)
def test_an_unknown_target_is_told_with_a_suggestion(service, name, code, suggestion):
    with pytest.raises(UnknownNameError) as caught:
        read_config(EXAMPLE, "sluice.yaml").target(service, name)

    assert (caught.value.code, caught.value.suggestion) == (code, suggestion)


# --- what is wrong -----------------------------------------------------------------------------------------------

# One mistake each. The mark § stands where the mistake is told; it is taken out before the file is read.
MISTAKES = [
    # words of the file
    ("slack: {", "slack: {§channelx: C0X, ", "unknown_key", "channelx"),
    ("strategy: canary ", "§stratgy: canary ", "unknown_key", "stratgy"),
    ("{metric: error_rate, above: 5,", "{metric: error_rate, above: 5, §unless: x,", "unknown_key", "unless"),
    ("services:\n", "§service: 1\nservices:\n", "unknown_key", "service"),
    ("    approvals: 1\n", "    approvals: 1\n    §approvals: 2\n", "duplicate_key", "approvals"),
    ("  staging: {", "  §production: {", "duplicate_key", "production"),
    ("channel: C0DEPLOYS", "§channel:", "empty_value", "channel"),
    ("namespace: orion", "§namespace: ~", "empty_value", "namespace"),
    ("namespace: orion", '§namespace: ""', "empty_value", "namespace"),
    ("approvers: [S0SRE, U0BOB]", "approvers: §S0SRE", "wrong_type", "approvers"),
    ("namespace: orion", "namespace: §[orion]", "wrong_type", "namespace"),
    ("metrics: {source: main, template: istio}", "metrics: §main", "wrong_type", "metrics"),
    ("{kind: istio, virtual_service: auth-service, route: primary}", "§istio", "wrong_type", "traffic"),
    # YAML's own ideas about unquoted words
    ("namespace: orion", "namespace: §1.10", "unquoted_value", "namespace"),
    ("namespace: orion", "namespace: §on", "unquoted_value", "namespace"),
    ("route: primary", "route: §12:30:45", "unquoted_value", "route"),
    ("route: primary", "route: §2026-01-01", "unquoted_value", "route"),
    ("timezone: Europe/Berlin", "timezone: §no", "unquoted_value", "timezone"),
    ("  staging: {", "  §1.10: {", "unquoted_value", "1.10"),
    ("min_requests: 1000", 'min_requests: §"1000"', "bad_number", "min_requests"),
    ("min_requests: 1000", "min_requests: §1_000", "bad_number", "min_requests"),
    ("min_requests: 1000", "min_requests: §0x10", "bad_number", "min_requests"),
    ("min_requests: 1000", "min_requests: §1.5", "bad_number", "min_requests"),
    ("instances: 12", "instances: §.inf", "bad_number", "instances"),
    ("self_approval: false", 'self_approval: §"false"', "bad_flag", "self_approval"),
    ("critical: false", "critical: §maybe", "bad_flag", "critical"),
    # durations
    ("gate_expires: 24h", "gate_expires: §24", "bare_number", "gate_expires"),
    ("soak: 5m", "soak: §300", "bare_number", "soak"),
    ("soak: 5m", "soak: [5m, 5m, §5, 5m]", "bare_number", "soak"),
    ("soak: 5m", "soak: §5 minutes", "bad_duration", "soak"),
    ("soak: 5m", "soak: §0s", "out_of_range", "soak"),
    ("soak: 5m", "soak: §-5m", "bad_duration", "soak"),
    ("gate_expires: 24h", "gate_expires: §8d", "out_of_range", "gate_expires"),
    ("soak: 5m", "soak: §[1m, 2m]", "soak_count", "soak"),
    # steps
    ("[5, 25, 50, 100]", "[5, §5, 100]", "bad_steps", "steps"),
    ("[5, 25, 50, 100]", "[50, §25]", "bad_steps", "steps"),
    ("[5, 25, 50, 100]", "[5, §101]", "bad_steps", "steps"),
    ("[5, 25, 50, 100]", "[§0, 50]", "bad_steps", "steps"),
    ("[5, 25, 50, 100]", "[5, §half]", "bad_number", "steps"),
    ("[5, 25, 50, 100]", "§[]", "out_of_range", "steps"),
    ("[5, 25, 50, 100]", "§standardo", "unknown_preset", "steps"),
    # closed lists of words
    ("strategy: canary ", "strategy: §canery ", "unknown_strategy", "strategy"),
    ("gate_expires: 24h ", "on_expiry: §wait ", "unknown_word", "on_expiry"),
    ("above: 5, then: rollback", "above: 5, then: §abort", "unknown_word", "then"),
    ("template: istio", "template: §linkrd", "unknown_template", "template"),
    ("[rollout.rolled_back]", "[§rollout.roled_back]", "unknown_event", "events"),
    ("kind: istio", "kind: §linkerd", "unknown_kind", "kind"),
    ("kind: deployment", "kind: §statefulset", "unknown_kind", "kind"),
    ("kind: prometheus", "kind: §cloudwatch", "unknown_kind", "kind"),
    ("kind: webhook", "kind: §5", "unquoted_value", "kind"),
    # checks
    ("metric: error_rate, above: 5,", "metric: §eror_rate, above: 5,", "unknown_metric", "metric"),
    ("metric: latency_p95, above: 500,", "metric: latency_p95, above: 500, below: §3,", "one_bound", "below"),
    ("- {metric: error_rate, above: 5,", "- §{metric: error_rate,", "one_bound", "checks"),
    ("metric: error_rate, above: 5,", "metric: error_rate, above: §101,", "out_of_range", "above"),
    ("metric: latency_p95, above: 500,", "metric: latency_p95, above: §-1,", "out_of_range", "above"),
    ("times_baseline: 1.5", "times_baseline: §0", "out_of_range", "times_baseline"),
    ("above: 500, then: warn", "above: 500, failures: §3", "bad_failures", "failures"),
    ("above: 500, then: warn", "above: 500, failures: §3, of: 2", "bad_failures", "failures"),
    ("above: 500, then: warn", "above: 500, of: §0", "out_of_range", "of"),
    ("above: 500, then: warn", "above: 500, of: §101", "out_of_range", "of"),
    ("above: 500, then: warn", "above: §500ms", "bad_number", "above"),
    # names, addresses, ids
    ("namespace: orion", "namespace: §Orion", "bad_name", "namespace"),
    ("  auth-service:\n", "  §auth_service:\n", "bad_name", "auth_service"),
    ("stable: auth-service-stable", "stable: §auth-service-", "bad_name", "stable"),
    ("canary: auth-service-canary", "canary: §auth-service-stable", "same_workload", "canary"),
    ("image: ghcr.io/orion/auth", "image: §ghcr.io/orion/auth:v1", "image_with_tag", "image"),
    ("image: ghcr.io/orion/auth", "image: §ghcr.io/orion/auth@sha256:ab", "image_with_tag", "image"),
    ("image: ghcr.io/orion/auth", "image: §Orion Auth", "bad_image", "image"),
    ("url: http://prometheus:9090", "url: §prometheus:9090", "bad_url", "url"),
    ("url: https://alerts.example/hook", "url: §javascript:alert(1)", "bad_url", "url"),
    ('"${ALERT_SECRET}"', '§"${alert secret}"', "bad_placeholder", "secret"),
    ("context: prod", 'context: §"${CONTEXT}"', "placeholder_refused", "context"),
    ("channel: C0DEPLOYS", 'channel: §"#deploys"', "bad_id", "channel"),
    ("[S0SRE, U0BOB]", "[S0SRE, §bob]", "bad_id", "approvers"),
    ("oncall: S0ONCALL", "oncall: §token:ci", "bad_id", "oncall"),
    ("owners: [S0AUTH]", "owners: [§orion]", "bad_id", "owners"),
    # windows
    ('from: "Fri 15:00"', 'from: §"Fry 15:00"', "bad_window", "from"),
    ('to: "Mon 08:00"', 'to: §"Mon 25:00"', "bad_window", "to"),
    ('to: "Mon 08:00"', 'to: §"Fri 15:00"', "bad_window", "to"),
    ("timezone: Europe/Berlin", "timezone: §Berlin", "unknown_timezone", "timezone"),
    ("timezone: Europe/Berlin", 'timezone: §"../../etc/passwd"', "unknown_timezone", "timezone"),
    # one part about another
    ("cluster: prod-us-east-1", "cluster: §prod-us-east-2", "unknown_cluster", "cluster"),
    ("source: main", "source: §maain", "unknown_source", "source"),
    ("    production:\n      cluster", "    §prodution:\n      cluster", "unknown_environment", "prodution"),
    ("[S0SRE, U0BOB]", "§[]", "no_approvers", "approvers"),
    ("staging: {strategy: blue-green, approvals: 0}", "staging: {approvals: §2}", "no_approvers", "approvers"),
    ("[S0SRE, U0BOB]         # Slack user-group or user ids; empty = nobody may promote\n    approvals: 1",
     "[U0BOB]\n    approvals: §2", "too_few_approvers", "approvals"),
    # the text itself
    ("source: main", "source: §&m main", "anchors_refused", "source"),
    ("source: main", "source: §!!str main", "tags_refused", "source"),
    ("      min_requests: 1000", "      §<<: {cluster: x}", "anchors_refused", "<<"),
    ("      min_requests: 1000", "      ? §[a]\n      : b", "bad_key", ""),
    ("      min_requests: 1000", "      §~: b", "bad_key", ""),
    ("      min_requests: 1000\n", "§---\nslack: 1\n", "several_documents", ""),
    ("      min_requests: 1000", "      min_requests: 1§: 2", "not_yaml", ""),
    ("min_requests: 1000", "min_requests: §\u0007", "not_yaml", ""),
    ("namespace: orion", 'namespace: §"a\\u202eb"', "bad_text", "namespace"),
]  # fmt: skip

# The mistake is that something is not there: it is told at the block or value that should have it.
ABSENCES = [
    (
        "slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}\n",
        "",
        "missing_key",
        "slack",
        "# sluice.yaml",
    ),
    (", alert_channel: C0ALERTS", "", "missing_key", "alert_channel", "slack: {"),
    ("      namespace: orion\n", "", "missing_key", "namespace", "production:\n      cluster"),
    ("virtual_service: auth-service, ", "", "missing_key", "virtual_service", "traffic:"),
    ("kind: prometheus, ", "", "missing_key", "kind", "main: {"),
    ("kind: webhook, ", "", "missing_key", "kind", "{url: https"),
    ("{metric: error_rate, above: 5,", "{above: 5,", "missing_key", "metric", "{above: 5,"),
    (
        "{kubeconfig: ~/.kube/config, context: prod}",
        "",
        "empty_value",
        "prod-us-east-1",
        "prod-us-east-1:  ",
    ),
    (
        "    approvers: [S0SRE, U0BOB]         #",
        "    #",
        "no_approvers",
        "approvers",
        "1\n    self_approval",
    ),
]


def place(text, index):
    before = text[:index]
    return before.count("\n") + 1, index - before.rfind("\n")


@pytest.mark.parametrize(("old", "new", "code", "key"), MISTAKES)
def test_a_mistake_is_told_where_it_is(old, new, code, key):
    marked = changed(old, new)
    text = marked.replace("§", "")

    (problem,) = problems(text)

    assert (problem.code, problem.key) == (code, key)
    assert (problem.line, problem.column) == place(marked, marked.index("§"))


@pytest.mark.parametrize(("old", "new", "code", "key", "where"), ABSENCES)
def test_what_is_missing_is_told_where_it_belongs(old, new, code, key, where):
    text = changed(old, new)

    (problem,) = problems(text)

    assert (problem.code, problem.key) == (code, key)
    assert (problem.line, problem.column) == place(text, text.index(where))


@pytest.mark.parametrize(("old", "new", "code", "key"), MISTAKES)
def test_a_mistake_is_told_as_a_sentence_on_one_line(old, new, code, key):
    for problem in problems(changed(old, new).replace("§", "")):
        assert problem.message.endswith((".", ")"))
        assert problem.message.isprintable()
        assert not any(
            word in problem.message.lower() for word in ("input", "pydantic", "validat", "literal")
        )


def test_all_mistakes_are_told_in_one_run_in_the_order_of_the_file():
    text = (
        EXAMPLE.replace("channel: C0DEPLOYS", "channel: deploys")
        .replace("gate_expires: 24h", "gate_expires: 24")
        .replace("approvals: 1", "approvals: 3.5")
        .replace("cluster: prod-us-east-1", "cluster: prod")
        .replace("[5, 25, 50, 100]", "[5, x, y]")
        .replace("soak: 5m", "soak: [5, 5 parsecs]")
        .replace("above: 500,", "limit: 500,")
    )

    found = problems(text)

    assert [p.code for p in found] == [
        "bad_id",
        "bad_number",
        "bare_number",
        "unknown_cluster",
        "bad_number",
        "bad_number",
        "bare_number",
        "bad_duration",
        "unknown_key",
    ]
    assert [p.line for p in found] == sorted(p.line for p in found)


def test_an_environment_may_be_named_like_a_word_of_the_program():
    marked = EXAMPLE + "    targets: {§production: 1, cluster: prod-us-east-1}\n"
    found = problems(EXAMPLE.replace("soak: 5m", "soak: 5") + "    targets: {production: 1}\n")

    line, column = place(EXAMPLE, EXAMPLE.index("5m, auto"))
    assert ("bare_number", line, column) in {(p.code, p.line, p.column) for p in found}
    assert ("unknown_key", *place(marked, marked.index("§"))) in {
        (p.code, p.line, p.column) for p in found
    }


def test_a_production_target_without_approvers_is_refused_even_when_nothing_is_listed():
    text = EXAMPLE[: EXAMPLE.index("environments:")] + EXAMPLE[EXAMPLE.index("services:") :]

    (problem,) = problems(text)

    assert (problem.code, problem.key) == ("no_approvers", "approvers")
    assert "approvals: 0" in problem.message


def test_a_group_may_have_members_enough():
    assert environment("approvals: 1", "approvals: 5").approvals == 5


def test_an_unknown_key_comes_with_a_suggestion_and_the_known_ones():
    (problem,) = problems(changed("strategy: canary ", "stratgy: canary "))

    assert "did you mean strategy?" in problem.message
    assert "gate_expires" in problem.message


def test_a_slip_of_the_finger_in_a_required_key_is_one_mistake():
    found = problems(changed("namespace: orion", "namespce: orion"))

    assert [p.code for p in found] == ["unknown_key"]


def test_a_problem_is_one_line_of_config_check():
    problem = Problem("sluice.yaml", 3, 5, "bare_number", "soak", "It has no unit.")
    without_key = Problem("a.yaml", 1, 1, "empty_file", "", "Nothing.")

    assert format_problem(problem) == "sluice.yaml:3:5: bare_number: It has no unit. (soak)"
    assert format_problem(without_key) == "a.yaml:1:1: empty_file: Nothing."


def test_the_text_of_the_error_is_the_output_of_config_check():
    with pytest.raises(ConfigError, match=r"^f:1:1: empty_file: .*\.$") as caught:
        read_config("# nothing\n", "f")

    assert caught.value.code == "bad_config"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('secret: "${ALERT_SECRET}"', "secret: 20260101"),
        ('secret: "${ALERT_SECRET}"', 'secret: "hunter${x}"'),
        ("url: https://alerts.example/hook", "url: hooks.example/20260101"),
    ],
)
def test_a_secret_is_not_repeated_in_the_complaint_about_it(old, new):
    with pytest.raises(ConfigError) as caught:
        read_config(changed(old, new), "sluice.yaml")

    assert "20260101" not in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_config_prints_without_its_secrets():
    config = read_config(changed("${ALERT_SECRET}", "whsec_very"), "sluice.yaml")

    assert "whsec_very" not in f"{config!r} {config}"
    assert "alerts.example" not in repr(config)
    assert config.alerts[0].secret.reveal() == "whsec_very"


# --- hostile texts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_file"),
        ("~", "empty_file"),
        ("[" * 2_000, "too_deep"),
        ("- " * 2_000, "too_deep"),
        ("{a: " * 2_000, "too_deep"),
        ("[" + "1," * 20_000 + "]", "too_many_nodes"),
        ("#" * 300_000, "too_large"),
        ("ä" * 140_000, "too_large"),
        ("a: &a [x]\nb: [*a, *a]", "anchors_refused"),
        ("a: !!python/object/apply:os.system [id]", "tags_refused"),
        ('a: "\\UFFFFFFFF"', "not_yaml"),
        ("%YAML 1." + "1" * 5_000 + "\n---\na: 1", "not_yaml"),
        ("a: \ud800", "not_yaml"),
        ("a: [1, 2", "not_yaml"),
        ("just words", "wrong_type"),
    ],
)
def test_hostile_text_is_refused(text, code):
    assert code in [problem.code for problem in problems(text)]


def test_a_bomb_of_aliases_is_never_expanded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]

    assert "anchors_refused" in {problem.code for problem in problems("\n".join(lines))}


# Milliseconds: generous for a busy machine, far below what anything that explodes would take.
SOON = settings(deadline=5_000)


def check_only_config_error(text):
    found = ()
    try:
        read_config(text, "f")
    except ConfigError as error:
        found = error.errors
        str(error).encode()
    assert all(p.line >= 1 and p.column >= 1 and p.code and p.message for p in found)


@SOON
@given(st.text(max_size=300))
def test_arbitrary_text_raises_nothing_but_config_error(text):
    check_only_config_error(text)


@SOON
@given(st.text("[]{}:,-?&*!|>'\"%@#\n ~<=ax1.\t", max_size=200))
def test_arbitrary_punctuation_raises_nothing_but_config_error(text):
    check_only_config_error(text)


@SOON
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text("[]{}:,-&*\"'\n 1x~§", max_size=8))
def test_a_torn_example_raises_nothing_but_config_error(start, length, inserted):
    check_only_config_error(EXAMPLE[:start] + inserted + EXAMPLE[start + length :])


@SOON
@given(
    st.sampled_from("[{-?:,&*!\"'|>#%\n ax1\\"), st.sampled_from(["", "a: [", 'a: "', "a: |\n "])
)
def test_a_long_line_of_one_character_is_refused_soon(character, start):
    check_only_config_error(start + character * 30_000)


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text(EXAMPLE)

    assert "auth-service" in load_config(path).services


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"#" * 300_000])
def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(tmp_path, content):
    path = tmp_path / "other.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert [(p.file, p.line) for p in caught.value.errors] == [(str(path), 1)]


def test_windows_line_ends_count_as_one():
    text = textwrap.dedent("""\
        slack: {channel: C0A, alert_channel: C0B}
        clusters: {}
        metrics: {}
        services: 5
        """).replace("\n", "\r\n")

    assert [(p.line, p.column) for p in problems(text)] == [(4, 11)]
