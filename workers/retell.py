"""Holds every claim on record against the present register, and tells where a verdict has truly changed.

It needs no post's words, so it works on claims whose texts have expired. Several processes may do it at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import msgspec
import structlog

from monitor import telemetry
from monitor.ids import claim_id_of
from monitor.pause import pause
from monitor.settings.endpoint import Endpoint
from monitor.store import Database, registers, verdicts
from monitor.store.outbox import AlertDraft, new_number
from monitor.store.recipients import recipients
from monitor.store.verdicts import Held, OnRecord
from monitor.topic import Lexicon, Proposition, Topic
from monitor.words import ClaimType, Verdict
from workers.identify import identify
from workers.judge import rule

log = structlog.get_logger()

PAGE = 200
_SAY_EVERY_S = 5.0


async def keep_register(database: Database, topic: Topic) -> None:
    """Keeps the register that judges from now on, among those that judged before."""
    await database.write_again(lambda connection: registers.keep(connection, topic.register.version, topic.register.files))


async def hold_claims(
    database: Database,
    topic: Topic,
    jurisdictions: Sequence[str],
    endpoints: Sequence[Endpoint],
    stop: asyncio.Event,
) -> list[int]:
    """Brings all claims to date with the topic pack, unless it is to stop; the alerts that were raised (stored ids).

    It ends early where another process has taken up another register than this one (`keep_register`) meanwhile: that one's word
    counts, and this process will take it up too.
    """
    async with database.read() as connection:
        total = await verdicts.count(connection)
    raised: list[int] = []
    known = Propositions(topic.lexicon)
    last, done, say_at = "", 0, time.monotonic() + _SAY_EVERY_S
    while not stop.is_set():
        async with database.read() as connection:
            claims = await verdicts.after(connection, last, PAGE)
            in_force = await registers.newest(connection)
        if not claims:
            await database.write_again(lambda connection: registers.note_held(connection, topic.register.version))
            break
        if in_force not in (None, topic.register.version):
            log.info("another process has taken up another register, the claims are left to it", register=in_force)
            break
        for one in claims:
            raised += await _hold(database, one, topic, known, jurisdictions, endpoints, stop)
        last, done = claims[-1].id, done + len(claims)
        if time.monotonic() >= say_at:
            log.info("holding the claims on record against the register", done=done, of=total)
            say_at = time.monotonic() + _SAY_EVERY_S
    return raised


async def _hold(
    database: Database,
    one: OnRecord,
    topic: Topic,
    known: Propositions,
    jurisdictions: Sequence[str],
    endpoints: Sequence[Endpoint],
    stop: asyncio.Event,
) -> list[int]:
    """Brings one claim to date, and all that carries it; the alerts that were raised."""
    now = held_now(one, topic, known, jurisdictions)
    if now == one and one.behind is None:
        return []
    raised: list[int] = []
    if now != one:
        draft = _told(one, now, endpoints)
        raised = list(await database.write_again(lambda to: verdicts.change(to, one, now, topic.register.version, draft)))
        telemetry.alerted.inc(len(raised))
    if one.behind is None and not verdicts.followed(one.held, now.held):
        return raised
    last: int | None = 0
    while last is not None and not stop.is_set():
        started = time.monotonic()
        last = await database.write_again(partial(verdicts.follow, claim_id=one.id, held=now.held, after=last))
        if last is not None:  # a claim of very many mentions: others write too
            await pause(stop, time.monotonic() - started)
    return raised


class Propositions:
    """The lexicon's propositions, by what the record says of a claim's identity."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._by_claim = {claim_id_of(one.key): one for one in lexicon.propositions.values()}
        self._numbered = [one for one in lexicon.propositions.values() if one.number_key and one.number_claim]

    def of(self, one: OnRecord) -> tuple[Proposition | None, str | None]:
        """The claim's proposition, None where the lexicon does not know it, and the number in it."""
        if one.proposition:
            return self._lexicon.find(one.proposition), one.number
        # An early version of this program wrote down only a claim's id and its sentence. The id proves what these make of it.
        if one.id in self._by_claim:
            return self._by_claim[one.id], None
        for proposition in self._numbered:
            before, _, after = (proposition.number_claim or "").partition("{number}")
            sentence = one.held.claim
            if sentence.startswith(before) and sentence.endswith(after):
                number = sentence[len(before) : len(sentence) - len(after)].replace(" ", "-")
                if identify(proposition, number).claim_id == one.id:
                    return proposition, number
        return None, one.number


def held_now(one: OnRecord, topic: Topic, known: Propositions, jurisdictions: Sequence[str]) -> OnRecord:
    """What the present pack says of a claim on record.

    A claim whose proposition the lexicon does not know keeps its sentence; and its verdict, while those of its entry stay as they
    are: which authority it names stood in the lexicon.
    """
    proposition, number = known.of(one)
    if proposition is None:
        if one.held.entry is None:
            return one
        entry = topic.register.get(one.held.entry)
        proposition = Proposition(
            key=one.proposition, type=one.held.type, claim=one.held.claim, entry=one.held.entry, patterns=()
        )
        ruling = rule(proposition, topic.register, jurisdictions)
        if entry is not None and entry.verdicts == one.held.verdicts:
            return msgspec.structs.replace(one, held=msgspec.structs.replace(one.held, evidence=ruling.evidence))
    else:
        ruling = rule(proposition, topic.register, jurisdictions)
    held = Held(
        claim=identify(proposition, number).claim,
        type=proposition.type,
        entry=ruling.entry,
        verdict=ruling.verdict,
        verdicts=ruling.verdicts,
        basis=ruling.basis,
        ruling=ruling.said,
        evidence=ruling.evidence,
    )
    return msgspec.structs.replace(one, proposition=proposition.key, number=number, held=held)


class _Claim(msgspec.Struct, frozen=True):
    """The claim as filters ask about it; that it is this claim is sure."""

    type: ClaimType
    verdict: Verdict
    confidence: float = 1.0


def _told(one: OnRecord, now: OnRecord, endpoints: Sequence[Endpoint]) -> AlertDraft | None:
    before, after = one.held, now.held
    if after.verdict == before.verdict:
        return None
    about = _Claim(after.type, after.verdict)
    return AlertDraft(
        kind="claim.verdict_changed",
        dedupe_key=f"claim.verdict_changed:{one.id}:{new_number()}",
        summary=f"Verdict changed from {before.verdict} to {after.verdict}: {after.claim}",
        subject={"before": {"verdict": before.verdict, "verdicts": before.verdicts}},
        recipients=recipients(endpoints, "claim.verdict_changed", about, None),
    )
