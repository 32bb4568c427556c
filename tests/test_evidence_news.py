"""From the registers of evidence to the register's editor: searches of the pack, what is kept and told, and who cites it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.cli import check
from monitor.collectors import kind_of, open_collector
from monitor.collectors.budget import Budgets
from monitor.collectors.run import SourceWatch
from monitor.events import load_events
from monitor.intake import Intake
from monitor.notices import News
from monitor.pseudonyms import Pseudonyms
from monitor.settings.model import Endpoint
from monitor.settings.sources import KINDS
from monitor.settings.sources.clinicaltrials import ClinicalTrialsSource
from monitor.settings.sources.feed import FeedSource
from monitor.settings.sources.openfda import OpenFDASource
from monitor.settings.sources.pubmed import PubMedSource
from monitor.store import Database, alerts, deliveries, mentions, news, parse_filters, sources
from monitor.store.news import NewsItem
from monitor.stream import Stream
from monitor.topic import Cited, Topic, TopicError
from monitor.topic.cited import dois_in
from tests import shipped
from tests.evidence import topic_of
from tests.packs import bread
from tests.receiver import SECRET
from tests.standins.clinicaltrials_server import ClinicalTrialsServer
from tests.standins.openfda_server import OpenFDAServer
from tests.standins.pubmed_server import Paper, PubMedServer
from tests.test_cli_query import exowatch

TRIAL, GONE = ("Clinical Trial",), ("Retracted Publication",)
EDITOR = Endpoint(name="editor", kind="webhook", url="https://e.test", secret=[SECRET], events=["evidence.news"])
CLAIMS = Endpoint(name="claims", kind="webhook", url="https://e.test", secret=[SECRET], events=["claim.new"])


@pytest.fixture
async def site() -> AsyncIterator[PubMedServer]:
    async with PubMedServer() as server:
        yield server


async def listed(database: Database) -> list[NewsItem]:
    async with database.read() as connection:
        return list((await news.page(connection, parse_filters({}))).items)


class Editing:
    """A source of kind `pubmed` in the daemon's hands, run for a few polls at a time, as after a restart each."""

    def __init__(self, stream: Stream, database: Database, site: PubMedServer, topic: Topic) -> None:
        self._stream, self._database, self._topic = stream, database, topic
        self.source = PubMedSource(kind="pubmed", name="papers", base_url=site.origin)

    async def poll(self, times: int = 1) -> None:
        async with self._database.write() as connection:
            await sources.declare(connection, {"papers": "pubmed"})
        stop, intake = asyncio.Event(), Intake(self._stream, self._topic.keywords, Pseudonyms("none", b""))
        made = open_collector(self.source, Budgets(self._stream.buckets), lambda: self._topic)
        poll, done = made.poll, 0  # type: ignore[union-attr]

        async def counted(cursor: str | None) -> AsyncIterator[object]:
            nonlocal done
            async for batch in poll(cursor):
                yield batch
            done += 1
            if done == times:
                stop.set()

        made.poll = counted  # type: ignore[method-assign,union-attr]
        hasty = self.source.model_copy(update={"interval": 0.001})
        watch = SourceWatch(hasty, made, self._stream, intake, self._database, max_age_s=86_400, endpoints=(EDITOR, CLAIMS))
        await asyncio.wait_for(watch.run(stop), 60)


@pytest.fixture
async def editing(redis_url: str, database: Database, site: PubMedServer, tmp_path: Path) -> AsyncIterator[Editing]:
    stream = await Stream.open(redis_url)
    yield Editing(stream, database, site, topic_of(tmp_path))
    await stream.close()


