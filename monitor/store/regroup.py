"""Puts occurrences under another claim, for good or until that is taken back, and brings to date what follows from it.

Where an occurrence is from is never lost: what the reader found stands in `occurrence.found_as`, what a person said of its
mention in `claim_move`, and which claims were merged in the reviews. So a merge changes none of these, and can be taken back as
a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import following, recount
from monitor.store.tables import alert, claim, claim_author, claim_move, mention, occurrence, review
from monitor.store.upsert import upsert
from monitor.times import now_ms

_TOGETHER = 1_000  # mentions in one statement

found_as = func.coalesce(occurrence.c.found_as, occurrence.c.claim_id)  # what the reader found
# The claim that it is of but for merges: what a person said of the mention, or else what the reader found.
home: ColumnElement[Any] = func.coalesce(
    select(claim_move.c.claim_id)
    .where(claim_move.c.mention_id == occurrence.c.mention_id, claim_move.c.found_as == found_as)
    .scalar_subquery(),
    found_as,
)


async def put_under(connection: AsyncConnection, moved: ColumnElement[bool], target: str, *, sure: bool = False) -> None:
    """Puts occurrences under a claim, whose verdict is theirs from then on. `sure`: a person looked at each of them."""
    row = (await connection.execute(select(claim).where(claim.c.id == target))).one()
    await connection.execute(
        update(occurrence)
        .where(moved)
        .values(
            found_as=func.nullif(found_as, target),
            sure=true() if sure else occurrence.c.sure,
            claim_id=target,
            type=row.type,
            verdict=row.verdict,
            verdicts=row.verdicts,
            basis=row.basis,
        )
    )


async def say_of_mentions(connection: AsyncConnection, about: ColumnElement[bool], target: Any) -> None:
    """Keeps that these occurrences are of the claim `target` (an id, or `home`), also when their mentions are read again."""
    said = select(occurrence.c.mention_id, found_as, target).where(about).distinct()
    statement = upsert(connection, claim_move).from_select(["mention_id", "found_as", "claim_id"], said)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["mention_id", "found_as"], set_={"claim_id": statement.excluded.claim_id})
    )


async def parted(connection: AsyncConnection, source: str, new: str, numbers: Collection[int]) -> None:
    """Brings both claims to date after these mentions went from one to the other, with authors and all."""
    theirs = (
        select(literal(new), mention.c.platform, mention.c.author)
        .join(occurrence, occurrence.c.mention_id == mention.c.id)
        .where(occurrence.c.claim_id == new, recount.put_forward, mention.c.author.is_not(None))
        .distinct()
    )
    columns = ["claim_id", "platform", "author"]
    await connection.execute(upsert(connection, claim_author).from_select(columns, theirs).on_conflict_do_nothing())
    await recount.authors_of(connection, source)
    await counted_anew(connection, (source, new), numbers)
    await following.release(connection, (source, new), now_ms())


async def counted_anew(connection: AsyncConnection, claim_ids: Sequence[str], numbers: Collection[int]) -> None:
    """Brings the numbers of claims to date, and what these mentions say of themselves and can be found by."""
    for claim_id in claim_ids:
        await recount.numbers_of(connection, claim_id)
    in_order = sorted(numbers)
    for start in range(0, len(in_order), _TOGETHER):
        await recount.mentions(connection, in_order[start : start + _TOGETHER])


async def merged_with(connection: AsyncConnection, claim_id: str, into: str) -> set[str]:
    """A claim that was merged, and those that were merged into it before: all that goes along when its merge is taken back."""
    merges = await connection.execute(
        select(review.c.claim_id, review.c.detail)
        .join(claim, claim.c.id == review.c.claim_id)
        .where(review.c.action == "merge", claim.c.merged_into == into)
        .order_by(review.c.id)
    )
    parents = {row.claim_id: row.detail["into"] for row in merges if row.detail and "into" in row.detail}  # the last one holds
    along = {claim_id}
    while more := {one for one, parent in parents.items() if parent in along} - along:
        along |= more
    return along


async def give_back_alerts(connection: AsyncConnection, source: str, new: str, along: Collection[str]) -> None:
    """Gives a claim the alerts that told of it and those that came with it, or that only its mentions raised."""
    rows = await connection.execute(
        select(alert.c.id, alert.c.dedupe_key, alert.c.mention_id).where(alert.c.claim_id == source).order_by(alert.c.id)
    )
    for row in rows.all():
        names = any(part in along for part in row.dedupe_key.split(":"))
        if names or (row.mention_id is not None and await _only_of(connection, row.mention_id, new, source)):
            await connection.execute(update(alert).where(alert.c.id == row.id).values(claim_id=new))


async def _only_of(connection: AsyncConnection, number: int, claim_id: str, other: str) -> bool:
    """Whether the mention carries one claim and not the other."""
    both = occurrence.c.claim_id.in_([claim_id, other])
    carried = select(occurrence.c.claim_id).where(occurrence.c.mention_id == number, both)
    return set((await connection.execute(carried)).scalars()) == {claim_id}
