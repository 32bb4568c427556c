"""Reddit by its API: new posts and comments of chosen subreddits.

asyncpraw signs in and sends the requests; the polling is our own. Its stream reads one page a poll from an anchor, which loses
what arrives in a burst and what moderators approve late. Here a poll pages back until it meets what the cursor has seen, and the
seen ids, not a place in the listing, decide what is new. Once an hour it reads the whole listing for posts approved late.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpraw
import msgspec
import structlog

from monitor import words
from monitor.collectors import reddit_text
from monitor.collectors.base import Batch, Gap, SourceError
from monitor.collectors.budget import Budgets, Rate, Told
from monitor.collectors.feed import read_cursor
from monitor.collectors.http import BoundedResponse
from monitor.collectors.reddit_errors import FAILURES, explain
from monitor.net import connector
from monitor.settings import RedditSource
from monitor.words import Post

LISTINGS = ("new", "comments")
PAGE = 100
DEPTH = 1_000  # posts after which Reddit's listings end
SEEN = 2_000  # per listing: a whole listing, and as much again that has left it
BATCH = 500
RECONCILE = 3_600.0  # seconds between readings of a whole listing
REQUEST_TIMEOUT = 30.0  # seconds; asyncpraw's own setting has no effect on API calls
RATE = Rate(100, 60)  # of one client id
LONGEST_PAUSE = 15.0  # seconds that a poll waits for the rate limit; beyond it the poll ends and says when to come back
_FULLNAME = re.compile(r"t[13]_[a-z0-9]{1,16}")
_log = structlog.get_logger()


class _Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one listing got to. `seen`: fullnames, newest first, each with a short hash of the text that was sent."""

    seen: dict[str, str] = {}
    whole: float = 0.0  # when it was last read to its end, in seconds since 1970


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    subreddits: str = ""
    listings: dict[str, _Listing] = {}


class RedditCollector:
    """A source of kind `reddit` with a client id. `timeout`: seconds for one request."""

    def __init__(self, source: RedditSource, budgets: Budgets | None = None, *, timeout: float = REQUEST_TIMEOUT) -> None:
        self._source = source
        client_id = source.client_id.get_secret_value() if source.client_id else ""
        self._budget = (budgets or Budgets()).of("reddit", client_id, rate=RATE, patience=LONGEST_PAUSE)
        self._timeout = timeout
        self._together = "+".join(source.subreddits)
        self._reddit: asyncpraw.Reddit | None = None

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Both listings, the oldest new post first; see `Collector.poll`.

        The cursor of every batch claims what was yielded up to there and nothing newer, so that a crash repeats and never loses.
        """
        state = read_cursor(cursor, _Cursor)
        if state.subreddits != self._together:  # of others nothing has been read to its end, and that is no gap
            listings = {name: _Listing(seen=listing.seen) for name, listing in state.listings.items()}
            state = _Cursor(subreddits=self._together, listings=listings)
        for name in LISTINGS:
            listing = state.listings.get(name, _Listing())
            posts, whole, gap, late = await self._read(name, listing)
            while True:
                part, posts = posts[:BATCH], posts[BATCH:]
                listing = _Listing(seen=_remember(part, listing.seen), whole=listing.whole if posts else whole)
                state = msgspec.structs.replace(state, listings=state.listings | {name: listing})
                text = msgspec.json.encode(state).decode()
                yield Batch(posts=part, cursor=text, wait=self._budget_wait(), gap=gap, late=late)
                gap, late = None, 0
                if not posts:
                    break

    async def close(self) -> None:
        """Closes the connections."""
        if self._reddit is not None:
            await self._reddit.close()
            self._reddit = None

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those of the posts that are neither deleted, removed nor orphaned by a deleted account; see `Verifies`."""
        answer = await self._ask("api/info/", {"id": ",".join(ids), "limit": PAGE})
        children, _ = _listing_of(answer)
        there: set[str] = set()
        for child in children:
            data = child.get("data") if isinstance(child, dict) else None
            post = post_of(data, self._source.name) if isinstance(data, dict) else None
            if post is not None and post.author is not None:
                there.add(post.id)
        return there

    async def _read(self, name: str, listing: _Listing) -> tuple[list[Post], float, Gap | None, int]:
        """What a listing has that was not sent, oldest first; when it was last read whole; a gap, if there may be one; and how
        many stood behind posts that were known, as what is approved late does."""
        to_the_end = time.time() - listing.whole > RECONCILE
        found: dict[str, Post] = {}
        after: str | None = None
        met, read, late = False, 0, 0
        while read < DEPTH:
            children, after = await self._page(name, after)
            read += len(children)
            for post in filter(None, map(self._post, children)):
                late += met and post.id not in listing.seen and post.id not in found
                met = met or post.id in listing.seen
                found.setdefault(post.id, post)
            if after is None or not children or (met and not to_the_end):
                break
        gap = None
        if listing.whole and not met and read >= DEPTH - PAGE:
            gap = Gap(cause=f"/{name} of r/{self._together} moved on by more than the {read} posts that Reddit lists")
            _log.warning("possible gap", source=self._source.name, listing=name, read=read)
        new = [post for post in reversed(found.values()) if listing.seen.get(post.id) != post.version[:8]]
        posts = [msgspec.structs.replace(post, edited=post.edited or post.id in listing.seen) for post in new]
        return posts, time.time() if to_the_end else listing.whole, gap, late if listing.whole else 0

    async def _page(self, name: str, after: str | None) -> tuple[list[Any], str | None]:
        """One page of a listing, and the fullname to go on after. Raises SourceError."""
        params: dict[str, str | int] = {"limit": PAGE} | ({"after": after} if after else {})
        path = f"r/{self._together}/comments/" if name == "comments" else f"r/{self._together}/new"
        return _listing_of(await self._ask(path, params))

    async def _ask(self, path: str, params: dict[str, str | int]) -> Any:
        """The answer to one request. Raises SourceError."""
        pause = self._pause()
        if pause > LONGEST_PAUSE:
            raise SourceError(f"Reddit's rate limit is used up for another {pause:.0f} s", retry_after=pause)
        await self._budget.take()
        what = f"r/{self._together}"
        try:
            async with asyncio.timeout(self._timeout + pause):
                answer = await self._client().request(method="GET", path=path, params=params)
        except FAILURES as error:
            problem = explain(error, what=what, seconds=self._timeout)
            await self._budget.told(Told(wait=problem.retry_after))
            raise problem from error
        core = self._reddit._core if self._reddit is not None else None
        left = core.rate_limiter.remaining if core is not None else None
        await self._budget.told(Told(left=None if left is None else float(left)), well=True)
        return answer

    def _client(self) -> asyncpraw.Reddit:
        """The client, made inside the running loop. Everything is given, so that no praw.ini and no environment can add to it."""
        if self._reddit is None:
            base, id_, secret = self._source.base_url, self._source.client_id, self._source.client_secret
            session = aiohttp.ClientSession(
                connector=connector(allow_private=base is not None),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=BoundedResponse,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
            )
            self._reddit = asyncpraw.Reddit(
                client_id=id_.get_secret_value() if id_ else None,
                client_secret=secret.get_secret_value() if secret else None,
                user_agent=self._source.user_agent,
                reddit_url=base or "https://www.reddit.com",
                oauth_url=base or "https://oauth.reddit.com",
                username=None,
                password=None,
                refresh_token=None,
                redirect_uri=None,
                check_for_updates=False,
                requestor_kwargs={"session": session},
            )
            self._reddit.read_only = True
        return self._reddit

    def _pause(self) -> float:
        """Seconds that asyncprawcore would sleep before the next request."""
        core = self._reddit._core if self._reddit is not None else None  # its public `limits` leaves this one out
        due = core.rate_limiter.next_request_timestamp_ns if core is not None else None
        return max(0.0, (due - time.monotonic_ns()) / 1e9) if due else 0.0

    def _budget_wait(self) -> float | None:
        """Seconds until the rate limit allows more, where that is longer than the source's interval."""
        pause = self._pause()
        return pause if pause > max(LONGEST_PAUSE, self._source.interval) else None

    def _post(self, child: Any) -> Post | None:
        data = child.get("data") if isinstance(child, dict) else None
        return post_of(data, self._source.name) if isinstance(data, dict) else None


