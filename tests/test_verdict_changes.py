"""Claims on record follow an edit of the register, and where a verdict has truly changed that is told, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text as sql
from structlog.testing import capture_logs

from monitor.events import load_events
from monitor.ids import claim_id_of, stored_id
from monitor.settings.endpoint import Endpoint
from monitor.store import (
    Database,
    alerts,
    claims,
    deliveries,
    mentions,
    parse_filters,
    registers,
    rejudged,
    reviews,
    texts,
    verdicts,
)
from monitor.store.filters import number_range
from monitor.topic import Topic
from monitor.words import Claim, Mention
from tests.packs import CURES_TEXT, FLOUR_TEXT, LEXICON, REGISTER, Judging, bread, verdict_of
from tests.receiver import SECRET
from workers.retell import hold_claims, keep_register

CURED, FLOUR = claim_id_of("cures-coeliac-disease"), claim_id_of("made-of-flour")
HEALTHIER = verdict_of("cures-coeliac-disease", "global: supported")
DOUBTED = verdict_of("made-of-flour", "global: contradicted")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tmp_path / "bread"


async def hold(database: Database, topic: Topic, *endpoints: Endpoint) -> list[int]:
    """As the daemon does when it has taken up a pack."""
    await keep_register(database, topic)
    return await hold_claims(database, topic, ("US", "UK", "EU"), endpoints, asyncio.Event())


async def claim(database: Database, claim_id: str) -> Claim:
    async with database.read() as connection:
        found = await claims.find(connection, claim_id)
    assert found is not None
    return found


async def mention(database: Database, key: str) -> Mention:
    async with database.read() as connection:
        found = await mentions.find(connection, f"forum:{key}")
    assert found is not None
    return found


async def found(database: Database, **filters: str) -> list[str]:
    async with database.read() as connection:
        page = await mentions.page(connection, parse_filters({name: [value] for name, value in filters.items()}))
    return [one.platform_id for one in page.items]


async def told(database: Database) -> list[str]:
    """Kinds of all alerts, the first raised first."""
    async with database.read() as connection:
        return [one.kind for one in (await alerts.page(connection, parse_filters({}))).items][::-1]


async def test_claim_occurrences_flags_and_filters_follow_and_it_is_told_what_was_before(database: Database, pack: Path) -> None:
    first = bread(pack)
    by = Judging(first)
    await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", FLOUR_TEXT), by.judged("c", f"Is it true? {CURES_TEXT}?"))
    assert await hold(database, first) == []
    raised = await hold(database, bread(pack, HEALTHIER, DOUBTED))
    assert len(raised) == 2
    assert ((await claim(database, CURED)).verdict, (await claim(database, FLOUR)).verdict) == ("supported", "contradicted")
    one, other = await mention(database, "a"), await mention(database, "b")
    assert [(place.verdict, place.verdicts) for place in one.claims] == [("supported", {"global": "supported"})]
    assert "register entry cures-coeliac-disease says supported everywhere" in one.claims[0].why
    assert (one.alert, other.alert) == (False, True)
    assert await found(database, verdict="contradicted") == ["b"]
    assert await found(database, text="sourdough", verdict="contradicted") == []
    assert await found(database, text="rye", verdict="contradicted") == ["b"]
    async with database.read() as connection:
        events = await load_events(connection, raised)
    bodies: list[Any] = [_data(event.body) for event in events.values()]
    before = {data["claim"]["id"]: data["before"] for data in bodies}
    assert before == {
        CURED: {"verdict": "contradicted", "verdicts": {"global": "contradicted"}},
        FLOUR: {"verdict": "supported", "verdicts": {"global": "supported"}},
    }
    assert {data["claim"]["id"]: data["claim"]["verdict"] for data in bodies} == {CURED: "supported", FLOUR: "contradicted"}


def _data(body: bytes) -> Any:
    event = json.loads(body)
    assert event["type"] == "claim.verdict_changed"
    return event["data"]


async def test_while_claims_are_held_the_log_says_how_many_are_done_and_the_record_when_all_were(
    database: Database, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("c", CURES_TEXT), by.judged("f", FLOUR_TEXT))
    later = bread(pack, HEALTHIER)
    await keep_register(database, later)
    async with database.read() as connection:
        assert [one.held_ms for one in await registers.versions(connection, 5)] == [None]
    monkeypatch.setattr("workers.retell.PAGE", 1)
    monkeypatch.setattr("workers.retell._SAY_EVERY_S", 0.0)
    with capture_logs() as lines:
        await hold_claims(database, later, ("US", "UK", "EU"), (), asyncio.Event())
    assert [(one["done"], one["of"]) for one in lines if "done" in one] == [(1, 2), (2, 2)]
    async with database.read() as connection:
        (one,) = await registers.versions(connection, 5)
    assert one.held_ms is not None
    assert one.held_ms >= one.at_ms


async def test_texts_that_are_gone_change_nothing_of_it(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT))
    async with database.write() as connection:
        number = stored_id("m", (await mention(database, "a")).id)
        assert number is not None
        await texts.erase_texts(connection, [number])
    assert len(await hold(database, bread(pack, HEALTHIER))) == 1
    one = await mention(database, "a")
    assert (one.text, one.alert, one.claims[0].verdict) == (None, False, "supported")


async def test_there_and_back_is_told_twice(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT))
    for edits in ((HEALTHIER,), (), ()):
        await hold(database, bread(pack, *edits))
    assert await told(database) == ["claim.new", "claim.verdict_changed", "claim.verdict_changed"]
    assert (await mention(database, "a")).alert is True


async def test_a_dismissed_a_muted_and_a_merged_claim_change_silently(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", FLOUR_TEXT))
    async with database.write() as connection:
        await reviews.judge(connection, CURED, "dismiss", "ann")
        await reviews.judge(connection, FLOUR, "mute", "ann")
    assert await hold(database, bread(pack, HEALTHIER, DOUBTED)) == []
    assert ((await claim(database, CURED)).verdict, (await claim(database, FLOUR)).verdict) == ("supported", "contradicted")
    async with database.write() as connection:
        await reviews.judge(connection, CURED, "reopen", "ann")
        await reviews.judge(connection, FLOUR, "unmute", "ann")
        await reviews.merge(connection, FLOUR, CURED, "ann")
    assert len(await hold(database, bread(pack))) == 1, "of the claim that stays"
    async with database.read() as connection:
        (latest, *_) = (await alerts.page(connection, parse_filters({}))).items
    assert (latest.kind, latest.claim_id) == ("claim.verdict_changed", CURED)
    assert [place.verdict for place in (await mention(database, "b")).claims] == ["contradicted"], "it is under the other claim"


async def test_two_processes_at_once_tell_it_once(database: Database, store_url: str, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n}", CURES_TEXT, author=f"a{n}") for n in range(50)), by.judged("b", FLOUR_TEXT))
    topic = bread(pack, HEALTHIER, DOUBTED)
    other = Database(str(database.url.render_as_string(hide_password=False)))
    try:
        raised = await asyncio.gather(*(hold(one, topic) for one in (database, other, database)))
    finally:
        await other.close()
    assert sum(map(len, raised)) == 2
    assert (await told(database)).count("claim.verdict_changed") == 2


async def test_another_citation_is_new_evidence_and_tells_nothing(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT))
    assert await hold(database, bread(pack, (REGISTER, "A review of fermented wheat", "A newer review"))) == []
    assert [one.citation for one in (await claim(database, CURED)).evidence] == ["A newer review"]
    assert [one.citation for one in (await mention(database, "a")).claims[0].evidence] == ["A newer review"]
    assert await told(database) == ["claim.new"]


async def test_a_claim_whose_change_was_told_is_not_new_afterwards(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", FLOUR_TEXT))
    assert await told(database) == []
    topic = bread(pack, DOUBTED)
    await hold(database, topic)
    by = Judging(topic)
    await by.write(database, by.judged("b", FLOUR_TEXT, author="y"), by.judged("c", FLOUR_TEXT, author="z"))
    assert await told(database) == ["claim.verdict_changed", "claim.spreading"]


async def test_a_claim_that_changed_while_it_was_dismissed_is_new_once_it_is_reopened(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", FLOUR_TEXT))
    async with database.write() as connection:
        await reviews.judge(connection, FLOUR, "dismiss", "ann")
    topic = bread(pack, DOUBTED)
    await hold(database, topic)
    async with database.write() as connection:
        await reviews.judge(connection, FLOUR, "reopen", "ann")
    await Judging(topic).write(database, Judging(topic).judged("b", FLOUR_TEXT, author="y"))
    assert await told(database) == ["claim.new"]


async def test_a_worker_with_another_register_says_what_the_record_says(database: Database, pack: Path) -> None:
    """Ahead of the claims or behind them: no occurrence stays that the next edit would not find."""
    old, new = bread(pack / "old"), bread(pack / "new", HEALTHIER, DOUBTED)
    by_old, by_new = Judging(old), Judging(new)
    await by_old.write(database, by_old.judged("a", CURES_TEXT), by_old.judged("b", FLOUR_TEXT))
    await by_new.write(database, by_new.judged("early", FLOUR_TEXT))
    assert [one.verdict for one in (await mention(database, "early")).claims] == ["supported"]
    assert await told(database) == ["claim.new"], "that its verdict changed is still to be told"
    await hold(database, new)
    assert (await mention(database, "early")).alert is True
    await by_old.write(database, by_old.judged("late", CURES_TEXT, author="z"))
    late = await mention(database, "late")
    assert ([one.verdict for one in late.claims], late.alert) == (["supported"], False)
    assert await found(database, text="sourdough", verdict="contradicted") == []
    assert await told(database) == ["claim.new", "claim.verdict_changed", "claim.verdict_changed"]


async def test_a_claim_of_many_mentions_follows_a_page_at_a_time(
    database: Database, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "FOLLOWING", 7)
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n}", CURES_TEXT, author=f"a{n}") for n in range(50)))
    assert len(await hold(database, bread(pack, HEALTHIER))) == 1
    assert len(await found(database, verdict="supported")) == 50
    async with database.read() as connection:
        page = await mentions.page(connection, parse_filters({"limit": ["500"]}))
    assert not any(one.alert for one in page.items)


async def test_what_was_cut_off_is_completed_by_the_next_and_told_only_once(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n}", CURES_TEXT, author=f"a{n}") for n in range(5)))
    topic = bread(pack, HEALTHIER)
    await keep_register(database, topic)

    class Stopping(asyncio.Event):
        """Set once the claim has changed: before anything has followed it."""

        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 1

    raised = await hold_claims(database, topic, ("US",), (), Stopping())
    assert len(raised) == 1
    assert ((await claim(database, CURED)).verdict, len(await found(database, verdict="contradicted"))) == ("supported", 5)
    assert await hold(database, topic) == []
    assert await found(database, verdict="contradicted") == []
    async with database.read() as connection:
        assert (await connection.execute(sql("SELECT count(*) FROM claim WHERE behind IS NOT NULL"))).scalar_one() == 0


async def test_an_outdated_process_leaves_the_claims_to_the_one_that_took_up_the_edit(database: Database, pack: Path) -> None:
    old = bread(pack / "old")
    by = Judging(old)
    await by.write(database, by.judged("a", CURES_TEXT))
    await hold(database, bread(pack / "new", HEALTHIER))
    assert await hold_claims(database, old, ("US",), (), asyncio.Event()) == []
    assert (await claim(database, CURED)).verdict == "supported"


async def test_a_mention_says_by_which_register_it_is_held_also_one_whose_text_is_gone(database: Database, pack: Path) -> None:
    first = bread(pack)
    by = Judging(first)
    await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", "My sourdough"))
    await hold(database, first)
    assert (await mention(database, "a")).register == first.register.version
    async with database.write() as connection:
        await texts.erase_texts(connection, [stored_id("m", (await mention(database, "a")).id) or 0])
    later = bread(pack, HEALTHIER)
    await keep_register(database, later)
    assert (await mention(database, "a")).register == first.register.version, "not before its claims are held against it"
    await hold(database, later)
    for key in "ab":
        one = await mention(database, key)
        assert (one.register, one.classifier) == (later.register.version, by.version)
    async with database.read() as connection:
        everything = number_range(parse_filters({}))
        assert await rejudged.count(connection, everything, by.version, later.register.version) == (0, 1)
        assert await rejudged.count(connection, everything, "another", later.register.version) == (1, 0)


async def test_endpoints_hear_of_it_as_their_filters_ask(database: Database, pack: Path) -> None:
    def endpoint(name: str, **more: Any) -> Endpoint:
        return Endpoint(name=name, kind="webhook", url="https://example.org/hook", secret=[SecretStr(SECRET)], **more)

    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT))
    wanted = endpoint("wanted", verdicts=["supported"], min_confidence=0.99, platforms=["elsewhere"])
    refused = (
        endpoint("verdict", verdicts=["contradicted"]),
        endpoint("type", types=["safety"]),
        endpoint("kind", events=["test"]),
    )
    await hold(database, bread(pack, HEALTHIER), wanted, *refused)
    async with database.read() as connection:
        page = await deliveries.page(connection, parse_filters({}))
    assert [one.endpoint for one in page.items] == ["wanted"]


async def test_a_claim_that_left_the_lexicon_keeps_its_verdict_until_its_entry_changes(database: Database, pack: Path) -> None:
    """Which authority a claim names stands in the lexicon: without it, another place's verdict must not be told as a change."""
    by_place = verdict_of("made-of-flour", "US: supported, UK: contradicted")
    named = (LEXICON, "entry: made-of-flour", "entry: made-of-flour\n    jurisdiction: US")
    by = Judging(bread(pack, by_place, named))
    await by.write(database, by.judged("a", FLOUR_TEXT))
    assert (await claim(database, FLOUR)).verdict == "supported"
    gone = (LEXICON, "key: made-of-flour", "key: made-of-wheat")
    assert await hold(database, bread(pack, by_place, named, gone)) == []
    assert (await claim(database, FLOUR)).verdict == "supported"
    changed = verdict_of("made-of-flour", "global: unsupported")
    assert len(await hold(database, bread(pack, changed, gone))) == 1


