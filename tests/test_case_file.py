"""The case file of a claim in more posts than it lists: the first and the newest are in it, and what is not is counted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from monitor.ids import claim_id_of, stored_id
from monitor.store import Database, case, erase, mentions
from monitor.times import now_ms
from tests.api_server import Api, serving
from tests.samples import HOUR_MS, judged, occurrence, write

CLAIM = claim_id_of("approved")
TEXT = "Great: FDA approved exosomes"
POSTS = case.FIRST + case.NEWEST + 30  # of each of three hours; heard in the order of their numbers
CAUGHT_UP = case.FIRST + 10  # heard in the middle, and posted before all others


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a claim in POSTS posts that put it forward, and three that do not; the second heard was deleted."""
    said = occurrence(TEXT, "FDA approved", "approved")
    denied = occurrence(TEXT, "FDA approved", "approved", stance="denies")
    batch = [
        judged(f"post{n:04}", TEXT, said, n=n, hours_ago=2, created_at=now_ms() - (90 if n == CAUGHT_UP else 3) * HOUR_MS)
        for n in range(POSTS)
    ]
    batch += [judged(f"denial{n}", TEXT, denied, n=n, hours_ago=1) for n in range(3)]
    for start in range(0, len(batch), 100):
        await write(database, *batch[start : start + 100])
    async with database.write() as connection:
        number = stored_id("m", (await mentions.find(connection, "reddit:post0001")).id)  # type: ignore[union-attr]
        assert number is not None
        await erase.erase(connection, [number])
    async with serving(database, redis_url) as api:
        yield api


async def test_the_first_posting_is_in_the_file_however_many_follow(api: Api) -> None:
    page = await api.page(f"/claims/{CLAIM}/case")
    listed = re.findall(r'href="https://example\.org/(post\d+)"', page)
    first = ["post0000", *(f"post{n:04}" for n in range(2, case.FIRST + 1))]
    assert listed == [*first, f"post{CAUGHT_UP:04}", *(f"post{n:04}" for n in range(POSTS - case.NEWEST, POSTS))]
    # 1 of POSTS was deleted, and one of those between is listed.
    between = POSTS - 1 - case.FIRST - 1 - case.NEWEST
    assert f"It is put forward by {POSTS - 1} posts." in page
    assert f"{between} posts lie between" in page
    assert f"after {between} posts more" in page
    assert "1 place is left out: the post was deleted" in page
    assert "3 places are left out, where the claim is denied" in page


async def test_a_file_that_holds_all_of_them_speaks_of_no_others(api: Api) -> None:
    half = POSTS // 2  # one post was deleted, so two halves hold one more than there are
    async with api.database.read() as connection:
        whole = await case.told(connection, CLAIM, first=half, newest=half)
        parted = await case.told(connection, CLAIM, first=half, newest=half - 2)
    assert (len(whole.first), whole.newest, whole.between) == (POSTS - 1, [], 0)
    assert (len(parted.first), len(parted.newest), parted.between) == (half, half - 2, 1)
