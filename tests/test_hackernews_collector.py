"""Hacker News, through the real client over HTTP: first poll, catch-up, edits, deletions, bursts, and what servers do wrong."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Collector, SourceError, Verifies
from monitor.collectors.hackernews import post_of
from monitor.settings.sources.hackernews import HackerNewsSource
from tests.standins.hackernews_server import HackerNewsServer
from tests.standins.interrupted import interrupted
from tests.standins.polling import fails, heard, poll, texts
from tests.standins.scripted import Reply

WRONG = [
    (Reply(429, "slow down", {"Retry-After": "600"}), "fewer requests"),
    (Reply(503), "trouble"),
    (Reply(403), "refuses access"),
    (Reply(200, "<html>Just a moment</html>", {"Content-Type": "text/html"}), "web page"),
    (Reply(200, '{"message": "no"}'), "not a list of hits"),
    (Reply(200, "[" * 100_000), "instead of data"),
    (Reply(200, '{"hits": ['), "instead of data"),
    (Reply(200, "{}", {"Content-Encoding": "br"}), "not asked for"),
    (Reply(drop=True), "broke off"),
    (Reply(200, endless=True), "more than"),
]


@pytest.fixture
async def site() -> AsyncIterator[HackerNewsServer]:
    async with HackerNewsServer() as server:
        yield server


@pytest.fixture
async def collector(site: HackerNewsServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(site: HackerNewsServer, **more: Any) -> HackerNewsSource:
    return HackerNewsSource(**({"kind": "hackernews", "name": "hn", "queries": ["serum"], "base_url": site.origin} | more))


async def test_stories_and_comments_become_posts(site: HackerNewsServer, collector: Collector) -> None:
    story = site.story(
        "Ask HN: a serum &amp; me", 'First.<p>Is it <i>safe</i>? See <a href="https:&#x2F;&#x2F;x.test">x</a>', age=90
    )
    comment = site.comment("It&#x27;s just serum.<p>&gt; quoted", author="ann", age=60)
    link = site.story("Serum sold as a cure", age=30)
    site.comment("about something else")
    batches = await poll(collector)
    found = [(post.id, post.platform, post.text, post.author) for batch in batches for post in batch.posts]
    assert found == [
        (story, "hackernews", "Ask HN: a serum & me\n\nFirst.\n\nIs it safe? See x", "someone"),
        (comment, "hackernews", "It's just serum.\n\n> quoted", "ann"),
        (link, "hackernews", "Serum sold as a cure", "someone"),
    ]
    post = batches[0].posts[1]
    assert post.url == f"https://news.ycombinator.com/item?id={comment}"
    assert post.created_at == site.hits[comment]["created_at_i"] * 1000
    assert post.source == "hn"


async def test_half_a_character_in_one_post_does_not_stand_in_the_way_of_the_others(
    site: HackerNewsServer, collector: Collector
) -> None:
    site.comment("serum, cut \ud83d", age=60)
    site.comment("serum, whole", age=30)
    found = [post.text for batch in await poll(collector) for post in batch.posts]
    assert len(found) == 2
    assert found[1] == "serum, whole"


async def test_the_first_poll_says_how_far_back_it_covers(site: HackerNewsServer, collector: Collector) -> None:
    site.comment("serum", age=23 * 3600)
    site.comment("serum too old", age=25 * 3600)
    before = int(time.time())
    batches = await poll(collector)
    assert [post.text for batch in batches for post in batch.posts] == ["serum"]
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since is not None
    assert before - 86_400 <= covered.since / 1000 <= before - 86_395
    assert covered.until is not None
    assert before * 1000 <= covered.until


async def test_a_stop_is_caught_up_and_nothing_comes_twice(site: HackerNewsServer, collector: Collector) -> None:
    site.comment("serum one", age=500)
    first, cursor = await texts(collector)
    assert first == ["serum one"]
    assert (await texts(collector, cursor))[0] == []
    # Three days go by: the cursor is of then, and what happened meanwhile lies far behind the overlap.
    state = json.loads(cursor)
    then = int(time.time()) - 3 * 86_400
    cursor = json.dumps(state | {"until": {"serum": then}})
    site.comment("serum two", age=2 * 86_400)
    site.comment("serum before", age=3 * 86_400 + 4 * 3600)
    site.comment("serum three", age=5)
    batches = await poll(collector, cursor)
    assert [post.text for batch in batches for post in batch.posts] == ["serum two", "serum three"]
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since == (then - 3 * 3600) * 1000
    assert all(batch.gap is None for batch in batches)


async def test_what_is_indexed_late_or_edited_comes(site: HackerNewsServer, collector: Collector) -> None:
    id_ = site.comment("serum one", age=600)
    _, cursor = await texts(collector)
    late = site.comment("serum late", age=3000)
    site.hits[id_]["comment_text"] = "serum one, edited"
    batches = await poll(collector, cursor)
    assert {post.id: post.text for batch in batches for post in batch.posts} == {late: "serum late", id_: "serum one, edited"}
    assert sum(batch.late for batch in batches) == 1
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_a_burst_beyond_what_one_search_gives_loses_nothing(site: HackerNewsServer, collector: Collector) -> None:
    site.most = 10
    ids = [site.comment(f"serum {number}", age=4000 - number * 20) for number in range(120)]
    batches = await poll(collector)
    posts = [post for batch in batches for post in batch.posts]
    assert [post.id for post in posts] == ids
    assert all(batch.gap is None for batch in batches)
    assert len(site.asked) < 60


async def test_more_in_one_second_than_a_search_gives_is_a_gap(site: HackerNewsServer, collector: Collector) -> None:
    site.most = 3
    for number in range(5):
        site.comment(f"serum {number}", age=100)
    made = next(iter(site.hits.values()))["created_at_i"] * 1000
    batches = await poll(collector)
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert (gap.since, gap.until) == (made, made + 1000)
    assert sum(len(batch.posts) for batch in batches) == 3
    assert all(batch.covered is None for batch in batches)


async def test_a_catch_up_that_breaks_off_goes_on_where_it_was(site: HackerNewsServer, collector: Collector) -> None:
    site.most = 4
    ids = [site.comment(f"serum {number}", age=80_000 - number * 4000) for number in range(20)]
    site.next(*[None] * 8, Reply(500))
    batches, cursor, _ = await interrupted(collector)
    taken = [post.id for batch in batches for post in batch.posts]
    assert 0 < len(taken) < 20
    asked = len(site.asked)
    posts, _ = await heard(collector, cursor)
    assert taken + [post.id for post in posts] == ids
    assert int(site.asked[asked].query["numericFilters"].split(",")[0].split("=")[1]) > time.time() - 86_400


async def test_every_query_is_read_and_a_post_found_twice_comes_once(site: HackerNewsServer) -> None:
    collector = open_collector(source(site, queries=["serum", "skin cream"]))
    site.comment("a serum and a skin cream")
    site.comment("cream for the skin")
    posts, cursor = await heard(collector)
    assert [post.text for post in posts] == ["a serum and a skin cream", "cream for the skin"]
    site.comment("skin: cream")
    assert (await texts(collector, cursor))[0] == ["skin: cream"]
    await collector.close()


async def test_a_new_query_is_read_back_though_the_source_is_old(site: HackerNewsServer, collector: Collector) -> None:
    site.comment("an old cream", age=50_000)
    _, cursor = await texts(collector)
    other = open_collector(source(site, queries=["serum", "cream"]))
    assert (await texts(other, cursor))[0] == ["an old cream"]
    await other.close()


async def test_many_posts_come_in_batches_whose_cursor_loses_nothing(site: HackerNewsServer, collector: Collector) -> None:
    ids = [site.comment(f"serum {number}", age=50_000 - number) for number in range(700)]
    first = None
    async for batch in collector.poll(None):
        first = batch
        break
    assert first is not None
    assert [post.id for post in first.posts] == ids[:500]
    posts, _ = await heard(collector, first.cursor)
    assert [post.id for post in posts] == ids[500:]


async def test_what_is_deleted_dead_or_gone_is_not_there(site: HackerNewsServer, collector: Collector) -> None:
    ids = [site.comment(f"serum {number}") for number in range(12)]
    site.delete(ids[1])
    site.delete(ids[2], "dead")
    site.delete(ids[3], "null")
    assert isinstance(collector, Verifies)
    assert await collector.still_there([*ids, "not an id"]) == set(ids) - set(ids[1:4])


@pytest.mark.parametrize("reply", [Reply(503), Reply(200, "<html>"), Reply(200, "7"), Reply(200, '{"id": 1}'), Reply(drop=True)])
async def test_an_answer_in_doubt_erases_nothing(site: HackerNewsServer, collector: Collector, reply: Reply) -> None:
    ids = [site.comment(f"serum {number}") for number in range(3)]
    site.next(None, *[reply] * 8)  # a connection that is cut is tried again by the client
    assert isinstance(collector, Verifies)
    with pytest.raises(SourceError):
        await collector.still_there(ids)


@pytest.mark.parametrize(("reply", "said"), WRONG)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: HackerNewsServer, collector: Collector, reply: Reply, said: str
) -> None:
    site.comment("serum")
    site.next(*[reply] * (1 + reply.drop))  # a connection that is cut is tried again by the client
    problem = await fails(collector)
    assert said in str(problem)
    assert not problem.permanent
    if reply.status == 429:
        assert problem.retry_after == 600
    assert (await texts(collector))[0] == ["serum"]


@pytest.mark.parametrize(
    "hit",
    [
        {},
        {"objectID": 5, "comment_text": "x"},
        {"objectID": "../../x", "comment_text": "x"},
        {"objectID": "7", "comment_text": None, "title": None},
        {"objectID": "7", "comment_text": "<p></p>"},
        {"objectID": "7", "title": ["x"]},
    ],
)
def test_hits_of_another_shape_are_left_out(hit: dict[str, Any]) -> None:
    assert post_of(hit, "hn") is None


def test_hostile_values_do_no_harm() -> None:
    hit = {
        "objectID": "7",
        "comment_text": "a\0b<script>x</script>" + "<a " * 9999,
        "author": "x\ny" * 999,
        "created_at_i": 1e400,
    }
    post = post_of(hit, "hn")
    assert post is not None
    assert (post.text[:2], post.created_at) == ("ab", None)
    assert post.author is not None
    assert "\n" not in post.author


def test_recorded_items_become_posts(shared: Path) -> None:
    recorded = {
        file.stem: json.loads(file.read_bytes())
        for file in (shared / "wire" / "dev" / "hackernews").glob("firebase_item__*.json")
    }
    assert len(recorded) >= 3
    for name, item in recorded.items():  # Algolia's hits carry the same texts under names of their own
        hit = {"objectID": str(item["id"]), "title": item["title"], "story_text": item.get("text"), "author": item["by"]}
        post = post_of(hit | {"created_at_i": item["time"]}, "hn")
        assert post is not None, name
        assert post.text.startswith(item["title"])
        assert post.created_at == item["time"] * 1000
        assert not any(mark in post.text for mark in ("<p>", "<i>", "&#x"))
    asked = post_of({"objectID": "1", "comment_text": recorded["firebase_item__story_121003"]["text"]}, "hn")
    assert asked is not None
    assert asked.text.count("\n\n") == 3
