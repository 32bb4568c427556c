"""Erases posts: their words, address and author leave the record. That there was a mention, and what it was counted for, stays.

A worker may have a post in its hands that is to be erased. So the names of what is erased are noted in the same transaction, and
`record` leaves out what was heard before; on PostgreSQL a lock lets the two not overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import public_id
from monitor.notices import author_name, post_name
from monitor.settings.endpoint import Endpoint
from monitor.store import authors
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft, raise_alerts
from monitor.store.recipients import recipients
from monitor.store.source_tables import erased
from monitor.store.tables import alert, attempt, delivery, mention
from monitor.store.texts import erase_texts
from monitor.store.told import GONE, told_of
from monitor.store.upsert import upsert
from monitor.times import now_ms

MOST = 500  # mentions in one transaction
NAMES_KEPT_MS = 7 * 86_400_000
_AHEAD_MS = 1_000  # a stream's clock may be a little before ours
_LOCK = 0x67_6F_6E_65  # any number that nothing else locks by

Pairs = Collection[tuple[str, str]]


def matching(posts: Pairs, by: Pairs, prefixes: Pairs) -> ColumnElement[bool]:
    """The mentions that are one of the posts (platform, id), by one of the authors (platform, author as stored), or whose id
    begins so (platform, prefix)."""
    which: list[ColumnElement[bool]] = []
    for column, wanted in ((mention.c.platform_id, posts), (mention.c.author, by)):
        platforms = sorted({platform for platform, _ in wanted})
        which += [
            and_(mention.c.platform == platform, column.in_([what for at, what in wanted if at == platform]))
            for platform in platforms
        ]
    which += [
        and_(mention.c.platform == platform, mention.c.platform_id >= prefix, mention.c.platform_id < prefix + "\U0010ffff")
        for platform, prefix in prefixes
    ]
    return or_(*which)


async def find(connection: AsyncConnection, which: ColumnElement[bool]) -> list[int]:
    """The stored ids of mentions that `matching` describes and that were not erased yet; at most `MOST`, the oldest first."""
    query = select(mention.c.id).where(which, mention.c.state.not_in(GONE)).order_by(mention.c.id).limit(MOST)
    return list((await connection.execute(query)).scalars())


async def mark(connection: AsyncConnection, names: Collection[str], now: int | None = None) -> None:
    """From here on nothing that bears one of these names and was heard before now (ms) is recorded. It begins a transaction."""
    at = now_ms() if now is None else now
    if connection.dialect.name == "postgresql":
        await connection.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    rows = [{"name": name, "before_ms": at + _AHEAD_MS} for name in sorted(names)]
    if rows:
        statement = upsert(connection, erased)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"before_ms": statement.excluded.before_ms}), rows
        )
    await connection.execute(delete(erased).where(erased.c.before_ms < at - NAMES_KEPT_MS))


async def without_erased(connection: AsyncConnection, batch: Sequence[Judged]) -> list[Judged]:
    """The batch without what was erased while it was on its way."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sql("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})
    names = {name for one in batch for name in _names(one)}
    found = await connection.execute(select(erased).where(erased.c.name.in_(names)))
    before = {row.name: row.before_ms for row in found}
    if not before:
        return list(batch)
    return [one for one in batch if all(one.seen_ms >= before.get(name, 0) for name in _names(one))]


def _names(one: Judged) -> list[str]:
    post = one.post
    by = [author_name(post.platform, post.author)] if post.author else []
    return [post_name(post.platform, post.id), *by]


async def erase(
    connection: AsyncConnection,
    numbers: Sequence[int],
    *,
    state: Literal["deleted", "expired"] = "deleted",
    endpoints: Sequence[Endpoint] = (),
    hide_ids: bool = False,
    now: int | None = None,
) -> list[int]:
    """Erases the mentions with these stored ids; the stored ids of the `mention.deleted` that this raised.

    Endpoints that were sent an alert about a deleted one are told, once, if they want to hear it; that one has expired is not
    told. With `hide_ids` the platform's ids go too. This ends a transaction (`raise_alerts`).
    """
    held = select(mention).where(mention.c.id.in_(numbers), mention.c.state.not_in(("deleted", state)))
    rows = (await connection.execute(held.order_by(mention.c.id).with_for_update())).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    await authors.take_out(connection, rows)
    blank: dict[str, Any] = {"state": state, "url": None, "text_version": ""}
    await connection.execute(update(mention).where(mention.c.id.in_(ids)).values(blank))
    if hide_ids:
        for number in ids:
            hidden = {"platform_id": f"forgotten-{public_id('m', number)}"}
            await connection.execute(update(mention).where(mention.c.id == number).values(hidden))
    await erase_texts(connection, ids)
    # What a receiver answered may repeat what it was sent.
    sent = select(delivery.c.id).join(alert, alert.c.id == delivery.c.alert_id).where(alert.c.mention_id.in_(ids))
    await connection.execute(update(attempt).where(attempt.c.delivery_id.in_(sent)).values(answer=None))
    return [] if state == "expired" else await _tell(connection, rows, endpoints, now)


async def _tell(connection: AsyncConnection, rows: Sequence[Any], endpoints: Sequence[Endpoint], now: int | None) -> list[int]:
    told = await told_of(connection, [row.id for row in rows])
    drafts: list[tuple[AlertDraft, str | None, int | None]] = []
    for row in rows:
        knowing = [one for one in endpoints if one.name in told.get(row.id, ())]
        to = recipients(knowing, "mention.deleted", None, None)
        if to:
            draft = AlertDraft(
                kind="mention.deleted",
                dedupe_key=f"mention.deleted:{row.id}",
                summary=f"A post on {row.platform} that you were told of is deleted.",
                recipients=to,
            )
            drafts.append((draft, None, row.id))
    return list(await raise_alerts(connection, drafts, now)) if drafts else []
