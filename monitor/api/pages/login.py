"""Logging in and out where a token is set, and the name under which a reader reviews."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.api.access import LOGIN_DAYS, needs
from monitor.api.guard import ACCESS, COOKIE
from monitor.api.pages import forms
from monitor.api.pages.render import page
from monitor.api.parts import PARTS
from monitor.api.problems import Problem


async def get_login(request: web.Request) -> web.Response:
    """The form to log in."""
    if not request.app[PARTS].locked:
        raise web.HTTPSeeOther("/")
    return login_form(request, request.query.get("next", "/"))


def login_form(request: web.Request, back: str, *, status: int = 200, wrong: bool = False) -> web.Response:
    """The form, which leads back to where the reader wanted to go."""
    return page(request, "login.html", status, back=forms.local(back), wrong=wrong)


@web.middleware
async def offer_login(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Shows the form to a browser that opens a page without being logged in."""
    try:
        return await handler(request)
    except Problem as error:
        if error.status == 401 and request.method in ("GET", "HEAD") and wants_page(request):
            form = login_form(request, request.path_qs, status=401)
            form.headers.update(error.headers)
            return form
        raise


def wants_page(request: web.Request) -> bool:
    """Whether it is a person with a browser who asks."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


async def post_login(request: web.Request) -> web.Response:
    """Takes a token and gives a cookie in its place.

    The form carries no word of its own (`forms`): whoever could forge it would have to know the token.
    """
    try:
        form = await request.post()
    except (LookupError, ValueError):  # an encoding that is none
        raise Problem(400, "the form cannot be read") from None
    back = forms.local(str(form.get("next", "/")))
    cookie = request.app[ACCESS].login(str(form.get("token", "")).strip())
    if cookie is None:
        return login_form(request, back, status=401, wrong=True)
    answer = forms.go(back)
    forms.remember(request, answer, COOKIE, cookie, LOGIN_DAYS * 86_400)
    return answer


async def post_logout(request: web.Request) -> web.Response:
    """Takes the cookie back."""
    await forms.posted(request)
    answer = forms.go("/login")
    answer.del_cookie(COOKIE, httponly=True, samesite="Strict")
    return answer


async def get_you(request: web.Request) -> web.Response:
    """The form in which a reader says who they are."""
    return page(request, "you.html", back=forms.local(request.query.get("next", "/")))


@needs("read")
async def post_you(request: web.Request) -> web.Response:
    """Keeps the reader's name in their browser."""
    fields = await forms.posted(request)
    answer = forms.go(fields.get("next", "/"))
    forms.remember_reader(request, answer, forms.fit_name(fields.get("name", "")))
    return answer
