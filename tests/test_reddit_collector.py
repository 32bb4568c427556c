"""The Reddit collector, through asyncpraw and over HTTP: nothing lost, nothing twice, and every failure in words."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors import reddit as module
from monitor.collectors.base import Collector, SourceError
from monitor.collectors.reddit import RedditCollector, post_of
from monitor.words import Post, decode_post, encode
from tests.standins.polling import fails, heard, poll
from tests.standins.reddit_server import RedditServer
from tests.standins.reddit_source import JSON, burst, collector, reddit, source
from tests.standins.scripted import Reply

__all__ = ["collector", "reddit"]


async def test_posts_and_comments(reddit: RedditServer, collector: Collector) -> None:
    post = reddit.add_post("A_b", title="Is this &amp; that real?", selftext="First.\n\nSecond <3.", author="ann")
    comment = reddit.add_comment("Cc", body="It is *not*.", author="[deleted]")
    reddit.add_post("Elsewhere", title="not ours")
    found, _ = await heard(collector)
    assert found == [
        Post(
            platform="reddit",
            id=post,
            text="Is this & that real?\n\nFirst.\n\nSecond <3.",
            url=f"https://www.reddit.com/r/A_b/comments/{post[3:]}/a_post/",
            author="ann",
            created_at=1_790_000_000_000,
            source="skin",
        ),
        Post(
            platform="reddit",
            id=comment,
            text="It is *not*.",
            url=f"https://www.reddit.com/r/Cc/comments/abc/a_post/{comment[3:]}/",
            created_at=1_790_000_000_000,
            source="skin",
        ),
    ]
    first, second = reddit.asked
    assert (first.path, first.query) == ("/r/A_b+Cc/new", {"limit": "100", "raw_json": "1"})
    assert second.path == "/r/A_b+Cc/comments/"
    assert first.headers["User-Agent"].startswith("linux:exowatch:1 (public-health monitor) Async PRAW/")
    assert len(reddit.tokens) == 1


async def test_markdown_where_there_is_no_html(reddit: RedditServer, collector: Collector) -> None:
    reddit.add_post("Cc", title="t", selftext="one  \ntwo", html=False)
    reddit.add_comment("Cc", body="only *this*", html=False)
    found, _ = await heard(collector)
    assert [post.text for post in found] == ["t\n\none\ntwo", "only *this*"]


async def test_a_burst_between_two_polls_loses_nothing(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 120, "before")
    before, cursor = await heard(collector)
    assert len(before) == 120
    names = burst(reddit, 250)
    comments = [reddit.add_comment("Cc", body=f"comment {number}") for number in range(250)]
    found, cursor = await heard(collector, cursor)
    assert [post.id for post in found] == names + comments  # oldest first
    assert await heard(collector, cursor) == ([], cursor)


async def test_after_a_quiet_time_one_page_is_enough(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 300)
    _, cursor = await heard(collector)
    asked = len(reddit.asked)
    reddit.add_post("Cc", title="one more")
    assert [post.text for post in (await heard(collector, cursor))[0]] == ["one more"]
    assert [a.path for a in reddit.asked[asked:]] == ["/r/A_b+Cc/new", "/r/A_b+Cc/comments/"]


async def test_a_post_approved_late_is_found_behind_known_ones(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 200)
    _, cursor = await heard(collector)
    late = reddit.add_post("Cc", title="held by a filter", behind=60)
    new = reddit.add_post("Cc", title="new")
    found, cursor = await heard(collector, cursor)
    assert [post.id for post in found] == [late, new]
    assert (await heard(collector, cursor))[0] == []


async def test_the_whole_listing_is_read_again_within_an_hour(
    reddit: RedditServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst(reddit, 600)
    _, cursor = await heard(collector)
    late = reddit.add_post("Cc", title="approved after days", behind=550)
    assert (await heard(collector, cursor))[0] == []
    monkeypatch.setattr(module, "RECONCILE", -1.0)
    assert [post.id for post in (await heard(collector, cursor))[0]] == [late]


async def test_a_removed_post_is_heard_once_it_is_approved(reddit: RedditServer, collector: Collector) -> None:
    name = reddit.add_post("Cc", title="the title survives", selftext="[removed]")
    other = reddit.add_post("Cc", title="taken by a filter")
    reddit.listings["new"][0]["data"]["removed_by_category"] = "automod_filtered"
    reddit.add_comment("Cc", body="[deleted]", author="[deleted]")
    found, cursor = await heard(collector)
    assert found == []
    reddit.edit(name, "back again")
    reddit.listings["new"][0]["data"]["removed_by_category"] = None
    found, _ = await heard(collector, cursor)
    assert [post.id for post in found] == [name, other]


async def test_an_edit_within_what_is_read_comes_again(reddit: RedditServer, collector: Collector) -> None:
    name = reddit.add_comment("Cc", body="it cures")
    _, cursor = await heard(collector)
    reddit.edit(name, "it does not cure")
    found, cursor = await heard(collector, cursor)
    assert [(post.id, post.text) for post in found] == [(name, "it does not cure")]
    reddit.edit(name, "[deleted]")
    assert (await heard(collector, cursor))[0] == []


async def test_more_than_reddit_lists_is_told_as_a_gap(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 20, "before")
    first = await poll(collector)
    assert [batch.gap for batch in first] == [None] * len(first)
    burst(reddit, 1100)
    batches = await poll(collector, first[-1].cursor)
    assert sum(len(batch.posts) for batch in batches) == 1000
    assert [batch.gap is not None for batch in batches] == [True] + [False] * (len(batches) - 1)
    again = await poll(collector, batches[-1].cursor)
    assert [(batch.posts, batch.gap) for batch in again] == [([], None)] * 2


async def test_a_crash_between_batches_repeats_and_never_loses(reddit: RedditServer, collector: Collector) -> None:
    names = burst(reddit, 900)
    async for batch in collector.poll(None):
        got, cursor = [post.id for post in batch.posts], batch.cursor
        break
    assert got == names[:500]
    newer = burst(reddit, 30, "meanwhile")
    other = open_collector(source(reddit.origin))  # another process, with the last cursor that was saved
    found, _ = await heard(other, cursor)
    assert [post.id for post in found] == names[500:] + newer
    await other.close()


async def test_the_cursor_stays_small(reddit: RedditServer, collector: Collector) -> None:
    cursor = None
    for _ in range(4):
        burst(reddit, 900)
        _, cursor = await heard(collector, cursor)
    assert len(cursor or "") < 60_000


async def test_other_subreddits_are_read_to_their_end(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 5)
    _, cursor = await heard(collector)
    reddit.listings["new"] += [
        {"kind": "t3", "data": {"name": f"t3_old{n}", "title": f"old {n}", "subreddit": "Dd"}} for n in range(250)
    ]
    other = open_collector(source(reddit.origin, subreddits=["Cc", "Dd"]))
    batches = await poll(other, cursor)
    assert sum(len(batch.posts) for batch in batches) == 250
    assert not any(batch.gap for batch in batches)
    await other.close()


async def test_the_token_is_renewed_when_it_has_run_out(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 3)
    _, cursor = await heard(collector)
    reddit.tokens.clear()
    names = burst(reddit, 2)
    assert [post.id for post in (await heard(collector, cursor))[0]] == names


async def test_a_spent_budget_is_waited_for(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 2)
    batches = await poll(collector)
    assert batches[-1].wait is None
    reddit.remaining, reddit.used, reddit.reset = 2.0, -1, 450  # the second request spends the last
    batches = await poll(collector, batches[-1].cursor)
    assert 440 < (batches[-1].wait or 0) <= 450
    started = time.perf_counter()
    problem = await fails(collector, batches[-1].cursor)
    assert time.perf_counter() - started < 15
    assert 440 < (problem.retry_after or 0) <= 450
    assert "rate limit" in str(problem)


async def test_a_failure_on_a_later_page_claims_nothing(reddit: RedditServer, collector: Collector) -> None:
    burst(reddit, 5)
    _, cursor = await heard(collector)
    names = burst(reddit, 250)
    reddit.next(None, Reply(404, "{}", JSON))
    await fails(collector, cursor)
    assert [post.id for post in (await heard(collector, cursor))[0]] == names


async def test_children_of_odd_shapes_are_passed_over(reddit: RedditServer, collector: Collector) -> None:
    good = reddit.add_post("Cc", title="good")
    odd: list[Any] = [None, 5, "x", {}, {"data": None}, {"data": {"name": 7}}, {"data": {"name": "t5_x", "title": "a subreddit"}}]
    listing = {"data": {"children": [*odd, reddit.listings["new"][0]], "after": ["x"]}}
    reddit.next(Reply(200, json.dumps(listing), JSON))
    assert [post.id for post in (await heard(collector))[0]] == [good]


@pytest.mark.parametrize("created", [None, "x", True, float("nan"), float("inf"), 1e300, -1e300, [1]])
def test_odd_times(created: Any) -> None:
    post = post_of({"name": "t1_x", "body": "text", "created_utc": created}, "s")
    assert post is not None
    assert post.created_at is None


def test_odd_text_and_links() -> None:
    post = post_of(
        {"name": "t1_x", "body": "half \ud83d\0", "author": "\udc00", "permalink": "javascript:x", "created_utc": 4.1e9}, "s"
    )
    assert post is not None
    assert (post.text, post.url, post.created_at) == ("half \ufffd", None, 4_100_000_000_000)
    assert decode_post(encode(post)) == post
    long = post_of({"name": "t1_x", "body": "x" * 500_000, "permalink": "/r/" + "x" * 3000}, "s")
    assert long is not None
    assert (len(long.text), long.url) == (100_000, None)


async def test_recorded_listings(shared: Path, reddit: RedditServer) -> None:
    folder = shared / "wire" / "dev" / "reddit"
    rows = [
        row
        for row in json.loads((folder / "index.json").read_bytes())
        if row["category"] in ("sub_new", "sub_comments", "stream")
    ]
    listings = [
        data for data in (json.loads((folder / row["file"]).read_bytes()) for row in rows) if data.get("kind") == "Listing"
    ]
    assert len(listings) > 8
    collector = open_collector(source(reddit.origin, subreddits=["all"]))
    cursor = None
    names: set[str] = set()
    wanted: set[str] = set()
    for listing in listings:
        for child in listing["data"]["children"]:
            reddit.load("new" if child["kind"] == "t3" else "comments", {"data": {"children": [child]}})
            wanted.add(child["data"]["name"])
        found, cursor = await heard(collector, cursor)
        for post in found:
            assert post.id not in names or post.text
            assert post.url is None or post.url.startswith("https://www.reddit.com/r/")
            assert decode_post(encode(post)) == post
        names |= {post.id for post in found}
    assert len(names) > 300
    assert {"[deleted]", "[removed]"}.isdisjoint(post.text for post in found)
    assert len(wanted - names) == 1  # a comment that is a picture and says nothing
    await collector.close()


async def test_two_sources_at_once_do_not_disturb_each_other(reddit: RedditServer) -> None:
    burst(reddit, 150)
    reddit.add_post("A_b", title="other")
    one, two = (open_collector(source(reddit.origin, subreddits=[name])) for name in ("Cc", "A_b"))
    (first, _), (second, _) = await asyncio.gather(heard(one), heard(two))
    assert (len(first), len(second)) == (150, 1)
    await one.close()
    await two.close()


async def test_posts_are_asked_whether_they_are_still_there(reddit: RedditServer, collector: RedditCollector) -> None:
    def child(name: str, **data: Any) -> dict[str, Any]:
        return {"kind": name[:2], "data": {"name": name, "title": "A title", "selftext": "exosomes", "author": "jo", **data}}

    children = [
        child("t3_a"),
        child("t3_b", selftext="[deleted]"),
        child("t3_c", selftext="[removed]", removed_by_category="moderator"),
        child("t3_d", author="[deleted]"),
        child("t1_e", body="still said"),
    ]
    await heard(collector)  # which fetches the token
    reddit.next(Reply(200, json.dumps({"kind": "Listing", "data": {"children": children}}), JSON))
    asked = ["t3_a", "t3_b", "t3_c", "t3_d", "t1_e", "t1_f"]
    assert await collector.still_there(asked) == {"t3_a", "t1_e"}
    assert (reddit.asked[-1].path, reddit.asked[-1].query["id"]) == ("/api/info/", ",".join(asked))
    reddit.next(Reply(200, "{}", JSON))
    with pytest.raises(SourceError):
        await collector.still_there(asked)
