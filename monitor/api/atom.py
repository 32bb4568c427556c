"""Alerts as a feed (Atom, RFC 4287), for readers that know nothing of exowatch."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from xml.etree import ElementTree

from aiohttp import web

from monitor.api.parts import PARTS
from monitor.api.queries import ask, tagged
from monitor.store import alerts
from monitor.words import Alert

_NAMESPACE = "http://www.w3.org/2005/Atom"
_NEVER = "1970-01-01T00:00:00.000Z"  # when a feed without an entry was last new
_TITLE = 200  # characters
# What XML cannot hold, and the marks that turn the direction of what follows them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

ElementTree.register_namespace("", _NAMESPACE)


async def get_feed(request: web.Request) -> web.Response:
    """Alerts as an Atom feed, newest first; the filters are those of the list."""
    filters, _ = ask(request, "token", of="alerts")
    async with request.app[PARTS].database.read() as connection:
        page = await alerts.page(connection, filters)
    return tagged(request, feed_of(page.items, _origin(request)), "application/atom+xml")


def feed_of(items: Sequence[Alert], origin: str) -> bytes:
    """The feed of these alerts, newest first, of a server at this origin (`https://host`)."""
    feed = ElementTree.Element(f"{{{_NAMESPACE}}}feed")
    _add(feed, "id", _urn(f"{origin}/alerts.atom"))
    _add(feed, "title", "exowatch alerts")
    _add(feed, "updated", items[0].created_at if items else _NEVER)
    _add(_add(feed, "author"), "name", "exowatch")
    _add(feed, "link", rel="self", href=f"{origin}/alerts.atom", type="application/atom+xml")
    _add(feed, "link", rel="alternate", href=f"{origin}/", type="text/html")
    for one in items:
        entry = _add(feed, "entry")
        _add(entry, "id", _urn(f"alert {one.id} {one.created_at}"))  # the same under whatever name the server is reached
        _add(entry, "title", f"{one.kind}: {one.summary}"[:_TITLE], type="text")
        _add(entry, "updated", one.created_at)
        _add(entry, "published", one.created_at)
        _add(entry, "category", term=one.kind)
        page = f"{origin}/claims/{one.claim_id}" if one.claim_id else f"{origin}/"
        _add(entry, "link", rel="alternate", href=page, type="text/html")
        _add(entry, "content", one.summary, type="text")
    return bytes(ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    fit = {key: _UNFIT.sub("", value) for key, value in attributes.items()}
    element = ElementTree.SubElement(parent, f"{{{_NAMESPACE}}}{name}", fit)
    element.text = None if text is None else _UNFIT.sub("", text)
    return element


def _urn(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


def _origin(request: web.Request) -> str:
    """How the asker reaches this server, as its proxy says where there is one."""
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.scheme
    return f"{scheme}://{request.host}"
