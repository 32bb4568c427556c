"""The kind `gdelt`: headlines of news articles, found by GDELT's search (DOC 2.0).

It has no pages, answers errors in prose under status 200, and sends JSON with escapes that JSON does not have.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors import windows
from monitor.collectors.base import Access, Batch, Kind, SourceError
from monitor.collectors.budget import Budgets, Rate
from monitor.collectors.html import one_line, unescape
from monitor.collectors.http import Answer, Fetcher, refusal
from monitor.collectors.windows import Found
from monitor.collectors.wire import is_web_address, mapping, objects, text
from monitor.settings.sources.gdelt import GdeltSource
from monitor.words import MAX_ID, MAX_NAME, MAX_TEXT, Post

SEARCH = "https://api.gdeltproject.org/api/v2/doc/doc"
RATE = Rate(1, 6)  # it asks for one request every five seconds
PATIENCE_S = 30.0
TOO_FAST_S = 120.0
MOST = 250  # articles of one search
OVERLAP = 2 * 3600  # seconds; articles appear every quarter of an hour, some of them late
SHORTEST = 900
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\')
_LANGUAGES = {
    "arabic": "ar",
    "bengali": "bn",
    "chinese": "zh",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "norwegian": "no",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}


class GdeltCollector:
    """A source of kind `gdelt`."""

    def __init__(self, source: GdeltSource, budgets: Budgets) -> None:
        self._source = source
        budget = budgets.of("gdelt", source.base_url or "gdeltproject", rate=RATE, patience=PATIENCE_S)
        self._fetcher = Fetcher(base_url=source.base_url, budget=budget)

    def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One search a query, more where there are many articles; see `Collector.poll`."""
        return windows.read(
            cursor, self._source.queries, self._ask, backfill=self._source.backfill, overlap=OVERLAP, shortest=SHORTEST
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    async def _ask(self, query: str, since: int, until: int) -> Found:
        params = {"query": query, "mode": "ArtList", "format": "json", "maxrecords": MOST, "sort": "DateDesc"}
        params |= {"startdatetime": _stamp(since), "enddatetime": _stamp(until)}
        articles = objects(_read(await self._fetcher.get(f"{SEARCH}?{urlencode(params)}"), query).get("articles"))
        posts = [post for article in articles if (post := post_of(article, self._source)) is not None]
        return Found(posts, len(articles) >= MOST)


def post_of(article: dict[str, Any], source: GdeltSource) -> Post | None:
    """An article as a post: its headline, with the site as its author. None for one of another shape."""
    url = text(article.get("url"))
    title = one_line(unescape(text(article.get("title"))), MAX_TEXT)
    if not title or not is_web_address(url):
        return None
    return Post(
        platform=source.platform,
        id=url if len(url) <= MAX_ID else hashlib.blake2b(url.encode(), digest_size=16).hexdigest(),
        text=title,
        url=url,
        author=one_line(text(article.get("domain")), MAX_NAME) or None,
        created_at=_seen(text(article.get("seendate"))),
        lang=_LANGUAGES.get(text(article.get("language")).lower()),
        source=source.name,
    )


def _read(answer: Answer, query: str) -> dict[str, Any]:
    """What an answer holds. Raises SourceError, in GDELT's own words where it has some."""
    prose = "" if answer.body.lstrip()[:1] in (b"{", b"<", b"") else answer.body[:2_000].decode("utf-8", "replace")
    if answer.status == 429 or "limit requests" in prose.lower():
        problem = refusal(answer)
        asked = problem.retry_after if problem is not None else None
        raise SourceError("GDELT wants fewer requests; it may be overloaded", retry_after=asked or TOO_FAST_S)
    if problem := refusal(answer):
        raise problem
    if prose:
        raise SourceError(f"GDELT does not take the search for {query!r}: {one_line(prose, 160)}")
    try:
        return mapping(msgspec.json.decode(answer.body or b"{}"))
    except (ValueError, RecursionError):
        return mapping(_mended(answer))


def _mended(answer: Answer) -> Any:
    """The JSON of an answer whose headlines hold backslashes and control characters as they are. Raises SourceError."""
    body = answer.body.decode("utf-8", "replace")
    try:
        return json.loads(_ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", body), strict=False)
    except (ValueError, RecursionError):
        what = "a web page" if body.lstrip()[:1] == "<" else "something that is not JSON"
        raise SourceError(f"GDELT answers with {what}; it may be overloaded, or block this address") from None


def _stamp(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y%m%d%H%M%S")


def _seen(stamp: str) -> int | None:
    """When GDELT saw an article (ms), which is soon after it was published."""
    try:
        moment = dt.datetime.strptime(stamp[:32], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - the next line says the zone
    except ValueError:
        return None
    return round(moment.replace(tzinfo=dt.UTC).timestamp() * 1000)


def _access(source: GdeltSource) -> Access:
    return Access(works=f"headlines of the news that {len(source.queries)} searches find; needs no credentials")


KIND = Kind(open=GdeltCollector, access=_access)
