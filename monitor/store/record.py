"""Writes judged posts: each mention once, each claim once, each alert once, in one transaction.

Everything here may be repeated: a batch that was committed and comes again changes nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Integer, bindparam, case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import alert, claim, claim_author, claim_platform, delivery, mention, occurrence
from monitor.store.texts import erase_texts, write_texts
from monitor.words import AlertKind, Judgement, Occurrence, Post, now_ms, public_id


class AlertDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to be raised unless its `dedupe_key` has been raised before, and the endpoints that want it."""

    kind: AlertKind
    dedupe_key: str
    summary: str
    endpoints: tuple[str, ...] = ()
    occurrence: int | None = None  # its place among the judgement's claims
    subject: dict[str, Any] | None = None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A post with its judgement, ready for the record. `number` orders it in time and becomes the mention's id."""

    number: int
    seen_ms: int
    post: Post
    judgement: Judgement
    entries: dict[str, str] = {}  # by claim id: the register's entries that decided its verdicts
    alerts: tuple[AlertDraft, ...] = ()


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch changed: ids of mentions stored or edited, {alert id: mention id}, and how many posts were known already."""

    stored: list[int]
    edited: list[int]
    alerts: dict[int, int | None]
    known: int

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(
            stored=self.stored + other.stored,
            edited=self.edited + other.edited,
            alerts=self.alerts | other.alerts,
            known=self.known + other.known,
        )


NOTHING = Recorded(stored=[], edited=[], alerts={}, known=0)


async def record(connection: AsyncConnection, batch: Sequence[Judged]) -> Recorded:
    """Puts a batch into the record within the caller's transaction."""
    result = NOTHING
    for part in _without_repeats(batch):
        result += await _record_distinct(connection, part)
    return result


async def raise_alerts(
    connection: AsyncConnection, drafts: Iterable[tuple[AlertDraft, str | None, int | None]]
) -> dict[int, int | None]:
    """Raises (draft, claim id, mention id) where the dedupe key is new, with its deliveries; {alert id: mention id} of those."""
    rows: list[dict[str, Any]] = []
    endpoints: dict[int, tuple[str, ...]] = {}
    for draft, claim_id, mention_id in drafts:
        number = new_number()
        endpoints[number] = draft.endpoints
        rows.append(
            {
                "id": number,
                "kind": draft.kind,
                "dedupe_key": draft.dedupe_key,
                "created_ms": now_ms(),
                "claim_id": claim_id,
                "mention_id": mention_id,
                "occurrence_n": draft.occurrence,
                "subject": draft.subject,
                "summary": draft.summary,
            }
        )
    if not rows:
        return {}
    rows.sort(key=lambda row: str(row["dedupe_key"]))  # the same order everywhere, so that two writers cannot deadlock
    raised = await _insert_new(connection, alert, rows, conflict=["dedupe_key"])
    await add_deliveries(connection, [(number, name) for number in raised for name in endpoints[number]])
    mentions: dict[int, int | None] = {row["id"]: row["mention_id"] for row in rows}
    return {number: mentions[number] for number in raised}


async def add_deliveries(connection: AsyncConnection, wanted: Sequence[tuple[int, str]]) -> list[int]:
    """A pending delivery for each (alert id, endpoint name); their ids."""
    rows = [_pending(alert_id, name) for alert_id, name in wanted]
    if rows:
        await connection.execute(insert(delivery), rows)
    return [int(row["id"]) for row in rows]


def _pending(alert_id: int, endpoint: str) -> dict[str, Any]:
    number = new_number()
    return {
        "id": number,
        "alert_id": alert_id,
        "endpoint": endpoint,
        "webhook_id": "msg_" + public_id("d", number)[2:],
        "state": "pending",
        "next_ms": 0,
    }


class _Numbers:
    last = 0


def new_number() -> int:
    """A stored id for what does not come from the stream: it grows with time, and in this process with every call.

    Chance alone, without the last one, would soon give two of one batch the same.
    """
    _Numbers.last = max(_Numbers.last + 1, now_ms() << 21 | random.getrandbits(21))
    return _Numbers.last


def _without_repeats(batch: Sequence[Judged]) -> list[list[Judged]]:
    """The batch cut so that no part names a post twice: an edit comes in the part after what it edits."""
    parts: list[list[Judged]] = []
    times: Counter[tuple[str, str]] = Counter()
    for judged in sorted(batch, key=lambda one: one.number):
        key = (judged.post.platform, judged.post.id)
        if times[key] == len(parts):
            parts.append([])
        parts[times[key]].append(judged)
        times[key] += 1
    return parts


