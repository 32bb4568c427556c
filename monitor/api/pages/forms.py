"""Forms that change something: the token that only our own pages can carry, who the reader is, where to go afterwards.

A browser sends cookies along with whatever any page makes it send. So a form carries a second word too, made of the cookie that
only we and this browser know (the login's, or one of its own where nobody has to log in): a foreign page can neither read nor
guess it. `SameSite=Strict` and the look at `Origin` (`monitor.api.guard`) stand before it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from aiohttp import web
from multidict import MultiDict

from monitor.api.access import caller_of, same
from monitor.api.guard import COOKIE as LOGIN
from monitor.api.problems import Problem
from monitor.settings.tokens import OWN_NAME

COOKIE = "exowatch_form"
NAME = "exowatch_name"
NOBODY = "page"  # what reviews say whose reader has not said who they are
MAX_NAME = 60
_YEAR_S = 365 * 86_400
_UNFIT = re.compile(r"[^\w .@+'-]")


def session(request: web.Request) -> tuple[str, bool]:
    """The secret that this browser shares with us, and whether it is a new one that the browser has to be told."""
    known = request.cookies.get(LOGIN) or request.cookies.get(COOKIE)
    return (known, False) if known else (secrets.token_urlsafe(24), True)


def token(shared: str) -> str:
    """What a form carries as `form`."""
    return hmac.new(shared.encode("utf-8", "surrogateescape"), b"exowatch form", hashlib.sha256).hexdigest()


async def posted(request: web.Request) -> MultiDict[str]:
    """The fields of a form of ours. Raises Problem where it cannot be read or is none of ours."""
    try:
        given = await request.post()
    except (LookupError, ValueError):  # an encoding that is none
        raise Problem(400, "the form cannot be read") from None
    fields = MultiDict((name, value.strip()) for name, value in given.items() if isinstance(value, str))
    shared, is_new = session(request)
    if is_new or not same(fields.get("form", ""), token(shared)):
        raise Problem(403, "this form is not from a page that is open here, or too old; go back, reload the page and try again")
    return fields


def reader(request: web.Request) -> str:
    """The name under which this browser's reader reviews: what they said, else their token's; empty where there is none."""
    named = caller_of(request).name
    return fit_name(request.cookies.get(NAME, "")) or ("" if named == OWN_NAME else named)


def fit_name(given: str) -> str:
    """A name as it may stand in a cookie and a review."""
    return " ".join(_UNFIT.sub(" ", given).split())[:MAX_NAME]


def remember(request: web.Request, answer: web.StreamResponse, name: str, value: str, max_age: int | None = None) -> None:
    """Gives the browser a cookie that it shows to us alone, and no script."""
    # A proxy in front may speak TLS for us; whoever forges its header only keeps the cookie from themselves.
    secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
    answer.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Strict", secure=secure)


def remember_reader(request: web.Request, answer: web.StreamResponse, name: str) -> None:
    """Keeps the reader's name for the next reviews."""
    remember(request, answer, NAME, name, _YEAR_S)


def local(address: str) -> str:
    """An address of ours to go back to; anything that could lead elsewhere becomes the first page."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"


def go(address: str) -> web.Response:
    """Sends the browser on to a page of ours, as one that is read."""
    return web.Response(status=303, headers={"Location": local(address)})
