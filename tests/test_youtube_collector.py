"""YouTube, through the real client over HTTP: videos, comments, replies, deletions, and the quotas."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.collectors import access_to, open_collector
from monitor.collectors.base import Batch, Collector, SourceError, Verifies
from monitor.collectors.budget import Budgets
from monitor.collectors.youtube_api import comment_post, until_midnight, video_post
from monitor.notices import Gone
from monitor.settings.sources.youtube import YouTubeSource
from monitor.stream import Stream
from tests.servers import RedisServer
from tests.standins.interrupted import interrupted
from tests.standins.polling import fails, heard, poll, texts
from tests.standins.scripted import Reply
from tests.standins.youtube_server import KEY, PATH, YouTubeServer, error

DAY = 86_400


@pytest.fixture
async def site() -> AsyncIterator[YouTubeServer]:
    async with YouTubeServer() as server:
        yield server


@pytest.fixture
async def collector(site: YouTubeServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(site: YouTubeServer, **more: Any) -> YouTubeSource:
    values = {"kind": "youtube", "name": "tube", "queries": ["serum"], "key": KEY, "base_url": site.origin}
    return YouTubeSource(**(values | more))


def calls(site: YouTubeServer, since: int = 0) -> list[str]:
    return [asked.path.removeprefix(PATH) for asked in site.asked[since:]]


def posts_of(batches: list[Batch]) -> list[str]:
    return [post.id for batch in batches for post in batch.posts]


async def test_videos_comments_and_replies_become_posts(site: YouTubeServer, collector: Collector) -> None:
    video = site.video("A serum & me", "It *regrows*.\n\nReally <3", channel="UCclinic", defaultLanguage="en")
    comment = site.comment(video, "Does it?\nreally", channel="UCann")
    reply = site.reply(comment, "it does not")
    site.video("another subject")
    posts, _ = await heard(collector)
    assert [(post.platform, post.id, post.text, post.author, post.lang) for post in posts] == [
        ("youtube", video, "A serum & me\n\nIt *regrows*.\n\nReally <3", "UCclinic", "en"),
        ("youtube", comment, "Does it?\nreally", "UCann", None),
        ("youtube", reply, "it does not", "UCthree", None),
    ]
    assert [post.url for post in posts[:2]] == [
        f"https://www.youtube.com/watch?v={video}",
        f"https://www.youtube.com/watch?v={video}&lc={comment}",
    ]
    assert posts[0].created_at is not None
    assert abs(posts[0].created_at / 1000 - (time.time() - 600)) < 30


async def test_a_quiet_poll_costs_one_search_and_one_unit(site: YouTubeServer, collector: Collector) -> None:
    video = site.video("serum")
    site.comment(video, "one")
    _, cursor = await texts(collector)
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == []
    assert calls(site, asked) == ["search", "videos"]


async def test_a_stop_is_caught_up_over_many_pages(site: YouTubeServer, collector: Collector) -> None:
    site.video("serum zero", age=5 * DAY)
    _, cursor = await texts(collector)
    ids = [site.video(f"serum {number}", age=4 * DAY - number) for number in range(120)]
    then = int((time.time() - 4.5 * DAY) * 1000)
    cursor = json.dumps(json.loads(cursor) | {"until": {"serum": then}})
    batches = await poll(collector, cursor)
    assert set(posts_of(batches)) == set(ids)
    assert len(posts_of(batches)) == 120
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since == then - 6 * 3_600_000
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_a_quota_that_ends_on_page_two_loses_nothing(site: YouTubeServer, collector: Collector) -> None:
    ids = [site.video(f"serum {number}", age=2 * DAY - number) for number in range(70)]
    comment = site.comment(ids[-1], "a comment")
    site.searches = 1
    batches, cursor, problem = await interrupted(collector)
    assert set(posts_of(batches)) == {*ids[20:], comment}  # comments are read although the searches are spent
    assert "quota of searches is spent" in str(problem)
    assert problem.retry_after is None
    assert not problem.permanent
    site.searches = 100
    batches = await poll(collector, cursor)
    assert set(posts_of(batches)) == set(ids[:20])
    assert batches[-1].covered is not None


async def test_units_that_are_spent_are_waited_for(site: YouTubeServer, collector: Collector) -> None:
    site.video("serum")
    site.units = 0
    problem = await fails(collector)
    assert "quota of units is spent" in str(problem)
    assert problem.retry_after is not None
    assert 0 < problem.retry_after <= 25 * 3600


def test_the_quota_begins_anew_at_midnight_in_california() -> None:
    assert until_midnight(dt.datetime(2026, 11, 22, 7, 0, tzinfo=dt.UTC)) == 3600
    assert until_midnight(dt.datetime(2026, 7, 1, 6, 59, 30, tzinfo=dt.UTC)) == 30
    assert until_midnight(dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC)) == 24 * 3600  # the night when clocks go back


async def test_sources_of_one_key_share_its_searches(site: YouTubeServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    budgets = Budgets(stream.buckets)
    several = [open_collector(source(site, name=name, searches_per_day=50), budgets) for name in ("a", "b")]
    site.video("serum")
    for _ in range(25):
        await poll(several[0])
        await poll(several[1])
    before = len(site.asked)
    problem = await fails(several[1])
    assert "searches" in str(problem)
    assert "search" not in calls(site, before)
    for one in several:
        await one.close()
    await stream.close()


async def test_comments_are_read_only_where_there_are_new_ones(site: YouTubeServer, collector: Collector) -> None:
    quiet, busy = site.video("serum quiet", age=700), site.video("serum busy", age=600)
    site.comment(quiet, "old")
    first = site.comment(busy, "old")
    _, cursor = await texts(collector)
    new = site.comment(busy, "new")
    reply = site.reply(first, "a reply below an old comment")
    asked = len(site.asked)
    posts, cursor = await heard(collector, cursor)
    assert {post.id for post in posts} == {new, reply}
    assert [one.query["videoId"] for one in site.asked[asked:] if one.path.endswith("commentThreads")] == [busy]
    site.edit(first, "old, edited")
    site.comment(busy, "again new")
    assert set((await texts(collector, cursor))[0]) == {"old, edited", "again new"}


async def test_a_reply_below_an_old_thread_is_found_behind_the_first_page(site: YouTubeServer, collector: Collector) -> None:
    video = site.video("serum")
    threads = [site.comment(video, f"comment {number}", age=5000 - number) for number in range(250)]
    posts, cursor = await heard(collector)
    assert len(posts) == 251
    reply = site.reply(threads[10], "late reply")
    posts, cursor = await heard(collector, cursor)
    assert [post.id for post in posts] == [reply]


async def test_all_replies_of_a_long_thread_are_read_once(site: YouTubeServer, collector: Collector) -> None:
    video = site.video("serum")
    thread = site.comment(video, "begin")
    replies = [site.reply(thread, f"reply {number}", age=60 - number / 10) for number in range(130)]
    posts, cursor = await heard(collector)
    assert [post.id for post in posts][2:] == replies
    site.comment(video, "another")
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == ["another"]
    assert "comments" not in calls(site, asked)


async def test_a_video_without_comments_is_asked_once(site: YouTubeServer, collector: Collector) -> None:
    video = site.video("serum")
    site.videos[video]["disabled"] = True
    site.videos[video]["statistics"]["commentCount"] = "3"
    _, cursor = await texts(collector)
    site.videos[video]["statistics"]["commentCount"] = "4"
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == []
    assert calls(site, asked) == ["search", "videos"]


async def test_an_edit_comes_again_and_what_is_gone_is_told(site: YouTubeServer, collector: Collector) -> None:
    edited, deleted, private = (site.video(f"serum {number}") for number in range(3))
    _, cursor = await texts(collector)
    site.videos[edited]["snippet"]["description"] = "now with a claim"
    del site.videos[deleted]
    site.videos[private]["status"]["privacyStatus"] = "private"
    batches = await poll(collector, cursor)
    assert [post.text for batch in batches for post in batch.posts] == ["serum 0\n\nnow with a claim"]
    assert {gone for batch in batches for gone in batch.deleted} == {
        Gone(platform="youtube", post=deleted),
        Gone(platform="youtube", post=private),
    }
    assert not any(batch.deleted for batch in await poll(collector, batches[-1].cursor))


async def test_comments_of_old_videos_are_not_read(site: YouTubeServer) -> None:
    collector = open_collector(source(site, comments_for="3d"))
    old = site.video("serum old", age=4 * DAY)
    site.comment(old, "hm")
    assert (await texts(collector))[0] == ["serum old"]
    await collector.close()
    collector = open_collector(source(site, comments=False))
    site.comment(site.video("serum new"), "hm")
    assert (await texts(collector))[0] == ["serum old", "serum new"]
    await collector.close()


async def test_more_than_a_search_gives_is_a_gap(site: YouTubeServer, collector: Collector) -> None:
    site.page = 5
    ids = [site.video(f"serum {number}", age=DAY - number) for number in range(60)]
    batches = await poll(collector)
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert set(posts_of(batches)) == set(ids[10:])
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((gap.until or 0) / 1000))
    assert made == site.videos[ids[10]]["snippet"]["publishedAt"]
    assert batches[-1].covered is None


async def test_what_is_gone_is_not_there(site: YouTubeServer, collector: Collector) -> None:
    videos = [site.video(f"serum {number}") for number in range(60)]
    comments = [site.comment(videos[0], f"c {number}") for number in range(55)]
    reply = site.reply(comments[0], "r")
    del site.videos[videos[1]]
    site.videos[videos[2]]["status"]["privacyStatus"] = "private"
    site.delete_comment(comments[1])
    assert isinstance(collector, Verifies)
    there = await collector.still_there([*videos[:50], *comments[:49], reply])
    assert there == {*videos[:50], *comments[:49], reply} - {videos[1], videos[2], comments[1]}
    site.next(None, error(403, "quotaExceeded"))
    with pytest.raises(SourceError):
        await collector.still_there([videos[0], comments[0]])


WRONG = [
    (error(403, "quotaExceeded"), "is spent", False),
    (error(429, "rateLimitExceeded"), "fewer requests", False),
    (error(403, "accessNotConfigured", "usageLimits"), "does not accept the key", True),
    (error(400, "invalidPageToken"), "invalidPageToken", False),
    (error(503, "backendError"), "backendError", False),
    (Reply(503), "trouble", False),
    (Reply(200, "<html>"), "web page", False),
    (Reply(200, "{}"), "not a list of items", False),
    (Reply(403, '{"error": {"errors": "x", "status": 5}}'), "refuses access", False),
]


@pytest.mark.parametrize(("reply", "said", "permanent"), WRONG)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: YouTubeServer, collector: Collector, reply: Reply, said: str, permanent: bool
) -> None:
    site.video("serum")
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert problem.permanent == permanent
    assert KEY not in str(problem)
    assert (await texts(collector))[0] == ["serum"]


async def test_a_key_that_is_wrong_or_missing_is_said_with_what_to_do(site: YouTubeServer) -> None:
    for key, asked in (("another", 1), (None, 1)):
        collector = open_collector(source(site, key=key))
        problem = await fails(collector)
        assert problem.permanent
        assert "console.cloud.google.com" in str(problem)
        assert len(site.asked) == asked
        await collector.close()
    assert access_to(source(site)).usable
    nothing = access_to(source(site, key=None))
    assert not nothing.usable
    assert "console.cloud.google.com" in (nothing.missing or "")


def test_a_source_that_cannot_be_afforded_is_an_error() -> None:
    values = {"kind": "youtube", "name": "tube", "key": KEY, "interval": "30m"}
    YouTubeSource(**values, queries=["a1", "b1"])
    with pytest.raises(ValidationError, match=r'144 searches a day.*interval = "44m"'):
        YouTubeSource(**values, queries=["a1", "b1", "c1"])
    YouTubeSource(**values, queries=["a1", "b1", "c1"], searches_per_day=1000)


@pytest.mark.parametrize("item", [{}, {"id": 5}, {"id": "a/b"}, {"id": "v", "snippet": []}, {"id": "v", "snippet": {"title": 5}}])
def test_items_of_another_shape_are_left_out(item: dict[str, Any]) -> None:
    assert video_post(item, "tube") is None
    assert comment_post(item, "v", "tube") is None


def test_recorded_videos_and_comments_become_posts(shared: Path) -> None:
    recorded = shared / "wire" / "dev" / "youtube"
    read = {file.stem: json.loads(file.read_bytes()) for file in recorded.glob("*.json") if file.stem != "index"}
    videos = [item for name, body in read.items() if name.startswith("videos__") for item in body["items"] if "snippet" in item]
    posts = [video_post(item, "tube") for item in videos]
    assert len(posts) >= 2
    for item, post in zip(videos, posts, strict=True):
        assert post is not None
        assert post.text.startswith(" ".join(item["snippet"]["title"].split()))
        assert post.author == item["snippet"]["channelId"]
        assert len(post.id) == 11
    threads = [item for name, body in read.items() if name.startswith("comment_threads__") for item in body["items"]]
    comments = [item["snippet"]["topLevelComment"] for item in threads if "snippet" in item]
    comments += [reply for item in threads for reply in item.get("replies", {}).get("comments", [])]
    comments += read["comments__comments_multi"]["items"]
    assert len(comments) > 4
    for item in comments:
        post = comment_post(item, "v", "tube")
        assert post is not None
        assert post.text.split() == item["snippet"]["textDisplay"].split()
        assert post.created_at is not None
        assert len(post.id) > 11


async def test_recorded_pages_are_read_through_the_client(shared: Path, site: YouTubeServer, collector: Collector) -> None:
    recorded = shared / "wire" / "dev" / "youtube"
    pages = [(recorded / f"search__search_by_keywords_p{number}.json").read_bytes() for number in (1, 2)]
    ids = [[item["id"]["videoId"] for item in json.loads(page)["items"]] for page in pages]
    empty = Reply(200, '{"items": []}')
    last = json.loads(pages[1])
    last.pop("nextPageToken", None)
    site.next(Reply(200, pages[0]), empty, Reply(200, json.dumps(last)), empty)
    await poll(collector)
    assert [asked.query["id"].split(",") for asked in site.asked if asked.path.endswith("videos")] == ids
    assert site.asked[2].query["pageToken"] == json.loads(pages[0])["nextPageToken"]


@pytest.mark.parametrize(("name", "said"), [("err400__error_response", "key"), ("err403__error_permission_resp", "refuses")])
async def test_recorded_errors_are_said(shared: Path, site: YouTubeServer, collector: Collector, name: str, said: str) -> None:
    body = (shared / "wire" / "dev" / "youtube" / f"{name}.json").read_bytes()
    site.next(Reply(int(name[3:6]), body, {"Content-Type": "application/json; charset=UTF-8"}))
    assert said in str(await fails(collector))
