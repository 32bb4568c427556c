"""`text=` means the same in every list and on both databases: all words, "a phrase", prefix*, case and accents folded."""

from __future__ import annotations

import pytest

from monitor.store import Database, alerts, claims, deliveries, mentions, outbox, parse_filters
from monitor.store.budgets import Recipient
from monitor.store.outbox import AlertDraft
from tests.samples import judged, occurrence, write

SENTENCES = {
    "arthritis": "Exosomes treat arthritis (knee), says Zoë.",
    "approved": "An exosome product is FDA-approved: the FDA says so.",
    "collagen": "Collagen rises by 300 per cent; skin gets younger.",
    "japanese": "エクソソームで若返り",
    "korean": "엑소좀은 안전합니다",
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("art", []),
        ("art*", ["arthritis"]),
        ("ARTHRITIS zoe", ["arthritis"]),
        ("zoe arthritis", ["arthritis"]),
        ('"zoe arthritis"', []),
        ('"fda approved"', ["approved"]),
        ("fda-approved", ["approved"]),
        ('"fda says"', ["approved"]),
        ('"fda product"', []),
        ("says", ["approved", "arthritis"]),
        ("30", []),
        ("30*", ["collagen"]),
        ("若", ["japanese"]),
        ("若返", ["japanese"]),
        ("若エ", []),
        ("안전", ["korean"]),
        ("%", None),
        ("100% fda", []),
    ],
)
async def test_every_list_finds_the_same(database: Database, query: str, expected: list[str] | None) -> None:
    for name, text in SENTENCES.items():
        await write(database, judged(name, text, occurrence(text, text, name, claim=text, stance="denies"), n=len(name)))
        draft = AlertDraft(kind="test", dedupe_key=name, summary=text, recipients=(Recipient(name),))
        async with database.write() as connection:
            await outbox.raise_alerts(connection, [(draft, None, None)])
    if expected is None:
        with pytest.raises(ValueError, match="needs a word"):
            parse_filters({"text": [query]})
        return
    filters = parse_filters({"text": [query]})
    async with database.read() as connection:
        by_text = [one.platform_id for one in (await mentions.page(connection, filters)).items]
        by_sentence = [one.claim for one in (await claims.page(connection, filters)).items]
        by_summary = [one.summary for one in (await alerts.page(connection, filters)).items]
        by_alert = [one.endpoint for one in (await deliveries.page(connection, filters)).items]
    sentences = sorted(SENTENCES[name] for name in expected)
    assert (sorted(by_text), sorted(by_alert)) == (expected, expected)
    assert (sorted(by_sentence), sorted(by_summary)) == (sentences, sentences)


async def test_a_search_of_alerts_goes_on_where_its_page_ended(database: Database) -> None:
    for n in range(7):
        draft = AlertDraft(kind="test", dedupe_key=str(n), summary=f"number {n} is {'odd' if n % 2 else 'even'}")
        async with database.write() as connection:
            await outbox.raise_alerts(connection, [(draft, None, None)])
    seen, cursor = [], None
    async with database.read() as connection:
        while True:
            given = {"text": ["even"], "limit": ["2"]} | ({"cursor": [cursor]} if cursor else {})
            page = await alerts.page(connection, parse_filters(given))
            seen.append([one.summary.split()[1] for one in page.items])
            if (cursor := page.next) is None:
                break
    assert seen == [["6", "4"], ["2", "0"]]
