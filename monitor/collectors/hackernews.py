"""The kind `hackernews`: stories and comments, found by Algolia's search by date; Hacker News itself says what is deleted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urlencode

from monitor.collectors import windows
from monitor.collectors.base import Access, Batch, Kind, SourceError
from monitor.collectors.budget import Budgets, Rate
from monitor.collectors.html import html_to_text, one_line, unescape
from monitor.collectors.http import MAX_LISTING, Fetcher, read_json
from monitor.collectors.windows import Found
from monitor.collectors.wire import mapping, objects, seconds, text
from monitor.settings.sources.hackernews import HackerNewsSource
from monitor.words import MAX_NAME, MAX_TEXT, Post, compose_text

SEARCH = "https://hn.algolia.com/api/v1/search_by_date"
ITEM = "https://hacker-news.firebaseio.com/v0/item/{id}.json"
RATE = Rate(120, 60)  # of about 10,000 requests an hour
MOST = 1_000  # hits of one search
OVERLAP = 3 * 3600  # seconds; comments can be edited for two hours
AT_ONCE = 8
_ID = re.compile(r"[0-9]{1,12}")


class HackerNewsCollector:
    """A source of kind `hackernews`."""

    def __init__(self, source: HackerNewsSource, budgets: Budgets) -> None:
        self._source = source
        host = source.base_url or "algolia"
        self._search = Fetcher(
            base_url=source.base_url, max_body=MAX_LISTING, budget=budgets.of("hackernews", f"search {host}", rate=RATE)
        )
        self._items = Fetcher(base_url=source.base_url, budget=budgets.of("hackernews", f"items {host}"))

    def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One search a query, more where there are many hits; see `Collector.poll`."""
        return windows.read(cursor, self._source.queries, self._ask, backfill=self._source.backfill, overlap=OVERLAP, shortest=1)

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those of the items that are neither deleted nor dead; see `Verifies`."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def is_there(one: str) -> bool:
            async with gate:
                item = read_json(await self._items.get(ITEM.format(id=one)))
            if item is not None and (not isinstance(item, dict) or str(item.get("id")) != one):
                raise SourceError("Hacker News answers with JSON that is not an item; if this lasts, exowatch needs an update")
            return item is not None and not item.get("deleted") and not item.get("dead")

        known = [one for one in ids if _ID.fullmatch(one)]
        answers = await asyncio.gather(*map(is_there, known), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return {one for one, there in zip(known, answers, strict=True) if there}

    async def close(self) -> None:
        """Closes the connections."""
        await self._search.close()
        await self._items.close()

    async def _ask(self, query: str, since: int, until: int) -> Found:
        params = {
            "query": query,
            "tags": "(story,comment)",
            "numericFilters": f"created_at_i>={since},created_at_i<{until}",
            "hitsPerPage": MOST,
        }
        answer = mapping(read_json(await self._search.get(f"{SEARCH}?{urlencode(params)}")))
        if not isinstance(answer.get("hits"), list):
            raise SourceError("Algolia answers with JSON that is not a list of hits; if this lasts, exowatch needs an update")
        hits = objects(answer["hits"])
        number = answer.get("nbHits")
        more = isinstance(number, int) and number > len(answer["hits"])
        posts = [post for hit in hits if (post := post_of(hit, self._source.name)) is not None]
        return Found(posts, more or len(hits) >= MOST)


def post_of(hit: dict[str, Any], source: str) -> Post | None:
    """A hit as a post: a story's title and text, or a comment's text. None for one that is deleted or of another shape."""
    id_ = text(hit.get("objectID"))
    comment, story = text(hit.get("comment_text")), text(hit.get("story_text")) or text(hit.get("text"))
    title = "" if comment else one_line(unescape(text(hit.get("title"))), MAX_TEXT)
    said = compose_text(title, html_to_text(comment or story))[:MAX_TEXT]
    if not _ID.fullmatch(id_) or not said:
        return None
    return Post(
        platform="hackernews",
        id=id_,
        text=said,
        url=f"https://news.ycombinator.com/item?id={id_}",
        author=one_line(text(hit.get("author")), MAX_NAME) or None,
        created_at=seconds(hit.get("created_at_i")),
        source=source,
    )


def _access(source: HackerNewsSource) -> Access:  # noqa: ARG001 - open to all
    return Access(works="stories and comments that hold a query's words; needs no credentials")


KIND = Kind(open=HackerNewsCollector, access=_access)
