"""Reading a search by time that gives only so many results and has no pages: by windows, halved until each holds all it has.

The oldest window is read first, so that the cursor can follow and a long catch-up goes on where it broke off. Each poll reads
again what was made shortly before the last one: indexes are late, and people edit.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import msgspec

from monitor.collectors.base import Batch, Gap, SourceError, Span
from monitor.collectors.feed import read_cursor
from monitor.collectors.wire import in_parts, remember, unseen
from monitor.words import Post

SEEN = 3_000
MOST = 500  # requests of one poll


class Found(msgspec.Struct, frozen=True):
    """What a window holds. `full`: there may be more in it than the search gave."""

    posts: list[Post]
    full: bool


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Up to where (Unix seconds) each query was read, and what was sent."""

    until: dict[str, int] = {}
    seen: dict[str, str] = {}


Ask = Callable[[str, int, int], Awaitable[Found]]


async def read(
    cursor: str | None, queries: Sequence[str], ask: Ask, *, backfill: float, overlap: int, shortest: int
) -> AsyncGenerator[Batch, None]:
    """What is new since the cursor, query by query; see `Collector.poll`. Times and lengths are in seconds.

    `ask(query, since, until)` searches a window that begins with `since` and ends before `until`. The first poll looks `backfill`
    back, each later one `overlap` behind where the last ended. No window is shorter than `shortest`.
    """
    began = int(time.time())
    state = read_cursor(cursor, State)
    state = msgspec.structs.replace(state, until={query: at for query, at in state.until.items() if query in queries})
    starts = {query: _start(state.until.get(query), began, backfill, overlap) for query in queries}
    complete, asked = True, 0
    for query in queries:
        covered = state.until.get(query)
        windows = [(starts[query], began)]
        while windows:
            since, until = windows.pop()
            if asked >= MOST:
                raise SourceError(f"the search for {query!r} has more results than {MOST} requests bring; make it narrower")
            found = await ask(query, since, until)
            asked += 1
            if found.full and until - since >= 2 * shortest:
                middle = (since + until) // 2
                windows += [(middle, until), (since, middle)]
                continue
            gap = None
            if found.full:
                complete = False
                cause = f"the search for {query!r} had more results in {until - since} s than it gives"
                gap = Gap(cause=cause, since=since * 1000, until=until * 1000)
            posts = sorted(unseen(found.posts, state.seen), key=lambda post: post.created_at or 0)
            late = sum(_is_late(post, covered, state.seen) for post in posts)
            for part in in_parts(posts):
                ends = {} if part and part[-1] is not posts[-1] else {query: max(until, covered or 0)}
                state = State(until=state.until | ends, seen=remember(reversed(part), state.seen, SEEN))
                yield Batch(posts=part, cursor=msgspec.json.encode(state).decode(), gap=gap, late=late)
                gap, late = None, 0
    if complete:
        text = msgspec.json.encode(state).decode()
        yield Batch(cursor=text, covered=Span(since=min(starts.values()) * 1000, until=began * 1000))


def _start(covered: int | None, began: int, backfill: float, overlap: int) -> int:
    if covered is None:
        return began - max(int(backfill), 1)
    return max(0, min(covered, began) - overlap)


def _is_late(post: Post, covered: int | None, seen: dict[str, str]) -> bool:
    if covered is None or post.id in seen:
        return False
    return post.created_at is not None and post.created_at < covered * 1000
