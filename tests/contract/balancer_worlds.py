"""A load balancer and a hosted zone for the contract of the routers of AWS, and somebody else's hands on them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import boto3

from integrations.aws import AwsAccount
from integrations.base import MangledError, Router, Split
from integrations.routers.alb import AlbRouter
from integrations.routers.route53 import Route53Router
from tests.fakes.aws_elbv2 import CANARY, DEFAULT_RULE, LISTENER, RULE, STABLE, FakeElb
from tests.fakes.aws_route53 import NAME, ZONE, FakeRoute53
from tests.fakes.wheel import VirtualClock

WORLDS = ("rule", "listener", "zone")


@cache
def _session() -> Any:
    return boto3.Session("AKIAEXAMPLE", "example", region_name="eu-west-1")


class World(ABC):
    """Something that splits, on a server of its own."""

    fake: Any
    writes: str
    """The operation that changes weights."""
    missing: str
    """The code when the object is not there."""

    def __init__(self) -> None:
        self.clock = VirtualClock()

    async def start(self) -> None:
        await self.fake.start()
        self.account = AwsAccount(endpoint=self.fake.url)
        # What boto3 knows of the services is read once: half of a short test would be that.
        self.account._session = _session()

    async def stop(self) -> None:
        await self.account.close()
        await self.fake.stop()

    @abstractmethod
    def router(self, **options: Any) -> Router: ...

    @property
    @abstractmethod
    def weights(self) -> tuple[int, ...]: ...

    @abstractmethod
    def put_weights(self, *weights: int) -> None: ...

    @abstractmethod
    def put_fence(self, text: str) -> None: ...

    @abstractmethod
    def put_mark(self, text: str) -> None: ...

    @abstractmethod
    def remove(self) -> None: ...

    @abstractmethod
    def everything(self) -> Any:
        """Return all that is there, without the weights and what Sluice notes."""

    def wait(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)

    async def write(self, canary: float, fence: str = "1.1") -> Split:
        router = self.router()
        return await router.write(canary, token=(await self.seen(router)).token, fence=fence)

    async def seen(self, router: Router | None = None) -> Split:
        """Return what can be seen on the way home."""
        try:
            return await (router or self.router()).read()
        except MangledError as mangled:
            return mangled.split


class ElbWorld(World):
    """A rule of a load balancer, or its default actions."""

    fake: FakeElb

    def __init__(self, *, listener: bool = False) -> None:
        super().__init__()
        self.fake = FakeElb(clock=self.clock)
        self.arn, self.at = (LISTENER, DEFAULT_RULE) if listener else (RULE, RULE)
        self.writes = "ModifyListener" if listener else "ModifyRule"
        self.missing = "listener_missing" if listener else "rule_missing"

    def router(self, **options: Any) -> AlbRouter:
        where = {"listener": LISTENER} if self.arn == LISTENER else {"rule": RULE}
        given = {"stable": STABLE, "canary": CANARY, **where, **options}
        return AlbRouter(self.account, clock=self.clock, **given)

    @property
    def weights(self) -> tuple[int, ...]:
        return tuple(self.fake.weights(self.at))

    @property
    def actions(self) -> list[dict[str, Any]]:
        return self.fake.rules[self.at]["Actions"]  # type: ignore[no-any-return]

    @property
    def tags(self) -> dict[str, str]:
        return self.fake.tags.setdefault(self.arn, {})

    def put_weights(self, *weights: int) -> None:
        self.fake.put_weights(*weights, rule=self.at)

    def put_fence(self, text: str) -> None:
        self.tags["sluice:fence"] = text

    def put_mark(self, text: str) -> None:
        self.tags["sluice:rollback"] = text

    def remove(self) -> None:
        if self.arn == LISTENER:
            self.fake.fail("ListenerNotFound", operation="DescribeListeners", times=9)
        del self.fake.rules[self.at]

    def everything(self) -> Any:
        rules = copy.deepcopy(self.fake.rules)
        for rule in rules.values():
            for action in rule["Actions"]:
                for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
                    del group["Weight"]
        tags = {k: v for k, v in self.tags.items() if not k.startswith("sluice:")}
        return repr(_texts([rules, self.fake.secrets, tags]))


class ZoneWorld(World):
    """Two weighted records in a zone."""

    fake: FakeRoute53
    writes = "ChangeResourceRecordSets"
    missing = "records_missing"

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeRoute53(clock=self.clock)

    def router(self, **options: Any) -> Route53Router:
        given = {"zone": ZONE, "name": NAME, "type": "A", "stable": "stable", "canary": "canary"}
        return Route53Router(self.account, clock=self.clock, **{**given, **options})

    @property
    def weights(self) -> tuple[int, ...]:
        return self.fake.weights

    def put_weights(self, *weights: int) -> None:
        for name, weight in zip(("stable", "canary"), weights, strict=True):
            self.fake.record(name)["Weight"] = str(weight)

    def put_fence(self, text: str) -> None:
        self._put_note(f'"sluice/fence={text}"')

    def put_mark(self, text: str) -> None:
        self._put_note(f'"sluice/rollback={text}"')

    def _put_note(self, text: str) -> None:
        name = f"_sluice.{NAME}."
        self.fake.records[:] = [x for x in self.fake.records if x["Name"] != name]
        note = {"Name": name, "Type": "TXT", "TTL": "60", "ResourceRecords": [{"Value": text}]}
        self.fake.records.append(note)

    def remove(self) -> None:
        self.fake.records[:] = [x for x in self.fake.records if "Weight" not in x]

    def everything(self) -> Any:
        kept = [x for x in copy.deepcopy(self.fake.records) if "_sluice" not in x["Name"]]
        for record in kept:
            record.pop("Weight", None)
        return sorted(map(repr, map(_texts, kept)))


@asynccontextmanager
async def open_world(kind: str) -> AsyncIterator[World]:
    world = ZoneWorld() if kind == "zone" else ElbWorld(listener=kind == "listener")
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


def _texts(value: Any) -> Any:
    """Return a value as it travels: everything is text, and the order of keys means nothing."""
    match value:
        case dict():
            return {key: _texts(value[key]) for key in sorted(value)}
        case list():
            return [_texts(one) for one in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)
