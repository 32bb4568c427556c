"""GDELT's search of the news, through the real client over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.collectors import gdelt, open_collector
from monitor.collectors.base import Collector
from monitor.collectors.gdelt import post_of
from monitor.settings.sources.gdelt import GdeltSource
from tests.standins.gdelt_server import GdeltServer
from tests.standins.polling import fails, heard, poll, texts
from tests.standins.scripted import Reply


@pytest.fixture
async def site() -> AsyncIterator[GdeltServer]:
    async with GdeltServer() as server:
        yield server


@pytest.fixture
async def collector(site: GdeltServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(site: GdeltServer, **more: Any) -> GdeltSource:
    return GdeltSource(**({"kind": "gdelt", "name": "world", "queries": ["serum"], "base_url": site.origin} | more))


async def test_articles_become_posts(site: GdeltServer, collector: Collector) -> None:
    first = site.article("A serum &amp; its   makers", age=900)
    second = site.article("Le serum miracle", age=600, site="journal.test", language="French")
    third = site.article("Serum", age=300, language="Klingon")
    posts, _ = await heard(collector)
    assert [(post.platform, post.id, post.text, post.author, post.lang, post.url) for post in posts] == [
        ("news", first, "A serum & its makers", "paper.test", "en", first),
        ("news", second, "Le serum miracle", "journal.test", "fr", second),
        ("news", third, "Serum", "paper.test", None, third),
    ]
    assert posts[0].created_at is not None
    assert abs(posts[0].created_at / 1000 - (time.time() - 900)) < 30


async def test_a_stop_is_caught_up_and_nothing_comes_twice(site: GdeltServer, collector: Collector) -> None:
    site.article("serum one")
    first, cursor = await texts(collector)
    assert first == ["serum one"]
    assert (await texts(collector, cursor))[0] == []
    then = int(time.time()) - 5 * 86_400
    cursor = json.dumps(json.loads(cursor) | {"until": {"serum": then}})
    site.article("serum two", age=4 * 86_400)
    batches = await poll(collector, cursor)
    assert [post.text for batch in batches for post in batch.posts] == ["serum two"]
    assert batches[-1].covered is not None
    assert batches[-1].covered.since == (then - 7200) * 1000
    site.article("serum late", age=4000)
    assert (await texts(collector, batches[-1].cursor))[0] == ["serum late"]


async def test_nothing_found_is_nothing_and_no_failure(collector: Collector) -> None:
    batches = await poll(collector)
    assert [post for batch in batches for post in batch.posts] == []
    assert batches[-1].covered is not None


async def test_more_than_one_search_gives_is_searched_for_in_parts(
    site: GdeltServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdelt, "MOST", 10)
    urls = [site.article(f"serum {number}", age=80_000 - number * 1200) for number in range(60)]
    batches = await poll(collector)
    assert [post.id for batch in batches for post in batch.posts] == urls
    assert all(batch.gap is None for batch in batches)
    for number in range(12):
        site.article(f"serum again {number}", age=100)
    batches = await poll(collector, batches[-1].cursor)
    gaps = [batch.gap for batch in batches if batch.gap is not None]
    assert len(gaps) == 1
    assert 900_000 <= (gaps[0].until or 0) - (gaps[0].since or 0) < 1_800_000
    assert batches[-1].covered is None


@pytest.mark.parametrize("how", ["escape", "control", "unicode", "bytes"])
async def test_json_as_gdelt_breaks_it_is_read(site: GdeltServer, collector: Collector, how: str) -> None:
    site.article(r"serum QQ \\server\x really")
    wrong = {"escape": r"C:\path \' x", "control": "tab\there \x01", "unicode": r"\u12 cut", "bytes": "QQ"}[how]
    site.broken = {"QQ": wrong}
    if how == "bytes":
        body = json.dumps({"articles": list(site.articles.values())}).replace("QQ", "Q\\z").encode().replace(b"Q", b"\xff")
        site.next(Reply(200, body))
    (found,) = (await texts(collector))[0]
    assert found.startswith("serum")
    assert found.endswith(r"\\server\x really")


@pytest.mark.parametrize(
    ("reply", "said", "wait"),
    [
        (Reply(200, "Please limit requests to one every 5 seconds or contact us for larger queries.\n"), "fewer requests", 120),
        (Reply(429, "Please limit requests to one every 5 seconds"), "fewer requests", 120),
        (Reply(429, "", {"Retry-After": "33"}), "fewer requests", 33),
        (Reply(200, "The specified phrase is too short.\n"), "phrase is too short", None),
        (Reply(200, "<html><title>503</title>"), "web page", None),
        (Reply(200, '{"articles": ['), "not JSON", None),
        (Reply(200, '{"articles":' + "[" * 200_000), "not JSON", None),
        (Reply(500), "trouble", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: GdeltServer, collector: Collector, monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str, wait: float | None
) -> None:
    if reply.hang:
        monkeypatch.setattr(collector._fetcher, "_timeout", 0.5)  # type: ignore[attr-defined]
    site.article("serum")
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert (problem.retry_after, problem.permanent) == (wait, False)
    if not reply.hang:
        assert (await texts(collector))[0] == ["serum"]


async def test_a_query_that_it_does_not_take_is_named(site: GdeltServer) -> None:
    collector = open_collector(source(site, queries=["ab"]))
    problem = await fails(collector)
    assert "'ab'" in str(problem)
    assert "too short" in str(problem)
    await collector.close()


@pytest.mark.parametrize(
    "article",
    [
        {},
        {"url": "javascript:alert(1)", "title": "x"},
        {"url": "https://a.test/1"},
        {"url": "https://a.test/1", "title": 5},
        {"url": "https://[::/", "title": "x"},
        {"url": "https://a.test/\n", "title": "x"},
    ],
)
def test_articles_of_another_shape_are_left_out(article: dict[str, Any], site: GdeltServer) -> None:
    assert post_of(article, source(site)) is None


def test_hostile_values_do_no_harm(site: GdeltServer) -> None:
    long = "https://a.test/" + "x" * 1000
    post = post_of({"url": long, "title": "a\0b\ud800" * 9, "seendate": "20269918T031500Z", "domain": ["x"]}, source(site))
    assert post is not None
    assert (len(post.id), post.url, post.created_at, post.author) == (32, long, None, None)
    assert "\0" not in post.text
    assert "\ud800" not in post.text
