"""`sluice doctor`: a row for each sink, and no row that takes the others along."""

from bot.app.examining import _sinks, _targets
from bot.app.targets import Targets
from bot.settings import read_config
from tests.fakes.sink import Sink
from tests.fakes.wheel import VirtualClock
from tests.unit.settings_example import EXAMPLE

HEAD = """\
slack: {channel: C0A, alert_channel: C0B}
clusters: {}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
services: {}
"""


async def test_each_sink_has_a_row_and_is_sent_nothing():
    sink = Sink(b"key")
    url = await sink.start()
    there = f'{{kind: webhook, url: "{url}?key=hunter2", secret: y}}'
    away = '{kind: opsgenie, api_key: hunter2, url: "http://127.0.0.1:9"}'
    config = read_config(f"{HEAD}alerts: [{there}, {away}]\n", "sluice.yaml")

    rows = await _sinks(config)
    await sink.stop()

    assert [(row.name, row.status) for row in rows] == [
        ("alerts[0] webhook", "ok"),
        ("alerts[1] opsgenie", "fail"),
    ]
    assert "hunter2" not in str(rows)
    assert sink.deliveries == []


async def test_a_slip_of_our_own_is_one_failed_row(monkeypatch):
    async def slip(*_: object) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr(Targets, "find", slip)
    config = read_config(EXAMPLE, "sluice.yaml")

    rows = await _targets(config, VirtualClock().now, None)

    assert len(rows) == sum(len(one.targets) for one in config.services.values())
    assert {row.status for row in rows} == {"fail"}
    assert "hunter2" not in str(rows)