async def test_claims_of_an_early_version_get_back_where_they_are_from(database: Database, pack: Path) -> None:
    """It wrote down no proposition: without the named authority, an upgrade would tell of changes that are none."""
    by_place = verdict_of("made-of-flour", "US: supported, UK: contradicted")
    named = (LEXICON, "entry: made-of-flour", "entry: made-of-flour\n    jurisdiction: US")
    number = "\n    number: {kind: percent, key: 'flour-{number}pct', claim: 'Sourdough bread is {number} per cent flour.'}"
    counted = (LEXICON, '    when: ["made of|from flour"]', f'    when: ["made of|from flour"]{number}')
    topic = bread(pack, by_place, named, counted)
    by = Judging(topic)
    await by.write(
        database, by.judged("a", FLOUR_TEXT), by.judged("b", "Rye bread is 80% made of flour"), by.judged("c", CURES_TEXT)
    )
    async with database.write() as connection:
        await connection.execute(sql("UPDATE claim SET proposition = '', number = NULL, ruling = ''"))
    assert await hold(database, topic) == []
    assert (await claim(database, FLOUR)).verdict == "supported"
    async with database.read() as connection:
        rows = await connection.execute(sql("SELECT id, proposition, number FROM claim"))
        kept = {row.id: (row.proposition, row.number) for row in rows}
    assert kept[FLOUR] == ("made-of-flour", None)
    assert kept[claim_id_of("flour-80pct")] == ("made-of-flour", "80")
    assert "register entry made-of-flour says supported for US" in (await mention(database, "a")).claims[0].why


async def test_every_register_that_judged_is_kept_and_the_one_in_force_is_the_newest(database: Database, pack: Path) -> None:
    first, second = bread(pack), bread(pack, HEALTHIER)
    for topic in (first, second, second, first):
        await keep_register(database, topic)
    async with database.read() as connection:
        kept = await registers.versions(connection, 10)
        found = await registers.find(connection, second.register.version[:5])
    assert [one.version for one in kept] == [first.register.version, second.register.version, first.register.version]
    assert kept[0].at_ms > kept[1].at_ms
    assert found.files == second.register.files
    assert "global: supported" in found.files["all.yaml"]
