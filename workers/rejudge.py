"""Runs history through the present classifier and register: first to see what would change, then to change it.

What is seen is what is applied: readings that differ wait in a temporary file in between, so that no post is read twice, and a
model that costs is paid once. Both go through the mentions in the order of their ids, some at a time, however many there are.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import msgspec
import structlog

from monitor.ids import public_id
from monitor.pause import pause
from monitor.settings.endpoint import Endpoint
from monitor.store import Database, StoreUnavailable, rejudged, verdicts
from monitor.store.judged import Judged
from monitor.store.own_claims import join_own_claims
from monitor.store.rejudged import OnFile, Reread
from monitor.store.reviewed import as_reviewed
from monitor.store.verdicts import OnRecord
from monitor.topic import Topic
from monitor.words import Judgement, Occurrence, Verdict
from workers.reader import Given, PostReader, Weighed
from workers.retag import Retagging
from workers.retell import Propositions, held_now, hold_claims, keep_register

log = structlog.get_logger()

PAGE = 100  # mentions that are read, and written in one transaction
EXAMPLES = 5
_TRIES = 5
_TROUBLE_S = 1.0
Places = tuple[int, int]  # stored ids of mentions, from inclusive to exclusive


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a mention would gain or lose."""

    mention_id: str
    claim_id: str
    claim: str
    verdict: Verdict


class VerdictChange(msgspec.Struct, frozen=True, kw_only=True):
    """A claim on record whose verdict is another by the present register."""

    claim_id: str
    claim: str
    before: Verdict
    now: Verdict
    mentions: int


