"""The kind `youtube`: videos that a search finds, and the comments below them while the videos are young.

What a search gives is only the ids and the beginnings of descriptions; the texts are read by id. The number of a video's comments
is told with it, so comments are read only where there are new ones.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Gap, Kind, Span
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.collectors.wire import in_parts, mapping, objects, remember, text, unseen
from monitor.collectors.youtube_api import (
    IDS,
    KEY_HELP,
    NoSearchError,
    RefusedError,
    YouTube,
    comment_post,
    is_id,
    is_public,
    video_post,
)
from monitor.notices import Gone
from monitor.settings.sources.youtube import YouTubeSource
from monitor.words import Post

OVERLAP_MS = 6 * 3_600_000  # searches find some videos late
SEARCH_PAGES = 10  # 500 videos; YouTube gives little more for one search
THREAD_PAGES = 10
REPLY_PAGES = 5
VIDEOS = 500  # whose comments are read, the newest
SEEN = 4_000
VIDEO_ID = 11  # characters; a comment's id is longer
_log = structlog.get_logger()


class _Video(msgspec.Struct, frozen=True, omit_defaults=True):
    """A video whose comments are read: when it was published (ms), its comments at the last reading, and whether it has none."""

    at: int
    comments: int = -1
    closed: bool = False


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`until`: up to where (ms) each query was read. `replies`: how many a thread had when all of them were read."""

    until: dict[str, int] = {}
    seen: dict[str, str] = {}
    videos: dict[str, _Video] = {}
    replies: dict[str, int] = {}

    @property
    def json(self) -> str:
        """The cursor as it is kept."""
        return msgspec.json.encode(self).decode()


class YouTubeCollector:
    """A source of kind `youtube`."""

    def __init__(self, source: YouTubeSource, budgets: Budgets) -> None:
        self._source = source
        self._api = YouTube(source, budgets)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The searches, then the comments; where the searches of a day are spent the comments go on. See `Collector.poll`."""
        one = _Pass(self._source, self._api, read_cursor(cursor, _Cursor))
        problem: NoSearchError | None = None
        try:
            for query in self._source.queries:
                async for batch in one.search(query):
                    yield batch
        except NoSearchError as error:  # the same would befall the queries after it
            problem = error
        async for batch in one.watched():
            yield batch
        if problem is not None:
            raise problem
        yield Batch(cursor=one.state.json, covered=one.covered)

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those videos and comments that the API still gives; see `Verifies`."""
        known = [id_ for id_ in ids if is_id(id_)]
        there: set[str] = set()
        for part in _in_ids([id_ for id_ in known if len(id_) == VIDEO_ID]):
            there |= {id_ for id_, item in (await self._api.videos(part, "status")).items() if is_public(item)}
        for part in _in_ids([id_ for id_ in known if len(id_) != VIDEO_ID]):
            there |= await self._api.comments(part)
        return there & set(ids)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()


