"""Whole lists over HTTP, as files that are sent while they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog
from aiohttp import web

from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, choice
from monitor.export import CONTENT_TYPES, FORMATS, LISTED, FormatMissing, Kind, Writer, pages, writer
from monitor.store import Database, Filters
from monitor.store.filters import NAMES, Listed

log = structlog.get_logger()

MAX_AT_ONCE = 4
PATIENCE_S = 60.0  # how long whoever asked may take to accept a page
RUNNING = web.AppKey("exports", asyncio.Semaphore)


OF_EXPORT = {of: tuple(name for name in names if name not in ("limit", "cursor")) for of, names in NAMES.items()}


async def export_mentions(request: web.Request) -> web.StreamResponse:
    """All mentions that pass the filters, as a file."""
    return await _export(request, "mentions")


async def export_occurrences(request: web.Request) -> web.StreamResponse:
    """All occurrences of claims that pass the filters, each with its mention, as a file."""
    return await _export(request, "occurrences")


async def export_claims(request: web.Request) -> web.StreamResponse:
    """All claims that pass the filters, as a file."""
    return await _export(request, "claims")


async def export_alerts(request: web.Request) -> web.StreamResponse:
    """All alerts that pass the filters, as a file."""
    return await _export(request, "alerts")


EXPORTS: dict[Kind, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "mentions": export_mentions,
    "occurrences": export_occurrences,
    "claims": export_claims,
    "alerts": export_alerts,
}


async def _export(request: web.Request, kind: Kind) -> web.StreamResponse:
    of: Listed = LISTED[kind]
    filters, mine = ask(request, "format", of=of, filters=OF_EXPORT[of])
    form = choice(mine, "format", FORMATS, "jsonl") or "jsonl"
    try:
        out = writer(form, kind)
    except FormatMissing as error:
        raise Problem(501, f"{error} where the daemon runs") from None
    running = request.app[RUNNING]
    if running.locked():
        raise Problem(503, f"{MAX_AT_ONCE} exports are under way already; try again later", {"Retry-After": "30"})
    async with running:
        return await _send(request, request.app[PARTS].database, kind, form, filters, out)


async def _send(
    request: web.Request, database: Database, kind: Kind, form: str, filters: Filters, out: Writer
) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = CONTENT_TYPES[form]
    response.headers["Content-Disposition"] = f'attachment; filename="exowatch-{kind}.{form}"'
    async with aclosing(pages(database, kind, filters)) as found:
        page = await anext(found, None)  # what cannot be asked is said before anything is sent
        await response.prepare(request)
        try:
            await _write(response, out.begin())
            while page is not None:
                await _write(response, await asyncio.to_thread(out.add, page))
                page = await anext(found, None)
            await _write(response, await asyncio.to_thread(out.end))
        except ConnectionError:
            pass  # whoever asked went away
        except Exception as error:
            # A half of a file must not look like a whole one.
            log.warning("an export was broken off", list=kind, format=form, error=str(error) or type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    if data:
        await asyncio.wait_for(response.write(data), PATIENCE_S)
