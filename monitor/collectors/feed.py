"""Feeds: RSS, Atom, RDF and JSON Feed, fetched conditionally and told apart entry by entry.

A feed says nothing about what is new, so the cursor remembers every entry by a hash of its id and of its text: an unchanged entry
is not sent again, an edited one is, under the same id. Validators (ETag, Last-Modified) move on with the last batch only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from monitor import words
from monitor.collectors.base import Access, Batch, Gap, Hub, Kind, SourceError
from monitor.collectors.budget import Budgets
from monitor.collectors.feed_parse import Entry, Request, Result
from monitor.collectors.feed_process import parse_apart
from monitor.collectors.http import Answer, Fetcher, fresh_for, rebased, refusal
from monitor.settings import FeedSource
from monitor.words import Post

BATCH = 500
REMEMBERED = 1_000  # entries beyond those in the feed now, so that one that comes back is known
SIGHTINGS = 3  # of the same permanent redirect before it is believed
PUSHED_TIMES = 4  # the interval, between polls of a feed whose hub has left nothing out lately
PUSHED_LONGEST_S = 3_600.0
LOCAL_BELOW = 20  # characters of an id
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_log = structlog.get_logger()
State = TypeVar("State", bound=msgspec.Struct)


class FeedState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the reading of one feed got to.

    `seen` maps a hash of an entry's id to a hash of what was last sent of it. `pushed` is the same for what a hub sent since the
    last poll; `trusted` says that the hub has left nothing out lately.
    """

    url: str = ""
    etag: str | None = None
    modified: str | None = None
    body: str = ""
    moved: str | None = None
    sightings: int = 0
    seen: dict[str, str] = {}
    hub: Hub | None = None
    pushed: dict[str, str] = {}
    trusted: bool = False

    @property
    def known(self) -> dict[str, str]:
        """All that was sent, by polls and pushes."""
        return self.pushed | {name: sent for name, sent in self.seen.items() if name not in self.pushed}


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
        self._host = (urlsplit(url).hostname or "").removeprefix("www.")[:200]
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
        result = await self._parsed(answer.body, answer.headers.get("Content-Type", ""), answer.url)
        known = state.known
        there = [self._post(entry, known) for entry in result.entries]
        names = [_name(post) for post in there]
        gap: Gap | None = None
        # Where a hub has pushed all that is in the feed now, nothing is missing although all of it is new since the last poll.
        if state.body and there and not any(name in state.seen for name in names) and any(name not in known for name in names):
            gap = Gap(cause="none of the feed's entries was there at the last poll; a shorter interval helps")
            _log.warning("possible gap", source=self._source, entries=len(there))
        posts = _unsent(there, known)
        done = msgspec.structs.replace(
            _validated(state, answer, digest), hub=_hub(answer, result), pushed={}, trusted=state.trusted and not posts
        )
        while len(posts) > BATCH:
            part, posts = posts[:BATCH], posts[BATCH:]
            state = msgspec.structs.replace(state, seen=_remember(part, state.seen))
            yield Reading(posts=part, state=state, gap=gap)
            gap = None
        seen = _remember(there, state.known)
        yield Reading(posts=posts, state=msgspec.structs.replace(done, seen=seen), wait=wait, gap=gap)

    async def read_pushed(self, body: bytes, content_type: str, state: FeedState) -> AsyncIterator[Reading]:
        """What a hub sent, which may be a slice of the feed, read as `read` does. Raises SourceError."""
        result = await self._parsed(body, content_type, self._url)
        if state.url != self._url:
            state = FeedState(url=self._url, seen=state.seen)
        posts = _unsent([self._post(entry, state.known) for entry in result.entries], state.known)
        for start in range(0, len(posts), BATCH):
            part = posts[start : start + BATCH]
            state = msgspec.structs.replace(state, pushed=_remember(part, state.pushed), trusted=True)
            yield Reading(posts=part, state=state)
        if not posts:
            yield Reading(posts=[], state=msgspec.structs.replace(state, trusted=True))

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

    async def _parsed(self, body: bytes, content_type: str, url: str) -> Result:
        content_type = content_type[:200].encode("ascii", "ignore").decode()
        result = await parse_apart(body, Request(url=url, content_type=content_type, reddit=self._reddit))
        if result.error:
            raise SourceError(f"the address of {self._source} gives {result.error}; check the url")
        if result.left_out:
            _log.warning("feed is too long", source=self._source, left_out=result.left_out)
        return result

    def _post(self, entry: Entry, known: Mapping[str, str]) -> Post:
        return Post(
            platform=self._platform,
            id=self._id(entry.id, known),
            text=entry.text,
            url=entry.url,
            author=entry.author,
            created_at=entry.created_at,
            lang=entry.lang,
            source=self._source,
        )

    def _id(self, own: str, known: Mapping[str, str]) -> str:
        """The entry's id among all feeds: with the feed's host in front where others may well count 1, 2, 3 too.

        What was sent without the host, by an earlier exowatch, keeps the name that it has on record.
        """
        if self._reddit or not _is_local(own) or _digest(own.encode(), 8) in known:
            return own
        return f"{self._host}#{own}"


