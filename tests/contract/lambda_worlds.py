"""An alias and the account that it is in: the fake Lambda with a real client in front of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integrations.aws import AwsAccount
from integrations.revisions import RevisionRouter, RevisionWorkload
from integrations.serverless.lambda_alias import LambdaAlias
from tests.fakes.aws_lambda import FakeLambda

FUNCTION = "image-processor"
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/images"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "nothing-that-opens-anything",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


class World:
    """Version 5 is live behind `live`."""

    live = "5"

    def __init__(self, fake: FakeLambda, account: AwsAccount) -> None:
        self.fake = fake
        self.account = account
        self.slept: list[float] = []

    def alias(self, **options: Any) -> LambdaAlias:
        keys = {"function": FUNCTION, "alias": "live", **options}
        return LambdaAlias(self.account, **keys, sleep=self._sleep)

    def router(self, dark: str = "", **options: Any) -> RevisionRouter:
        return RevisionRouter(self.alias(**options), self.live, dark)

    def workload(self, dark: str = "", **options: Any) -> RevisionWorkload:
        return RevisionWorkload(self.alias(**options), self.live, dark)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    fake = FakeLambda()
    endpoint = await fake.start()
    account = AwsAccount(region="eu-west-1", endpoint=endpoint, timeout=2.0)
    try:
        yield World(fake, account)
    finally:
        await account.close()
        await fake.stop()
