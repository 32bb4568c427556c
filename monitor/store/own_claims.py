"""Claims that the lexicon does not know: a later wording, in whatever language, joins the one that it is most like.

Of each the record keeps a vector: how the classifier's network saw its first wording. Likeness is the cosine of two such vectors.
Its words are kept nowhere but in the posts: while one of them is there, its quote says what the claim is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import insert, select, tuple_
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged
from monitor.store.outbox import new_number
from monitor.store.tables import claim, claim_wording, mention_text, occurrence
from monitor.words import ClaimType, Wording, why

MOST = 5_000  # of one type that a wording is compared with, the latest
OWN = "own-"  # how the proposition of such a claim begins
_LONGEST_QUOTE = 160
_LOCK = 0x6F776E  # any number that nothing else locks by

Vector = npt.NDArray[np.float32]


async def join_own_claims(connection: AsyncConnection, written: Mapping[int, Judged], *, look: bool = False) -> dict[int, Judged]:
    """The judged posts by mention id, with what the lexicon does not know put under the claim of its own that is most like it.

    One at a time over all processes, so that two wordings heard at the same moment do not both begin a claim. Who only has a
    `look` writes nothing and waits for nobody.
    """
    if not any(origin.wording for judged in written.values() for origin in judged.origins):
        return dict(written)
    if connection.dialect.name == "postgresql" and not look:
        await connection.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    known = _Known(connection, look=look)
    return {number: await _joined(known, judged) for number, judged in written.items()}


async def _joined(known: _Known, judged: Judged) -> Judged:
    claims, origins, has_joined = list(judged.judgement.claims), list(judged.origins_of_claims), False
    for n, (one, origin) in enumerate(zip(claims, origins, strict=True)):
        if origin.wording is None:
            continue
        name, likeness = await known.most_like(one.claim_id, one.type, origin.wording)
        if name is None:
            await known.begin(one.claim_id, one.type, origin.wording)
        elif name != one.claim_id:
            has_joined = True
            reading = one.why.removesuffix(".").removesuffix(f"; {origin.ruling}")
            joined = f"{reading}, joined at a likeness of {likeness:.2f} (from {origin.wording.sure:.2f} on surely)"
            claims[n] = msgspec.structs.replace(one, claim_id=name, why=why(joined, origin.ruling))
            origins[n] = msgspec.structs.replace(origin, sure=likeness >= origin.wording.sure)
    if not has_joined:
        return judged
    judgement = msgspec.structs.replace(judged.judgement, claims=tuple(claims))
    return msgspec.structs.replace(judged, judgement=judgement, origins=tuple(origins))


async def quotes_of(connection: AsyncConnection, claim_ids: Collection[str]) -> dict[str, str]:
    """For each of these claims the quote of its earliest occurrence whose post's words are still there, cut where it is long."""
    if not claim_ids:
        return {}
    there = select(occurrence.c.mention_id).join(mention_text, mention_text.c.mention_id == occurrence.c.mention_id)
    earliest = there.where(occurrence.c.claim_id == claim.c.id).order_by(occurrence.c.mention_id).limit(1).scalar_subquery()
    found = await connection.execute(select(claim.c.id, earliest).where(claim.c.id.in_(claim_ids)))
    places = [(claim_id, number) for claim_id, number in found if number is not None]
    rows = await connection.execute(
        select(occurrence.c.claim_id, occurrence.c.start, occurrence.c.end, mention_text.c.text)
        .join(mention_text, mention_text.c.mention_id == occurrence.c.mention_id)
        .where(tuple_(occurrence.c.claim_id, occurrence.c.mention_id).in_(places))
        .order_by(occurrence.c.n.desc())  # the first of a mention counts
    )
    quotes = {row.claim_id: " ".join(row.text[row.start : row.end].split()) for row in rows}
    return {
        claim_id: quote if len(quote) <= _LONGEST_QUOTE else f"{quote[:_LONGEST_QUOTE]}…"
        for claim_id, quote in quotes.items()
        if quote
    }


class _Known:
    """The claims of their own that are on record or begin in this transaction, by type."""

    def __init__(self, connection: AsyncConnection, *, look: bool) -> None:
        self._connection = connection
        self._look = look
        self._names: dict[ClaimType, list[str]] = {}
        self._vectors: dict[ClaimType, list[Vector]] = {}

    async def most_like(self, claim_id: str, kind: ClaimType, wording: Wording) -> tuple[str | None, float]:
        """The claim that is most like a wording, itself before others, and how like; (None, 0) where none is like enough."""
        await self._load(kind)
        names, vectors = self._names[kind], self._vectors[kind]
        if claim_id in names:
            return claim_id, 1.0
        if not names:
            return None, 0.0
        seen = _unit(wording.vector)
        # One of another length is from another network, whose vectors mean something else.
        likeness = np.stack([one if one.shape == seen.shape else np.zeros_like(seen) for one in vectors]) @ seen
        best = int(np.argmax(likeness))
        return (names[best], float(likeness[best])) if likeness[best] >= wording.maybe else (None, 0.0)

    async def begin(self, claim_id: str, kind: ClaimType, wording: Wording) -> None:
        """Remembers a claim's first wording."""
        self._names[kind].append(claim_id)
        self._vectors[kind].append(_unit(wording.vector))
        if self._look:
            return
        await self._connection.execute(
            insert(claim_wording).values(id=new_number(), claim_id=claim_id, type=kind, vector=wording.vector)
        )

    async def _load(self, kind: ClaimType) -> None:
        if kind in self._names:
            return
        latest = select(claim_wording).where(claim_wording.c.type == kind).order_by(claim_wording.c.id.desc()).limit(MOST)
        rows: list[Any] = list(await self._connection.execute(latest))[::-1]
        self._names[kind] = [row.claim_id for row in rows]
        self._vectors[kind] = [_unit(row.vector) for row in rows]


def _unit(vector: bytes) -> Vector:
    values = np.frombuffer(vector, dtype=np.float16).astype(np.float32)
    return np.asarray(values / (float(np.linalg.norm(values)) or 1.0), dtype=np.float32)
