"""`sluice doctor` about Slack: scopes, approver groups, channels and the clock, each in a row with what to do."""

import time
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.policy import Actor
from bot.sandbox.chat import Channel, Group, Person
from bot.settings import read_config
from bot.slack.channels import Channels
from bot.slack.directory import PATIENCE, SlackDirectory
from bot.slack.inspecting import SCOPES, inspect
from bot.slack.speaking import web_client
from tests.fakes.slack import FakeSlack

CONFIG = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
environments: {production: {approvers: [S0SRE, U0BOB], approvals: 1}}
services: {}
"""


@pytest.fixture
async def slack():
    workspace = FakeSlack("http://127.0.0.1:9", "secret", "xoxb-test-token")
    await workspace.start()
    await workspace.populate()
    yield workspace
    await workspace.stop()


@pytest.fixture
async def client(slack):
    async with aiohttp.ClientSession() as session:
        yield web_client("xoxb-test-token", f"{slack.url}/api/", session)


def wall() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


async def seen(client, now=wall) -> dict[str, tuple[str, str]]:
    rows = await inspect(client, read_config(CONFIG, "sluice.yaml"), now)
    assert all(row.fix for row in rows if row.status in {"warn", "fail"})
    return {row.name: (row.status, row.message) for row in rows}


async def test_what_is_in_order_is_told_so(client):
    rows = await seen(client)
    assert {status for status, _ in rows.values()} == {"ok"}
    assert rows["group S0SRE @sre"] == ("ok", "2 members")
    assert set(rows) == {
        "slack", "slack scopes", "slack clock", "group S0SRE @sre", "channel C0DEPLOYS", "channel C0ALERTS",
    }  # fmt: skip


async def test_a_missing_scope_is_named(slack, client):
    slack.scopes = tuple(set(SCOPES) - {"users:read"})
    assert (await seen(client))["slack scopes"] == ("fail", "missing: users:read")


@pytest.mark.parametrize(
    ("away", "status"), [(0, "ok"), (120, "warn"), (-120, "warn"), (400, "fail")]
)
async def test_a_clock_that_differs_is_told(client, away, status):
    rows = await seen(client, lambda: wall() + timedelta(seconds=away))
    assert rows["slack clock"][0] == status


@pytest.mark.parametrize(
    ("group", "row"),
    [
        (Group("S0SRE", "sre", ()), ("fail", "has no members: nobody may")),
        (Group("S0SRE", "sre", ("U0ANA",), updated_by="U0ADMIN"), ("ok", "1 members")),
    ],
)
async def test_a_group_is_looked_at(slack, client, group, row):
    await slack.add_person(Person("U0ADMIN", "Admin", is_admin=True))
    await slack.add_group(group)
    assert (await seen(client))["group S0SRE @sre"] == row


async def test_a_group_that_others_than_admins_edit_is_no_authority(slack, client):
    await slack.add_group(Group("S0SRE", "sre", ("U0ANA",), updated_by="U0DANA"))
    status, message = (await seen(client))["group S0SRE @sre"]
    assert status == "warn"
    assert "U0DANA, who is no admin" in message


async def test_a_group_that_is_not_there_fails(slack, client):
    del slack.chat.groups["S0SRE"]
    assert (await seen(client))["group S0SRE"] == ("fail", "does not exist here")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_member": False}, "the bot is not in it"),
        ({"is_ext_shared": True}, "is shared with another company (Slack Connect)"),
        ({"is_pending_ext_shared": True}, "is shared with another company (Slack Connect)"),
    ],
)
async def test_a_channel_that_will_not_do_fails(slack, client, flags, message):
    await slack.add_channel(Channel("C0ALERTS", "alerts", **flags))
    assert (await seen(client))["channel C0ALERTS"] == ("fail", message)


async def test_without_slack_there_is_one_row(slack, client):
    slack.down = True
    assert set(await seen(client)) == {"slack"}


async def test_who_may_is_not_waited_for_any_longer_than_the_patience(slack, client):
    """E.3: Slack does not answer within 2 s; what is unknown then is unknown."""
    assert PATIENCE == 2.0
    slack.hang("usergroups.users.list")
    directory = SlackDirectory(client, wall, patience=0.05)
    found = await directory.membership(Actor("U0ANA", "slack"), ["S0SRE"])
    assert not found.known
    slack.let_go()


async def test_whether_a_channel_is_shared_is_not_waited_for_and_known_the_next_time(slack, client):
    slack.hang("conversations.info")
    channels = Channels(client, wall, glance=0.05)
    await slack.add_channel(Channel("C0SHARED", "acme", is_ext_shared=True))
    assert await channels.outside("C0SHARED") is None
    slack.let_go()
    await channels.settled()
    calls = len(slack.calls)
    assert await channels.outside("C0SHARED") is True
    assert len(slack.calls) == calls


async def test_what_was_heard_counts_for_a_day_and_not_after_an_event(slack, client):
    at = [wall()]
    directory, ana = SlackDirectory(client, lambda: at[0]), Actor("U0ANA", "slack")
    await directory.membership(ana, ["S0SRE"])
    slack.down = True
    at[0] += timedelta(hours=23)
    then = await directory.membership(ana, ["S0SRE"])
    assert (then.known, "U0ANA" in then.members["S0SRE"]) == (False, True)
    at[0] += timedelta(hours=2)
    assert directory.recalled(ana, ["S0SRE"]).members == {}
    assert directory.recalled(ana).person is None


async def test_somebody_whom_slack_does_not_know_here_is_of_another_workspace(client):
    found = await SlackDirectory(client, wall).membership(Actor("U0NOBODY", "slack"), ())
    assert found.known
    assert found.person is not None
    assert found.person.stranger
