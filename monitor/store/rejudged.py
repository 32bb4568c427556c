"""Puts a later reading of a mention in the place of an earlier one, by whoever goes through history again.

A mention keeps its id, its state and its times; no alert is raised for it. What reviews said of its claims holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount, registers
from monitor.store.counts import touch_claims
from monitor.store.judged import Judged, Origin
from monitor.store.own_claims import join_own_claims
from monitor.store.record import occurrence_rows
from monitor.store.registers import InForce
from monitor.store.reviewed import as_reviewed
from monitor.store.tables import claim, mention, mention_text, occurrence
from monitor.store.verdicts import as_held
from monitor.words import Judgement, Post

# How words were read: what stands at an occurrence and follows from nothing else on record.
_READ = ("n", "claim_id", "stance", "distance", "testimonial", "start", "end", "confidence", "why", "sure", "found_as")
Occurrences = tuple[Mapping[str, Any], ...]


class OnFile(msgspec.Struct, frozen=True, kw_only=True):
    """A mention whose text is on record, and what was read in it: its occurrences' rows, in their order."""

    number: int
    seen_ms: int
    post: Post
    text_version: str
    language: str | None
    relevant: bool
    adverse_event: bool
    alert: bool
    classifier: str
    register: str
    occurrences: Occurrences


