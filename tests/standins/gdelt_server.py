"""GDELT's search of news as its clients see it: no pages, at most 250 articles, errors in prose under status 200."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standins.scripted import ScriptedServer


class GdeltServer(ScriptedServer):
    """`articles` are what it has seen, by their address. `broken` replaces parts of the JSON text, as its bad escapes do."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.articles: dict[str, dict[str, Any]] = {}
        self.most = 250
        self.broken: dict[str, str] = {}

    def article(self, title: str, *, age: float = 600, site: str = "paper.test", language: str = "English") -> str:
        """An article that was seen `age` seconds ago. Returns its address."""
        url = f"https://{site}/{len(self.articles)}"
        seen = datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y%m%dT%H%M%SZ")
        about = {"domain": site, "language": language, "sourcecountry": "Ireland", "socialimage": "", "url_mobile": ""}
        self.articles[url] = {"url": url, "title": title, "seendate": seen} | about
        return url

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A search."""
        query = dict(request.query)
        if request.path != "/api/v2/doc/doc":
            raise web.HTTPNotFound
        if len(query["query"]) < 3:
            return web.Response(text="Your query was too short or too long.\n", content_type="text/html")
        assert (query["mode"], query["format"], query["sort"]) == ("ArtList", "json", "DateDesc")
        low, high = query["startdatetime"], query["enddatetime"]
        found = [
            one
            for one in self.articles.values()
            if low <= one["seendate"].replace("T", "").rstrip("Z") <= high and query["query"].lower() in one["title"].lower()
        ]
        found.sort(key=lambda one: one["seendate"], reverse=True)
        most = min(int(query["maxrecords"]), self.most)
        said = json.dumps({"articles": found[:most]} if found else {})
        for right, wrong in self.broken.items():
            said = said.replace(right, wrong)
        return web.Response(text=said, content_type="application/json")
