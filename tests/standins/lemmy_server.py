"""A server of Lemmy as its clients see it, in the manner of 0.19 (API v3) or of 1.0 (v4)."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standins.scripted import ScriptedServer

HOME = "lemmy.test"


class LemmyStandin(ScriptedServer):
    """`views` are the posts and comments that it has, by their address, in no order; `version` is the API that it speaks.

    `version` may change while it runs, as at an update.
    """

    def __init__(self, version: int = 3, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.version = version
        self.views: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(100)

    def post(self, name: str, body: str | None = None, *, age: float = 60, author: str = "ann", home: str = HOME) -> str:
        """A post that was made `age` seconds ago on the server `home`. Returns its address."""
        return self._add("post", {"name": name, "body": body, "url": "https://example.org/"}, age, author, home)

    def comment(self, content: str, *, age: float = 60, author: str = "ann", home: str = HOME) -> str:
        """A comment, as `post`."""
        return self._add("comment", {"content": content, "path": "0.1", "distinguished": False}, age, author, home)

    def edit(self, address: str, **fields: str) -> None:
        """Gives an item other texts."""
        view = self.views[address]
        view["comment" if "comment" in view else "post"] |= fields | {"updated": _stamp(0), "updated_at": _stamp(0)}

    def delete(self, address: str, how: str = "deleted", *, shown: bool = False) -> None:
        """Deletes ("deleted") or removes ("removed") an item; `shown`: it still stands in lists, with the flag."""
        view = self.views[address]
        said = view["comment" if "comment" in view else "post"]
        said |= {how: True, "content": "", "body": ""}
        view["shown"] = shown

    def _add(self, kind: str, fields: dict[str, Any], age: float, author: str, home: str) -> str:
        number = next(self._ids)
        address, made = f"https://{home}/{kind}/{number}", _stamp(age)
        flags = {"removed": False, "deleted": False, "local": home == HOME, "language_id": 0}
        said = {"id": number, "ap_id": address, "published": made, "published_at": made, "creator_id": 1} | flags | fields
        actor = f"https://{home}/u/{author}"
        creator = {"id": 1, "name": author, "actor_id": actor, "ap_id": actor, "deleted": False}
        view: dict[str, Any] = {kind: said, "creator": creator, "community": {"id": 2, "name": "c"}, "shown": True}
        if kind == "comment":
            view["post"] = {"id": 1, "name": "A post with serum in its name", "ap_id": f"https://{home}/post/1"}
        self.views[address] = view
        return address

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Searches, items, and 404 without a word at the paths of the other version."""
        wanted, _, path = request.path.removeprefix("/api/v").partition("/")
        if wanted != str(self.version):
            raise web.HTTPNotFound
        query = dict(request.query)
        if path == "site":
            return web.json_response({"version": "0.19.12" if self.version == 3 else "1.0.2", "site_view": {}})
        if path == "search":
            return web.json_response(self._search(query))
        if path in ("post", "comment"):
            address = f"https://{HOME}/{path}/{query['id']}"
            return self._one(address, f"{path}_view", f"couldnt_find_{path}")
        if path == "resolve_object":
            kind = "comment" if "/comment/" in query["q"] else "post"
            return self._one(query["q"], kind if self.version == 3 else "resolve", "couldnt_find_object")
        raise web.HTTPNotFound

    def _one(self, address: str, name: str, missing: str) -> web.Response:
        view = self.views.get(address)
        if view is None or (not view["shown"] and name.partition("_")[0] == "post"):
            error = {"error": missing} if self.version == 3 else {"error": "not_found"}
            return web.json_response(error, status=400 if self.version == 3 else 404)
        return web.json_response({name: self._shown(view)} | ({"search": []} if name == "resolve" else {}))

    def _search(self, query: dict[str, str]) -> dict[str, Any]:
        wanted = query["q" if self.version == 3 else "search_term"].lower()
        kind = query["type_"].lower().removesuffix("s")
        ours = [
            view
            for view in self.views.values()
            if view["shown"] and kind in view and ("comment" in view) == (kind == "comment") and self._holds(view[kind], wanted)
        ]
        ours.sort(key=lambda view: view[kind]["published"], reverse=True)
        limit = int(query["limit"])
        if self.version == 3:
            at = (int(query["page"]) - 1) * limit
            lists: dict[str, Any] = {"posts": [], "comments": [], "communities": [], "users": []}
            return lists | {"type_": query["type_"], f"{kind}s": [self._shown(view) for view in ours[at : at + limit]]}
        at = int(query.get("page_cursor", "P0")[1:])
        following = f"P{at + limit}" if at + limit < len(ours) else None
        found = [self._shown(view) | {"type_": kind} for view in ours[at : at + limit]]
        return {"search": found, "next_page": following, "prev_page": None}

    @staticmethod
    def _holds(said: dict[str, Any], wanted: str) -> bool:
        flagged = said["deleted"] or said["removed"]  # their texts are gone, and old indexes still find them
        return flagged or wanted in f"{said.get('name')} {said.get('body')} {said.get('content')}".lower()

    def _shown(self, view: dict[str, Any]) -> dict[str, Any]:
        """A view with the names of the version only."""
        others = ("published_at", "updated_at") if self.version == 3 else ("published", "updated", "actor_id")
        kind = "comment" if "comment" in view else "post"
        said = {name: value for name, value in view[kind].items() if name not in others}
        creator = {
            name: value for name, value in view["creator"].items() if name != ("ap_id" if self.version == 3 else "actor_id")
        }
        counts = {"counts": {"score": 1}} if self.version == 3 else {}
        return {name: value for name, value in view.items() if name != "shown"} | {kind: said, "creator": creator} | counts


def _stamp(age: float) -> str:
    return datetime.fromtimestamp(time.time() - age, UTC).isoformat().replace("+00:00", "Z")
