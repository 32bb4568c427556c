"""Feeds: RSS, Atom, RDF and JSON Feed, fetched conditionally and told apart entry by entry.

A feed says nothing about what is new, so the cursor remembers every entry by a hash of its id and of its text: an unchanged entry
is not sent again, an edited one is, under the same id. Validators (ETag, Last-Modified) move on with the last batch only.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError
from monitor.collectors.budget import Budgets
from monitor.collectors.feed_parse import Entry, Request
from monitor.collectors.feed_process import parse_apart
from monitor.collectors.http import Answer, Fetcher, fresh_for, refusal
from monitor.settings import FeedSource
from monitor.words import Post

BATCH = 500
REMEMBERED = 1_000  # entries beyond those in the feed now, so that one that comes back is known
SIGHTINGS = 3  # of the same permanent redirect before it is believed
_log = structlog.get_logger()
State = TypeVar("State", bound=msgspec.Struct)


class FeedState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the reading of one feed got to. `seen` maps a hash of an entry's id to a hash of what was last sent of it."""

    url: str = ""
    etag: str | None = None
    modified: str | None = None
    body: str = ""
    moved: str | None = None
    sightings: int = 0
    seen: dict[str, str] = {}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Some posts of a feed, and its state once they are in the stream. `wait` and `gap` as in `Batch`."""

    posts: list[Post]
    state: FeedState
    wait: float | None = None
    gap: Gap | None = None


class FeedReader:
    """One feed address. Keeps nothing between reads but what is in the state."""

    def __init__(self, fetcher: Fetcher, *, url: str, platform: str, source: str, reddit: bool = False) -> None:
        self._fetcher = fetcher
        self._url = url
        self._platform = platform
        self._source = source
        self._reddit = reddit

    async def read(self, state: FeedState) -> AsyncIterator[Reading]:
        """What is new or edited since `state`, the last entry of the feed first, at least one Reading. Raises SourceError."""
        if state.url != self._url:  # the operator gave the source another address: validators of the old one mean nothing
            state = FeedState(url=self._url, seen=state.seen)
        answer, state = await self._fetch(state)
        wait = fresh_for(answer.headers)
        digest = _digest(answer.headers.get("Content-Type", "").encode("utf-8", "replace") + b"\n" + answer.body, 16)
        if answer.status == 304 or digest == state.body:
            yield Reading(posts=[], state=state if answer.status == 304 else _validated(state, answer, digest), wait=wait)
            return
        entries = await self._entries(answer)
        gap: Gap | None = None
        if state.body and entries and not any(_digest(entry.id.encode(), 8) in state.seen for entry in entries):
            gap = Gap(cause="none of the feed's entries was there at the last poll; a shorter interval helps")
            _log.warning("possible gap", source=self._source, entries=len(entries))
        posts = [self._post(entry) for entry in reversed(entries)]
        posts = [post for post in posts if state.seen.get(_digest(post.id.encode(), 8)) != post.version[:12]]
        done = _validated(state, answer, digest)
        while len(posts) > BATCH:
            part, posts = posts[:BATCH], posts[BATCH:]
            state = msgspec.structs.replace(state, seen=_remember(part, state.seen))
            yield Reading(posts=part, state=state, gap=gap)
            gap = None
        seen = _remember([self._post(entry) for entry in entries], state.seen)
        yield Reading(posts=posts, state=msgspec.structs.replace(done, seen=seen), wait=wait, gap=gap)

    async def _fetch(self, state: FeedState) -> tuple[Answer, FeedState]:
        """The answer (200 or 304) and what it teaches about the feed's address."""
        validators = {"If-None-Match": state.etag, "If-Modified-Since": state.modified}
        headers = {"Accept": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"}
        headers |= {name: value for name, value in validators.items() if value}
        if state.moved and state.sightings >= SIGHTINGS:
            try:
                answer = await self._fetcher.get(state.moved, headers)
                problem = refusal(answer)
            except SourceError as error:
                problem = error
            if problem is None:
                return answer, state
            if problem.retry_after is not None:
                raise problem
            state = msgspec.structs.replace(state, moved=None, sightings=0)  # the new address is no good: back to the operator's
        answer = await self._fetcher.get(self._url, headers)
        if problem := refusal(answer):
            raise problem
        sightings = state.sightings + 1 if answer.moved and answer.moved == state.moved else int(answer.moved is not None)
        if sightings == SIGHTINGS:
            _log.info("feed has moved", source=self._source, host=urlsplit(answer.url).hostname)
        moved = answer.moved if answer.moved and len(answer.moved) <= 2048 and answer.moved.isascii() else None
        return answer, msgspec.structs.replace(state, moved=moved, sightings=sightings)

    async def _entries(self, answer: Answer) -> list[Entry]:
        content_type = answer.headers.get("Content-Type", "")[:200].encode("ascii", "ignore").decode()
        result = await parse_apart(answer.body, Request(url=answer.url, content_type=content_type, reddit=self._reddit))
        if result.error:
            raise SourceError(f"the address of {self._source} gives {result.error}; check the url")
        if result.left_out:
            _log.warning("feed is too long", source=self._source, left_out=result.left_out)
        return result.entries

    def _post(self, entry: Entry) -> Post:
        return Post(
            platform=self._platform,
            id=entry.id,
            text=entry.text,
            url=entry.url,
            author=entry.author,
            created_at=entry.created_at,
            lang=entry.lang,
            source=self._source,
        )


class FeedCollector:
    """A source of kind `feed`."""

    def __init__(self, source: FeedSource) -> None:
        self._interval = source.interval
        self._fetcher = Fetcher(base_url=source.base_url, user_agent=source.user_agent)
        self._reader = FeedReader(
            self._fetcher,
            url=source.url,
            platform=source.platform,
            source=source.name,
            reddit=source.platform == "reddit",  # such as a search feed of Reddit's: the same ids and texts as by `reddit`
        )

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One conditional fetch; see `Collector.poll`."""
        async for reading in self._reader.read(read_cursor(cursor, FeedState)):
            yield Batch(
                posts=reading.posts,
                cursor=msgspec.json.encode(reading.state).decode(),
                wait=reading.wait if reading.wait is not None and reading.wait > self._interval else None,
                gap=reading.gap,
            )

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()


def _open(source: FeedSource, _: Budgets) -> FeedCollector:
    return FeedCollector(source)


def _access(source: FeedSource) -> Access:  # noqa: ARG001 - a feed is open to all
    return Access(works="every entry of the feed")


KIND = Kind(open=_open, access=_access)


def read_cursor(cursor: str | None, kind: type[State]) -> State:
    """The state in a cursor; a fresh one where there is none or it is of another kind or an older version."""
    try:
        return msgspec.json.decode(cursor or "{}", type=kind)
    except msgspec.MsgspecError:
        return kind()


def _digest(data: bytes, size: int) -> str:
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def _validated(state: FeedState, answer: Answer, digest: str) -> FeedState:
    """The state with the validators of this answer. Only plain ones are kept: an odd one could not be sent back byte for byte."""

    def plain(value: str | None) -> str | None:
        return value if value and len(value) <= 1_000 and value.isascii() and value.isprintable() else None

    etag, modified = plain(answer.headers.get("ETag")), plain(answer.headers.get("Last-Modified"))
    return msgspec.structs.replace(state, etag=etag, modified=modified, body=digest)


def _remember(posts: list[Post], seen: dict[str, str]) -> dict[str, str]:
    """`seen` with these posts in front, and as many older ones as are worth keeping."""
    fresh = {_digest(post.id.encode(), 8): post.version[:12] for post in posts}
    older = ((key, value) for key, value in seen.items() if key not in fresh)
    return fresh | dict(islice(older, REMEMBERED))
