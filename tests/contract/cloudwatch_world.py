"""A function and two groups of a balancer as CloudWatch counts them, ten minutes of both."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3

from integrations.aws import AwsAccount
from integrations.metric import Snapshot
from integrations.metrics.cloudwatch import CloudWatchSource
from tests.fakes.cloudwatch import FakeCloudWatch

NOW = datetime(2026, 5, 4, 12, 10, 20, tzinfo=UTC)
FUNCTION = {"function": "thumbs", "alias": "live"}
GROUPS = {
    "load_balancer": "app/shop/1",
    "stable_group": "targetgroup/blue/2",
    "canary_group": "targetgroup/green/3",
}
SHAPES: Mapping[str, dict[str, Any]] = {
    "lambda": {"stable": "6", "canary": "7", "what": FUNCTION},
    "alb": {"stable": "shop-stable", "canary": "shop-canary", "what": GROUPS},
}


@cache
def _session() -> Any:
    return boto3.Session("key", "secret", region_name="eu-west-1")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class World:
    """The fake, and sources that read it."""

    def __init__(self, fake: FakeCloudWatch, url: str) -> None:
        self.fake = fake
        self.url = url
        self.now = NOW
        self.waited: list[float] = []
        self._accounts: list[AwsAccount] = []

    def account(self, *, credentials: bool = True, **options: Any) -> AwsAccount:
        options = {"region": "eu-west-1", "endpoint": self.url, "timeout": 1.0, **options}
        made = AwsAccount(**options)
        if credentials:
            # What boto3 knows of the services is read once: half of a short test would be that.
            made._session = _session()
        self._accounts.append(made)
        return made

    def source(self, template: str = "lambda", **options: Any) -> CloudWatchSource:
        options = {**SHAPES[template], "timeout": 1.0, **options}
        account = options.pop("account", None) or self.account()
        return CloudWatchSource(
            account, template=template, clock=lambda: self.now, pause=self._pause, **options
        )

    async def look(self, template: str = "lambda", window: int = 300, **options: Any) -> Snapshot:
        custom = options.pop("custom", {})
        weight = options.pop("weight", None)
        source = self.source(template, **options)
        variables = {"version": "7"}
        return await source.look(window=window, custom=custom, variables=variables, weight=weight)

    def traffic(
        self, template: str, *, minutes: range, stable: int, canary: int, errors: int = 0
    ) -> None:
        """Count so many requests a minute, so many minutes ago; `errors` are the canary's."""
        for minute in minutes:
            at = ago(minute)
            if template == "lambda":
                self.fake.invoked(at, "6", stable, ms=(100, 300))
                self.fake.invoked(at, "7", canary, errors=errors, ms=(200, 600))
            else:
                self.fake.served(at, GROUPS["stable_group"], stable, seconds=0.2)
                self.fake.served(at, GROUPS["canary_group"], canary, errors=errors, seconds=0.4)

    async def _pause(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def close(self) -> None:
        for account in self._accounts:
            await account.close()
        await self.fake.stop()


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    fake = FakeCloudWatch(lambda: NOW)
    made = World(fake, await fake.start())
    fake.clock = lambda: made.now
    yield made
    await made.close()
