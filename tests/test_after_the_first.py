"""What is told of a claim after it was new: spreading, back after a quiet time, harm; and never a word of what was dismissed."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from monitor.ids import claim_id_of, stored_id
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.store import Database, alerts, claims, deliveries, parse_filters, reviews
from monitor.store.judged import Judged
from tests.api_server import ENDPOINT
from tests.samples import asking, judged, occurrence, write
from workers.alert import drafts

TEXT = "Great: FDA approved exosomes"
CLAIM = claim_id_of("approved")
RULES = Alerts(spreading=[3, 5], resurfaced_after=10 * 3600.0)


def said(key: str, *, author: str, hours_ago: float = 1.0, fresh: bool = True, **more: Any) -> Judged:
    """A post that puts the claim forward, with what the workers ask to be raised for it."""
    one = judged(key, TEXT, occurrence(TEXT, "FDA approved", "approved", **more), hours_ago=hours_ago, author=author, fresh=fresh)
    return with_drafts(one)


def with_drafts(one: Judged) -> Judged:
    return asking(one, partial(drafts, post=one.post, alerts=RULES, endpoints=()))


async def kinds(database: Database) -> list[str]:
    """The kinds of all alerts, the first raised first."""
    async with database.read() as connection:
        return [one.kind for one in (await alerts.page(connection, parse_filters({}))).items][::-1]


async def test_a_claim_spreads_once_at_each_number_of_distinct_authors(database: Database) -> None:
    for n, author in enumerate("aabcdef"):
        await write(database, said(f"p{n}", author=author, hours_ago=2 - n / 100))
    assert await kinds(database) == ["claim.new", "claim.spreading", "claim.spreading"]
    async with database.read() as connection:
        (second, first, _) = (await alerts.page(connection, parse_filters({}))).items
    assert ("3 authors" in first.summary, "5 authors" in second.summary) == (True, True)


async def test_denials_and_the_same_author_do_not_spread_it(database: Database) -> None:
    for n in range(4):
        await write(database, said(f"p{n}", author="a"), said(f"d{n}", author=f"d{n}", stance="denies"))
    assert await kinds(database) == ["claim.new"]


async def test_one_batch_may_pass_several_steps(database: Database) -> None:
    await write(database, *(said(f"p{n}", author=f"a{n}", hours_ago=2 - n / 100) for n in range(6)))
    assert sorted(await kinds(database)) == ["claim.new", "claim.spreading", "claim.spreading"]


async def test_a_claim_that_returns_after_the_quiet_time_is_told_once_for_each_return(database: Database) -> None:
    for n, hours_ago in enumerate((30.0, 25.0, 12.0, 11.9, 1.0)):
        await write(database, said(f"p{n}", author="a", hours_ago=hours_ago))
    assert await kinds(database) == ["claim.new", "claim.resurfaced", "claim.resurfaced"]


async def test_old_posts_from_a_catch_up_neither_return_nor_end_the_quiet(database: Database) -> None:
    await write(database, said("a", author="a", hours_ago=30))
    await write(database, said("b", author="a", hours_ago=12, fresh=False))
    assert await kinds(database) == ["claim.new"]
    await write(database, said("c", author="a", hours_ago=1))
    assert await kinds(database) == ["claim.new", "claim.resurfaced"]


async def test_a_post_that_comes_twice_tells_nothing_twice(database: Database) -> None:
    posts = [said(f"p{n}", author=f"a{n}", hours_ago=hours) for n, hours in enumerate((40, 39, 38, 2))]
    await write(database, *posts)
    for one in posts:
        await write(database, one)
    assert sorted(await kinds(database)) == ["claim.new", "claim.resurfaced", "claim.spreading"]


async def test_harm_is_told_once_a_post_without_any_claim(database: Database) -> None:
    text = "my face swelled up after exosomes"
    one = judged("h", text)
    harm = replace(one, judgement=replace(one.judgement, adverse_event=True))
    await write(database, with_drafts(harm))
    await write(database, with_drafts(harm))
    assert await kinds(database) == ["safety.signal"]


async def test_a_dismissed_claim_raises_nothing_until_it_is_reopened(database: Database) -> None:
    await write(database, said("a", author="a"))
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "dismiss", "ann", "a joke")
    await write(database, *(said(f"p{n}", author=f"b{n}") for n in range(3)))
    assert await kinds(database) == ["claim.new"]
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "reopen", "ann")
    await write(database, said("z", author="z"))
    assert await kinds(database) == ["claim.new", "claim.spreading", "claim.spreading"]


async def test_a_post_that_was_put_under_another_claim_asks_for_the_alerts_of_that_one(database: Database) -> None:
    """Not for those of the claim that it was read as, whose verdict and type are others."""
    text = "The FDA cleared exosomes"
    endpoints = [Endpoint(**ENDPOINT | {"name": "contradicted", "verdicts": ["contradicted"], "types": ["regulatory_status"]})]

    def cleared(key: str, verdict: str, author: str) -> Judged:
        found = occurrence(text, "FDA cleared", "cleared", type="safety", verdict=verdict, verdicts={"US": verdict})
        one = judged(key, text, found, author=author)
        return asking(one, partial(drafts, post=one.post, alerts=RULES, endpoints=endpoints))

    await write(database, said("denied", author="z", stance="denies"), cleared("fine", "supported", "a"))
    async with database.write() as connection:
        await reviews.merge(connection, claim_id_of("cleared"), CLAIM, "ann")
    await write(database, cleared("b", "supported", "b"), cleared("c", "unsupported", "c"))
    async with database.read() as connection:
        told = (await alerts.page(connection, parse_filters({}))).items[::-1]
        sent = await deliveries.of_alerts(connection, [stored_id("a", one.id) or 0 for one in told])
    assert [one.summary.rpartition(":")[0] for one in told] == [
        "New contradicted claim on reddit",
        "Contradicted claim of 3 authors",
    ]
    assert {(one.alert_id, one.endpoint) for one in sent} == {(one.id, "contradicted") for one in told}


async def test_a_muted_claim_is_silent_while_it_is_muted(database: Database) -> None:
    await write(database, said("q", author="q", stance="asks"))
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "mute", "ann")
    await write(database, said("a", author="a"))
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
    assert (claim.state, await kinds(database)) == ("muted", [])
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "unmute", "ann")
    await write(database, said("b", author="b"))
    assert await kinds(database) == ["claim.new"]


async def test_a_claim_whose_first_mention_was_split_off_has_been_told_and_can_come_back(database: Database) -> None:
    await write(database, said("a", author="a", hours_ago=40))
    await write(database, said("b", author="b", hours_ago=39))
    async with database.write() as connection:
        await reviews.split(connection, CLAIM, ["reddit:a"], "A filter needle is FDA approved.", "ann")
    await write(database, said("c", author="b", hours_ago=38))
    assert await kinds(database) == ["claim.new"]
    await write(database, said("d", author="b", hours_ago=1))
    assert await kinds(database) == ["claim.new", "claim.resurfaced"]
