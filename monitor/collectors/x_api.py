"""X's API v2: recent search and lookup by id, what its errors mean, and its posts as posts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budgets
from monitor.collectors.html import one_line, tidy, unescape
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json, refusal
from monitor.collectors.wire import mapping, moment, objects, text
from monitor.collectors.x_money import Purse
from monitor.settings.sources.x import XSource
from monitor.words import MAX_NAME, Post

API = "https://api.x.com/2/"
# No expansions: the objects that they bring are paid for too.
FIELDS = "id,text,author_id,created_at,lang,edit_history_tweet_ids,note_tweet"
PAGE, LEAST = 100, 10  # posts of a page, at most and at least
KEEP = 0.2  # of the day's cap: for looking whether posts are still there
TOO_FAST_S = 900.0
NO_CREDIT_S = 3_600.0
ACCESS_HELP = "make an app at console.x.com, buy credits there, and take the app's bearer token"
_GONE = ("resource-not-found", "not-authorized-for-resource")
_ID = re.compile(r"[0-9]{1,20}")
_LANGUAGE = re.compile(r"[a-z]{2}")


class QueryError(SourceError):
    """X does not take a query; the others can be searched for."""


class TokenError(SourceError):
    """X does not know the page that was asked for."""


class Page(msgspec.Struct, frozen=True):
    """Posts, the newest first, and the token of the next page."""

    items: list[dict[str, Any]]
    following: str


class X:
    """The calls, within the token's money. All raise SourceError."""

    def __init__(self, source: XSource, budgets: Budgets) -> None:
        self._source = source
        self._token = source.bearer_token.get_secret_value() if source.bearer_token is not None else ""
        self._purse = Purse(source, budgets, f"{source.base_url or ''} {self._token}")
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING)

    async def search(self, query: str, since: int, until: int, token: str) -> Page:
        """A page of the posts from `since` to before `until` (Unix seconds). Raises QueryError, TokenError."""
        params = {
            "query": self._source.search_for(query),
            "start_time": _stamp(since),
            "end_time": _stamp(until),
            "sort_order": "recency",
            "tweet.fields": FIELDS,
        }
        params |= {"next_token": token} if token else {}

        def asked(posts: int) -> dict[str, str]:
            return params | {"max_results": str(posts)}

        body, _ = await self._get("tweets/search/recent", asked, query, PAGE, least=LEAST, keep=KEEP)
        meta = mapping(body.get("meta"))
        if "data" not in body and "result_count" not in meta:
            raise SourceError("X answers with JSON that is not a list of posts; if this lasts, exowatch needs an update")
        following = text(meta.get("next_token"))
        return Page(objects(body.get("data")), following if following.isascii() and len(following) <= 1_000 else "")

    async def lookup(self, ids: Sequence[str]) -> dict[str, bool]:
        """Of as many of the posts (at most 100) as can be paid for, the first ones: whether they are there."""

        def asked(posts: int) -> dict[str, str]:
            return {"ids": ",".join(ids[:posts]), "tweet.fields": "id,edit_history_tweet_ids"}

        body, number = await self._get("tweets", asked, "ids", len(ids), least=1)
        there = {id_ for item in objects(body.get("data")) for id_ in versions(item)}
        problems = [one for one in objects(body.get("errors")) if text(one.get("type")).endswith(_GONE)]
        gone = {text(one.get("resource_id")) or text(one.get("value")) for one in problems}
        if doubtful := [id_ for id_ in ids[:number] if id_ not in there and id_ not in gone]:
            raise SourceError(f"X does not say whether {len(doubtful)} of {number} posts are still there; it is asked again")
        return {id_: id_ in there for id_ in ids[:number]}

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    async def _get(
        self, path: str, params: Callable[[int], dict[str, str]], ask: str, most: int, *, least: int, keep: float = 0.0
    ) -> tuple[dict[str, Any], int]:
        """The answer, and how many posts it was asked for: as many as there is money for."""
        if not self._token:
            raise SourceError(f"the source has no bearer_token; {ACCESS_HELP}", permanent=True)
        taken = await self._purse.take(ask, most, least=least, keep=keep)
        address = f"{API}{path}?{urlencode(params(taken.posts))}"
        try:
            answer = await self._fetcher.get(address, {"Authorization": f"Bearer {self._token}"})
        except SourceError:
            await self._purse.budget.failed()
            raise
        told = await self._purse.budget.answered(answer.status, answer.headers)
        if answer.status != 200:
            await self._purse.refused(taken)
            raise refusal_of(answer, ask, told.wait)
        body = mapping(read_json(answer))
        await self._purse.paid(taken, len(objects(body.get("data"))))
        return body, taken.posts


def refusal_of(answer: Answer, ask: str, wait: float | None) -> SourceError:
    """What an answer other than 200 means."""
    problem = _problem(answer)
    kind = f"{text(problem.get('type'))} {text(problem.get('title'))}".lower()
    if answer.status == 402 or "creditsdepleted" in kind:
        return SourceError("the credits of X's console are used up; buy some at console.x.com", retry_after=NO_CREDIT_S)
    if "usage-capped" in kind or "usagecapexceeded" in kind:
        return SourceError("the spending limit of X's console is reached; raise it at console.x.com", retry_after=NO_CREDIT_S)
    if answer.status == 429:
        return SourceError("X wants fewer requests (429); a longer interval helps", retry_after=wait or TOO_FAST_S)
    if answer.status == 401:
        return SourceError(f"X does not accept the bearer_token (401); {ACCESS_HELP}", permanent=True)
    return _of_the_request(answer, problem, ask)


def _of_the_request(answer: Answer, problem: Mapping[str, Any], ask: str) -> SourceError:
    messages = [text(one.get("message")) for one in objects(problem.get("errors"))[:3]]
    said = " ".join([text(problem.get("title")), text(problem.get("detail")), *messages])
    if answer.status == 403 and problem:
        return SourceError(f"X does not let this app read posts (403: {one_line(said, 160)}); {ACCESS_HELP}", permanent=True)
    if answer.status == 400 and "next_token" in said:
        return TokenError("X does not know the next page any more")
    if answer.status == 400 and problem:
        return QueryError(f"X does not take the query {one_line(ask, 60)!r} ({one_line(said, 160)})")
    return refusal(answer) or SourceError(f"X answers with the status {answer.status}, which means nothing here")


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        return mapping(msgspec.json.decode(answer.body))
    except (ValueError, RecursionError):
        return {}


def versions(item: Mapping[str, Any]) -> list[str]:
    """The ids of a post, the first one first: every edit gives it another."""
    history = item.get("edit_history_tweet_ids")
    ids = [*(history if isinstance(history, list) else []), item.get("id")]
    return [id_ for id_ in ids if isinstance(id_, str) and _ID.fullmatch(id_)]


def post_of(item: Mapping[str, Any], source: str) -> Post | None:
    """A post as a post, by its first id; None for one without text or of another shape."""
    ids = versions(item)
    said = tidy(unescape(text(mapping(item.get("note_tweet")).get("text")) or text(item.get("text"))))
    if not ids or not said or not is_id(item.get("id")):
        return None
    language = text(item.get("lang"))
    return Post(
        platform="x",
        id=ids[0],
        text=said,
        url=f"https://x.com/i/web/status/{ids[-1]}",
        author=one_line(text(item.get("author_id")), MAX_NAME) or None,
        created_at=moment(item.get("created_at")),
        lang=language if _LANGUAGE.fullmatch(language) else None,
        source=source,
    )


def is_id(value: Any) -> bool:
    """Whether this can be a post's id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _stamp(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
