"""Looks for the present watchlist's names in the mentions on record: first to count what would change, then to change that."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import IO

import msgspec

from monitor.pause import pause
from monitor.store import Database, watching
from monitor.store.watching import Names, NamesOnFile
from monitor.topic import Watchlist

PAGE = 200  # mentions that are looked at, and written in one transaction
Places = tuple[int, int]  # stored ids of mentions, from inclusive to exclusive


class Retagging:
    """One run. What is seen waits in a temporary file, without the posts' words, and is what is written."""

    def __init__(self, database: Database, watchlist: Watchlist) -> None:
        self._database = database
        self._watchlist = watchlist
        self._waiting: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    def close(self) -> None:
        """Lets go of what was seen."""
        self._waiting.close()

    async def look(self, places: Places) -> int:
        """How many mentions speak of other names of the watchlist than the record says."""
        async with self._database.read() as connection:
            if not self._watchlist.names and not await watching.any_names(connection):
                return 0
        found, last = 0, -1
        while True:
            async with self._database.read() as connection:
                page = await watching.after(connection, last, places, PAGE)
            if not page:
                return found
            for one in await asyncio.to_thread(self._differing, page):
                self._waiting.write(msgspec.json.encode(one) + b"\n")
                found += 1
            last = page[-1].number

    async def apply(self, stop: asyncio.Event) -> int:
        """Writes what was seen until it is to stop; of how many mentions."""
        done = 0
        for batch in self._seen():
            if stop.is_set():
                break
            started = time.monotonic()
            done += await self._database.write_again(partial(watching.put, batch=batch))
            await pause(stop, time.monotonic() - started)  # the daemon writes too
        return done

    def _differing(self, page: list[NamesOnFile]) -> list[Names]:
        looked_for = ((one, self._watchlist.find(one.text)) for one in page)
        return [
            Names(number=one.number, text_version=one.text_version, names=names)
            for one, names in looked_for
            if one.names != set(names)
        ]

    def _seen(self) -> Iterator[list[Names]]:
        self._waiting.seek(0)
        batch = []
        for line in self._waiting:
            batch.append(msgspec.json.decode(line, type=Names))
            if len(batch) == PAGE:
                yield batch
                batch = []
        if batch:
            yield batch
