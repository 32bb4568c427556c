"""The same posts in the same order give the same claims and the same alerts, in whatever batches they are worked on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from monitor.settings import Settings, load
from monitor.store import Database, alerts, claims, mentions, parse_filters
from monitor.stream import Stream
from monitor.words import Post
from tests import shipped
from tests.postgres import Postgres
from tests.servers import RedisServer
from tests.test_pipeline import done, item
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.reader import LocalReader

SAMPLE = load().topic_folder / "sample.jsonl"


def posts() -> list[Post]:
    """Some of the sample, then claims that spread from author to author, edits that give and take claims, and repeats."""
    sample = [json.loads(line) for line in SAMPLE.read_text().splitlines()[:30]]
    heard = [Post(platform=one["platform"], id=one["id"], text=one["text"], author=one["author"]) for one in sample]
    for n in range(12):
        heard.append(Post(platform="forum", id=f"c{n}", text=f"Exosomes raise collagen by 300%. ({n})", author=f"a{n % 7}"))
        heard.append(Post(platform="forum", id=f"e{n % 3}", text=f"Exosomes cure arthritis, version {n}", author="e"))
        heard.append(Post(platform="forum", id=f"f{n % 4}", text=f"Exosomes are FDA approved, part {n}", author=f"f{n}"))
    heard += heard[30:36]
    heard.append(Post(platform="forum", id="e1", text="Nothing to say of exosomes", author="e"))
    return heard


async def outcome(redis: RedisServer, store_url: str, judge: Judge, batch: int) -> dict[str, Any]:
    """What a fresh installation makes of the posts, without ids that hold times."""
    redis.ask("FLUSHALL")
    settings = Settings(store={"url": store_url}, alerts={"spreading": [2, 3, 5]})
    database, stream = Database(settings.sqlalchemy_url), await Stream.open(redis.url)
    await database.migrate()
    posts_reader, stop = LocalReader(judge), asyncio.Event()
    posts_reader.batch = batch
    await stream.publish([item(post) for post in posts()])
    working = asyncio.create_task(Worker("worker-0", stream, database, posts_reader, settings).run(stop))
    try:
        await done(stream)
        filters = parse_filters({"limit": ["500"]})
        async with database.read() as connection:
            heard = (await mentions.page(connection, filters)).items[::-1]
            said = (await claims.page(connection, filters)).items
            told = (await alerts.page(connection, filters)).items[::-1]
    finally:
        stop.set()
        await working
        await stream.close()
        await database.close()
    names = {one.id: f"{one.platform}:{one.platform_id}" for one in heard}
    return {
        "mentions": [(names[one.id], one.text, one.alert, [(c.claim_id, c.quote, c.why) for c in one.claims]) for one in heard],
        "claims": {one.id: (one.claim, one.verdict, one.mentions, one.authors, one.platforms) for one in said},
        "first seen": list(dict.fromkeys(place.claim_id for one in heard for place in one.claims)),
        "alerts": [(one.kind, one.claim_id, names[one.mention_id or ""], one.summary) for one in told],
    }


async def test_the_same_posts_give_the_same_claims_and_alerts_in_batches_of_any_size(
    redis_server: RedisServer, postgres_server: Postgres, tmp_path: Path
) -> None:
    judge = shipped.judge()
    first = await outcome(redis_server, f"sqlite:///{tmp_path}/first.sqlite", judge, 100)
    kinds = [kind for kind, *_ in first["alerts"]]
    assert kinds.count("claim.new") > 10
    assert kinds.count("claim.spreading") >= 5
    assert len(first["claims"]) > 10
    for n, batch in enumerate((100, 7, 1)):
        assert await outcome(redis_server, f"sqlite:///{tmp_path}/{n}.sqlite", judge, batch) == first, f"in batches of {batch}"
    assert await outcome(redis_server, postgres_server.fresh_database(), judge, 13) == first, "on PostgreSQL"
