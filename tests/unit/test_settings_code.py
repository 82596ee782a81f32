"""`source` in sluice.yaml: its kinds and defaults, the token that is never shown, mistakes at their place."""

import pytest

from bot.settings import SettingsError
from bot.settings.code import CODE
from integrations import catalog
from tests.unit.test_settings_sinks import mistake, started


def test_every_kind_has_a_block_and_an_adapter():
    assert set(CODE) == set(catalog.HISTORIES)


def test_the_token_and_the_address_come_from_the_environment(tmp_path):
    text = 'source: {kind: gitlab, token: "${CODE_TOKEN}", url: "https://${CODE_HOST}"}\n'
    config = started(tmp_path, text, CODE_TOKEN="glpat-1", CODE_HOST="git.example").config
    assert config.source.options() == {"url": "https://git.example", "token": "glpat-1"}
    assert "glpat-1" not in f"{config!r} {config.source}"


def test_a_token_is_not_needed(tmp_path):
    config = started(tmp_path, "source: {kind: github}\n").config
    assert config.source.options() == {"url": "https://api.github.com", "token": ""}


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("source: {kind: svn}", "unknown_kind", "kind"),
        ("source: {kind: github, url: nowhere}", "bad_url", "url"),
        ('source: {kind: github, url: "https://me:secret@host"}', "bad_url", "url"),
        ('source: {kind: github, token: "has a blank"}', "bad_secret", "token"),
        ("source: {kind: github, tokn: x}", "unknown_key", "tokn"),
    ],
)
def test_mistakes_are_named_where_they_stand(line, code, key):
    assert mistake(line) == (code, key)


def test_what_the_environment_fills_in_is_checked_too(tmp_path):
    with pytest.raises(SettingsError) as caught:
        started(tmp_path, 'source: {kind: github, token: "${CODE_TOKEN}"}\n', CODE_TOKEN="a b")
    assert caught.value.code == "bad_secret"
    assert "a b" not in str(caught.value)
