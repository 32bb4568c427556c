"""Mastodon: public posts with chosen hashtags, of several servers.

The timelines of the hashtags are the ground: they are read forward from the newest post that was read, with an overlap, since a
post that comes late from another server is put back among the older ones. Where there is an access token the hashtags are
streamed besides, which is quick and tells of edits and deletions. But a stream replays nothing, and some servers leave posts out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Kind, SourceError, Span
from monitor.collectors.budget import Budgets, Rate, told_by
from monitor.collectors.feed import read_cursor
from monitor.collectors.http import Answer, Fetcher, place, read_json
from monitor.collectors.mastodon_record import Record
from monitor.collectors.mastodon_statuses import following, is_id, json_of, status_of
from monitor.collectors.mastodon_stream import HashtagStream, Heard, TokenRefusedError, streaming_base
from monitor.notices import Gone
from monitor.settings.sources.mastodon import MastodonSource
from monitor.times import now_ms
from monitor.words import Post

PAGE = 40
TOGETHER = 5  # hashtags that one timeline takes
OVERLAP_S = 600
WHOLE_EVERY_S = 3_600.0  # how often a whole day is read again
WHOLE_S = 86_400
MOST_PAGES = 2_000  # of one timeline in one go; a server that goes on for ever is stopped there
RATE = Rate(300, 300)  # requests and seconds, for an account or an address
LINGER_S = 0.1
AT_ONCE = 100  # streamed events in a batch
STALL_S = 180.0  # beyond the interval
_SNOWFLAKES = 10**16  # ids from here on hold the time, in milliseconds, above their lowest 16 bits
_log = structlog.get_logger()


class _Server(msgspec.Struct, frozen=True):
    """What a server says of itself: where it streams, and who may read hashtags (`public`, `authenticated`, `disabled`)."""

    streaming: str
    hashtags: str = "public"


class MastodonTimelines:
    """A source of kind `mastodon` without access tokens."""

    def __init__(self, source: MastodonSource, budgets: Budgets) -> None:
        self._source = source
        self._groups = [source.hashtags[at : at + TOGETHER] for at in range(0, len(source.hashtags), TOGETHER)]
        self._refused: set[str] = set()  # servers that do not take the token
        self._described: dict[str, _Server] = {}
        self._record = Record()
        self._fetchers = {
            server: Fetcher(
                base_url=source.base_url,
                budget=budgets.of("mastodon", f"{server} {source.token_of(server)}", rate=RATE),
            )
            for server in source.servers
        }

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Every timeline of every server; see `Collector.poll`. A server that fails is told of when the others are read."""
        self._record = record = read_cursor(cursor, Record)
        quiet = True
        async for batch in self._read_all(record):
            quiet = False
            yield batch
        if quiet:
            yield Batch(cursor=cursor or record.dump())

    async def close(self) -> None:
        """Closes the connections."""
        for fetcher in self._fetchers.values():
            await fetcher.close()

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """See `Verifies`. A post that none of the servers can be asked about counts as being there."""
        if not self._record.last:
            raise SourceError("no timeline was read yet, and posts are looked for by what was read")
        return {uri for uri in ids if await self._is_there(uri)}

    async def _is_there(self, uri: str) -> bool:
        places = self._record.places(uri, self._source.servers)
        own = next((server for server in self._source.servers if uri.startswith(f"{server}/")), None)
        if own is not None and is_id(uri.rpartition("/")[2]):
            places.insert(0, (own, uri.rpartition("/")[2]))
        if not places:
            return True
        server, id_ = places[0]
        answer = await self._ask(server, f"/api/v1/statuses/{id_}")
        if answer.status in (404, 410):
            return False
        status = read_json(answer)
        return not isinstance(status, dict) or status.get("visibility", "public") in ("public", "unlisted")

    async def _read_all(self, record: Record) -> AsyncGenerator[Batch, None]:
        failed: SourceError | None = None
        for server in self._source.servers:
            try:
                async for batch in self._read_server(record, server):
                    yield batch
            except SourceError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    async def _read_server(self, record: Record, server: str) -> AsyncGenerator[Batch, None]:
        about = await self._about(server)
        if about.hashtags == "disabled":
            raise SourceError(f"{place(server)} has switched hashtags' timelines off; take it out of servers")
        if about.hashtags == "authenticated" and not self._token(server):
            raise SourceError(f"{place(server)} shows hashtags only to those who sign in; {_how_to_get_a_token(server)}")
        whole = time.time() - record.whole.get(server, 0) > WHOLE_EVERY_S
        for group in self._groups:
            async for batch in self._read(record, server, group, WHOLE_S if whole else OVERLAP_S):
                yield batch
        if whole:
            record.whole[server] = time.time()
            yield Batch(cursor=record.dump())

    async def _read(self, record: Record, server: str, group: Sequence[str], overlap_s: int) -> AsyncGenerator[Batch, None]:
        """One timeline from where it was read to, less the overlap; the first time, its newest page and the last day."""
        name = "+".join(group)
        places = record.last.setdefault(server, {})
        began = places.get(name)
        after = None if began is None else _back(began, overlap_s)
        for _ in range(MOST_PAGES):
            raw, following_id = await self._page(server, group, after)
            ids = [one["id"] for one in raw if isinstance(one, dict) and is_id(one.get("id"))]
            newest = max(ids, key=_order, default=after or "0")
            posts, late = self._posts(record, server, raw, began)
            places[name] = max(newest, places.get(name, "0"), key=_order)
            if posts or places[name] != began:
                yield Batch(posts=posts, cursor=record.dump(), late=late)
            upto = max(following_id or newest, newest, key=_order)
            if after is None:
                upto = _back(newest, WHOLE_S)
            if not raw or _order(upto) <= _order(after or "0") or (after is None and upto == newest):
                return
            after = upto
        raise SourceError(f"{place(server)} gives page after page of #{group[0]} without an end; is it a Mastodon server?")

    def _posts(self, record: Record, server: str, raw: list[Any], began: str | None) -> tuple[list[Post], int]:
        """What of a page was not told yet, the oldest first; and how many of those stand before where it was read to."""
        posts, late = [], 0
        for one in reversed(raw):
            status = status_of(one, server, self._source.name)
            if status is None or record.is_gone(server, status.id):
                continue
            known = status.post.id in record.told
            post = record.newer(server, status)
            if post is not None:
                posts.append(post)
                late += not known and began is not None and _order(status.id) < _order(began)
        return posts, late

    async def _page(self, server: str, group: Sequence[str], after: str | None) -> tuple[list[Any], str | None]:
        query = [("limit", str(PAGE)), *(("any[]", tag) for tag in group[1:])]
        query += [("min_id", after)] if after is not None else []
        answer = await self._ask(server, f"/api/v1/timelines/tag/{quote(group[0])}?{urlencode(query)}")
        raw = read_json(answer)
        if not isinstance(raw, list):
            raise SourceError(f"{place(server)} answers with JSON that is no timeline; is it a Mastodon server?")
        return raw, following(answer.headers)

    async def _ask(self, server: str, path: str) -> Answer:
        """An answer that is not a refusal of the token or for haste. Raises SourceError."""
        token = self._token(server)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self._fetchers[server].get(f"{server}{path}", headers)
        if answer.status == 401 and token:
            raise self._refuses(server)
        if answer.status == 401:
            raise SourceError(f"{place(server)} answers only those who sign in (401); {_how_to_get_a_token(server)}")
        if answer.status == 429:
            told = told_by(answer.headers)
            wait = told.wait if told.wait is not None else told.reset
            raise SourceError(f"{place(server)} wants fewer requests (429); a longer interval helps", retry_after=wait)
        return answer

    def _token(self, server: str) -> str:
        return "" if server in self._refused else self._source.token_of(server)

    def _refuses(self, server: str) -> SourceError:
        """The token is no good: from now on it goes without."""
        self._refused.add(server)
        return SourceError(
            f"{place(server)} refuses the access token (401), so only its timelines are read; {_how_to_get_a_token(server)}"
        )

    async def _about(self, server: str) -> _Server:
        if server not in self._described:
            answer = await self._fetchers[server].get(f"{server}/api/v2/instance")
            told = json_of(answer.body) if answer.status == 200 else None
            streaming = _at(told, "configuration", "urls", "streaming")
            feeds = _at(told, "configuration", "timelines_access", "hashtag_feeds")
            who = {_at(feeds, "local"), _at(feeds, "remote")} - {None}
            hashtags = next((one for one in ("public", "authenticated", "disabled") if one in who), "public")
            self._described[server] = _Server(streaming_base(server, streaming), hashtags)
        return self._described[server]


