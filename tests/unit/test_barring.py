"""What keeps a version out of a place, in its order, and what is said about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands import World
from bot.commands.barring import Start, barred, passed, start_of
from bot.grammar.verbs import Deploy
from bot.rollout.locks import EVERYTHING, Lock, against, quarantine_words, quarantines
from bot.rollout.values import Back
from bot.settings.check import read_config
from strategies.wish import Wish
from tests.fakes.rollouts import rollout

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
"""A Friday."""
TEXT = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {kubeconfig: /nowhere}}
metrics: {main: {kind: prometheus, url: "http://127.0.0.1:9"}}
environments:
  production: {approvers: [S0SRE], freeze: [{from: "Sat 15:00", to: "Mon 08:00", timezone: Europe/Berlin}]}
services:
  shop:
    production:
      cluster: prod
      namespace: shop
      workload: {kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}
      metrics: {source: main}
"""
CONF = read_config(TEXT, "sluice.yaml")
WORLD = World(store=None, config=CONF, directory=None, now=lambda: NOW, wake=lambda _: None)
START = Start("shop", "production", "v2", "U0DANA", "deploy shop v2 to production")
LOCK = Lock(
    "l-1", "lock", "shop", "production", "", "U0BEN", "db drill", NOW, "", NOW + timedelta(hours=2)
)
EVERYWHERE = replace(LOCK, id="l-2", environment="")
STOP = Lock("l-3", "freeze", "", "production", "", "U0OLU", "incident 12", NOW)
BAD = Lock(
    "q-r-1", "quarantine", "shop", "production", "v2", "sluice", "error_rate 30 %", NOW, "r-1"
)
SATURDAY = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locks", "start", "now", "code", "words"),
    [
        ([], START, NOW, None, ""),
        ([], START, SATURDAY, "frozen", "until 2026-11-23 07:00 UTC"),
        ([BAD, LOCK, STOP], START, SATURDAY, "frozen", "Sat 15:00"),
        ([BAD, LOCK, STOP], START, NOW, "frozen", "stopped by U0OLU since 2026-11-20 16:00 UTC (“incident 12”)"),
        ([BAD, LOCK], START, NOW, "locked", "locked by U0BEN since 2026-11-20 16:00 UTC, until 2026-11-20 18:00 UTC"),
        ([EVERYWHERE], START, NOW, "locked", "shop in every environment"),
        ([BAD], START, NOW, "quarantined", "`unlock shop production`"),
        ([BAD], replace(START, version="r/app:v2"), NOW, "quarantined", "r-1"),
        ([BAD], replace(START, version="v3"), NOW, None, ""),
        ([LOCK], replace(START, who="U0BEN"), NOW, None, ""),
        ([LOCK], replace(START, who="token:ben"), NOW, "locked", ""),
        ([STOP], replace(START, who="U0OLU"), NOW, "frozen", ""),
        ([replace(LOCK, service="other")], START, NOW, None, ""),
        ([replace(LOCK, environment="staging"), replace(STOP, environment="staging")], START, NOW, None, ""),
        ([LOCK], START, NOW + timedelta(hours=2) - timedelta(microseconds=1), "locked", ""),
        ([LOCK], START, NOW + timedelta(hours=2), None, ""),
    ],
)  # fmt: skip
def test_what_bars_a_start_in_its_order(locks, start, now, code, words):
    refusal = barred(WORLD, locks, start, now)
    assert (refusal.code if refusal else None) == code
    if refusal is not None:
        assert refusal.status == 423
        assert words in str(refusal)


@pytest.mark.parametrize("locks", [[LOCK], [STOP], [BAD]])
def test_broken_glass_passes_everything(locks):
    assert barred(WORLD, locks, START, NOW, broken=True) is None
    assert passed(locks, START, NOW, broken=True) == (EVERYTHING,)


def test_the_ways_on_are_buttons():
    locked = barred(WORLD, [LOCK], START, NOW)
    assert [(o.label, o.line, o.form) for o in locked.offers] == [
        ("Take over", "lock shop production takeover", ""),
        ("Break glass…", "deploy shop v2 to production", "break-glass"),
    ]
    assert locked.people == ("U0BEN",)
    assert [o.label for o in barred(WORLD, [BAD], START, NOW).offers] == ["Break glass…"]


def test_what_words_cannot_say_again_is_not_offered():
    plain = Deploy("shop", "v2", "production")
    assert start_of(plain, "U0DANA").line == "deploy shop v2 to production"
    assert start_of(replace(plain, wish=Wish()), "U0DANA").line == ""
    assert start_of(replace(plain, reason="x" * 2000), "U0DANA").line == ""


def test_what_was_let_through_and_nothing_that_comes_after():
    r = rollout(service="shop", environment="production", version="v2")
    mine = replace(LOCK, owner="U0DANA")
    through = replace(r, passed=passed([mine], START, NOW, broken=False))
    assert against(through, [mine], NOW) is None
    assert against(through, [mine, BAD], NOW) == BAD
    assert against(replace(r, passed=(EVERYTHING,)), [mine, BAD, STOP], NOW) is None
    assert against(replace(r, rollback_of="r-0"), [mine, BAD, STOP], NOW) is None


@pytest.mark.parametrize(("minutes", "before"), [(120, 30), (61, 30), (60, 30), (20, 10), (2, 1)])
def test_when_the_owner_is_asked(minutes, before):
    lock = replace(LOCK, expires=NOW + timedelta(minutes=minutes))
    assert lock.nag_at == lock.expires - timedelta(minutes=before)


def test_windows_that_overlap_end_together():
    """Saturday from 15:00, and from Sunday night on: nothing starts before Monday noon."""
    more = '{from: "Sun 20:00", to: "Mon 12:00", timezone: Europe/Berlin}'
    config = read_config(
        TEXT.replace("timezone: Europe/Berlin}]", f"timezone: Europe/Berlin}}, {more}]"), "s"
    )
    told = barred(replace(WORLD, config=config), [], START, SATURDAY)
    assert "until 2026-11-23 11:00 UTC" in str(told)


@pytest.mark.parametrize(("code", "keeps_out"), [("check_failed", True), ("gate_expired", False)])
def test_a_question_that_nobody_answered_quarantines_nothing(code, keeps_out):
    r = rollout(back=Back(code, "why", "sluice", NOW, automatic=True, weight=50.0))
    assert quarantines(r) is keeps_out
    assert bool(quarantine_words(r)) is keeps_out
