"""Stream hop: idempotent produce, read, typed decode, acknowledge; beside redis-py and FastStream on the same server."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from redis.asyncio import Redis

from benchmarks import posts
from benchmarks.measure import Figure, Scale, beside, in_turn, rate, redis_server
from monitor.stream import Item, Stream
from monitor.stream.keys import SEEN_KEPT_S, seen_keys
from monitor.stream.scripts import PUBLISH
from monitor.times import now_ms
from monitor.words import Post, decode_post, encode

GROUP = "g"


class Offers:
    """Posts that were never offered before, encoded, in batches; every run gets its own."""

    _rounds = itertools.count()

    def __init__(self, count: int) -> None:
        self._posts = posts.posts(count)

    def next(self) -> list[Item]:
        number = next(self._rounds)
        renamed = [msgspec.structs.replace(post, id=f"{number}:{post.id}") for post in self._posts]
        return [Item(post.version, encode(post)) for post in renamed]


async def exowatch_hop(stream: Stream, items: list[Item], batch: int) -> None:
    """Ours: batch by batch into the stream, out of it, decoded, acknowledged."""
    reader = stream.reader("bench-0")
    try:
        for start in range(0, len(items), batch):
            assert all(await stream.publish(items[start : start + batch]))
            entries = await reader.read(batch, 1.0)
            for entry in entries:
                decode_post(entry.data)
            await reader.settle(entries)
    finally:
        await reader.close()


async def _read_and_acknowledge(client: Any, stream: str, batch: int) -> int:
    ((_, entries),) = await client.execute_command(
        "XREADGROUP", "GROUP", GROUP, "c", "COUNT", batch, "BLOCK", 1000, "STREAMS", stream, ">"
    )
    ids = []
    for entry_id, fields in entries:
        decode_post(fields[b"d"])
        ids.append(entry_id)
    async with client.pipeline(transaction=True) as pipe:
        pipe.execute_command("XACK", stream, GROUP, *ids)
        pipe.execute_command("XDEL", stream, *ids)
        await pipe.execute()
    return len(entries)


async def redis_py_hop(client: Any, items: list[Item], batch: int) -> None:
    """redis-py as it is commonly written: SADD for each key in a pipeline, then XADD of what was new in another."""
    for start in range(0, len(items), batch):
        part = items[start : start + batch]
        async with client.pipeline(transaction=False) as pipe:
            for item in part:
                pipe.sadd("plain:seen", item.key)
            new = await pipe.execute()
        async with client.pipeline(transaction=False) as pipe:
            for item, is_new in zip(part, new, strict=True):
                if is_new:
                    pipe.xadd("plain", {"v": "1", "d": item.data})
            pipe.expire("plain:seen", SEEN_KEPT_S)
            await pipe.execute()
        await _read_and_acknowledge(client, "plain", batch)


async def bare_script_hop(client: Any, items: list[Item], batch: int) -> None:
    """redis-py with our own script and nothing around it: no errors named, no abandoned entries looked for."""
    sha = await client.script_load(PUBLISH.text)
    for start in range(0, len(items), batch):
        arguments: list[str | bytes | int] = [SEEN_KEPT_S, 0, "", "", "", -1]
        for item in items[start : start + batch]:
            arguments += (item.key, item.data)
        keys = ["bare", *(f"bare:{key}" for key in seen_keys(0, now_ms()))]
        await client.execute_command("EVALSHA", sha, len(keys), *keys, *arguments)
        await _read_and_acknowledge(client, "bare", batch)


class FastStream:
    """FastStream's subscribers, where it is installed: its publishing, its loop, its reading of JSON; typed by msgspec."""

    def __init__(self, url: str, batch: int | None) -> None:
        from faststream.redis import RedisBroker, StreamSub  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - bench only

        self.name = "faststream:" + ("single" if batch is None else f"batch{batch}")
        self.broker = RedisBroker(url, logger=None, log_level=logging.CRITICAL)
        self.left = 0
        self.done = asyncio.Event()
        wanted = StreamSub(
            self.name,
            group=GROUP,
            consumer="c",
            batch=batch is not None,
            max_records=batch,
            last_id=">",
            polling_interval=100,
        )
        if batch is None:

            @self.broker.subscriber(stream=wanted)  # type: ignore[untyped-decorator,unused-ignore]
            async def one(body: dict[str, Any]) -> None:
                msgspec.convert(body, Post)  # FastStream has read the JSON by now
                self._count(1)

        else:

            @self.broker.subscriber(stream=wanted)  # type: ignore[untyped-decorator,unused-ignore]
            async def many(bodies: list[dict[str, Any]]) -> None:
                for body in bodies:
                    msgspec.convert(body, Post)
                self._count(len(bodies))

    def _count(self, number: int) -> None:
        self.left -= number
        if self.left <= 0:
            self.done.set()

    def expect(self, number: int) -> None:
        self.left = number
        self.done.clear()

    async def produce(self, items: list[Item]) -> None:
        for item in items:
            await self.broker.publish(item.data, stream=self.name)