async def test_news_are_kept_and_told_to_who_wants_them_once(editing: Editing, site: PubMedServer, database: Database) -> None:
    site.papers = [
        Paper(pmid="1", title="Sourdough, a trial", types=TRIAL),
        Paper(pmid="111", title="Wheat alone", types=GONE),
        Paper(pmid="3", title="Rye bread, withdrawn", types=GONE),
    ]
    await editing.poll(2)
    await editing.poll(1)
    kept = {one.item: one for one in await listed(database)}
    assert {item: (one.kind, one.state, one.entries, one.source) for item, one in kept.items()} == {
        "1": ("paper", "", (), "papers"),
        "111": ("retraction", "retracted; cited by the register", ("made-of-flour",), "papers"),
        "3": ("retraction", "retracted", (), "papers"),
    }
    assert site.fetched().count("1") == 1, "the cursor was saved"
    async with database.read() as connection:
        raised = (await alerts.page(connection, parse_filters({}))).items
        sent = (await deliveries.page(connection, parse_filters({}))).items
        (status,) = (await sources.page(connection, parse_filters({}))).items
        judged = (await mentions.page(connection, parse_filters({}))).items
    assert judged == []
    assert sorted(one.kind for one in raised) == ["evidence.news"] * 3
    assert {one.endpoint for one in sent} == {"editor"}
    (about,) = [one.summary for one in raised if "Wheat" in one.summary]
    assert about == (
        "A new retraction for the register's editor (retracted; cited by the register): Wheat alone; cited by made-of-flour"
    )
    assert (status.state, status.heard) == ("ok", 3)


async def test_what_the_topic_does_not_know_is_left_out_unless_the_register_cites_it(
    editing: Editing, site: PubMedServer, database: Database
) -> None:
    site.papers = [Paper(pmid="1", title="A starter for engines, by rye breads", types=TRIAL)]
    await editing.poll()
    assert await listed(database) == []


async def test_entries_come_as_users_see_them(database: Database) -> None:
    many = tuple(f"entry-{number}" for number in range(8))
    async with database.write() as connection:
        await sources.declare(connection, {"papers": "pubmed"})
        raised = await news.add(
            connection, "papers", [News(register="pubmed", id="1", kind="recall", title="One", entries=many)], [EDITOR]
        )
    (one,) = await listed(database)
    assert one.entries == many
    async with database.read() as connection:
        (event,) = [json.loads(event.body) for event in (await load_events(connection, raised)).values()]
    assert event["data"]["items"][0]["entries"] == list(many)
    (alert,) = await _alerts(database)
    assert alert.endswith("One; cited by entry-0, entry-1, entry-2, entry-3, entry-4 and 3 more")


async def _alerts(database: Database) -> list[str]:
    async with database.read() as connection:
        return [one.summary for one in (await alerts.page(connection, parse_filters({}))).items]


# The topic pack


@pytest.mark.parametrize("given", ["sourdough", "[3]", '["a(b"]', "['x OR y:z']", "['*dough']", "['']", "['a  b']"])
def test_searches_that_are_none_are_named(tmp_path: Path, given: str) -> None:
    with pytest.raises(TopicError, match=r"topic\.yaml.*searches"):
        bread(tmp_path, ("topic.yaml", "", f"searches: {given}\n"))


def test_searches_are_read(tmp_path: Path) -> None:
    assert bread(tmp_path / "a").searches == ()
    given = "searches: [sourdough, 'rye-bread mix', sourdough, 빵]\n"
    assert bread(tmp_path / "b", ("topic.yaml", "", given)).searches == ("sourdough", "rye-bread mix", "빵")


def test_too_many_searches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TopicError, match="at most 20"):
        bread(tmp_path, ("topic.yaml", "", f"searches: {[f'word{number}' for number in range(21)]}\n"))


def test_who_cites_what_is_found_by_every_identifier(tmp_path: Path) -> None:
    cites = "PMID: 0111; doi 10.1/abc is too short; (doi 10.1234/A.b(c)9); NCT01234567, NCT0123456"
    entry, also = "cures-coeliac-disease", "https://example.org/articles/10.1234/a.b(c)9/full?x=1"
    topic = topic_of(tmp_path, cites, ("register/all.yaml", "https://example.org/bread", also))
    cited = Cited(topic.register)
    assert cited.ids("pmid") == ("111",)
    assert cited.ids("doi") == ("10.1234/a.b(c)9",)
    assert cited.ids("trial") == ("NCT01234567",)
    assert cited.entries(pmid="111") == cited.entries(trial="nct01234567") == ("made-of-flour",)
    assert set(cited.entries(doi="10.1234/A.B(C)9")) == {entry, "made-of-flour"}
    assert cited.entries(pmid="", doi="") == cited.entries(pmid="1110", doi="10.1234/a.b") == ()


