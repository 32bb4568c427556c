"""Holds every claim on record against the present register, and tells where a verdict has truly changed.

It needs no post's words, so it works on claims whose texts have expired. Several processes may do it at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
import structlog

from monitor import telemetry
from monitor.settings.alerting import wants
from monitor.settings.model import Endpoint
from monitor.store import Database, verdicts
from monitor.store.outbox import AlertDraft
from monitor.store.verdicts import Held, OnRecord
from monitor.topic import Proposition, Topic
from monitor.words import ClaimType, Verdict, now_ms
from workers.identify import identify
from workers.judge import rule

log = structlog.get_logger()

PAGE = 200
_SAY_EVERY_S = 5.0


async def hold_claims(
    database: Database,
    topic: Topic,
    jurisdictions: Sequence[str],
    endpoints: Sequence[Endpoint],
    stop: asyncio.Event,
) -> list[int]:
    """Brings all claims to date with the topic pack, unless it is to stop; the alerts that were raised (stored ids)."""
    async with database.read() as connection:
        total = await verdicts.count(connection)
    raised: list[int] = []
    last, done, say_at = "", 0, time.monotonic() + _SAY_EVERY_S
    while not stop.is_set():
        async with database.read() as connection:
            claims = await verdicts.after(connection, last, PAGE)
        if not claims:
            break
        for one in claims:
            now = held_now(one, topic, jurisdictions)
            if now != one.held:
                async with database.write() as connection:
                    alerts = await verdicts.change(connection, one, now, topic.register.version, _told(one, now, endpoints))
                telemetry.alerted.inc(len(alerts))
                raised += alerts
        last, done = claims[-1].id, done + len(claims)
        if time.monotonic() >= say_at:
            log.info("holding the claims on record against the register", done=done, of=total)
            say_at = time.monotonic() + _SAY_EVERY_S
    return raised


def held_now(one: OnRecord, topic: Topic, jurisdictions: Sequence[str]) -> Held:
    """What the present pack says of a claim on record. One whose proposition the lexicon does not know keeps its sentence."""
    proposition = topic.lexicon.propositions.get(one.proposition)
    if proposition is None:
        if one.held.entry is None:
            return one.held
        proposition = Proposition(
            key=one.proposition, type=one.held.type, claim=one.held.claim, entry=one.held.entry, patterns=()
        )
    ruling = rule(proposition, topic.register, jurisdictions)
    return Held(
        claim=identify(proposition, one.number).claim,
        type=proposition.type,
        entry=ruling.entry,
        verdict=ruling.verdict,
        verdicts=ruling.verdicts,
        basis=ruling.basis,
        ruling=ruling.said,
        evidence=ruling.evidence,
    )


class _Claim(msgspec.Struct, frozen=True):
    """The claim as filters ask about it; that it is this claim is sure."""

    type: ClaimType
    verdict: Verdict
    confidence: float = 1.0


def _told(one: OnRecord, now: Held, endpoints: Sequence[Endpoint]) -> AlertDraft | None:
    if now.verdict == one.held.verdict:
        return None
    about = _Claim(now.type, now.verdict)
    return AlertDraft(
        kind="claim.verdict_changed",
        dedupe_key=f"claim.verdict_changed:{one.id}:{now_ms()}",
        summary=f"Verdict changed from {one.held.verdict} to {now.verdict}: {now.claim}",
        subject={"before": {"verdict": one.held.verdict, "verdicts": one.held.verdicts}},
        endpoints=tuple(endpoint.name for endpoint in endpoints if wants(endpoint, "claim.verdict_changed", about, None)),
    )
