"""The record: what is written once stays once, and is found again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.ids import claim_id_of
from monitor.settings import Settings
from monitor.store import Database, FilterError, StoreError, alerts, claims, mentions, outbox, parse_filters, record
from monitor.store.budgets import Recipient
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft
from monitor.store.tables import claim_author
from monitor.times import now_ms
from monitor.words import Evidence, Judgement, Occurrence, Post
from tests.postgres import Postgres
from tests.samples import occurrence, origins_of

NOW = 1_790_000_000_000


def post(key: str, text: str, **more: Any) -> Post:
    return Post(platform=more.pop("platform", "reddit"), id=key, text=text, source="s", **more)


def carries(text: str, quote: str, identity: str = "fda-approved", **more: Any) -> Occurrence:
    notice = Evidence(id="E1", citation="A notice", url="https://example.org")
    return occurrence(text, quote, identity, **({"claim": f"Claim {identity}.", "evidence": (notice,), "why": "because"} | more))


def judged(number: int, heard: Post, *found: Occurrence, endpoints: tuple[str, ...] = ("hook",)) -> Judged:
    judgement = Judgement(
        id=heard.id,
        relevant=True,
        language="en",
        adverse_event=False,
        alert=any(one.alerting for one in found),
        claims=found,
        classifier="c1",
        register="r1",
    )
    drafts = tuple(
        AlertDraft(
            kind="claim.new",
            dedupe_key=f"claim.new:{one.claim_id}",
            summary=one.claim,
            recipients=tuple(map(Recipient, endpoints)),
            occurrence=n,
        )
        for n, one in enumerate(found)
        if one.alerting
    )
    return Judged(
        number=(NOW + number) << 21,
        seen_ms=NOW + number,
        post=heard,
        judgement=judgement,
        origins=origins_of(found),
        alerts=drafts,
    )


async def write(database: Database, *batch: Judged) -> record.Recorded:
    async with database.write() as connection:
        return await record.record(connection, batch)


async def test_a_post_that_comes_twice_is_stored_and_alerted_once(database: Database) -> None:
    text = "Great news: FDA approved exosomes!"
    one = judged(1, post("a", text, author="x"), carries(text, "FDA approved"))
    first = await write(database, one)
    again = await write(database, one, judged(2, post("a", text, author="x"), carries(text, "FDA approved")))
    assert (len(first.stored), len(first.alerts)) == (1, 1)
    assert (again.stored, again.alerts, again.known) == ([], {}, 2)
    async with database.read() as connection:
        page = await mentions.page(connection, parse_filters({}))
        (claim,) = (await claims.page(connection, parse_filters({}))).items
    assert [m.platform_id for m in page.items] == ["a"]
    assert (claim.mentions, claim.authors, claim.platforms) == (1, 1, {"reddit": 1})
    assert claim.evidence[0].citation == "A notice"


async def test_two_posts_of_one_claim_raise_one_alert_and_count_both(database: Database) -> None:
    t1, t2 = "FDA approved!", "они: approved by the FDA 🎉"
    await write(database, judged(1, post("a", t1, author="x"), carries(t1, "FDA approved")))
    await write(database, judged(2, post("b", t2, author="y", platform="tiktok"), carries(t2, "approved by the FDA")))
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
        raised = await alerts.page(connection, parse_filters({}))
        second = await mentions.find(connection, "tiktok:b")
    assert (claim.mentions, claim.authors, claim.platforms) == (2, 2, {"reddit": 1, "tiktok": 1})
    assert [a.kind for a in raised.items] == ["claim.new"]
    assert second is not None
    assert second.claims[0].quote == "approved by the FDA"


async def test_writers_at_the_same_time_raise_one_alert(database: Database) -> None:
    text = "FDA approved"
    batches = [[judged(n * 100 + i, post(f"{n}-{i}", text), carries(text, text)) for i in range(20)] for n in range(8)]
    results = await asyncio.gather(*(write(database, *batch) for batch in batches))
    assert sum(len(result.alerts) for result in results) == 1
    assert sum(len(result.stored) for result in results) == 160
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
    assert claim.mentions == 160


async def test_an_edit_replaces_text_and_claims_and_an_older_text_does_not_come_back(database: Database) -> None:
    old, new = "FDA approved stuff", "cures arthritis stuff"
    await write(database, judged(1, post("a", old), carries(old, "FDA approved")))
    edit = judged(5, post("a", new), carries(new, "cures arthritis", "arthritis", type="disease_treatment"))
    result = await write(database, edit)
    assert len(result.edited) == 1
    late = "an older text that was delayed"
    assert (await write(database, judged(3, post("a", late)))).known == 1
    async with database.read() as connection:
        found = await mentions.find(connection, "reddit:a")
        counted = {claim.entry: claim.mentions for claim in (await claims.page(connection, parse_filters({}))).items}
        by_old_word = await mentions.page(connection, parse_filters({"text": ["approved"]}))
        by_new_word = await mentions.page(connection, parse_filters({"text": ["arthritis"]}))
    assert found is not None
    assert (found.text, found.state, found.claims[0].quote) == (new, "edited", "cures arthritis")
    assert counted == {"arthritis": 1, "fda-approved": 0}
    assert (len(by_old_word.items), len(by_new_word.items)) == (0, 1)


async def test_who_edits_a_claim_away_is_no_author_of_it_any_more_unless_they_say_it_elsewhere(database: Database) -> None:
    old, denied, new = "FDA approved stuff", "not FDA approved stuff", "plain stuff"
    both = [post("a", old, author="x"), post("b", old, author="x"), post("c", old, author="y"), post("d", old, author="z")]
    await write(database, *(judged(n, one, carries(old, "FDA approved")) for n, one in enumerate(both)))

    async def authors() -> tuple[int, int]:
        async with database.read() as connection:
            (claim,) = (await claims.page(connection, parse_filters({}))).items
            return claim.authors, len((await connection.execute(select(claim_author))).all())

    assert await authors() == (3, 3)
    await write(database, judged(10, post("a", new, author="x")), judged(11, post("c", new, author="y")))
    assert await authors() == (2, 2), "x says it elsewhere"
    await write(database, judged(12, post("d", denied, author="z"), carries(denied, "FDA approved", stance="denies")))
    assert await authors() == (1, 1)
    await write(database, judged(13, post("b", old + "!", author="x"), carries(old + "!", "FDA approved")))
    assert await authors() == (1, 1), "said in other words"
    await write(database, judged(14, post("b", new, author="x")))
    assert await authors() == (0, 0)


async def test_edits_on_two_platforms_that_take_a_claim_away_are_both_counted(database: Database) -> None:
    old, new = "FDA approved stuff", "plain stuff"
    on = ("reddit", "tiktok", "forum")
    await write(database, *(judged(n, post("a", old, platform=name), carries(old, "FDA approved")) for n, name in enumerate(on)))
    await write(database, *(judged(10 + n, post("a", new, platform=name)) for n, name in enumerate(on[:2])))
    async with database.read() as connection:
        (claim,) = (await claims.page(connection, parse_filters({}))).items
    assert (claim.mentions, claim.platforms) == (1, {"forum": 1})


async def test_a_post_whose_number_others_have_takes_the_next_free_one(database: Database) -> None:
    await write(database, *(replace(judged(1, post(name, "first")), number=(NOW << 21) + n) for n, name in enumerate("abc")))
    late = replace(judged(1, post("d", "a stream whose clock went back")), number=NOW << 21)
    assert len((await write(database, late)).stored) == 1
    assert (await write(database, late)).known == 1
    async with database.read() as connection:
        found = (await mentions.page(connection, parse_filters({}))).items
    assert sorted(one.platform_id for one in found) == ["a", "b", "c", "d"]


async def test_an_edit_in_the_same_batch_wins(database: Database) -> None:
    result = await write(database, judged(2, post("a", "second")), judged(1, post("a", "first")))
    async with database.read() as connection:
        found = await mentions.find(connection, "reddit:a")
    assert (len(result.stored), len(result.edited)) == (1, 1)
    assert found is not None
    assert found.text == "second"


def test_ids_made_in_a_burst_are_distinct_and_in_order() -> None:
    numbers = [outbox.new_number() for _ in range(20_000)]
    assert numbers == sorted(set(numbers))
    assert abs((numbers[-1] >> 21) - now_ms()) < 1000


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    text = "FDA approved"

    async def write_and_fail() -> None:
        async with database.write() as connection:
            await record.record(connection, [judged(1, post("a", text), carries(text, text))])
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        await write_and_fail()
    async with database.read() as connection:
        assert (await mentions.page(connection, parse_filters({}))).items == []
        assert (await alerts.page(connection, parse_filters({}))).items == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fda", ["a"]),
        ("FDA APPROVED", ["a"]),
        ('"fda approved"', ["a"]),
        ('"approved fda"', []),
        ("approv*", ["a"]),
        ("approv", []),
        ("cafe", ["b"]),
        ("엑소좀", ["c"]),
        ("좀", ["c"]),
        ("エクソソーム", ["d"]),
        ("療法", ["d"]),
        ("fda cafe", []),
        ("straße", ["b"]),
    ],
)
async def test_search_means_the_same_on_both_databases(database: Database, query: str, found: list[str]) -> None:
    texts = {
        "a": "It's FDA-approved now",
        "b": "Ein Café in der STRASSE",
        "c": "엑소좀은 최고예요",
        "d": "エクソソーム療法は最高",
    }
    await write(database, *(judged(n, post(key, text)) for n, (key, text) in enumerate(texts.items())))
    async with database.read() as connection:
        page = await mentions.page(connection, parse_filters({"text": [query]}))
    assert [m.platform_id for m in page.items] == found


@pytest.mark.parametrize("letter", ["x", "\u0436", "\U00010400"])
async def test_a_word_of_any_length_can_be_stored_and_is_found_by_its_beginning(database: Database, letter: str) -> None:
    result = await write(database, judged(1, post("a", f"so {letter * 50_000}")))
    async with database.read() as connection:
        page = await mentions.page(connection, parse_filters({"text": [f"{letter * 400}*"]}))
    assert len(result.stored) == 1
    assert [m.platform_id for m in page.items] == ["a"]


async def test_pages_follow_each_other_without_gap_or_overlap(database: Database) -> None:
    text = "FDA approved"
    batch = [judged(n, post(str(n), f"{text} {n}"), carries(text, text)) for n in range(25)]
    await write(database, *batch)
    for filters in ({}, {"type": ["regulatory_status"]}, {"text": ["approved"]}, {"text": ["fda"], "verdict": ["contradicted"]}):
        seen: list[str] = []
        cursor: list[str] = []
        while True:
            async with database.read() as connection:
                page = await mentions.page(connection, parse_filters({**filters, "limit": ["10"], "cursor": cursor}))
            seen += [m.platform_id for m in page.items]
            if page.next is None:
                break
            cursor = [page.next]
        assert seen == [str(n) for n in reversed(range(25))], filters


async def test_filters_of_one_kind_mean_or_and_different_kinds_and(database: Database) -> None:
    text = "FDA approved"
    await write(
        database,
        judged(1, post("a", text), carries(text, text)),
        judged(2, post("b", text, platform="tiktok"), carries(text, text, stance="denies")),
        judged(3, post("c", text, platform="tiktok"), carries(text, text, "other", type="safety", verdict="unsupported")),
    )

    async def found(**filters: list[str]) -> list[str]:
        async with database.read() as connection:
            return [m.platform_id for m in (await mentions.page(connection, parse_filters(filters))).items]

    assert await found(platform=["tiktok"]) == ["c", "b"]
    assert await found(type=["safety", "regulatory_status"]) == ["c", "b", "a"]
    assert await found(type=["regulatory_status"], stance=["denies"]) == ["b"]
    assert await found(verdict=["contradicted"], platform=["reddit"]) == ["a"]
    assert await found(claim=[claim_id_of("other")]) == ["c"]
    async with database.read() as connection:
        by_stance = await claims.page(connection, parse_filters({"stance": ["denies"]}))
        by_word = await claims.page(connection, parse_filters({"text": ["OTHER"]}))
    assert [c.entry for c in by_stance.items] == ["fda-approved"]
    assert [c.entry for c in by_word.items] == ["other"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"typ": ["safety"]}, "typ"),
        ({"type": ["nonsense"]}, "skin_efficacy"),
        ({"since": ["yesterday"]}, "24h"),
        ({"since": ["24"]}, "24h"),  # not the 24th second of 1970, which is "since ever"
        ({"until": ["99999999.9"]}, "24h"),
        ({"since": ["0000000000024"]}, "24h"),
        ({"limit": ["501"]}, "500"),
        ({"limit": ["-1"]}, "500"),
        ({"cursor": ["!!!"]}, "cursor"),
        ({"text": ["***"]}, "search"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(given: dict[str, list[str]], named: str) -> None:
    with pytest.raises(FilterError, match=named):
        parse_filters(given)


@pytest.mark.parametrize("wrong", ["a role that is not there", "a file that is no database"])
async def test_a_database_that_cannot_be_used_is_said_in_one_sentence(
    wrong: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if wrong == "a role that is not there":
        postgres: Postgres = request.getfixturevalue("postgres_server")
        url, said = postgres.fresh_database().replace("exowatch@", "nobody:hunter2@"), 'role "nobody" does not exist'
    else:
        (tmp_path / "x.sqlite").write_bytes(b"PNG or whatever else" * 500)
        url, said = f"sqlite:///{tmp_path}/x.sqlite", "file is not a database"
    database = Database(Settings(store={"url": url}).sqlalchemy_url)
    try:
        with pytest.raises(StoreError) as caught:
            await database.migrate()
    finally:
        await database.close()
    assert said in str(caught.value)
    assert "store.url" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
