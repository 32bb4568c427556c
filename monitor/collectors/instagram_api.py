"""Instagram's part of the Graph API: hashtags and their media, what its errors and usage headers mean, and media as posts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budgets, Distinct, Rate, Told
from monitor.collectors.html import one_line, tidy
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json
from monitor.collectors.wire import mapping, moment, objects, text
from monitor.settings.sources.instagram import InstagramSource
from monitor.words import Post

API = "https://graph.facebook.com"
RATE = Rate(200, 3600)
HASHTAGS = Distinct(30, 7 * 86_400)
PAGE = 50
FIELDS = "id,caption,permalink,timestamp,media_type,like_count,comments_count"
FULL = 95  # per cent of an allowance, from which on it counts as used up
TOO_MANY_S = 3_600.0
ACCESS_HELP = (
    "make an access token of a system user (those do not expire) in business.facebook.com, for an app with instagram_basic and "
    "Instagram Public Content Access"
)
_TOO_MANY = frozenset((4, 17, 32, 613, 80002))  # of the app, the user, the page, a custom limit, Instagram's own
_TOKEN = frozenset((102, 190))
_NOT_ALLOWED = frozenset((3, 10, *range(200, 300)))
_HASHTAGS_USED = 2207034
_NO_HASHTAG = 2207024
_ID = re.compile(r"[0-9]{1,32}")
_ADDRESS = re.compile(r"https://www\.instagram\.com/[\w/.-]{1,200}")


class HashtagError(SourceError):
    """One hashtag cannot be read; the others can."""


class Instagram:
    """The calls, within the account's budget. All raise SourceError, HashtagError for what is wrong with one hashtag."""

    def __init__(self, source: InstagramSource, budgets: Budgets) -> None:
        self._user = source.user_id or ""
        self._token = source.access_token.get_secret_value() if source.access_token is not None else ""
        self._api = f"{API}/{source.api_version}".rstrip("/")
        account = f"{source.base_url or ''} {self._user}"
        self._budget = budgets.of("instagram", account, rate=RATE)
        self._hashtags = budgets.of("instagram hashtags", account, distinct=HASHTAGS)
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING, budget=self._budget)

    async def hashtag(self, name: str) -> str:
        """The id of a hashtag, which never changes."""
        body = await self._get("ig_hashtag_search", {"q": name}, name)
        id_ = next((text(one.get("id")) for one in objects(body.get("data"))), "")
        if not _ID.fullmatch(id_):
            raise HashtagError(f"Instagram knows no hashtag #{name}")
        return id_

    async def media(self, name: str, id_: str, edge: str, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """A page of a hashtag's `recent_media` or `top_media`, and the cursor of the next.

        The cursor may be the same text at every page and still lead on.
        """
        params = {"fields": FIELDS, "limit": PAGE} | ({"after": after} if after else {})
        body = await self._get(f"{id_}/{edge}", params, name)
        if not isinstance(body.get("data"), list):
            raise SourceError("Instagram answers with JSON that is not a list of media; if this lasts, exowatch needs an update")
        paging = mapping(body.get("paging"))
        following = text(mapping(paging.get("cursors")).get("after")) if paging.get("next") else ""
        return objects(body["data"]), following if following and len(following) <= 2_000 else None

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    async def _get(self, path: str, params: Mapping[str, Any], hashtag: str) -> dict[str, Any]:
        if not self._user or not self._token:
            missing = "access_token" if self._user else "user_id"
            raise SourceError(
                f"the source has no {missing}; {ACCESS_HELP}, and set both user_id and access_token", permanent=True
            )
        try:
            await self._hashtags.take(member=hashtag)
        except SourceError as used:
            raise HashtagError(f"#{hashtag} has to wait: {used}") from None
        asked = {"user_id": self._user, **params, "access_token": self._token}
        answer = await self._fetcher.get(f"{self._api}/{path}?{urlencode(asked)}")
        regain = usage(answer.headers)
        if regain is not None:
            await self._budget.told(Told(wait=regain))
        error = error_of(answer)
        if error:
            raise _explain(error, hashtag, regain)
        return mapping(read_json(answer))


def error_of(answer: Answer) -> dict[str, Any]:
    """The error object of an answer, which may come with any status; empty where there is none."""
    try:
        return mapping(mapping(msgspec.json.decode(answer.body)).get("error"))
    except (ValueError, RecursionError):
        return {}


def usage(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait where the headers say that an allowance is nearly used up; None where they do not."""
    waits: list[float] = []
    for name in ("X-App-Usage", "X-Business-Use-Case-Usage"):
        try:
            said = mapping(msgspec.json.decode(headers.get(name, "{}")[:10_000]))
        except (ValueError, RecursionError):
            continue
        for one in [said, *(one for several in said.values() for one in objects(several))]:
            used = [one.get(kind) for kind in ("call_count", "total_time", "total_cputime")]
            minutes = one.get("estimated_time_to_regain_access")
            regain = float(minutes) * 60 if isinstance(minutes, int | float) and 0 < minutes < 10_000 else 0.0
            if regain or any(isinstance(part, int | float) and part >= FULL for part in used):
                waits.append(regain or TOO_MANY_S)
    return max(waits, default=None)


def _explain(error: Mapping[str, Any], hashtag: str, regain: float | None) -> SourceError:
    code = error.get("code")
    if code in _TOKEN:
        return SourceError(f"Instagram does not accept the access token any more ({code}); {ACCESS_HELP}", permanent=True)
    if code in _TOO_MANY:
        return SourceError(f"Instagram's allowance of requests is used up ({code})", retry_after=regain or TOO_MANY_S)
    if code in _NOT_ALLOWED:
        return SourceError(f"Instagram does not let this app read hashtags ({code}); {ACCESS_HELP}", permanent=True)
    if error.get("is_transient") is True or code in (1, 2):
        return SourceError(f"Instagram has trouble of its own ({code})")
    return HashtagError(_of_one(error, hashtag))


def _of_one(error: Mapping[str, Any], hashtag: str) -> str:
    """What is wrong with one hashtag."""
    code, subcode = error.get("code"), error.get("error_subcode")
    if subcode == _HASHTAGS_USED or code == 18:
        return f"the account has asked for 30 hashtags within seven days; #{hashtag} has to wait"
    if subcode == _NO_HASHTAG:
        return f"Instagram knows no hashtag #{hashtag}"
    said = one_line(text(error.get("error_user_msg")) or text(error.get("message")), 120)
    return f"Instagram refuses the hashtag #{hashtag} ({code}: {said}); it may count as sensitive"


def media_post(item: Mapping[str, Any], source: str) -> Post | None:
    """A medium as a post; None for one without a caption or of another shape. Who made it is not told."""
    id_, permalink = text(item.get("id")), text(item.get("permalink"))
    caption = tidy(text(item.get("caption")))
    if not _ID.fullmatch(id_) or not caption:
        return None
    return Post(
        platform="instagram",
        id=id_,
        text=caption,
        url=permalink if _ADDRESS.fullmatch(permalink) else None,
        created_at=moment(item.get("timestamp")),
        source=source,
    )
