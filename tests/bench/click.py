"""From a click on *Roll back* to the first write on the router, beside one bare patch of the same object."""

import asyncio
import json
import time
from pathlib import Path

import aiohttp

from integrations.kube import Cluster, path_to
from tests.bench.acknowledge import say
from tests.bench.figures import milliseconds, percentile
from tests.bench.yard import TOKEN, Yard


async def measure(yard: Yard, folder: Path, names: list[str]) -> list[list[str]]:
    cluster = await Cluster.connect(str(yard.cluster.kubeconfig(folder)), "sandbox")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    clicks, patches = [], []
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            for name in names:
                clicks.append(await _click(yard, session, name))
                patches.append(await _patch(cluster, name))
    finally:
        await cluster.close()
    rows = []
    for label, share in (("median", 0.5), ("p99", 0.99)):
        a, b = percentile(clicks, share), percentile(patches, share)
        rows.append(
            [f"click to first router write, {label} of {len(names)}", milliseconds(a),
             f"one bare patch: {milliseconds(b)}", f"{a / b:.2f}"]
        )  # fmt: skip
    return rows


async def _click(yard: Yard, session: aiohttp.ClientSession, name: str) -> float:
    await say(session, yard, f"deploy {name} v2")
    while yard.weight(name) != 50:
        await asyncio.sleep(0.02)
    message, label = await _button(yard, name)
    await asyncio.sleep(0.1)
    yard.cluster.arrived.pop(name, None)
    sent = time.perf_counter()
    clicking = asyncio.create_task(yard.slack.click("U0DANA", message, label))
    while name not in yard.cluster.arrived:
        await asyncio.sleep(0)
    await clicking
    return yard.cluster.arrived[name] - sent


async def _button(yard: Yard, name: str) -> tuple[str, str]:
    while True:
        for message in reversed(yard.slack.messages("C0DEPLOYS")):
            if f"{name} v2" in message.text or f"{name} v2" in json.dumps(message.blocks):
                for label in yard.slack.buttons(message):
                    if label == "Roll back to v1.0.0":
                        return message.ts, label
        await asyncio.sleep(0.02)


async def _patch(cluster: Cluster, name: str) -> float:
    path = path_to("networking.istio.io/v1", "virtualservices", "orion", name)
    ops = [{"op": "add", "path": "/metadata/labels", "value": {"bare": str(time.time_ns())}}]
    began = time.perf_counter()
    await cluster.patch(path, ops)
    return time.perf_counter() - began
