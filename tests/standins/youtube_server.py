"""YouTube's Data API v3 as its clients see it: searches, videos, comment threads and replies, with both quotas."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

KEY = "an-api-key"
PATH = "/youtube/v3/"


def error(status: int, reason: str, domain: str = "youtube.quota") -> Reply:
    """An error as Google puts it."""
    inner = {"message": "No.", "domain": domain, "reason": reason}
    body = {"error": {"code": status, "message": "No.", "errors": [inner]}}
    return Reply(status, json.dumps(body), {"Content-Type": "application/json; charset=UTF-8"})


class YouTubeServer(ScriptedServer):
    """`videos` and `threads` (by video, newest first) are what there is. `searches` and `units` are what may still be spent."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.videos: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, list[dict[str, Any]]] = {}
        self.searches, self.units = 100, 10_000
        self.page = 50
        self._ids = itertools.count(1)

    def video(self, title: str, description: str = "", *, age: float = 600, channel: str = "UCone", **snippet: Any) -> str:
        """A video that was published `age` seconds ago. Returns its id."""
        id_ = f"vid{next(self._ids):08}"
        about = {"title": title, "description": description, "channelId": channel, "channelTitle": "A channel"}
        self.videos[id_] = {
            "kind": "youtube#video",
            "id": id_,
            "snippet": {"publishedAt": _stamp(age)} | about | snippet,
            "statistics": {"viewCount": "7", "commentCount": "0"},
            "status": {"privacyStatus": "public", "uploadStatus": "processed"},
        }
        self.threads[id_] = []
        return id_

    def comment(self, video: str, said: str, *, age: float = 60, channel: str | None = "UCtwo") -> str:
        """A comment that begins a thread below a video. Returns its id."""
        id_ = f"Ug{next(self._ids):024}"
        thread = {"videoId": video, "topLevelComment": _comment(id_, said, age, channel), "totalReplyCount": 0}
        self.threads[video].insert(0, {"id": id_, "snippet": thread, "all": []})
        self._count(video)
        return id_

    def reply(self, thread: str, said: str, *, age: float = 30) -> str:
        """A reply in a thread. Returns its id."""
        video, found = next((video, one) for video, all_ in self.threads.items() for one in all_ if one["id"] == thread)
        id_ = f"{thread}.{next(self._ids)}"
        found["all"].append(_comment(id_, said, age, "UCthree"))
        found["snippet"]["totalReplyCount"] += 1
        self._count(video)
        return id_

    def edit(self, comment: str, said: str) -> None:
        """Gives a comment that began a thread another text."""
        one = next(one for all_ in self.threads.values() for one in all_ if one["id"] == comment)
        one["snippet"]["topLevelComment"]["snippet"] |= {"textDisplay": said, "updatedAt": _stamp(0)}

    def delete_comment(self, comment: str) -> None:
        """Deletes a comment that began a thread."""
        for video, all_ in self.threads.items():
            self.threads[video] = [one for one in all_ if one["id"] != comment]
            self._count(video)

    def _count(self, video: str) -> None:
        number = sum(1 + len(one["all"]) for one in self.threads[video])
        if video in self.videos:
            self.videos[video]["statistics"]["commentCount"] = str(number)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call: the key, the quota, then what was asked for."""
        query, call = dict(request.query), request.path.removeprefix(PATH)
        if query.get("key") != KEY:
            return await self.send(request, error(400, "keyInvalid", "usageLimits"))
        unit = "searches" if call == "search" else "units"
        if getattr(self, unit) < 1:
            return await self.send(request, error(403, "quotaExceeded"))
        setattr(self, unit, getattr(self, unit) - 1)
        if call == "search":
            return self._page(self._search(query), query, self.page)
        if call == "videos":
            asked = query["id"].split(",")
            assert len(asked) <= 50
            parts = {"kind", "id", *query["part"].split(",")}
            found = [self.videos[id_] for id_ in asked if id_ in self.videos]
            return web.json_response({"items": [{name: value for name, value in one.items() if name in parts} for one in found]})
        if call == "commentThreads":
            return await self._threads(request, query)
        if call == "comments":
            return self._comments(query)
        raise web.HTTPNotFound

    def _search(self, query: dict[str, str]) -> list[dict[str, Any]]:
        assert (query["type"], query["order"]) == ("video", "date")
        found = [
            one
            for one in self.videos.values()
            if one["status"]["privacyStatus"] == "public"
            and one["snippet"]["publishedAt"] > query["publishedAfter"]
            and query["q"] in f"{one['snippet']['title']} {one['snippet']['description']}".lower()
        ]
        found.sort(key=lambda one: one["snippet"]["publishedAt"], reverse=True)
        return [
            {
                "id": {"kind": "youtube#video", "videoId": one["id"]},
                "snippet": one["snippet"] | {"title": "cut &amp; encoded", "description": "cut ..."},
            }
            for one in found
        ]

    async def _threads(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        video = query["videoId"]
        if video not in self.videos:
            return await self.send(request, error(404, "videoNotFound", "youtube.commentThread"))
        if "commentCount" not in self.videos[video]["statistics"] or self.videos[video].get("disabled"):
            return await self.send(request, error(403, "commentsDisabled", "youtube.commentThread"))
        assert (query["order"], query["textFormat"]) == ("time", "plainText")
        shown = [
            {"id": one["id"], "snippet": one["snippet"]} | ({"replies": {"comments": one["all"][:5]}} if one["all"] else {})
            for one in self.threads[video]
        ]
        return self._page(shown, query, int(query["maxResults"]))

    def _comments(self, query: dict[str, str]) -> web.Response:
        if parent := query.get("parentId"):
            replies = next((one["all"] for all_ in self.threads.values() for one in all_ if one["id"] == parent), [])
            return self._page(replies, query, int(query["maxResults"]))
        asked = query["id"].split(",")
        there = {id_ for video, all_ in self.threads.items() if video in self.videos for one in all_ for id_ in _ids(one)}
        return web.json_response({"items": [{"kind": "youtube#comment", "id": id_} for id_ in asked if id_ in there]})

    @staticmethod
    def _page(items: list[dict[str, Any]], query: dict[str, str], size: int) -> web.Response:
        at = int(query.get("pageToken", "P0")[1:])
        more = {"nextPageToken": f"P{at + size}"} if at + size < len(items) else {}
        totals = {"totalResults": 1_000_000, "resultsPerPage": size}
        return web.json_response({"kind": "youtube#list", "items": items[at : at + size], "pageInfo": totals} | more)


def _ids(thread: dict[str, Any]) -> list[str]:
    return [thread["id"], *(one["id"] for one in thread["all"])]


def _comment(id_: str, said: str, age: float, channel: str | None) -> dict[str, Any]:
    made = _stamp(age)
    author = {"authorDisplayName": "@someone"} | ({"authorChannelId": {"value": channel}} if channel else {})
    times = {"publishedAt": made, "updatedAt": made}
    return {"kind": "youtube#comment", "id": id_, "snippet": {"textDisplay": said, "textOriginal": said} | author | times}


def _stamp(age: float) -> str:
    return datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
