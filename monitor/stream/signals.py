"""The tail of the signals: wakes whoever waits for something new in the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import structlog

from monitor.stream.connection import Link, StreamUnavailable
from monitor.stream.keys import MAX_BLOCK_S, SIGNALS
from monitor.stream.records import Signal

log = structlog.get_logger()

_PAGE = 500


async def last_position(link: Link) -> str:
    """The position of the last signal; "0-0" where there is none."""
    found = await link.run("XREVRANGE", SIGNALS, "+", "-", "COUNT", 1)
    return found[0][0].decode() if found else "0-0"


async def kept(link: Link) -> tuple[str, str] | None:
    """The positions of the first and the last signal that are kept; None where there is none."""
    first = await link.run("XRANGE", SIGNALS, "-", "+", "COUNT", 1)
    return (first[0][0].decode(), await last_position(link)) if first else None


async def tail(link: Link, after: str, closed: asyncio.Event) -> AsyncGenerator[Signal, None]:
    """Signals after a position ("$": from now on) until `closed` is set. Owns `link`. Waits while the server is away."""
    position, pause = after, 0.1
    try:
        while not closed.is_set():
            try:
                if position == "$":  # a fixed position, or what comes between two reads would be missed
                    position = await last_position(link)
                block = int(MAX_BLOCK_S * 1000)
                reply = await link.run("XREAD", "COUNT", _PAGE, "BLOCK", block, "STREAMS", SIGNALS, position)
            except StreamUnavailable as error:
                if pause == 0.1:
                    log.warning("signals wait for redis", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.1
            for entry_id, fields in reply[0][1] if reply else ():
                position = entry_id.decode()
                yield Signal(_text(fields, b"k"), _text(fields, b"i"), position)
    finally:
        await link.close()


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")