class MastodonStream(MastodonTimelines):
    """A source of kind `mastodon` with an access token for one of its servers at least."""

    def __init__(self, source: MastodonSource, budgets: Budgets) -> None:
        super().__init__(source, budgets)
        self.stall_s = source.interval + STALL_S

    async def stream(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The streams, and every interval the timelines; see `Streamer.stream`.

        What is covered is said by the timelines alone: the streams may leave out what they like.
        """
        self._record = record = read_cursor(cursor, Record)
        heard: asyncio.Queue[Heard] = asyncio.Queue(AT_ONCE * 10)
        loop = asyncio.get_running_loop()
        async with self._streaming(heard) as streams:
            while True:
                began = now_ms()
                async for batch in self._read_all(record):
                    yield batch
                yield Batch(covered=Span(until=began))
                again = loop.time() + self._source.interval
                while loop.time() < again:
                    batch = await self._gather(heard, record, again)
                    if batch.posts or batch.deleted:
                        yield batch
                    for server, task in streams:
                        if task.done():
                            if isinstance(task.exception(), TokenRefusedError):
                                raise self._refuses(server)
                            task.result()

    @asynccontextmanager
    async def _streaming(self, heard: asyncio.Queue[Heard]) -> AsyncIterator[list[tuple[str, asyncio.Task[None]]]]:
        """The tasks that listen, by their servers. Opened before the timelines are read, so that nothing falls between."""
        streams: list[tuple[str, asyncio.Task[None]]] = []
        try:
            for server in self._source.servers:
                token = self._token(server)
                for tag in self._source.hashtags if token else ():
                    one = HashtagStream(
                        server=server,
                        base=(await self._about(server)).streaming,
                        base_url=self._source.base_url,
                        tag=tag,
                        token=token,
                        transport=self._source.transport,
                    )
                    streams.append((server, asyncio.create_task(one.run(heard))))
            yield streams
        finally:
            for _, task in streams:
                task.cancel()
            await asyncio.gather(*(task for _, task in streams), return_exceptions=True)

    async def _gather(self, heard: asyncio.Queue[Heard], record: Record, until: float) -> Batch:
        """What is streamed within a moment of the first of it."""
        posts: list[Post] = []
        deleted: list[Gone] = []
        loop = asyncio.get_running_loop()
        until = min(until, loop.time() + 1.0)
        try:
            async with asyncio.timeout_at(until) as limit:
                while len(posts) + len(deleted) < AT_ONCE:
                    server, event = await heard.get()
                    self._take(record, server, event.name, event.data, posts, deleted)
                    limit.reschedule(min(until, loop.time() + LINGER_S))
        except TimeoutError:
            pass
        return Batch(posts=posts, deleted=deleted, cursor=record.dump() if posts or deleted else None)

    def _take(self, record: Record, server: str, name: str, data: str, posts: list[Post], deleted: list[Gone]) -> None:
        if name == "delete":
            gone = record.gone(server, data.strip('" ')) if is_id(data.strip('" ')) else None
            deleted += [gone] if gone else []
        elif name in ("update", "status.update"):
            status = status_of(json_of(data), server, self._source.name)
            if status is not None and not record.is_gone(server, status.id):
                post = record.newer(server, status, edit=name == "status.update")
                posts += [post] if post else []


def _order(id_: str) -> tuple[int, str]:
    """By which ids of one server are older and newer: those of Mastodon are numbers, others sort as text."""
    return (int(id_), "") if id_.isdecimal() else (0, id_)


def _back(id_: str, seconds: int) -> str:
    """An id from so long before, where ids hold a time."""
    if not id_.isdecimal() or int(id_) < _SNOWFLAKES:
        return id_
    return str(int(id_) - (seconds * 1000 << 16))


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _how_to_get_a_token(server: str) -> str:
    return f"make an access token there (Preferences, Development, scope read:statuses) and set access_tokens for {place(server)}"


def _open(source: MastodonSource, budgets: Budgets) -> MastodonTimelines:
    return MastodonStream(source, budgets) if source.access_tokens else MastodonTimelines(source, budgets)


def _access(source: MastodonSource) -> Access:
    without = [server for server in source.servers if not source.token_of(server)]
    works = f"public posts with {len(source.hashtags)} hashtags"
    if not without:
        return Access(works=f"{works}, at once")
    hosts = ", ".join(urlsplit(server).netloc for server in without)
    missing = f"no access token for {hosts}: posts come at the next poll, and deletions late; {_how_to_get_a_token(without[0])}"
    return Access(works=f"{works}, by timelines every {source.interval:g} s", missing=missing)


KIND = Kind(open=_open, access=_access)
