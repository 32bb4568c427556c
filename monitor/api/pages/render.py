"""From values to HTML: the templates, their filters, and what every page shows of its reader."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from aiohttp import web

from monitor.api.access import caller_of
from monitor.api.guard import COOKIE as LOGIN
from monitor.api.pages import forms
from monitor.api.pages.charts import bars
from monitor.api.pages.marks import excerpts, pieces, readable
from monitor.api.pages.strip import drawn
from monitor.api.parts import PARTS

SECTIONS = (
    ("/", "Today"),
    ("/claims", "Claims"),
    ("/mentions", "Mentions"),
    ("/alerts", "Alerts"),
    ("/evidence", "Evidence"),
    ("/sources", "Sources"),
    ("/endpoints", "Endpoints"),
)


_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def web_address(url: str | None) -> str | None:
    """The address if a browser may be sent there: whatever else a post calls its address is no link."""
    try:
        parts = urlsplit(url or "")
        return url if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def named(word: str) -> str:
    """`skin_efficacy` as a person writes it."""
    return word.replace("_", " ")


def short(text: str | None, length: int = 280) -> str:
    """A quote on one line, cut between words, without the marks that turn the direction of what follows them."""
    words = " ".join(readable(text or "").split())
    if len(words) <= length:
        return words
    cut = words[:length]
    return (cut.rsplit(" ", 1)[0] if " " in cut[length // 2 :] else cut) + " …"


def sure(confidence: float) -> str:
    """How sure it is, `90% sure`; no reading is wholly so."""
    return f"{min(99, round(confidence * 100))}% sure"


def language_tag(language: str | None) -> str:
    """A language as HTML names it; `und` where nobody could tell it, or said something that is no language."""
    return language if language and _LANGUAGE.fullmatch(language) else "und"


def when(time: str | None) -> str:
    """A time for readers whose browser does not put it into their own zone."""
    if not time:
        return ""
    return dt.datetime.fromisoformat(time).strftime("%-d %b %Y, %H:%M UTC")


def day(time: str) -> str:
    """A day of UTC: `22 Nov`."""
    return dt.datetime.fromisoformat(time).strftime("%-d %b")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 mention`, `1,204 mentions`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def long(seconds: float | None) -> str:
    """A stretch of time: `12 s`, `5 min`, `3 h`, `9 days`."""
    if seconds is None:
        return ""
    for size, unit in ((172_800, 86_400), (7_200, 3_600), (120, 60)):
        if seconds >= size:
            return f"{seconds / unit:.0f} {({86_400: 'days', 3_600: 'h', 60: 'min'})[unit]}"
    return f"{max(seconds, 0):.0f} s"


def address(path: str, given: Mapping[str, Sequence[str]], **changed: str | None) -> str:
    """A page's address with these parameters; `changed` ones are put in their place, or left out where None."""
    kept = {name: values for name, values in given.items() if name not in changed and name != "cursor"}
    new = {name: [value] for name, value in changed.items() if value is not None}
    query = urlencode(kept | new, doseq=True)
    return f"{path}?{query}" if query else path


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    web_address=web_address,
    named=named,
    short=short,
    readable=readable,
    when=when,
    sure=sure,
    language_tag=language_tag,
    day=day,
    count=count,
    long=long,
    bars=bars,
    strip=drawn,
    pieces=pieces,
    excerpts=excerpts,
)
_templates.globals.update(address=address, sections=SECTIONS)


def page(request: web.Request, name: str, status: int = 200, **values: Any) -> web.Response:
    """The page made of the template of this name. Each knows `here` (its path), `you` (the reader's name), `may` (the scopes of
    their token, all where none is set) and `form` (what every form that changes something carries)."""
    session, is_new = forms.session(request)
    html = _templates.get_template(name).render(
        here=request.path,
        form=forms.token(session),
        you=forms.reader(request),
        logged_in=request.app[PARTS].locked and LOGIN in request.cookies,
        may=caller_of(request).scopes,
        **values,
    )
    answer = web.Response(text=html, status=status, content_type="text/html")
    answer.enable_compression()  # tells nobody the form's word: with `SameSite=Strict` no other site can ask in a reader's name
    if is_new and 'name="form"' in html:  # whoever only reads is given no cookie
        forms.remember(request, answer, forms.COOKIE, session)
    return answer
