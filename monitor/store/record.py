"""Writes judged posts: each mention once, each claim once, each alert once, in one transaction.

Everything here may be repeated: a batch that was committed and comes again changes nothing.

Several processes may record at once. A row that one writes, the others wait for until it commits, so all take them in one order:
new mentions, then those to be edited, then claims, each sorted by their keys. Whatever else is written belongs to one of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.database import Database
from monitor.store.judged import Judged
from monitor.store.outbox import raise_alerts
from monitor.store.reviewed import as_reviewed
from monitor.store.standing import due, last_put_forward, standings, touch_claims
from monitor.store.tables import mention, occurrence
from monitor.store.texts import erase_texts, write_texts
from monitor.store.upsert import insert_new


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


async def put(database: Database, batch: Sequence[Judged]) -> Recorded:
    """Puts a batch into the record: in one transaction, or where it names a post several times, in as many.

    Mentions may not be waited for once claims are held. Raises StoreUnavailable; what was committed by then does no harm.
    """
    result = NOTHING
    for part in _without_repeats(batch):
        async with database.write() as connection:
            result += await _record_distinct(connection, part)
    return result


async def record(connection: AsyncConnection, batch: Sequence[Judged]) -> Recorded:
    """Puts a batch into the record within the caller's transaction."""
    result = NOTHING
    for part in _without_repeats(batch):
        result += await _record_distinct(connection, part)
    return result


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
    in_order = sorted(by_number.items(), key=lambda one: (one[1].post.platform, one[1].post.id))
    stored = sorted(await insert_new(connection, mention, [_mention_row(n, judged) for n, judged in in_order]))
    written = {number: by_number[number] for number in stored}
    lost: list[tuple[str, str]] = []  # (claim id, platform) that an edit took away
    edited: list[int] = []
    for number, judged in in_order:
        if number in written:
            continue
        mention_id = await _edit(connection, judged, lost)
        if mention_id is not None:
            edited.append(mention_id)
            written[mention_id] = judged
    written = await as_reviewed(connection, written, edited)
    await _correct_alert_flags(connection, {n: one for n, one in written.items() if one.found_as})
    await write_texts(connection, [(number, one.post, one.judgement) for number, one in written.items()])
    alerts = await _put_under_claims(connection, written, lost)
    return Recorded(stored=stored, edited=edited, alerts=alerts, known=len(batch) - len(written))


async def _put_under_claims(
    connection: AsyncConnection, written: dict[int, Judged], lost: list[tuple[str, str]]
) -> dict[int, int | None]:
    """Writes the occurrences, brings their claims to date, and raises the alerts that are due; {alert id: mention id}."""
    drafts = [
        (number, judged, draft, None if draft.occurrence is None else judged.judgement.claims[draft.occurrence].claim_id)
        for number, judged in written.items()
        for draft in judged.alerts
    ]
    spoken_of = sorted({claim_id for *_, claim_id in drafts if claim_id is not None})
    before = await last_put_forward(connection, spoken_of)
    await touch_claims(connection, written.values(), lost)
    await _insert_many(
        connection, occurrence, [row for number, judged in written.items() for row in _occurrence_rows(number, judged)]
    )
    found = await standings(connection, before, spoken_of)
    wanted = []
    for number, judged, draft, claim_id in drafts:
        ready = draft if claim_id is None else due(draft, found[claim_id], judged.seen_ms)
        if ready is not None:
            wanted.append((ready, claim_id, number))
    return await raise_alerts(connection, wanted)


async def _correct_alert_flags(connection: AsyncConnection, moved: dict[int, Judged]) -> None:
    for number, judged in moved.items():
        await connection.execute(update(mention).where(mention.c.id == number).values(alert=judged.judgement.alert))


async def _free_numbers(connection: AsyncConnection, batch: list[Judged]) -> dict[int, Judged]:
    """Each post under its number; the next free one where another post has it (a stream's clock can go back)."""
    taken: dict[int, tuple[str, str]] = {}
    looked_at: set[int] = set()
    while True:
        numbers: dict[int, Judged] = {}
        for judged in batch:
            number, its = judged.number, (judged.post.platform, judged.post.id)
            while number in numbers or taken.get(number, its) != its:
                number += 1
            numbers[number] = judged
        unknown = numbers.keys() - looked_at
        if not unknown:
            return numbers
        found = select(mention.c.id, mention.c.platform, mention.c.platform_id).where(mention.c.id.in_(sorted(unknown)))
        taken |= {row.id: (row.platform, row.platform_id) for row in await connection.execute(found)}
        looked_at |= unknown


async def _edit(connection: AsyncConnection, judged: Judged, lost: list[tuple[str, str]]) -> int | None:
    """Brings a known mention to a later text; None where it has this text, or a later one, or was deleted."""
    post = judged.post
    its = select(mention).where(mention.c.platform == post.platform, mention.c.platform_id == post.id)
    for look in (its, its.with_for_update(key_share=True)):  # what is known is not held up, nor what merely refers to the mention
        row = (await connection.execute(look)).one()
        if row.text_version == post.version or row.entry_number >= judged.number or row.state == "deleted":
            return None
    values = _mention_row(row.id, judged) | {"state": "edited", "edited_ms": judged.seen_ms, "seen_ms": row.seen_ms}
    await connection.execute(update(mention).where(mention.c.id == row.id).values(values))
    gone = await connection.execute(delete(occurrence).where(occurrence.c.mention_id == row.id).returning(occurrence.c.claim_id))
    lost.extend((claim_id, post.platform) for claim_id in {claim_id for (claim_id,) in gone})
    await erase_texts(connection, [row.id])
    return int(row.id)


async def _insert_many(connection: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


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
        "fresh": post.fresh,
    }


def _occurrence_rows(number: int, judged: Judged) -> list[dict[str, Any]]:
    origins = judged.origins_of_claims
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
            "why": _reading(one.why, origins[n].ruling),
            "sure": origins[n].sure,
            "found_as": judged.found_as[n] if judged.found_as and judged.found_as[n] != one.claim_id else None,
        }
        for n, one in enumerate(judged.judgement.claims)
    ]


def _reading(why: str, ruling: str) -> str:
    """How the words were read: the part of `why` that stays true whatever the register says."""
    return why.removesuffix(".").removesuffix(f"; {ruling}")
