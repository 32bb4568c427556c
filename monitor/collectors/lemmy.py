"""The kind `lemmy`: posts and comments that servers of Lemmy find for a query. A post heard by several servers is one post."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import urlsplit

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError, Span
from monitor.collectors.budget import Budgets, Rate
from monitor.collectors.feed import read_cursor
from monitor.collectors.http import MAX_LISTING, Fetcher
from monitor.collectors.lemmy_api import LemmyServer, Sort
from monitor.collectors.wire import in_parts, remember, unseen
from monitor.notices import Gone
from monitor.settings.sources.lemmy import LemmySource
from monitor.words import Post

SORTS: tuple[Sort, ...] = ("posts", "comments")
SEARCHES = Rate(60, 600)  # as servers have it by default
ITEMS = Rate(90, 60)  # half of it
PATIENCE_S = 120.0  # of verifying, which nobody waits for
OVERLAP_MS = 86_400_000  # servers hear of each other's posts late
PAGES = 20  # of one search
SEEN = 3_000
_log = structlog.get_logger()


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`until`: up to where (ms) each search of each server was read, by their names."""

    until: dict[str, int] = {}
    seen: dict[str, str] = {}


class LemmyCollector:
    """A source of kind `lemmy`."""

    def __init__(self, source: LemmySource, budgets: Budgets) -> None:
        self._source = source
        self._fetchers: list[Fetcher] = []
        self._servers = [self._server(host, budgets) for host in source.servers]
        self._verifying = [self._server(host, budgets, patience=PATIENCE_S) for host in source.servers]

    def _server(self, host: str, budgets: Budgets, patience: float = 15.0) -> LemmyServer:
        base = self._source.base_url
        limits = {"searches": SEARCHES, "items": ITEMS}
        made = [
            Fetcher(
                base_url=base,
                max_body=MAX_LISTING,
                budget=budgets.of("lemmy", f"{base or host} {what}", rate=rate, patience=patience),
            )
            for what, rate in limits.items()
        ]
        self._fetchers += made
        return LemmyServer(host, *made)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Every search of every server; one server that fails does not keep the others from being read. See `Collector.poll`."""
        began = int(time.time() * 1000)
        searches = [
            (server, query, sort, f"{server.host} {sort} {query}")
            for server in self._servers
            for query in self._source.queries
            for sort in SORTS
        ]
        state = read_cursor(cursor, _Cursor)
        names = {name for _, _, _, name in searches}
        state = msgspec.structs.replace(state, until={name: at for name, at in state.until.items() if name in names})
        problem: SourceError | None = None
        failed: set[str] = set()
        complete, first = True, began
        for server, query, sort, name in searches:
            if server.host in failed:
                continue
            covered = state.until.get(name)
            start = min(covered, began) - OVERLAP_MS if covered is not None else began - int(self._source.backfill * 1000)
            first = min(first, start)
            try:
                posts, gone, reached = await self._read(server, query, sort, start)
            except SourceError as error:
                problem = problem or error
                failed.add(server.host)
                continue
            gap = None
            if reached is not None:
                complete = False
                gap = Gap(
                    cause=f"{server.host} gives the newest {reached[1]} {sort} for {query!r} only", since=start, until=reached[0]
                )
                _log.warning("possible gap", source=self._source.name, server=server.host, read=reached[1])
            if covered is None:  # what is older than asked for is known from now on, and not heard
                old = [post for post in posts if (post.created_at or began) < start]
                state = msgspec.structs.replace(state, seen=remember(old, state.seen, SEEN))
            posts = unseen(posts, state.seen)
            late = sum(
                covered is not None and post.id not in state.seen and (post.created_at or began) < covered for post in posts
            )
            deleted = [Gone(platform="lemmy", post=id_) for id_ in gone if id_ in state.seen]
            seen = {id_: version for id_, version in state.seen.items() if id_ not in gone}
            state = _Cursor(until=state.until, seen=seen)
            for part in in_parts(posts):
                ends = {} if part and part[-1] is not posts[-1] else {name: began}
                state = _Cursor(until=state.until | ends, seen=remember(reversed(part), state.seen, SEEN))
                text = msgspec.json.encode(state).decode()
                yield Batch(posts=part, cursor=text, deleted=[] if not ends else deleted, gap=gap, late=late)
                gap, late = None, 0
        if problem is not None:
            raise problem
        if complete:
            yield Batch(cursor=msgspec.json.encode(state).decode(), covered=Span(since=first, until=began))

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those that at least one of the servers shows, the post's own first; see `Verifies`."""
        there: set[str] = set()
        for id_ in ids:
            home = urlsplit(id_).hostname
            for server in sorted(self._verifying, key=lambda one: one.host != home):
                if await server.has(id_):
                    there.add(id_)
                    break
        return there

    async def close(self) -> None:
        """Closes the connections."""
        for fetcher in self._fetchers:
            await fetcher.close()

    async def _read(
        self, server: LemmyServer, query: str, sort: Sort, start: int
    ) -> tuple[list[Post], set[str], tuple[int, int] | None]:
        """What a search has from `start` (ms) on, the oldest first, and a little more; what of it is deleted.

        And where the pages ended before `start` was reached: the time of the oldest result, and how many there were.
        """
        posts: list[Post] = []
        gone: set[str] = set()
        page: str | None = None
        oldest = int(time.time() * 1000)
        for _ in range(PAGES):
            found = await server.search(query, sort, page, self._source.name)
            posts += found.posts
            gone.update(found.deleted)
            oldest = min(oldest, found.oldest) if found.oldest is not None else oldest
            if found.following is None or found.oldest is None or found.oldest < start:
                return posts[::-1], gone, None
            page = found.following
        return posts[::-1], gone, (oldest, len(posts))


def _access(source: LemmySource) -> Access:
    return Access(works=f"posts and comments that {', '.join(source.servers)[:200]} can find; needs no credentials")


KIND = Kind(open=LemmyCollector, access=_access)
