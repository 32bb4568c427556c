"""A merge that was a slip is taken back as a whole: what was heard of the claim before and since, its alerts, its authors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.ids import claim_id_of
from monitor.store import Database, alerts, claims, mentions, parse_filters, reviews
from monitor.store.reviewing import Reviewed, ReviewRequest, carry_out
from monitor.store.reviews import ReviewError
from monitor.store.tables import claim_author
from tests.samples import judged, occurrence, write
from tests.test_reviews import APPROVED, CLEARED, DESK, LAW, approved, claim_of, cleared, listed, mention_of

PILLS = claim_id_of("pills")
NEEDLE = "A filter needle is FDA approved."


async def unmerge(database: Database, claim_id: str) -> str:
    async with database.write() as connection:
        return await reviews.unmerge(connection, claim_id, "bob", "a slip")


async def merge(database: Database, claim_id: str, into: str) -> None:
    async with database.write() as connection:
        await reviews.merge(connection, claim_id, into, "ann")


async def record_of(database: Database) -> dict[str, Any]:
    """All that a merge touches: claims with their numbers, whose each mention is, authors, alerts, and what filters find."""
    async with database.read() as connection:
        found = {one.id: one for one in (await claims.page(connection, parse_filters({}))).items}
        heard = (await mentions.page(connection, parse_filters({}))).items
        told = {(one.id, one.claim_id) for one in (await alerts.page(connection, parse_filters({}))).items}
        authors = {tuple(row) for row in await connection.execute(select(claim_author))}
        by_text = {
            claim_id: [
                one.id for one in (await mentions.page(connection, parse_filters({"text": ["FDA"], "claim": [claim_id]}))).items
            ]
            for claim_id in found
        }
    carried = {one.platform_id: ([place.claim_id for place in one.claims], one.claims, one.alert) for one in heard}
    return {"claims": found, "carried": carried, "alerts": told, "authors": authors, "by_text": by_text}


async def test_a_merge_that_is_taken_back_leaves_the_record_as_if_it_had_not_been(database: Database) -> None:
    fine = {"verdict": "supported", "verdicts": {"US": "supported"}}
    both = judged("ab", f"{LAW}. {DESK}", occurrence(LAW, "FDA approved", "approved"), occurrence(DESK, "FDA cleared", "cleared"))
    await write(database, approved("a"), cleared("b", **fine), cleared("c", author="z", **fine), both)
    before = await record_of(database)
    await merge(database, CLEARED, APPROVED)
    assert (await record_of(database))["claims"].keys() == {APPROVED}
    assert await unmerge(database, CLEARED) == CLEARED
    assert await record_of(database) == before
    async with database.read() as connection:
        said = {one: await reviews.history(connection, one) for one in (APPROVED, CLEARED)}
    assert [(one.action, one.detail) for one in said[CLEARED]] == [
        ("merge", {"into": APPROVED}),
        ("unmerge", {"from": APPROVED}),
    ]
    assert [(one.action, one.detail, one.note) for one in said[APPROVED]] == [
        ("merge", {"from": CLEARED}, None),
        ("unmerge", {"into": CLEARED}, "a slip"),
    ]


async def test_what_was_heard_meanwhile_goes_to_the_claim_that_it_was_read_as(database: Database) -> None:
    await write(database, approved("a"), cleared("b"))
    await merge(database, CLEARED, APPROVED)
    await write(database, cleared("later", author="new"), approved("too", author="more"))
    edited = DESK + ", they say"
    await write(database, judged("b", edited, occurrence(edited, "FDA cleared", "cleared"), platform="tiktok", hours_ago=0.5))
    assert [one.claim_id for one in (await mention_of(database, "tiktok:b")).claims] == [APPROVED]
    await unmerge(database, CLEARED)
    for key, claim_id in (("tiktok:b", CLEARED), ("tiktok:later", CLEARED), ("reddit:too", APPROVED)):
        assert [one.claim_id for one in (await mention_of(database, key)).claims] == [claim_id], key
    one, other = await claim_of(database, CLEARED), await claim_of(database, APPROVED)
    assert ((one.mentions, one.authors), (other.mentions, other.authors)) == ((2, 2), (2, 2))
    again = edited + " again"
    await write(database, judged("b", again, occurrence(again, "FDA cleared", "cleared"), platform="tiktok", hours_ago=0.4))
    await write(database, cleared("last"))
    for key in ("tiktok:b", "tiktok:last"):
        assert [one.claim_id for one in (await mention_of(database, key)).claims] == [CLEARED]
    assert "by a review" not in (await mention_of(database, "tiktok:b")).claims[0].why


async def test_nothing_that_was_told_is_told_again_and_what_was_not_may_be(database: Database) -> None:
    quiet = cleared("b", confidence=0.4)
    await write(database, approved("a"), replace(quiet, alerts=()))  # too doubtful to be told
    await merge(database, CLEARED, APPROVED)
    assert (await write(database, cleared("c"))).alerts == {}
    await unmerge(database, CLEARED)
    assert len((await write(database, approved("d"), cleared("e"))).alerts) == 1
    async with database.read() as connection:
        told = (await alerts.page(connection, parse_filters({}))).items
    assert [(one.kind, one.claim_id) for one in told] == [("claim.new", CLEARED), ("claim.new", APPROVED)]


async def test_a_claim_takes_along_what_was_merged_into_it_before_and_nothing_else(database: Database) -> None:
    pill = "exosome pills exist"
    await write(database, approved("a"), cleared("b"), judged("p", pill, occurrence(pill, "pills exist", "pills")))
    await merge(database, CLEARED, APPROVED)
    await merge(database, APPROVED, PILLS)
    assert await unmerge(database, APPROVED) == APPROVED
    assert await listed(database) == {APPROVED, PILLS}
    assert ((await claim_of(database, CLEARED)).id, (await claim_of(database, APPROVED)).mentions) == (APPROVED, 2)
    await merge(database, APPROVED, PILLS)
    await unmerge(database, CLEARED)
    assert await listed(database) == {CLEARED, PILLS}
    assert {one: (await claim_of(database, one)).mentions for one in (CLEARED, PILLS)} == {CLEARED: 1, PILLS: 2}
    await unmerge(database, APPROVED)
    assert await listed(database) == {APPROVED, CLEARED, PILLS}


async def test_a_split_that_was_merged_back_by_a_slip_is_as_it_was(database: Database) -> None:
    await write(database, approved("a"), approved("b", author="other"))
    async with database.write() as connection:
        new = await reviews.split(connection, APPROVED, ["reddit:b"], NEEDLE, "ann")
    before = await record_of(database)
    await merge(database, new, APPROVED)
    assert (await claim_of(database, APPROVED)).mentions == 2
    await unmerge(database, new)
    assert await record_of(database) == before
    edited = LAW + " (edited)"
    await write(database, judged("b", edited, occurrence(edited, "FDA approved", "approved"), hours_ago=0.5))
    assert [one.claim_id for one in (await mention_of(database, "reddit:b")).claims] == [new]


async def test_a_claim_that_was_split_while_it_was_merged_keeps_what_was_split_off(database: Database) -> None:
    await write(database, approved("a"), cleared("b"), cleared("c", author="z"))
    await merge(database, CLEARED, APPROVED)
    async with database.write() as connection:
        new = await reviews.split(connection, APPROVED, ["tiktok:b"], NEEDLE, "ann")
    await unmerge(database, CLEARED)
    assert [one.claim_id for one in (await mention_of(database, "tiktok:b")).claims] == [new]
    assert {one: (await claim_of(database, one)).mentions for one in (APPROVED, CLEARED, new)} == {
        APPROVED: 1,
        CLEARED: 1,
        new: 1,
    }


async def test_a_claim_that_is_not_merged_is_named_and_so_is_the_one_that_was(database: Database) -> None:
    await write(database, approved("a"), cleared("b"))
    with pytest.raises(ReviewError, match="nothing was merged into it"):
        await unmerge(database, APPROVED)
    await merge(database, CLEARED, APPROVED)
    with pytest.raises(ReviewError, match=CLEARED):
        await unmerge(database, APPROVED)
    with pytest.raises(ReviewError, match="there is no claim c_none"):
        await unmerge(database, "c_none")
    with pytest.raises(ReviewError, match="no claim has an id like that"):
        await unmerge(database, "c\x00")


async def reviewed(database: Database, claim_id: str, **asked: Any) -> Reviewed:
    authorities = {"approved": "US", "ema": "EU"}
    async with database.write() as connection:
        return await carry_out(connection, claim_id, ReviewRequest(**asked), "ann", None, authorities)


async def test_a_merge_of_claims_that_differ_warns_and_one_of_equals_does_not(database: Database) -> None:
    def numbered(key: str, identity: str, proposition: str, number: str | None, entry: str | None) -> Any:
        one = judged(key, LAW, occurrence(LAW, "FDA approved", identity))
        origins = tuple(replace(origin, proposition=proposition, number=number, entry=entry) for origin in one.origins)
        return replace(one, origins=origins)

    await write(
        database,
        numbered("a", "approved", "approved", None, "E1"),
        numbered("b", "ema", "ema", None, "E1"),
        numbered("c", "up-30", "up", "30", None),
        numbered("d", "up-90", "up", "90", None),
        numbered("e", "same", "approved", None, "E1"),
    )
    warned = json.loads(json.dumps((await reviewed(database, claim_id_of("ema"), action="merge", into=APPROVED)).warning))
    assert "authority (EU and US)" in warned
    assert f"exowatch claim {claim_id_of('ema')} unmerge" in warned
    assert "register entry" not in warned
    other = str((await reviewed(database, claim_id_of("up-30"), action="merge", into=claim_id_of("up-90"))).warning)
    assert "differ in number (30 and 90);" in other
    entry = str((await reviewed(database, claim_id_of("up-30"), action="merge", into=APPROVED)).warning)
    assert "number (90 and none) and authority (none and US) and register entry (none and E1)" in entry
    same = await reviewed(database, claim_id_of("same"), action="merge", into=APPROVED)
    assert not same.warning
