"""A slash command, committed and acknowledged, beside a bare Bolt handler that only acknowledges."""

import asyncio
import hashlib
import hmac
import os
import sys
import time
from urllib.parse import urlencode

import aiohttp

from tests.bench.figures import milliseconds, percentile
from tests.bench.yard import SECRET, TOKEN, Yard, free_port, listening

RATE, SECONDS, ROUNDS = 100, 5, 3


def signed(text: str, number: int) -> tuple[bytes, dict[str, str]]:
    body = urlencode(
        {
            "command": "/deploy",
            "text": text,
            "user_id": "U0DANA",
            "user_name": "dana",
            "team_id": "T0SLUICE",
            "channel_id": "C0DEPLOYS",
            "channel_name": "deploys",
            "api_app_id": "A0SLUICE",
            "trigger_id": f"{time.time_ns()}.{number}",
            "response_url": "http://127.0.0.1:9/none",
        }
    ).encode()
    stamp = str(int(time.time()))
    base = b"v0:" + stamp.encode() + b":" + body
    signature = "v0=" + hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature,
    }


async def load(session: aiohttp.ClientSession, url: str, texts: list[str]) -> list[float]:
    """Send `RATE` commands a second for `SECONDS`, on time whether or not answers are late; return the latencies."""
    began = time.perf_counter()

    async def one(number: int) -> float:
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        body, headers = signed(texts[number % len(texts)], number)
        sent = time.perf_counter()
        async with session.post(url, data=body, headers=headers) as response:
            answer = await response.text()
            assert response.status == 200, (response.status, answer)
        return time.perf_counter() - sent

    return list(await asyncio.gather(*(one(n) for n in range(RATE * SECONDS))))


async def measure(yard: Yard) -> list[list[str]]:
    port = free_port()
    bare = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bare_bolt",
        env={**os.environ, "PORT": str(port), "SLACK_SIGNING_SECRET": SECRET},
    )  # fmt: skip
    try:
        await listening(port)
        return await _compare(yard, port)
    finally:
        bare.terminate()
        await bare.wait()


async def _compare(yard: Yard, port: int) -> list[list[str]]:
    names = yard.names[:20]
    await _soaking(yard, names)
    texts = [f"extend {name} staging 1m" for name in names]
    ours: list[float] = []
    theirs: list[float] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            theirs += await load(session, f"http://127.0.0.1:{port}/slack/events", ["x"])
            ours += await load(session, f"http://127.0.0.1:{yard.port}/slack/events", texts)
    rows = []
    for label, share in (("median", 0.5), ("p99", 0.99)):
        a, b = percentile(ours, share), percentile(theirs, share)
        rows.append(
            [f"command committed and acknowledged, {label}, {RATE}/s", milliseconds(a),
             f"bare Bolt handler, default mode: {milliseconds(b)}", f"{a / b:.2f}"]
        )  # fmt: skip
    return rows


async def _soaking(yard: Yard, names: list[str]) -> None:
    """Bring some rollouts into a paused soak, where a command is all that happens to them."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for name in names:
            await say(session, yard, f"deploy {name} v2")
        for name in names:
            while yard.weight(name) != 50:
                await asyncio.sleep(0.05)
        for name in names:
            await say(session, yard, f"pause {name} staging")


async def say(session: aiohttp.ClientSession, yard: Yard, text: str) -> dict:
    url = f"http://127.0.0.1:{yard.port}/api/v1/commands"
    async with session.post(url, json={"text": text}) as response:
        answer = await response.json()
        assert response.status in {200, 201}, answer
        return answer