def _listing_of(answer: Any) -> tuple[list[Any], str | None]:
    """The children of a listing, and the fullname to go on after. Raises SourceError for anything else."""
    data = answer.get("data") if isinstance(answer, dict) else None
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(children, list):
        raise SourceError("Reddit answers with JSON that is not a listing; if this lasts, exowatch needs an update")
    following = data.get("after") if isinstance(data, dict) else None
    return children, following if isinstance(following, str) and _FULLNAME.fullmatch(following) else None


def post_of(data: dict[str, Any], source: str) -> Post | None:
    """A submission or comment of the API as a post; None for one that is deleted, removed, empty or of another shape.

    What is removed is not remembered as seen either: a moderator may approve it later.
    """
    name = _string(data.get("name"))
    if not _FULLNAME.fullmatch(name) or data.get("removed_by_category"):
        return None
    field, title = ("selftext", _string(data.get("title"))) if name.startswith("t3_") else ("body", "")
    html = _string(data.get(f"{field}_html"))
    body = reddit_text.written(html) if html else reddit_text.from_markdown(_string(data.get(field)))
    text = reddit_text.text_of(title, body)
    if text is None:
        return None
    permalink = _string(data.get("permalink"))
    return Post(
        platform="reddit",
        id=name,
        text=text,
        url=f"https://www.reddit.com{permalink}" if _is_path(permalink) else None,
        author=reddit_text.author_of(_string(data.get("author"))),
        created_at=_moment(data.get("created_utc")),
        source=source,
        edited=bool(data.get("edited")),
    )


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_path(permalink: str) -> bool:
    if not permalink.startswith("/r/") and not permalink.startswith("/user/"):
        return False
    good = len(permalink) < words.MAX_URL - 32 and not any(char.isspace() or ord(char) < 32 for char in permalink)
    return good and urlsplit(permalink).path.startswith("/")


def _moment(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 2**40:
        return None
    return round(value * 1000)


def _remember(posts: list[Post], seen: dict[str, str]) -> dict[str, str]:
    """`seen` with these posts (oldest first) in front, bounded."""
    fresh = {post.id: post.version[:8] for post in reversed(posts)}
    older = ((key, value) for key, value in seen.items() if key not in fresh)
    return fresh | dict(islice(older, max(0, SEEN - len(fresh))))
