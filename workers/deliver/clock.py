"""The time that all senders of one database go by.

A delivery is leased until a moment, and due at a moment: those who read it must have the same clock as who wrote it, or one whose
clock is an hour ahead takes what another has in hand, and what it leaves behind when it dies rests for an hour. So senders go by
the clock of the PostgreSQL server that they share, and between two looks at it by their own monotonic one. SQLite is on one
machine, whose clock is the only one.
"""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import text

from monitor.pause import pause
from monitor.store import Connection, Database, StoreUnavailable
from monitor.times import now_ms

LOOK_EVERY_S = 5.0
_NOW = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)")


class DatabaseClock:
    """Called, it gives the present in ms. Until it was first set it is this machine's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ahead_ms = 0.0  # of the monotonic clock
        self._is_set = False

    def __call__(self) -> int:
        return round(time.monotonic() * 1000 + self._ahead_ms) if self._is_set else now_ms()

    async def set(self, connection: Connection) -> None:
        """Takes the database's time."""
        if self._database.dialect == "postgresql":
            now = (await connection.execute(_NOW)).scalar_one()
            self._ahead_ms = now - time.monotonic() * 1000
            self._is_set = True

    async def keep(self, stop: asyncio.Event) -> None:
        """Sets itself every few seconds until `stop` is set: monotonic clocks drift, and stand still while a machine sleeps."""
        while self._database.dialect == "postgresql" and not stop.is_set():
            await pause(stop, LOOK_EVERY_S)
            try:
                async with self._database.read() as connection:
                    await self.set(connection)
            except StoreUnavailable:
                pass  # the queues say so, and when it is back
