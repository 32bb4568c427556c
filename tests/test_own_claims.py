"""Claims that the lexicon does not know: one claim for all wordings that are like enough, by whomever they are heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from msgspec.structs import replace

from monitor.ids import claim_id_of, stored_id
from monitor.store import Database, claims, mentions, parse_filters
from monitor.store.judged import Judged
from monitor.store.texts import erase_texts
from monitor.topic import fold
from monitor.words import Mention, Wording
from tests import shipped
from tests.samples import ENTRIES, judged, occurrence, write
from workers.classify.learned import says_something
from workers.judgement import Judge

TEXT = "exosomes cured my tinnitus"


def vector(*numbers: float) -> bytes:
    return np.array(numbers, dtype=np.float16).tobytes()


def own(key: str, identity: str, *numbers: float, n: int = 0) -> Judged:
    """A post with a claim that only its words name, seen as this vector."""
    said = f"read by the model as a claim that the lexicon does not know (0.2); the register has {identity}."
    one = judged(key, TEXT, occurrence(TEXT, "cured my tinnitus", identity, why=said), n=n)
    wording = Wording(vector=vector(*numbers), maybe=0.8, sure=0.95)
    origins = tuple(
        replace(origin, proposition=f"own-{identity}", entry=None, wording=wording, ruling=f"the register has {identity}")
        for origin in one.origins
    )
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


async def test_why_says_how_like_it_is_to_what_it_joined(database: Database) -> None:
    await write(database, own("a", "one", 1, 0), own("sure", "two", 0.99, 0.1, n=1), own("maybe", "three", 0.85, 0.52, n=2))
    assert "likeness" not in (await carried(database, "a")).claims[0].why
    assert "joined at a likeness of 0.99 (from 0.95 on surely)" in (await carried(database, "sure")).claims[0].why
    assert "joined at a likeness of 0.85 (from 0.95 on surely)" in (await carried(database, "maybe")).claims[0].why


async def test_a_vector_of_another_network_is_like_nothing(database: Database) -> None:
    result = await write(database, own("a", "one", 1, 0), own("b", "two", 1, 0, 0, 0, n=1))
    assert len(result.alerts) == 2


async def test_its_sentence_shows_the_earliest_quote_that_is_still_there_and_keeps_none(database: Database) -> None:
    def post(key: str, text: str, n: int) -> Judged:
        one = own(key, "one", 1, 0, n=n)
        post = replace(one.post, text=text)
        claim = replace(one.judgement.claims[0], quote=text, start=0, end=len(text))
        return replace(one, post=post, judgement=replace(one.judgement, claims=(claim,)))

    await write(database, post("a", "exosomes cured my hiccups", 0), post("b", "no more hiccups with exosomes", 1))

    async def sentence() -> str:
        async with database.read() as connection:
            (found,) = (await claims.page(connection, parse_filters({}))).items
            assert (await claims.load(connection, [found.id]))[0].claim == found.claim
        return found.claim

    assert (await sentence()).endswith(": “exosomes cured my hiccups”")
    for key, left in (("a", ": “no more hiccups with exosomes”"), ("b", "The claim one.")):
        number = stored_id("m", (await carried(database, key)).id)
        assert number is not None
        async with database.write() as connection:
            await erase_texts(connection, [number])
        assert (await sentence()).endswith(left)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return shipped.judge()


def read(judge: Judge, key: str, text: str, n: int) -> Judged:
    """A real post, as the shipped model reads it."""
    judgement, origins = judge.weigh(key, text)
    assert [bool(origin.wording) for origin in origins] == [True], f"{text!r} is one claim that the lexicon does not know"
    ENTRIES.update({claim.claim_id: origin.proposition for claim, origin in zip(judgement.claims, origins, strict=True)})
    one = judged(key, text, *judgement.claims, n=n)
    return replace(one, judgement=judgement, origins=origins)


SAME = [
    ("Exosomes cure motion sickness.", "Exosomes prevent motion sickness."),
    ("Exosomes end motion sickness.", "Exosomes cure seasickness and motion sickness."),
]
UNLIKE = [
    "Exosomes cure motion sickness.",
    "Exosomes take away fear of flying.",
    "Exosome drips let pilots stay awake for days.",
    "Exosome drips make you taller by ten centimetres.",
    "Exosomes help gamblers win.",
]


@pytest.mark.parametrize(("one", "other"), SAME)
async def test_two_wordings_of_a_claim_unknown_to_the_shipped_model_join(
    judge: Judge, database: Database, one: str, other: str
) -> None:
    await write(database, read(judge, "a", one, 0), read(judge, "b", other, 1))
    first, second = [(await carried(database, key)).claims[0] for key in ("a", "b")]
    assert first.claim_id == second.claim_id
    assert "joined at a likeness" in second.why


async def test_unlike_claims_unknown_to_the_shipped_model_stay_apart(judge: Judge, database: Database) -> None:
    await write(database, *(read(judge, f"p{n}", text, n) for n, text in enumerate(UNLIKE)))
    async with database.read() as connection:
        found = (await claims.page(connection, parse_filters({}))).items
    assert len(found) == len(UNLIKE)
    assert len({one.claim for one in found}) == len(UNLIKE)


def test_the_stored_sentence_of_an_unknown_claim_holds_none_of_its_words(judge: Judge) -> None:
    first, second = (judge.judge("1", text).claims[0].claim for text in (SAME[0][0], UNLIKE[1]))
    assert first != second
    assert "motion" not in first
    assert "flying" not in second


@pytest.mark.parametrize("text", ["、", "d'urto", "not", "can", "3 of 5", "%", "ok so"])
def test_crumbs_make_no_claim(text: str) -> None:
    assert not says_something(fold(text).text)


@pytest.mark.parametrize("text", ["stops hiccups", "혈당이 뚝 떨어져요", "しゃっくりが止まる", "يوقف الفواق"])
def test_a_few_words_may_make_one(text: str) -> None:
    assert says_something(fold(text).text)
