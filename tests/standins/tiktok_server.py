"""TikTok's Research API as its clients see it: tokens, searches that are remembered by id, comments, and both quotas."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

CLIENT, SECRET = "a-client-key", "a-client-secret"
LOGIN, VIDEOS, COMMENTS = "/v2/oauth/token/", "/v2/research/video/query/", "/v2/research/video/comment/list/"
JSON = {"Content-Type": "application/json; charset=utf-8"}


def error(status: int, code: str, message: str = "No.") -> Reply:
    """An error as TikTok puts it, with the data that come along."""
    return Reply(status, json.dumps({"data": {}, "error": {"code": code, "message": message, "log_id": "2026X"}}), JSON)


class TikTokServer(ScriptedServer):
    """`videos` and `comments` (by video) are what there is; `requests` is what may still be asked today.

    `page` is how many results it really gives at once; of a search of more than `longest` days it forgets all but the first page.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.videos: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.requests = 1_000
        self.tokens: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.lifetime = 7200
        self.page = 100
        self.longest = 31
        self._searches: dict[str, str] = {}
        self._ids = itertools.count(1)

    def video(self, said: str, *, age: float = 600, name: str | None = "clinic", speech: str = "", **more: Any) -> str:
        """A video that was published `age` seconds ago. Returns its id."""
        made = int(time.time() - age)
        id_ = (made << 32) + next(self._ids)
        one = {"id": id_, "video_description": said, "create_time": made, "comment_count": 0, "view_count": 7}
        self.videos[str(id_)] = one | ({"username": name} if name else {}) | ({"voice_to_text": speech} if speech else {}) | more
        self.comments[str(id_)] = []
        return str(id_)

    def comment(self, video: str, said: str, *, age: float = 60) -> str:
        """A comment below a video. Returns its id, as posts have it."""
        made = int(time.time() - age)
        id_ = (made << 32) + next(self._ids)
        one = {
            "id": id_,
            "text": said,
            "create_time": made,
            "video_id": int(video),
            "parent_comment_id": int(video),
            "like_count": 0,
        }
        self.comments[video].append(one)
        self._count(video)
        return f"{video}_{id_}"

    def delete(self, id_: str) -> None:
        """Deletes a video or a comment."""
        video, _, comment = id_.partition("_")
        if comment:
            self.comments[video] = [one for one in self.comments[video] if str(one["id"]) != comment]
            self._count(video)
        else:
            del self.videos[video]

    def expire(self) -> None:
        """Ends all tokens."""
        self.tokens.clear()

    def forget(self) -> None:
        """Forgets all searches."""
        self._searches.clear()

    def _count(self, video: str) -> None:
        self.videos[video]["comment_count"] = len(self.comments[video])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call: the token, the quota, then what was asked for."""
        if request.path == LOGIN:
            return self._login(dict(await request.post()))
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return await self.send(request, error(401, "access_token_invalid", "The access token is invalid or not found."))
        if self.requests < 1:
            return await self.send(request, error(429, "daily_quota_limit_exceeded", "You have exceeded the daily quota limit."))
        self.requests -= 1
        body = json.loads(await request.read())
        self.bodies.append(body)
        assert body["max_count"] <= 100
        if request.path == VIDEOS:
            return await self._videos(request, body)
        assert request.path == COMMENTS
        return self._comments(request, body)

    def _login(self, form: dict[str, Any]) -> web.Response:
        assert form["grant_type"] == "client_credentials"
        if (form["client_key"], form["client_secret"]) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client", "error_description": "Client key is wrong.", "log_id": "x"})
        self.tokens.append(f"clt.{len(self.tokens)}{next(self._ids)}")
        return web.json_response({"access_token": self.tokens[-1], "expires_in": self.lifetime, "token_type": "Bearer"})

    async def _videos(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        first, last = (datetime.strptime(body[name], "%Y%m%d").replace(tzinfo=UTC) for name in ("start_date", "end_date"))
        assert timedelta(0) <= last - first <= timedelta(days=30)
        assert last.date() <= datetime.now(UTC).date()
        what = json.dumps([body["query"], body["start_date"], body["end_date"]])
        search, at = body.get("search_id"), body["cursor"]
        if at and (self._searches.get(str(search)) != what or (last - first).days >= self.longest):
            return await self.send(request, error(400, "invalid_params", "Invalid count or cursor"))
        if search is None:
            search = str(7_200_000_000_000_000_000 + next(self._ids))
            self._searches[search] = what
        (condition,) = body["query"]["and"]
        assert condition["operation"] == "IN"
        found = [one for one in self.videos.values() if self._matches(one, condition)]
        found = [one for one in found if first.timestamp() <= one["create_time"] < last.timestamp() + 86_400]
        end = at + min(body["max_count"], self.page)
        data = {"videos": self._given(request, found[at:end]), "search_id": search}
        return self._data(data, end, end < len(found))

    @staticmethod
    def _matches(one: dict[str, Any], condition: dict[str, Any]) -> bool:
        if condition["field_name"] == "video_id":
            return str(one["id"]) in condition["field_values"]
        assert condition["field_name"] == "keyword"
        return any(word in one["video_description"].lower() for word in condition["field_values"])

    def _comments(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        at, count = body["cursor"], body["max_count"]
        assert at + count <= 1_000
        below = self.comments[str(body["video_id"])] if str(body["video_id"]) in self.videos else []
        end = at + min(count, self.page)
        return self._data({"comments": self._given(request, below[at:end])}, end, end < len(below))

    @staticmethod
    def _given(request: web.Request, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = set(request.query["fields"].split(","))
        return [{name: value for name, value in one.items() if name in names} for one in items]

    @staticmethod
    def _data(data: dict[str, Any], cursor: int, more: bool) -> web.Response:
        whole = data | {"cursor": cursor, "has_more": more}
        return web.json_response({"data": whole, "error": {"code": "ok", "message": "", "log_id": "2026X"}})
