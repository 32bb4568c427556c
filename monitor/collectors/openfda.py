"""The kind `openfda`: what FDA publishes on the topic, as news for the register's editor.

Recalls are searched for in openFDA, which has no warning letters: these come from FDA's feed of them. Its entries name a firm and
a subject and seldom a product, so each new letter is opened, and told where the letter itself speaks of the topic.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError
from monitor.collectors.budget import Budgets, Cap, Rate
from monitor.collectors.feed import read_cursor
from monitor.collectors.feed_parse import Entry, Request
from monitor.collectors.feed_process import parse_apart
from monitor.collectors.html import html_to_text, one_line
from monitor.collectors.http import Answer, Fetcher, read_json, refusal
from monitor.collectors.registers import Subject, date_ms, day_ms, reading, recent
from monitor.collectors.wire import mapping, objects, text
from monitor.notices import News
from monitor.settings.sources.openfda import OpenFDASource
from monitor.topic import Topic

API = "https://api.fda.gov"
LETTERS = "https://www.fda.gov/about-fda/contact-fda/stay-informed/rss-feeds/warning-letters/rss.xml"
RATE = Rate(60, 60)  # of 240 a minute
PER_DAY, PER_DAY_WITH_KEY = 1_000, 120_000
PAGE, SKIP = 100, 25_000  # recalls of one answer; what can be skipped
OVERLAP = 21  # days; recalls appear weekly, some of them late
SEEN = 5_000
MOST_LETTERS = 200  # opened in one poll, the oldest first
GIVEN_UP_AFTER = 3  # letters that cannot be opened
SHORTEST_LETTER = 400  # characters; a page with less is none of FDA's letters but a refusal under status 200
_AROUND = 250  # characters of a letter shown on either side of the topic's word
_SHOWN = 3  # places of a letter
_LETTER_TEXT = 60_000


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Up to which day recalls were read and with which searches; the recalls that were told, and the letters that were opened."""

    until: str = ""
    searches: str = ""
    recalls: list[str] = []
    letters: list[str] = []


