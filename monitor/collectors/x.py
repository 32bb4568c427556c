"""The kind `x`: posts that X's recent search finds, for so much money a day and a month.

Each post read costs, so what was read is not read again: a search that ended with the money goes on at its page.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError, Span
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import read_cursor
from monitor.collectors.wire import remember, unseen
from monitor.collectors.x_api import ACCESS_HELP, QueryError, TokenError, X, is_id, post_of
from monitor.settings.sources.x import XSource
from monitor.words import Post

BEHIND_S = 30  # the search knows what is so old
OVERLAP_S = 30
REACH_S = 7 * 86_400 - 300  # how far the search goes back, and a little less
IDS = 100  # of one lookup
LOOKED_S = 2 * 86_400  # how long what a lookup said is good
SEEN = 4_000
_log = structlog.get_logger()


class _Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """A search that is being read, from `since` to `until` (Unix seconds), the newest first: `top` to `oldest` is."""

    since: int
    until: int
    top: int
    oldest: int
    token: str = ""


class _Query(msgspec.Struct, frozen=True, omit_defaults=True):
    """Up to where a query was read (Unix seconds), and what is being read beyond."""

    until: int
    window: _Window | None = None


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    queries: dict[str, _Query] = {}
    seen: dict[str, str] = {}

    @property
    def json(self) -> str:
        """The cursor as it is kept."""
        return msgspec.json.encode(self).decode()


class XCollector:
    """A source of kind `x`."""

    def __init__(self, source: XSource, budgets: Budgets) -> None:
        self._source = source
        self._api = X(source, budgets)
        # What lookups said, and when: one that ends with the money must not be paid for again.
        self._looked: dict[str, tuple[bool, float]] = {}

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Every query, the one that is farthest behind first; one that X refuses does not keep others from being read."""
        one = _Pass(self._source, self._api, read_cursor(cursor, _Cursor))
        problem: QueryError | None = None
        for query in one.order:
            try:
                async for batch in one.read(query):
                    yield batch
            except QueryError as error:
                problem = problem or error
        if problem is not None:
            raise problem
        yield Batch(cursor=one.state.json, covered=Span(since=one.first * 1000, until=one.until * 1000))

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those posts that X still shows to everybody; see `Verifies`. Each look costs what reading the post costs."""
        now = time.time()
        self._looked = {id_: look for id_, look in self._looked.items() if now - look[1] < LOOKED_S}
        while left := [id_ for id_ in ids if is_id(id_) and id_ not in self._looked]:
            said = await self._api.lookup(left[:IDS])
            self._looked |= {id_: (there, now) for id_, there in said.items()}
        return {id_ for id_ in ids if id_ in self._looked and self._looked[id_][0]}

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()


class _Pass:
    """One poll. `state` is the cursor that is right once everything that was yielded is safe."""

    def __init__(self, source: XSource, api: X, state: _Cursor) -> None:
        self._source = source
        self._api = api
        self.until = int(time.time()) - BEHIND_S
        self._reach = int(time.time()) - REACH_S
        self.first = self.until
        known = {query: state.queries[query] for query in source.queries if query in state.queries}
        self._new = [query for query in source.queries if query not in known]
        back = self.until - int(source.backfill)
        self.state = msgspec.structs.replace(state, queries=known | {query: _Query(back) for query in self._new})

    @property
    def order(self) -> list[str]:
        """The queries: where money is short none starves."""
        return sorted(self._source.queries, key=lambda query: self.state.queries[query].until)

    async def read(self, query: str) -> AsyncGenerator[Batch, None]:
        """What is left of a search that broke off, then what came since."""
        if self.state.queries[query].window is not None:
            async for batch in self._window(query):
                yield batch
        done = self.state.queries[query].until
        since = done - (0 if query in self._new else OVERLAP_S)
        if self.until > since:
            self._set(query, _Query(done, _Window(since, self.until, self.until, self.until)))
            async for batch in self._window(query):
                yield batch

    async def _window(self, query: str) -> AsyncGenerator[Batch, None]:
        gap = self._reachable(query)
        if gap is not None and self.state.queries[query].window is None:
            yield Batch(cursor=self.state.json, gap=gap)
        while (window := self.state.queries[query].window) is not None:
            self.first = min(self.first, window.since)
            covered = self.state.queries[query].until
            try:
                page = await self._api.search(query, window.since, window.until, window.token)
            except TokenError as dead:
                if not window.token or window.until == window.oldest + 1:
                    raise SourceError(f"{dead}; it is tried again later") from dead
                self._set(query, _Query(covered, _by_time(window)))
                continue
            posts = [post for item in page.items if (post := post_of(item, self._source.name)) is not None]
            posts.sort(key=lambda post: post.created_at or 0)
            made = [max(post.created_at // 1000, window.since) for post in posts if post.created_at is not None]
            oldest = min([window.oldest, *made])
            following = msgspec.structs.replace(window, oldest=oldest, token=page.following) if page.following else None
            self._set(query, _Query(covered if following else max(covered, window.top), following))
            new, late = self._heard(posts, None if query in self._new else covered)
            yield Batch(posts=new, cursor=self.state.json, gap=gap, late=late)
            gap = None

    def _reachable(self, query: str) -> Gap | None:
        """Cuts off of a window what the search does not reach any more, and says so."""
        known = self.state.queries[query]
        if known.window is None or known.window.since >= self._reach:
            return None
        _log.warning("possible gap", source=self._source.name, query=query)
        window = _by_time(known.window)
        within = msgspec.structs.replace(window, since=self._reach) if window.until > self._reach else None
        self._set(query, _Query(known.until if within else max(known.until, window.top), within))
        cause = f"the search for {query[:60]!r} stood still for longer than the seven days that X searches"
        return Gap(cause=cause, since=window.since * 1000, until=min(window.until, self._reach) * 1000)

    def _heard(self, posts: list[Post], covered: int | None) -> tuple[list[Post], int]:
        """What is new of a page, and how much of it is late; the state knows it from now on."""
        new, seen = unseen(posts, self.state.seen), self.state.seen
        late = sum(
            covered is not None and post.id not in seen and (post.created_at or covered * 1000) < covered * 1000 for post in new
        )
        self._change(seen=remember(reversed(new), seen, SEEN))
        return new, late

    def _set(self, query: str, known: _Query) -> None:
        self._change(queries=self.state.queries | {query: known})

    def _change(self, **fields: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)


def _by_time(window: _Window) -> _Window:
    """What is left of a window, without its next page; the second in which it broke off is read again."""
    return msgspec.structs.replace(window, until=window.oldest + 1, token="") if window.token else window


def _access(source: XSource) -> Access:
    if source.bearer_token is None or not source.bearer_token.get_secret_value():
        return Access(works="nothing without a token", missing=f"bearer_token: {ACCESS_HELP}", usable=False)
    cost = f"at most {source.daily_cap:g} US dollars a day and {source.monthly_cap:g} a month"
    return Access(works=f"posts of the last seven days that {len(source.queries)} searches find, for {cost}")


KIND = Kind(open=XCollector, access=_access)
