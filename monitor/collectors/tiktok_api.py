"""TikTok's Research API: its calls, what each costs, what its errors mean, and its videos and comments as posts.

A client may make so many requests a day and be given so many records, from midnight to midnight UTC; requests that fail count
too.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budget, Budgets, Cap, Rate
from monitor.collectors.html import one_line, tidy
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json
from monitor.collectors.wire import mapping, objects, seconds, text
from monitor.settings.sources.tiktok import TikTokSource
from monitor.waits import wait_of
from monitor.words import MAX_NAME, MAX_TEXT, Post, compose_text

API = "https://open.tiktokapis.com/v2/"
LOGIN = f"{API}oauth/token/"
VIDEO_FIELDS = "id,video_description,create_time,username,comment_count,voice_to_text"
COMMENT_FIELDS = "id,text,create_time"
RATE = Rate(60, 60)
PAGE = 100
COMMENTS = 1_000  # of a video, that TikTok gives
TOO_FAST_S = 60.0
EARLY_S = 300.0  # before its end a token is not used any more
ACCESS_HELP = (
    "TikTok approves research projects of not-for-profit institutions at developers.tiktok.com/products/research-api; the page "
    "of the approved project shows client key and secret"
)
_CLIENT = frozenset(("invalid_client", "unauthorized_client", "access_denied", "invalid_request", "invalid_scope"))
_SCOPE = frozenset(("scope_not_authorized", "scope_permission_missed"))
_ID = re.compile(r"[0-9]{1,19}")
_COMMENT = re.compile(r"([0-9]{1,19})_([0-9]{1,19})")
_FIRST_S, _LAST_S = 1_451_606_400, 4_102_444_800  # 2016, before TikTok; 2100
_NAME = re.compile(r"[A-Za-z0-9_.]{1,64}")


class DeadSearchError(SourceError):
    """TikTok knows nothing of the search any more, whose pages were being read."""


class RefusedError(SourceError):
    """TikTok does not take what was asked."""


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """The days of a search, first and last (UTC, as 20261122), and which page is next: `cursor` in the search `search_id`."""

    start: str
    end: str
    cursor: int = 0
    search_id: str = ""


class Page(msgspec.Struct, frozen=True):
    """What a call gave, and where the next page begins; None at the end."""

    items: list[dict[str, Any]]
    following: int | None
    search_id: str = ""


class TikTok:
    """The calls, within the client's budget. All raise SourceError."""

    def __init__(self, source: TikTokSource, budgets: Budgets) -> None:
        self._source = source
        client = f"{source.base_url or ''} {_secret(source.client_key)}"
        caps = (
            Cap(unit="requests", most=source.requests_per_day),
            Cap(unit="records", most=source.records_per_day),
        )
        self._budget: Budget = budgets.of("tiktok", client, rate=RATE, caps=caps)
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING, budget=self._budget)
        self._login = Fetcher(base_url=source.base_url, budget=budgets.of("tiktok's login", client))
        self._lock = asyncio.Lock()
        self._token, self._until = "", 0.0

    async def videos(self, query: Mapping[str, Any], window: Window) -> Page:
        """A page of the videos that were made on some days. Raises DeadSearchError where it was not the first."""
        body = {"query": query, "start_date": window.start, "end_date": window.end, "max_count": PAGE, "cursor": window.cursor}
        if window.search_id:
            body["search_id"] = window.search_id
        page = await self._page(f"research/video/query/?fields={VIDEO_FIELDS}", body, "videos", window.cursor)
        if page.following is not None and page.following <= window.cursor:
            raise DeadSearchError("TikTok gives the same page of a search again and again")
        return page

    async def comments(self, video: str, cursor: int) -> Page:
        """A page of a video's comments, replies among them, of which TikTok gives the first thousand in an order of its own."""
        body = {"video_id": int(video), "max_count": min(PAGE, COMMENTS - cursor), "cursor": cursor}
        page = await self._page(f"research/video/comment/list/?fields={COMMENT_FIELDS}", body, "comments", cursor)
        over = page.following is None or not cursor < page.following < COMMENTS
        return Page(page.items, None) if over else page

    async def spare(self, part: float) -> bool:
        """Whether more than this part of both quotas is left today."""
        requests, records = await self._budget.left("requests"), await self._budget.left("records")
        return requests > part * self._source.requests_per_day and records > part * self._source.records_per_day

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()
        await self._login.close()

    async def _page(self, path: str, body: Mapping[str, Any], what: str, cursor: int) -> Page:
        answer, token = await self._post(path, body)
        error = error_of(answer)
        if text(error.get("code")) == "access_token_invalid" or (answer.status == 401 and text(error.get("code")) not in _SCOPE):
            answer, _ = await self._post(path, body, refused=token)
            error = error_of(answer)
        if text(error.get("code")) not in ("", "ok"):
            raise await self._refused(error, answer, begun=cursor > 0)
        data = mapping(mapping(read_json(answer)).get("data"))
        if what not in data or not isinstance(data[what], list | None):  # an empty list may be written as null
            raise SourceError(f"TikTok answers with JSON that holds no {what}; if this lasts, exowatch needs an update")
        items = objects(data[what])
        await self._budget.add("records", len(items))
        following = id_of(data.get("cursor")) if data.get("has_more") is True else ""
        if not following and data.get("has_more") is True:
            raise SourceError(f"TikTok says that there are more {what}, and not where; it is tried again later")
        return Page(items, int(following) if following else None, id_of(data.get("search_id")))

    async def _post(self, path: str, body: Mapping[str, Any], *, refused: str = "") -> tuple[Answer, str]:
        """The answer, and the token that it was asked for with; not with one that was refused."""
        token = await self._access(refused)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return await self._fetcher.post(f"{API}{path}", msgspec.json.encode(body), headers, requests=1.0), token

    async def _access(self, refused: str) -> str:
        """The access token, asked for anew where it is about to end, or was refused."""
        async with self._lock:
            if self._token in ("", refused) or time.monotonic() >= self._until:
                self._token, lifetime = await self._new_token()
                self._until = time.monotonic() + max(lifetime - EARLY_S, 60.0)
            return self._token

    async def _new_token(self) -> tuple[str, float]:
        source = self._source
        if not source.approved or not source.client_key or not source.client_secret:
            missing = next(name for name in ("approved", "client_key", "client_secret") if not getattr(source, name))
            raise SourceError(f"the source has no {missing}; {ACCESS_HELP}", permanent=True)
        form = {
            "client_key": _secret(source.client_key),
            "client_secret": _secret(source.client_secret),
            "grant_type": "client_credentials",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._login.post(LOGIN, urlencode(form).encode(), headers)
        said = _json(answer)
        reason = text(said.get("error"))
        if reason in _CLIENT:
            raise SourceError(f"TikTok does not accept client_key and client_secret ({reason}); {ACCESS_HELP}", permanent=True)
        token, lifetime = text(mapping(read_json(answer)).get("access_token")), said.get("expires_in")
        if not token or len(token) > 4_000 or not token.isascii() or not token.isprintable():
            raise SourceError(f"TikTok gives no access token ({one_line(reason, 60) or 'without a word why'})")
        return token, float(lifetime) if isinstance(lifetime, int | float) and 0 < lifetime < 1e9 else 0.0

    async def _refused(self, error: Mapping[str, Any], answer: Answer, *, begun: bool) -> SourceError:
        code, said = text(error.get("code")), text(error.get("message")).lower()
        if "quota" in code or (answer.status == 429 and "quota" in said):
            left = await self._budget.left("requests")
            await self._budget.add("requests", max(left, 0))  # others who share the client need not ask to learn it
            wait = until_midnight()
            return SourceError(f"TikTok's quota of the day is spent; it goes on in {wait / 3600:.0f} h", retry_after=wait)
        if code == "rate_limit_exceeded" or answer.status == 429:
            wait = wait_of(answer.headers.get("Retry-After", "")) or TOO_FAST_S
            return SourceError("TikTok wants fewer requests; a longer interval helps", retry_after=wait)
        if code == "invalid_params" and begun and any(word in said for word in ("cursor", "search_id", "search id")):
            return DeadSearchError("TikTok has forgotten its own search before the last page")
        return _explain(error, answer.status)


def error_of(answer: Answer) -> dict[str, Any]:
    """The error object of an answer, which comes with every one; empty where there is none."""
    error = _json(answer).get("error")
    return mapping(error)


def _explain(error: Mapping[str, Any], status: int) -> SourceError:
    code, said = one_line(text(error.get("code")), 60), one_line(text(error.get("message")), 120)
    if code in _SCOPE:
        return SourceError(f"TikTok does not let this client do research ({code}); {ACCESS_HELP}", permanent=True)
    if code == "access_token_invalid":
        return SourceError("TikTok refuses the access token that it has just given; if this lasts, ask its support")
    if code == "internal_error" or status >= 500:
        return SourceError(f"TikTok has trouble of its own ({status}, {code}); it is tried again later")
    return RefusedError(f"TikTok does not take what was asked ({code}: {said})")


def until_midnight(now: dt.datetime | None = None) -> float:
    """Seconds until the quotas begin anew."""
    now = now or dt.datetime.now(dt.UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    return max(1.0, (midnight - now).total_seconds())


def video_post(item: Mapping[str, Any], source: str) -> Post | None:
    """A video as a post: its description, and what is said in it where TikTok has written that down. None for another shape."""
    id_, name = id_of(item.get("id")), text(item.get("username"))
    described, spoken = tidy(text(item.get("video_description"))), tidy(text(item.get("voice_to_text")))
    said = compose_text(described, spoken)[:MAX_TEXT]
    if not id_ or not said:
        return None
    return Post(
        platform="tiktok",
        id=id_,
        text=said,
        url=address_of(id_, name),
        author=one_line(name, MAX_NAME) or None,
        created_at=seconds(item.get("create_time")),
        source=source,
    )


def comment_post(item: Mapping[str, Any], video: str, name: str, source: str) -> Post | None:
    """A comment as a post; None for one that is empty or of another shape. Who wrote it is not told."""
    id_, said = id_of(item.get("id")), tidy(text(item.get("text")))
    if not id_ or not said:
        return None
    address = address_of(video, name)
    return Post(
        platform="tiktok",
        id=f"{video}_{id_}",  # a comment can be asked for by its video only
        text=said,
        url=address and f"{address}?comment={id_}",
        created_at=seconds(item.get("create_time")),
        source=source,
    )


def id_of(value: Any) -> str:
    """An id, which the API writes as a number beyond 2**53, or as text; '' for anything else."""
    written = str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)
    return written if _ID.fullmatch(written) else ""


def comment_of(id_: str) -> tuple[str, str] | None:
    """Video and comment of a comment's id as a post; None where it is not one."""
    found = _COMMENT.fullmatch(id_)
    return (found[1], found[2]) if found else None


def address_of(video: str, name: str) -> str | None:
    """Where a video of somebody is seen."""
    return f"https://www.tiktok.com/@{name}/video/{video}" if _NAME.fullmatch(name) else None


def day_of(moment_s: float) -> str:
    """The day (UTC) of a time in Unix seconds, as the API writes it."""
    return dt.datetime.fromtimestamp(moment_s, dt.UTC).strftime("%Y%m%d")


def made_at(video: str) -> float:
    """When a video was uploaded (Unix seconds, within bounds): the upper half of its id."""
    return float(min(max(int(video) >> 32, _FIRST_S), _LAST_S))


def days_of(window: Window) -> Sequence[Window]:
    """A window's days, each on its own."""
    first, last = (dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC) for day in (window.start, window.end))
    days = [(first + dt.timedelta(days=number)).strftime("%Y%m%d") for number in range((last - first).days + 1)]
    return [Window(day, day) for day in days]


def _json(answer: Answer) -> dict[str, Any]:
    try:
        return mapping(msgspec.json.decode(answer.body))
    except (ValueError, RecursionError):
        return {}


def _secret(value: Any) -> str:
    return value.get_secret_value() if value is not None else ""
