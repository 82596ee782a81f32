"""The bot starts with everything it needs, or says in one sentence what is missing."""

import pickle
from pathlib import Path

import pytest

from bot.settings import (
    ConfigError,
    Secret,
    SettingsError,
    client_settings,
    parse_listen,
    read_settings,
)

CONFIG = """\
slack: {channel: C0A, alert_channel: C0B}
clusters: {here: {kubeconfig: ~/.kube/config}}
metrics: {main: {kind: prometheus, url: "${PROMETHEUS_URL}", ca_file: ~/ca.pem, bearer_token_file: /run/token}}
alerts: [{kind: webhook, url: "https://${ALERT_HOST}/hook", secret: "${ALERT_SECRET}"}]
services: {}
"""


@pytest.fixture
def environ(tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text(CONFIG)
    return {
        "SLACK_BOT_TOKEN": "xoxb-bot",
        "SLACK_SIGNING_SECRET": "0123456789abcdef",
        "SLUICE_CONFIG": str(path),
        "PROMETHEUS_URL": "http://prometheus:9090",
        "ALERT_HOST": "alerts.example",
        "ALERT_SECRET": "whsec_alertabc",
        "HOME": "/home/bot",
    }


def refusal(environ):
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return caught.value


def test_defaults_fill_what_is_not_set(environ):
    settings = read_settings(environ)

    assert settings.slack_bot_token.reveal() == "xoxb-bot"
    assert settings.slack_signing_secret.reveal() == "0123456789abcdef"
    assert (settings.slack_app_token, settings.api_token, settings.kubeconfig) == (None, None, None)
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.database_url == "sqlite+aiosqlite:///sluice.db"
    assert settings.listen == ("0.0.0.0", 3000)
    assert settings.config_path == Path(environ["SLUICE_CONFIG"])


def test_what_is_set_counts(environ):
    settings = read_settings(
        environ
        | {
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_API_URL": "http://127.0.0.1:9/api",
            "SLUICE_DATABASE_URL": "postgresql+asyncpg://bot:pw@db/sluice",
            "SLUICE_LISTEN": "[::1]:8080",
            "SLUICE_API_TOKEN": "first\n",
            "KUBECONFIG": "/etc/kube",
        }
    )

    assert (settings.slack_app_token, settings.api_token) == (Secret("xapp-1"), Secret("first"))
    assert settings.slack_api_url == "http://127.0.0.1:9/api/"
    assert settings.database_url == "postgresql+asyncpg://bot:pw@db/sluice"
    assert settings.listen == ("::1", 8080)
    assert settings.kubeconfig == "/etc/kube"


def test_the_environment_fills_the_file(environ):
    config = read_settings(environ).config

    assert config.metrics["main"].url == "http://prometheus:9090"
    assert config.alerts[0].url == "https://alerts.example/hook"
    assert config.alerts[0].secret.reveal() == "whsec_alertabc"


def test_home_is_where_the_environment_says(environ):
    config = read_settings(environ).config

    assert config.clusters["here"].kubeconfig == "/home/bot/.kube/config"
    assert config.metrics["main"].ca_file == "/home/bot/ca.pem"
    assert config.metrics["main"].bearer_token_file == "/run/token"


def test_no_secret_is_in_the_repr_of_the_settings(environ):
    settings = read_settings(
        environ
        | {
            "SLUICE_DATABASE_URL": "postgresql+asyncpg://bot:dbpass@db/s",
            "SLUICE_API_TOKEN": "apitoken",
        }
    )
    shown = f"{settings!r} {settings}"

    for secret in (
        "xoxb-bot",
        "0123456789abcdef",
        "whsec_alertabc",
        "dbpass",
        "apitoken",
        "prometheus:9090",
    ):
        assert secret not in shown


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SLACK_BOT_TOKEN": None}, ["SLACK_BOT_TOKEN is missing"]),
        ({"SLACK_BOT_TOKEN": ""}, ["SLACK_BOT_TOKEN is empty"]),
        ({"SLACK_BOT_TOKEN": " \n"}, ["SLACK_BOT_TOKEN is empty"]),
        ({"SLACK_SIGNING_SECRET": "short"}, ["SLACK_SIGNING_SECRET is shorter than 16 characters"]),
        ({"SLACK_APP_TOKEN": ""}, ["SLACK_APP_TOKEN is empty"]),
        ({"SLUICE_API_TOKEN": ""}, ["SLUICE_API_TOKEN is empty"]),
        ({"ALERT_SECRET": None}, ["ALERT_SECRET (for alerts[0].secret) is missing"]),
        ({"PROMETHEUS_URL": ""}, ["PROMETHEUS_URL (for metrics.main.url) is empty"]),
        (
            {"SLACK_BOT_TOKEN": None, "SLACK_SIGNING_SECRET": None, "ALERT_HOST": None},
            [
                "SLACK_BOT_TOKEN is missing",
                "SLACK_SIGNING_SECRET is missing",
                "ALERT_HOST (for alerts[0].url) is missing",
            ],
        ),
    ],
)
def test_everything_missing_is_named_in_one_sentence(environ, changes, named):
    changed = {key: value for key, value in (environ | changes).items() if value is not None}

    error = refusal(changed)

    assert error.code == "missing_secret"
    assert str(error).count("\n") == 0
    assert " and ".join(named) in str(error)


