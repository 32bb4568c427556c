"""TikTok's Research API, through the real client over HTTP: videos, comments, both quotas, and searches that break off.

Longer than 400 lines: one connector, and each of its traps beside the others, so that one sees which are covered.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor import retention
from monitor.collectors import access_to, open_collector
from monitor.collectors.base import Collector, SourceError, Verifies
from monitor.collectors.budget import Budgets
from monitor.collectors.tiktok_api import Window, comment_post, days_of, until_midnight, video_post
from monitor.collectors.verify import verify
from monitor.deletions import Eraser
from monitor.notices import Gone
from monitor.pseudonyms import Pseudonyms
from monitor.settings import Settings
from monitor.settings.duties import DUTIES
from monitor.settings.sources.tiktok import TikTokSource
from monitor.store import Database, mentions
from monitor.stream import Stream
from monitor.times import now_ms
from tests.samples import judged, write
from tests.servers import RedisServer
from tests.standins.interrupted import interrupted
from tests.standins.polling import fails, heard, ids_of, poll, texts
from tests.standins.scripted import Reply
from tests.standins.tiktok_server import CLIENT, COMMENTS, LOGIN, SECRET, VIDEOS, TikTokServer, error

DAY = 86_400
HTML = {"Content-Type": "text/html"}


@pytest.fixture
async def site() -> AsyncIterator[TikTokServer]:
    async with TikTokServer() as server:
        yield server


@pytest.fixture
async def collector(site: TikTokServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(site: TikTokServer, **more: Any) -> TikTokSource:
    values = {"kind": "tiktok", "name": "clips", "queries": ["serum"], "approved": True, "client_key": CLIENT}
    return TikTokSource(**(values | {"client_secret": SECRET, "base_url": site.origin} | more))


def calls(site: TikTokServer, path: str, since: int = 0) -> int:
    return sum(asked.path == path for asked in site.asked[since:])


async def test_videos_and_comments_become_posts(site: TikTokServer, collector: Collector) -> None:
    video = site.video("A serum &amp; more #hair", name="the.clinic", speech="It regrows\x00 hair.")
    comment = site.comment(video, "Does it?\n\n\n\nreally")
    site.video("another subject")
    site.video("a serum", name="no name/../")
    posts, _ = await heard(collector)
    found = {post.id: (post.platform, post.text, post.author, post.url) for post in posts}
    address = f"https://www.tiktok.com/@the.clinic/video/{video}"
    assert found[video] == ("tiktok", "A serum &amp; more #hair\n\nIt regrows hair.", "the.clinic", address)
    assert found[comment] == ("tiktok", "Does it?\n\nreally", None, f"{address}?comment={comment.split('_')[1]}")
    assert [post.url for post in posts if post.text == "a serum"] == [None]
    assert len(found) == 3
    made = next(post.created_at for post in posts if post.id == video)
    assert made is not None
    assert abs(made / 1000 - (time.time() - 600)) < 30
    assert int(video) > 2**53
    assert site.asked[0].form == {"client_key": CLIENT, "client_secret": SECRET, "grant_type": "client_credentials"}


async def test_a_quiet_poll_is_one_request_and_the_token_is_kept(site: TikTokServer, collector: Collector) -> None:
    site.comment(site.video("serum"), "one")
    _, cursor = await texts(collector)
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == []
    assert [one.path for one in site.asked[asked:]] == [VIDEOS]


async def test_all_pages_are_read_also_short_ones(site: TikTokServer, collector: Collector) -> None:
    site.page = 40
    ids = {site.video(f"serum {number}", age=DAY - number) for number in range(130)}
    batches = await poll(collector)
    assert set(ids_of(batches)) == ids
    assert len(ids_of(batches)) == 130
    assert len({body.get("search_id") for body in site.bodies}) == 2  # none at first, then the one that was given
    assert [body["cursor"] for body in site.bodies] == [0, 40, 80, 120]


async def test_a_page_without_videos_is_not_the_end(site: TikTokServer, collector: Collector) -> None:
    empty = {"data": {"videos": None, "cursor": 100, "has_more": True, "search_id": "72"}, "error": {"code": "ok"}}
    site.next(None, Reply(200, json.dumps(empty)))
    site.next(Reply(200, json.dumps({"data": {"videos": [{"id": "5", "video_description": "late"}], "has_more": False}})))
    assert (await texts(collector))[0] == ["late"]


async def test_a_long_stop_is_caught_up_in_searches_of_thirty_days(site: TikTokServer, collector: Collector) -> None:
    site.video("serum zero", age=100)
    _, cursor = await texts(collector)
    old = [site.video(f"serum {number}", age=number * DAY) for number in range(1, 80)]
    state = json.loads(cursor)
    then = int((time.time() - 75 * DAY) * 1000)
    batches = await poll(collector, json.dumps(state | {"until": then}))
    assert set(ids_of(batches)) == set(old)
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since is not None
    assert covered.since <= then - 7 * DAY * 1000
    assert all(batch.gap is None for batch in batches)
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_videos_that_are_found_late_are_heard_and_counted(site: TikTokServer, collector: Collector) -> None:
    site.video("serum one")
    _, cursor = await texts(collector)
    late = site.video("serum late", age=2 * DAY)
    new = site.video("serum new", age=600)
    then = int((time.time() - DAY) * 1000)
    batches = await poll(collector, json.dumps(json.loads(cursor) | {"until": then}))
    assert set(ids_of(batches)) == {late, new}
    assert sum(batch.late for batch in batches) == 1


async def test_a_search_that_breaks_off_goes_on_at_its_page(site: TikTokServer, collector: Collector) -> None:
    ids = [site.video(f"serum {number}", age=2 * DAY - number) for number in range(250)]
    site.next(None, None, None, error(500, "internal_error", "Something is wrong."))
    batches, cursor, problem = await interrupted(collector)
    assert "trouble of its own (500" in str(problem)
    assert not problem.permanent
    assert ids_of(batches) == ids[:200]
    site.bodies.clear()
    again = await poll(collector, cursor)
    assert (site.bodies[0]["cursor"], site.bodies[0]["search_id"]) == (200, json.loads(cursor or "")["windows"][0]["search_id"])
    assert ids_of(again) == ids[200:]
    assert again[-1].covered is not None


async def test_a_dead_search_is_done_again_day_by_day(site: TikTokServer, collector: Collector) -> None:
    ids = {site.video(f"serum {number}", age=number * DAY / 100) for number in range(250)}
    site.longest = 1
    batches = await poll(collector)
    assert set(ids_of(batches)) == ids
    assert len(ids_of(batches)) == 250
    days = [body for body in site.bodies if body["start_date"] == body["end_date"]]
    assert len(days) >= 8
    assert batches[-1].covered is not None


async def test_a_search_that_is_dead_by_the_next_poll_begins_anew(site: TikTokServer, collector: Collector) -> None:
    ids = {site.video(f"serum {number}", age=2 * DAY - number) for number in range(150)}
    site.next(None, None, error(500, "internal_error"))
    batches, cursor, _ = await interrupted(collector)
    site.forget()
    again = await poll(collector, cursor)
    assert {*ids_of(batches), *ids_of(again)} == ids
    assert len(ids_of(batches)) + len(ids_of(again)) == 150


async def test_a_search_that_never_gets_further_is_given_up(site: TikTokServer, collector: Collector) -> None:
    page = {"data": {"videos": [], "cursor": 0, "has_more": True, "search_id": "72"}, "error": {"code": "ok"}}
    site.next(None, *(Reply(200, json.dumps(page)) for _ in range(20)))
    problem = await fails(collector)
    assert "again and again" in str(problem)
    assert len(site.asked) < 10


async def test_an_order_of_its_own_and_repeats_do_no_harm(site: TikTokServer, collector: Collector) -> None:
    ids = [site.video(f"serum {number}", age=age) for number, age in enumerate((50, 90_000, 700, 3))]
    posts, cursor = await heard(collector)
    assert [post.id for post in posts] == [ids[1], ids[2], ids[0], ids[3]]  # the oldest first
    site.videos = dict(reversed(site.videos.items()))
    assert (await texts(collector, cursor))[0] == []


async def test_speech_that_is_written_down_later_comes_as_an_edit(site: TikTokServer, collector: Collector) -> None:
    video = site.video("serum")
    _, cursor = await texts(collector)
    site.videos[video]["voice_to_text"] = "it cures all"
    posts, cursor = await heard(collector, cursor)
    assert [(post.id, post.text) for post in posts] == [(video, "serum\n\nit cures all")]
    assert (await texts(collector, cursor))[0] == []


async def test_comments_are_read_only_where_their_number_changed(site: TikTokServer, collector: Collector) -> None:
    quiet, busy = site.video("serum quiet"), site.video("serum busy")
    site.comment(quiet, "old")
    site.comment(busy, "old too")
    _, cursor = await texts(collector)
    new = site.comment(busy, "new")
    asked = len(site.asked)
    posts, cursor = await heard(collector, cursor)
    assert [post.id for post in posts] == [new]
    assert calls(site, COMMENTS, asked) == 1
    assert str(site.bodies[-1]["video_id"]) == busy
    assert site.bodies[-1]["video_id"] == int(busy)  # a number, as TikTok wants it


async def test_the_first_thousand_comments_are_read(site: TikTokServer, collector: Collector) -> None:
    site.page = 70  # so that pages do not end at a thousand by themselves
    video = site.video("serum")
    ids = [site.comment(video, f"comment {number}", age=5_000 - number) for number in range(1_040)]
    posts, cursor = await heard(collector)
    assert [post.id for post in posts] == [video, *ids[:1_000]]
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == []
    assert calls(site, COMMENTS, asked) == 0


async def test_comments_of_old_videos_are_not_read(site: TikTokServer) -> None:
    old, new = site.video("serum old", age=4 * DAY), site.video("serum new")
    site.comment(old, "hm")
    comment = site.comment(new, "hm")
    collector = open_collector(source(site, comments_for="3d"))
    assert set(ids_of(await poll(collector))) == {old, new, comment}
    await collector.close()
    collector = open_collector(source(site, comments=False))
    assert set(ids_of(await poll(collector))) == {old, new}
    await collector.close()


async def test_comments_of_one_video_that_are_refused_do_not_keep_the_others(site: TikTokServer, collector: Collector) -> None:
    first, second = site.video("serum one", age=50), site.video("serum two", age=60)
    for video in (first, second):
        site.comment(video, f"below {video}")
    site.next(None, None, error(400, "invalid_params", "The video is not available."))
    posts, cursor = await heard(collector)
    assert f"below {second}" in [post.text for post in posts]
    assert (await texts(collector, cursor))[0] == []


async def test_what_vanishes_from_the_search_is_asked_for_and_told(site: TikTokServer, collector: Collector) -> None:
    stays, renamed, deleted = (site.video(f"serum {number}", age=DAY) for number in range(3))
    _, cursor = await texts(collector)
    site.videos[renamed]["video_description"] = "no more of that"
    site.delete(deleted)
    batches = await poll(collector, cursor)
    assert [gone for batch in batches for gone in batch.deleted] == [Gone(platform="tiktok", post=deleted)]
    assert not any(batch.deleted for batch in await poll(collector, batches[-1].cursor))
    assert stays in site.videos


async def test_what_is_gone_is_not_there(site: TikTokServer, collector: Collector) -> None:
    videos = [site.video(f"serum {number}", age=number * 20_000) for number in range(150)]
    comments = [site.comment(videos[0], f"c {number}") for number in range(130)]
    orphan = site.comment(videos[1], "below a deleted video")
    site.delete(videos[1])
    site.delete(comments[120])
    assert isinstance(collector, Verifies)
    assert await collector.still_there(videos[:100]) == {*videos[:100]} - {videos[1]}
    assert await collector.still_there(videos[100:]) == set(videos[100:])
    there = await collector.still_there([comments[0], *comments[115:], orphan, "no id", "1_"])
    assert there == {comments[0], *comments[115:]} - {comments[120]}
    asked = calls(site, COMMENTS)
    assert await collector.still_there([comments[0], comments[120]]) == {comments[0]}
    assert calls(site, COMMENTS) == asked  # what was looked for today is known
    site.next(error(500, "internal_error"))
    with pytest.raises(SourceError):
        await collector.still_there(videos[:1])


async def test_what_is_kept_is_refreshed_every_fifteen_days_or_goes(
    site: TikTokServer, collector: Collector, database: Database, redis_server: RedisServer
) -> None:
    stream = await Stream.open(redis_server.url)
    eraser = Eraser(stream, database, Pseudonyms("none"), [])
    stays, deleted = (site.video(f"serum {number}", age=13 * DAY) for number in range(2))
    comments = [site.comment(stays, f"comment {number}", age=13 * DAY) for number in range(2)]
    ids = [stays, deleted, *comments]
    about = {"platform": "tiktok", "hours_ago": 13 * 24}
    kept = [judged(id_, "It grows hair.", n=number, source="clips", **about) for number, id_ in enumerate(ids)]
    orphan = judged("1", "It grows hair.", n=9, source="no source any more", **about)
    await write(database, *kept, orphan)
    for gone in (deleted, comments[0]):
        site.delete(gone)
    assert isinstance(collector, Verifies)
    await verify("clips", collector, database, eraser, DUTIES["tiktok"])

    async def states() -> list[str]:
        async with database.read() as connection:
            found = [await mentions.find(connection, f"tiktok:{id_}") for id_ in [*ids, "1"]]
        return ["" if one is None else one.state for one in found]

    assert await states() == ["live", "deleted", "deleted", "live", "live"]
    assert await retention.expire(Settings(), database, now_ms() + 3 * DAY * 1000) == 1
    assert await states() == ["live", "deleted", "deleted", "live", "expired"], "what nobody looks for goes at fifteen days"
    await stream.close()


async def test_an_answer_that_was_cut_off_erases_nothing(site: TikTokServer, collector: Collector) -> None:
    videos = [site.video(f"serum {number}") for number in range(3)]
    half = {"data": {"videos": [{"id": int(videos[0])}], "has_more": False}, "error": {"code": "ok"}}
    site.next(None, Reply(200, json.dumps(half)))
    assert isinstance(collector, Verifies)
    assert await collector.still_there(videos) == set(videos)


async def test_comments_leave_a_part_of_the_quota_to_searches_and_verifying(
    site: TikTokServer, redis_server: RedisServer
) -> None:
    stream = await Stream.open(redis_server.url)
    collector = open_collector(source(site, requests_per_day=20), Budgets(stream.buckets))
    for number in range(30):
        site.comment(site.video(f"serum {number}"), f"below {number}")
    posts, cursor = await heard(collector)
    assert len(posts) == 30 + 15  # a search and fifteen videos' comments; four requests stay
    assert len((await heard(collector, cursor))[0]) == 0
    assert isinstance(collector, Verifies)
    assert await collector.still_there([posts[0].id]) == {posts[0].id}
    await collector.close()
    await stream.close()


async def test_sources_of_one_client_share_its_quotas(site: TikTokServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    budgets = Budgets(stream.buckets)
    first = open_collector(source(site, requests_per_day=10, name="a"), budgets)
    second = open_collector(source(site, requests_per_day=10, name="b"), budgets)
    for _ in range(5):
        await poll(first)
        await poll(second)
    problem = await fails(second)
    assert "10 requests" in str(problem)
    assert problem.retry_after is not None
    assert calls(site, VIDEOS) == 10
    for one in (first, second):
        await one.close()
    await stream.close()


async def test_records_are_counted_as_they_come(site: TikTokServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    collector = open_collector(source(site, records_per_day=1_000), Budgets(stream.buckets))
    for number in range(1_150):
        site.video(f"serum {number}", age=number)
    batches, cursor, problem = await interrupted(collector)
    assert "1000 records" in str(problem)
    assert len(ids_of(batches)) == 1_100  # the page that goes beyond is not thrown away
    await collector.close()
    collector = open_collector(source(site, records_per_day=2_000, comments=False), Budgets(stream.buckets))
    found = [one for batch in (await interrupted(collector, cursor))[0] for one in batch.posts]
    assert len(found) == 50  # tomorrow it goes on where it was
    await collector.close()
    await stream.close()


async def test_requests_that_fail_are_counted(site: TikTokServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    collector = open_collector(source(site, requests_per_day=10), Budgets(stream.buckets))
    site.next(None, *[error(500, "internal_error")] * 4)  # after a fifth in a row TikTok would be left alone for a while
    for _ in range(4):
        assert "trouble" in str(await fails(collector))
    for _ in range(6):
        await poll(collector)
    assert "10 requests" in str(await fails(collector))
    assert calls(site, VIDEOS) == 10
    await collector.close()
    await stream.close()


async def test_a_quota_that_tiktok_says_is_spent_is_waited_for(site: TikTokServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    collector = open_collector(source(site), Budgets(stream.buckets))
    site.requests = 0
    problem = await fails(collector)
    assert "quota of the day is spent" in str(problem)
    assert problem.retry_after is not None
    assert 0 < problem.retry_after <= DAY
    asked = len(site.asked)
    assert "1000 requests" in str(await fails(collector))
    assert len(site.asked) == asked
    await collector.close()
    await stream.close()


def test_the_quotas_begin_anew_at_midnight_utc() -> None:
    assert until_midnight(dt.datetime(2026, 11, 22, 23, 59, 30, tzinfo=dt.UTC)) == 30
    assert until_midnight(dt.datetime(2026, 11, 22, 0, 0, tzinfo=dt.UTC)) == DAY


async def test_a_token_that_ended_is_made_anew(site: TikTokServer, collector: Collector) -> None:
    site.video("serum")
    _, cursor = await texts(collector)
    site.expire()
    site.video("serum two")
    assert (await texts(collector, cursor))[0] == ["serum two"]
    assert calls(site, LOGIN) == 2
    site.next(error(401, "access_token_invalid"), None, error(401, "access_token_invalid"))
    problem = await fails(collector)
    assert "just given" in str(problem)
    assert not problem.permanent
    assert (await texts(collector))[0] == ["serum", "serum two"]


async def test_a_token_is_not_used_to_its_last_second(site: TikTokServer) -> None:
    site.lifetime = 300
    collector = open_collector(source(site))
    await poll(collector)
    await poll(collector)
    assert calls(site, LOGIN) == 1  # a minute at least
    await collector.close()


WRONG = [
    (error(500, "internal_error"), "trouble", False, None),
    (Reply(504, "<html>Gateway", HTML), "trouble", False, None),
    (Reply(200, "<html>", HTML), "web page", False, None),
    (Reply(200, '{"data": {}, "error": {"code": "ok"}}'), "holds no videos", False, None),
    (Reply(200, '{"data": {"videos": "x"}}'), "holds no videos", False, None),
    (Reply(200, '{"data": {"videos": [], "has_more": true}}'), "not where", False, None),
    (Reply(200, '{"error": {"code": "internal_error"}}'), "trouble", False, None),
    (Reply(200, "[" * 100_000), "something", False, None),
    (error(429, "rate_limit_exceeded"), "fewer requests", False, 60),
    (Reply(429, "", {"Retry-After": "77"}), "fewer requests", False, 77),
    (error(401, "scope_not_authorized"), "does not let this client", True, None),
    (
        error(400, "invalid_params", "Invalid query\nhere"),
        "does not take what was asked (invalid_params: Invalid query",
        False,
        None,
    ),
    (error(400, "invalid_params", "Invalid count or cursor"), "does not take", False, None),
    (Reply(drop=True), "broke off", False, None),
]


@pytest.mark.parametrize(("reply", "said", "permanent", "wait"), WRONG)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: TikTokServer, collector: Collector, reply: Reply, said: str, permanent: bool, wait: float | None
) -> None:
    site.video("serum")
    site.next(None, reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert (problem.permanent, problem.retry_after) == (permanent, wait)
    assert SECRET not in str(problem)
    assert (await texts(collector))[0] == ["serum"]


LOGINS = [
    (Reply(200, '{"error": "invalid_client", "error_description": "x"}'), "does not accept client_key", True),
    (Reply(401, '{"error": "unauthorized_client"}'), "does not accept client_key", True),
    (Reply(200, '{"error": "server_error"}'), "no access token (server_error)", False),
    (Reply(200, '{"access_token": "a\\nb"}'), "no access token", False),
    (Reply(503), "trouble", False),
    (Reply(200, "<html>"), "web page", False),
]


@pytest.mark.parametrize(("reply", "said", "permanent"), LOGINS)
async def test_a_login_that_fails_is_said(
    site: TikTokServer, collector: Collector, reply: Reply, said: str, permanent: bool
) -> None:
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert problem.permanent == permanent
    assert SECRET not in str(problem)


async def test_nothing_is_asked_without_approval_and_credentials(site: TikTokServer) -> None:
    for more, name in (
        ({"approved": False}, "approved"),
        ({"client_key": None}, "client_key"),
        ({"client_secret": None}, "secret"),
    ):
        collector = open_collector(source(site, **more))
        problem = await fails(collector)
        assert problem.permanent
        assert name in str(problem)
        access = access_to(source(site, **more))
        assert not access.usable
        assert name in (access.missing or "")
        assert "developers.tiktok.com" in (access.missing or "")
        await collector.close()
    assert site.asked == []
    assert access_to(source(site)).usable
    assert TikTokSource(kind="tiktok", name="clips", queries=["serum"]).approved is False


@pytest.mark.parametrize(
    "wrong", [{"queries": []}, {"backfill": "40d"}, {"comments_for": "31d"}, {"requests_per_day": 0}, {"x": 1}]
)
def test_settings_that_are_wrong_are_an_error(site: TikTokServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(site, **wrong)


async def test_a_new_query_is_looked_for_in_the_past_too(site: TikTokServer, collector: Collector) -> None:
    site.video("serum")
    old = site.video("a cream", age=5 * DAY)
    _, cursor = await texts(collector)
    more = open_collector(source(site, queries=["serum", "cream"], comments=False))
    assert ids_of(await poll(more, cursor)) == [old]
    await more.close()


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"id": 5.0, "text": "x"},
        {"id": True, "text": "x"},
        {"id": "1/x", "text": "x"},
        {"id": 1, "text": ["x"]},
        {"id": 10**20},
    ],
)
def test_items_of_another_shape_are_left_out(item: dict[str, Any]) -> None:
    assert video_post(item | {"video_description": item.get("text")}, "clips") is None
    assert comment_post(item, "5", "clinic", "clips") is None


def test_ids_are_text_or_numbers_of_any_length() -> None:
    for id_ in (7_592_337_213_321_234_567, "7592337213321234567"):
        post = video_post({"id": id_, "video_description": "x", "create_time": "soon"}, "clips")
        assert post is not None
        assert (post.id, post.created_at, post.url) == ("7592337213321234567", None, None)


def test_days_of_a_window() -> None:
    assert [day.start for day in days_of(Window("20260227", "20260302"))] == ["20260227", "20260228", "20260301", "20260302"]
    assert days_of(Window("20260227", "20260227", 100, "7")) == [Window("20260227", "20260227")]


async def test_hostile_text_is_bounded(shared: Path, site: TikTokServer, collector: Collector) -> None:
    strings = json.loads((shared / "wire" / "dev" / "hostile" / "naughty_strings.json").read_bytes())
    assert len(strings) > 100
    for number, string in enumerate([*strings, "x" * 300_000]):
        site.video(f"serum {string}", age=number, speech=string)
    for post in (await heard(collector))[0]:
        assert len(post.text) <= 100_000
        assert "\0" not in post.text
        post.text.encode("utf-8")