def faststream_version() -> str | None:
    """The installed version of FastStream, or None."""
    try:
        return version("faststream")
    except PackageNotFoundError:
        return None


async def run(scale: Scale) -> list[Figure]:
    async with redis_server() as url:
        stream = await Stream.open(url)
        client: Any = Redis.from_url(url, protocol=2)
        for name in ("plain", "bare"):
            await client.xgroup_create(name, GROUP, id="$", mkstream=True)
        try:
            return [*await _beside_redis_py(scale, stream, client), *await _beside_faststream(scale, url, stream)]
        finally:
            await client.aclose()
            await stream.close()


async def _beside_redis_py(scale: Scale, stream: Stream, client: Any) -> list[Figure]:
    figures = []
    for batch in (100, 500):
        count = scale.count(10_000, least=batch)
        offers = Offers(count)

        async def ours(offers: Offers = offers, batch: int = batch, count: int = count) -> float:
            items = offers.next()
            return await rate(count, lambda: exowatch_hop(stream, items, batch))

        async def pipelined(offers: Offers = offers, batch: int = batch, count: int = count) -> float:
            items = offers.next()
            return await rate(count, lambda: redis_py_hop(client, items, batch))

        async def bare(offers: Offers = offers, batch: int = batch, count: int = count) -> float:
            items = offers.next()
            return await rate(count, lambda: bare_script_hop(client, items, batch))

        own, plain, script = await in_turn(scale.repeats, ours, pipelined, bare)
        name = f"stream hop, batches of {batch}"
        figures.append(beside(name, "entries/s", own, "redis-py, pipelined SADD and XADD", plain, 0.6))
        figures.append(beside(name, "entries/s", own, "redis-py with the same script", script, 0.6))
    return figures


async def _beside_faststream(scale: Scale, url: str, stream: Stream) -> list[Figure]:
    installed = faststream_version()
    if installed is None:
        print("stream hop: FastStream is not installed, so its rows are left out (`make bench` installs it)")
        return []
    single, batched = FastStream(url, None), FastStream(url, 500)
    count = scale.count(3_000, least=100)
    offers = Offers(count)
    await single.broker.start()
    await batched.broker.start()
    try:

        async def ours() -> float:
            items = offers.next()
            return await rate(count, lambda: exowatch_hop(stream, items, 500))

        async def hop(peer: FastStream) -> float:
            items = offers.next()
            peer.expect(count)
            started = time.perf_counter()
            await peer.produce(items)
            await peer.done.wait()
            return count / (time.perf_counter() - started)

        own, one, many = await in_turn(scale.repeats, ours, lambda: hop(single), lambda: hop(batched))
    finally:
        await single.broker.stop()
        await batched.broker.stop()
    name, note = "stream hop, batches of 500", "FastStream does not refuse repeats, and keeps entries after their acknowledgement"
    return [
        beside(name, "entries/s", own, f"FastStream {installed}, single-message subscriber", one, 10, note),
        beside(name, "entries/s", own, f"FastStream {installed}, batch subscriber (publishes one by one)", many, None, note),
        *await _reading(scale, url, stream, installed),
    ]


async def _reading(scale: Scale, url: str, stream: Stream, installed: str) -> list[Figure]:
    """Reading alone: entries that lie in the stream already, decoded and acknowledged."""
    count = scale.count(10_000, least=500)
    offers = Offers(count)

    async def ours() -> float:
        items = offers.next()
        await stream.publish(items)
        reader = stream.reader("bench-0")
        left = count
        started = time.perf_counter()
        while left:
            entries = await reader.read(500, 1.0)
            for entry in entries:
                decode_post(entry.data)
            await reader.settle(entries)
            left -= len(entries)
        took = time.perf_counter() - started
        await reader.close()
        return count / took

    async def theirs() -> float:
        items = offers.next()
        peer = FastStream(url, 500)
        client: Any = Redis.from_url(url, protocol=2)
        await client.delete(peer.name)
        await client.xgroup_create(peer.name, GROUP, id="$", mkstream=True)
        await peer.broker.connect()
        # One entry as FastStream packs it, then the rest in the same wrapping, so that filling takes no time.
        await peer.broker.publish(items[0].data, stream=peer.name)
        ((_, fields),) = await client.xrange(peer.name, "-", "+", 1)
        ((field, packed),) = fields.items()
        async with client.pipeline(transaction=False) as pipe:
            for item in items[1:]:
                pipe.xadd(peer.name, {field: packed.replace(items[0].data, item.data)})
            await pipe.execute()
        peer.expect(count)
        started = time.perf_counter()
        await peer.broker.start()
        await peer.done.wait()
        took = time.perf_counter() - started
        await peer.broker.stop()
        await client.aclose()
        return count / took

    own, many = await in_turn(scale.repeats, ours, theirs)
    return [
        beside("read, decode, acknowledge, batches of 500", "entries/s", own, f"FastStream {installed}, batch subscriber", many)
    ]
