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

ROOT = Path(__file__).parents[1]

SCOPES = {
    "auth_test": "",
    "chat_getPermalink": "",
    "chat_postEphemeral": "chat:write",
    "chat_postMessage": "chat:write",
    "chat_update": "chat:write",
    "conversations_history": "optional",
    "conversations_replies": "optional",
    "usergroups_users_list": "usergroups:read",
    "users_info": "users:read",
    "views_open": "",
    "views_update": "",
}
"""Method of the Web API -> the scope that Slack wants for it."""
EVENTS = {
    "app_mention": "app_mentions:read",
    "subteam_members_changed": "usergroups:read",
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
    return {name for name in found if callable(getattr(AsyncWebClient, name, None))}


def test_the_manifest_asks_for_exactly_the_scopes_that_are_used():
    assert methods_called() - {"api_call"} == set(SCOPES)
    used = {*SCOPES.values(), *EVENTS.values(), "commands"} - {"", "optional"}
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == used


def test_the_setup_page_explains_the_same_scopes():
    explained = set(
        re.findall(r"^\| `([a-z_]+(?::[a-z]+)?)` \|", text("docs/setup.md"), re.MULTILINE)
    )
    assert explained == set(manifest()["oauth_config"]["scopes"]["bot"])


def test_the_manifest_subscribes_to_the_events_that_the_door_takes():
    assert set(manifest()["settings"]["event_subscriptions"]["bot_events"]) == set(EVENTS)
    assert '.event("app_mention")' in text("bot/slack/listeners.py")


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
