"""What people say of claims holds: states, merges and splits, also for what is heard or read again later."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from sqlalchemy import text as sql

from monitor.ids import claim_id_of
from monitor.store import Database, alerts, claims, mentions, parse_filters, reviews
from monitor.store.detail import find as detail_of
from monitor.store.judged import Judged
from monitor.store.reviews import ReviewError
from monitor.times import now_ms
from monitor.words import Claim, Mention
from tests.samples import judged, occurrence, write

APPROVED, CLEARED = claim_id_of("approved"), claim_id_of("cleared")
LAW = "Great: FDA approved exosomes"
DESK = "The FDA cleared exosomes"


def approved(key: str, author: str = "x", **more: object) -> Judged:
    return judged(key, LAW, occurrence(LAW, "FDA approved", "approved", **more), author=author)


def cleared(key: str, author: str = "y", **more: object) -> Judged:
    return judged(key, DESK, occurrence(DESK, "FDA cleared", "cleared", **more), author=author, platform="tiktok")


async def claim_of(database: Database, claim_id: str) -> Claim:
    async with database.read() as connection:
        found = await claims.find(connection, claim_id)
    assert found is not None
    return found


async def mention_of(database: Database, name: str) -> Mention:
    async with database.read() as connection:
        found = await mentions.find(connection, name)
    assert found is not None
    return found


async def listed(database: Database) -> set[str]:
    async with database.read() as connection:
        return {one.id for one in (await claims.page(connection, parse_filters({}))).items}


async def test_confirm_dismiss_and_reopen_are_kept_as_history(database: Database) -> None:
    await write(database, approved("a"))
    for action, note in (("confirm", "seen it"), ("dismiss", None), ("reopen", "on second thoughts")):
        async with database.write() as connection:
            await reviews.judge(connection, APPROVED, action, "ann", note)  # type: ignore[arg-type]
    assert (await claim_of(database, APPROVED)).state == "open"
    async with database.read() as connection:
        history = await reviews.history(connection, APPROVED)
    assert [(one.action, one.reviewer, one.note) for one in history] == [
        ("confirm", "ann", "seen it"),
        ("dismiss", "ann", None),
        ("reopen", "ann", "on second thoughts"),
    ]


async def test_a_mute_ends_by_itself_and_leaves_the_state_before(database: Database) -> None:
    await write(database, approved("a"))
    async with database.write() as connection:
        await reviews.judge(connection, APPROVED, "confirm", "ann")
        await reviews.judge(connection, APPROVED, "mute", "ann", until_ms=now_ms() + 60_000)
    assert (await claim_of(database, APPROVED)).state == "muted"
    async with database.write() as connection:
        with pytest.raises(ReviewError, match="ends in the future"):
            await reviews.judge(connection, APPROVED, "mute", "ann", until_ms=now_ms() - 1)
        await reviews.judge(connection, APPROVED, "unmute", "ann")
    assert (await claim_of(database, APPROVED)).state == "confirmed"


async def test_a_merged_claim_is_gone_and_all_of_it_is_under_the_other(database: Database) -> None:
    await write(database, approved("a"), cleared("b"), cleared("c", author="z"))
    async with database.write() as connection:
        assert await reviews.merge(connection, CLEARED, APPROVED, "ann", "one paper") == APPROVED
    assert await listed(database) == {APPROVED}
    one = await claim_of(database, CLEARED)  # its id still finds what it is now
    assert (one.id, one.mentions, one.authors, one.platforms) == (APPROVED, 3, 3, {"reddit": 1, "tiktok": 2})
    (found,) = (await mention_of(database, "tiktok:b")).claims
    assert (found.claim_id, found.claim, found.quote) == (APPROVED, one.claim, "FDA cleared")
    assert "by a review" in found.why
    async with database.read() as connection:
        detail = await detail_of(connection, CLEARED, parse_filters({}))
        told = (await alerts.page(connection, parse_filters({}))).items
    assert detail is not None
    assert {place.platform_id for place in detail.occurrences.items} == {"a", "b", "c"}
    assert {alert.claim_id for alert in told} == {APPROVED}


async def test_what_is_heard_after_a_merge_joins_it_and_raises_nothing_anew(database: Database) -> None:
    await write(database, approved("a"), cleared("b"))
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
    result = await write(database, cleared("later", author="new"))
    assert result.alerts == {}
    one = await claim_of(database, APPROVED)
    assert (one.mentions, one.authors, await listed(database)) == (3, 3, {APPROVED})


async def test_a_merge_takes_the_verdict_of_the_claim_that_stays(database: Database) -> None:
    await write(database, approved("a"), cleared("b", verdict="supported", verdicts={"US": "supported"}))
    assert not (await mention_of(database, "tiktok:b")).alert
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
    one = await mention_of(database, "tiktok:b")
    assert (one.alert, one.claims[0].verdict, one.claims[0].verdicts) == (True, "contradicted", {"US": "contradicted"})
    async with database.read() as connection:
        found = await mentions.page(
            connection, parse_filters({"text": ["cleared"], "verdict": ["contradicted"], "claim": [APPROVED]})
        )
        by_its_old_id = await mentions.page(connection, parse_filters({"text": ["cleared"], "claim": [CLEARED]}))
        told = await alerts.page(connection, parse_filters({"claim": [CLEARED]}))
    assert [one.platform_id for one in found.items] == ["b"]
    assert by_its_old_id.items == found.items
    assert [one.claim_id for one in told.items] == [APPROVED]


async def test_merges_chain(database: Database) -> None:
    pill = "exosome pills exist"
    await write(database, approved("a"), cleared("b"), judged("p", pill, occurrence(pill, "pills exist", "pills")))
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
        await reviews.merge(connection, CLEARED, claim_id_of("pills"), "ann")
    assert await listed(database) == {claim_id_of("pills")}
    for old in (APPROVED, CLEARED):
        assert (await claim_of(database, old)).mentions == 3
    async with database.write() as connection:
        with pytest.raises(ReviewError, match="one claim already"):
            await reviews.merge(connection, APPROVED, CLEARED, "ann")


async def test_a_split_makes_a_claim_of_its_own_of_some_mentions(database: Database) -> None:
    await write(database, approved("a"), approved("b", author="other"), approved("c", author="x"))
    async with database.write() as connection:
        new = await reviews.split(connection, APPROVED, ["reddit:b"], "A filter needle is FDA approved.", "ann")
    own, old = await claim_of(database, new), await claim_of(database, APPROVED)
    assert (own.claim, own.verdict, own.basis, own.mentions, own.authors) == (
        "A filter needle is FDA approved.",
        "unsupported",
        "burden of proof",
        1,
        1,
    )
    assert (old.mentions, old.authors) == (2, 1)
    (found,) = (await mention_of(database, "reddit:b")).claims
    assert (found.claim_id, found.verdict, found.basis) == (new, "unsupported", "burden of proof")
    assert "no register entry" in found.why


async def test_a_split_holds_when_its_mention_is_read_again(database: Database) -> None:
    await write(database, approved("a"), approved("b"))
    async with database.write() as connection:
        new = await reviews.split(connection, APPROVED, ["reddit:b"], "A filter needle is FDA approved.", "ann")
    edited = LAW + " (edited)"
    again = judged("b", edited, occurrence(edited, "FDA approved", "approved"), hours_ago=0.5)
    assert (await write(database, again)).edited
    assert [one.claim_id for one in (await mention_of(database, "reddit:b")).claims] == [new]
    assert ((await claim_of(database, new)).mentions, (await claim_of(database, APPROVED)).mentions) == (1, 1)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["reddit:nowhere"], "does not carry this claim"),
        (["reddit:a", "reddit:b"], "leave at least one"),
        ([], "name at least one mention"),
    ],
)
async def test_a_split_that_makes_no_sense_is_refused(database: Database, names: list[str], said: str) -> None:
    await write(database, approved("a"), approved("b"))
    async with database.write() as connection:
        with pytest.raises(ReviewError, match=said):
            await reviews.split(connection, APPROVED, names, "A filter needle is FDA approved.", "ann")


async def test_a_claim_that_is_not_there_is_named(database: Database) -> None:
    async with database.write() as connection:
        with pytest.raises(ReviewError, match="there is no claim c_nowhere"):
            await reviews.judge(connection, "c_nowhere", "confirm", "ann")


async def until_one_waits(database: Database) -> None:
    """Until a transaction waits for another one's lock (PostgreSQL)."""
    waiting = sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")

    async def waits() -> bool:
        async with database.read() as connection:  # a transaction of its own: within one, PostgreSQL shows the same for ever
            return bool((await connection.execute(waiting)).scalar())

    async with asyncio.timeout(60):
        while not await waits():
            await asyncio.sleep(0.01)


