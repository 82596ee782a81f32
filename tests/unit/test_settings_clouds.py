"""Accounts of clouds: what could never be one, and that each has a connection of its own."""

import pytest

from bot.app.targets import Targets
from bot.settings import ConfigError, read_config
from tests.fakes.wheel import VirtualClock

HEAD = """\
slack: {channel: C0A, alert_channel: C0B}
clusters: {}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
services: {}
"""


def read(account: str):
    return read_config(f"{HEAD}accounts: {account}\n", "sluice.yaml")


@pytest.mark.parametrize(
    ("keys", "code", "key"),
    [
        ("kind: aws, endpoint: 'http://[::1'", "bad_url", "endpoint"),
        ("kind: aws, endpoint: 'http://h:99999'", "bad_url", "endpoint"),
        ("kind: aws, endpoint: 'http://h:abc'", "bad_url", "endpoint"),
        ("kind: aws, endpoint: 'http://:80'", "bad_url", "endpoint"),
        ("kind: gcp, project: a/b, location: eu", "bad_name", "project"),
        ("kind: gcp, project: p, location: ../../etc", "bad_name", "location"),
    ],
)
def test_what_no_account_can_have_is_a_mistake_in_the_file(keys, code, key):
    with pytest.raises(ConfigError) as caught:
        read(f"{{shop: {{{keys}}}}}")
    assert [(one.code, one.key) for one in caught.value.errors] == [(code, key)]


def test_the_domain_of_a_project_belongs_to_its_id():
    assert read('{shop: {kind: gcp, project: "example.com:shop-1", location: europe-west1}}')


async def test_an_account_called_like_its_cloud_is_not_that_of_the_machine():
    named_so = read("{aws: {kind: aws, region: us-east-1}}")
    targets = Targets(named_so, VirtualClock().now, None)
    try:
        named = await targets._account("aws", "aws")
        assert await targets._account(None, "aws") is not named
        assert await targets._account("aws", "aws") is named
    finally:
        await targets.close()
