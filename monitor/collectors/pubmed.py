"""The kind `pubmed`: papers on the topic, and retractions, by NCBI's E-utilities. They become news for the register's editor.

Three things are asked for at each poll: which of the papers that the register cites are retracted, which papers on the topic are,
and which are new. What was retracted before the first poll is noted without a word, but for what the register cites.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError
from monitor.collectors.budget import Budgets, Rate
from monitor.collectors.feed import read_cursor
from monitor.collectors.html import one_line
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json, refusal
from monitor.collectors.pubmed_articles import Article, news_of, read_articles
from monitor.collectors.registers import Reading, Subject, day_ms, reading, recent
from monitor.collectors.wire import mapping, text
from monitor.notices import News
from monitor.settings.sources.pubmed import PubMedSource
from monitor.topic import Cited

UTILITIES = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
RATE, RATE_WITH_KEY = Rate(1, 0.4), Rate(1, 0.12)  # of 3 and 10 requests a second
MOST = 10_000  # ids that PubMed gives of one search, whatever it is asked
AT_ONCE = 100  # articles of one answer
OVERLAP = 3  # days
LATE_S = 180 * 86_400  # so late is a paper given its type: told though it came in before the first poll
SEEN = 20_000
CITED_AT_ONCE = 40
_ID = re.compile(r"[0-9]{1,9}")
_CLINICAL = ("clinical trial", "meta-analysis", "systematic review")
_RETRACTIONS = ("retracted publication", "retraction of publication", "retraction notice")
_DAY = dt.timedelta(days=1)


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Up to which day all was read, with which searches, from which day on at first; and what is known: c, r or p and the id."""

    until: str = ""
    searches: str = ""
    first: str = ""
    seen: list[str] = []


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Something that PubMed is asked for. `dates`: by which date a window is chosen; `since` None: whenever it was.

    `known`: what matched before the window is noted without a word, so that it is not told when its record is touched.
    """

    mark: str
    term: str
    dates: str = "mdat"
    since: dt.date | None = None
    known: bool = False


class Found(msgspec.Struct, frozen=True):
    """What a search found: ids to be looked at, ids to be noted only, and what it did not reach."""

    mark: str
    ids: list[str]
    known: list[str] = []
    gap: Gap | None = None


class PubMedCollector:
    """A source of kind `pubmed`."""

    def __init__(self, source: PubMedSource, budgets: Budgets, topic: Subject) -> None:
        self._source = source
        self._topic = topic
        key = source.api_key.get_secret_value() if source.api_key else ""
        self._who = {"tool": "exowatch"} | ({"email": source.email} if source.email else {}) | ({"api_key": key} if key else {})
        budget = budgets.of("pubmed", key or source.base_url or "eutils", rate=RATE_WITH_KEY if key else RATE)
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING, budget=budget)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """All searches, and the articles of what is new in them; see `Collector.poll`."""
        topic, state, papers = self._topic(), read_cursor(cursor, State), self._source.papers
        now = reading(topic, state.until, state.searches, backfill=self._source.backfill, overlap=OVERLAP, chosen=(papers,))
        first = now.since.isoformat() if now.anew else state.first
        state = State(until=now.until, searches=now.digest, first=first, seen=state.seen)
        cited = Cited(topic.register)
        papers_since = day_ms(dt.date.fromisoformat(first)) - LATE_S * 1000
        seen, told = set(state.seen), set[str]()
        for search in (*_of_cited(cited), *self._of_topic(now)):
            async for found in self._found(search, now.today + _DAY):  # NCBI's clock may be behind or before
                fresh = [one for one in found.ids if found.mark + one not in seen]
                state = _noted(state, found.mark, found.known, seen)
                gap = found.gap
                for at in range(0, max(len(fresh), int(gap is not None)), AT_ONCE):
                    part = fresh[at : at + AT_ONCE]
                    articles = await self._articles(part)
                    after = papers_since if found.mark == "p" else None
                    news = {_line(one): one for article in articles for one in news_of(article, cited, papers_since=after)}
                    news = {line: one for line, one in news.items() if line not in told}  # the paper tells, and its notice
                    told |= news.keys()
                    state = _noted(state, found.mark, part, seen)
                    yield Batch(news=list(news.values()), cursor=_text(state), gap=gap)
                    gap = None
        state = msgspec.structs.replace(state, until=now.today.isoformat())
        yield Batch(cursor=_text(state), covered=now.covered)

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    def _of_topic(self, now: Reading) -> list[Search]:
        topic = " OR ".join(f'"{one}"[tiab]' for one in now.searches)
        found = [Search(mark="r", term=f"({topic}) AND ({_types(_RETRACTIONS)})", since=now.since, known=now.anew)]
        if self._source.papers == "clinical":
            found.append(Search(mark="p", term=f"({topic}) AND ({_types(_CLINICAL)})", since=now.since, known=now.anew))
        if self._source.papers == "all":
            found.append(Search(mark="p", term=topic, dates="edat", since=now.since))
        return found

    async def _found(self, search: Search, until: dt.date) -> AsyncIterator[Found]:
        """What a search finds, in windows of days that are halved until each holds no more than PubMed gives."""
        if search.since is None:
            yield Found(search.mark, (await self._ids(search.term, {}))[0])
            return
        known = (await self._ids(search.term, {}))[0] if search.known else []
        windows = [(search.since, until)]
        while windows:
            low, high = windows.pop()
            dates = {"datetype": search.dates, "mindate": f"{low:%Y/%m/%d}", "maxdate": f"{high:%Y/%m/%d}"}
            ids, count = await self._ids(search.term, dates, or_none=high > low)
            if count > MOST and high > low:
                middle = low + (high - low) // 2
                windows += [(middle + _DAY, high), (low, middle)]
                continue
            gap = None
            if count > MOST:
                cause = f"PubMed has {count} articles for one day, and gives {MOST}; make the topic's searches narrower"
                gap = Gap(cause=cause, since=day_ms(low), until=day_ms(low + _DAY))
            now = set(ids)
            known = [one for one in known if one not in now]
            yield Found(search.mark, ids, [] if windows else known, gap)

    async def _ids(self, term: str, dates: dict[str, str], *, or_none: bool = False) -> tuple[list[str], int]:
        """The ids that PubMed gives of a search, at most MOST (`or_none`: none where there are more), and how many it has.

        Raises SourceError.
        """
        ids: dict[str, None] = {}
        count = MOST
        while len(ids) < min(count, MOST):
            asked = {"db": "pubmed", "term": term, "retmode": "json", "retmax": MOST, "retstart": len(ids)}
            result = _result(await self._fetcher.get(f"{UTILITIES}/esearch.fcgi?{urlencode(asked | dates | self._who)}"))
            number, page = text(result.get("count")), result.get("idlist")
            if not (number.isascii() and number.isdigit() and len(number) < 10) or not isinstance(page, list):
                raise SourceError("PubMed answers with JSON that is not a list of ids; if this lasts, exowatch needs an update")
            count, before = int(number), len(ids)
            if count > MOST and or_none:
                return [], count
            ids |= dict.fromkeys(one for one in page if isinstance(one, str) and _ID.fullmatch(one))
            if len(ids) == before:
                break
        if len(ids) < min(count, MOST):
            raise SourceError(f"PubMed gives {len(ids)} ids of the {count} that it says it has; it may be overloaded")
        return list(ids), count

    async def _articles(self, ids: Sequence[str]) -> list[Article]:
        if not ids:
            return []
        asked = {"db": "pubmed", "id": ",".join(ids), "retmode": "xml"} | self._who
        answer = await self._fetcher.get(f"{UTILITIES}/efetch.fcgi?{urlencode(asked)}")
        _refused(answer)
        if answer.body.lstrip()[:1] != b"<" or answer.body.lstrip()[:14].lower().startswith((b"<html", b"<!doctype html")):
            raise SourceError("PubMed answers with something that is not XML; it may be overloaded, or block this address")
        articles = await asyncio.to_thread(read_articles, answer.body)
        if not articles and len(ids) > 1:
            raise SourceError(f"PubMed gives none of {len(ids)} articles that it has; it may be overloaded")
        return articles


def _of_cited(cited: Cited) -> list[Search]:
    """What the register cites and is retracted, whenever that was. A few at a time: addresses have an end."""
    names = [f"{one}[uid]" for one in cited.ids("pmid")] + [f'"{one}"[aid]' for one in cited.ids("doi") if one.isascii()]
    parts = [names[at : at + CITED_AT_ONCE] for at in range(0, len(names), CITED_AT_ONCE)]
    return [Search(mark="c", term=f"({' OR '.join(part)}) AND ({_types(_RETRACTIONS[:1])})") for part in parts]


def _types(types: Sequence[str]) -> str:
    return " OR ".join(f'"{one}"[pt]' for one in types)


def _noted(state: State, mark: str, ids: Sequence[str], seen: set[str]) -> State:
    """The state with these ids known; `seen` is its set and grows with it."""
    keys = [mark + one for one in ids]
    seen.update(keys)
    return msgspec.structs.replace(state, seen=recent(keys, state.seen, SEEN)) if keys else state


def _line(news: News) -> str:
    return f"{news.id} {news.state}"


def _text(state: State) -> str:
    return msgspec.json.encode(state).decode()


def _refused(answer: Answer) -> None:
    """Raises SourceError for an answer that says no, in NCBI's own words where they help."""
    problem = refusal(answer)
    if b"api key invalid" in answer.body[:2_000].lower():
        raise SourceError(
            "PubMed does not accept the api_key; make one at ncbi.nlm.nih.gov/account, or leave it out", permanent=True
        )
    if problem is not None:
        raise problem
    if b"API rate limit exceeded" in answer.body[:2_000]:
        raise SourceError("PubMed wants fewer requests; another program at this address may be asking too, or set an api_key")


def _result(answer: Answer) -> dict[str, Any]:
    """What a search found. Raises SourceError: also errors come under status 200."""
    _refused(answer)
    whole = read_json(answer)
    result = mapping(mapping(whole).get("esearchresult"))
    if error := text(result.get("ERROR")) or text(mapping(whole).get("error")):
        raise SourceError(f"PubMed does not search: {one_line(error, 160)}")
    return result


def _access(source: PubMedSource) -> Access:
    papers = {"clinical": "clinical papers and ", "all": "all papers and ", "none": ""}[source.papers]
    missing = None
    if source.api_key is None:
        missing = "api_key, with which PubMed takes 10 requests a second for 3; make one at ncbi.nlm.nih.gov/account (it is free)"
    return Access(works=f"{papers}retractions as news for the register's editor", missing=missing)


KIND = Kind(open=PubMedCollector, access=_access, by_topic=True)
