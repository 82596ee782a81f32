"""What people paste where a rollback does not get home: with the real names, or in words where there is no command."""

from dataclasses import replace

import pytest

from bot.rollout.part import Part
from bot.rollout.values import Back, Phase
from bot.settings import read_config
from bot.slack.by_hand import by_hand
from bot.slack.cards import card
from tests.fakes.messages import texts
from tests.fakes.rollouts import NOON, armed, rollout

CONFIG = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {}}
metrics: {main: {kind: prometheus, url: http://prometheus:9090}}
environments: {production: {approvals: 0}}
flagger: {token: "0123456789abcdef0123456789abcdef"}
services:
  checkout:
    production:
      cluster: prod
      namespace: shop
      workload: {WORKLOAD}
      traffic: {TRAFFIC}
      metrics: {source: main, template: istio}
"""
PAIR = "{kind: deployment, stable: till, canary: till-next, container: till, image: shop/till}"
COLOURS = (
    "{kind: deployment, blue: till-blue, green: till-green, container: till, image: shop/till}"
)
ONE = "{kind: statefulset, name: till, container: app, image: shop/till}"
ARGO = "{kind: argo_rollout, name: till, container: app, image: shop/till}"
FLAGGER = "{kind: flagger, canary: till, container: app, image: shop/till}"
HOME = "weights: till 100, till-next 0"


def config(workload, traffic=""):
    text = CONFIG.replace("{WORKLOAD}", workload).replace("{TRAFFIC}", traffic)
    text = text if traffic else text.replace("      traffic: \n", "")
    return read_config(text, "sluice.yaml")


def going_back(**changes):
    back = Back("asked", "", "U0DANA", NOON, automatic=False, weight=25.0)
    return replace(rollout("canary"), phase=Phase.ROLLING_BACK, back=back, **changes)


@pytest.mark.parametrize(
    ("workload", "traffic", "lanes", "live", "line"),
    [
        (PAIR, "{kind: istio, virtual_service: till-routes}", "fixed", "",
         f"kubectl -n shop edit virtualservice till-routes # {HOME}"),
        (PAIR, "{kind: gateway_api, route: till, route_kind: GRPCRoute}", "fixed", "",
         f"kubectl -n shop edit grpcroute till # {HOME}"),
        (PAIR, "{kind: linkerd, traffic_split: till}", "fixed", "",
         f"kubectl -n shop edit trafficsplit till # {HOME}"),
        (PAIR, "", "fixed", "",
         "kubectl -n shop scale deployment till-next --replicas=0 # the canary's pods are its share"),
        (COLOURS, "{kind: service_selector, service: till}", "swap", "blue",
         "kubectl -n shop edit service till # selector version: blue"),
        (COLOURS, "{kind: istio, virtual_service: till}", "swap", "blue",
         "kubectl -n shop edit virtualservice till # weights 100 to till-blue, 0 to the other"),
        (ONE, "", "one", "",
         "kubectl -n shop set image statefulset/till app=registry.example/checkout:v1"),
        (ARGO, "", "led", "", "kubectl argo rollouts -n shop abort till"),
    ],
)  # fmt: skip
def test_the_command_has_the_names_of_the_target(workload, traffic, lanes, live, line):
    hands = by_hand(config(workload, traffic), going_back(lanes=lanes, armed=armed(live)))

    assert (hands.commands, hands.words) == ((line,), ())


def test_where_no_command_is_known_it_is_said_what_has_to_be_so():
    hands = by_hand(config(FLAGGER), going_back(lanes="led"))

    assert hands.commands == ()
    [words] = hands.words
    assert "so that the controller gives all traffic to v1 (flagger)" in words


def test_what_is_no_longer_configured_is_said_in_words():
    hands = by_hand(
        config(PAIR, "{kind: istio, virtual_service: till}"), going_back(service="gone")
    )

    assert hands == type(hands)((), ("give all traffic to v1",))


def test_a_target_that_is_home_needs_no_hands():
    there = config(PAIR, "{kind: istio, virtual_service: till}")
    row = going_back()
    part = Part("", armed=row.armed, from_version="v1")

    assert by_hand(there, replace(row, back=replace(row.back, home=NOON))).commands == ()
    assert by_hand(there, replace(row, parts=(replace(part, home=NOON),))).commands == ()
    assert by_hand(there, replace(row, parts=(part,))).commands != ()


def test_an_automatic_rollback_and_one_that_was_asked_for_look_different():
    asked = replace(going_back(), phase=Phase.ROLLED_BACK, ended=NOON)
    alone = replace(asked, back=replace(asked.back, automatic=True, reason="errors"))

    assert "Rolled back by <@U0DANA> <!date" in texts(card(asked))
    assert "rolled back automatically" not in texts(card(asked))
    assert "🔴 rolled back automatically · " in texts(card(alone))
    assert "Rolled back automatically <!date" in texts(card(alone))
