"""Alerts as work: open, in somebody's hands, done; and the glances that the pages take at the record."""

from __future__ import annotations

import pytest

from monitor.ids import claim_id_of, stored_id
from monitor.store import Database, inbox, overview, parse_filters, reviews
from monitor.store.inbox import InboxError, Task
from monitor.times import now_ms
from tests.samples import HOUR_MS, judged, occurrence, write, write_some

APPROVED, SAFE = claim_id_of("approved"), claim_id_of("safe")
DAY_MS = 24 * HOUR_MS


async def tasks(database: Database, **wanted: list[str]) -> list[Task]:
    async with database.read() as connection:
        return (await inbox.page(connection, parse_filters(wanted, "alerts"))).items


async def handle(database: Database, claim_id: str, action: inbox.Handling, by: str, **more: str) -> Task | None:
    (task,) = [one for one in await tasks(database) if one.claim_id == claim_id]
    number = stored_id("a", task.id)
    assert number is not None
    async with database.write() as connection:
        return await inbox.handle(connection, number, action, by, **more)


async def test_an_alert_is_open_and_nobodys_until_somebody_says_otherwise(database: Database) -> None:
    await write_some(database)
    assert [(one.state, one.assignee, one.handled) for one in await tasks(database)] == [("open", None, ())] * 2
    await handle(database, APPROVED, "assign", "ann", assignee="ben", note="you know them")
    await handle(database, SAFE, "done", "ann")
    assert [one.claim_id for one in await tasks(database, state=["open"])] == [APPROVED]
    assert [one.claim_id for one in await tasks(database, state=["done"])] == [SAFE]
    assert [one.claim_id for one in await tasks(database, assignee=["ben"])] == [APPROVED]
    assert [one.claim_id for one in await tasks(database, assignee=["nobody"])] == [SAFE]
    assert [one.claim_id for one in await tasks(database, kind=["safety.signal"])] == []
    async with database.read() as connection:
        assert await inbox.count_open(connection) == 1
        assert await inbox.people(connection) == ["ben"]
        assert len(await inbox.open_of_claim(connection, APPROVED)) == 1
        assert await inbox.open_of_claim(connection, SAFE) == []
    await handle(database, APPROVED, "release", "ben")
    task = await handle(database, SAFE, "reopen", "zoe")
    assert task is not None
    assert [(one.action, one.reviewer) for one in task.handled] == [("done", "ann"), ("reopen", "zoe")]
    (approved,) = [one for one in await tasks(database) if one.claim_id == APPROVED]
    assert (approved.assignee, approved.state) == (None, "open")
    assert [(one.action, one.assignee, one.note) for one in approved.handled] == [
        ("assign", "ben", "you know them"),
        ("release", None, None),
    ]


async def test_what_makes_no_sense_is_refused_and_changes_nothing(database: Database) -> None:
    await write_some(database)
    for more in ({"assignee": ""}, {"assignee": "x" * 101}, {"assignee": "ben", "note": "x" * 2_001}):
        with pytest.raises(InboxError):
            await handle(database, SAFE, "assign", "ann", **more)
    with pytest.raises(InboxError):
        await handle(database, SAFE, "done", " \u202e ")
    async with database.write() as connection:
        assert await inbox.handle(connection, 5, "done", "ann") is None
    assert all(one.handled == () and one.state == "open" for one in await tasks(database))


async def test_a_note_alone_is_a_review_and_needs_words(database: Database) -> None:
    await write_some(database)
    async with database.write() as connection:
        assert await reviews.judge(connection, SAFE, "note", "ann", "asked the clinic") == SAFE
    with pytest.raises(reviews.ReviewError, match="needs words"):
        async with database.write() as connection:
            await reviews.judge(connection, SAFE, "note", "ann")
    async with database.read() as connection:
        (said,) = await reviews.history(connection, SAFE)
    assert (said.action, said.note) == ("note", "asked the clinic")


async def test_counts_by_day_and_courses_hold_each_claim_once_a_day(database: Database) -> None:
    await write_some(database)
    text = "again: they are 100% safe, 100% safe"
    twice = [occurrence(text, "100% safe", "safe", type="safety"), occurrence(text, "they are 100% safe", "safe", type="safety")]
    await write(database, judged("e", text, *twice, hours_ago=30, n=1))
    today = overview.day_of(now_ms())
    async with database.read() as connection:
        days = await overview.days(connection, today - 3, today)
        courses = await overview.courses(connection, [APPROVED, SAFE, "c_none"], today - 3, today)
        mentions, claims = await overview.heard_since(connection, now_ms() - DAY_MS)
        platforms = await overview.platforms(connection)
    assert [one.day for one in days] == list(range(today - 3, today + 1))
    assert sum(one.mentions for one in days) == 5
    assert sum(one.by_type.get("safety", 0) for one in days) == 2
    assert all(one.claims == sum(one.by_type.values()) for one in days)
    assert {name: sum(course) for name, course in courses.items()} == {APPROVED: 2, SAFE: 2, "c_none": 0}
    assert (mentions, claims) == (3, 2)
    assert platforms == ["reddit", "tiktok"]


async def test_spreading_is_by_distinct_authors_of_late_and_leaves_out_what_was_dismissed(database: Database) -> None:
    text = "they are 100% safe and FDA approved"
    for n, author in enumerate(("x", "x", "y", "z")):
        found = [occurrence(text, "100% safe", "safe", verdict="unsupported")]
        if n < 3:
            found.append(occurrence(text, "FDA approved", "approved"))
        await write(database, judged(f"k{n}", text, *found, author=author, n=n))
    await write(database, judged("old", text, occurrence(text, "FDA approved", "approved"), author="w", hours_ago=72))
    await write(database, judged("deny", text, occurrence(text, "100% safe", "safe", stance="denies"), author="v", n=9))
    since = now_ms() - 2 * DAY_MS
    async with database.read() as connection:
        found = await overview.spreading(connection, since, 5)
    assert [(one.claim.id, one.authors, one.mentions) for one in found] == [(SAFE, 3, 4), (APPROVED, 2, 3)]
    async with database.write() as connection:
        await reviews.judge(connection, SAFE, "dismiss", "ann")
        await reviews.judge(connection, APPROVED, "mute", "ann")
        assert await overview.spreading(connection, since, 5) == []
