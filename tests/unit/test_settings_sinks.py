"""`alerts` and `alertmanager` in sluice.yaml: their kinds, defaults and secrets, and mistakes at their place."""

import pickle

import pytest

from bot.app.targets import subscriptions
from bot.settings import ConfigError, SettingsError, read_config, read_settings
from bot.settings.sinks import SINKS
from integrations import catalog

HEAD = """\
slack: {channel: C0A, alert_channel: C0B}
clusters: {}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
services: {}
"""
SECRETS = {
    "PD_KEY": "pagerduty-key-0123456789",
    "OG_KEY": "opsgenie-key-0123456789",
    "GF_TOKEN": "grafana-token-0123456789",
    "GF_HOST": "grafana.example",
    "HOOK": "hook-token-0123456789",
}
ALL = """\
alerts:
  - {kind: pagerduty, routing_key: "${PD_KEY}"}
  - {kind: opsgenie, api_key: "${OG_KEY}", url: "https://api.eu.opsgenie.com"}
  - {kind: grafana, url: "https://${GF_HOST}", token: "${GF_TOKEN}", dashboard: abc, panel: 2, tags: [shop]}
alertmanager: {token: "${HOOK}"}
"""


def started(tmp_path, text=ALL, **changes):
    path = tmp_path / "sluice.yaml"
    path.write_text(HEAD + text)
    return read_settings(
        {
            "SLACK_BOT_TOKEN": "xoxb-bot",
            "SLACK_SIGNING_SECRET": "0123456789abcdef",
            "SLUICE_CONFIG": str(path),
            **{key: value for key, value in (SECRETS | changes).items() if value is not None},
        }
    )


def mistake(line):
    with pytest.raises(ConfigError) as caught:
        read_config(f"{HEAD}{line}\n", "sluice.yaml")
    (problem,) = caught.value.errors
    return problem.code, problem.key


def test_every_kind_has_a_block_and_an_adapter():
    assert set(SINKS) == set(catalog.SINKS)


def test_secrets_and_addresses_are_filled_in_for_all_kinds_alike(tmp_path):
    pagerduty, opsgenie, grafana = started(tmp_path).config.alerts
    assert pagerduty.routing_key.reveal() == SECRETS["PD_KEY"]
    assert pagerduty.url == "https://events.pagerduty.com"
    assert opsgenie.api_key.reveal() == SECRETS["OG_KEY"]
    assert opsgenie.priority == "P2"
    assert (grafana.url, grafana.token.reveal()) == ("https://grafana.example", SECRETS["GF_TOKEN"])
    assert (grafana.dashboard, grafana.panel, grafana.tags) == ("abc", 2, ("shop",))


def test_nothing_secret_can_be_seen(tmp_path):
    settings = started(tmp_path)
    seen = repr(settings) + str(settings.config) + repr(subscriptions(settings.config))
    for name in ("PD_KEY", "OG_KEY", "GF_TOKEN", "HOOK"):
        assert SECRETS[name] not in seen
    with pytest.raises(TypeError):
        pickle.dumps(settings.config.alerts)


def test_each_sink_hears_what_it_asks_for_and_what_ends_it(tmp_path):
    text = (
        'alerts: [{kind: pagerduty, routing_key: "${PD_KEY}", changes: false, events: [rollout.needs_attention]}, '
        '{kind: webhook, url: "https://x", secret: y}]'
    )
    pager, webhook = subscriptions(started(tmp_path, text).config)
    assert "rollout.resumed" in pager.events
    assert "rollout.started" not in pager.events
    assert webhook.events == {"rollout.rolled_back"}
    assert [one.formerly for one in (pager, webhook)] == ["pagerduty-0", "webhook-1"]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("PD_KEY", "alerts[0].routing_key"),
        ("OG_KEY", "alerts[1].api_key"),
        ("GF_HOST", "alerts[2].url"),
        ("GF_TOKEN", "alerts[2].token"),
        ("HOOK", "alertmanager.token"),
    ],
)
@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_missing_one_stops_the_start_and_is_named(tmp_path, name, where, value):
    with pytest.raises(SettingsError, match=rf"{name} \(for {where}\)".replace("[", r"\[")):
        started(tmp_path, **{name: value})


@pytest.mark.parametrize(
    "token", ["short", "with/a/slash/0123456789", "mit-Ümlaut-0123456789", "a b" * 9]
)
def test_a_token_that_cannot_end_an_address_stops_the_start_and_is_not_repeated(tmp_path, token):
    with pytest.raises(SettingsError) as caught:
        started(tmp_path, HOOK=token)
    assert caught.value.code == "bad_hook_token"
    assert token not in str(caught.value)


def test_without_the_block_there_is_no_hook(tmp_path):
    assert started(tmp_path, "").config.alertmanager is None