def test_a_secret_that_is_too_short_is_not_repeated(environ):
    assert "tiny" not in str(refusal(environ | {"SLACK_SIGNING_SECRET": "tiny"}))


def test_missing_secrets_are_told_before_a_missing_file(tmp_path):
    error = refusal({"SLUICE_CONFIG": str(tmp_path / "none.yaml")})

    assert "SLACK_BOT_TOKEN" in str(error)


def test_a_missing_file_is_a_mistake_of_the_configuration(environ, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_settings(environ | {"SLUICE_CONFIG": str(tmp_path / "none.yaml")})

    assert [p.code for p in caught.value.errors] == ["unreadable_file"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SLUICE_LISTEN": "3000"}, "bad_listen"),
        ({"SLUICE_LISTEN": "localhost:http"}, "bad_listen"),
        ({"SLUICE_LISTEN": "localhost:65536"}, "bad_listen"),
        ({"SLACK_API_URL": "slack.com/api"}, "bad_url"),
        ({"SLUICE_DATABASE_URL": "sluice.db"}, "bad_database"),
        ({"PROMETHEUS_URL": "prometheus"}, "bad_url"),
        ({"ALERT_HOST": "two words"}, "bad_url"),
    ],
)
def test_an_impossible_value_stops_the_start(environ, changes, code):
    assert refusal(environ | changes).code == code


def test_the_text_of_a_bad_address_is_not_repeated(environ):
    assert "hunter2" not in str(refusal(environ | {"SLUICE_DATABASE_URL": "hunter2"}))
    assert "hunter2" not in str(refusal(environ | {"PROMETHEUS_URL": "hunter2"}))


def test_the_command_line_needs_nothing():
    settings = client_settings({})

    assert (settings.url, settings.api_token) == ("http://127.0.0.1:3000", None)
    assert settings.config_path == Path("sluice.yaml")


def test_the_command_line_finds_its_bot():
    settings = client_settings(
        {
            "SLUICE_URL": "https://sluice.example/",
            "SLUICE_API_TOKEN": "t",
            "SLUICE_CONFIG": "/etc/sluice.yaml",
        }
    )

    assert (settings.url, settings.api_token) == ("https://sluice.example", Secret("t"))
    assert settings.config_path == Path("/etc/sluice.yaml")


def test_the_command_line_refuses_what_is_no_address():
    with pytest.raises(SettingsError, match=r"SLUICE_URL is no web address"):
        client_settings({"SLUICE_URL": "sluice"})


def test_without_variables_the_process_is_asked(monkeypatch):
    monkeypatch.setenv("SLUICE_URL", "http://elsewhere:1")

    assert client_settings().url == "http://elsewhere:1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("localhost:80", ("localhost", 80)), ("[::]:1", ("::", 1))],
)
def test_an_address_to_listen_on_is_a_host_and_a_port(text, expected):
    assert parse_listen(text) == expected


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("hunter2")

    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
