"""Several writers at once on PostgreSQL: whatever order posts and claims come in, nobody waits for one who waits for him."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text as sql

from monitor.ids import claim_id_of
from monitor.settings import Settings
from monitor.store import Connection, Database, StoreUnavailable, record, reviews
from monitor.store.judged import Judged
from tests.checker import ALERTS, check_record, query
from tests.postgres import Postgres
from tests.samples import judged, occurrence, write

POSTS = 12
TABLES = ("mention", "claim", "claim_platform", "claim_author", "alert")

# Before each row is written there is a pause, and a longer one once the new posts are, so that writers truly meet half-way.
SLOW = """
CREATE FUNCTION slowly() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(TG_ARGV[0]::float); RETURN NEW; END $$ LANGUAGE plpgsql
"""


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    return postgres_server.fresh_database()


@pytest.fixture
async def slow(postgres_url: str) -> AsyncIterator[Database]:
    """A PostgreSQL whose writers meet."""
    database = Database(Settings(store={"url": postgres_url}).sqlalchemy_url)
    await database.migrate()
    async with database.write() as connection:
        await connection.execute(sql(SLOW))
        for table in TABLES:
            await connection.execute(
                sql(f"CREATE TRIGGER slowly BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION slowly(0.003)")
            )
        await connection.execute(sql("CREATE TRIGGER rest AFTER INSERT ON mention EXECUTE FUNCTION slowly(0.1)"))
    yield database
    await database.close()


def said(post: str, *claims: str, n: int, version: int = 1) -> Judged:
    """A post that puts claims forward; `n` is its place in the stream."""
    words = f"Version {version}: " + ", ".join(claims)
    return judged(post, words, *(occurrence(words, one, one) for one in claims), n=n, author=f"by {post}")


async def together(database: Database, *batches: Sequence[Judged]) -> None:
    """Records the batches at the same time; a writer that is told to give up fails the test."""
    ready = asyncio.Barrier(len(batches))

    async def connect() -> None:
        async with database.write():
            await ready.wait()

    await asyncio.gather(*(connect() for _ in batches))
    await asyncio.gather(*(record.put(database, batch) for batch in batches))


def names() -> list[str]:
    return [f"{n:02}" for n in range(POSTS)]


async def test_the_same_posts_in_opposite_orders(slow: Database, postgres_url: str) -> None:
    there = [said(post, f"claim {post}", n=n) for n, post in enumerate(names())]
    back = [said(post, f"claim {post}", n=100 + n) for n, post in enumerate(reversed(names()))]
    await together(slow, there, back)
    await check_record(postgres_url, {("reddit", post) for post in names()})


async def test_the_same_claims_in_opposite_orders(slow: Database, postgres_url: str) -> None:
    claims = [f"claim {name}" for name in names()]
    there = [said(f"a{n}", claim, n=n) for n, claim in enumerate(claims)]
    back = [said(f"b{n}", claim, n=100 + n) for n, claim in enumerate(reversed(claims))]
    both = [said("c", *claims, n=200)], [said("d", *reversed(claims), n=300)]
    await together(slow, there, back, *both)
    await check_record(postgres_url, {("reddit", one.post.id) for batch in (there, back, *both) for one in batch})
    assert len(await query(postgres_url, ALERTS)) == len(claims)


async def test_edits_of_the_same_posts_in_opposite_orders(slow: Database, postgres_url: str) -> None:
    await write(slow, *(said(post, "old claim", n=n) for n, post in enumerate(names())))
    there = [said(post, "one claim", n=100 + n, version=2) for n, post in enumerate(names())]
    back = [said(post, "another claim", n=200 + n, version=3) for n, post in enumerate(reversed(names()))]
    await together(slow, there, back)
    await check_record(postgres_url, {("reddit", post) for post in names()})


async def test_edits_that_take_claims_away_which_others_put_forward(slow: Database, postgres_url: str) -> None:
    claims = [f"claim {name}" for name in names()]
    await write(slow, said("a", *claims[::2], n=0), said("b", *claims[1::2], n=1))
    await together(
        slow, [said("a", *claims[1::2], n=2, version=2)], [said("b", *claims[::2], n=3, version=2)], [said("c", *claims, n=4)]
    )
    await check_record(postgres_url, {("reddit", post) for post in "abc"})


async def test_a_post_that_comes_twice_in_a_batch(slow: Database, postgres_url: str) -> None:
    claims = sorted((f"claim {name}" for name in names()), key=claim_id_of)
    twice = [said("a", claims[-1], n=0), said("a", claims[0], n=1, version=2)]
    await together(slow, twice, [said("b", *claims, n=2)])
    await check_record(postgres_url, {("reddit", "a"), ("reddit", "b")})


async def test_a_claim_that_is_merged_while_it_is_put_forward(slow: Database, postgres_url: str) -> None:
    await write(slow, said("a", "one claim", n=0), said("b", "another claim", n=1))
    async with slow.write() as reviewing:
        await reviews.merge(reviewing, claim_id_of("one claim"), claim_id_of("another claim"), "ann")
        recording = asyncio.create_task(record.put(slow, [said("c", "one claim", n=2)]))
        await until_one_waits(slow)
    await recording
    assert await query(postgres_url, "SELECT id, mentions FROM claim WHERE merged_into IS NULL") == [
        (claim_id_of("another claim"), 3)
    ]
    assert await query(postgres_url, "SELECT DISTINCT claim_id FROM occurrence") == [(claim_id_of("another claim"),)]


async def test_a_review_takes_mentions_before_claims_as_an_edit_does(slow: Database) -> None:
    one, other = claim_id_of("one claim"), claim_id_of("another claim")
    await write(slow, said("a", "one claim", n=0), said("b", "one claim", n=1), said("c", "another claim", n=2))

    async def review(action: str) -> None:
        async with slow.write() as connection:
            if action == "split":
                await reviews.split(connection, one, ["reddit:a"], "Something else is claimed.", "ann")
            else:
                await (
                    reviews.merge(connection, one, other, "ann") if action == "merge" else reviews.unmerge(connection, one, "ann")
                )

    for action in ("merge", "unmerge", "split"):
        async with slow.write() as editing:  # as `record` takes rows: the mention, then its claims
            lock = "SELECT id FROM mention WHERE platform_id = 'a' FOR NO KEY UPDATE"
            await editing.execute(sql(lock))
            reviewing = asyncio.create_task(review(action))
            await until_one_waits(slow)
            await editing.execute(sql("SELECT id FROM claim ORDER BY id FOR KEY SHARE"))
        await reviewing


async def test_a_review_that_has_to_give_way_is_done_again(slow: Database, postgres_url: str) -> None:
    await write(slow, said("a", "one claim", n=0), said("b", "another claim", n=1))
    first, last = sorted((claim_id_of("one claim"), claim_id_of("another claim")))
    tries = 0

    async def merging(connection: Connection) -> str:
        nonlocal tries
        tries += 1
        return await reviews.merge(connection, first, last, "ann")

    lock = sql("SELECT id FROM claim WHERE id = :id FOR UPDATE")
    async with slow.write() as other:
        await other.execute(lock, {"id": last})
        reviewing = asyncio.create_task(slow.write_again(merging))
        await until_one_waits(slow)
        await other.execute(lock, {"id": first})  # each waits for the other: whoever waited first is taken back
    assert (await reviewing, tries) == (last, 2)
    assert await query(postgres_url, "SELECT id FROM claim WHERE merged_into IS NULL") == [(last,)]


async def test_whoever_is_taken_back_for_another_is_told_to_try_again(slow: Database) -> None:
    await write(slow, said("a", "one claim", n=0), said("b", "another claim", n=1))
    claims = [claim_id_of("one claim"), claim_id_of("another claim")]
    ready = asyncio.Barrier(2)

    async def lock(claim_ids: list[str]) -> None:
        async with slow.write() as connection:
            for claim_id in claim_ids:
                await connection.execute(sql("SELECT id FROM claim WHERE id = :id FOR UPDATE"), {"id": claim_id})
                if claim_id == claim_ids[0]:
                    await ready.wait()

    outcomes = await asyncio.gather(lock(claims), lock(claims[::-1]), return_exceptions=True)
    assert {isinstance(outcome, StoreUnavailable) for outcome in outcomes} == {True, False}


async def until_one_waits(database: Database) -> None:
    """Returns when a transaction waits for a row of another."""
    async with asyncio.timeout(60), database.read() as connection:
        while not (await connection.execute(sql("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar_one():
            await asyncio.sleep(0.01)
