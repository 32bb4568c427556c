"""Claims that the lexicon does not know: one claim for all wordings that are like enough, by whomever they are heard."""

from __future__ import annotations

import asyncio

import numpy as np
from msgspec.structs import replace

from monitor.store import Database, claims, mentions, parse_filters
from monitor.store.judged import Judged
from monitor.words import Mention, Wording, claim_id_of
from tests.samples import judged, occurrence, write

TEXT = "exosomes cured my tinnitus"


def vector(*numbers: float) -> bytes:
    return np.array(numbers, dtype=np.float16).tobytes()


def own(key: str, identity: str, *numbers: float, n: int = 0) -> Judged:
    """A post with a claim that only its words name, seen as this vector."""
    one = judged(key, TEXT, occurrence(TEXT, "cured my tinnitus", identity), n=n)
    wording = Wording(vector=vector(*numbers), maybe=0.8, sure=0.95)
    origins = tuple(replace(origin, proposition=f"own-{identity}", entry=None, wording=wording) for origin in one.origins)
    return replace(one, origins=origins)


async def carried(database: Database, key: str) -> Mention:
    async with database.read() as connection:
        found = await mentions.find(connection, f"reddit:{key}")
    assert found is not None
    return found


async def test_a_later_wording_joins_the_claim_that_it_is_most_like(database: Database) -> None:
    await write(database, own("a", "one", 1, 0), own("b", "two", 0, 1, n=1))
    later = await write(database, own("c", "three", 0.99, 0.1, n=2), own("d", "four", 0.5, 0.85, n=3))
    assert [one.claim_id for one in (await carried(database, "c")).claims] == [claim_id_of("one")]
    assert [one.claim_id for one in (await carried(database, "d")).claims] == [claim_id_of("two")]
    assert later.alerts == {}
    async with database.read() as connection:
        found = (await claims.page(connection, parse_filters({}))).items
    assert sorted((one.mentions, one.id) for one in found) == sorted([(2, claim_id_of("one")), (2, claim_id_of("two"))])


async def test_one_that_is_only_likely_the_same_is_marked_for_review(database: Database) -> None:
    await write(database, own("a", "one", 1, 0), own("sure", "two", 0.99, 0.1, n=1), own("maybe", "three", 0.85, 0.52, n=2))
    assert "to be reviewed" not in (await carried(database, "sure")).claims[0].why
    assert "to be reviewed" in (await carried(database, "maybe")).claims[0].why


async def test_what_is_not_like_enough_is_a_claim_of_its_own(database: Database) -> None:
    result = await write(database, own("a", "one", 1, 0), own("b", "two", 0.6, 0.8, n=1))
    assert len(result.alerts) == 2


async def test_the_same_words_are_the_same_claim_however_they_are_seen(database: Database) -> None:
    await write(database, own("a", "one", 1, 0))
    await write(database, own("b", "one", 0, 1, n=1))
    async with database.read() as connection:
        (one,) = (await claims.page(connection, parse_filters({}))).items
    assert one.mentions == 2


async def test_two_writers_at_once_begin_one_claim(database: Database) -> None:
    posts = [own(f"p{n}", f"claim {n}", 1, n / 100, n=n) for n in range(12)]
    results = await asyncio.gather(*(write(database, one) for one in posts))
    assert sum(len(result.alerts) for result in results) == 1
    async with database.read() as connection:
        (one,) = (await claims.page(connection, parse_filters({}))).items
    assert one.mentions == 12