class _Pass:
    """One poll. `state` is the cursor that is right once everything that was yielded is safe."""

    def __init__(self, source: YouTubeSource, api: YouTube, state: _Cursor) -> None:
        self._source = source
        self._api = api
        self._began = self._first = int(time.time() * 1000)
        self._complete = True
        until = {query: at for query, at in state.until.items() if query in source.queries}
        self.state = msgspec.structs.replace(state, until=until)

    @property
    def covered(self) -> Span | None:
        """What the searches have covered, where they left nothing out."""
        return Span(since=self._first, until=self._began) if self._complete else None

    async def search(self, query: str) -> AsyncGenerator[Batch, None]:
        """The videos of a search, page by page. The cursor counts the time as read with the last page only."""
        covered, began = self.state.until.get(query), self._began
        start = min(covered, began) - OVERLAP_MS if covered is not None else began - int(self._source.backfill * 1000)
        self._first = min(self._first, start)
        page: str | None = None
        oldest = began
        for number in range(1, SEARCH_PAGES + 1):
            results, page = await self._api.search(query, start, page)
            ids = {text(mapping(result.get("id")).get("videoId")): None for result in results}
            new = [id_ for id_ in ids if is_id(id_) and id_ not in self.state.seen]
            posts = self._heard((await self._api.videos(new)).values()) if new else []
            made = [post.created_at for post in posts if post.created_at is not None]
            oldest = min([oldest, *made])
            gap = None
            if page is not None and number == SEARCH_PAGES:
                self._complete = False
                cause = f"the search for {query!r} has more than the {number * IDS} videos that YouTube gives"
                gap = Gap(cause=cause, since=start, until=oldest)
                _log.warning("possible gap", source=self._source.name, query=query)
            if page is None or gap is not None:
                self._change(until=self.state.until | {query: began})
            late = sum(covered is not None and at < covered for at in made)
            yield Batch(posts=posts, cursor=self.state.json, gap=gap, late=late)
            if page is None:
                return

    async def watched(self) -> AsyncGenerator[Batch, None]:
        """What changed of the videos that are young: their texts, their comments, and whether they are there."""
        young = self._began - int(self._source.comments_for * 1000)
        newest = sorted(self.state.videos.items(), key=lambda one: -one[1].at)
        self._change(videos={id_: video for id_, video in newest[:VIDEOS] if video.at >= young})
        for part in _in_ids(list(self.state.videos)):
            items = await self._api.videos(part)
            gone = [id_ for id_ in part if id_ not in items or not is_public(items[id_])]
            self._change(videos={id_: video for id_, video in self.state.videos.items() if id_ not in gone})
            posts = self._heard([item for id_, item in items.items() if id_ not in gone])
            yield Batch(posts=posts, cursor=self.state.json, deleted=[Gone(platform="youtube", post=id_) for id_ in gone])
            if not self._source.comments:
                continue
            for id_, item in items.items():
                video, number = self.state.videos.get(id_), _number(mapping(item.get("statistics")).get("commentCount"))
                if video is None or video.closed or number is None or number == video.comments:
                    continue
                async for batch in self._comments(id_, video, number):
                    yield batch

    async def _comments(self, id_: str, video: _Video, number: int) -> AsyncGenerator[Batch, None]:
        """The comments of a video that are new: all at first, later pages until as many are found as it has more."""
        page: str | None = None
        posts: list[Post] = []
        replies = self.state.replies
        closed = False
        for _ in range(THREAD_PAGES):
            try:
                threads, page = await self._api.threads(id_, page)
            except RefusedError as refused:
                closed = refused.reason == "commentsDisabled"
                if not closed and refused.reason != "videoNotFound":
                    raise
                break
            read, counts = await self._read(threads, id_, replies)
            posts += unseen(read, self.state.seen)
            replies = dict(islice((counts | {one: count for one, count in replies.items() if one not in counts}).items(), SEEN))
            if page is None or (video.comments >= 0 and len(posts) >= number - video.comments):
                break
        posts.sort(key=lambda post: post.created_at or 0)
        for part in in_parts(posts):
            self._change(seen=remember(reversed(part), self.state.seen, SEEN))
            if not part or part[-1] is posts[-1]:
                self._change(replies=replies, videos=self.state.videos | {id_: _Video(video.at, number, closed)})
            yield Batch(posts=part, cursor=self.state.json)

    async def _read(
        self, threads: Sequence[Mapping[str, Any]], video: str, known: Mapping[str, int]
    ) -> tuple[list[Post], dict[str, int]]:
        """The comments of threads and their replies, of which a thread itself shows five at most; and how many those are."""
        items: list[Mapping[str, Any]] = []
        counts: dict[str, int] = {}
        for thread in threads:
            snippet = mapping(thread.get("snippet"))
            items.append(mapping(snippet.get("topLevelComment")))
            shown = objects(mapping(thread.get("replies")).get("comments"))
            id_, total = text(thread.get("id")), _number(snippet.get("totalReplyCount")) or 0
            if total > len(shown) and is_id(id_) and known.get(id_) != total:
                shown = [reply async for reply in self._api.replies(id_, REPLY_PAGES)] or shown
                counts[id_] = total
            items += shown
        return [post for item in items if (post := comment_post(item, video, self._source.name)) is not None], counts

    def _heard(self, items: Iterable[Mapping[str, Any]]) -> list[Post]:
        """What is new of videos, the oldest first; the state knows them from now on."""
        read = [post for item in items if (post := video_post(item, self._source.name)) is not None]
        posts = sorted(unseen(read, self.state.seen), key=lambda post: post.created_at or 0)
        videos = {post.id: _Video(post.created_at or self._began) for post in posts} | self.state.videos
        self._change(videos=videos, seen=remember(reversed(posts), self.state.seen, SEEN))
        return posts

    def _change(self, **fields: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)


def _number(value: Any) -> int | None:
    """A count, which the API writes as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15 else None


def _in_ids(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(ids), IDS):
        yield ids[at : at + IDS]


def _access(source: YouTubeSource) -> Access:
    if source.key is None or not source.key.get_secret_value():
        return Access(works="nothing without a key", missing=f"key: {KEY_HELP}", usable=False)
    below = ", and the comments below them" if source.comments else ""
    return Access(works=f"videos that {len(source.queries)} searches find{below}")


KIND = Kind(open=YouTubeCollector, access=_access)
