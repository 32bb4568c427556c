"""The kind `tiktok`: videos that TikTok's Research API finds, and the comments below them while the videos are young.

Searches go by days (UTC), in no order, and find videos late; so each poll reads the last days whole. A search that breaks off
goes on at its page with the next poll, for requests are few and those that fail count too.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Kind, SourceError, Span
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.collectors.tiktok_api import (
    ACCESS_HELP,
    DeadSearchError,
    RefusedError,
    TikTok,
    Window,
    comment_of,
    comment_post,
    day_of,
    days_of,
    id_of,
    made_at,
    video_post,
)
from monitor.collectors.wire import in_parts, remember, unseen
from monitor.notices import Gone
from monitor.settings.sources.tiktok import TikTokSource
from monitor.words import Post

DAY_S = 86_400
OVERLAP_S = 3 * DAY_S  # within which searches find what they did not at first
LONGEST_S = 29 * DAY_S  # of one search: thirty days, both ends with it
REQUESTS = 1_000  # of one poll's searches
FORGOTTEN = 3  # times that a search of one day may break off in a poll
IDS = 100  # of one request
APART_S = 8 * DAY_S  # between the oldest and the newest of these; the rest of thirty days is for videos that were scheduled
SPARE = 0.2  # of a day's quotas: for searches and for verifying, not for comments
VIDEOS = 2_000
SEEN = 6_000
_log = structlog.get_logger()


class _Video(msgspec.Struct, frozen=True, omit_defaults=True):
    """A young video: when it was made (ms), by whom, how many comments it has, and had when they were read."""

    at: int
    name: str = ""
    comments: int = 0
    read: int = 0


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`until`: when (ms) the last whole reading of the `queries` began. `windows`: what is still to be read of the one that began
    at `began` and goes back to `first`."""

    queries: list[str] = []
    until: int | None = None
    began: int = 0
    first: int = 0
    windows: list[Window] = []
    seen: dict[str, str] = {}
    videos: dict[str, _Video] = {}

    @property
    def json(self) -> str:
        """The cursor as it is kept."""
        return msgspec.json.encode(self).decode()


class TikTokCollector:
    """A source of kind `tiktok`."""

    def __init__(self, source: TikTokSource, budgets: Budgets) -> None:
        self._source = source
        self._api = TikTok(source, budgets)
        # What became of comments in verifying, for a day: a quota that ends in the middle of it must not make it begin anew.
        self._looked: dict[str, bool] = {}
        self._looked_since = 0.0

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What is left of a search that broke off, then the last days, then new comments. See `Collector.poll`."""
        one = _Pass(self._source, self._api, read_cursor(cursor, _Cursor))
        if one.state.windows:
            async for batch in one.search():
                yield batch
        one.begin()
        async for batch in one.search():
            yield batch
        if missing := one.missing:
            there = await self._videos(missing)
            yield one.without([id_ for id_ in missing if id_ not in there])
        if self._source.comments:
            async for batch in one.comments():
                yield batch
        yield Batch(cursor=one.state.json, covered=Span(since=one.state.first, until=one.state.began))

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those videos and comments that the API still gives; see `Verifies`.

        A comment that is not among the thousand that TikTok gives of a video cannot be refreshed, and so does not count as there.
        """
        comments = {id_: found for id_ in ids if (found := comment_of(id_))}
        wanted = {*(id_ for id_ in ids if id_of(id_)), *(video for video, _ in comments.values())}
        videos = await self._videos(wanted)
        there = videos & set(ids)
        if time.time() - self._looked_since > DAY_S:
            self._looked, self._looked_since = {}, time.time()
        for video, group in groupby(sorted(comments, key=lambda id_: comments[id_]), key=lambda id_: comments[id_][0]):
            below = list(group)
            if video in videos and (new := {id_ for id_ in below if id_ not in self._looked}):
                shown = await self._below(video, new)
                self._looked |= {id_: id_ in shown for id_ in new}
            there |= {id_ for id_ in below if video in videos and self._looked[id_]}
        return there

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    async def _videos(self, ids: Iterable[str]) -> set[str]:
        """Those videos that are there. What is missing is asked for twice, since an answer may have been cut off."""
        there = await self._found(ids)
        return there | await self._found(set(ids) - there)

    async def _found(self, ids: Iterable[str]) -> set[str]:
        there: set[str] = set()
        left = sorted(ids, key=made_at)
        while left:
            first = made_at(left[0])
            part = [id_ for id_ in left[:IDS] if made_at(id_) <= first + APART_S]
            left = left[len(part) :]
            last = max(first, min(first - DAY_S + LONGEST_S, time.time()))
            asked: Window | None = Window(day_of(first - DAY_S), day_of(last))
            query = {"and": [{"operation": "IN", "field_name": "video_id", "field_values": part}]}
            while asked is not None:
                page = await self._api.videos(query, asked)
                there |= {id_of(item.get("id")) for item in page.items}
                asked = _next(asked, page.following, page.search_id)
        return there

    async def _below(self, video: str, ids: set[str]) -> set[str]:
        """Those of the comments of a video that are there."""
        found: set[str] = set()
        cursor: int | None = 0
        while cursor is not None and found != ids:
            page = await self._api.comments(video, cursor)
            found |= {id_ for item in page.items if (id_ := f"{video}_{id_of(item.get('id'))}") in ids}
            cursor = page.following
        return found


