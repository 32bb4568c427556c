"""The kind `reddit`, and Reddit without credentials: the public Atom feeds of new posts and of comments.

They hold only the newest entries, so a busy subreddit can outrun them; the API path of `reddit` pages back and does not have that
limit. Posts are the same either way, id, author and text, so changing over makes no mention twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from monitor.collectors.base import Access, Batch, Collector, Kind, SourceError
from monitor.collectors.budget import Budgets
from monitor.collectors.feed import FeedReader, FeedState, read_cursor
from monitor.collectors.http import Fetcher
from monitor.settings import RedditSource

LISTINGS = ("new", "comments")


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    feeds: dict[str, FeedState] = {}


class RedditFeedsCollector:
    """A source of kind `reddit` that has no client id."""

    def __init__(self, source: RedditSource) -> None:
        self._interval = source.interval
        self._fetcher = Fetcher(base_url=source.base_url, user_agent=source.user_agent)
        together = "+".join(source.subreddits)
        self._readers = {
            listing: FeedReader(
                self._fetcher,
                url=f"https://www.reddit.com/r/{together}/{listing}/.rss?limit=100",
                platform="reddit",
                source=source.name,
                reddit=True,
            )
            for listing in LISTINGS
        }

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Both feeds, one after the other; one that fails does not keep the other from being read. See `Collector.poll`."""
        feeds = read_cursor(cursor, _Cursor).feeds
        problem: SourceError | None = None
        for listing, reader in self._readers.items():
            try:
                async for reading in reader.read(feeds.get(listing, FeedState())):
                    feeds = feeds | {listing: reading.state}
                    text = msgspec.json.encode(_Cursor(feeds=feeds)).decode()
                    yield Batch(posts=reading.posts, cursor=text, gap=reading.gap)
            except SourceError as error:
                problem = problem or error
                if error.retry_after is not None:
                    break  # Reddit counts both feeds together
        if problem is not None:
            raise problem

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()


def _open(source: RedditSource, budgets: Budgets) -> Collector:
    if source.client_id is None or not source.client_id.get_secret_value():
        return RedditFeedsCollector(source)
    from monitor.collectors.reddit import RedditCollector  # noqa: PLC0415 - asyncpraw is large, and wanted only here

    return RedditCollector(source, budgets)


def _access(source: RedditSource) -> Access:
    if source.client_id is not None and source.client_id.get_secret_value():
        return Access(works="new posts and comments by the API, edits, and what is approved late")
    return Access(
        works="the newest posts and comments of the public feeds, without a look back",
        missing="client_id and client_secret: make an app of type script at reddit.com/prefs/apps and ask for API access there",
    )


KIND = Kind(open=_open, access=_access)
