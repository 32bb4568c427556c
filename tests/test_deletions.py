"""Deletions reach every place where a post is kept; counts and claims stay; who was told of it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text as sql

from monitor import retention
from monitor.collectors.base import SourceError
from monitor.collectors.verify import verify
from monitor.deletions import Eraser
from monitor.events import load_events
from monitor.forgotten import ANY, Forgotten
from monitor.ids import stored_id
from monitor.intake import Intake, Offered
from monitor.notices import Gone
from monitor.pseudonyms import Pseudonyms
from monitor.settings import Settings
from monitor.settings.duties import DUTIES, Duty
from monitor.settings.model import Endpoint
from monitor.store import Database, claims, forgetting, mentions, parse_filters, record, renewal, sweeps
from monitor.store.budgets import Recipient
from monitor.store.judged import Judged
from monitor.stream import Stream
from monitor.times import now_ms
from monitor.topic import load_topic
from monitor.words import Claim, Mention, Post
from tests.receiver import SECRET
from tests.samples import HOUR_MS, judged, occurrence, write

KEY = b"k" * 64
DAY_MS = 24 * HOUR_MS
SAID = "Trust me: exosomes are FDA approved"
HIDDEN = Pseudonyms("pseudonym", KEY)
HOOK = Endpoint(name="hook", kind="webhook", url="https://e.test", secret=[SECRET])
QUIET = Endpoint(name="quiet", kind="webhook", url="https://e.test", secret=[SECRET], events=["claim.new"])


@pytest.fixture
def eraser(stream: Stream, database: Database) -> Eraser:
    return Eraser(stream, database, HIDDEN, [HOOK, QUIET])


def by(author: str, platform: str = "reddit") -> str:
    hidden = HIDDEN.of(platform, author)
    assert hidden is not None
    return hidden


def said(key: str, author: str, *, n: int = 0, hours_ago: float = 1.0, **more: Any) -> Judged:
    """A post by an author that puts forward the one claim."""
    found = occurrence(SAID, "FDA approved", "approved")
    return judged(key, SAID, found, author=by(author), n=n, hours_ago=hours_ago, **more)


async def of(database: Database, key: str) -> Mention:
    async with database.read() as connection:
        found = await mentions.find(connection, f"reddit:{key}")
    assert found is not None
    return found


async def the_claim(database: Database) -> Claim:
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
    return claim


async def everything(database: Database) -> str:
    """All that the database holds, as one text."""
    async with database.read() as connection:
        if database.dialect == "sqlite":
            names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'mention_search_%'"
        else:
            names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        tables = list((await connection.execute(sql(names))).scalars())
        rows = [str((await connection.execute(sql(f"SELECT * FROM {name}"))).all()) for name in tables]
    return "\n".join(rows)


async def test_a_deleted_post_leaves_every_store_and_stays_counted(database: Database, eraser: Eraser) -> None:
    await write(database, said("a", "jo"), said("b", "mo", n=1))
    before = await the_claim(database)
    assert await eraser.erase([Gone(platform="reddit", post="a"), Gone(platform="reddit", post="never heard of")]) == 1
    gone = await of(database, "a")
    assert (gone.state, gone.text, gone.url, gone.author) == ("deleted", None, None, None)
    assert [(one.quote, one.claim_id) for one in gone.claims] == [("", before.id)]
    after = await the_claim(database)
    assert (after.mentions, after.authors, after.platforms) == (2, 2, {"reddit": 2})
    async with database.read() as connection:
        assert [one.platform_id for one in (await mentions.page(connection, parse_filters({"text": ["approved"]}))).items] == [
            "b"
        ]
    held = await everything(database)
    assert "https://example.org/a" not in held
    assert by("jo") not in held
    assert by("mo") in held
    assert await eraser.erase([Gone(platform="reddit", post="a")]) == 0, "once"


async def test_a_deleted_post_that_is_heard_again_stays_deleted(database: Database, eraser: Eraser) -> None:
    await write(database, said("a", "jo"))
    await eraser.erase([Gone(platform="reddit", post="a")])
    await write(database, judged("a", "Exosomes, edited", author=by("jo"), hours_ago=-1))
    gone = await of(database, "a")
    assert (gone.state, gone.text, gone.author) == ("deleted", None, None)


async def test_an_author_who_said_it_elsewhere_too_is_counted_once(database: Database, eraser: Eraser) -> None:
    await write(database, said("a", "jo"), said("b", "jo", n=1))
    for key in ("a", "b"):
        await eraser.erase([Gone(platform="reddit", post=key)])
        assert (await the_claim(database)).authors == 1
    assert by("jo") not in await everything(database)


async def test_an_account_goes_with_all_its_posts(database: Database, eraser: Eraser) -> None:
    await write(database, said("a", "jo"), said("b", "jo", n=1), said("c", "mo", n=2), said("did:1/x", "po", n=3))
    assert await eraser.erase([Gone(platform="reddit", author="jo")]) == 2
    assert await eraser.erase([Gone(platform="reddit", prefix="did:1/")]) == 1
    states = [(await of(database, key)).state for key in ("a", "b", "c", "did:1/x")]
    assert states == ["deleted", "deleted", "live", "deleted"]
    assert (await the_claim(database)).authors == 3
    assert await eraser.erase([Gone(platform="tiktok", author="mo")]) == 0, "another platform's"


async def test_what_waits_in_the_stream_and_among_the_dead_goes_too(stream: Stream, eraser: Eraser) -> None:
    intake = Intake(stream, load_topic(Settings().topic_folder).keywords, HIDDEN)
    posts = [Post(platform="reddit", id=key, text=f"exosomes {key}", author=author) for key, author in ("ax", "bx", "cy", "dz")]
    await intake.offer(posts[:1], source="s")
    reader = stream.reader("w", claim_after_s=0.01)
    try:
        while not (await stream.stats()).dead:
            await reader.settle([], {entry.id: "no" for entry in await reader.read(1, 0.1)})
        await intake.offer(posts[1:], source="s")
        (second,) = await reader.read(1, 0.1)
        stats = await stream.stats()
        assert (stats.length, stats.pending, stats.dead) == (3, 1, 1)
        await eraser.erase([Gone(platform="reddit", author="x"), Gone(platform="reddit", post="c")])
        stats = await stream.stats()
        assert (stats.length, stats.pending, stats.dead) == (1, 0, 0)
        await reader.settle([second])
        (left,) = await reader.read(10, 0.1)
        assert b'"d"' in left.data
    finally:
        await reader.close()


async def test_what_a_worker_has_in_its_hands_is_not_written_down(database: Database, stream: Stream, eraser: Eraser) -> None:
    intake = Intake(stream, load_topic(Settings().topic_folder).keywords, HIDDEN)
    await intake.offer([Post(platform="reddit", id="a", text=SAID, author="jo")], source="s")
    await eraser.erase([Gone(platform="reddit", post="a")])
    assert (await record.put(database, [said("a", "jo")])).stored == []
    later = said("a", "jo", hours_ago=-1)  # the post of that id that came afterwards
    assert (await record.put(database, [later])).stored == [later.number]


async def told_of(database: Database, eraser: Eraser) -> list[dict[str, Any]]:
    """The `mention.deleted` that wait to be sent, with the endpoint of each."""
    async with database.read() as connection:
        rows = (
            await connection.execute(
                sql("SELECT a.id, d.endpoint FROM alert a JOIN delivery d ON d.alert_id = a.id WHERE a.kind = 'mention.deleted'")
            )
        ).all()
        events = await load_events(connection, [row.id for row in rows])
    return [{"endpoint": row.endpoint, **json.loads(events[row.id].body)["data"]} for row in rows]


async def test_who_was_sent_the_post_is_told_that_it_is_gone(database: Database, eraser: Eraser) -> None:
    recipients = tuple(map(Recipient, ("hook", "quiet", "other")))
    posts = []
    for n, key in enumerate("ab"):
        one = judged(key, SAID, occurrence(SAID, "FDA approved", f"approved {key}"), author=by(key), n=n)
        posts.append(replace(one, alerts=(replace(one.alerts[0], recipients=recipients),)))
    await write(database, *posts)
    a = await of(database, "a")
    async with database.write() as connection:
        number = stored_id("m", a.id)
        sent = "SELECT d.id FROM delivery d JOIN alert a ON a.id = d.alert_id WHERE a.mention_id = :mention"
        for row in (await connection.execute(sql(sent), {"mention": number})).all():
            await connection.execute(sql("UPDATE delivery SET attempts = 1 WHERE id = :id"), {"id": row.id})
            await connection.execute(
                sql("INSERT INTO attempt (delivery_id, n, at_ms, status, ms, answer) VALUES (:id, 1, 1, 200, 1, :answer)"),
                {"id": row.id, "answer": f"thank you for: {SAID}"},
            )
    await eraser.erase([Gone(platform="reddit", post="a"), Gone(platform="reddit", post="b")])
    (told,) = await told_of(database, eraser)
    assert (told["endpoint"], told["mention"]["id"], told["mention"]["state"]) == ("hook", a.id, "deleted")
    assert (told["mention"]["text"], told["mention"]["author"], told["mention"]["url"]) == (None, None, None)
    assert "thank you for" not in await everything(database)
    async with database.read() as connection:
        waiting = (await connection.execute(sql("SELECT id FROM alert WHERE kind = 'claim.new'"))).scalars().all()
        bodies = [event.body.decode() for event in (await load_events(connection, list(waiting))).values()]
    assert len(bodies) == 2
    assert not any("Trust me" in body or "example.org/a" in body for body in bodies), "what is sent from now on is without it"


class Platform:
    """Says which posts are still there; `answers` are scripted, then all are but those in `gone`."""

    def __init__(self, *gone: str) -> None:
        self.gone = set(gone)
        self.asked: list[list[str]] = []
        self.down = False

    async def still_there(self, ids: Any) -> set[str]:
        if self.down:
            raise SourceError("the platform is away")
        self.asked.append(list(ids))
        return set(ids) - self.gone


async def test_posts_are_looked_for_again_at_their_ages_and_once_each(database: Database, eraser: Eraser) -> None:
    await write(database, *(said(f"p{n}", f"a{n}", n=n, hours_ago=7) for n in range(150)), said("young", "jo", hours_ago=0.5))
    platform, duty = Platform("p3", "p149"), Duty(verify=(3600, 6 * 3600, 24 * 3600))

    async def look(hours: float = 0) -> int:
        before = sum(map(len, platform.asked))
        await verify("skincare", platform, database, eraser, duty, lambda: now_ms() + round(hours * HOUR_MS))
        return sum(map(len, platform.asked)) - before

    assert await look() == 150 + 148, "of an hour, then those still there of six hours"
    assert [(await of(database, key)).state for key in ("p3", "p149", "p5", "young")] == ["deleted", "deleted", "live", "live"]
    assert await look() == 0
    assert await look(1) == 1, "the young one has come of age"
    platform.down = True
    with pytest.raises(SourceError):
        await look(20)
    platform.down = False
    assert await look(20) == 1 + 148, "nothing was noted as looked for meanwhile"


def shows(mention: Mention) -> tuple[str, bool, bool]:
    return mention.state, mention.text is not None, mention.author is not None


async def test_texts_expire_by_platform(database: Database) -> None:
    await write(database, said("old", "jo", hours_ago=49), said("new", "mo", hours_ago=47))
    await write(database, judged("blog", "Exosomes.", platform="news", hours_ago=80 * 24))
    settings = Settings()
    assert await retention.expire(settings, database, now_ms()) == 1
    assert shows(await of(database, "old")) == ("expired", False, False)
    assert shows(await of(database, "new")) == ("live", True, True)
    assert await retention.expire(settings, database, now_ms()) == 0
    assert await retention.expire(settings, database, now_ms() + 2 * HOUR_MS) == 1
    assert await retention.expire(settings, database, now_ms() + 11 * DAY_MS) == 1, "ninety days where no terms say otherwise"
    claim = await the_claim(database)
    assert (claim.mentions, claim.authors) == (2, 2)
    assert "Trust me" not in await everything(database)


async def test_the_operators_time_for_texts_wins(database: Database) -> None:
    await write(database, said("old", "jo", hours_ago=49))
    kept = Settings(store={"retain_text": {"reddit": "7d"}})
    assert await retention.expire(kept, database, now_ms()) == 0
    assert await retention.expire(Settings(store={"retain_text": {"reddit": "1h"}}), database, now_ms()) == 1


async def test_what_was_not_looked_for_in_time_expires(database: Database, eraser: Eraser) -> None:
    ages = {"seen": 26, "missed": 24}
    for n, (key, days) in enumerate(ages.items()):
        await write(database, said(key, key, n=n, hours_ago=days * 24, platform="youtube", source="tube"))
    await verify("tube", Platform(), database, eraser, DUTIES["youtube"])
    settings = Settings()
    assert await retention.expire(settings, database, now_ms()) == 0
    assert await retention.expire(settings, database, now_ms() + 7 * DAY_MS) == 1, "at 31 days only what nobody looked for"
    async with database.read() as connection:
        seen, missed = [await mentions.find(connection, f"youtube:{key}") for key in ages]
    assert seen is not None
    assert missed is not None
    assert (seen.state, missed.state) == ("live", "expired")


async def test_what_is_forgotten_is_not_taken_in_again(database: Database, stream: Stream) -> None:
    forgotten = Forgotten(database, KEY)
    async with database.write() as connection:
        await forgetting.remember(
            connection,
            [forgotten.of_author("reddit", "jo"), forgotten.of_author(ANY, "mo"), forgotten.of_url("https://e.test/7/")],
        )
    intake = Intake(stream, load_topic(Settings().topic_folder).keywords, Pseudonyms("none"), forgotten)
    wanted = [
        Post(platform="reddit", id="1", text="exosomes", author="jo"),
        Post(platform="tiktok", id="2", text="exosomes", author="jo"),
        Post(platform="tiktok", id="3", text="exosomes", author="mo"),
        Post(platform="tiktok", id="4", text="exosomes", url="https://e.test/7"),
    ]
    assert await intake.offer(wanted, source="s") == Offered(accepted=1, unmatched=3)
    held = await everything(database)
    assert "jo" not in held.split("forgotten")[-1]
    assert "e.test" not in held


async def test_a_new_key_changes_every_name_and_no_count(database: Database) -> None:
    await write(database, said("a", "jo"), said("b", "jo", n=1), said("c", "mo", n=2))
    later = Pseudonyms("pseudonym", KEY, b"n" * 64)
    assert later.of("reddit", "jo") == later.renewed(by("jo")), "on record and newly heard it is the same person"
    await write(database, judged("d", SAID, occurrence(SAID, "FDA approved", "approved"), author=later.of("reddit", "mo"), n=3))
    assert (await the_claim(database)).authors == 3, "a daemon had the new key already"
    assert await renewal.renew_all(database, later.renewed, later.generation) == 2
    assert (await the_claim(database)).authors == 2
    held = await everything(database)
    assert by("jo") not in held
    assert (await of(database, "a")).author == (await of(database, "b")).author == later.of("reddit", "jo")
    assert await renewal.renew_all(database, later.renewed, later.generation) == 0
    await write(database, judged("e", SAID, occurrence(SAID, "FDA approved", "approved"), author=later.of("reddit", "jo"), n=4))
    assert (await the_claim(database)).authors == 2


async def test_platforms_are_found_without_a_look_at_every_mention(database: Database) -> None:
    async with database.read() as connection:
        assert await sweeps.platforms(connection) == []
    await write(database, said("a", "jo"), said("b", "jo", n=1, platform="tiktok"), said("c", "jo", n=2, platform="news"))
    async with database.read() as connection:
        assert await sweeps.platforms(connection) == ["news", "reddit", "tiktok"]
