"""What is asked for, from the query string; and answers as JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from monitor import words
from monitor.api.problems import Problem
from monitor.store import Filters, parse_filters
from monitor.store.filters import NAMES, Listed

MAX_LINE = 1_048_576  # bytes of a request's first line (of aiohttp's own, 8,190): all that may be asked fits, at twelve a letter
MAX_VALUES = 100  # of one parameter
MAX_VALUE = 1_000  # characters of one of them
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # no stored id or name holds one (`monitor.intake`)


def ask(
    request: web.Request, *own: str, of: Listed = "mentions", filters: Sequence[str] | None = None
) -> tuple[Filters, dict[str, list[str]]]:
    """The filters of a request, and the values of the parameters that are its route's `own`.

    `of` is what is listed; `filters` are those of its filters that the route takes, where it does not take them all. Raises
    Problem for a parameter that is neither, FilterError for a filter that cannot be used.
    """
    filters = NAMES[of] if filters is None else filters
    given: dict[str, list[str]] = {}
    for name, value in request.query.items():
        given.setdefault(name, []).append(value)
    unknown = [name for name in given if name not in filters and name not in own]
    if unknown:
        known = ", ".join((*own, *filters)) or "none"
        raise Problem(400, f"unknown parameter {unknown[0][:64]!r}; known here: {known}")
    for name, values in given.items():
        if len(values) > MAX_VALUES:
            raise Problem(400, f"{name} is there {len(values)} times; give at most {MAX_VALUES}")
        if any(len(value) > MAX_VALUE for value in values):
            raise Problem(400, f"a value of {name} is longer than {MAX_VALUE:,} characters")
    mine = {name: given.pop(name) for name in own if name in given}
    return parse_filters(given, of), mine


def choice(mine: dict[str, list[str]], name: str, allowed: Sequence[str], default: str | None = None) -> str | None:
    """The value of a parameter that is one of a few. Raises Problem for another."""
    value = mine[name][-1] if name in mine else default
    if value is not None and value not in allowed:
        raise Problem(400, f"{name} {value[:64]!r} is not one of {', '.join(allowed)}")
    return value


def name_in_path(request: web.Request, key: str) -> str:
    """An id or name from the path. Raises Problem (404) for one that nothing can have."""
    name: str = request.match_info[key]
    if _CONTROL.search(name) or len(name) > 2 * words.MAX_ID:
        raise Problem(404, "there is nothing with this id")
    return name


def answer_one(request: web.Request, value: Any) -> web.Response:
    """One thing as JSON, or 304 where the asker has it as it is."""
    return tagged(request, words.encode(value), "application/json")


def tagged(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """The body with a tag of its content, or 304 where the asker names that tag.

    The asker may keep it, nobody else, and has to ask each time whether it still holds: posts get deleted.
    """
    tag = hashlib.blake2b(body, digest_size=16).hexdigest()
    had = any(one.value in (tag, "*") for one in request.if_none_match or ())
    response = web.Response(status=304) if had else web.Response(body=body, content_type=content_type, charset="utf-8")
    response.etag = tag
    response.headers.update({"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"})
    return response


def answer(value: Any, status: int = 200) -> web.Response:
    """A record as JSON."""
    return web.Response(status=status, body=words.encode(value), content_type="application/json")