class Reread(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be written of a mention: another judgement, with its claims' origins, or only by which versions it was judged.

    It holds for the text of `text_version`; where a later one is on record, nothing is written.
    """

    number: int
    text_version: str
    classifier: str
    register: str
    judgement: Judgement | None = None
    origins: tuple[Origin, ...] = ()


async def count(connection: AsyncConnection, places: tuple[int, int], classifier: str, register: str) -> tuple[int, int]:
    """How many mentions of these ids (from inclusive to exclusive) have a text and were not judged by these versions, and how
    many were.
    """
    numbers: Any = select(func.count(), func.count().filter(await _by_others(connection, classifier, register)))
    query = _with_text(numbers, places)
    everything, others = (await connection.execute(query)).one()
    return int(others), int(everything - others)


async def after(
    connection: AsyncConnection, number: int, places: tuple[int, int], classifier: str, register: str, limit: int
) -> list[OnFile]:
    """The next mentions of these ids that have a text and were not judged by these versions, in the order of their ids."""
    query = _with_text(select(mention, mention_text.c.text), places).where(
        mention.c.id > number, await _by_others(connection, classifier, register)
    )
    rows = list(await connection.execute(query.order_by(mention.c.id).limit(limit)))
    found: dict[int, list[Mapping[str, Any]]] = {row.id: [] for row in rows}
    carried = select(occurrence).where(occurrence.c.mention_id.in_(found)).order_by(occurrence.c.mention_id, occurrence.c.n)
    for one in (await connection.execute(carried)).mappings() if rows else ():
        found[one["mention_id"]].append(dict(one))
    return [_on_file(row, tuple(found[row.id])) for row in rows]


def read_alike(one: OnFile, judged: Judged) -> bool:
    """Whether the judgement, as reviews want it, reads the mention as the record does, whatever the verdicts are."""
    new = judged.judgement
    if (new.relevant, new.adverse_event, new.language) != (one.relevant, one.adverse_event, one.language):
        return False
    rows = occurrence_rows(one.number, judged)
    return [_read(row) for row in rows] == [_read(row) for row in one.occurrences]


async def rerecord(connection: AsyncConnection, batch: Sequence[Reread]) -> list[int]:
    """Writes these readings within the caller's transaction; the ids of the mentions that they were written for.

    One whose text is another by now, or that was judged by the same versions meanwhile, stays as it is. The claims that lost
    something by it are marked `behind`; `verdicts.follow` counts them anew.
    """
    by_number = {one.number: one for one in batch}
    query = select(mention).where(mention.c.id.in_(by_number)).order_by(mention.c.id).with_for_update()
    rows = {row.id: row for row in await connection.execute(query) if _still_holds(by_number[row.id], row)}
    if not rows:
        return []
    versions = [
        {"its_id": number, "classifier": by_number[number].classifier, "register": by_number[number].register} for number in rows
    ]
    await connection.execute(update(mention).where(mention.c.id == bindparam("its_id")), versions)
    judged = {number: one for number, row in rows.items() if (one := judged_anew(by_number[number], row)) is not None}
    if judged:
        await _put_anew(connection, judged)
    return list(rows)


async def _put_anew(connection: AsyncConnection, judged: dict[int, Judged]) -> None:
    known = list(judged)
    gone = delete(occurrence).where(occurrence.c.mention_id.in_(known))
    taken = list(await connection.execute(gone.returning(occurrence.c.mention_id, occurrence.c.claim_id, recount.put_forward)))
    lost = {(number, claim_id) for number, claim_id, _ in taken}
    written = await as_reviewed(connection, await join_own_claims(connection, judged), known)
    touched = await touch_claims(
        connection, written.values(), [(claim_id, judged[number].post.platform) for number, claim_id in sorted(lost)]
    )
    written, _ = as_held(written, touched.claims)
    rows = [row for number, one in written.items() for row in occurrence_rows(number, one)]
    if rows:
        await connection.execute(insert(occurrence), rows)
    await connection.execute(_READ_AS, [_read_as(number, one.judgement) for number, one in written.items()])
    await recount.mentions(connection, known)
    await _mark(connection, _poorer({(number, claim_id, bool(forward)) for number, claim_id, forward in taken}, written))


async def _mark(connection: AsyncConnection, claim_ids: Collection[str]) -> None:
    if claim_ids:
        await connection.execute(update(claim).where(claim.c.id.in_(sorted(claim_ids))).values(behind="numbers"))


def _poorer(taken: set[tuple[int, str, bool]], written: Mapping[int, Judged]) -> set[str]:
    """The claims that a mention no longer carries, or no longer puts forward."""
    now = {(number, one.claim_id, one.put_forward) for number, judged in written.items() for one in judged.judgement.claims}
    carried = {(number, claim_id) for number, claim_id, _ in now}
    return {
        claim_id
        for number, claim_id, forward in taken
        if (number, claim_id) not in carried or (forward and (number, claim_id, True) not in now)
    }


def judged_anew(one: Reread, row: Any) -> Judged | None:
    """The judgement as the record takes it, for a mention with these values; None where there is no other one."""
    if one.judgement is None:
        return None
    post = Post(
        platform=row.platform, id=row.platform_id, text="", author=row.author, source=row.source, fresh=row.fresh, url=row.url
    )
    return Judged(number=row.entry_number, seen_ms=row.seen_ms, post=post, judgement=one.judgement, origins=one.origins)


def _still_holds(one: Reread, row: Any) -> bool:
    same = (row.classifier, row.register) == (one.classifier, one.register)
    return not same and row.text_version == one.text_version and row.state != "deleted"


def _with_text(query: Select[Any], places: tuple[int, int]) -> Select[Any]:
    low, high = places
    joined = query.select_from(mention).join(mention_text, mention_text.c.mention_id == mention.c.id)
    return joined.where(mention.c.id >= low, mention.c.id < high, mention.c.state != "deleted")


async def _by_others(connection: AsyncConnection, classifier: str, register: str) -> ColumnElement[bool]:
    others = mention.c.classifier != classifier
    if await registers.in_force(connection) == InForce(version=register, held=True):
        return others  # all claims are held against this register, so whatever another one said is said no more
    return or_(others, mention.c.register != register)


def _on_file(row: Any, occurrences: Occurrences) -> OnFile:
    post = Post(
        platform=row.platform,
        id=row.platform_id,
        text=row.text,
        author=row.author,
        source=row.source,
        fresh=row.fresh,
        lang=row.language,  # the reader takes the platform's word for it, and says so: that it was is kept no longer
    )
    return OnFile(
        number=row.id,
        seen_ms=row.seen_ms,
        post=post,
        text_version=row.text_version,
        language=row.language,
        relevant=row.relevant,
        adverse_event=row.adverse_event,
        alert=row.alert,
        classifier=row.classifier,
        register=row.register,
        occurrences=occurrences,
    )


def _read(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _READ)


_READ_AS = (
    update(mention)
    .where(mention.c.id == bindparam("its_id"))
    .values(relevant=bindparam("is_relevant"), adverse_event=bindparam("is_adverse"), language=bindparam("its_language"))
)


def _read_as(number: int, judgement: Judgement) -> dict[str, Any]:
    return {
        "its_id": number,
        "is_relevant": judgement.relevant,
        "is_adverse": judgement.adverse_event,
        "its_language": judgement.language,
    }
