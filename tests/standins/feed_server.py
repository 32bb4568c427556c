"""A site with a feed: RSS by default, with validators, and any scripted answer in between."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer


@dataclass
class FeedEntry:
    """One item; what is None is left out of the feed."""

    title: str | None = None
    body: str | None = None
    id: str | None = None
    link: str | None = None
    author: str | None = None
    published: str | None = None

    def xml(self) -> str:
        """The item as RSS."""
        fields = {"title": self.title, "description": self.body, "link": self.link, "pubDate": self.published}
        parts = [f"<{name}>{escape(value)}</{name}>" for name, value in fields.items() if value is not None]
        if self.id is not None:
            parts.append(f'<guid isPermaLink="false">{escape(self.id)}</guid>')
        if self.author is not None:
            parts.append(f"<dc:creator>{escape(self.author)}</dc:creator>")
        return f"<item>{''.join(parts)}</item>"


class FeedServer(ScriptedServer):
    """`entries` (newest first) are served at `url`; `pages` holds fixed replies for other paths; `headers` go with every feed."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.entries: list[FeedEntry] = []
        self.pages: dict[str, Reply] = {}
        self.headers: dict[str, str] = {}
        self.language = "en"
        self.hub = ""  # the hub that the feed names

    @property
    def url(self) -> str:
        """The feed's address."""
        return f"{self.origin}/rss.xml"

    def xml(self) -> str:
        """The feed as it is now."""
        items = "".join(entry.xml() for entry in self.entries)
        links = f'<link xmlns="http://www.w3.org/2005/Atom" rel="hub" href="{self.hub}"/>' if self.hub else ""
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
            f"<title>A feed</title><link>https://feed.test/</link><language>{self.language}</language>{links}{items}</channel></rss>"
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The feed with a weak ETag, 304 where it has not changed, or the fixed reply of another path."""
        if request.path in self.pages:
            return await self.send(request, self.pages[request.path])
        if request.path != "/rss.xml":
            raise web.HTTPNotFound
        body = self.xml().encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": etag, "Content-Type": "application/rss+xml; charset=utf-8"} | self.headers
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=self.headers)
        return web.Response(body=body, headers=headers)
