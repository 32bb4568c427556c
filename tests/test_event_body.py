"""What a receiver is sent: the contract's shape, the record's present state, and never more than 20 kB."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from monitor.events import MAX_BODY, compose, load_events
from monitor.ids import stored_id
from monitor.store import Database, alerts, mentions, outbox, parse_filters, texts
from monitor.store.outbox import AlertDraft
from monitor.store.tables import mention as mention_table
from monitor.words import Evidence, Post, encode
from tests.test_store import carries, judged, post, write

TEXT = "Great news: FDA approved exosomes!"


async def body_of(database: Database, alert_number: int) -> dict[str, Any]:
    async with database.read() as connection:
        event = (await load_events(connection, [alert_number]))[alert_number]
    assert len(event.body) <= MAX_BODY
    body: dict[str, Any] = json.loads(event.body)
    return body


async def alert_on(database: Database, heard: Post, *found: Any, number: int = 1) -> int:
    (raised,) = (await write(database, judged(number, heard, *found))).alerts
    return raised


async def test_it_holds_the_objects_as_the_interface_prints_them(database: Database) -> None:
    number = await alert_on(database, post("a", TEXT, author="x", url="https://reddit.com/a"), carries(TEXT, "FDA approved"))
    body = await body_of(database, number)
    async with database.read() as connection:
        alert = (await alerts.page(connection, parse_filters({}))).items[0]
        mention = await mentions.find(connection, "reddit:a")
    assert mention is not None
    assert list(body) == ["type", "timestamp", "data"]
    assert (body["type"], body["timestamp"]) == ("claim.new", alert.created_at)
    data = body["data"]
    assert list(data) == ["alert_id", "claim", "occurrence", "mention", "evidence"]
    assert data["alert_id"] == alert.id
    assert data["claim"]["id"] == alert.claim_id
    assert data["mention"] == json.loads(encode(mention))
    assert data["occurrence"] == data["mention"]["claims"][0]
    assert data["occurrence"]["quote"] == "FDA approved"
    assert data["evidence"] == [{"id": "E1", "citation": "A notice", "url": "https://example.org"}]


async def test_words_that_were_deleted_are_not_sent(database: Database) -> None:
    number = await alert_on(database, post("a", TEXT), carries(TEXT, "FDA approved"))
    async with database.write() as connection:
        mention_id = (await mentions.page(connection, parse_filters({}))).items[0].id
        await texts.erase_texts(connection, [stored_id("m", mention_id) or 0])
        await connection.execute(update(mention_table).values(state="deleted"))
    body = await body_of(database, number)
    assert (body["data"]["mention"]["text"], body["data"]["mention"]["state"]) == (None, "deleted")
    assert body["data"]["occurrence"]["quote"] == ""
    assert "Great news" not in json.dumps(body)
    assert body["data"]["evidence"], "the verdict's sources stay"


async def test_after_an_edit_the_occurrence_is_one_of_the_same_claim_or_none(database: Database) -> None:
    number = await alert_on(database, post("a", TEXT), carries(TEXT, "FDA approved"))
    edited = "It cures arthritis. Also approved by the FDA"
    moved = [carries(edited, "cures arthritis", "arthritis", stance="denies"), carries(edited, "approved by the FDA")]
    await write(database, judged(2, post("a", edited), *moved))
    data = (await body_of(database, number))["data"]
    assert data["occurrence"]["quote"] == "approved by the FDA"
    await write(database, judged(3, post("a", "Never mind.")))
    data = (await body_of(database, number))["data"]
    assert data["occurrence"] is None
    assert data["evidence"][0]["id"] == "E1", "the claim's own evidence stands in"


async def test_an_alert_without_a_claim_holds_what_it_speaks_of(database: Database) -> None:
    source = {"name": "news", "kind": "feed", "state": "down"}
    heard = post("a", "It hurt.")
    (mention_number,) = (await write(database, judged(1, heard))).stored
    down = AlertDraft(kind="source.down", dedupe_key="1", summary="The source news is down.", subject={"source": source})
    harm = AlertDraft(kind="safety.signal", dedupe_key="2", summary="Harm is reported on reddit.")
    async with database.write() as connection:
        (first,) = await outbox.raise_alerts(connection, [(down, None, None)])
        (second,) = await outbox.raise_alerts(connection, [(harm, None, mention_number)])
    about_source, about_mention = await body_of(database, first), await body_of(database, second)
    assert about_source["type"] == "source.down"
    assert list(about_source["data"]) == ["alert_id", "source"]
    assert about_source["data"]["source"] == source
    assert list(about_mention["data"]) == ["alert_id", "mention"]
    assert about_mention["data"]["mention"]["text"] == "It hurt."


@pytest.mark.parametrize("letter", ["a", "엑", "😀", '"', "\n", "\\"])
async def test_a_long_text_is_cut_at_its_end_to_just_fit(database: Database, letter: str) -> None:
    text = TEXT + " " + letter * 90_000
    number = await alert_on(database, post("a", text), carries(text, "FDA approved"))
    async with database.read() as connection:
        raw = (await load_events(connection, [number]))[number].body
    data = json.loads(raw)["data"]
    assert data["truncated"] is True
    assert MAX_BODY - 12 < len(raw) <= MAX_BODY, "no more is cut than must be"
    assert text.startswith(data["mention"]["text"])
    assert data["occurrence"]["quote"] == "FDA approved"
    assert len(data["mention"]["claims"]) == 1


async def test_a_quote_far_into_a_long_text_is_sent_whole(database: Database) -> None:
    text = "word " * 15_000 + "FDA approved exosomes!"
    data = (await body_of(database, await alert_on(database, post("a", text), carries(text, "FDA approved"))))["data"]
    assert data["occurrence"]["quote"] == "FDA approved"
    assert data["occurrence"]["start"] == 75_000, "offsets count in the whole text"
    assert len(data["mention"]["text"]) < 20_000


async def test_a_body_that_fits_is_not_cut(database: Database) -> None:
    text = TEXT + " " + "a" * 10_000
    data = (await body_of(database, await alert_on(database, post("a", text), carries(text, "FDA approved"))))["data"]
    assert "truncated" not in data
    assert data["mention"]["text"] == text


async def test_other_claims_make_room_for_the_text_and_the_alerts_own_stays(database: Database) -> None:
    text = TEXT + " cures all. " + "a" * 30_000
    others = [carries(text, "cures all", f"ill-{n}", stance="denies", why="because " * 40) for n in range(60)]
    own = carries(text, "FDA approved")
    data = (await body_of(database, await alert_on(database, post("a", text), *others[:30], own, *others[30:])))["data"]
    kept = [one["claim"].removeprefix("Claim ").removesuffix(".") for one in data["mention"]["claims"]]
    assert "fda-approved" in kept
    assert 5 < len(kept) < 61
    assert kept == [f"ill-{n}" for n in range(len(kept) - 1)] + ["fda-approved"], "cut from the end"
    assert len(data["mention"]["text"]) >= 3_900
    assert data["truncated"] is True


async def test_whatever_is_long_the_body_fits_and_is_whole_json(database: Database) -> None:
    text = "x" * 50_000
    evidence = tuple(Evidence(id=f"E{n}", citation="c" * 3_000, url="https://example.org/" + "u" * 1_500) for n in range(40))
    huge = [carries(text, text, why="w" * 9_000, claim="s" * 9_000, evidence=evidence) for _ in range(50)]
    body = await body_of(database, await alert_on(database, post("a" * 500, text), *huge[:1], *huge[1:]))
    assert body["data"]["truncated"] is True
    assert body["data"]["claim"]["id"] == body["data"]["occurrence"]["claim_id"]
    assert body["data"]["mention"]["platform_id"] == "a" * 500, "an id is never cut"
    assert len(body["data"]["occurrence"]["quote"]) >= 40


def test_a_digest_of_many_items_fits() -> None:
    raw = compose("digest", "2026-11-22T12:00:00.000Z", {"alert_id": "a_1", "items": [{"summary": "s" * 300}] * 500})
    data = json.loads(raw)["data"]
    assert len(raw) <= MAX_BODY
    assert (data["truncated"], data["alert_id"]) == (True, "a_1")
    assert data["items"]
