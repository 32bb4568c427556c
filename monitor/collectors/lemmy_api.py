"""One server of Lemmy: which API it speaks (v3 up to 0.19, v4 from 1.0), its pages of search results, and single items.

The two differ in the names of parameters and fields, and in how they page; what comes out of here is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.html import one_line, tidy
from monitor.collectors.http import Answer, Fetcher, place, read_json, refusal
from monitor.collectors.wire import is_web_address, mapping, moment, objects, text
from monitor.words import MAX_ID, MAX_NAME, MAX_TEXT, Post, compose_text

PAGE = 50
SLOW_DOWN_S = 120.0  # where a server says that its limit is reached, and not for how long
Sort = Literal["posts", "comments"]
_GONE = frozenset(("not_found", "couldnt_find_object", "couldnt_find_post", "couldnt_find_comment"))
_LOCAL = re.compile(r"/(post|comment)/([0-9]{1,18})")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results, the newest first: posts, the ids of what is deleted, when the oldest was made, and the next page."""

    posts: list[Post]
    deleted: list[str]
    oldest: int | None
    following: str | None


class LemmyServer:
    """A server by its host name. `searches` and `items` may have budgets of their own: servers count them apart."""

    def __init__(self, host: str, searches: Fetcher, items: Fetcher) -> None:
        self.host = host
        self._searches = searches
        self._items = items
        self._version: int | None = None

    async def search(self, query: str, sort: Sort, page: str | None, source: str) -> Found:
        """A page of the newest posts or comments that hold the query. Raises SourceError."""
        version = await self._spoken()
        if version == 3:
            kind = sort.capitalize()
            params = {"q": query, "type_": kind, "sort": "New", "listing_type": "All", "limit": PAGE, "page": page or "1"}
        else:  # early versions of v4 call the first one q; what a server does not know it ignores
            params = {"search_term": query, "q": query, "type_": sort, "sort": "new", "listing_type": "all", "limit": PAGE}
            params |= {"page_cursor": page} if page else {}
        answer = self._read(await self._get(self._searches, "search", params))
        key = next((name for name in (sort, "items", "search", "results") if isinstance(answer.get(name), list)), None)
        if key is None:
            raise self._unknown()
        views = [view for view in objects(answer[key]) if (sort == "comments") == ("comment" in view)]
        read = [view_of(view, source) for view in views]
        made = [made for _, _, made in read if made is not None]
        if version == 3:
            following = str(int(page or "1") + 1) if len(answer[key]) >= PAGE else None
        else:
            following = text(answer.get("next_page")) or None
        return Found(
            posts=[post for post, _, _ in read if post is not None],
            deleted=[gone for _, gone, _ in read if gone is not None],
            oldest=min(made, default=None),
            following=following if following and len(following) <= 1_000 else None,
        )

    async def has(self, id_: str) -> bool:
        """Whether a post or comment can be read here, by its id. Raises SourceError where the answer leaves that open."""
        await self._spoken()
        local = _LOCAL.fullmatch(urlsplit(id_).path) if urlsplit(id_).hostname == self.host else None
        if local is not None:
            answer = await self._get(self._items, local[1], {"id": local[2]})
        else:
            answer = await self._get(self._searches, "resolve_object", {"q": id_})
        if answer.status in (400, 404) and _error(answer) in _GONE:
            return False
        said = self._read(answer)
        views = [said.get(name) for name in ("post_view", "comment_view", "post", "comment", "resolve")]
        views += [view for name in ("items", "search", "results") for view in objects(said.get(name))]
        for view in objects(views):
            post, gone, _ = view_of(view, "")
            if gone == id_:
                return False
            if post is not None and post.id == id_:
                return True
        raise self._unknown()

    async def _spoken(self) -> int:
        """3 or 4. Servers are updated while exowatch runs, so it is found out again where a path is gone."""
        if self._version is None:
            answer = await self._items.get(self._address(4, "site", {}))
            if answer.status != 404:
                read_json(answer)
            self._version = 3 if answer.status == 404 else 4
        return self._version

    async def _get(self, fetcher: Fetcher, path: str, params: Mapping[str, Any]) -> Answer:
        answer = await fetcher.get(self._address(self._version or 3, path, params))
        if answer.status == 404 and not _error(answer):
            self._version = None
        return answer

    def _address(self, version: int, path: str, params: Mapping[str, Any]) -> str:
        return f"https://{self.host}/api/v{version}/{path}" + (f"?{urlencode(params)}" if params else "")

    def _read(self, answer: Answer) -> dict[str, Any]:
        problem = _error(answer)
        if answer.status in (400, 429) and ("rate_limit" in problem or answer.status == 429):
            waits = refusal(answer)
            asked = waits.retry_after if waits is not None else None
            raise SourceError(
                f"{place(answer.url)} wants fewer requests; a longer interval helps", retry_after=asked or SLOW_DOWN_S
            )
        said = read_json(answer)
        if not isinstance(said, dict):
            raise self._unknown()
        return said

    def _unknown(self) -> SourceError:
        return SourceError(f"{self.host} answers with JSON that is not Lemmy's; is it a server of Lemmy?")


def view_of(view: Mapping[str, Any], source: str) -> tuple[Post | None, str | None, int | None]:
    """A post's or comment's view of either API: the post, or its id where it is deleted, and when it was made (ms)."""
    comment = mapping(view.get("comment"))
    said = comment or mapping(view.get("post"))
    id_ = text(said.get("ap_id"))
    made = moment(said.get("published_at")) or moment(said.get("published"))
    if len(id_) > MAX_ID or not is_web_address(id_):
        return None, None, made
    if said.get("deleted") or said.get("removed"):
        return None, id_, made
    title = "" if comment else one_line(text(said.get("name")), MAX_TEXT)
    body = tidy(text(said.get("content")) if comment else text(said.get("body")))
    if not (words := compose_text(title, body)[:MAX_TEXT]):
        return None, None, made
    author = _author(mapping(view.get("creator")))
    edited = bool(said.get("updated_at") or said.get("updated"))
    post = Post(platform="lemmy", id=id_, text=words, url=id_, author=author, created_at=made, source=source, edited=edited)
    return post, None, made


def _author(creator: Mapping[str, Any]) -> str | None:
    """`name@host`, the same on every server."""
    name = one_line(text(creator.get("name")), MAX_NAME)
    home = text(creator.get("ap_id")) or text(creator.get("actor_id"))
    host = urlsplit(home).hostname if is_web_address(home) else None
    return f"{name}@{host}"[:MAX_NAME] if name and host else name or None


def _error(answer: Answer) -> str:
    """The name of the error in an answer; '' where it holds none."""
    if answer.status < 400 or answer.body[:1] != b"{":
        return ""
    try:
        return text(mapping(msgspec.json.decode(answer.body)).get("error"))
    except (ValueError, RecursionError):
        return ""