async def _record_distinct(connection: AsyncConnection, batch: list[Judged]) -> Recorded:
    by_number = await _free_numbers(connection, batch)
    stored = await _insert_new(connection, mention, [_mention_row(n, judged) for n, judged in by_number.items()])
    written = {number: by_number[number] for number in stored}
    await write_texts(connection, [(number, one.post, one.judgement) for number, one in written.items()])
    lost: list[tuple[str, str]] = []  # (claim id, platform) that an edit took away
    edited: list[int] = []
    for number, judged in by_number.items():
        if number in written:
            continue
        mention_id = await _edit(connection, judged, lost)
        if mention_id is not None:
            edited.append(mention_id)
            written[mention_id] = judged
    await _touch_claims(connection, written.values(), lost)
    await _insert_many(
        connection, occurrence, [row for number, judged in written.items() for row in _occurrence_rows(number, judged)]
    )
    drafts = [
        (draft, None if draft.occurrence is None else judged.judgement.claims[draft.occurrence].claim_id, number)
        for number, judged in written.items()
        for draft in judged.alerts
    ]
    alerts = await raise_alerts(connection, drafts)
    return Recorded(stored=stored, edited=edited, alerts=alerts, known=len(batch) - len(written))


async def _free_numbers(connection: AsyncConnection, batch: list[Judged]) -> dict[int, Judged]:
    """Each post under its number; the next free one where another post has it (a stream's clock can go back)."""
    found = await connection.execute(
        select(mention.c.id, mention.c.platform, mention.c.platform_id).where(mention.c.id.in_([one.number for one in batch]))
    )
    taken = {row.id: (row.platform, row.platform_id) for row in found}
    numbers: dict[int, Judged] = {}
    for judged in batch:
        number = judged.number
        while number in numbers or taken.get(number, (judged.post.platform, judged.post.id)) != (
            judged.post.platform,
            judged.post.id,
        ):
            number += 1
        numbers[number] = judged
    return numbers


async def _edit(connection: AsyncConnection, judged: Judged, lost: list[tuple[str, str]]) -> int | None:
    """Brings a known mention to a later text; None where it has this text, or a later one, or was deleted."""
    post = judged.post
    where = (mention.c.platform == post.platform) & (mention.c.platform_id == post.id)
    row = (await connection.execute(select(mention).where(where).with_for_update())).one()
    if row.text_version == post.version or row.entry_number >= judged.number or row.state == "deleted":
        return None
    values = _mention_row(row.id, judged) | {"state": "edited", "edited_ms": judged.seen_ms, "seen_ms": row.seen_ms}
    await connection.execute(update(mention).where(mention.c.id == row.id).values(values))
    gone = await connection.execute(delete(occurrence).where(occurrence.c.mention_id == row.id).returning(occurrence.c.claim_id))
    lost.extend((claim_id, post.platform) for claim_id in {claim_id for (claim_id,) in gone})
    await erase_texts(connection, [row.id])
    await write_texts(connection, [(row.id, post, judged.judgement)])
    return int(row.id)


class _Tally(msgspec.Struct):
    example: Occurrence
    entry: str | None
    register: str
    first_ms: int
    last_ms: int
    mentions: int = 0


async def _touch_claims(connection: AsyncConnection, written: Iterable[Judged], lost: list[tuple[str, str]]) -> None:
    """Makes the claims that are new, and brings counts and times of all to date."""
    tallies: dict[str, _Tally] = {}
    platforms: Counter[tuple[str, str]] = Counter()
    authors: set[tuple[str, str, str]] = set()
    for judged in written:
        for claim_id in {one.claim_id for one in judged.judgement.claims}:
            platforms[claim_id, judged.post.platform] += 1
        for one in judged.judgement.claims:
            fresh = _Tally(one, judged.entries.get(one.claim_id), judged.judgement.register, judged.seen_ms, judged.seen_ms)
            tally = tallies.setdefault(one.claim_id, fresh)
            tally.first_ms = min(tally.first_ms, judged.seen_ms)
            tally.last_ms = max(tally.last_ms, judged.seen_ms)
            if one.put_forward and judged.post.author:
                authors.add((one.claim_id, judged.post.platform, judged.post.author))
    platforms.subtract(lost)
    for (claim_id, _), number in platforms.items():
        if claim_id in tallies:
            tallies[claim_id].mentions += number
    await _upsert_claims(connection, tallies)
    gone = Counter({claim_id: number for (claim_id, _), number in platforms.items() if claim_id not in tallies})
    for claim_id, number in sorted(gone.items()):
        await connection.execute(update(claim).where(claim.c.id == claim_id).values(mentions=claim.c.mentions + number))
    await _upsert_platforms(connection, platforms)
    await _count_authors(connection, authors)


