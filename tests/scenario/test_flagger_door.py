"""The door of Flagger's gates: yes is 200 and comes from one place, everything else is more than 202."""

import json
import logging
import sqlite3
from io import BytesIO

import pytest

from bot.commands import hooking
from bot.rollout.values import Phase
from tests.fakes.flagger import GATES, INTERVAL, NAME, NAMESPACE
from tests.scenario.gated import TOKEN, FlaggerStage
from tests.scenario.stage import OLU, Stage

PAYLOAD = {"name": NAME, "namespace": NAMESPACE, "phase": "Progressing", "checksum": "85d557f47b"}

EVENT = {"eventMessage": "New revision", "eventType": "Normal"}


@pytest.fixture
async def stage(tmp_path):
    async with FlaggerStage.gated(tmp_path) as opened:
        yield opened


async def ask(stage, gate="rollback", token=TOKEN, **changes):
    """Ask as Flagger does; returns the status and the code."""
    return await post(stage, {**PAYLOAD, **changes}, f"/hooks/flagger/{gate}/{token}")


async def post(stage, body, path):
    data = BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    url = f"http://127.0.0.1:{stage.bot.port}{path}"
    headers = {"Content-Type": "application/json", "Authorization": ""}
    async with stage.http.post(url, data=data, headers=headers) as response:
        answer = response.status, (await response.json(content_type=None)).get("code", "")
    await stage.settled()
    return answer


async def going_back(stage) -> str:
    """Bring it to 25 % and let somebody roll back; returns Flagger's checksum."""
    await stage.begin()
    await stage.step("Promote")
    await stage.step("Promote")
    await stage.press("Roll back", by=OLU)
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    return stage.flagger.checksum


async def test_at_rest_every_gate_is_shut(stage):
    for gate in GATES:
        assert await ask(stage, gate) == (403, "gate_shut")
    assert await stage.bot.store.history() == []


ODD = [
    (f"/hooks/flagger/rollback/{TOKEN}x", {}, (401, "bad_hook_token")),
    ("/hooks/flagger/rollback/%ff", {}, (401, "bad_hook_token")),
    (f"/hooks/flagger/pre-rollout/{TOKEN}", {}, (404, "unknown_gate")),
    (f"/hooks/flagger/rollback/{TOKEN}/more", {}, (401, "not_authenticated")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"name": "other"}, (403, "unknown_canary")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"namespace": "other"}, (403, "unknown_canary")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"metadata": {"environment": "staging"}}, (403, "unknown_canary")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"checksum": ""}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"checksum": None}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"name": ["auth-service"]}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"metadata": "x"}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"metadata": {"a": 1}}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"metadata": []}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"metadata": 0}, (422, "bad_body")),
    (f"/hooks/flagger/rollback/{TOKEN}", {"type": "event"}, (422, "bad_body")),
]  # fmt: skip
"""Path, changes of the payload, and the answer."""


async def test_what_is_not_flaggers_question_is_no(stage):
    for path, changes, answer in ODD:
        assert await post(stage, {**PAYLOAD, **changes}, path) == answer, (path, changes)


async def test_what_is_no_json_is_no(stage):
    for body, status in ((b"", 422), (b"[]", 422), (b"{", 422), (b"x" * (1 << 20 | 1), 413)):
        assert (await post(stage, body, f"/hooks/flagger/rollback/{TOKEN}"))[0] == status


async def test_what_cannot_be_unpacked_is_no(stage):
    url = f"http://127.0.0.1:{stage.bot.port}/hooks/flagger/rollback/{TOKEN}"
    headers = {"Content-Encoding": "gzip", "Authorization": ""}
    async with stage.http.post(url, data=b"\x00\x01{}", headers=headers) as response:
        answer = response.status, (await response.json(content_type=None))["code"]
    assert answer == (400, "bad_body")


