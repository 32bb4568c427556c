"""The feed collector, through its real client over HTTP: what is new, what is edited, what it asks, and what it forgets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Collector
from monitor.settings import FeedSource
from monitor.words import Post
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.polling import fails, poll, texts
from tests.standins.scripted import Reply

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.fixture
async def feed() -> AsyncIterator[FeedServer]:
    async with FeedServer() as server:
        yield server


@pytest.fixture
async def collector(feed: FeedServer) -> AsyncIterator[Collector]:
    made = open_collector(FeedSource(kind="feed", name="press", url=feed.url, interval=60))
    yield made
    await made.close()


async def test_an_entry_becomes_a_post(feed: FeedServer, collector: Collector) -> None:
    feed.entries.append(
        FeedEntry(
            title="Serum & more",
            body="<p>It <b>works</b>.</p><p>Really&hellip;</p>",
            id="urn:1",
            link="/a?b=1",
            author="Ann",
            published=DATE,
        )
    )
    (batch,) = await poll(collector)
    (post,) = batch.posts
    assert (post.platform, post.id, post.source, post.author, post.lang) == ("news", "urn:1", "press", "Ann", "en")
    assert post.text == "Serum & more\n\nIt works.\n\nReally…"
    assert post.url == f"{feed.origin}/a?b=1"
    assert post.created_at == 1_795_341_600_000


async def test_only_new_and_edited_entries_come_again_oldest_first(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="two", id="2"), FeedEntry(title="one", id="1")]
    first, cursor = await texts(collector, None)
    assert first == ["one", "two"]
    assert (await texts(collector, cursor))[0] == []

    feed.entries.insert(0, FeedEntry(title="three", id="3"))
    second, cursor = await texts(collector, cursor)
    assert second == ["three"]

    feed.entries[2] = FeedEntry(title="one, edited", id="1")
    (batch,) = await poll(collector, cursor)
    assert [(post.id, post.text) for post in batch.posts] == [("127.0.0.1#1", "one, edited")]
    assert (await texts(collector, batch.cursor))[0] == []


async def test_an_entry_that_comes_back_is_known(feed: FeedServer, collector: Collector) -> None:
    one, two = FeedEntry(title="one", id="1"), FeedEntry(title="two", id="2")
    feed.entries = [one]
    _, cursor = await texts(collector, None)
    feed.entries = [two]
    _, cursor = await texts(collector, cursor)
    feed.entries = [one, two]
    assert (await texts(collector, cursor))[0] == []


async def test_another_process_goes_on_from_the_cursor(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    _, cursor = await texts(collector, None)
    other = open_collector(FeedSource(kind="feed", name="press", url=feed.url))
    feed.entries.insert(0, FeedEntry(title="two", id="2"))
    assert (await texts(other, cursor))[0] == ["two"]
    await other.close()


async def test_a_broken_or_foreign_cursor_starts_anew(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    for cursor in ("", "not json", "[]", '{"seen": 5}'):
        assert (await texts(collector, cursor))[0] == ["one"]


async def test_validators_are_sent_back_byte_for_byte(feed: FeedServer, collector: Collector) -> None:
    etag, modified = 'W/"a b-c=="', "Sunday, 22-Nov-26 10:00:00 GMT"  # not a date we would write ourselves
    feed.headers = {"ETag": etag, "Last-Modified": modified}
    feed.entries = [FeedEntry(title="one", id="1")]
    _, cursor = await texts(collector, None)
    assert "If-None-Match" not in feed.asked[0].headers
    for _ in range(3):  # a 304 carries no validators, and they are kept
        feed.next(Reply(304))
        _, cursor = await texts(collector, cursor)
        assert feed.asked[-1].headers["If-None-Match"] == etag
        assert feed.asked[-1].headers["If-Modified-Since"] == modified
    feed.next(Reply(200, feed.xml().replace("one", "uno"), {"Content-Type": "text/xml"}))
    again, cursor = await texts(collector, cursor)
    assert again == ["uno"]
    await texts(collector, cursor)
    assert "If-None-Match" not in feed.asked[-1].headers


async def test_an_etag_that_cannot_be_sent_does_no_harm(feed: FeedServer, collector: Collector) -> None:
    feed.headers = {"ETag": '"\u00e9\u4e2d"'}
    feed.entries = [FeedEntry(title="one", id="1")]
    _, cursor = await texts(collector, None)
    assert (await texts(collector, cursor))[0] == []


async def test_no_validators_move_on_before_the_last_batch(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title=f"entry {n}", id=str(n)) for n in range(1200, 0, -1)]
    seen: list[str] = []
    async for batch in collector.poll(None):
        assert len(batch.posts) <= 500
        seen += [post.text for post in batch.posts]
        broken_off = batch.cursor
        if len(seen) == 1000:
            break
    assert seen == [f"entry {n}" for n in range(1, 1001)]
    rest, _ = await texts(collector, broken_off)  # what was not yielded is owed, whatever the ETag says
    assert rest == [f"entry {n}" for n in range(1001, 1201)]


async def test_max_age_is_waited_for_up_to_a_day(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    waits = []
    for value in ("max-age=900", "max-age=30", "max-age=9999999", "no-store"):
        feed.headers = {"Cache-Control": value}
        waits.append((await poll(collector))[-1].wait)
    assert waits == [900, None, 86_400, None]
    feed.headers = {"Cache-Control": "max-age=900"}
    cursor = (await poll(collector))[-1].cursor
    assert [(batch.posts, batch.wait) for batch in await poll(collector, cursor)] == [([], 900)]  # a 304 says it too


async def test_a_gap_is_told(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    (first,) = await poll(collector)
    assert first.gap is None
    feed.entries = [FeedEntry(title="two", id="2"), FeedEntry(title="one", id="1")]
    (second,) = await poll(collector, first.cursor)
    assert second.gap is None
    feed.entries = [FeedEntry(title="nine", id="9"), FeedEntry(title="eight", id="8")]
    (third,) = await poll(collector, second.cursor)
    assert third.gap is not None
    assert [post.text for post in third.posts] == ["eight", "nine"]


async def test_ids_guid_else_link_else_a_hash(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [
        FeedEntry(title="guid", id="  some id ", link="https://e.test/1"),
        FeedEntry(title="link", link="https://e.test/2"),
        FeedEntry(title="neither", published=DATE),
        FeedEntry(title="neither", published="Sun, 22 Nov 2026 11:00:00 GMT"),
        FeedEntry(body="only text"),
        FeedEntry(title="long", id="x" * 5000),
        FeedEntry(id="no text at all"),
    ]
    (batch,) = await poll(collector)
    ids = [post.id for post in reversed(batch.posts)]
    assert ids[:2] == ["127.0.0.1#some id", "https://e.test/2"]
    assert len(set(ids)) == 6
    assert all(name.startswith("hash:") and len(name) < 512 for name in ids[2:])
    feed.next(Reply(200, feed.xml() + "<!-- changed -->"))
    assert (await texts(collector, batch.cursor))[0] == []  # the same hashes again


GLOBAL = ("https://e.test/?p=1", "tag:e.test,2026:1", "urn:uuid:1", "CBMiVkFVX3lxTE9rZ0xKN2FxS0x", "yt:video:abc")


async def test_feeds_that_count_their_entries_do_not_get_into_each_others_way(feed: FeedServer, collector: Collector) -> None:
    async with FeedServer("127.0.0.2") as other:
        of_other = open_collector(FeedSource(kind="feed", name="blog", url=other.url))
        feed.entries = other.entries = [FeedEntry(title=own, id=own) for own in ("1", "item-2", *GLOBAL)]
        (one,), (two,) = await poll(collector), await poll(of_other)
        await of_other.close()
    assert {post.id for post in one.posts} & {post.id for post in two.posts} == set(GLOBAL)
    assert [post.id for post in two.posts][-2:] == ["127.0.0.2#item-2", "127.0.0.2#1"]


async def test_what_an_earlier_version_sent_keeps_its_id(feed: FeedServer, collector: Collector) -> None:
    before = Post(platform="news", id="1", text="one")
    seen = {hashlib.blake2b(b"1", digest_size=8).hexdigest(): before.version[:12]}
    cursor = json.dumps({"url": feed.url, "body": "another", "seen": seen})
    feed.entries = [FeedEntry(title="two", id="2"), FeedEntry(title="one", id="1")]
    (batch,) = await poll(collector, cursor)
    assert [(post.id, post.text) for post in batch.posts] == [("127.0.0.1#2", "two")], "nothing is told twice"
    assert batch.gap is None
    feed.entries[1] = FeedEntry(title="one, edited", id="1")
    (batch,) = await poll(collector, batch.cursor)
    assert [(post.id, post.text, post.edited) for post in batch.posts] == [("1", "one, edited", True)]


async def test_the_first_of_a_doubled_id_is_meant(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="newer", id="1"), FeedEntry(title="older", id="1")]
    found, cursor = await texts(collector, None)
    assert found == ["newer"]
    feed.next(Reply(200, feed.xml() + "\n"))
    assert (await texts(collector, cursor))[0] == []


async def test_only_web_links_and_sound_dates(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [
        FeedEntry(title="a", id="a", link="javascript:alert(1)", published="Thu, 01 Jan 1970 00:00:01 GMT"),
        FeedEntry(title="b", id="b", link="https://e.test/" + "x" * 3000, published="Fri, 31 Dec 2100 23:59:59 GMT"),
        FeedEntry(title="c", id="c", link="https://e.test/c", published="yesterday-ish"),
        FeedEntry(title="d", id="d", link="ftp://e.test/d"),
    ]
    (batch,) = await poll(collector)
    found = {post.id.removeprefix("127.0.0.1#"): (post.url, post.created_at) for post in batch.posts}
    assert found == {
        "a": (None, 1_000),
        "b": (None, 4_133_980_799_000),
        "c": ("https://e.test/c", None),
        "d": (None, None),
    }


async def test_a_feed_without_entries_is_fine(feed: FeedServer, collector: Collector) -> None:
    (batch,) = await poll(collector)
    assert batch.posts == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, "<!doctype html><html><head><title>Welcome</title></head><body>hi</body></html>"), "HTML page"),
        (Reply(200, "<html><body><p>Just a moment…</p></body></html>", {"Content-Type": "application/rss+xml"}), "not a feed"),
        (Reply(200, ""), "empty answer"),
        (Reply(200, "   \n "), "empty answer"),
        (Reply(200, '{"error": "nope"}', {"Content-Type": "application/json"}), "other JSON"),
        (Reply(200, "[[[", {"Content-Type": "application/json"}), "cannot be read"),
        (Reply(404, "?"), "nothing at this address"),
        (Reply(500, "?"), "trouble of its own"),
    ],
)
async def test_what_is_not_a_feed_is_an_error(feed: FeedServer, collector: Collector, reply: Reply, words: str) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    _, cursor = await texts(collector, None)
    feed.next(reply)
    assert words in str(await fails(collector, cursor))
    feed.entries.insert(0, FeedEntry(title="two", id="2"))
    assert (await texts(collector, cursor))[0] == ["two"]


async def test_waiting_as_told_and_giving_up(feed: FeedServer, collector: Collector) -> None:
    feed.next(Reply(429, "", {"Retry-After": "77"}), Reply(503, "", {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}), Reply(410))
    assert (await fails(collector)).retry_after == 77
    assert (await fails(collector)).retry_after == 86_400
    gone = await fails(collector)
    assert gone.permanent
    assert "gone for good" in str(gone)


async def test_a_permanent_move_is_believed_after_three_sightings(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    moved = Reply(301, headers={"Location": "/new.xml"})
    cursor = None
    for number in range(5):
        feed.pages = {"/new.xml": Reply(200, feed.xml() + " " * number)}
        feed.next(*([moved, None] if number < 3 else [None]))
        _, cursor = await texts(collector, cursor)
    assert [asked.path for asked in feed.asked] == ["/rss.xml", "/new.xml"] * 3 + ["/new.xml"] * 2

    # The new address fails: the operator's own is asked again, in the same poll.
    feed.pages = {"/new.xml": Reply(404)}
    feed.entries.insert(0, FeedEntry(title="two", id="2"))
    found, cursor = await texts(collector, cursor)
    assert found == ["two"]
    await texts(collector, cursor)
    assert feed.asked[-1].path == "/rss.xml"


async def test_a_passing_move_is_not_believed(feed: FeedServer, collector: Collector) -> None:
    feed.pages = {"/new.xml": Reply(200, feed.xml())}
    cursor = None
    for status in (302, 307, 302, 307, 302):
        feed.next(Reply(status, headers={"Location": "/new.xml"}), None)
        _, cursor = await texts(collector, cursor)
    await texts(collector, cursor)
    assert feed.asked[-1].path == "/rss.xml"


async def test_another_url_for_the_source_drops_validators(feed: FeedServer, collector: Collector) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    _, cursor = await texts(collector, None)
    other = open_collector(FeedSource(kind="feed", name="press", url=f"{feed.origin}/other.xml"))
    feed.entries = [FeedEntry(title="two", id="2")]
    feed.pages = {"/other.xml": Reply(200, feed.xml())}
    (batch,) = await poll(other, cursor)
    assert "If-None-Match" not in feed.asked[-1].headers
    assert ([post.id for post in batch.posts], batch.gap) == (["127.0.0.1#2"], None)
    await other.close()


async def test_json_feed(feed: FeedServer, collector: Collector) -> None:
    items: list[Any] = [
        {
            "id": 7,
            "title": "T",
            "content_html": "<p>a<p>b",
            "url": "/x",
            "date_published": "2026-11-22T10:00:00Z",
            "language": "de",
        },
        {"id": "8", "content_text": "plain <b>", "authors": [{"name": "Bo"}], "date_published": "never"},
        "not an item",
        {"id": ["9"], "title": {"x": 1}, "summary": "short"},
    ]
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "f", "author": {"name": "Ed"}, "items": items})
    feed.next(Reply(200, b"\xef\xbb\xbf" + body.encode(), {"Content-Type": "application/feed+json"}))
    (batch,) = await poll(collector)
    nine, eight, seven = batch.posts
    assert (seven.id, seven.text, seven.lang, seven.author) == ("127.0.0.1#7", "T\n\na\n\nb", "de", "Ed")
    assert (seven.url, seven.created_at) == (f"{feed.origin}/x", 1_795_341_600_000)
    assert (eight.id, eight.text, eight.author, eight.created_at) == ("127.0.0.1#8", "plain <b>", "Bo", None)
    assert nine.text == "short"


async def test_base_url_and_platform(feed: FeedServer) -> None:
    source = FeedSource(
        kind="feed", name="x", url="https://example.org/rss.xml?q=1", base_url=feed.origin, platform="google-news"
    )
    collector = open_collector(source)
    feed.entries = [FeedEntry(title="one", id="1", link="/story")]
    (batch,) = await poll(collector)
    assert (batch.posts[0].platform, batch.posts[0].url) == ("google-news", "https://example.org/story")
    assert feed.asked[0].query == {"q": "1"}
    await collector.close()
