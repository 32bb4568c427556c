"""A worker killed at each step of its way, one after the other; whoever takes up what it left tells of each claim once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from monitor import words
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Item, Stream
from monitor.words import Post
from tests.checker import check_record, query
from tests.daemon_process import PATIENCE_S, ROOT
from tests.mortal_worker import lexicon_judge, settings_of
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.reader import LocalReader

ROUNDS = 90  # at most
STEPS = 30  # at least, or the hooks have come off


@pytest.fixture(scope="module")
def judge() -> Judge:
    return lexicon_judge()


@pytest.fixture
async def mortal(redis_url: str, store_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mortal_worker", redis_url, store_url),
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    async with asyncio.timeout(PATIENCE_S):
        assert await process.stdout.readline() == b"ready\n"
    yield process
    process.stdin.close()  # its end
    async with asyncio.timeout(PATIENCE_S):
        await process.wait()


def post(key: str, text: str) -> Post:
    return Post(platform="forum", id=key, text=text, author=f"by {key}")


def edited_before(n: int) -> Post:
    return post(f"e{n}", f"Exosomes raise collagen by {1000 + n}%.")


def batch_of(n: int) -> list[Post]:
    """Two posts of one new claim, one of them edited at once, and an edit that takes a claim away and puts forward another."""
    return [
        post(f"a{n}", f"Exosomes raise collagen by {2000 + n}%."),
        post(f"b{n}", f"Los exosomas aumentan el colágeno un {2000 + n}%"),
        post(f"e{n}", f"Each vial holds {1000 + n} billion exosomes."),
        post(f"b{n}", f"Los exosomas aumentan el colágeno un {2000 + n}%, edited"),
    ]


async def offer(stream: Stream, posts: list[Post]) -> None:
    await stream.publish([Item(one.version, words.encode(one)) for one in posts])


async def all_done(stream: Stream, database: Database, judge: Judge, settings: Settings) -> None:
    """Another worker takes up whatever is left, until nothing is."""
    stop = asyncio.Event()
    heir = Worker("heir", stream, database, LocalReader(judge), settings, claim_after_s=0.05)
    working = asyncio.create_task(heir.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        while (await stream.stats()).length:
            await asyncio.sleep(0.01)
    stop.set()
    await working


async def test_each_claim_is_told_once_wherever_its_worker_dies(
    redis_url: str,
    store_url: str,
    stream: Stream,
    database: Database,
    judge: Judge,
    mortal: asyncio.subprocess.Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.pipeline.WAIT_S", 0.05)  # the other worker stops at once when there is nothing left
    settings = settings_of(redis_url, store_url)
    offered = [edited_before(n) for n in range(1, ROUNDS)]
    await offer(stream, offered)
    await all_done(stream, database, judge, settings)
    assert mortal.stdin
    assert mortal.stdout
    for n in range(1, ROUNDS):
        await offer(stream, batch_of(n))
        offered += batch_of(n)
        mortal.stdin.write(f"{n}\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            end = (await mortal.stdout.readline()).decode().strip()
        await all_done(stream, database, judge, settings)
        if end == "lived":
            break
        assert end == "killed"
    assert n > STEPS
    assert await stream.dead() == []
    claims = {one.claim_id for one in (judge.judge("", post.text).claims[0] for post in offered)}
    await check_record(store_url, {(one.platform, one.id) for one in offered}, claims)
    assert await query(store_url, "SELECT COUNT(*), COUNT(DISTINCT alert_id) FROM delivery") == [(len(claims), len(claims))]
    assert await query(store_url, "SELECT COUNT(*) FROM mention WHERE state = 'edited' AND platform_id LIKE 'b%'") == [(n,)]
