"""What so many claims on record cost: storing mentions of them, joining those of their own, listing them, holding them all."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import numpy as np
from sqlalchemy import insert

from benchmarks import posts
from benchmarks.measure import Figure, Scale, in_turn, plain, quantile
from benchmarks.plain_rows import rows_of
from benchmarks.store import BATCH, _sqlite
from monitor.store import Database, Filters, claims, record
from monitor.store.judged import Judged, Origin
from monitor.store.outbox import new_number
from monitor.store.own_claims import join_own_claims
from monitor.store.tables import claim_wording
from monitor.times import now_ms
from monitor.words import Judgement, Post, Wording
from workers.identify import identify
from workers.retell import hold_claims

_FILL = 1_000
_WIDTH = 384  # numbers of a wording's vector, as the shipped model gives them
_TEXT = "Exosomes raise collagen by 137 percent."


async def by_claims(scale: Scale, sizes: Sequence[int]) -> list[Figure]:
    """Each size in a SQLite database of its own, with a mention for each claim."""
    figures: list[Figure] = []
    for size in sizes:
        async with _sqlite() as (database, bare):
            numbered = _Numbered()
            for start in range(0, size, _FILL):
                batch = [numbered.next(n) for n in range(start, min(start + _FILL, size))]
                await bare.insert(rows_of(batch, database.dialect))
            await bare.analyse()
            await _remember_wordings(database, size)
            figures += await _of_size(scale, f"{size:,} claims", size, database, numbered)
    return figures


class _Numbered:
    """Posts that claim what nobody else does: the same proposition with another number each."""

    def __init__(self) -> None:
        self._judgement, self._origins = posts.judge().weigh("m", _TEXT)
        place = next(n for n, origin in enumerate(self._origins) if origin.number is not None)
        self._claim, self._origin = self._judgement.claims[place], self._origins[place]
        proposition = posts.topic().lexicon.find(self._origin.proposition)
        assert proposition is not None
        self._proposition = proposition
        self._written = 0
        self._first_ms = now_ms() - 86_400_000

    def next(self, n: int) -> Judged:
        """A new post with the claim of this number."""
        self._written += 1
        identity = identify(self._proposition, str(1_000 + n))
        named = msgspec.structs.replace(self._claim, claim_id=identity.claim_id, claim=identity.claim)
        origin = msgspec.structs.replace(self._origin, number=str(1_000 + n))
        return self._judged(msgspec.structs.replace(self._judgement, claims=(named,)), origin)

    def of_its_own(self, wording: Wording) -> Judged:
        """A new post with a claim that the lexicon does not know."""
        self._written += 1
        named = msgspec.structs.replace(self._claim, claim_id=f"c_own{self._written}")
        return self._judged(
            msgspec.structs.replace(self._judgement, claims=(named,)), Origin(proposition="own-1", sure=False, wording=wording)
        )

    def _judged(self, judgement: Judgement, origin: Origin) -> Judged:
        ms = self._first_ms + self._written // 1_000
        post = Post(
            platform="reddit",
            id=f"c{self._written}",
            text=_TEXT,
            author=f"author{self._written % 1_000}",
            source="source1",
            created_at=ms,
        )
        number = ms << 21 | self._written % 1_000
        return Judged(number=number, seen_ms=ms, post=post, judgement=judgement, origins=(origin,))

    @property
    def type(self) -> str:
        return self._claim.type


async def _remember_wordings(database: Database, count: int) -> None:
    """As many claims of their own, all of one type: of these only the latest are ever compared (`own_claims.MOST`)."""
    dice = np.random.default_rng(count)
    kind = _Numbered().type
    for start in range(0, count, _FILL):
        rows = [
            {"id": new_number(), "claim_id": f"c_w{n}", "type": kind, "vector": _vector(dice)}
            for n in range(start, min(start + _FILL, count))
        ]
        async with database.write() as connection:
            await connection.execute(insert(claim_wording), rows)


def _vector(dice: np.random.Generator) -> bytes:
    return dice.standard_normal(_WIDTH).astype(np.float16).tobytes()


async def _of_size(scale: Scale, where: str, size: int, database: Database, numbered: _Numbered) -> list[Figure]:
    dice, vectors = random.Random(size), np.random.default_rng(1)
    fresh = iter(range(size, 10**9))

    def storing(which: Callable[[], int]) -> Callable[[], Awaitable[float]]:
        async def once() -> float:
            batch = [numbered.next(which()) for _ in range(BATCH)]
            started = time.perf_counter()
            async with database.write() as connection:
                await record.record(connection, batch)
            return (time.perf_counter() - started) * 1000

        return once

    async def join() -> float:
        one = numbered.of_its_own(Wording(vector=_vector(vectors), maybe=0.9, sure=0.95))
        started = time.perf_counter()
        async with database.read() as connection:
            await join_own_claims(connection, {one.number: one}, look=True)
        return (time.perf_counter() - started) * 1000

    async def listed() -> float:
        took = []
        for _ in range(scale.count(30, least=3)):
            started = time.perf_counter()
            async with database.read() as connection:
                await claims.page(connection, Filters())
            took.append((time.perf_counter() - started) * 1000)
        return quantile(took, 0.5)

    async def hold() -> float:
        started = time.perf_counter()
        await hold_claims(database, posts.topic(), ("US", "UK", "EU"), (), asyncio.Event())
        return (time.perf_counter() - started) * 1000

    page, joined = await in_turn(scale.repeats, listed, join)
    (held,) = await in_turn(scale.repeats if size < 10_000 else 1, hold, warm_up=size < 10_000)
    known, new = await in_turn(scale.repeats, storing(lambda: dice.randrange(size)), storing(lambda: next(fresh)))
    return [
        plain(f"growth: page of claims p50, {where}", "ms", page),
        plain(f"growth: an own claim joined, {where}", "ms", joined, "compared with the latest 5,000 of its type at most"),
        plain(f"growth: all claims held against the register, {where}", "ms", held, "an edit that changes none of them"),
        plain(f"growth: a batch of {BATCH} with known claims, {where}", "ms", known),
        plain(f"growth: a batch of {BATCH} with new claims, {where}", "ms", new),
    ]
