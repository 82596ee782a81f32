"""Manifest, cluster rights, container and requirements ask for what the code uses, and for no more."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from slack_sdk.web.async_client import AsyncWebClient

from bot.grammar.phrases import PHRASES
from bot.sandbox.shortcuts import OFFERED
from bot.slack import news
from bot.slack.undoing import SHORTCUTS, Emergency, UndoThis

ROOT = Path(__file__).parents[1]

SCOPES = {
    "auth_test": "",
    "bots_info": "users:read",
    "chat_getPermalink": "",
    "chat_postEphemeral": "chat:write",
    "chat_postMessage": "chat:write",
    "chat_update": "chat:write",
    "conversations_history": "optional",
    "files_delete": "files:write",
    "files_upload_v2": "files:write",
    "conversations_info": "channels:read groups:read",
    "conversations_replies": "optional",
    "usergroups_list": "usergroups:read",
    "usergroups_users_list": "usergroups:read",
    "users_info": "users:read",
    "views_open": "",
    "views_publish": "",
    "views_update": "",
}
"""Method of the Web API -> the scope that Slack wants for it."""
EVENTS = {
    "app_home_opened": "",
    "app_mention": "app_mentions:read",
    "channel_id_changed": "channels:read",
    "channel_shared": "channels:read",
    "channel_unshared": "channels:read",
    "subteam_members_changed": "usergroups:read",
    "subteam_updated": "usergroups:read",
    "user_change": "users:read",
}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def manifest() -> dict:
    return yaml.safe_load(text("manifest.yml"))


def methods_called() -> set[str]:
    """Return the methods of the Web API that the bot calls."""
    source = "".join(
        p.read_text("utf-8") for top in ("slack", "app") for p in (ROOT / "bot" / top).glob("*.py")
    )
    found = set(re.findall(r"\.([a-z]\w*_\w+)", source))
    found |= {name.replace(".", "_") for name in re.findall(r'\.call\("([\w.]+)"', source)}
    return {name for name in found if callable(getattr(AsyncWebClient, name, None))}


def test_the_manifest_asks_for_exactly_the_scopes_that_are_used():
    assert methods_called() - {"api_call"} == set(SCOPES)
    named = " ".join([*SCOPES.values(), *EVENTS.values(), "commands"])
    used = set(named.split()) - {"optional"}
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == used


def test_the_setup_page_explains_the_same_scopes():
    explained = set(
        re.findall(r"^\| `([a-z_]+(?::[a-z]+)?)` \|", text("docs/setup.md"), re.MULTILINE)
    )
    assert explained == set(manifest()["oauth_config"]["scopes"]["bot"])


def test_the_manifest_subscribes_to_the_events_that_the_door_takes():
    assert set(manifest()["settings"]["event_subscriptions"]["bot_events"]) == set(EVENTS)
    taken = re.findall(r'\.event\("(\w+)"\)', text("bot/slack/listeners.py"))
    assert {*taken, *news.EVENTS} == set(EVENTS)


def test_every_shortcut_of_the_manifest_opens_a_form_and_every_form_of_a_shortcut_has_one():
    shortcuts = manifest()["features"]["shortcuts"]
    assert {one["callback_id"] for one in shortcuts} == set(SHORTCUTS)
    assert {one.__name__: one.name for one in (Emergency, UndoThis)} == {
        "Emergency": SHORTCUTS["rollback_global"],
        "UndoThis": SHORTCUTS["rollback_message"],
    }


def test_the_shortcuts_keep_slacks_limits_and_are_of_both_kinds():
    shortcuts = manifest()["features"]["shortcuts"]
    assert all(1 <= len(one["name"]) <= 24 for one in shortcuts)
    assert all(1 <= len(one["description"]) <= 150 for one in shortcuts)
    assert {one["type"] for one in shortcuts} == {"global", "message"}
    assert sum(one["type"] == "global" for one in shortcuts) <= 5
    named = {one["callback_id"]: one["type"] for one in shortcuts}
    assert named["rollback_message"] == "message"


def test_the_sandbox_offers_the_shortcuts_of_the_manifest():
    shortcuts = manifest()["features"]["shortcuts"]
    offered = {(one["callback_id"], one["name"], one["type"]) for one in shortcuts}
    assert offered == {(s.callback_id, s.name, s.kind) for s in OFFERED}


def test_both_tabs_of_the_app_are_there_and_the_home_tab_is_drawn():
    home = manifest()["features"]["app_home"]
    assert home["home_tab_enabled"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"], "slash commands are typed there"


def test_the_socket_variant_is_what_the_head_of_the_manifest_says():
    """Row F: a manifest with an address in it cannot be used where Slack reaches none."""
    head = " ".join(line.lstrip("# ") for line in text("manifest.yml").splitlines()[:4])
    dropped = set(re.findall(r"`(\w*url)`", head))
    assert dropped == {"url", "request_url"}
    for name in ("SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"):
        assert name in head
    over_socket = without(manifest(), dropped)
    over_socket["settings"]["socket_mode_enabled"] = True
    assert "socket_mode_enabled to true" in head
    assert "://" not in yaml.safe_dump(over_socket)
    assert not re.search(r"url", yaml.safe_dump(over_socket))
    assert over_socket["settings"]["interactivity"] == {"is_enabled": True}
    assert set(over_socket["settings"]["event_subscriptions"]) == {"bot_events"}
    assert yaml.safe_load(text("docs/manifest-socket.yml")) == over_socket


def without(value, keys: set[str]):
    """Return a document without these keys, wherever they stand."""
    if isinstance(value, dict):
        return {key: without(one, keys) for key, one in value.items() if key not in keys}
    return [without(one, keys) for one in value] if isinstance(value, list) else value


def test_everything_that_slack_sends_goes_to_the_one_signed_path():
    assert set(re.findall(r"https://[^/\s]+(\S*)", text("manifest.yml"))) == {"/slack/events"}


def test_the_two_slash_commands_are_those_of_the_grammar_and_escape_mentions():
    commands = manifest()["features"]["slash_commands"]
    assert [c["command"] for c in commands] == [f"/{p.verb}" for p in PHRASES[:2]]
    assert all(c["should_escape"] for c in commands)


@pytest.mark.parametrize(("key", "most"), [("name", 35), ("description", 140)])
def test_the_manifest_keeps_slacks_limits(key, most):
    assert 0 < len(manifest()["display_information"][key]) <= most


def project() -> dict:
    return tomllib.loads(text("pyproject.toml"))["project"]


def pinned(name: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.]+)", text(name), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_requirements_are_hashed_and_name_no_index(name):
    body = text(name)
    blocks = re.split(r"^(?=[\w.-]+==)", body, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in body
    assert "index" not in body.replace("importlib", "")


def test_the_requirements_have_what_the_project_asks_for():
    run, dev = pinned("requirements.txt"), pinned("requirements-dev.txt")
    wanted = [Requirement(one) for one in project()["dependencies"]]
    tools = [Requirement(one) for one in project()["optional-dependencies"]["dev"]]
    assert [
        r.name for r in wanted if run.get(canonicalize_name(r.name), "") not in r.specifier
    ] == []
    assert [
        r.name for r in tools if dev.get(canonicalize_name(r.name), "") not in r.specifier
    ] == []
    assert run.items() <= dev.items()


def test_the_examples_name_this_version():
    version = project()["version"]
    assert set(
        re.findall(r"sluice:(\d[\w.]*)", text("deploy/kubernetes.yaml") + text("docs/setup.md"))
    ) == {version}


def test_the_readme_and_ci_name_the_same_command_for_the_tests():
    assert ".venv/bin/poe check" in text("README.md")
    assert "\npoe check " in text(".ci/run")


def test_ci_is_a_script_that_bash_can_read():
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0


def test_pre_commit_runs_only_tools_of_the_checkout():
    repos = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["entry"].split()[0] for hook in repos[0]["hooks"]} == {
        f".venv/bin/{tool}" for tool in ("ruff", "codespell", "mypy", "lint-imports")
    }


def test_the_container_does_not_run_as_root_and_is_not_given_the_whole_checkout():
    lines = text("Dockerfile").splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001"]
    assert 'ENTRYPOINT ["sluice"]' in lines
    assert text(".dockerignore").splitlines()[1] == "*"
    copied = {line.split()[1] for line in lines if re.match(r"COPY [a-z]", line)}
    assert {f"!{name}" for name in copied} <= set(text(".dockerignore").splitlines())
