"""The record in SQL: mentions, claims, alerts and their deliveries, sources. Nothing outside this package knows SQL.

Open a `Database`, and give the connection of `database.read()` or `database.write()` to the functions of the module that is named
after the thing: `mentions.page(connection, filters)`, `record.record(connection, batch)`.
"""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from monitor.store import (
    alerts,
    claims,
    deliveries,
    digests,
    endpoints,
    inbox,
    mentions,
    outbox,
    overview,
    record,
    registers,
    rejudged,
    reviewing,
    reviews,
    sources,
    spending,
    texts,
    verdicts,
)
from monitor.store.database import Database, StoreError, StoreUnavailable
from monitor.store.filters import FilterError, Filters, parse_filters

__all__ = [
    "Connection",
    "Database",
    "FilterError",
    "Filters",
    "StoreError",
    "StoreUnavailable",
    "alerts",
    "claims",
    "deliveries",
    "digests",
    "endpoints",
    "inbox",
    "mentions",
    "outbox",
    "overview",
    "parse_filters",
    "record",
    "registers",
    "rejudged",
    "reviewing",
    "reviews",
    "sources",
    "spending",
    "texts",
    "verdicts",
]
