"""PubMed, through the real client over HTTP: new papers, retractions, what the register cites, and what NCBI does wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector, pubmed
from monitor.collectors.base import Collector
from monitor.collectors.pubmed_articles import news_of, read_articles
from monitor.settings.sources.pubmed import PubMedSource
from monitor.topic import Cited, Topic
from tests.evidence import before_it_fails, news_in, told, topic_of
from tests.packs import bread
from tests.standins.polling import fails, poll
from tests.standins.pubmed_server import Paper, PubMedServer
from tests.standins.scripted import Reply

TRIAL = ("Journal Article", "Randomized Controlled Trial", "Clinical Trial")
GONE = ("Journal Article", "Retracted Publication")
NOTICE = ("Retraction of Publication",)


@pytest.fixture
async def site() -> AsyncIterator[PubMedServer]:
    async with PubMedServer() as server:
        yield server


@pytest.fixture
def topic(tmp_path: Path) -> Topic:
    return topic_of(tmp_path)


@pytest.fixture
async def collector(site: PubMedServer, topic: Topic) -> AsyncIterator[Collector]:
    made = opened(site, topic)
    yield made
    await made.close()


def opened(site: PubMedServer, topic: Topic, **more: Any) -> Any:
    source = PubMedSource(**({"kind": "pubmed", "name": "papers", "base_url": site.origin} | more))
    return open_collector(source, None, lambda: topic)


def since(cursor: str, day: str) -> str:
    return json.dumps(json.loads(cursor) | {"until": day})


async def test_a_new_trial_is_told_once_and_other_papers_are_not(site: PubMedServer, collector: Collector) -> None:
    site.papers = [
        Paper(pmid="1", title="Rye  bread &amp; <i>sourdough</i>", abstract="It rose.", types=TRIAL, doi="10.1/x", entered=2),
        Paper(pmid="2", title="Sourdough in cells"),
        Paper(pmid="3", title="Wheat, a trial", types=TRIAL),
    ]
    (news,), cursor = await told(collector)
    assert (news.register, news.id, news.kind, news.state) == ("pubmed", "1", "paper", "")
    assert (news.title, news.url) == ("Rye bread & sourdough", "https://pubmed.ncbi.nlm.nih.gov/1/")
    assert news.summary == "Randomized Controlled Trial, Clinical Trial\nAnnals of Baking\nRESULTS: It rose."
    assert (news.entries, news.published_at is not None) == ((), True)
    assert (await told(collector, cursor))[0] == []
    assert site.fetched() == ["1"], "what was told is not fetched again"


async def test_all_papers_or_none_where_that_is_wanted(site: PubMedServer, topic: Topic) -> None:
    site.papers = [Paper(pmid="1", title="Sourdough, a trial", types=TRIAL), Paper(pmid="2", title="Sourdough in cells")]
    for wanted, ids in (("all", ["1", "2"]), ("none", [])):
        collector = opened(site, topic, papers=wanted)
        assert [one.id for one in (await told(collector))[0]] == ids
        await collector.close()


async def test_an_old_paper_is_not_new_when_its_record_is_touched(site: PubMedServer, collector: Collector) -> None:
    site.papers = [
        Paper(pmid="1", title="Sourdough, old", types=TRIAL, entered=2_000, touched=2_000),
        Paper(pmid="2", title="Sourdough, old and touched", types=TRIAL, entered=2_000, touched=1),
        Paper(pmid="3", title="Sourdough, retracted long ago", types=GONE, entered=3_000, touched=2_000),
    ]
    news, cursor = await told(collector)
    assert news == []
    for paper in site.papers:
        paper.touched = 0
    assert (await told(collector, cursor))[0] == []
    site.papers.append(Paper(pmid="4", title="Sourdough, given its type late", types=TRIAL, entered=100, touched=0))
    assert [one.id for one in (await told(collector, cursor))[0]] == ["4"]


async def test_a_retraction_is_told_again_under_the_papers_number(site: PubMedServer, collector: Collector) -> None:
    paper = Paper(pmid="1", title="Sourdough, a trial", types=TRIAL, touched=9)
    site.papers = [paper]
    (first,), cursor = await told(collector)
    paper.types, paper.touched = (*TRIAL, "Retracted Publication"), 0
    paper.retracted_in = (("77", "Ann Bak. 2026;1:2"),)
    (news,), cursor = await told(collector, cursor)
    assert (first.kind, news.kind, news.id, news.state) == ("paper", "retraction", "1", "retracted")
    assert news.summary.startswith("Retracted in: Ann Bak. 2026;1:2 (PMID 77)\n")
    assert (await told(collector, cursor))[0] == []


async def test_a_notice_names_the_paper_that_it_retracts(site: PubMedServer, collector: Collector) -> None:
    site.papers = [
        Paper(pmid="77", title="Retraction: Sourdough, a trial", types=NOTICE, retraction_of=(("1", "Ann Bak. 2025;1:1"),)),
        Paper(pmid="78", title="Retraction notice: sourdough", types=NOTICE),
    ]
    news, _ = await told(collector)
    assert [(one.id, one.kind, one.state, one.url) for one in news] == [
        ("1", "retraction", "retracted", "https://pubmed.ncbi.nlm.nih.gov/1/"),
        ("78", "retraction", "retracted", "https://pubmed.ncbi.nlm.nih.gov/78/"),
    ]
    assert "PMID 77" in news[0].summary


@pytest.mark.parametrize("how", ["pmid", "doi", "notice", "notice's words"])
async def test_a_retraction_says_which_entries_cite_the_paper(site: PubMedServer, collector: Collector, how: str) -> None:
    site.papers = {
        "pmid": [Paper(pmid="111", title="Wheat", types=GONE)],
        "doi": [Paper(pmid="5", title="Wheat", doi="10.5555/bread.(7)", types=GONE)],
        "notice": [Paper(pmid="7", title="On sourdough", types=NOTICE, retraction_of=(("111", "x"),))],
        "notice's words": [
            Paper(pmid="7", title="On sourdough", types=NOTICE, retraction_of=(("5", "Ann. doi: 10.5555/BREAD.(7)."),))
        ],
    }[how]
    (news,), cursor = await told(collector)
    assert news.entries == ("made-of-flour",)
    assert (news.kind, news.state) == ("retraction", "retracted; cited by the register")
    assert news.id == {"pmid": "111", "notice": "111"}.get(how, "5")
    assert (await told(collector, cursor))[0] == []


async def test_a_cited_paper_is_looked_at_however_long_ago_it_was_retracted(site: PubMedServer, tmp_path: Path) -> None:
    site.papers = [Paper(pmid="222", title="Sourdough", types=GONE, entered=4_000, touched=3_000)]
    present = [topic_of(tmp_path / "a")]
    source = PubMedSource(kind="pubmed", name="papers", base_url=site.origin)
    collector: Any = open_collector(source, None, lambda: present[0])
    news, cursor = await told(collector)
    assert news == [], "retracted before the first poll, and nobody cites it"
    present[0] = topic_of(tmp_path / "b", "https://pubmed.ncbi.nlm.nih.gov/222/")
    (news_now,), _ = await told(collector, cursor)
    assert (news_now.id, news_now.entries) == ("222", ("made-of-flour",))
    await collector.close()


async def test_a_stop_of_any_length_is_caught_up(site: PubMedServer, collector: Collector) -> None:
    site.papers = [Paper(pmid="1", title="Sourdough one", types=TRIAL, entered=150, touched=1)]
    _, cursor = await told(collector)
    site.papers.append(Paper(pmid="2", title="Sourdough two", types=TRIAL, entered=150, touched=140))
    assert (await told(collector, cursor))[0] == []
    batches = await poll(collector, since(cursor, "2026-01-02"))
    assert [one.id for one in news_in(batches)] == ["2"]
    assert batches[-1].covered is not None
    assert batches[-1].covered.since == 1_767_052_800_000  # three days earlier


async def test_other_searches_are_read_from_the_beginning(site: PubMedServer, tmp_path: Path) -> None:
    present = [topic_of(tmp_path / "a")]
    source = PubMedSource(kind="pubmed", name="papers", base_url=site.origin)
    collector: Any = open_collector(source, None, lambda: present[0])
    site.papers = [
        Paper(pmid="1", title="Sourdough", types=TRIAL, touched=20),
        Paper(pmid="2", title="Brioche", types=TRIAL, touched=20),
        Paper(pmid="3", title="Brioche, old", types=GONE, touched=900),
    ]
    news, cursor = await told(collector)
    assert [one.id for one in news] == ["1"]
    present[0] = bread(tmp_path / "b", ("topic.yaml", "", "searches: [sourdough, brioche]\n"))
    assert [one.id for one in (await told(collector, cursor))[0]] == ["2"]
    await collector.close()


async def test_without_searches_it_says_what_to_do(site: PubMedServer, tmp_path: Path) -> None:
    collector = opened(site, bread(tmp_path))
    problem = await fails(collector)
    assert "searches" in str(problem)
    assert not problem.permanent
    await collector.close()


async def test_more_than_a_search_gives_is_asked_for_in_parts(
    site: PubMedServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "MOST", 10)
    site.most = 10
    site.papers = [Paper(pmid=str(n), title=f"Sourdough {n}", types=TRIAL, touched=n % 28) for n in range(1, 60)]
    batches = await poll(collector)
    assert sorted(int(one.id) for one in news_in(batches)) == list(range(1, 60))
    assert all(batch.gap is None for batch in batches)
    site.papers += [Paper(pmid=str(n), title=f"Sourdough {n}", types=TRIAL, touched=0) for n in range(100, 112)]
    batches = await poll(collector, batches[-1].cursor)
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert "12 articles for one day" in gap.cause or "14 articles for one day" in gap.cause
    assert (gap.until or 0) - (gap.since or 0) == 86_400_000


async def test_short_pages_are_put_together(site: PubMedServer, collector: Collector) -> None:
    site.page = 2
    site.papers = [Paper(pmid=str(n), title=f"Sourdough {n}", types=TRIAL) for n in range(1, 8)]
    assert sorted(one.id for one in (await told(collector))[0]) == list("1234567")


async def test_what_was_told_before_a_failure_is_not_fetched_again(
    site: PubMedServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "AT_ONCE", 3)
    site.papers = [Paper(pmid=str(n), title=f"Sourdough {n}", types=TRIAL) for n in range(1, 8)]
    # one search of what is cited, two of retractions, two of papers, then articles: the second answer is none
    site.next(None, None, None, None, None, None, Reply(502))
    heard = await before_it_fails(collector)
    assert len(news_in(heard)) == 3
    rest, _ = await told(collector, heard[-1].cursor)
    assert sorted(one.id for one in [*news_in(heard), *rest]) == list("1234567")


RATE = '{"error":"API rate limit exceeded","api-key":"1.2.3.4","count":"4","limit":"3"}'


@pytest.mark.parametrize(
    ("reply", "said", "wait"),
    [
        (Reply(429, RATE), "fewer requests", None),
        (Reply(429, RATE, {"Retry-After": "7"}), "fewer requests", 7),
        (Reply(200, RATE), "fewer requests", None),
        (Reply(200, '{"esearchresult":{"ERROR":"Search Backend failed: Couldn\'t resolve"}}'), "Search Backend failed", None),
        (Reply(200, '{"esearchresult":{"count":"3"}}'), "not a list", None),
        (Reply(200, '{"esearchresult":{"count":3,"idlist":["1"]}}'), "not a list", None),
        (Reply(200, '{"esearchresult":{"count":"3","idlist":[]}}'), "0 ids of the 3", None),
        (Reply(200, "<html><title>503</title>"), "web page", None),
        (Reply(200, '{"esearchresult":' + "[" * 200_000), "instead of data", None),
        (Reply(502), "trouble", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: PubMedServer, collector: Collector, monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str, wait: float | None
) -> None:
    if reply.hang:
        monkeypatch.setattr(collector._fetcher, "_timeout", 0.5)  # type: ignore[attr-defined]
    site.papers = [Paper(pmid="1", title="Sourdough", types=TRIAL)]
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert (problem.retry_after, problem.permanent) == (wait, False)
    if not reply.hang:
        assert [one.id for one in (await told(collector))[0]] == ["1"]


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><PubmedArticleSet>&b;</PubmedArticleSet>'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html><body>Service unavailable", "not XML"),
        ("<!DOCTYPE html><p>", "not XML"),
        ("busy", "not XML"),
        ("", "not XML"),
        ("<PubmedArticleSet><PubmedArticle>", "breaks off"),
        ("<eFetchResult><ERROR>ID list is empty!</ERROR></eFetchResult>", "ID list is empty"),
        (BOMB, "entities of its own"),
        ("<a>" * 500, "nested too deeply"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "cannot be read"),
        ("<PubmedArticleSet/>", "none of 2 articles"),
    ],
)
async def test_articles_that_are_none_fail_the_poll(site: PubMedServer, collector: Collector, body: str, said: str) -> None:
    site.papers = [Paper(pmid=n, title="Sourdough", types=TRIAL) for n in "12"]
    site.next(None, None, None, None, None, Reply(200, body))
    assert said in str(await fails(collector))
    assert len((await told(collector))[0]) == 2


async def test_a_key_that_is_not_taken_is_said_once(site: PubMedServer, topic: Topic) -> None:
    collector = opened(site, topic, api_key="not-a-key", email="me@example.org")
    site.next(Reply(400, '{"error":"API key invalid","api-key":"not-a-key","type":"api","status":"unknown"}'))
    problem = await fails(collector)
    assert problem.permanent
    assert "not-a-key" not in str(problem)
    assert (site.asked[0].query["api_key"], site.asked[0].query["email"]) == ("not-a-key", "me@example.org")
    await collector.close()


def test_hostile_articles_do_no_harm(topic: Topic) -> None:
    papers = [
        Paper(pmid="1", title="a&#x200b; " * 5_000, abstract="x\x00y".replace("\x00", "") * 9_000, types=TRIAL * 100),
        Paper(pmid="not a number", title="x"),
        Paper(pmid="2", title="", retracted_in=(("x; DROP", "b" * 9_000),) * 80),
    ]
    body = "<PubmedArticleSet>" + "".join(one.xml() for one in papers) + "<PubmedBookArticle/><PubmedArticle/></PubmedArticleSet>"
    first, second = read_articles(body.encode())
    (paper,) = news_of(first, Cited(topic.register), papers_since=0)
    (gone,) = news_of(second, Cited(topic.register), papers_since=None)
    assert (len(paper.title) <= 1_000, len(paper.summary) <= 4_000, len(gone.summary) <= 4_000) == (True, True, True)
    assert (gone.title, gone.kind) == ("PMID 2", "retraction")


def test_recorded_articles_are_read(shared: Path, topic: Topic) -> None:
    folder = shared / "wire/dev/pubmed"
    articles = [one for file in sorted(folder.glob("pubmed*.xml")) for one in read_articles(file.read_bytes())]
    by_id = {one.pmid: one for one in articles}
    assert len(by_id) == len(articles) >= 5
    assert by_id["29963580"].doi == "10.1117/1.JMI.5.2.026002"
    assert by_id["29963580"].journal.startswith("Journal of medical imaging")
    assert "Observational Study" in by_id["27797938"].types
    assert all(one.title and one.entered for one in articles)
    assert not any(one.is_retracted or one.is_notice for one in articles)
    for one in articles:
        (news,) = news_of(one, Cited(topic.register), papers_since=0)
        assert (news.kind, news.id) == ("paper", one.pmid)


@pytest.mark.parametrize("name", ["pubmed_2ebc125ce8.json", "pubmed_25d2878202.json", "esearch1.xml", "esearch8.xml"])
async def test_recorded_searches_are_answered_as_they_should(
    shared: Path, site: PubMedServer, collector: Collector, name: str
) -> None:
    file = shared / "wire/dev/pubmed" / name
    (said,) = [one for one in json.loads((file.parent / "index.json").read_text()) if one["file"] == name]
    site.next(Reply(said["status"], file.read_bytes()))
    if said["status"] == 200 and name.endswith("json"):
        ids = json.loads(file.read_bytes())["esearchresult"]["idlist"]
        site.papers = [Paper(pmid=one, title="A paper that somebody else found") for one in ids]
        assert (await told(collector))[0] == []
        assert site.fetched() == ids
    else:
        assert ("fewer requests" if said["status"] == 429 else "instead of data") in str(await fails(collector))
