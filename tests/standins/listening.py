"""How tests listen to a streamed collector: as the runner does, one connection after the other, each from the last cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from monitor.collectors.base import Batch, SourceError, Streamer
from monitor.notices import Gone
from monitor.words import Post

WITHIN_S = 30.0


class Heard:
    """What came so far, in order, and the cursor after it."""

    def __init__(self, cursor: str | None = None) -> None:
        self.batches: list[Batch] = []
        self.cursor = cursor
        self.connections = 0

    @property
    def posts(self) -> list[Post]:
        return [post for batch in self.batches for post in batch.posts]

    @property
    def texts(self) -> list[str]:
        return [post.text for post in self.posts]

    @property
    def gone(self) -> list[Gone]:
        return [one for batch in self.batches for one in batch.deleted]

    @property
    def gaps(self) -> list[str]:
        return [batch.gap.cause for batch in self.batches if batch.gap]

    @property
    def left(self) -> dict[str, str]:
        """What is left on record, by id, when every batch is carried out as the runner does."""
        record: dict[str, Post] = {}
        for batch in self.batches:
            record |= {post.id: post for post in batch.posts}
            for one in batch.deleted:
                prefix = one.prefix or "\0"
                gone = [
                    key for key, post in record.items() if key == one.post or post.author == one.author or key.startswith(prefix)
                ]
                for key in gone:
                    del record[key]
        return {key: post.text for key, post in record.items()}

    async def once(self, collector: Streamer, enough: Callable[[Heard], bool]) -> bool:
        """Listens to one connection until there is enough; whether there was, or the server ended it before."""
        self.connections += 1
        async with asyncio.timeout(WITHIN_S), aclosing(collector.stream(self.cursor)) as batches:
            async for batch in batches:
                assert len(batch.posts) <= 500
                self.batches.append(batch)
                self.cursor = batch.cursor or self.cursor
                if enough(self):
                    return True
        return False


async def listen(collector: Streamer, enough: Callable[[Heard], bool], cursor: str | None = None, connections: int = 1) -> Heard:
    """Listens until there is enough, over so many connections at most; failures of them are like their end."""
    heard = Heard(cursor)
    for _ in range(connections):
        try:
            if await heard.once(collector, enough):
                return heard
        except SourceError:
            if connections == 1:
                raise
    raise AssertionError(f"not enough in {connections} connections: {heard.texts}, {heard.gone}, {heard.gaps}")


async def refuses(collector: Streamer, cursor: str | None = None) -> SourceError:
    """The failure of a connection that has to fail, in one sentence of a readable length."""
    with pytest.raises(SourceError) as caught:
        await listen(collector, lambda _: False, cursor)
    assert "\n" not in str(caught.value)
    assert 10 < len(str(caught.value)) < 400
    return caught.value


@asynccontextmanager
async def background(collector: Streamer, cursor: str | None = None) -> AsyncIterator[Heard]:
    """A connection that is listened to meanwhile."""
    heard = Heard(cursor)
    task = asyncio.create_task(heard.once(collector, lambda _: False))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def soon(said: Callable[[], bool]) -> None:
    """Returns once it is true."""
    async with asyncio.timeout(WITHIN_S):
        while not said():
            await asyncio.sleep(0.01)
