"""Judging one look, beside reading the JSON that it came from: 20 pods in each lane, 16 buckets."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from bot.rollout.judging import judged
from bot.rollout.ledger import Ledger, fold
from bot.rollout.ledger_text import ledger_to_text
from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rollout
from integrations.base import Lane
from integrations.metrics.answers import samples
from integrations.metrics.counted import sight
from integrations.metrics.counting import count, history
from integrations.metrics.joining import named, told_apart
from integrations.metrics.templates import BACK_S, Lanes, Part, raw_counters
from strategies.plan import Check, Promote, SetWeight, Soak
from strategies.verdict import Look, Sample
from tests.bench.figures import milliseconds
from tests.fakes.rollouts import NOON, rollout

PODS, LOOKS, EVERY_S = 20, 200, 20
BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)
AIM_S = 0.001

_SOAK = Soak(
    LOOKS * EVERY_S, checks=(Check("error_rate", above=5), Check("latency_p95", above=500))
)
_LANES = Lanes("orion", "checkout-stable", "checkout-canary")
_RAW = raw_counters("istio", _LANES)


def measure() -> list[list[str]]:
    """Return one row for each part of a look, beside reading its JSON."""
    took: dict[str, list[float]] = {}
    row, ledger = _soaking(), Ledger()
    for number in range(LOOKS):
        now = NOON + timedelta(seconds=EVERY_S * (number + 1))
        began = time.perf_counter()
        marks = [("", began)]
        for part, value in _look(row, ledger, now, _body(number, now)):
            marks.append((part, time.perf_counter()))
            ledger = value if isinstance(value, Ledger) else ledger
        for (_, earlier), (part, later) in pairwise(marks):
            took.setdefault(part, []).append(later - earlier)
    beside = median(took.pop("json"))
    judging = median(took["judge a look"])
    return [
        *([what, milliseconds(median(t)), milliseconds(beside), f"{median(t) / beside:.2f} of its JSON"]
          for what, t in took.items()),
        ["judging against the aim", milliseconds(judging), milliseconds(AIM_S), f"{judging / AIM_S:.2f}"],
    ]  # fmt: skip


def _look(row: Rollout, before: Ledger, now: datetime, body: bytes) -> Iterator[tuple[str, object]]:
    """Yield what each part of one look is called when it is done."""
    assert _RAW is not None
    answer = json.loads(body)
    yield "json", None
    apart = told_apart(samples(answer["data"]["result"]), _RAW.parts)
    assert apart is not None
    workloads = {lane: _LANES.workload(lane) for lane in Lane}
    told, counters = count(before.counters, sight(apart, _RAW), workloads)
    yield "read the counters of a look", None
    past = history(counters, _LANES.stable)
    ledger = fold(before, told, counters, past, row, now)
    look = Look(now, 60, (Sample("error_rate", 0.5, 0.6), Sample("latency_p95", 90.0, 95.0)))
    judgement, _ = judged(row, _SOAK, Seen(now=now, look=look, ledger=ledger))
    assert judgement.sentence
    yield "judge a look", ledger
    ledger_to_text(ledger)
    yield "write down what was counted", None


def _soaking() -> Rollout:
    steps = (SetWeight(25), _SOAK, SetWeight(100), _SOAK, Promote())
    row = rollout(steps, at=_SOAK.step, phase=Phase.RUNNING)
    return replace(row, weight=25.0, weight_at=NOON)


def _body(number: int, now: datetime) -> bytes:
    rows = [row for lane in Lane for pod in range(PODS) for row in _of_pod(lane, pod, number, now)]
    rows.append({"metric": named(Part.NOW, {}), "value": [now.timestamp(), f"{now.timestamp()}"]})
    return json.dumps({"status": "success", "data": {"result": rows}}).encode()


def _of_pod(lane: Lane, pod: int, number: int, now: datetime) -> Iterator[dict]:
    assert _RAW is not None
    every, at = 1000 * (number + 1) + pod, now.timestamp()
    labels = {_RAW.label: _LANES.workload(lane), "job": "sidecars", "instance": f"{lane}-{pod}:9"}
    values = {
        Part.ALL: every,
        Part.FINE: every - every // 200,
        Part.FAILED: every // 200,
        Part.STAMPS: at - 1,
        Part.SCRAPES: BACK_S // 15 + 1,
    }
    for part, value in values.items():
        yield {"metric": named(part, labels), "value": [at, str(value)]}
    for place, bound in enumerate((*BOUNDS, "+Inf")):
        bucket = {"metric": {**labels, "le": str(bound)}, "value": every * (place + 1) // 16}
        name = next(iter(_RAW.buckets))
        yield {"metric": named(name, bucket["metric"]), "value": [at, str(bucket["value"])]}
