"""The part of the Graph API that finds media by hashtag: ids of hashtags, recent and top media, one cursor for all pages."""

from __future__ import annotations

import itertools
import json
import random
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

USER, TOKEN = "17841400000000001", "an-access-token"


def error(code: int, message: str = "No.", status: int = 400, **more: Any) -> Reply:
    """An error as the Graph API puts it."""
    said = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "x"} | more
    return Reply(status, json.dumps({"error": said}), {"Content-Type": "application/json; charset=UTF-8"})


class InstagramServer(ScriptedServer):
    """`media` are a hashtag's media, in no order. Its cursor is the same at every page; the server knows where a reader is.

    `refused` are hashtags that count as sensitive.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.media: dict[str, list[dict[str, Any]]] = {}
        self.refused: set[str] = set()
        self.headers: dict[str, str] = {}
        self.hashtags: list[str] = []
        self.repeats = False  # the last page comes again and again
        self._ids = itertools.count(17_900_000_000_000_001)
        self._at: dict[str, int] = {}
        self._random = random.Random(7)

    def post(self, hashtag: str, caption: str | None, *, age: float = 600) -> str:
        """A picture with a hashtag that was published `age` seconds ago. Returns its id."""
        id_ = str(next(self._ids))
        stamp = datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        one = {"id": id_, "permalink": f"https://www.instagram.com/p/C{id_[-5:]}/", "timestamp": stamp, "media_type": "IMAGE"}
        said = {} if caption is None else {"caption": caption}
        all_ = self.media.setdefault(hashtag, [])
        all_.insert(self._random.randint(0, len(all_)), one | said | {"comments_count": 0, "age": age})
        return id_

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        query = dict(request.query)
        if query.get("access_token") != TOKEN:
            return await self.send(request, error(190, "Invalid OAuth access token."))
        assert query["user_id"] == USER
        *_, last = request.path.split("/")
        if last == "ig_hashtag_search":
            if query["q"] in self.refused:
                return await self.send(request, error(2207051, "An error occurred.", error_user_msg="Sorry."))
            if query["q"] not in self.media:
                return await self.send(request, error(100, "Invalid parameter", error_subcode=2207024, is_transient=False))
            if query["q"] not in self.hashtags:
                self.hashtags.append(query["q"])
            return web.json_response({"data": [{"id": str(1784 + self.hashtags.index(query["q"]))}]}, headers=self.headers)
        return self._media(request.path, last, query)

    def _media(self, path: str, edge: str, query: dict[str, str]) -> web.Response:
        hashtag = self.hashtags[int(path.split("/")[-2]) - 1784]
        names = set(query["fields"].split(","))
        assert "username" not in names
        shown = [one for one in self.media[hashtag] if edge == "top_media" or one["age"] < 86_400]
        key, limit = f"{hashtag} {edge}", int(query["limit"])
        at = self._at.get(key, 0) if query.get("after") == "same" else 0
        page = [{name: value for name, value in one.items() if name in names} for one in shown[at : at + limit]]
        if not self.repeats or at + limit < len(shown):
            self._at[key] = at + limit
        more = at + limit < len(shown) or self.repeats
        paging = {"cursors": {"after": "same"}} | ({"next": "https://graph.facebook.com/next"} if more else {})
        return web.json_response({"data": page} | ({"paging": paging} if page else {}), headers=self.headers)