async def test_without_its_block_there_is_no_door(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        assert await ask(stage) == (404, "hook_off")


async def test_an_event_is_heard_and_answered(stage):
    assert await ask(stage, "event", metadata=EVENT) == (200, "")


@pytest.mark.parametrize(
    "changes", [{}, {"metadata": {"eventMessage": "x"}}, {"type": "rollback", "metadata": EVENT}]
)
async def test_a_gate_whose_address_is_that_of_events_is_no(stage, changes):
    assert await ask(stage, "event", **changes) == (422, "bad_body")


@pytest.mark.sweep
async def test_a_second_flagger_is_told_no_and_mentioned_once(stage):
    await stage.begin()
    before = await stage.row()
    for _ in range(5):
        for gate in ("rollback", "confirm-rollout"):
            assert await ask(stage, gate, checksum="other-cluster") == (403, "gate_shut")
        await stage.wait(INTERVAL)
    after = await stage.row()
    assert (after.gate.id, after.told.checksum) == (before.gate.id, before.told.checksum)
    assert (await stage.told()).count("strange_question") == 1
    assert "moved_on" not in await stage.told()


@pytest.mark.sweep
async def test_back_is_said_only_to_the_movement_that_goes_back(stage):
    checksum = await going_back(stage)
    for _ in range(3):
        assert await ask(stage, checksum="another") == (403, "gate_shut")
    assert await ask(stage, checksum=checksum) == (200, "")
    assert (await ask(stage, "confirm-traffic-increase", checksum=checksum))[0] == 403
    assert (await ask(stage, "confirm-promotion", checksum=checksum))[0] == 403


@pytest.mark.sweep
async def test_while_nobody_goes_back_it_is_shut_whatever_else_is_asked(stage):
    await stage.begin()
    checksum = stage.flagger.checksum
    for _ in range(3):
        assert (await ask(stage, checksum=checksum))[0] == 403


@pytest.mark.sweep
async def test_a_cluster_that_does_not_answer_is_no(stage):
    checksum = await going_back(stage)
    await stage.cluster.down()
    assert await ask(stage, checksum=checksum) == (503, "gate_unknown")
    await stage.cluster.up()


@pytest.mark.sweep
async def test_a_slow_cluster_is_no_in_time(stage, monkeypatch):
    checksum = await going_back(stage)
    monkeypatch.setattr(hooking, "_PATIENCE", 0.3)
    stage.cluster.hang(method="GET", path="canaries")
    assert await ask(stage, checksum=checksum) == (503, "gate_unknown")


@pytest.mark.sweep  # a lock is waited for
async def test_a_database_that_is_locked_is_no(stage, tmp_path, monkeypatch):
    checksum = await going_back(stage)
    monkeypatch.setattr(hooking, "_PATIENCE", 0.3)
    lock = sqlite3.connect(tmp_path / "sluice.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert (await ask(stage, checksum=checksum))[0] >= 500
    lock.execute("ROLLBACK")
    lock.close()
    assert await ask(stage, checksum=checksum) == (200, "")


@pytest.mark.sweep
async def test_the_token_is_in_no_log(stage, caplog):
    caplog.set_level(logging.DEBUG)
    await stage.begin()
    await ask(stage, token=f"{TOKEN}-wrong")
    await ask(stage, "nonsense")
    await stage.wait(2 * INTERVAL)
    assert TOKEN not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("sluice")
    )


TWICE = """\
  mirror-service:
    production:
      cluster: dr
      namespace: orion
      workload: {{kind: flagger, canary: auth-service, container: auth-service, image: ghcr.io/orion/auth}}
      metrics: {{source: main, template: istio}}
    staging:
      cluster: backup
      namespace: orion
      workload: {{kind: flagger, canary: auth-service, container: auth-service, image: ghcr.io/orion/auth}}
      metrics: {{source: main, template: istio}}
"""


class Clusters(FlaggerStage):
    """Three clusters in which the same names are used."""

    def configure(self, folder, *rest):
        super().configure(folder, *rest)
        path = folder / "sluice.yaml"
        text = path.read_text()
        line = next(one for one in text.splitlines() if one.startswith("  prod:"))
        more = "\n".join(line.replace("prod:", f"{name}:", 1) for name in ("prod", "dr", "backup"))
        path.write_text(text.replace(line, more, 1))


async def test_a_name_that_several_targets_have_opens_nothing_until_it_is_told_apart(tmp_path):
    extra = TWICE.format() + f'flagger: {{token: "{TOKEN}"}}'
    async with Clusters.gated(tmp_path, extra=extra) as stage:
        assert await ask(stage) == (403, "ambiguous_canary")
        assert await ask(stage, metadata={"environment": "production"}) == (403, "ambiguous_canary")
        assert await ask(stage, metadata={"environment": "staging"}) == (403, "gate_shut")