def test_a_doi_is_read_without_what_stands_around_it() -> None:
    text = "10.1002/jev2.12085, <10.1016/j.x.2023.09.015>; [10.1093/asj/sjac149] 10.3402/jev.v4.27066. 10.2147/CCID.S543451/pdf"
    bare = [
        "10.1002/jev2.12085",
        "10.1016/j.x.2023.09.015",
        "10.1093/asj/sjac149",
        "10.3402/jev.v4.27066",
        "10.2147/ccid.s543451",
    ]
    assert dois_in(text) == bare


def test_the_shipped_pack_says_what_to_search_for_and_its_citations_are_found() -> None:
    topic = shipped.topic()
    assert all(topic.keywords.find(search) for search in topic.searches)
    assert len(topic.searches) > 1
    cited = Cited(topic.register)
    assert "post-laser-healing-faster" in cited.entries(doi="10.2340/00015555-3666")
    assert len(cited.ids("pmid")) > 5
    assert len(cited.ids("trial")) > 5


def test_only_kinds_that_need_it_are_opened_with_the_topic() -> None:
    source = PubMedSource(kind="pubmed", name="papers")
    with pytest.raises(TypeError, match="topic pack"):
        open_collector(source)
    open_collector(FeedSource(kind="feed", name="blog", url="http://127.0.0.1:9/"))
    by_topic = {kind for kind, settings in KINDS.items() if kind_of(settings.model_construct(kind=kind)).by_topic}
    assert by_topic == {"pubmed", "clinicaltrials", "openfda"}


# Commands


def config(folder: Path, kind: str, origin: str) -> Path:
    file = folder / "monitor.toml"
    file.write_text(
        f'data_dir = "{folder}/var"\ntopic = "bread"\n[[source]]\nname = "papers"\nkind = "{kind}"\nbase_url = "{origin}"\n'
    )
    topic_of(folder / "topics" / "bread")
    return file


async def test_a_source_is_tried_and_checked(site: PubMedServer, tmp_path: Path) -> None:
    site.papers = [Paper(pmid="111", title="Sourdough", types=GONE)]
    file = config(tmp_path, "pubmed", site.origin)
    tried = await asyncio.to_thread(exowatch, "sources", "test", "papers", "--format", "jsonl", "--config", file)
    (shown,) = map(json.loads, tried.stdout.splitlines())
    assert (shown["id"], shown["kind"], shown["entries"]) == ("111", "retraction", ["made-of-flour"])
    assert tried.stderr == "0 posts, 0 of them on the topic; 0 deletions, 1 news\n"
    checked = await asyncio.to_thread(exowatch, "check", "--config", file)
    assert "source papers: answers, 1 news; works: clinical papers and retractions" in checked.stdout
    assert "missing: api_key" in checked.stdout


async def test_a_check_says_what_the_topic_pack_lacks(tmp_path: Path) -> None:
    source = PubMedSource(kind="pubmed", name="papers", base_url="http://127.0.0.1:9")
    without = await check._source(source, Budgets(), bread(tmp_path))
    assert (without.ok, "the topic pack 'bread' has no searches" in without.text) == (False, True)
    broken = await check._source(source, Budgets(), None)
    assert (broken.ok, broken.text) == (False, "its searches stand in the topic pack, which cannot be used")


async def test_the_other_two_are_checked_as_well(tmp_path: Path) -> None:
    topic = topic_of(tmp_path)
    async with OpenFDAServer() as fda, ClinicalTrialsServer() as trials:
        fda.recall("D-1")
        found = await check._source(OpenFDASource(kind="openfda", name="fda", base_url=fda.origin), Budgets(), topic)
        assert found.text.startswith("answers, 1 news; works: warning letters and recalls (drug, device, food)")
        assert "missing: api_key" in found.text
        source = ClinicalTrialsSource(kind="clinicaltrials", name="trials", base_url=trials.origin)
        found = await check._source(source, Budgets(), topic)
        assert found.text.startswith("answers, 0 posts; works: new trials and changes of their state as news")
