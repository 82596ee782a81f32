"""A sluice.yaml that is wrong is told where, what and why, all at once."""

import pytest

from bot.settings import (
    ConfigError,
    Problem,
    format_problem,
    read_config,
)
from tests.unit.settings_example import EXAMPLE, changed, environment, problems

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
    ("kind: istio", "kind: §traefik", "unknown_kind", "kind"),
    ("kind: deployment", "kind: §cronjob", "unknown_kind", "kind"),
    ("kind: prometheus", "kind: §datadog", "unknown_kind", "kind"),
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
