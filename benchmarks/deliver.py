"""Deliveries a second: the sender with its queue and log in SQLite, beside plain aiohttp posting the same bodies. And how late an
alert is at 50 a second, and what a long queue costs."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from benchmarks.arrival import PER_SECOND, SECRET
from benchmarks.long_queue import long_queue
from benchmarks.measure import Figure, Scale, at_most, beside, in_turn, quantile, rate
from benchmarks.posts import judge, posts
from benchmarks.receiver import Receiver, receiver
from monitor.events import load_events
from monitor.settings.endpoint import Endpoint
from monitor.store import Database, endpoints, record
from monitor.store.budgets import Recipient
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft
from monitor.words import Post
from workers.deliver.queue import IN_FLIGHT
from workers.deliver.sender import Sender


async def run(scale: Scale) -> list[Figure]:
    count = scale.count(1_000, least=50)
    rounds = itertools.count()
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'store.sqlite'}")
        await database.migrate()
        async with receiver() as hook, aiohttp.ClientSession() as session:
            endpoint = Endpoint(name="hook", kind="webhook", url=hook.url, secret=[SecretStr(SECRET)], allow_private=True)
            async with database.write() as connection:
                await endpoints.declare(connection, [endpoint.name])

            async def ours() -> float:
                raised = len(await _raise(database, next(rounds), count))
                return await rate(raised, lambda: _sent(database, endpoint, hook, raised))

            async def plain() -> float:
                bodies = await _bodies(database, next(rounds), count)
                return await rate(len(bodies), lambda: _posted(session, hook.url, bodies))

            own, bare = await in_turn(scale.repeats, ours, plain)
            late = await _late(scale, database, endpoint, hook)
        await database.close()
    return [
        beside("deliveries to one endpoint", "deliveries/s", own, f"aiohttp, {IN_FLIGHT} at a time, unsigned", bare, 0.5),
        *late,
        *await long_queue(scale),
    ]


async def _late(scale: Scale, database: Database, endpoint: Endpoint, hook: Receiver) -> list[Figure]:
    """From the commit of an alert to its receipt, at 50 alerts a second."""
    count, middle, end = scale.count(250, least=25), list[float](), list[float]()
    for number in range(100, 101 + scale.repeats):
        batch = [_judged(number, n, post, endpoint.name) for n, post in enumerate(posts(count, seed=number))]
        stop, committed = asyncio.Event(), dict[str, float]()
        sender = Sender(database, [endpoint])
        task = asyncio.create_task(sender.run(stop))
        before, started = await hook.taken(), time.monotonic()
        for n, one in enumerate(batch):
            await asyncio.sleep(max(0.0, started + n / PER_SECOND - time.monotonic()))
            async with database.write() as connection:
                await record.record(connection, [one])
            committed[one.post.id] = time.monotonic()
            sender.wake()
        async with asyncio.timeout(60):
            await hook.has(before + count)
        stop.set()
        await task
        arrived = await hook.arrivals()
        waits = [arrived[name] - at for name, at in committed.items()]
        middle.append(quantile(waits, 0.5) * 1000)
        end.append(quantile(waits, 0.99) * 1000)
    name = f"commit of an alert to its receipt, {PER_SECOND} a second"
    return [
        at_most(f"{name}, p50", "ms", middle[1:], 20, "the issue", "the first of the repeats warms up"),
        at_most(f"{name}, p99", "ms", end[1:], 100, "the issue"),
    ]


async def _raise(database: Database, number: int, count: int, name: str = "hook") -> list[int]:
    """About so many alerts with a pending delivery each, nearly all of claims of their own; the alerts' ids.

    A post may be read as saying what another said already: it raises none.
    """
    raised: list[int] = []
    for start in range(0, count, 500):
        async with database.write() as connection:
            batch = [_judged(number, start + n, post, name) for n, post in enumerate(posts(min(500, count - start), seed=number))]
            raised += (await record.record(connection, batch)).alerts
    return raised


def _judged(number: int, n: int, post: Post, endpoint: str) -> Judged:
    text = f"Exosomes raise collagen production by {number * 10_000 + n} percent. {post.text}"
    judgement = judge().judge(post.id, text)
    draft = AlertDraft(
        kind="claim.new",
        dedupe_key=f"bench:{number}:{n}",
        summary="A new claim.",
        recipients=(Recipient(endpoint),),
        occurrence=0,
    )
    heard = Post(platform="clinic", id=f"{number}-{n}", text=text, url=post.url, author=post.author, source="bench")
    at = (1_790_000_000_000 << 21) + number * 1_000_000 + n
    return Judged(number=at, seen_ms=at >> 21, post=heard, judgement=judgement, alerts=(draft,))


async def _sent(database: Database, endpoint: Endpoint, hook: Receiver, count: int) -> None:
    before = await hook.taken()
    stop = asyncio.Event()
    sender = Sender(database, [endpoint])
    task = asyncio.create_task(sender.run(stop))

    async with asyncio.timeout(300):
        await hook.has(before + count)
    stop.set()
    await task  # until everything is written down


async def _bodies(database: Database, number: int, count: int) -> list[bytes]:
    raised = await _raise(database, number, count, name="nobody")
    async with database.read() as connection:
        return [event.body for event in (await load_events(connection, raised)).values()]


async def _posted(session: aiohttp.ClientSession, url: str, bodies: list[bytes]) -> None:
    left = iter(bodies)

    async def post_on() -> None:
        for body in left:
            async with session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
                await answer.read()

    await asyncio.gather(*(post_on() for _ in range(IN_FLIGHT)))