class _Pass:
    """One poll. `state` is the cursor that is right once everything that was yielded is safe."""

    def __init__(self, source: TikTokSource, api: TikTok, state: _Cursor) -> None:
        self._source = source
        self._api = api
        self._now = int(time.time() * 1000)
        self._met: set[str] = set()
        self._requests = self._forgotten = 0
        same = set(source.queries) == set(state.queries)
        known = state.until if set(source.queries) <= set(state.queries) else None  # a new query is looked for in the past too
        self.state = msgspec.structs.replace(
            state, queries=list(source.queries), until=known, windows=state.windows if same else []
        )

    def begin(self) -> None:
        """Begins a reading: from a few days before the last one, in searches of at most thirty days."""
        until, now = self.state.until, self._now // 1000
        back = max(OVERLAP_S, int(self._source.comments_for)) if self._source.comments else OVERLAP_S
        start = now - int(self._source.backfill) if until is None else min(until // 1000, now) - back
        windows, at = [], start
        while at <= now:
            windows.append(Window(day_of(at), day_of(min(at + LONGEST_S, now))))
            at = (at // DAY_S) * DAY_S + LONGEST_S + DAY_S
        self._met = set()
        self._change(began=self._now, first=(start // DAY_S) * DAY_S * 1000, windows=windows)

    async def search(self) -> AsyncGenerator[Batch, None]:
        """What the windows hold, page by page. A search that TikTok forgets is done again, day by day."""
        query = {"and": [{"operation": "IN", "field_name": "keyword", "field_values": self._source.queries}]}
        while self.state.windows:
            window, *others = self.state.windows
            if self._requests >= REQUESTS:
                raise SourceError(f"the search has more results than {REQUESTS} requests bring; make the queries narrower")
            self._requests += 1
            try:
                page = await self._api.videos(query, window)
            except DeadSearchError as dead:
                days = days_of(window)
                self._forgotten += len(days) == 1
                if self._forgotten > FORGOTTEN:
                    raise SourceError(f"{dead}, several times; it is tried again later") from dead
                _log.warning("search begins anew", source=self._source.name, why=str(dead), days=len(days))
                self._change(windows=[*days, *others])
                yield Batch(cursor=self.state.json)
                continue
            following = _next(window, page.following, page.search_id)
            posts, late = self._heard(page.items)
            self._change(windows=[following, *others] if following is not None else others)
            if not self.state.windows:
                self._change(until=self.state.began)
            yield Batch(posts=posts, cursor=self.state.json, late=late)

    @property
    def missing(self) -> list[str]:
        """The known videos of the days that were read which the search did not bring again."""
        return [id_ for id_, video in self.state.videos.items() if video.at >= self.state.first and id_ not in self._met]

    def without(self, gone: Sequence[str]) -> Batch:
        """Tells of videos that are gone."""
        self._change(videos={id_: video for id_, video in self.state.videos.items() if id_ not in gone})
        return Batch(cursor=self.state.json, deleted=[Gone(platform="tiktok", post=id_) for id_ in gone])

    async def comments(self) -> AsyncGenerator[Batch, None]:
        """The comments of young videos that have more or fewer than when they were read, as long as the quotas are not needed."""
        young = self._now - int(self._source.comments_for * 1000)
        for id_, video in sorted(self.state.videos.items(), key=lambda one: -one[1].at):
            if video.at < young or video.comments == video.read:
                continue
            if not await self._api.spare(SPARE):
                _log.info("comments wait for tomorrow's quota", source=self._source.name)
                return
            posts: list[Post] = []
            cursor: int | None = 0
            while cursor is not None:
                try:
                    page = await self._api.comments(id_, cursor)
                except RefusedError as refused:  # what is wrong with one video is not with the others
                    _log.warning("comments not read", source=self._source.name, video=id_, why=str(refused))
                    break
                read = (comment_post(item, id_, video.name, self._source.name) for item in page.items)
                posts += [post for post in read if post is not None]
                cursor = page.following
            new = sorted(unseen(posts, self.state.seen), key=lambda post: post.created_at or 0)
            for part in in_parts(new):
                self._change(seen=remember(reversed(part), self.state.seen, SEEN))
                if not part or part[-1] is new[-1]:
                    known = msgspec.structs.replace(video, read=video.comments)
                    self._change(videos=self.state.videos | {id_: known})
                yield Batch(posts=part, cursor=self.state.json)

    def _heard(self, items: Sequence[Mapping[str, Any]]) -> tuple[list[Post], int]:
        """What is new of a page, the oldest first, and how much of it is late; the state knows its videos from now on."""
        posts = {post.id: post for item in items if (post := video_post(item, self._source.name)) is not None}
        counts = {id_of(item.get("id")): item.get("comment_count") for item in items}
        self._met |= counts.keys()
        oldest = self._now - max(OVERLAP_S, int(self._source.comments_for)) * 1000
        videos = {id_: video for id_, video in self.state.videos.items() if video.at >= oldest - DAY_S * 1000}
        for id_, post in posts.items():
            known = videos.get(id_, _Video(post.created_at or self._now, post.author or ""))
            number = counts[id_]
            known = msgspec.structs.replace(known, comments=number) if type(number) is int and number >= 0 else known
            if known.at >= oldest:
                videos[id_] = known
        newest = sorted(videos.items(), key=lambda one: -one[1].at)[:VIDEOS]
        new = sorted(unseen(posts.values(), self.state.seen), key=lambda post: post.created_at or 0)
        covered, seen = self.state.until, self.state.seen
        late = sum(covered is not None and post.id not in seen and (post.created_at or self._now) < covered for post in new)
        self._change(videos=dict(newest), seen=remember(reversed(new), seen, SEEN))
        return new, late

    def _change(self, **fields: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)


def _next(window: Window, following: int | None, search_id: str) -> Window | None:
    if following is None:
        return None
    return msgspec.structs.replace(window, cursor=following, search_id=search_id or window.search_id)


def _access(source: TikTokSource) -> Access:
    missing = [name for name in ("approved", "client_key", "client_secret") if not getattr(source, name)]
    if missing:
        how = f"{ACCESS_HELP}; approved = true says that you have that"
        return Access(works="nothing without TikTok's approval", missing=f"{', '.join(missing)}: {how}", usable=False)
    below = ", and the comments below them, without their authors" if source.comments else ""
    return Access(works=f"videos whose description holds one of {len(source.queries)} queries{below}")


KIND = Kind(open=TikTokCollector, access=_access)
