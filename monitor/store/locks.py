"""Claims and mentions that a review has in hand, so that nobody else changes them until it is written.

Mentions first, then claims, each in the order of their ids: as whoever records and edits posts takes them, so that no two writers
wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.filters import mention_key
from monitor.store.merged import present_ids
from monitor.store.tables import claim, mention, occurrence
from monitor.store.verdicts import lock_mentions
from monitor.words import MAX_ID

MAX_NAMED = 500  # mentions at once
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

WhichMentions = Callable[[Sequence[str]], Awaitable[Collection[int]]]


class ReviewError(Exception):
    """The review cannot be done; the text says why and what to do."""


class MuteOverError(ReviewError):
    """A mute would end before it begins."""


class NoSuchClaimError(ReviewError):
    """No claim has this id, and none was merged that had it."""


class ReviewConflictError(ReviewError):
    """The claims on record are not as the review takes them to be."""


async def hold(connection: AsyncConnection, claim_ids: Sequence[str], which: WhichMentions | None = None) -> list[str]:
    """The present ids of claims, which nobody else changes until the end of the transaction; nor the mentions that `which` names
    for them. Raises NoSuchClaimError, and what `which` raises.
    """
    await check_there(connection, claim_ids)
    present = await present_ids(connection, claim_ids)
    ids = [present[claim_id] for claim_id in claim_ids]
    while True:
        if which is not None:
            await lock_mentions(connection, await which(ids))
        await lock_claims(connection, ids)
        # Looked up under the lock: while it was waited for, another review may have merged them.
        now = [merged or claim_id for claim_id, merged in zip(ids, await _merged_into(connection, ids), strict=True)]
        if now == ids:
            return ids
        ids = now


async def lock_claims(connection: AsyncConnection, claim_ids: Collection[str]) -> None:
    """Nobody else changes these claims until the end of the transaction."""
    locked = select(claim.c.id).where(claim.c.id.in_(set(claim_ids))).order_by(claim.c.id)
    await connection.execute(locked.with_for_update())


async def check_there(connection: AsyncConnection, claim_ids: Sequence[str]) -> None:
    """Raises NoSuchClaimError where a claim is not on record."""
    for claim_id in claim_ids:
        if len(claim_id) > MAX_ID or _UNPRINTABLE.search(claim_id):
            raise NoSuchClaimError("no claim has an id like that; `exowatch claims` lists them")
    await _merged_into(connection, claim_ids)


async def _merged_into(connection: AsyncConnection, claim_ids: Sequence[str]) -> list[str | None]:
    rows = await connection.execute(select(claim.c.id, claim.c.merged_into).where(claim.c.id.in_(claim_ids)))
    found = {row.id: row.merged_into for row in rows}
    for claim_id in claim_ids:
        if claim_id not in found:
            raise NoSuchClaimError(f"there is no claim {claim_id[:64]}; `exowatch claims` lists them")
    return [found[claim_id] for claim_id in claim_ids]


async def carrying(connection: AsyncConnection, wanted: ColumnElement[bool]) -> list[int]:
    """The stored ids of the mentions that carry an occurrence like that, in their order."""
    numbers = select(occurrence.c.mention_id).distinct().where(wanted).order_by(occurrence.c.mention_id)
    return list((await connection.execute(numbers)).scalars())


async def named(connection: AsyncConnection, claim_id: str, names: Sequence[str]) -> list[int]:
    """The stored ids of the mentions of these names, each of which carries the claim. Raises ReviewError."""
    if len(names) > MAX_NAMED:
        raise ReviewError(f"{len(names)} mentions at once; name at most {MAX_NAMED}")
    numbers = set()
    for name in names:
        number = None if _UNPRINTABLE.search(name) else await _number_of(connection, claim_id, name)
        if number is None:
            raise ReviewConflictError(
                f"mention {one_line(name)[:64]} does not carry this claim; "
                f"`exowatch mentions --claim {claim_id}` lists those that do"
            )
        numbers.add(number)
    return sorted(numbers)


async def _number_of(connection: AsyncConnection, claim_id: str, name: str) -> int | None:
    """The stored id of the mention of this name, if it carries the claim."""
    key = mention_key(name)
    where = mention.c.id == key
    if isinstance(key, tuple):
        where = (mention.c.platform == key[0]) & (mention.c.platform_id == key[1])
    carries = select(1).where(occurrence.c.mention_id == mention.c.id, occurrence.c.claim_id == claim_id)
    number: int | None = (await connection.execute(select(mention.c.id).where(where, carries.exists()))).scalar()
    return number


def one_line(text: str) -> str:
    """A text that any database holds and any terminal shows: on one line, without what would steer either."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())
