"""YouTube's Data API v3: its calls, what each costs, what its errors mean, and its videos and comments as posts.

Searches have a quota of their own (100 a day); every other call is a unit of another one. Both begin anew at midnight in
California.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budget, Budgets, Cap
from monitor.collectors.html import one_line, tidy
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json
from monitor.collectors.wire import mapping, moment, objects, text
from monitor.settings.sources.youtube import YouTubeSource
from monitor.words import MAX_ID, MAX_NAME, MAX_TEXT, Post, compose_text

API = "https://www.googleapis.com/youtube/v3/"
ZONE = "America/Los_Angeles"
IDS = 50  # of one call
_SPENT = frozenset(("quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"))
_TOO_FAST = frozenset(("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"))
_TOO_FAST_S = 60.0
_KEY = frozenset(
    (
        "keyInvalid",
        "keyExpired",
        "API_KEY_INVALID",
        "accessNotConfigured",
        "SERVICE_DISABLED",
        "ipRefererBlocked",
        "API_KEY_SERVICE_BLOCKED",
    )
)
KEY_HELP = "make an API key at console.cloud.google.com, with YouTube Data API v3 switched on for its project"


class RefusedError(SourceError):
    """The API refused a call; `reason` is its own word for why."""

    def __init__(self, message: str, reason: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message, retry_after=retry_after, permanent=permanent)
        self.reason = reason


class NoSearchError(SourceError):
    """A search failed or cannot be afforded. What remains of the other quota is for comments, so it carries no wait."""


class YouTube:
    """The calls, within the key's budget. All raise SourceError."""

    def __init__(self, source: YouTubeSource, budgets: Budgets) -> None:
        self._key = source.key.get_secret_value() if source.key is not None else ""
        caps = (
            Cap(unit="searches", most=source.searches_per_day, zone=ZONE),
            Cap(unit="units", most=source.units_per_day, zone=ZONE),
        )
        self._budget: Budget = budgets.of("youtube", f"{source.base_url or ''} {self._key}", caps=caps)
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING, budget=self._budget)

    async def search(self, query: str, since_ms: int, page: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the newest videos since then, and the next page. Raises NoSearchError, or what is permanent."""
        params = {"part": "snippet", "q": query, "type": "video", "order": "date", "maxResults": IDS}
        after = dt.datetime.fromtimestamp(since_ms / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            return await self._page("search", params | {"publishedAfter": after}, page, "searches")
        except SourceError as error:
            if error.permanent:
                raise
            raise NoSearchError(str(error)) from error

    async def videos(self, ids: Sequence[str], part: str = "snippet,statistics,status") -> dict[str, dict[str, Any]]:
        """Those videos of at most 50 that are there, by id."""
        items, _ = await self._page("videos", {"part": part, "id": ",".join(ids), "maxResults": IDS}, None, "units")
        return {text(item.get("id")): item for item in items}

    async def threads(self, video: str, page: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """A page of a video's newest comment threads, and the next page."""
        params = {"part": "snippet,replies", "videoId": video, "order": "time", "textFormat": "plainText", "maxResults": 100}
        return await self._page("commentThreads", params, page, "units")

    async def replies(self, thread: str, pages: int) -> AsyncGenerator[dict[str, Any], None]:
        """All replies of a thread, as far as so many pages hold them."""
        params = {"part": "snippet", "parentId": thread, "textFormat": "plainText", "maxResults": 100}
        page: str | None = None
        for _ in range(pages):
            items, page = await self._page("comments", params, page, "units")
            for item in items:
                yield item
            if page is None:
                return

    async def comments(self, ids: Sequence[str]) -> set[str]:
        """The ids of those comments of at most 50 that are there."""
        items, _ = await self._page("comments", {"part": "id", "id": ",".join(ids)}, None, "units")
        return {text(item.get("id")) for item in items}

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    async def _page(
        self, path: str, params: Mapping[str, Any], page: str | None, unit: str
    ) -> tuple[list[dict[str, Any]], str | None]:
        if not self._key:
            raise SourceError(f"the source has no key; {KEY_HELP}, and set it as the source's key", permanent=True)
        asked = {**params, **({"pageToken": page} if page else {}), "key": self._key}
        answer = await self._fetcher.get(f"{API}{path}?{urlencode(asked)}", None, member="", **{unit: 1.0})
        if answer.status >= 400 and (reason := reason_of(answer)):
            raise await self._refused(reason, answer.status, unit)
        body = mapping(read_json(answer))
        if not isinstance(body.get("items"), list):
            raise SourceError("YouTube answers with JSON that is not a list of items; if this lasts, exowatch needs an update")
        following = text(body.get("nextPageToken"))
        return objects(body["items"]), following if following and len(following) <= 1_000 else None

    async def _refused(self, reason: str, status: int, unit: str) -> RefusedError:
        if reason in _SPENT:
            left = await self._budget.left(unit)
            await self._budget.add(unit, max(left, 0))  # others who share the key need not ask to learn it
            wait = until_midnight()
            return RefusedError(
                f"YouTube's quota of {unit} is spent; it goes on in {wait / 3600:.0f} h", reason, retry_after=wait
            )
        if reason in _TOO_FAST:
            return RefusedError("YouTube wants fewer requests; a longer interval helps", reason, retry_after=_TOO_FAST_S)
        if reason in _KEY:
            return RefusedError(f"YouTube does not accept the key ({reason}); {KEY_HELP}", reason, permanent=True)
        return RefusedError(f"YouTube refuses the request ({status}, {one_line(reason, 60)})", reason)


def reason_of(answer: Answer) -> str:
    """Google's word for what is wrong; '' where the answer holds none."""
    try:
        error = mapping(mapping(msgspec.json.decode(answer.body)).get("error"))
    except (ValueError, RecursionError):
        return ""
    named = [text(one.get("reason")) for one in (*objects(error.get("details")), *objects(error.get("errors")))]
    reasons = [reason for reason in named if reason and reason != "badRequest"]
    return reasons[0] if reasons else text(error.get("status"))


def until_midnight(now: dt.datetime | None = None) -> float:
    """Seconds until the quotas begin anew."""
    local = (now or dt.datetime.now(dt.UTC)).astimezone(ZoneInfo(ZONE))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    return max(1.0, midnight.timestamp() - local.timestamp())


def video_post(item: Mapping[str, Any], source: str) -> Post | None:
    """A video as a post: title and description. None for one that is private, or of another shape."""
    id_, snippet = text(item.get("id")), mapping(item.get("snippet"))
    said = compose_text(one_line(text(snippet.get("title")), MAX_TEXT), tidy(text(snippet.get("description"))))[:MAX_TEXT]
    if not is_id(id_) or not said or not is_public(item):
        return None
    return Post(
        platform="youtube",
        id=id_,
        text=said,
        url=f"https://www.youtube.com/watch?v={id_}",
        author=one_line(text(snippet.get("channelId")), MAX_NAME) or None,
        created_at=moment(snippet.get("publishedAt")),
        lang=text(snippet.get("defaultLanguage")) or None,
        source=source,
    )


def comment_post(item: Mapping[str, Any], video: str, source: str) -> Post | None:
    """A comment or reply as a post; None for one that is empty or of another shape."""
    id_, snippet = text(item.get("id")), mapping(item.get("snippet"))
    said = tidy(text(snippet.get("textDisplay")))
    if not is_id(id_) or not said:
        return None
    channel = text(mapping(snippet.get("authorChannelId")).get("value")) or text(snippet.get("authorDisplayName"))
    return Post(
        platform="youtube",
        id=id_,
        text=said,
        url=f"https://www.youtube.com/watch?v={video}&lc={id_}",
        author=one_line(channel, MAX_NAME) or None,
        created_at=moment(snippet.get("publishedAt")),
        source=source,
    )


def is_id(id_: str) -> bool:
    """Whether this can be an id of a video or comment: it goes into addresses."""
    return 0 < len(id_) <= min(MAX_ID, 128) and id_.isascii() and id_.replace("-", "").replace("_", "").replace(".", "").isalnum()


def is_public(item: Mapping[str, Any]) -> bool:
    """Whether a video is there for everybody, or at least for who has its link."""
    status = mapping(item.get("status"))
    return status.get("privacyStatus") != "private" and status.get("uploadStatus") not in ("deleted", "rejected", "failed")
