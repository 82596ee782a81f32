"""The blocks `traffic` of the Gateway API and of Linkerd: what they hold, and what is refused."""

import pytest

from bot.settings import ConfigError, GatewayApiTraffic, LinkerdTraffic
from tests.unit.test_settings_targets import mistake, target


@pytest.mark.parametrize(
    ("traffic", "block", "headers", "options"),
    [
        (
            "{kind: gateway_api, route: app}",
            GatewayApiTraffic(route="app"),
            True,
            {"route": "app", "rule": None, "route_kind": "HTTPRoute"},
        ),
        (
            "{kind: gateway_api, route: app, rule: 2, route_kind: GRPCRoute}",
            GatewayApiTraffic(route="app", rule="2", route_kind="GRPCRoute"),
            True,
            {"route": "app", "rule": "2", "route_kind": "GRPCRoute"},
        ),
        (
            "{kind: linkerd, http_route: app, rule: main}",
            LinkerdTraffic(http_route="app", rule="main"),
            True,
            {"http_route": "app", "rule": "main"},
        ),
        (
            "{kind: linkerd, traffic_split: app}",
            LinkerdTraffic(traffic_split="app"),
            False,
            {"traffic_split": "app"},
        ),
    ],
)
def test_a_block_says_what_its_adapter_is_made_with(traffic, block, headers, options):
    found = target(traffic=traffic).traffic

    assert found == block
    assert (found.headers, found.options()) == (headers, options)


@pytest.mark.parametrize(
    ("traffic", "code", "key"),
    [
        ("{kind: gateway_api}", "missing_key", "route"),
        ("{kind: gateway_api, route: app, route_kind: §TCPRoute}", "unknown_kind", "route_kind"),
        ("{kind: gateway_api, route: app, rule: §-1}", "unquoted_value", "rule"),
        ("{kind: gateway_api, route: app, rule: §Main}", "bad_name", "rule"),
        ("{kind: gateway_api, route: app, rule: §16}", "bad_name", "rule"),
        ("{kind: linkerd, http_route: app, rule: §99999999999999999999}", "bad_name", "rule"),
        ("{kind: linkerd}", "missing_key", "http_route"),
        ("{kind: linkerd, http_route: a, traffic_split: §b}", "contradiction", "traffic_split"),
        ("{kind: linkerd, rule: main, traffic_split: §b}", "contradiction", "traffic_split"),
    ],
)
def test_what_cannot_be_meant_is_refused(traffic, code, key):
    assert mistake(traffic=traffic) == (code, key)


def test_an_audience_is_refused_where_a_trafficsplit_cannot_have_one():
    match = 'match: [{header: x-canary, equals: "true"}]'

    assert target(match, traffic="{kind: linkerd, http_route: app}").match
    with pytest.raises(ConfigError, match="header"):
        target(match, traffic="{kind: linkerd, traffic_split: app}")
