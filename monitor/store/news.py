"""What is new on record elsewhere about the topic: kept for the editor of the register, told once, never judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.notices import News, NewsKind
from monitor.settings.endpoint import Endpoint
from monitor.store.filters import Filters, make_cursor, number_range
from monitor.store.outbox import AlertDraft, new_number, raise_alerts
from monitor.store.recipients import recipients
from monitor.store.source_tables import evidence_news
from monitor.store.upsert import insert_new
from monitor.times import now_ms, rfc3339
from monitor.words import Page

_MAX_TITLE = 1_000  # characters
_MAX_SUMMARY = 4_000
_NAMED = 5  # entries in an alert's summary
_WHAT: dict[NewsKind, str] = {
    "trial": "trial",
    "paper": "paper",
    "retraction": "retraction",
    "warning_letter": "warning letter",
    "recall": "recall",
}


class NewsItem(msgspec.Struct, frozen=True, kw_only=True):
    """One of the news as users read it. `id` is exowatch's own, `item` the register's; `entries` of our own register cite it."""

    id: str
    register: str
    item: str
    kind: NewsKind
    state: str
    source: str
    title: str
    url: str | None
    summary: str
    entries: tuple[str, ...]
    published_at: str | None
    seen_at: str


async def add(
    connection: AsyncConnection, source: str, items: Sequence[News], endpoints: Sequence[Endpoint], now: int | None = None
) -> list[int]:
    """Keeps the news that are not there yet, and raises `evidence.news` for each; the stored ids of these alerts.

    This ends a transaction (`raise_alerts`).
    """
    at = now_ms() if now is None else now
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in items:
        rows[one.register, one.id, one.state] = {
            "id": new_number(),
            "register": one.register,
            "item": one.id,
            "state": one.state,
            "kind": one.kind,
            "source": source,
            "title": one.title[:_MAX_TITLE],
            "url": one.url,
            "summary": one.summary[:_MAX_SUMMARY],
            "entries": list(one.entries),
            "published_ms": one.published_at,
            "seen_ms": at,
        }
    new = set(await insert_new(connection, evidence_news, list(rows.values()), conflict=["register", "item", "state"]))
    fresh = [row for row in rows.values() if row["id"] in new]
    if not fresh:
        return []
    drafts = [(_draft(item, endpoints), None, None) for item in await _load(connection, [row["id"] for row in fresh])]
    return list(await raise_alerts(connection, drafts, at))


async def page(connection: AsyncConnection, filters: Filters) -> Page[NewsItem]:
    """The news that were seen between `since` and `until` by one of the sources, the latest first."""
    low, high = number_range(filters)
    query = select(evidence_news.c.id).where(evidence_news.c.id >= low, evidence_news.c.id < high)
    if filters.source:
        query = query.where(evidence_news.c.source.in_(filters.source))
    numbers = list((await connection.execute(query.order_by(evidence_news.c.id.desc()).limit(filters.limit + 1))).scalars())
    more = len(numbers) > filters.limit
    items = await _load(connection, numbers[: filters.limit])
    return Page(items=items, next=make_cursor(numbers[filters.limit - 1]) if more else None)


async def _load(connection: AsyncConnection, numbers: Sequence[int]) -> list[NewsItem]:
    rows = await connection.execute(
        select(evidence_news).where(evidence_news.c.id.in_(numbers)).order_by(evidence_news.c.id.desc())
    )
    return [
        NewsItem(
            id=public_id("n", row.id),
            register=row.register,
            item=row.item,
            kind=row.kind,
            state=row.state,
            source=row.source,
            title=row.title,
            url=row.url,
            summary=row.summary,
            entries=tuple(row.entries),
            published_at=rfc3339(row.published_ms),
            seen_at=rfc3339(row.seen_ms),
        )
        for row in rows
    ]


def _draft(item: NewsItem, endpoints: Sequence[Endpoint]) -> AlertDraft:
    state = f" ({item.state})" if item.state else ""
    return AlertDraft(
        kind="evidence.news",
        dedupe_key=f"evidence.news:{item.id}",
        summary=f"A new {_WHAT[item.kind]} for the register's editor{state}: {item.title[:300]}{_cited_by(item.entries)}",
        recipients=recipients(endpoints, "evidence.news", None, None),
        subject={"items": [msgspec.to_builtins(item)]},
    )


def _cited_by(entries: Sequence[str]) -> str:
    if not entries:
        return ""
    more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    return f"; cited by {', '.join(entries[:_NAMED])}{more}"
