"""Where a claim came from, by whom, over which platforms and in which words; also when its texts are gone."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete

from monitor.ids import claim_id_of
from monitor.store import Database, parse_filters, reviews
from monitor.store.detail import ClaimDetail, find
from monitor.store.judged import Judged
from monitor.store.tables import mention_text
from tests.samples import judged, occurrence, write

CLAIM = claim_id_of("approved")


def said(key: str, quote: str, hours_ago: float, *, stance: str = "asserts", language: str = "en", **more: object) -> Judged:
    text = f"Well: {quote}, they say"
    one = judged(key, text, occurrence(text, quote, "approved", stance=stance), hours_ago=hours_ago, **more)
    return msgspec.structs.replace(one, judgement=msgspec.structs.replace(one.judgement, language=language))


async def fill(database: Database) -> None:
    await write(
        database,
        said("q", "FDA approved", 100, stance="asks", author="ann", platform="news", source="press"),
        said("a", "FDA approved", 76, author="x"),
        said("b", "fda-approved!", 75, author="x"),
        said("c", "FDA Approved", 50, author="y", platform="tiktok", source="tag"),
        said("d", "es aprobado", 3, author="x", platform="tiktok", source="tag", language="es"),
        said("e", "not approved", 2, author="z", stance="denies"),
        said("f", "FDÁ approved", 1, author=None),
    )


async def detail(database: Database) -> ClaimDetail:
    async with database.read() as connection:
        found = await find(connection, CLAIM, parse_filters({}))
    assert found is not None
    return found


async def test_a_claim_is_followed_from_its_first_mention_over_platforms(database: Database) -> None:
    await fill(database)
    one = await detail(database)
    lineage = one.lineage
    assert lineage.first_seen is not None
    assert lineage.first_put_forward is not None
    first = lineage.first_seen
    assert (first.platform, first.source, first.author, first.url) == ("news", "press", "ann", "https://example.org/q")
    assert first.seen_at == one.first_seen
    assert lineage.first_put_forward.url == "https://example.org/a"
    assert [(step.platform, step.url) for step in lineage.path] == [
        ("news", "https://example.org/q"),
        ("reddit", "https://example.org/a"),
        ("tiktok", "https://example.org/c"),
    ]
    assert [step.seen_at for step in lineage.path] == sorted(step.seen_at for step in lineage.path)
    assert {place.mention_id for place in one.occurrences.items} >= {step.mention_id for step in lineage.path}
    assert lineage.languages == {"en": 6, "es": 1}


async def test_authors_are_those_who_put_it_forward(database: Database) -> None:
    await fill(database)
    one = await detail(database)
    assert (one.lineage.authors, one.lineage.authors_by_platform) == (3, {"tiktok": 2, "reddit": 1})
    assert one.authors == 3


async def test_days_count_mentions_what_is_put_forward_and_authors_so_far(database: Database) -> None:
    await fill(database)
    days = (await detail(database)).timeline
    assert sum(day.mentions for day in days) == 7
    assert sum(day.put_forward for day in days) == 5
    so_far = [day.authors for day in days]
    assert so_far == sorted(so_far)
    assert (so_far[0], so_far[-1]) == (0, 3)
    assert next(day.authors for day in days if day.put_forward) == 1, "one author twice is one author"


async def test_wordings_are_folded_counted_and_lead_to_their_first_mention(database: Database) -> None:
    await fill(database)
    one = await detail(database)
    variants = one.lineage.variants
    assert [(each.quote, each.occurrences) for each in variants.items] == [
        ("FDA approved", 5),
        ("es aprobado", 1),
        ("not approved", 1),
    ]
    assert one.lineage.first_seen is not None
    assert variants.items[0].first == one.lineage.first_seen.mention_id
    assert (variants.distinct, variants.read, variants.of) == (3, 7, 7)


async def test_without_texts_there_are_no_wordings_and_the_rest_stands(database: Database) -> None:
    await fill(database)
    whole = (await detail(database)).lineage
    async with database.write() as connection:
        await connection.execute(delete(mention_text))
    bare = (await detail(database)).lineage
    assert (bare.variants.items, bare.variants.read, bare.variants.of) == ([], 0, 7)
    assert msgspec.structs.replace(bare, variants=whole.variants) == whole


async def test_of_very_many_occurrences_the_newest_are_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.store.lineage.MAX_READ", 3)
    monkeypatch.setattr("monitor.store.lineage.MAX_VARIANTS", 2)
    await fill(database)
    variants = (await detail(database)).lineage.variants
    assert {each.quote for each in variants.items} < {"es aprobado", "not approved", "FDÁ approved"}
    assert (len(variants.items), variants.distinct, variants.read, variants.of) == (2, 3, 3, 7)


async def test_a_long_quote_is_cut_and_an_edit_takes_its_mention_out(database: Database) -> None:
    await write(database, said("a", "FDA " + "approved " * 100 + "x", 5), said("b", "approved", 4, platform="tiktok"))
    one = (await detail(database)).lineage
    assert sorted(len(each.quote) for each in one.variants.items) == [8, 300]
    await write(database, judged("a", "nothing of it any more", hours_ago=3))
    one = (await detail(database)).lineage
    assert [step.platform for step in one.path] == ["tiktok"]
    assert one.variants.of == 1


async def test_what_was_merged_in_is_part_of_it(database: Database) -> None:
    await fill(database)
    text = "The FDA cleared exosomes"
    await write(database, judged("m", text, occurrence(text, "FDA cleared", "cleared"), hours_ago=200, platform="youtube"))
    async with database.write() as connection:
        await reviews.merge(connection, claim_id_of("cleared"), CLAIM, "ann")
    lineage = (await detail(database)).lineage
    assert [step.platform for step in lineage.path] == ["youtube", "news", "reddit", "tiktok"]
    assert lineage.first_put_forward == lineage.path[0]


async def test_a_claim_that_nothing_carries_any_more_has_no_lineage(database: Database) -> None:
    await write(database, said("a", "FDA approved", 5))
    await write(database, judged("a", "nothing of it any more", hours_ago=3))
    one = await detail(database)
    lineage = one.lineage
    assert (lineage.first_seen, lineage.first_put_forward, lineage.path, one.timeline, one.watch) == (None, None, [], [], {})