def test_the_defaults_of_the_hook_are_the_usual_labels(tmp_path):
    hook = started(tmp_path).config.alertmanager
    assert (hook.service_label, hook.namespace_label) == ("rollout_service", "namespace")
    assert hook.actions == {"critical": "rollback", "warning": "pause"}


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("alerts: [{kind: pagerduty}]", "missing_key", "routing_key"),
        ("alerts: [{kind: pager}]", "unknown_kind", "kind"),
        ('alerts: [{kind: pagerduty, routing_key: x, changes: "yes"}]', "bad_flag", "changes"),
        ("alerts: [{kind: pagerduty, routing_key: x, events: [x]}]", "unknown_event", "events"),
        ("alerts: [{kind: opsgenie, api_key: x, priority: P6}]", "unknown_word", "priority"),
        ('alerts: [{kind: grafana, url: "https://x", token: y, panel: 2}]', "missing_key", "dashboard"),
        ("alerts: [{kind: grafana, token: y}]", "missing_key", "url"),
        ('alerts: [{kind: grafana, url: "https://x", token: y, tags: ["${X}"]}]', "placeholder_refused", "tags"),
        ("alertmanager: {}", "missing_key", "token"),
        ("alertmanager: {token: x, service_label: a-b}", "bad_name", "service_label"),
        ("alertmanager: {token: x, actions: {critical: promote}}", "unknown_word", "critical"),
        ("alertmanager: {token: x, action: {}}", "unknown_key", "action"),
    ],
)  # fmt: skip
def test_a_mistake_has_a_code_and_its_key(line, code, key):
    assert mistake(line) == (code, key)


@pytest.mark.parametrize(
    ("sink", "code", "key"),
    [
        ('kind: webhook, url: "https://x", secret: "whsec_!!"', "bad_secret", "secret"),
        ('kind: webhook, url: "https://x:99999/", secret: y', "bad_url", "url"),
        ('kind: webhook, url: "https://[::1/", secret: y', "bad_url", "url"),
        ('kind: pagerduty, routing_key: "has space"', "bad_secret", "routing_key"),
        ('kind: opsgenie, api_key: k, url: "https://admin:pw@host"', "bad_url", "url"),
        ('kind: grafana, token: t, url: "https://host?orgId=1"', "bad_url", "url"),
        ('kind: grafana, token: t, url: "https://host/#x"', "bad_url", "url"),
        ('kind: grafana, token: t, url: "https://host/api/annotations"', "bad_url", "url"),
        ('kind: pagerduty, routing_key: k, url: "https://h/v2/enqueue/"', "bad_url", "url"),
        ('kind: opsgenie, api_key: k, url: "https://h/v2/alerts"', "bad_url", "url"),
        ("kind: opsgenie, api_key: k, events: [rollout.started]", "unknown_event", "events"),
        ("kind: opsgenie, api_key: k, events: []", "empty_value", "events"),
    ],
)
def test_a_sink_that_could_never_work_is_a_mistake_in_the_file(sink, code, key):
    assert mistake(f"alerts: [{{{sink}}}]") == (code, key)


@pytest.mark.parametrize(
    ("text", "code", "key"),
    [
        ("{token: short}", "bad_hook_token", "token"),
        ('{token: "0123456789abcdef", actions: {}}', "empty_value", "actions"),
    ],
)
def test_a_hook_that_could_never_act_is_a_mistake_in_the_file(text, code, key):
    assert mistake(f"alertmanager: {text}") == (code, key)


def test_a_label_that_says_two_things_is_a_mistake_at_both():
    text = 'alertmanager: {token: "0123456789abcdef", severity_label: namespace}'
    with pytest.raises(ConfigError) as caught:
        read_config(f"{HEAD}{text}\n", "sluice.yaml")
    assert {problem.code for problem in caught.value.errors} == {"contradiction"}


@pytest.mark.parametrize(
    ("changes", "code", "where"),
    [
        ({"PD_KEY": "two words"}, "bad_secret", "alerts[0].routing_key"),
        ({"GF_HOST": "admin:hunter2@grafana"}, "bad_url", "alerts[2].url"),
        ({"GF_HOST": "grafana:99999"}, "bad_url", "alerts[2].url"),
    ],
)
def test_what_the_environment_fills_in_is_held_against_the_same_rules(
    tmp_path, changes, code, where
):
    with pytest.raises(SettingsError) as caught:
        started(tmp_path, **changes)
    assert caught.value.code == code
    assert str(caught.value).startswith(f"{where}: ")
    assert not any(text in str(caught.value) for text in changes.values())


def test_sinks_keep_their_names_wherever_they_stand(tmp_path):
    before = [one.sink.name for one in subscriptions(started(tmp_path).config)]
    text = ALL.replace("alerts:\n", 'alerts:\n  - {kind: webhook, url: "https://x", secret: y}\n')
    after = [one.sink.name for one in subscriptions(started(tmp_path, text).config)]
    assert after[1:] == before


def test_two_sinks_of_one_address_have_two_names(tmp_path):
    text = 'alerts: [{kind: webhook, url: "https://x", secret: y}, {kind: webhook, url: "https://x", secret: z}]'
    one, other = subscriptions(started(tmp_path, text).config)
    assert one.sink.name != other.sink.name
