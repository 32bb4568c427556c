"""Fifty new claims in hundreds of wordings, heard by four workers in any order and many times over, while workers are killed:
each is told of once, and nothing else is."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor import words
from monitor.settings import load
from monitor.stream import Item, Stream
from monitor.topic import load_topic
from monitor.words import Post
from tests.checker import check, query, rests_over
from tests.daemon_process import DaemonProcess, running_daemon, until
from tests.receiver import Receiver
from tests.test_roles import write_config
from tests.wordings import quiet_by, told_by
from workers.judgement import Judge

CLAIMS, WORDINGS = 50, 8
POSTS, QUIET_POSTS, EDITS, DUPLICATES = 2_000, 200, 150, 400
AUTHORS = 120
WORKERS, KILLS = 4, 8
CHUNK, AHEAD = 50, 200  # entries offered at a time, and waiting for workers at most
SPREADING = """
    SELECT c.id, c.authors, COUNT(a.id) FROM claim c LEFT JOIN alert a ON a.claim_id = c.id AND a.kind = 'claim.spreading'
    GROUP BY c.id, c.authors
"""


@pytest.fixture(scope="module")
def judge() -> Judge:
    """As the workers have it: by the rules alone."""
    settings = load()
    return Judge(replace(load_topic(settings.topic_folder), model=None), settings.alerts.jurisdictions)


@pytest.fixture(scope="module")
def told(judge: Judge) -> dict[str, list[str]]:
    """The claims with their wordings."""
    many = {claim_id: texts for claim_id, texts in told_by(judge).items() if len(texts) >= WORDINGS}
    assert len(many) >= CLAIMS, f"the pack reads only {len(many)} claims surely in {WORDINGS} wordings"
    return dict(list(many.items())[:CLAIMS])


@pytest.fixture(scope="module")
def quiet(judge: Judge) -> list[str]:
    return quiet_by(judge)


def entries(told: dict[str, list[str]], quiet: list[str], dice: random.Random) -> list[Post]:
    """What is offered, in any order: posts, some of them once more, and later texts of some of them.

    Every claim is put forward by posts that are never edited, so that each has to be told of whatever comes first.
    """
    texts = [(claim_id, text) for claim_id, wordings in told.items() for text in wordings]
    said = [text for _, text in texts]
    said += [dice.choice(said) for _ in range(POSTS - QUIET_POSTS - len(said))] + [dice.choice(quiet) for _ in range(QUIET_POSTS)]
    posts = [
        Post(platform=("forum", "blog", "video")[n % 3], id=f"p{n}", text=text, author=f"a{dice.randrange(AUTHORS)}")
        for n, text in enumerate(said)
    ]
    edited = dice.sample(posts[len(texts) :], EDITS)
    offered = posts + [replace(post, text=dice.choice(said)) for post in edited] + dice.sample(posts, DUPLICATES)
    dice.shuffle(offered)
    return offered


async def test_each_new_claim_is_told_of_once(
    tmp_path: Path, redis_url: str, store_url: str, told: dict[str, list[str]], quiet: list[str]
) -> None:
    dice = random.Random(23)
    offered = entries(told, quiet, dice)
    async with Receiver() as receiver, AsyncExitStack() as stack:
        config = write_config(tmp_path, redis_url, store_url, receiver.url)
        stream = await Stream.open(redis_url)
        stack.push_async_callback(stream.close)
        await stack.enter_async_context(running_daemon(config, "deliver"))
        workers = [DaemonProcess(config, "work") for _ in range(WORKERS)]
        for worker in workers:
            stack.push_async_callback(end, worker)
        await asyncio.gather(*(worker.start() for worker in workers))
        await offer_and_kill(stream, offered, workers, dice)
        rests_over(Path(redis_url.removeprefix("unix://")))
        await until(lambda: _left(stream), lambda left: left == 0)
        await until(lambda: query(store_url, "SELECT COUNT(*) FROM delivery WHERE state <> 'delivered'"), lambda n: n == [(0,)])
        assert await stream.dead() == []
    await check(store_url, {(post.platform, post.id) for post in offered}, receiver.kept, set(told))
    spreading = await query(store_url, SPREADING)
    assert [row for row in spreading if row[0] in told and row[2] != (row[1] >= 10) + (row[1] >= 100)] == []
    assert [row for row in spreading if row[0] not in told and row[2]] == []


async def offer_and_kill(stream: Stream, offered: list[Post], workers: list[DaemonProcess], dice: random.Random) -> None:
    """Offers the posts no faster than they are judged, each under a key of its own, and kills workers all along."""
    chunks = [offered[start : start + CHUNK] for start in range(0, len(offered), CHUNK)]
    kill_at = set(dice.sample(range(1, len(chunks)), KILLS))
    restarts: dict[DaemonProcess, asyncio.Task[None]] = {}
    for n, chunk in enumerate(chunks):
        await stream.publish([Item(f"{n}-{place}", words.encode(post)) for place, post in enumerate(chunk)])
        await until(lambda: _left(stream), lambda left: left <= AHEAD)
        if n in kill_at:
            victim = dice.choice(workers)
            if victim in restarts:
                await restarts[victim]
            await asyncio.sleep(dice.random() * 0.1)
            await victim.kill()
            restarts[victim] = asyncio.create_task(victim.start())
    await asyncio.gather(*restarts.values())


async def end(worker: DaemonProcess) -> None:
    if worker.running:
        await worker.stop()


async def _left(stream: Stream) -> int:
    return (await stream.stats()).length