class Outlook(msgspec.Struct, kw_only=True):
    """What would change. Examples are the first few.

    judged             mentions that other versions judged, whose text is on record
    up_to_date         those that the present ones judged
    failed             of the judged, those that could not be read now; they stay as they are
    other_claims       mentions that would carry other claims; `gained` and `lost` count the claims that each of them would
    read_otherwise     mentions of the same claims, with another quote, stance or the like
    verdicts_changed   claims on record whose verdict would change
    alerts_on, _off    mentions whose `alert` would become true, or false
    other_names        mentions that speak of other names of the present watchlist than the record says
    """

    classifier: str
    register: str
    judged: int = 0
    up_to_date: int = 0
    failed: int = 0
    other_claims: int = 0
    gained: int = 0
    lost: int = 0
    read_otherwise: int = 0
    verdicts_changed: int = 0
    alerts_on: int = 0
    alerts_off: int = 0
    other_names: int = 0
    gained_examples: list[Example] = []
    lost_examples: list[Example] = []
    verdict_examples: list[VerdictChange] = []

    @property
    def to_do(self) -> bool:
        """Whether anything is to be written at all, be it only by which versions mentions were judged."""
        return bool(self.judged > self.failed or self.verdicts_changed or self.other_names)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: mentions that are judged by the present versions now, those that were edited, deleted or judged anew
    meanwhile and stay as they are, mentions that other names of the watchlist were found in, verdict changes that were told, and
    whether it was interrupted.
    """

    mentions: int
    passed_over: int
    renamed: int
    told: int
    interrupted: bool


class Rejudging:
    """One run. `posts` is the configured classifier; `jurisdictions` and `endpoints` are those of the settings."""

    def __init__(
        self,
        database: Database,
        topic: Topic,
        posts: PostReader,
        jurisdictions: Sequence[str],
        endpoints: Sequence[Endpoint],
    ) -> None:
        self._database = database
        self._topic = topic
        self._posts = posts
        self._jurisdictions = jurisdictions
        self._endpoints = endpoints
        self._known = Propositions(topic.lexicon)
        self._names = Retagging(database, topic.watchlist)
        self._waiting: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.register = topic.register.version

    def close(self) -> None:
        """Lets go of what was seen."""
        self._waiting.close()
        self._names.close()

    async def count(self, places: Places) -> tuple[int, int]:
        """How many mentions other versions judged, and how many the present ones."""
        async with self._database.read() as connection:
            return await rejudged.count(connection, places, self._posts.version, self.register)

    async def look(self, places: Places, advance: Callable[[int], object]) -> Outlook:
        """What would change, and nothing is. `advance` is told of so many mentions more."""
        outlook = Outlook(classifier=self._posts.version, register=self.register)
        _, outlook.up_to_date = await self.count(places)
        await self._look_at_claims(outlook)
        outlook.other_names = await self._names.look(places)
        last = -1
        while True:
            async with self._database.read() as connection:
                page = await rejudged.after(connection, last, places, self._posts.version, self.register, PAGE)
            if not page:
                return outlook
            await self._look_at(page, outlook)
            last = page[-1].number
            advance(len(page))

    async def apply(self, stop: asyncio.Event, advance: Callable[[int], object]) -> Applied:
        """Does what was seen, and brings the claims to date, which tells of changed verdicts. May be stopped and begun anew."""
        await keep_register(self._database, self._topic)
        told = await self._hold_claims(stop)
        done = passed_over = 0
        for batch in self._seen():
            if stop.is_set():
                break
            started = time.monotonic()
            written = len(await self._write(batch))
            done, passed_over = done + written, passed_over + len(batch) - written
            advance(len(batch))
            await pause(stop, time.monotonic() - started)  # the daemon writes too
        renamed = await self._names.apply(stop)
        # Also when it was stopped: claims that lost mentions are counted anew here.
        told += await self._hold_claims(asyncio.Event())
        return Applied(mentions=done, passed_over=passed_over, renamed=renamed, told=told, interrupted=stop.is_set())

    async def _hold_claims(self, stop: asyncio.Event) -> int:
        return len(await hold_claims(self._database, self._topic, self._jurisdictions, self._endpoints, stop))

    async def _look_at_claims(self, outlook: Outlook) -> None:
        last = ""
        while True:
            async with self._database.read() as connection:
                claims = await verdicts.after(connection, last, PAGE)
            if not claims:
                return
            for one in claims:
                self._note_verdict(one, self._now(one), outlook)
            last = claims[-1].id

    def _note_verdict(self, one: OnRecord, now: OnRecord, outlook: Outlook) -> None:
        if now.held.verdict == one.held.verdict or not one.mentions:
            return
        outlook.verdicts_changed += 1
        if len(outlook.verdict_examples) < EXAMPLES:
            change = VerdictChange(
                claim_id=one.id, claim=now.held.claim, before=one.held.verdict, now=now.held.verdict, mentions=one.mentions
            )
            outlook.verdict_examples.append(change)

    def _now(self, one: OnRecord) -> OnRecord:
        return held_now(one, self._topic, self._known, self._jurisdictions)

    async def _look_at(self, page: Sequence[OnFile], outlook: Outlook) -> None:
        """Reads what the present classifier has not read, and notes what differs."""
        unread = [one for one in page if one.classifier != self._posts.version]
        weighed = dict(zip([one.number for one in unread], await self._weigh(unread), strict=True))
        anew: dict[int, Judged] = {}
        for one in unread:
            outcome = weighed[one.number]
            if isinstance(outcome, Exception):
                log.warning("a mention cannot be read", mention=public_id("m", one.number), error=str(outcome))
                outlook.failed += 1
            else:
                anew[one.number] = Judged(
                    number=one.number, seen_ms=one.seen_ms, post=one.post, judgement=outcome.judgement, origins=outcome.origins
                )
        async with self._database.read() as connection:
            joined = await join_own_claims(connection, anew, look=True)
            reviewed = await as_reviewed(connection, joined, list(anew))
            ids = {row["claim_id"] for one in page for row in one.occurrences}
            ids |= {found.claim_id for judged in reviewed.values() for found in judged.judgement.claims}
            claims = {key: self._now(one) for key, one in (await verdicts.load(connection, ids)).items()}
        outlook.judged += len(page)
        for one in page:
            if one.number in anew:
                self._compare(one, anew[one.number], reviewed[one.number], claims, outlook)
            elif one.classifier == self._posts.version:
                # The same classifier reads it the same; its claims' verdicts alone may be others, and these are held anyway.
                self._wait(
                    Reread(number=one.number, text_version=one.text_version, classifier=one.classifier, register=self.register)
                )
                _note_alert(one, _alerting(_said(one, claims)), outlook)

    async def _weigh(self, page: Sequence[OnFile]) -> list[Weighed | Exception]:
        given = [Given(public_id("m", one.number), one.post.text, one.post.lang) for one in page]
        return await self._posts.weigh(given) if given else []

    def _compare(self, one: OnFile, anew: Judged, reviewed: Judged, claims: Mapping[str, OnRecord], outlook: Outlook) -> None:
        judgement = anew.judgement
        if judgement.classifier == one.classifier and judgement.register == one.register:
            return  # by the local classifier, which a model could not replace this time either
        reread = Reread(
            number=one.number, text_version=one.text_version, classifier=judgement.classifier, register=judgement.register
        )
        if not rejudged.read_alike(one, reviewed):
            slim = _without_words(judgement, claims)
            reread = msgspec.structs.replace(reread, judgement=slim, origins=anew.origins)
            self._note_claims(one, reviewed.judgement.claims, claims, outlook)
        self._wait(reread)
        found = [(place, _verdict(place.claim_id, place.verdict, claims)) for place in reviewed.judgement.claims]
        _note_alert(one, any(place.put_forward and verdict != "supported" for place, verdict in found), outlook)

    def _note_claims(self, one: OnFile, found: Sequence[Occurrence], claims: Mapping[str, OnRecord], outlook: Outlook) -> None:
        before = dict.fromkeys(row["claim_id"] for row in one.occurrences)
        now = {place.claim_id: place for place in found}
        gained, lost = [key for key in now if key not in before], [key for key in before if key not in now]
        if not gained and not lost:
            outlook.read_otherwise += 1
            return
        outlook.other_claims += 1
        outlook.gained += len(gained)
        outlook.lost += len(lost)
        for keys, examples in ((gained, outlook.gained_examples), (lost, outlook.lost_examples)):
            for key in keys[: EXAMPLES - len(examples)]:
                said = claims[key].held if key in claims else now[key]  # what is lost is on record
                examples.append(
                    Example(mention_id=public_id("m", one.number), claim_id=key, claim=said.claim, verdict=said.verdict)
                )

    def _wait(self, one: Reread) -> None:
        self._waiting.write(msgspec.json.encode(one) + b"\n")

    def _seen(self) -> Iterator[list[Reread]]:
        """What waits to be written, some at a time."""
        self._waiting.seek(0)
        batch = []
        for line in self._waiting:
            batch.append(msgspec.json.decode(line, type=Reread))
            if len(batch) == PAGE:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _write(self, batch: Sequence[Reread]) -> list[int]:
        for left in reversed(range(_TRIES)):
            try:
                async with self._database.write() as connection:
                    return await rejudged.rerecord(connection, batch)
            except StoreUnavailable:
                if not left:
                    raise
                await asyncio.sleep(_TROUBLE_S)
        raise AssertionError


def _without_words(judgement: Judgement, on_record: Mapping[str, OnRecord]) -> Judgement:
    """The judgement without the post's words, and without the citations of claims that the record has."""
    claims = tuple(
        msgspec.structs.replace(one, quote="", evidence=() if one.claim_id in on_record else one.evidence)
        for one in judgement.claims
    )
    return msgspec.structs.replace(judgement, claims=claims)


def _verdict(claim_id: str, otherwise: Verdict, claims: Mapping[str, OnRecord]) -> Verdict:
    return claims[claim_id].held.verdict if claim_id in claims else otherwise


def _said(one: OnFile, claims: Mapping[str, OnRecord]) -> list[tuple[bool, Verdict]]:
    """Of each occurrence on record, whether it puts its claim forward, and the claim's verdict."""
    return [
        (
            row["stance"] == "asserts" or (row["stance"] == "reports" and not row["distance"]),
            _verdict(row["claim_id"], row["verdict"], claims),
        )
        for row in one.occurrences
    ]


def _alerting(said: Sequence[tuple[bool, Verdict]]) -> bool:
    return any(forward and verdict != "supported" for forward, verdict in said)


def _note_alert(one: OnFile, alert: bool, outlook: Outlook) -> None:
    outlook.alerts_on += alert and not one.alert
    outlook.alerts_off += one.alert and not alert
