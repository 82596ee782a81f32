"""One task per key: nothing is done twice at the same time, and nothing that was asked for is left out."""

import asyncio
from collections import Counter

from bot.errands import Errands


class Bell:
    """An errand that waits until it is let go."""

    def __init__(self, rest: bool = False) -> None:
        self.began: list[str] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.go = asyncio.Event()
        self.rested = asyncio.Event()
        self.errands = Errands("ring", self.ring, self.rest if rest else None)

    async def rest(self, key: str) -> None:
        await self.rested.wait()

    async def ring(self, key: str) -> None:
        self.began.append(key)
        self.running[key] += 1
        self.most[key] = max(self.most[key], self.running[key])
        await self.go.wait()
        self.running[key] -= 1


async def pause() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_for_while_it_is_done_is_done_once_more_afterwards():
    bell = Bell()
    bell.errands.soon("a")
    await pause()
    for _ in range(3):
        bell.errands.soon("a")
    bell.go.set()

    await bell.errands.settled()

    assert (bell.began, bell.most["a"]) == (["a", "a"], 1)


async def test_different_keys_go_side_by_side():
    bell = Bell()
    bell.errands.soon("a")
    bell.errands.soon("b")
    await pause()

    assert bell.began == ["a", "b"]
    assert bell.errands.busy("a")
    bell.go.set()
    await bell.errands.settled()
    assert not bell.errands.busy("a")


async def test_what_is_asked_for_during_the_rest_is_one_errand():
    bell = Bell(rest=True)
    bell.go.set()
    for _ in range(3):
        bell.errands.soon("a")
        await pause()
    bell.rested.set()

    await bell.errands.settled()

    assert bell.began == ["a"]


async def test_after_a_stop_nothing_is_being_done_and_the_key_can_be_asked_for_again():
    bell = Bell()
    bell.errands.soon("a")
    await pause()

    await bell.errands.stop()

    assert not bell.errands.busy("a")
    bell.go.set()
    bell.errands.soon("a")
    await bell.errands.settled()
    assert bell.began == ["a", "a"]
