"""Deliveries a second: the sender with its queue and log in SQLite, beside plain aiohttp posting the same bodies."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from benchmarks.arrival import SECRET
from benchmarks.measure import Figure, Scale, beside, drained, in_turn, rate
from benchmarks.posts import judge, posts
from benchmarks.receiver import Receiver, receiver
from monitor.events import load_events
from monitor.settings.model import Endpoint
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
        await database.close()
    return [beside("deliveries to one endpoint", "deliveries/s", own, f"aiohttp, {IN_FLIGHT} at a time, unsigned", bare, 0.5)]


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

    async def all_there() -> bool:
        await asyncio.sleep(0.02)
        return await hook.taken() >= before + count

    await drained(all_there)
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
