"""The kind `instagram`: the recent and the top media of hashtags.

Recent media are those of the last 24 hours, in no order, so every poll reads all of them. A longer stop is a gap that nothing
fills.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Gap, Kind, Span
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.collectors.instagram_api import ACCESS_HELP, HashtagError, Instagram, media_post
from monitor.collectors.wire import remember, unseen
from monitor.settings.sources.instagram import InstagramSource
from monitor.words import Post

SHOWN_MS = 86_400_000  # how long recent media show a post
PAGES = {"recent_media": 40, "top_media": 4}
BARREN = 3  # pages in a row without anything that this reading has not seen, after which it ends
SEEN = 6_000
_log = structlog.get_logger()


class _Hashtag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hashtag's id, and when its recent media were last read whole (ms)."""

    id: str = ""
    read: int = 0


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    hashtags: dict[str, _Hashtag] = {}
    seen: dict[str, str] = {}


class InstagramCollector:
    """A source of kind `instagram`."""

    def __init__(self, source: InstagramSource, budgets: Budgets) -> None:
        self._source = source
        self._api = Instagram(source, budgets)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Every hashtag; one that Instagram refuses does not keep the others from being read. See `Collector.poll`."""
        state = read_cursor(cursor, _Cursor)
        known = {name: state.hashtags.get(name, _Hashtag()) for name in self._source.hashtags}
        state = msgspec.structs.replace(state, hashtags=known)
        problem: HashtagError | None = None
        start, complete = int(time.time() * 1000), True
        for name in self._source.hashtags:
            began = int(time.time() * 1000)
            hashtag = state.hashtags[name]
            gap = self._gap(name, hashtag, began)
            try:
                if not hashtag.id:
                    hashtag = _Hashtag(await self._api.hashtag(name), hashtag.read)
                for edge in PAGES if self._source.top else ("recent_media",):
                    async for posts, cut in self._read(name, hashtag.id, edge):
                        new = unseen(posts, state.seen)
                        state = self._with(state, name, hashtag, new)
                        if cut and edge == "recent_media":
                            cause = f"#{name} has more than the {cut} recent media that are read"
                            gap = gap or Gap(cause=cause, since=began - SHOWN_MS)
                        complete = complete and gap is None
                        yield Batch(posts=new, cursor=msgspec.json.encode(state).decode(), gap=gap)
                        gap = None
                    if edge == "recent_media":
                        hashtag = _Hashtag(hashtag.id, began)
            except HashtagError as error:
                problem = problem or error
                continue
            state = self._with(state, name, hashtag, [])
            yield Batch(cursor=msgspec.json.encode(state).decode())
        if problem is not None:
            raise problem
        if complete:
            yield Batch(cursor=msgspec.json.encode(state).decode(), covered=Span(since=start - SHOWN_MS, until=start))

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    def _gap(self, name: str, hashtag: _Hashtag, began: int) -> Gap | None:
        """What was missed since the hashtag was last read, where that is longer ago than recent media reach."""
        if not hashtag.read or began - hashtag.read <= SHOWN_MS:
            return None
        _log.warning("possible gap", source=self._source.name, hashtag=name)
        cause = f"#{name} was not read for more than a day, and Instagram shows the last 24 hours only"
        return Gap(cause=cause, since=hashtag.read, until=began - SHOWN_MS)

    def _with(self, state: _Cursor, name: str, hashtag: _Hashtag, posts: list[Post]) -> _Cursor:
        return _Cursor(hashtags=state.hashtags | {name: hashtag}, seen=remember(posts, state.seen, SEEN))

    async def _read(self, name: str, id_: str, edge: str) -> AsyncGenerator[tuple[list[Post], int], None]:
        """The media of a hashtag page by page; with the last page how many there were, where there are more."""
        after: str | None = None
        met: set[str] = set()
        barren = number = 0
        for page in range(1, PAGES[edge] + 1):
            items, after = await self._api.media(name, id_, edge, after)
            ids = {str(item.get("id")) for item in items}
            barren = 0 if ids - met else barren + 1
            met |= ids
            number += len(items)
            posts = [post for item in items if (post := media_post(item, self._source.name)) is not None]
            over = after is None or barren >= BARREN
            yield posts, number if page == PAGES[edge] and not over else 0
            if over:
                return


def _access(source: InstagramSource) -> Access:
    missing = [name for name in ("user_id", "access_token") if not getattr(source, name)]
    if missing:
        how = f"{ACCESS_HELP}; user_id is the id of the professional account that asks"
        return Access(works="nothing without a token", missing=f"{' and '.join(missing)}: {how}", usable=False)
    below = " and top" if source.top else ""
    return Access(works=f"recent{below} media of {len(source.hashtags)} hashtags, without their authors")


KIND = Kind(open=InstagramCollector, access=_access)
