"""Hacker News as its two services show it: Algolia's search by date, and the items themselves. `base_url` replaces both hosts."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

from aiohttp import web

from tests.standins.scripted import ScriptedServer

_FILTER = re.compile(r"created_at_i(>=|<=|>|<)(\d+)")
_WORD = re.compile(r"\w+")


class HackerNewsServer(ScriptedServer):
    """`hits` are what the search knows, by id; `items` what Hacker News itself says. `most`: hits of one search."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.hits: dict[str, dict[str, Any]] = {}
        self.items: dict[str, Any] = {}
        self.most = 1_000
        self._ids = itertools.count(41_000_000)

    def story(self, title: str, text: str | None = None, *, age: float = 60, author: str = "someone") -> str:
        """A story that was made `age` seconds ago. Returns its id."""
        return self._add({"title": title, "story_text": text, "url": None if text else "https://example.org/"}, age, author)

    def comment(self, text: str, *, age: float = 60, author: str = "someone", story: str = "A story") -> str:
        """A comment, as `story`."""
        return self._add({"comment_text": text, "story_title": story, "story_id": 1, "points": None}, age, author)

    def delete(self, id_: str, how: str = "deleted") -> None:
        """Deletes an item ("deleted"), has it killed by moderators ("dead"), or has it vanish ("null")."""
        self.items[id_] = None if how == "null" else {"id": int(id_), "type": "comment", "time": 1, how: True}
        self.hits.pop(id_, None)

    def _add(self, fields: dict[str, Any], age: float, author: str) -> str:
        id_, made = str(next(self._ids)), int(time.time() - age)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
        self.hits[id_] = {
            "objectID": id_,
            "author": author,
            "created_at": stamp,
            "created_at_i": made,
            "_tags": ["comment" if "comment_text" in fields else "story", f"author_{author}"],
            "_highlightResult": {"author": {"value": author, "matchLevel": "none", "matchedWords": []}},
            **fields,
        }
        self.items[id_] = {"by": author, "id": int(id_), "time": made, "type": self.hits[id_]["_tags"][0]}
        return id_

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A search, or an item."""
        if request.path == "/api/v1/search_by_date":
            return self._search(request.query)
        if found := re.fullmatch(r"/v0/item/(\d+)\.json", request.path):
            return web.json_response(self.items.get(found[1]))
        raise web.HTTPNotFound

    def _search(self, query: Any) -> web.Response:
        low, high = 0, 2**40
        for part in query["numericFilters"].split(","):
            found = _FILTER.fullmatch(part)
            if found is None:
                return web.json_response({"message": f"invalid syntax for numeric condition: {part}", "status": 400}, status=400)
            sign, number = found[1], int(found[2])
            low = max(low, number + (sign == ">")) if ">" in sign else low
            high = min(high, number - (sign == "<")) if "<" in sign else high
        kinds = query["tags"].strip("()").split(",")
        ours = [
            hit
            for hit in self.hits.values()
            if low <= hit["created_at_i"] <= high and hit["_tags"][0] in kinds and self._matches(query["query"], hit)
        ]
        ours.sort(key=lambda hit: -hit["created_at_i"])
        most = min(int(query["hitsPerPage"]), self.most)
        page = {"hits": ours[:most], "nbHits": len(ours), "page": 0, "nbPages": 1, "hitsPerPage": most}
        return web.json_response(page | {"exhaustiveNbHits": True, "query": query["query"]})

    @staticmethod
    def _matches(query: str, hit: dict[str, Any]) -> bool:
        said = [text for name in ("title", "story_text", "comment_text") if (text := hit.get(name))]
        words = _WORD.findall(" ".join(said).lower())
        return all(any(word.startswith(wanted) for word in words) for wanted in query.lower().split())
