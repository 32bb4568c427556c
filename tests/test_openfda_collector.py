"""FDA's recalls and warning letters, through the real client over HTTP: what is told, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from monitor.collectors import open_collector, openfda
from monitor.collectors.base import Collector
from monitor.collectors.openfda import recall_of
from monitor.settings.sources.openfda import OpenFDASource
from monitor.topic import Topic
from tests.evidence import before_it_fails, news_in, told, topic_of
from tests.standins.openfda_server import Letter, OpenFDAServer
from tests.standins.polling import fails, poll
from tests.standins.scripted import Reply

DAY = 86_400


@pytest.fixture
async def site() -> AsyncIterator[OpenFDAServer]:
    async with OpenFDAServer() as server:
        server.letters = [Letter(firm="An old firm", says="About wheat.", age=400 * DAY)]
        yield server


@pytest.fixture
def topic(tmp_path: Path) -> Topic:
    return topic_of(tmp_path)


@pytest.fixture
async def collector(site: OpenFDAServer, topic: Topic) -> AsyncIterator[Collector]:
    made = opened(site, topic)
    yield made
    await made.close()


@pytest.fixture
async def recalls(site: OpenFDAServer, topic: Topic) -> AsyncIterator[Collector]:
    """Without letters, whose feed is read by a process of its own."""
    made = opened(site, topic, letters=False)
    yield made
    await made.close()


def opened(site: OpenFDAServer, topic: Topic, **more: Any) -> Any:
    source = OpenFDASource(**({"kind": "openfda", "name": "fda", "base_url": site.origin} | more))
    return open_collector(source, None, lambda: topic)


async def test_a_recall_is_told_once_for_each_state(site: OpenFDAServer, recalls: Collector) -> None:
    recall = site.recall("D-1-2026", "Sourdough starter, 50 g")
    site.recall("D-2-2026", "Aspirin")
    site.recall("D-3-2026", "Sourdough, long ago", age=90)
    site.recall("F-1-2026", "Bread", kind="food", reason_for_recall="Rye bread with pieces of a mill")
    news, cursor = await told(recalls)
    assert [(one.register, one.id, one.kind, one.state) for one in news] == [
        ("openfda", "D-1-2026", "recall", "ongoing"),
        ("openfda", "F-1-2026", "recall", "ongoing"),
    ]
    assert news[0].title == "A bakery: Sourdough starter, 50 g"
    assert news[0].summary == "Class II\nIt did not rise."
    assert news[0].url == "https://api.fda.gov/drug/enforcement.json?search=recall_number%3A%22D-1-2026%22"
    assert (await told(recalls, cursor))[0] == []
    recall["status"] = "Terminated"
    assert [one.state for one in (await told(recalls, cursor))[0]] == ["terminated"]


async def test_nothing_found_is_nothing_and_no_failure(recalls: Collector) -> None:
    batches = await poll(recalls)
    assert news_in(batches) == []
    assert batches[-1].covered is not None


async def test_a_404_that_is_not_openfdas_is_a_failure(site: OpenFDAServer, recalls: Collector) -> None:
    site.next(Reply(404, "<html>not here</html>"))
    assert "404" in str(await fails(recalls))


async def test_all_recalls_are_read_page_by_page(site: OpenFDAServer, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openfda, "PAGE", 3)
    for number in range(8):
        site.recall(f"D-{number}")
    collector = opened(site, topic, recalls=["drug"], letters=False)
    batches = await poll(collector)
    assert [one.id for one in news_in(batches)] == [f"D-{number}" for number in range(8)]
    assert all(batch.gap is None for batch in batches)
    monkeypatch.setattr(openfda, "SKIP", 3)
    batches = await poll(collector)
    assert [batch.gap is not None for batch in batches].count(True) == 1
    await collector.close()


async def test_a_letter_is_told_where_it_speaks_of_the_topic(site: OpenFDAServer, collector: Collector) -> None:
    site.letters = [
        Letter(firm="Rising LLC", says="Your Sourdough &amp; Glow serum is an unapproved new drug."),
        Letter(firm="Wheat Inc", says="Your wheat is an unapproved new drug."),
        *site.letters,
    ]
    (news,), cursor = await told(collector)
    assert (news.register, news.kind, news.title) == ("openfda", "warning_letter", "Rising LLC - 700 - 05/05/2026")
    assert news.url == f"https://www.fda.gov{site.letters[0].path}"
    assert news.summary.splitlines()[0] == "Unapproved new drugs"
    assert "Your Sourdough & Glow serum" in news.summary.splitlines()[1]
    assert "Menu" not in news.summary
    assert site.opened() == ["wheat-inc-700", "rising-llc-700"], "the one of last year is not opened"
    assert (await told(collector, cursor))[0] == []
    assert len(site.opened()) == 2


async def test_a_stop_is_caught_up_as_far_as_the_feed_goes(site: OpenFDAServer, collector: Collector) -> None:
    _, cursor = await told(collector)
    site.recall("D-1", age=80)
    site.letters.insert(0, Letter(firm="Rising LLC", says="Sourdough.", age=80 * DAY))
    batches = await poll(collector, json.dumps(json.loads(cursor) | {"until": "2026-01-02"}))
    assert sorted(one.kind for one in news_in(batches)) == ["recall", "warning_letter"]
    assert all(batch.gap is None for batch in batches)
    site.letters = [Letter(firm=f"Firm {letter}", says="Sourdough.") for letter in "abc"]
    batches = await poll(collector, batches[-1].cursor)
    assert [batch.gap is not None for batch in batches].count(True) == 1
    assert len(news_in(batches)) == 3


async def test_a_letter_that_cannot_be_opened_is_tried_again_and_keeps_no_other_from_it(
    site: OpenFDAServer, collector: Collector
) -> None:
    site.letters = [
        Letter(firm="Last", says="Sourdough."),
        Letter(firm="Blocked", says="Sourdough.", page="<script>location.reload()</script>"),
        Letter(firm="Gone", says="", subject="Sourdough and other things", status=404),
        Letter(firm="Elsewhere", says="Sourdough.", host="https://evil.example"),
        *site.letters,
    ]
    heard = await before_it_fails(collector)
    assert [one.title.split(" ")[0] for one in news_in(heard)] == ["Gone", "Last"]
    assert "no letter" in str(await fails(collector, heard[-1].cursor))
    site.letters[1].page = None
    assert [one.title.split(" ")[0] for one in (await told(collector, heard[-1].cursor))[0]] == ["Blocked"]


async def test_where_fda_refuses_all_letters_they_are_left_alone_soon(site: OpenFDAServer, collector: Collector) -> None:
    site.letters = [Letter(firm=f"Firm {letter}", says="Sourdough.", status=403) for letter in "abcdefgh"]
    assert "(403)" in str(await fails(collector))
    assert len(site.opened()) == 3


async def test_recalls_are_told_where_the_feed_fails_and_letters_where_recalls_do(
    site: OpenFDAServer, collector: Collector
) -> None:
    site.recall("D-1")
    site.feed = web.Response(status=403)
    assert [one.id for one in news_in(await before_it_fails(collector))] == ["D-1"]
    site.feed = None
    site.letters = [Letter(firm="Rising LLC", says="Sourdough.")]
    site.next(Reply(500))
    heard = await before_it_fails(collector)
    assert [one.kind for one in news_in(heard)] == ["warning_letter"]
    assert [one.id for one in (await told(collector, heard[-1].cursor))[0]] == ["D-1"]


@pytest.mark.parametrize("page", ["<html><body>Access denied", "", '<rss version="2.0"><channel></channel></rss>'])
async def test_a_feed_that_is_none_is_a_failure(site: OpenFDAServer, topic: Topic, page: str) -> None:
    collector = opened(site, topic, recalls=[])
    site.next(Reply(200, page))
    assert "warning letters" in str(await fails(collector))
    await collector.close()


@pytest.mark.parametrize(
    ("reply", "said", "wait"),
    [
        (Reply(429, '{"error":{"code":"OVER_RATE_LIMIT"}}', {"Retry-After": "12"}), "fewer requests", 12),
        (Reply(400, '{"error":{"code":"BAD_REQUEST","message":"Search not supported: x"}}'), "Search not supported", None),
        (Reply(404, "[" * 200_000), "404", None),
        (Reply(200, "<html>"), "web page", None),
        (Reply(200, '{"results": {}}'), "no list of results", None),
        (Reply(502), "trouble", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: OpenFDAServer, recalls: Collector, monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str, wait: float | None
) -> None:
    if reply.hang:
        monkeypatch.setattr(recalls._api, "_timeout", 0.5)  # type: ignore[attr-defined]
    site.recall("D-1")
    site.next(reply)
    problem = await fails(recalls)
    assert said in str(problem)
    assert (problem.retry_after, problem.permanent) == (wait, False)
    assert [one.id for one in (await told(recalls))[0]] == ["D-1"]


async def test_a_key_that_is_not_taken_is_said_once(site: OpenFDAServer, topic: Topic) -> None:
    collector = opened(site, topic, api_key="not-a-key", letters=False)
    site.next(Reply(403, '{"error":{"code":"API_KEY_INVALID","message":"An invalid api_key was supplied."}}'))
    problem = await fails(collector)
    assert problem.permanent
    assert "not-a-key" not in str(problem)
    assert site.asked[0].query["api_key"] == "not-a-key"
    await collector.close()


@pytest.mark.parametrize("found", [{}, {"recall_number": "D-1"}, {"recall_number": ["D"], "product_description": "x"}])
def test_recalls_of_another_shape_are_left_out(found: dict[str, Any]) -> None:
    assert recall_of(found, "drug") is None


async def test_hostile_values_do_no_harm(site: OpenFDAServer, collector: Collector) -> None:
    site.recall('D"1', "Sourdough \0\ud800" * 900, status=["x"], reason_for_recall="y" * 9_000)
    site.letters = [Letter(firm="<b>Firm</b>", says="sourdough " * 90_000), *site.letters]
    recall, letter = (await told(collector))[0]
    assert (len(recall.title) < 1_000, len(recall.summary) < 4_000, recall.state) == (True, True, "")
    assert recall.url is not None
    assert '"1' not in recall.url
    assert len(letter.summary) < 4_000
    assert "\0" not in recall.title
    assert "\ud800" not in recall.title


def test_settings_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to be read"):
        OpenFDASource(kind="openfda", name="fda", letters=False, recalls=[])
