"""X's API v2 as its clients see it: recent search, lookup by id, and the money that both cost."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

TOKEN = "a-bearer-token"
SEARCH, LOOKUP = "/2/tweets/search/recent", "/2/tweets"
EPOCH_MS = 1_288_834_974_657
PRICE = 0.005
JSON = {"Content-Type": "application/json; charset=utf-8"}


def problem(status: int, kind: str, title: str, detail: str = "No.", **more: Any) -> Reply:
    """An error as X puts it."""
    body = {"title": title, "detail": detail, "type": f"https://api.x.com/2/problems/{kind}", "status": status} | more
    return Reply(status, json.dumps(body), JSON)


class XServer(ScriptedServer):
    """`posts` are what there is. `charged` is what was paid (US dollars): for a post once."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.posts: dict[str, dict[str, Any]] = {}
        self.protected: set[str] = set()
        self.refused: set[str] = set()
        self.headers: dict[str, str] = {}
        self.forgets = False  # pages that were promised
        self.lost = 0  # so many answers are charged and never come
        self._paid: set[str] = set()
        self._ids = itertools.count(1)

    @property
    def charged(self) -> float:
        return len(self._paid) * PRICE

    def post(self, said: str, *, age: float = 600, **more: Any) -> str:
        """A post that was made `age` seconds ago. Returns its id."""
        made = time.time() - age
        id_ = str((int(made * 1000) - EPOCH_MS << 22) + next(self._ids))
        stamp = datetime.fromtimestamp(made, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        one = {"id": id_, "text": said, "author_id": "77", "created_at": stamp, "lang": "en", "edit_history_tweet_ids": [id_]}
        self.posts[id_] = one | more
        return id_

    def edit(self, id_: str, said: str, *, age: float = 100) -> str:
        """Puts another post into the place of one. Returns the new id."""
        before = self.posts.pop(id_)
        new = self.post(said, age=age)
        self.posts[new]["edit_history_tweet_ids"] = [*before["edit_history_tweet_ids"], new]
        return new

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return await self.send(request, problem(401, "unauthorized", "Unauthorized"))
        query = dict(request.query)
        assert "expansions" not in query
        if request.path == LOOKUP:
            return await self._lookup(request, query)
        assert request.path == SEARCH
        return await self._search(request, query)

    async def _search(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        count, words = int(query["max_results"]), query["query"].removesuffix(" -is:retweet").strip("()")
        assert 10 <= count <= 100
        assert len(query["query"]) <= 512
        since, until = query["start_time"], query["end_time"]
        assert _seconds(since) >= time.time() - 7 * 86_400
        assert _seconds(until) <= time.time() - 10
        assert since < until
        if words in self.refused:
            errors = [
                {"parameters": {"query": [words]}, "message": "There were errors processing your request: no viable alternative"}
            ]
            return await self.send(request, problem(400, "invalid-request", "Invalid Request", errors=errors))
        found = [
            one
            for one in self.posts.values()
            if words in one["text"].lower() and since <= one["created_at"][:19] + "Z" < until and one["id"] not in self.protected
        ]
        found.sort(key=lambda one: -int(one["id"]))
        if token := query.get("next_token", ""):
            if self.forgets:
                detail = "The `next_token` query parameter value is not valid"
                return await self.send(request, problem(400, "invalid-request", "Invalid Request", detail))
            was_since, was_until, last = token.split("_")
            assert (was_since, was_until) == (_plain(since), _plain(until))
            found = [one for one in found if int(one["id"]) < int(last)]
        page = found[:count]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0]["id"], "oldest_id": page[-1]["id"]}
        if len(found) > count:
            meta["next_token"] = f"{_plain(since)}_{_plain(until)}_{page[-1]['id']}"
        return await self._send(request, page, ({"data": page} if page else {}) | {"meta": meta}, query)

    async def _lookup(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        asked = query["ids"].split(",")
        assert 1 <= len(asked) <= 100
        known = {id_: one for one in self.posts.values() for id_ in one["edit_history_tweet_ids"]}
        page = [known[id_] | {"id": id_} for id_ in asked if id_ in known and id_ not in self.protected]
        errors = [_missing(id_, id_ in self.protected) for id_ in asked if id_ not in known or id_ in self.protected]
        whole = ({"data": page} if page else {}) | ({"errors": errors} if errors else {})
        return await self._send(request, page, whole, query)

    async def _send(
        self, request: web.Request, page: list[dict[str, Any]], body: dict[str, Any], query: dict[str, str]
    ) -> web.StreamResponse:
        self._paid |= {one["id"] for one in page}
        if self.lost:
            self.lost -= 1
            return await self.send(request, Reply(drop=True))
        names = set(query["tweet.fields"].split(",")) | {"id", "text", "edit_history_tweet_ids"}
        if page:
            body["data"] = [{name: value for name, value in one.items() if name in names} for one in page]
        return web.json_response(body, headers=self.headers)


def _missing(id_: str, protected: bool) -> dict[str, str]:
    kind, title = (
        ("not-authorized-for-resource", "Authorization Error") if protected else ("resource-not-found", "Not Found Error")
    )
    about = {"resource_id": id_, "value": id_, "resource_type": "tweet", "parameter": "ids", "title": title, "detail": "No."}
    return about | {"type": f"https://api.x.com/2/problems/{kind}"}


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _plain(stamp: str) -> str:
    return stamp.replace("-", "").replace(":", "")