class FeedCollector:
    """A source of kind `feed`."""

    def __init__(self, source: FeedSource) -> None:
        self._interval = source.interval
        self._base_url = source.base_url
        self._may_push = source.websub
        self._hub: Hub | None = None
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
            self._hub = reading.state.hub
            least = self._interval * (PUSHED_TIMES if self.hub and reading.state.trusted else 1)
            wait = max(reading.wait or 0.0, min(least, max(self._interval, PUSHED_LONGEST_S)))
            yield Batch(
                posts=reading.posts,
                cursor=msgspec.json.encode(reading.state).decode(),
                wait=wait if wait > self._interval else None,
                gap=reading.gap,
            )

    @property
    def hub(self) -> Hub | None:
        """The feed's hub, under the source's `base_url` where it has one; see `Pushed`."""
        if self._hub is None or not self._may_push:
            return None
        base = self._base_url
        return Hub(rebased(self._hub.url, base), self._hub.topic, self._hub.private or base is not None)

    async def pushed(self, body: bytes, content_type: str, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What a hub sent; see `Pushed`."""
        async for reading in self._reader.read_pushed(body, content_type, read_cursor(cursor, FeedState)):
            yield Batch(posts=reading.posts, cursor=msgspec.json.encode(reading.state).decode())

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


def _name(post: Post) -> str:
    return _digest(post.id.encode(), 8)


def _unsent(there: Sequence[Post], known: Mapping[str, str]) -> list[Post]:
    """The posts (newest first) that were not sent as they are now, the last one of the feed first."""
    new = [post for post in reversed(there) if known.get(_name(post)) != post.version[:12]]
    return [msgspec.structs.replace(post, edited=_name(post) in known) for post in new]


def _is_local(own: str) -> bool:
    """Whether an id may well be used by other feeds too: a short one that is no URI and no UUID."""
    return len(own) < LOCAL_BELOW and not _URI.match(own)


def _hub(answer: Answer, result: Result) -> Hub | None:
    """Where the feed is pushed from: what the headers say goes before what the feed says."""
    links = answer.links
    url, topic = (links["hub"], links.get("self")) if "hub" in links else (result.hub, result.topic)
    if not url or urlsplit(url).scheme not in ("http", "https") or len(url) > words.MAX_URL:
        return None
    return Hub(url, (topic or result.topic or answer.url)[: words.MAX_URL], answer.private)


def _remember(posts: list[Post], seen: dict[str, str]) -> dict[str, str]:
    """`seen` with these posts in front, and as many older ones as are worth keeping."""
    fresh = {_name(post): post.version[:12] for post in posts}
    older = ((key, value) for key, value in seen.items() if key not in fresh)
    return fresh | dict(islice(older, REMEMBERED))
