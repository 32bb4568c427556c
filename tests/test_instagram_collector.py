"""Instagram's hashtags, through the real client over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.collectors import access_to, open_collector
from monitor.collectors.base import Collector, Verifies
from monitor.collectors.budget import Budgets
from monitor.collectors.instagram_api import media_post, usage
from monitor.settings.sources.instagram import InstagramSource
from monitor.stream import Stream
from tests.servers import RedisServer
from tests.standins.instagram_server import TOKEN, USER, InstagramServer, error
from tests.standins.interrupted import interrupted
from tests.standins.polling import fails, heard, ids_of, poll, texts
from tests.standins.scripted import Reply

DAY_MS = 86_400_000


@pytest.fixture
async def site() -> AsyncIterator[InstagramServer]:
    async with InstagramServer() as server:
        yield server


@pytest.fixture
async def collector(site: InstagramServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(site: InstagramServer, **more: Any) -> InstagramSource:
    values = {"kind": "instagram", "name": "ig", "hashtags": ["#Serum"], "user_id": USER, "access_token": TOKEN}
    return InstagramSource(**(values | {"base_url": site.origin} | more))


async def test_recent_and_top_media_become_posts(site: InstagramServer, collector: Collector) -> None:
    recent = site.post("serum", "New hair in a week! #serum\n\n\n\nreally", age=600)
    top = site.post("serum", "An old one", age=30 * 86_400)
    site.post("serum", None)
    posts, _ = await heard(collector)
    found = {post.id: (post.platform, post.text, post.author, post.url) for post in posts}
    assert found == {
        recent: ("instagram", "New hair in a week! #serum\n\nreally", None, f"https://www.instagram.com/p/C{recent[-5:]}/"),
        top: ("instagram", "An old one", None, f"https://www.instagram.com/p/C{top[-5:]}/"),
    }
    made = next(post.created_at for post in posts if post.id == recent)
    assert made is not None
    assert abs(made / 1000 - (time.time() - 600)) < 30
    assert [asked.path.rsplit("/", 1)[-1] for asked in site.asked] == ["ig_hashtag_search", "recent_media", "top_media"]


async def test_one_cursor_for_all_pages_does_not_end_the_reading(site: InstagramServer, collector: Collector) -> None:
    ids = {site.post("serum", f"text {number}", age=number) for number in range(230)}
    batches = await poll(collector)
    assert set(ids_of(batches)) == ids
    assert len(ids_of(batches)) == 230
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since is not None
    assert abs(covered.since - (time.time() * 1000 - DAY_MS)) < 60_000


async def test_a_page_that_comes_again_and_again_ends_the_reading(site: InstagramServer, collector: Collector) -> None:
    ids = {site.post("serum", f"text {number}") for number in range(60)}
    site.repeats = True
    batches = await poll(collector)
    assert set(ids_of(batches)) == ids
    assert len(site.asked) < 15


async def test_a_page_of_known_media_is_not_the_end(site: InstagramServer) -> None:
    collector = open_collector(source(site, top=False))

    def page(id_: str, *, more: bool = True) -> Reply:
        paging = {"cursors": {"after": "same"}} | ({"next": "https://graph.facebook.com/next"} if more else {})
        return Reply(200, json.dumps({"data": [{"id": id_, "caption": f"text {id_}"}], "paging": paging}))

    site.post("serum", "text")
    site.next(None, page("1"), page("1"), page("1"), page("2", more=False))
    assert (await texts(collector))[0] == ["text 1", "text 2"]
    await collector.close()


async def test_only_what_is_new_or_edited_comes_again(site: InstagramServer, collector: Collector) -> None:
    first = site.post("serum", "one")
    _, cursor = await texts(collector)
    assert (await texts(collector, cursor))[0] == []
    site.post("serum", "two", age=50_000)  # media are in no order, and some are shown late
    next(one for one in site.media["serum"] if one["id"] == first)["caption"] = "one, edited"
    asked = len(site.asked)
    found, cursor = await texts(collector, cursor)
    assert set(found) == {"two", "one, edited"}
    assert "ig_hashtag_search" not in site.asked[asked].path


async def test_a_stop_of_more_than_a_day_is_a_gap(site: InstagramServer, collector: Collector) -> None:
    site.post("serum", "one")
    _, cursor = await texts(collector)
    then = int(time.time() * 1000) - 3 * DAY_MS
    state = json.loads(cursor)
    state["hashtags"]["serum"]["read"] = then
    batches = await poll(collector, json.dumps(state))
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert gap.since == then
    assert gap.until is not None
    assert abs(gap.until - (time.time() * 1000 - DAY_MS)) < 60_000
    assert gap.ticket is None
    assert batches[-1].covered is None
    assert all(batch.gap is None for batch in await poll(collector, batches[-1].cursor))


async def test_more_than_the_pages_that_are_read_is_a_gap(site: InstagramServer) -> None:
    collector = open_collector(source(site, top=False))
    for number in range(2_050):
        site.post("serum", f"text {number}")
    batches = await poll(collector)
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert "2000" in gap.cause
    assert len(ids_of(batches)) == 2_000
    await collector.close()


async def test_a_hashtag_that_is_refused_does_not_keep_others_from_being_read(site: InstagramServer) -> None:
    collector = open_collector(source(site, hashtags=["bad", "unknown", "serum"]))
    site.refused.add("bad")
    site.post("serum", "text")
    batches, cursor, problem = await interrupted(collector)
    assert [post.text for batch in batches for post in batch.posts] == ["text"]
    assert "#bad" in str(problem)
    assert "sensitive" in str(problem)
    site.refused.clear()
    site.media["bad"] = []
    assert "#unknown" in str((await interrupted(collector, cursor))[2])
    await collector.close()


async def test_thirty_hashtags_in_seven_days_are_shared_by_all_sources_of_an_account(
    site: InstagramServer, redis_server: RedisServer
) -> None:
    stream = await Stream.open(redis_server.url)
    budgets = Budgets(stream.buckets)
    names = [f"tag{number}" for number in range(34)]
    for name in names:
        site.post(name, f"about {name}")
    first = open_collector(source(site, hashtags=names[:30], top=False), budgets)
    second = open_collector(source(site, hashtags=[*names[30:], *names[:2]], top=False), budgets)
    assert len(ids_of(await poll(first))) == 30
    batches, _, problem = await interrupted(second)
    assert {post.text for batch in batches for post in batch.posts} == {"about tag0", "about tag1"}
    assert "30 different ones in 7 days" in str(problem)
    assert not set(names[30:]) & {asked.query.get("q") for asked in site.asked}
    for one in (first, second):
        await one.close()
    await stream.close()


@pytest.mark.parametrize(
    ("reply", "said", "permanent", "wait"),
    [
        (error(190, "Session has expired", error_subcode=463), "access token", True, None),
        (error(10, "Application does not have permission"), "does not let this app", True, None),
        (error(4, "Application request limit reached", 403), "used up", False, 3600),
        (error(80002, "too many calls"), "used up", False, 3600),
        (error(2, "An unexpected error", 500, is_transient=True), "trouble", False, None),
        (error(18, "Max hashtags"), "30 hashtags", False, None),
        (Reply(200, json.dumps({"error": {"code": 190}})), "access token", True, None),
        (Reply(503), "trouble", False, None),
        (Reply(200, "<html>"), "web page", False, None),
        (Reply(200, "[]"), "no hashtag", False, None),
        (Reply(200, '{"data": [{"id": "../me"}]}'), "no hashtag", False, None),
        (Reply(429, "", {"Retry-After": "77"}), "fewer requests", False, 77),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: InstagramServer, collector: Collector, reply: Reply, said: str, permanent: bool, wait: float | None
) -> None:
    site.post("serum", "text")
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert (problem.permanent, problem.retry_after) == (permanent, wait)
    assert TOKEN not in str(problem)
    assert (await texts(collector))[0] == ["text"]


async def test_a_reading_that_breaks_off_loses_nothing(site: InstagramServer, collector: Collector) -> None:
    ids = {site.post("serum", f"text {number}") for number in range(120)}
    site.next(None, None, Reply(500))
    batches, cursor, _ = await interrupted(collector)
    assert len(ids_of(batches)) == 50
    again = await poll(collector, cursor)
    assert {*ids_of(batches), *ids_of(again)} == ids
    assert len(ids_of(again)) == 70


async def test_an_allowance_that_is_nearly_used_up_is_waited_for(site: InstagramServer, redis_server: RedisServer) -> None:
    stream = await Stream.open(redis_server.url)
    collector = open_collector(source(site), Budgets(stream.buckets))
    site.post("serum", "text")
    site.headers = {"X-Business-Use-Case-Usage": json.dumps({"1": [{"call_count": 99, "estimated_time_to_regain_access": 12}]})}
    problem = await fails(collector)
    assert problem.retry_after is not None
    assert 600 < problem.retry_after <= 720
    assert len(site.asked) == 1
    await collector.close()
    await stream.close()


def test_usage_headers() -> None:
    assert usage({}) is None
    assert usage({"X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":25}'}) is None
    assert usage({"X-App-Usage": '{"call_count":28,"total_time":96,"total_cputime":25}'}) == 3600
    for hostile in ("[]", "{", '{"a": 5}', '{"a": [5]}', '{"call_count": "x"}', "[" * 9_000):
        assert usage({"X-App-Usage": hostile}) is None


async def test_a_missing_credential_is_said_with_what_to_do(site: InstagramServer) -> None:
    for more, name in (({"user_id": None}, "user_id"), ({"access_token": None}, "access_token")):
        collector = open_collector(source(site, **more))
        problem = await fails(collector)
        assert problem.permanent
        assert name in str(problem)
        access = access_to(source(site, **more))
        assert not access.usable
        assert name in (access.missing or "")
        assert "business.facebook.com" in (access.missing or "")
        await collector.close()
    assert site.asked == []
    assert access_to(source(site)).usable
    assert not isinstance(collector, Verifies)  # nobody may ask for a stranger's medium by its id


def test_settings_that_are_wrong_are_an_error(site: InstagramServer) -> None:
    for hashtags in ([], ["two words"], ["a", "#A"], [f"t{number}" for number in range(31)]):
        with pytest.raises(ValidationError):
            source(site, hashtags=hashtags)


def test_a_version_stands_before_the_path(site: InstagramServer) -> None:
    assert source(site, api_version="v23.0").api_version == "v23.0"
    with pytest.raises(ValidationError):
        source(site, api_version="latest")


@pytest.mark.parametrize("item", [{}, {"id": 5, "caption": "x"}, {"id": "1/x", "caption": "x"}, {"id": "1", "caption": ["x"]}])
def test_media_of_another_shape_are_left_out(item: dict[str, Any]) -> None:
    assert media_post(item, "ig") is None


def test_an_address_elsewhere_is_not_kept() -> None:
    post = media_post({"id": "1", "caption": "x", "permalink": "https://evil.test/p/1/", "timestamp": "yesterday"}, "ig")
    assert post is not None
    assert (post.url, post.created_at) == (None, None)


def test_recorded_media_become_posts(shared: Path) -> None:
    recorded = shared / "wire" / "dev" / "instagram"
    one = json.loads((recorded / "medias__media_default.json").read_bytes())
    post = media_post(one, "ig")
    assert post is not None
    assert (post.id, post.text, post.url, post.created_at) == (one["id"], one["caption"], one["permalink"], 1_627_296_320_000)


async def test_recorded_pages_and_errors_are_read_through_the_client(
    shared: Path, site: InstagramServer, collector: Collector
) -> None:
    recorded = shared / "wire" / "dev" / "instagram"
    body = {file.stem: file.read_bytes() for file in recorded.glob("*.json")}
    pages = [body[f"hashtags__hashtag_recent_medias_p{number}"] for number in (1, 2)]
    found = Reply(200, '{"data": [{"id": "17843826142012701"}]}')
    site.next(found, *(Reply(200, page) for page in pages), Reply(200, '{"data": []}'))
    assert ids_of(await poll(collector)) == []  # they were recorded without captions
    assert [asked.query.get("after") for asked in site.asked] == [None, None, "after", None]
    assert site.asked[1].path == "/17843826142012701/recent_media"
    for name, said in (("err190_token_expired", "token"), ("err24_hashtag_missing", "no hashtag"), ("err400__error", "refuses")):
        site.next(Reply(400, body[name], {"Content-Type": "application/json; charset=UTF-8"}))
        assert said in str(await fails(collector))
