"""The pages: what is new, one claim, the form to log in. Rendered here, escaped by default; the posts in them are hostile."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.api.access import LOGIN_DAYS
from monitor.api.guard import ACCESS, COOKIE
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, name_in_path
from monitor.store import claims, detail, parse_filters, sources
from monitor.store.stats import stats
from monitor.words import now_ms

_SHOWN = 30  # claims on the first page
_UNWELL = ("failing", "down", "silent")
_DAY_MS = 86_400_000
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def _web_address(url: str | None) -> str | None:
    """The address if a browser may be sent there: whatever else a post calls its address is no link."""
    try:
        parts = urlsplit(url or "")
        return url if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _named(word: str) -> str:
    """`skin_efficacy` as a person writes it."""
    return word.replace("_", " ")


def _short(text: str | None, length: int = 280) -> str:
    """A quote on one line, cut between words, without the marks that turn the direction of what follows them."""
    words = " ".join((text or "").translate(_TURNING).split())
    if len(words) <= length:
        return words
    cut = words[:length]
    return (cut.rsplit(" ", 1)[0] if " " in cut[length // 2 :] else cut) + " …"


def _when(time: str | None) -> str:
    """A time for readers whose browser does not put it into their own zone."""
    if not time:
        return ""
    return dt.datetime.fromisoformat(time).strftime("%-d %b %Y, %H:%M UTC")


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(web_address=_web_address, named=_named, short=_short, when=_when)


def _page(name: str, status: int = 200, **values: Any) -> web.Response:
    return web.Response(text=_templates.get_template(name).render(**values), status=status, content_type="text/html")


async def get_first_page(request: web.Request) -> web.Response:
    """What is new: unsupported and contradicted claims, the latest first, and how the sources are.

    What a person dismissed or muted is not shown.
    """
    ask(request, filters=())
    parts = request.app[PARTS]
    wanted = {"verdict": ["unsupported", "contradicted"], "stance": ["asserts", "reports"], "state": ["open", "confirmed"]}
    async with parts.database.read() as connection:
        new = (await claims.page(connection, parse_filters(wanted | {"limit": [str(_SHOWN)]}))).items
        said = await detail.first_said(connection, [one.id for one in new])
        all_sources = await sources.listing(connection)
        since = now_ms() - _DAY_MS
        hours = (await stats(connection, "hour", parse_filters({"since": [f"{since / 1000:.3f}"]}))).buckets
    return _page(
        "new.html",
        rows=[(one, said[one.id]) for one in new if one.id in said],
        sources=[one for one in all_sources if one.state != "off"],
        unwell=sum(one.state in _UNWELL for one in all_sources),
        mentions_today=sum(bucket.mentions for bucket in hours),
        now=now_ms(),
        logged_in=parts.locked,
    )


async def get_claim_page(request: web.Request) -> web.Response:
    """One claim: the page that alerts lead to."""
    filters, _ = ask(request, filters=("cursor",))
    parts = request.app[PARTS]
    async with parts.database.read() as connection:
        found = await detail.find(connection, name_in_path(request, "id"), filters)
    if found is None:
        raise Problem(404, "there is no claim with this id")
    most = max((day.mentions for day in found.timeline), default=1)
    return _page("claim.html", claim=found, most=most, later=filters.cursor is not None, logged_in=parts.locked)


async def get_login(request: web.Request) -> web.Response:
    """The form to log in."""
    if not request.app[PARTS].locked:
        raise web.HTTPSeeOther("/")
    return login_form(request.query.get("next", "/"))


def login_form(back: str, *, status: int = 200, wrong: bool = False) -> web.Response:
    """The form, which leads back to where the reader wanted to go."""
    return _page("login.html", status, back=_local(back), wrong=wrong)


@web.middleware
async def offer_login(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Shows the form to a browser that opens a page without being logged in."""
    try:
        return await handler(request)
    except Problem as error:
        wants_page = "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")
        if error.status == 401 and request.method in ("GET", "HEAD") and wants_page:
            form = login_form(request.path_qs, status=401)
            form.headers.update(error.headers)
            return form
        raise


async def post_login(request: web.Request) -> web.Response:
    """Takes a token and gives a cookie in its place."""
    try:
        form = await request.post()
    except (LookupError, ValueError):  # an encoding that is none
        raise Problem(400, "the form cannot be read") from None
    back = _local(str(form.get("next", "/")))
    cookie = request.app[ACCESS].login(str(form.get("token", "")).strip())
    if cookie is None:
        return login_form(back, status=401, wrong=True)
    answer = web.Response(status=303, headers={"Location": back})
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=LOGIN_DAYS * 86_400,
        httponly=True,
        samesite="Strict",
        # A proxy in front may speak TLS for us; whoever forges its header only keeps the cookie from themselves.
        secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
    )
    return answer


async def post_logout(_request: web.Request) -> web.Response:
    """Takes the cookie back."""
    answer = web.Response(status=303, headers={"Location": "/login"})
    answer.del_cookie(COOKIE, httponly=True, samesite="Strict")
    return answer


def _local(address: str) -> str:
    """An address of ours to go back to; anything that could lead elsewhere becomes the first page."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"
