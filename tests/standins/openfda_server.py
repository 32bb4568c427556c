"""FDA twice: openFDA's recalls (nothing found is 404), and its site with the feed of warning letters and the letters."""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from tests.standins.scripted import ScriptedServer

TODAY = dt.datetime.now(dt.UTC).date()
FEED = "/about-fda/contact-fda/stay-informed/rss-feeds/warning-letters/rss.xml"
_FOLDER = "/inspections-compliance-enforcement-and-criminal-investigations/warning-letters/"
_BOILERPLATE = "This letter concerns your firm. You should take prompt action to correct the violations. " * 12
_CLAUSE = re.compile(r'(\w+):"([^"]+)"')


@dataclass(kw_only=True)
class Letter:
    """A warning letter: what the feed says of it, and what stands in it. `status` answers who opens it."""

    firm: str
    says: str
    subject: str = "Unapproved new drugs"
    age: float = 86_400
    status: int = 200
    page: str | None = None
    host: str = "https://www.fda.gov"

    @property
    def path(self) -> str:
        return f"{_FOLDER}{re.sub('[^a-z]+', '-', self.firm.lower())}-700"


class OpenFDAServer(ScriptedServer):
    """`recalls` are openFDA's by product, `letters` those of the feed, the newest first. `most`: recalls of one answer."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.recalls: dict[str, list[dict[str, Any]]] = {"drug": [], "device": [], "food": []}
        self.letters: list[Letter] = []
        self.most = 1_000
        self.feed: web.Response | None = None

    def recall(self, number: str, product: str = "Sourdough", *, kind: str = "drug", age: int = 5, **more: Any) -> dict[str, Any]:
        """A recall that was reported `age` days ago."""
        made = {
            "recall_number": number,
            "product_description": product,
            "reason_for_recall": "It did not rise.",
            "recalling_firm": "A bakery",
            "classification": "Class II",
            "status": "Ongoing",
            "report_date": f"{TODAY - dt.timedelta(days=age):%Y%m%d}",
        } | more
        self.recalls[kind].append(made)
        return made

    def opened(self) -> list[str]:
        """The letters that were opened."""
        return [one.path.rsplit("/", 1)[1] for one in self.asked if one.path.startswith(_FOLDER)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Recalls, the feed, or a letter."""
        if request.path.endswith("/enforcement.json"):
            return self._found(request.path.split("/")[1], dict(request.query))
        if request.path == FEED:
            return self.feed or web.Response(text=self._rss(), content_type="application/rss+xml")
        letter = next((one for one in self.letters if one.path == request.path), None)
        if letter is None:
            raise web.HTTPNotFound
        page = f"<html><nav>Menu</nav><h1>WARNING LETTER</h1><p>{_BOILERPLATE}</p><p>{letter.says}</p></html>"
        text = page if letter.page is None else letter.page
        return web.Response(status=letter.status, text=text, content_type="text/html")

    def _found(self, kind: str, asked: dict[str, str]) -> web.Response:
        search = re.fullmatch(r"\((.+)\) AND report_date:\[(\d{8}) TO (\d{8})\]", asked["search"])
        assert search is not None, asked
        assert asked["sort"] == "report_date:asc"
        clauses = [clause.groups() for one in search[1].split(" OR ") if (clause := _CLAUSE.fullmatch(one))]
        found = [
            one
            for one in self.recalls[kind]
            if search[2] <= one["report_date"] <= search[3] and any(words in one[field].lower() for field, words in clauses)
        ]
        skip, limit = int(asked["skip"]), int(asked["limit"])
        if skip > 25_000:
            error = {"code": "BAD_REQUEST", "message": "Skip value must 25000 or less."}
            return web.json_response({"error": error}, status=400)
        page = found[skip : skip + min(limit, self.most)]
        if not page:
            return web.json_response({"error": {"code": "NOT_FOUND", "message": "No matches found!"}}, status=404)
        meta = {"disclaimer": "…", "results": {"skip": skip, "limit": limit, "total": len(found)}}
        return web.json_response({"meta": meta, "results": page})

    def _rss(self) -> str:
        items = "".join(
            f"<item><title>{escape(one.firm)} - 700 - 05/05/2026</title><link>{one.host}{one.path}</link>"
            f"<description>{escape(one.subject)}</description><pubDate>{formatdate(time.time() - one.age)}</pubDate>"
            f'<guid isPermaLink="true">http://www.fda.gov{one.path}</guid></item>'
            for one in self.letters
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Warning Letters</title>{items}</channel></rss>'
