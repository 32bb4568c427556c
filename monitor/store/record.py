"""Writes judged posts: each mention once, each claim once, each alert once, in one transaction.

Everything here may be repeated: a batch that was committed and comes again changes nothing.

Several processes may record at once. A row that one writes, the others wait for until it commits, so all take them in one order:
new mentions by their names, then those to be edited by their ids, then claims by theirs. Whatever else is written belongs to one
of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount
from monitor.store.budgets import Outgoing
from monitor.store.conditions import Standings, last_put_forward, standings
from monitor.store.counts import Said, forget_silent, touch_claims
from monitor.store.database import Database
from monitor.store.erase import without_erased
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft, hand_out, write_alerts
from monitor.store.own_claims import join_own_claims
from monitor.store.reviewed import as_reviewed
from monitor.store.tables import mention, mention_watch, occurrence
from monitor.store.texts import erase_texts, write_texts
from monitor.store.upsert import insert_new
from monitor.store.verdicts import as_held
from monitor.words import Judgement


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
            result += await record(connection, part)
    return result


async def record(connection: AsyncConnection, batch: Sequence[Judged]) -> Recorded:
    """Puts a batch into the record within the caller's transaction."""
    result, raised = NOTHING, list[Outgoing]()
    for part in _without_repeats(await without_erased(connection, batch)):
        recorded, outgoing = await _record_distinct(connection, part)
        result += recorded
        raised += outgoing
    await hand_out(connection, raised)
    return result


def _without_repeats(batch: Sequence[Judged]) -> list[list[Judged]]:
    """The batch in its order, cut so that no part names a post twice: an edit comes in a part after what it edits."""
    parts: list[list[Judged]] = [[]]
    named: set[tuple[str, str]] = set()
    for judged in sorted(batch, key=lambda one: one.number):
        key = (judged.post.platform, judged.post.id)
        if key in named:
            parts.append([])
            named.clear()
        named.add(key)
        parts[-1].append(judged)
    return [part for part in parts if part]


async def _record_distinct(connection: AsyncConnection, batch: list[Judged]) -> tuple[Recorded, list[Outgoing]]:
    """Writes posts of which no two are one; what that changed, and the alerts that it raised, still to be handed out."""
    by_number = await _free_numbers(connection, batch)
    in_order = sorted(by_number.items(), key=lambda one: (one[1].post.platform, one[1].post.id))
    stored = sorted(await insert_new(connection, mention, [_mention_row(n, judged) for n, judged in in_order]))
    written = {number: by_number[number] for number in stored}
    edits: dict[int, _Taken] = {}
    for mention_id, judged in await _known(connection, [one for n, one in in_order if n not in written]):
        taken = await _edit(connection, mention_id, judged)
        if taken is not None:
            edits[mention_id] = taken
            written[mention_id] = judged
    edited = list(edits)
    written = dict(sorted(written.items(), key=lambda one: one[1].number))
    read = {number: one.judgement for number, one in written.items()}
    written = await as_reviewed(connection, await join_own_claims(connection, written), edited)
    await _correct_alert_flags(connection, {n: one for n, one in written.items() if one.found_as})
    await write_texts(connection, written)
    await _insert_many(
        connection,
        mention_watch,
        [{"mention_id": number, "name": name} for number, one in written.items() for name in sorted(set(one.watch))],
    )
    outgoing = await _put_under_claims(connection, written, read, list(edits.values()))
    alerts = {one.id: one.mention_id for one in outgoing}
    return Recorded(stored=stored, edited=edited, alerts=alerts, known=len(batch) - len(written)), outgoing