async def test_what_is_written_while_a_merge_is_under_way_joins_it_too(database: Database) -> None:
    await write(database, approved("a"), cleared("b"))
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
        writing = asyncio.create_task(write(database, cleared("meanwhile", author="new")))
        if database.dialect == "postgresql":  # SQLite lets one in after the other
            await until_one_waits(database)
    await writing
    assert [one.claim_id for one in (await mention_of(database, "tiktok:meanwhile")).claims] == [APPROVED]
    one = await claim_of(database, APPROVED)
    assert (one.mentions, one.authors) == (3, 3)


async def test_two_merges_towards_each_other_end_as_one(database: Database) -> None:
    await write(database, approved("a"), cleared("b"))

    async def back() -> None:
        async with database.write() as connection:
            await reviews.merge(connection, APPROVED, CLEARED, "bob")

    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
        other = asyncio.create_task(back())
        if database.dialect == "postgresql":
            await until_one_waits(database)
    with pytest.raises(ReviewError, match="one claim already"):
        await other
    assert await listed(database) == {APPROVED}
    assert (await claim_of(database, CLEARED)).mentions == 2


async def test_a_mention_that_was_put_back_is_not_said_to_be_moved(database: Database) -> None:
    await write(database, approved("a"), approved("b"))
    async with database.write() as connection:
        new = await reviews.split(connection, APPROVED, ["reddit:b"], "A filter needle is FDA approved.", "ann")
        await reviews.merge(connection, new, APPROVED, "ann", "on second thoughts")
    (found,) = (await mention_of(database, "reddit:b")).claims
    assert (found.claim_id, "by a review" in found.why) == (APPROVED, False)
    edited = LAW + " (edited)"
    await write(database, judged("b", edited, occurrence(edited, "FDA approved", "approved"), hours_ago=0.5))
    assert [one.claim_id for one in (await mention_of(database, "reddit:b")).claims] == [APPROVED]


async def test_a_likely_find_stays_a_likely_one_after_a_merge_and_is_sure_once_a_person_put_it_somewhere(
    database: Database,
) -> None:
    def likely(key: str) -> Judged:
        one = cleared(key)
        return replace(one, origins=tuple(replace(origin, sure=False) for origin in one.origins))

    await write(database, approved("a"), likely("b"), likely("c"))
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
        await reviews.split(connection, APPROVED, ["tiktok:c"], "A filter needle is FDA approved.", "ann")
    await write(database, likely("later"))
    maybe = {}
    for key in ("b", "c", "later"):
        (found,) = (await mention_of(database, f"tiktok:{key}")).claims
        maybe[key] = "as the likeliest" in found.why
    assert maybe == {"b": True, "c": False, "later": True}
