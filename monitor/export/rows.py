"""A list read through, newest first: each page in a transaction of its own, so that no writer waits meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Literal, get_args

import msgspec

from monitor.store import Connection, Database, Filters, alerts, claims, detail, mentions
from monitor.store.filters import Listed, parse_cursor
from monitor.words import Alert, Claim, Mention, Page

Kind = Literal["mentions", "occurrences", "claims", "alerts"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# By whose filters each is chosen.
LISTED: dict[Kind, Listed] = {"mentions": "mentions", "occurrences": "mentions", "claims": "claims", "alerts": "alerts"}
PAGE = 200  # of texts of 100,000 characters at most

_LISTS: dict[Kind, Callable[[Connection, Filters], Awaitable[Page[Any]]]] = {
    "mentions": mentions.page,
    "occurrences": mentions.page,
    "claims": claims.page,
    "alerts": alerts.page,
}
ROWS: dict[Kind, type[msgspec.Struct]] = {
    "mentions": Mention,
    "occurrences": detail.Place,
    "claims": Claim,
    "alerts": Alert,
}


async def pages(database: Database, kind: Kind, filters: Filters) -> AsyncGenerator[Sequence[Any]]:
    """All that passes the filters, in pages; what is stored meanwhile is left out. Raises FilterError, StoreUnavailable."""
    filters = msgspec.structs.replace(filters, limit=PAGE)
    while True:
        async with database.read() as connection:
            page = await _LISTS[kind](connection, filters)
            items: Sequence[Any] = page.items
            if kind == "occurrences":
                items = await detail.occurrences_of(connection, page.items, filters)
        yield items
        if page.next is None:
            return
        filters = msgspec.structs.replace(filters, cursor=parse_cursor(page.next))
