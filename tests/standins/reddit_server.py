"""Reddit as its clients see it: tokens, listings with `after` and `limit`, rate headers, and the public Atom feeds.

Both of Reddit's hosts (www and oauth) are this one; a source's `base_url` points here. `next(...)` scripts answers to
requests for listings and feeds, `next_token(...)` to requests for a token.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

CLIENT_ID, CLIENT_SECRET = "an-app-id", "an-app-secret"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class RedditServer(ScriptedServer):
    """`listings` hold the things of each listing, newest first, as the API gives them."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.listings: dict[str, list[dict[str, Any]]] = {"new": [], "comments": []}
        self.remaining, self.used, self.reset = 590.0, 10, 300
        self.tokens: set[str] = set()
        self._next_token: deque[Reply] = deque()
        self._numbers = itertools.count(10**9)

    def add_post(
        self, subreddit: str, *, title: str, selftext: str = "", author: str = "someone", behind: int = 0, html: bool = True
    ) -> str:
        """A new post, the newest of all or `behind` so many newer ones (approved late). Returns its fullname."""
        data = self._thing("t3", subreddit, author, f"/r/{subreddit}/comments/{{id}}/a_post/")
        data |= {"title": title, "selftext": selftext, "selftext_html": _html(selftext) if html and selftext else None}
        self.listings["new"].insert(behind, {"kind": "t3", "data": data | {"removed_by_category": None}})
        return str(data["name"])

    def add_comment(self, subreddit: str, *, body: str, author: str = "someone", behind: int = 0, html: bool = True) -> str:
        """A new comment; as `add_post`."""
        data = self._thing("t1", subreddit, author, f"/r/{subreddit}/comments/abc/a_post/{{id}}/")
        data |= {"body": body, "link_title": "A post", "link_id": "t3_abc"} | ({"body_html": _html(body)} if html else {})
        self.listings["comments"].insert(behind, {"kind": "t1", "data": data})
        return str(data["name"])

    def edit(self, fullname: str, text: str) -> None:
        """Gives a post or comment another text, as its author or (with "[removed]") a moderator would."""
        data = next(thing["data"] for thing in self._all() if thing["data"]["name"] == fullname)
        field = "selftext" if fullname.startswith("t3_") else "body"
        data |= {field: text, f"{field}_html": _html(text), "edited": time.time()}

    def load(self, listing: str, recorded: dict[str, Any]) -> None:
        """Puts the children of a recorded listing on top of one here."""
        self.listings[listing] = recorded["data"]["children"] + self.listings[listing]

    def next_token(self, *replies: Reply) -> None:
        """Answers for the next requests for a token."""
        self._next_token.extend(replies)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/access_token":
            return await self._token(request)
        return await super()._handle(request)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if self._next_token:
            return await self.send(request, self._next_token.popleft())
        wanted = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"})
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": 3600, "scope": "*"})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A page of a listing, or of a public feed."""
        parts = request.path.strip("/").split("/")
        if len(parts) == 4 and parts[0] == "r" and parts[2] in self.listings and parts[3] == ".rss":
            return self._feed(parts[2], self._of(parts[1], parts[2])[:100])
        if request.headers.get("Authorization", "").removeprefix("bearer ") not in self.tokens:
            wrong = {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'}
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401, headers=wrong)
        if len(parts) != 3 or parts[0] != "r" or parts[2] not in self.listings:
            return web.json_response({"message": "Not Found", "error": 404}, status=404)
        return self._page(request, self._of(parts[1], parts[2]))

    def _page(self, request: web.Request, things: list[dict[str, Any]]) -> web.Response:
        things = things[:1000]  # where Reddit's listings end
        names = [thing["data"]["name"] for thing in things]
        after, limit = request.query.get("after"), min(int(request.query.get("limit", "25")), 100)
        start = names.index(after) + 1 if after in names else 0 if after is None else len(names)
        page = things[start : start + limit]
        more = page[-1]["data"]["name"] if start + limit < len(things) else None
        self.remaining, self.used = self.remaining - 1, self.used + 1
        headers = {
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.reset),
        }
        data = {"modhash": None, "dist": len(page), "children": page, "after": more, "before": None}
        return web.json_response({"kind": "Listing", "data": data}, headers=headers)

    def _feed(self, listing: str, things: list[dict[str, Any]]) -> web.Response:
        entries = "".join(_atom_entry(thing["data"]) for thing in things)
        head = '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        body = f"{head}<id>/r/x/{listing}/.rss</id><title>newest</title>{entries}</feed>"
        return web.Response(body=body.encode(), headers={"Content-Type": "application/atom+xml; charset=UTF-8"})

    def _of(self, together: str, listing: str) -> list[dict[str, Any]]:
        wanted = {name.lower() for name in together.split("+")}
        return [thing for thing in self.listings[listing] if "all" in wanted or thing["data"]["subreddit"].lower() in wanted]

    def _all(self) -> list[dict[str, Any]]:
        return [*self.listings["new"], *self.listings["comments"]]

    def _thing(self, kind: str, subreddit: str, author: str, permalink: str) -> dict[str, Any]:
        number = next(self._numbers)
        id_ = ""
        while number:
            number, digit = divmod(number, 36)
            id_ = _BASE36[digit] + id_
        return {
            "id": id_,
            "name": f"{kind}_{id_}",
            "subreddit": subreddit,
            "author": author,
            "created_utc": 1_790_000_000.0,
            "edited": False,
            "score": 1,
            "permalink": permalink.format(id=id_),
        }


def _html(text: str) -> str:
    paragraphs = "\n\n".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
    return f'<!-- SC_OFF --><div class="md">{paragraphs}\n</div><!-- SC_ON -->'


def _atom_entry(data: dict[str, Any]) -> str:
    link = f"https://www.reddit.com{data['permalink']}"
    author = f"/u/{data['author']}"
    post = data["name"].startswith("t3_")
    html = data.get("selftext_html" if post else "body_html") or ""
    if post:
        where = f'<a href="https://www.reddit.com/r/{data["subreddit"]}/"> r/{data["subreddit"]} </a>'
        html += f' &#32; submitted by &#32; <a href="https://www.reddit.com/user/{data["author"]}"> {author} </a> &#32; to &#32; '
        html += f'{where} <br/> <span><a href="{link}">[link]</a></span> &#32; <span><a href="{link}">[comments]</a></span>'
    title = data["title"] if post else f"{author} on {data['link_title']}"
    when = datetime.fromtimestamp(data["created_utc"], UTC).isoformat()
    return (
        f"<entry><author><name>{escape(author)}</name><uri>https://www.reddit.com/user/{escape(data['author'])}</uri></author>"
        f'<content type="html">{escape(html)}</content><id>{data["name"]}</id><link href={quoteattr(link)} />'
        f"<updated>{when}</updated><published>{when}</published><title>{escape(title)}</title></entry>"
    )
