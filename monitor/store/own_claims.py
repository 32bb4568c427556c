"""Claims that the lexicon does not know: a later wording, in whatever language, joins the one that it is most like.

Of each the record keeps a vector: how the classifier's network saw its first wording. Likeness is the cosine of two such vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import insert, select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged
from monitor.store.outbox import new_number
from monitor.store.tables import claim_wording
from monitor.words import ClaimType, Wording

MOST = 5_000  # of one type that a wording is compared with, the latest
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
    claims, origins, names = list(judged.judgement.claims), list(judged.origins_of_claims), {}
    for n, (one, origin) in enumerate(zip(claims, origins, strict=True)):
        if origin.wording is None:
            continue
        name, likeness = await known.most_like(one.claim_id, one.type, origin.wording)
        if name is None:
            await known.begin(one.claim_id, one.type, origin.wording)
        elif name != one.claim_id:
            names[one.claim_id] = name
            claims[n] = msgspec.structs.replace(one, claim_id=name)
            origins[n] = msgspec.structs.replace(origin, sure=likeness >= origin.wording.sure)
    if not names:
        return judged
    alerts = []
    for draft in judged.alerts:
        key = draft.dedupe_key
        for old, new in names.items():
            key = key.replace(old, new)
        alerts.append(msgspec.structs.replace(draft, dedupe_key=key))
    judgement = msgspec.structs.replace(judged.judgement, claims=tuple(claims))
    return msgspec.structs.replace(judged, judgement=judgement, origins=tuple(origins), alerts=tuple(alerts))


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
        likeness = np.stack(vectors) @ _unit(wording.vector)
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