class OpenFDACollector:
    """A source of kind `openfda`."""

    def __init__(self, source: OpenFDASource, budgets: Budgets, topic: Subject) -> None:
        self._source = source
        self._topic = topic
        self._key = source.api_key.get_secret_value() if source.api_key else ""
        cap = Cap(unit="requests", most=PER_DAY_WITH_KEY if self._key else PER_DAY)
        budget = budgets.of("openfda", self._key or source.base_url or "api.fda.gov", rate=RATE, caps=[cap])
        self._api = Fetcher(base_url=source.base_url, budget=budget)
        pages = budgets.of("openfda", f"pages {source.base_url or 'www.fda.gov'}", rate=RATE)
        self._pages = Fetcher(base_url=source.base_url, user_agent=source.user_agent, budget=pages)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Recalls, then letters; where one of them cannot be read the other still is. See `Collector.poll`."""
        topic, state, kinds = self._topic(), read_cursor(cursor, State), self._source.recalls
        now = reading(topic, state.until, state.searches, backfill=self._source.backfill, overlap=OVERLAP, chosen=kinds)
        state = msgspec.structs.replace(state, until=now.until, searches=now.digest)
        problem: SourceError | None = None
        try:
            for kind in kinds:
                async for recalls, gap in self._recalls(kind, now.searches, now.since, now.today):
                    news = [one for one in recalls if _line(one) not in state.recalls]
                    state = msgspec.structs.replace(state, recalls=recent(list(map(_line, news)), state.recalls, SEEN))
                    if news or gap is not None:
                        yield Batch(news=news, cursor=_text(state), gap=gap)
            state = msgspec.structs.replace(state, until=now.today.isoformat())
        except SourceError as error:
            problem = error
        try:
            if self._source.letters:
                async for keys, told, gap in self._letters(topic, state.letters, now.today):
                    state = msgspec.structs.replace(state, letters=recent(keys, state.letters, SEEN))
                    yield Batch(news=told, cursor=_text(state), gap=gap)
        except SourceError as error:
            problem = problem or error
        if problem is not None:
            raise problem
        yield Batch(cursor=_text(state), covered=now.covered)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()
        await self._pages.close()

    async def _recalls(
        self, kind: str, searches: Sequence[str], since: dt.date, today: dt.date
    ) -> AsyncIterator[tuple[list[News], Gap | None]]:
        words = " OR ".join(f'{field}:"{one}"' for one in searches for field in ("product_description", "reason_for_recall"))
        asked: dict[str, Any] = {"search": f"({words}) AND report_date:[{since:%Y%m%d} TO {today:%Y%m%d}]"}
        asked |= {"sort": "report_date:asc", "limit": PAGE} | ({"api_key": self._key} if self._key else {})
        skip = 0
        while True:
            answer = await self._api.get(f"{API}/{kind}/enforcement.json?{urlencode(asked | {'skip': skip})}", requests=1)
            found, total = _results(answer)
            skip += PAGE
            more = skip < total and bool(found)
            lost = more and skip > SKIP
            cause = f"openFDA has {total} recalls ({kind}) since {since}, and shows {SKIP}; make the topic's searches narrower"
            yield [news for one in found if (news := recall_of(one, kind)) is not None], Gap(cause=cause) if lost else None
            if lost or not more:
                return

    async def _letters(
        self, topic: Topic, opened: list[str], today: dt.date
    ) -> AsyncIterator[tuple[list[str], list[News], Gap | None]]:
        """The letters of the feed that were not opened yet, the oldest first, and what there is to tell of them.

        One that cannot be opened does not keep the others from it, and is tried again at the next poll.
        """
        entries = await self._feed()
        fresh = [entry for entry in entries if _key(entry) not in opened]
        if not opened:
            earliest = day_ms(today) - self._source.backfill * 1000
            old = [entry for entry in fresh if entry.created_at is not None and entry.created_at < earliest]
            fresh = [entry for entry in fresh if entry not in old]
            yield list(map(_key, old)), [], None
        elif entries and len(fresh) == len(entries):
            yield [], [], Gap(cause="none of the letters in FDA's feed was there at the last poll; a shorter interval helps")
        problems: list[SourceError] = []
        for entry in reversed(fresh[-MOST_LETTERS:]):
            try:
                letter = await self._letter(entry)
            except SourceError as error:
                problems.append(error)
                if len(problems) >= GIVEN_UP_AFTER:
                    break
                continue
            news = await asyncio.to_thread(_told, entry, letter, topic)
            yield [_key(entry)], [news] if news is not None else [], None
        if problems:
            raise problems[0]

    async def _feed(self) -> list[Entry]:
        answer = await self._pages.get(LETTERS, {"Accept": "application/rss+xml, application/xml;q=0.9, */*;q=0.5"})
        if problem := refusal(answer):
            raise problem
        content_type = answer.headers.get("Content-Type", "")[:200].encode("ascii", "ignore").decode()
        result = await parse_apart(answer.body, Request(url=answer.url, content_type=content_type))
        if result.error:
            raise SourceError(
                f"FDA's feed of warning letters gives {result.error}; FDA may block this address, or its user_agent"
            )
        if not result.entries:
            raise SourceError("FDA's feed of warning letters is empty, which it never is; FDA may block this address")
        return result.entries

    async def _letter(self, entry: Entry) -> str:
        """What the letter says; '' where there is no page of it (any more). Raises SourceError."""
        if not _is_fdas(entry.url):
            return ""
        answer = await self._pages.get(entry.url or "", {"Accept": "text/html"})
        if answer.status in (404, 410):
            return ""
        if problem := refusal(answer):
            raise problem
        letter = await asyncio.to_thread(html_to_text, answer.body.decode("utf-8", "replace"), _LETTER_TEXT)
        if len(letter) < SHORTEST_LETTER or "letter" not in letter.lower():
            raise SourceError("FDA answers with a page that is no letter; it may block this address, or its user_agent")
        return letter


def recall_of(found: dict[str, Any], kind: str) -> News | None:
    """A recall of openFDA as news; None for one without its number."""
    number = one_line(text(found.get("recall_number")), 60)
    product = one_line(text(found.get("product_description")), 600)
    if not number or not product:
        return None
    firm = one_line(text(found.get("recalling_firm")), 200)
    query = urlencode({"search": f'recall_number:"{number}"'})
    said = (text(found.get(name)) for name in ("classification", "reason_for_recall", "distribution_pattern"))
    return News(
        register="openfda",
        id=number,
        kind="recall",
        title=f"{firm}: {product}" if firm else product,
        url=f"{API}/{kind}/enforcement.json?{query}",
        published_at=date_ms(text(found.get("report_date"))),
        state=one_line(text(found.get("status")), 40).lower(),
        summary="\n".join(one_line(one, 1_200) for one in said if one),
    )


def _told(entry: Entry, letter: str, topic: Topic) -> News | None:
    """The letter as news, with the places where it speaks of the topic; None where it does not."""
    places = [(start, end) for _, start, end in topic.keywords.where(letter)]
    if not places and not topic.keywords.find(entry.text):
        return None
    title, _, subject = entry.text.partition("\n")
    shown: list[str] = []
    until = 0
    for start, end in places:
        if start >= until and len(shown) < _SHOWN:
            until = end + _AROUND
            shown.append(f"… {one_line(letter[max(0, start - _AROUND) : until], 3 * _AROUND)} …")
    return News(
        register="openfda",
        id=entry.id,
        kind="warning_letter",
        title=one_line(title, 1_000),
        url=entry.url,
        published_at=entry.created_at,
        summary="\n".join(filter(None, (one_line(subject, 600), *shown))),
    )


def _results(answer: Answer) -> tuple[list[dict[str, Any]], int]:
    """Recalls, and how many there are. That nothing was found is said by 404. Raises SourceError."""
    said: dict[str, Any] = {}
    if answer.status in (400, 403, 404):
        try:
            said = mapping(mapping(msgspec.json.decode(answer.body)).get("error"))
        except (ValueError, RecursionError):
            said = {}
    code = text(said.get("code"))
    if answer.status == 404 and code == "NOT_FOUND":
        return [], 0
    if code.startswith("API_KEY"):
        mend = "get one at open.fda.gov/apis/authentication, or leave it out"
        raise SourceError(f"openFDA does not accept the api_key; {mend}", permanent=True)
    if answer.status == 400 and code:
        raise SourceError(f"openFDA does not take the search: {one_line(text(said.get('message')), 160) or code}")
    body = mapping(read_json(answer))
    if not isinstance(body.get("results"), list):
        raise SourceError("openFDA answers with JSON that is no list of results; if this lasts, exowatch needs an update")
    total = mapping(mapping(body.get("meta")).get("results")).get("total")
    return objects(body["results"]), total if isinstance(total, int) else 0


def _line(recall: News) -> str:
    return f"{recall.id} {recall.state}"


def _key(entry: Entry) -> str:
    return hashlib.blake2b(f"{entry.id}\0{entry.text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _is_fdas(url: str | None) -> bool:
    """Whether this is a page of FDA's own: a feed says where to go, and is followed nowhere else."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme in ("https", "http") and (host == "fda.gov" or host.endswith(".fda.gov"))


def _text(state: State) -> str:
    return msgspec.json.encode(state).decode()


def _access(source: OpenFDASource) -> Access:
    parts = [
        *(["warning letters"] if source.letters else []),
        *([f"recalls ({', '.join(source.recalls)})"] if source.recalls else []),
    ]
    missing = None
    if source.api_key is None and source.recalls:
        missing = (
            "api_key, with which openFDA takes 120,000 requests a day for 1,000; it is free at open.fda.gov/apis/authentication"
        )
    return Access(works=f"{' and '.join(parts)} as news for the register's editor", missing=missing)


KIND = Kind(open=OpenFDACollector, access=_access, by_topic=True)
