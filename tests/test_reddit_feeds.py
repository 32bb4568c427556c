"""Reddit without credentials: its public feeds give the same posts as its API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Batch, Collector, SourceError
from monitor.settings import FeedSource, RedditSource
from tests.standins.polling import fails, poll, texts
from tests.standins.reddit_server import RedditServer
from tests.standins.scripted import Reply


@pytest.fixture
async def reddit() -> AsyncIterator[RedditServer]:
    async with RedditServer() as server:
        yield server


@pytest.fixture
async def reddit_feeds(reddit: RedditServer) -> AsyncIterator[Collector]:
    made = open_collector(RedditSource(kind="reddit", name="skin", subreddits=["A_b", "Cc"], base_url=reddit.origin))
    yield made
    await made.close()


async def test_reddit_without_credentials(reddit: RedditServer, reddit_feeds: Collector) -> None:
    post = reddit.add_post("A_b", title="Tom & I", selftext="It *works*.\n\nReally <3.", author="ann")
    link = reddit.add_post("Cc", title="Just a link")
    comment = reddit.add_comment("Cc", body="No it does not", author="bob")
    reddit.add_comment("Cc", body="[removed]")
    reddit.add_comment("Elsewhere", body="not ours")
    batches = await poll(reddit_feeds)
    found = {p.id: (p.platform, p.text, p.author, p.lang) for batch in batches for p in batch.posts}
    assert found == {
        post: ("reddit", "Tom & I\n\nIt *works*.\n\nReally <3.", "ann", None),
        link: ("reddit", "Just a link", "someone", None),
        comment: ("reddit", "No it does not", "bob", None),
    }
    assert batches[-1].posts[-1].url == f"https://www.reddit.com/r/Cc/comments/abc/a_post/{comment[3:]}/"
    assert [asked.path for asked in reddit.asked] == ["/r/A_b+Cc/new/.rss", "/r/A_b+Cc/comments/.rss"]
    reddit.add_comment("Cc", body="and another")
    assert (await texts(reddit_feeds, batches[-1].cursor))[0] == ["and another"]


async def test_a_search_feed_of_reddits_gives_the_same_posts(reddit: RedditServer) -> None:
    name = reddit.add_post("Cc", title="found by search", selftext="text")
    source = FeedSource(kind="feed", name="search", url=f"{reddit.origin}/r/all/new/.rss", platform="reddit")
    collector = open_collector(source)
    (batch,) = await poll(collector)
    assert [(post.platform, post.id, post.text, post.author) for post in batch.posts] == [
        ("reddit", name, "found by search\n\ntext", "someone")
    ]
    await collector.close()


async def test_one_reddit_feed_that_fails_leaves_the_other(reddit: RedditServer, reddit_feeds: Collector) -> None:
    reddit.add_post("Cc", title="a post")
    comment = reddit.add_comment("Cc", body="a comment")
    reddit.next(Reply(500))
    batches: list[Batch] = []

    async def collect() -> None:
        async for batch in reddit_feeds.poll(None):
            batches.append(batch)  # noqa: PERF401 - they count although the poll fails

    with pytest.raises(SourceError, match="trouble"):
        await collect()
    assert [post.id for batch in batches for post in batch.posts] == [comment]
    assert (await texts(reddit_feeds, batches[-1].cursor))[0] == ["a post"]


async def test_reddit_feeds_asked_to_wait_ask_no_further(reddit: RedditServer, reddit_feeds: Collector) -> None:
    reddit.next(Reply(429, "", {"Retry-After": "600"}))
    assert (await fails(reddit_feeds)).retry_after == 600
    assert len(reddit.asked) == 1


async def test_recorded_reddit_posts_are_the_same_both_ways(shared: Path, reddit: RedditServer, reddit_feeds: Collector) -> None:
    del reddit_feeds
    recorded = shared / "wire" / "dev" / "reddit"
    reddit.load("new", json.loads((recorded / "sub_new__TestSubredditStreams.test_submissions__1__p.json").read_bytes()))
    reddit.load(
        "comments", json.loads((recorded / "stream_a_TestSubredditStreams.test_comments__with_pause__01.json").read_bytes())
    )
    way = {"kind": "reddit", "name": "all", "subreddits": ["all"], "base_url": reddit.origin}
    by_feed = open_collector(RedditSource(**way))
    by_api = open_collector(RedditSource(**way, client_id="an-app-id", client_secret="an-app-secret"))
    found = [{post.id: post async for batch in c.poll(None) for post in batch.posts} for c in (by_feed, by_api)]
    assert len(found[0]) > 150
    assert found[0] == found[1]
    await by_feed.close()
    await by_api.close()