async def _upsert_claims(connection: AsyncConnection, tallies: dict[str, _Tally]) -> None:
    if not tallies:
        return
    rows = [
        {
            "id": claim_id,
            "claim": tally.example.claim,
            "type": tally.example.type,
            "entry": tally.entry,
            "verdict": tally.example.verdict,
            "verdicts": tally.example.verdicts,
            "basis": tally.example.basis,
            "evidence": msgspec.to_builtins(tally.example.evidence),
            "register": tally.register,
            "first_seen_ms": tally.first_ms,
            "last_seen_ms": tally.last_ms,
            "mentions": tally.mentions,
        }
        for claim_id, tally in sorted(tallies.items())
    ]
    statement = upsert(connection, claim)
    new = statement.excluded
    judged_anew = {name: new[name] for name in ("claim", "type", "entry", "verdict", "verdicts", "basis", "evidence", "register")}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_=judged_anew
            | {
                "first_seen_ms": case(
                    (new.first_seen_ms < claim.c.first_seen_ms, new.first_seen_ms), else_=claim.c.first_seen_ms
                ),
                "last_seen_ms": case((new.last_seen_ms > claim.c.last_seen_ms, new.last_seen_ms), else_=claim.c.last_seen_ms),
                "mentions": claim.c.mentions + new.mentions,
            },
        ),
        rows,
    )


async def _upsert_platforms(connection: AsyncConnection, platforms: Counter[tuple[str, str]]) -> None:
    rows = [
        {"claim_id": claim_id, "platform": platform, "mentions": number}
        for (claim_id, platform), number in sorted(platforms.items())
        if number
    ]
    if rows:
        statement = upsert(connection, claim_platform)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["claim_id", "platform"],
                set_={"mentions": claim_platform.c.mentions + statement.excluded.mentions},
            ),
            rows,
        )


async def _count_authors(connection: AsyncConnection, authors: set[tuple[str, str, str]]) -> None:
    rows = [{"claim_id": claim_id, "platform": platform, "author": author} for claim_id, platform, author in sorted(authors)]
    new = Counter(await _insert_new(connection, claim_author, rows))
    if new:
        await connection.execute(_ADD_AUTHORS, [{"its_id": claim_id, "more": number} for claim_id, number in sorted(new.items())])


# One statement for all claims of a batch: a call for each of them was a third of what storing a batch took.
_ADD_AUTHORS = (
    update(claim).where(claim.c.id == bindparam("its_id")).values(authors=claim.c.authors + bindparam("more", type_=Integer))
)


async def _insert_new(
    connection: AsyncConnection, table: Any, rows: list[dict[str, Any]], conflict: list[str] | None = None
) -> list[Any]:
    """Inserts the rows that are not there yet; the first column of each that was inserted."""
    if not rows:
        return []
    statement = upsert(connection, table).on_conflict_do_nothing(index_elements=conflict)
    result = await connection.execute(statement.returning(next(iter(table.c))), rows)
    return list(result.scalars())


async def _insert_many(connection: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


def upsert(connection: AsyncConnection, table: Any) -> Any:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _mention_row(number: int, judged: Judged) -> dict[str, Any]:
    post, judgement = judged.post, judged.judgement
    return {
        "id": number,
        "platform": post.platform,
        "platform_id": post.id,
        "source": post.source,
        "url": post.url,
        "author": post.author,
        "language": judgement.language,
        "created_ms": post.created_at,
        "seen_ms": judged.seen_ms,
        "relevant": judgement.relevant,
        "adverse_event": judgement.adverse_event,
        "alert": judgement.alert,
        "classifier": judgement.classifier,
        "register": judgement.register,
        "text_version": post.version,
        "entry_number": judged.number,
    }


def _occurrence_rows(number: int, judged: Judged) -> list[dict[str, Any]]:
    return [
        {
            "mention_id": number,
            "n": n,
            "claim_id": one.claim_id,
            "type": one.type,
            "stance": one.stance,
            "distance": one.distance,
            "testimonial": one.testimonial,
            "start": one.start,
            "end": one.end,
            "verdict": one.verdict,
            "verdicts": one.verdicts,
            "basis": one.basis,
            "confidence": one.confidence,
            "why": one.why,
        }
        for n, one in enumerate(judged.judgement.claims)
    ]


__all__ = ["AlertDraft", "Judged", "Recorded", "add_deliveries", "erase_texts", "new_number", "raise_alerts", "record", "upsert"]
