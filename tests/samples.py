"""Records for tests to put into a database: posts with their judgements, as the workers write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from monitor.ids import claim_id_of
from monitor.store import Database, record
from monitor.store.judged import Judged, Origin
from monitor.store.outbox import AlertDraft
from monitor.times import now_ms
from monitor.words import Evidence, Judgement, Occurrence, Post

HOUR_MS = 3_600_000
ENTRIES: dict[str, str] = {}  # claim id to the identity that its occurrence was made of


def occurrence(text: str, quote: str, identity: str, **more: Any) -> Occurrence:
    """An occurrence of the claim with this identity, contradicted and asserted unless said otherwise."""
    start = text.index(quote)
    values: dict[str, Any] = {
        "type": "regulatory_status",
        "stance": "asserts",
        "distance": False,
        "testimonial": False,
        "verdict": "contradicted",
        "verdicts": {"US": "contradicted"},
        "basis": "register",
        "confidence": 0.9,
        "evidence": (Evidence(id="E1", citation="A public notice", url="https://example.org/notice"),),
        "why": "It says so in so many words.",
        "claim": f"The claim {identity}.",
    }
    ENTRIES[claim_id_of(identity)] = identity
    return Occurrence(quote=quote, start=start, end=start + len(quote), claim_id=claim_id_of(identity), **(values | more))


def origins_of(found: Iterable[Occurrence]) -> tuple[Origin, ...]:
    """Where claims are from: here each claim's identity is proposition and register entry."""
    return tuple(Origin(proposition=ENTRIES[one.claim_id], entry=ENTRIES[one.claim_id]) for one in found)


def judged(key: str, text: str, *found: Occurrence, hours_ago: float = 1.0, n: int = 0, **more: Any) -> Judged:
    """A judged post, heard that long ago (`n` keeps apart what is heard in the same millisecond), alerting once a claim."""
    values: dict[str, Any] = {"platform": "reddit", "source": "skincare", "url": f"https://example.org/{key}", "author": "x"}
    heard = Post(id=key, text=text, **(values | more))
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
    seen = now_ms() - round(hours_ago * HOUR_MS)
    said = Judged(number=seen << 21 | n, seen_ms=seen, post=heard, judgement=judgement, origins=origins_of(found))
    return asking(said, _as_new)


def asking(one: Judged, asks: Callable[[Judgement], tuple[AlertDraft, ...]]) -> Judged:
    """The judged post, asking for these alerts."""
    return msgspec.structs.replace(one, alerts=asks(one.judgement), asks=asks)


def _as_new(judgement: Judgement) -> tuple[AlertDraft, ...]:
    return tuple(
        AlertDraft(kind="claim.new", dedupe_key=f"claim.new:{one.claim_id}", summary=one.claim, occurrence=place)
        for place, one in enumerate(judgement.claims)
        if one.alerting
    )


async def write(database: Database, *batch: Judged) -> record.Recorded:
    """Puts them into the record, as the workers do."""
    async with database.write() as connection:
        return await record.record(connection, batch)


async def write_some(database: Database) -> None:
    """Three posts of two claims and one without a claim, over two days and two platforms."""
    approved, again, safe = "Great: FDA approved exosomes", "it is approved by the FDA, trust me", "they are 100% safe"
    await write(
        database,
        judged("a", approved, occurrence(approved, "FDA approved", "approved"), hours_ago=30),
        judged(
            "b",
            again,
            occurrence(again, "approved by the FDA", "approved"),
            hours_ago=3,
            platform="tiktok",
            source="tag",
            author="y",
        ),
        judged(
            "c",
            safe,
            occurrence(
                safe, "100% safe", "safe", type="safety", verdict="unsupported", verdicts={}, basis="burden of proof", evidence=()
            ),
            hours_ago=2,
        ),
        judged("d", "what do exosomes cost?", hours_ago=1),
    )