async def _put_under_claims(
    connection: AsyncConnection,
    written: dict[int, Judged],
    read: Mapping[int, Judgement],
    taken: Sequence[_Taken],
) -> list[Outgoing]:
    """Writes the occurrences, brings their claims to date, and raises the alerts that are due, to be handed out.

    `read` are the judgements as the reader gave them, `taken` is what edits took away.
    """
    lost = [one for gone in taken for one in gone.lost]
    said = {one for gone in taken for one in gone.said}
    spoken_of = sorted({found.claim_id for one in written.values() for found in one.judgement.claims if found.put_forward})
    before = await last_put_forward(connection, spoken_of)
    touched = await touch_claims(connection, written.values(), lost)
    written, otherwise = as_held(written, touched.claims)
    written = _asking_anew(written, read)
    rows = [row for number, judged in written.items() for row in occurrence_rows(number, judged)]
    await _insert_many(connection, occurrence, rows)
    await forget_silent(connection, said)
    await recount.mentions(connection, otherwise)
    standing = Standings(await standings(connection, before, spoken_of), touched.new_authors)
    wanted: list[tuple[AlertDraft, str | None, int | None]] = []
    for number, judged in written.items():
        standing.hear(judged)
        for draft in judged.alerts:
            about = None if draft.occurrence is None else judged.judgement.claims[draft.occurrence]
            ready: AlertDraft | None = draft
            if about is not None:
                ready = standing.due(draft, about.claim_id, judged.seen_ms) if about.alerting else None
            if ready is not None:
                wanted.append((ready, about.claim_id if about else None, number))
        standing.note(judged)
    return await write_alerts(connection, wanted)


def _asking_anew(written: Mapping[int, Judged], read: Mapping[int, Judgement]) -> dict[int, Judged]:
    """The judged posts; those whose judgement is not the reader's ask for the alerts that go with it."""
    return {
        number: one
        if one.asks is None or one.judgement is read[number]
        else msgspec.structs.replace(one, alerts=one.asks(one.judgement))
        for number, one in written.items()
    }


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


async def _known(connection: AsyncConnection, batch: list[Judged]) -> list[tuple[int, Judged]]:
    """Of posts that are on record those that may have changed since, by the ids of their mentions and in that order."""
    if not batch:
        return []
    by_name = {(one.post.platform, one.post.id): one for one in batch}
    names = tuple_(mention.c.platform, mention.c.platform_id).in_(list(by_name))
    rows = await connection.execute(select(mention).where(names))
    found = [(row, by_name[row.platform, row.platform_id]) for row in rows]
    # What is known is not held up: only what is an edit as far as one can see is looked at under a lock.
    return sorted(((row.id, one) for row, one in found if _is_edit(row, one)), key=lambda pair: int(pair[0]))


def _is_edit(row: Any, judged: Judged) -> bool:
    later: bool = row.text_version != judged.post.version and row.entry_number < judged.number
    return later and row.state not in ("deleted", "expired")


class _Taken(msgspec.Struct, frozen=True):
    """What an edit took away: (claim id, platform) that the post carried before, and what its author put forward in it."""

    lost: list[tuple[str, str]]
    said: list[Said]


async def _edit(connection: AsyncConnection, mention_id: int, judged: Judged) -> _Taken | None:
    """Brings a known mention to a later text, and says what that took away; None where it has this text, or a later one, or was
    deleted."""
    post = judged.post
    # Whoever merely refers to the mention is not held up.
    row = (await connection.execute(select(mention).where(mention.c.id == mention_id).with_for_update(key_share=True))).one()
    if not _is_edit(row, judged):
        return None
    values = _mention_row(row.id, judged) | {"state": "edited", "edited_ms": judged.seen_ms, "seen_ms": row.seen_ms}
    await connection.execute(update(mention).where(mention.c.id == row.id).values(values))
    its = delete(occurrence).where(occurrence.c.mention_id == row.id)
    gone = set(await connection.execute(its.returning(occurrence.c.claim_id, recount.put_forward)))
    lost = [(claim_id, post.platform) for claim_id in {claim_id for claim_id, _ in gone}]
    said = [(claim_id, row.platform, row.author) for claim_id, forward in gone if forward and row.author is not None]
    await connection.execute(delete(mention_watch).where(mention_watch.c.mention_id == row.id))
    await erase_texts(connection, [row.id])
    return _Taken(lost, said)


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


def occurrence_rows(number: int, judged: Judged) -> list[dict[str, Any]]:
    """What is written of the claims of a mention with this id."""
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
