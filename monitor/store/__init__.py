"""The record in SQL, the one package that knows it: mentions, claims, alerts and their deliveries, sources.

Open a `Database`, and give the connection of `database.read()` or `database.write()` to the functions of the module that is named
after the thing: `mentions.page(connection, filters)`, `record.record(connection, batch)`.
"""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from monitor.store import (
    alerts,
    claims,
    coverage,
    deliveries,
    delivery_log,
    digests,
    endpoints,
    erase,
    forgetting,
    inbox,
    mentions,
    news,
    outbox,
    overview,
    record,
    registers,
    rejudged,
    renewal,
    reviewing,
    reviews,
    sources,
    spending,
    sweeps,
    texts,
    verdicts,
    watching,
    websub,
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
    "coverage",
    "deliveries",
    "delivery_log",
    "digests",
    "endpoints",
    "erase",
    "forgetting",
    "inbox",
    "mentions",
    "news",
    "outbox",
    "overview",
    "parse_filters",
    "record",
    "registers",
    "rejudged",
    "renewal",
    "reviewing",
    "reviews",
    "sources",
    "spending",
    "sweeps",
    "texts",
    "verdicts",
    "watching",
    "websub",
]
