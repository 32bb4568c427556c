"""One worker's view of one partition: takes entries out and settles them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from monitor.stream.connection import GroupMissingError, Link, StreamError
from monitor.stream.keys import (
    ABANDONED_LIMIT,
    CLAIM_AFTER_S,
    CLAIM_EVERY_S,
    GROUP,
    MAX_BLOCK_S,
    MAX_DELIVERIES,
    MAX_ERROR,
    SUSPECT_AFTER,
    dead_key,
    mentions_key,
)
from monitor.stream.records import Entry
from monitor.stream.scripts import CLAIM, FAIL, REST

log = structlog.get_logger()

_ABANDONED = f"the worker died or stalled each of the {ABANDONED_LIMIT} times that it handled this entry"
_AT_ONCE_MS = 86_400_000  # rested for a day: claimable by anyone, whatever they take for abandoned


async def make_group(link: Link, partition: int) -> bool:
    """Makes the group of a partition, from the stream's beginning; false where it was there."""
    try:
        await link.run("XGROUP", "CREATE", mentions_key(partition), GROUP, "0", "MKSTREAM")
    except StreamError as error:
        if "BUSYGROUP" in str(error):
            return False
        raise
    return True


class Reader:
    """Reads as one named consumer, with a connection of its own for the blocking read.

    Names are slots (`worker-0`), not processes: who comes back under the same name finds at once what it left. Two readers must
    not use one name at the same time. What is read is settled, renewed or handed back; what is forgotten comes again after
    `claim_after_s`, to anyone.
    """

    def __init__(
        self, commands: Link, blocking: Link, consumer: str, partition: int, claim_after_s: float = CLAIM_AFTER_S
    ) -> None:
        self.consumer = consumer
        self.partition = partition
        self._commands = commands
        self._blocking = blocking
        self._claim_after_s = claim_after_s
        self._keys = (mentions_key(partition), dead_key(partition))
        # Entries that are pending under our name may be unknown to us: after a start, and where an answer was lost on its way.
        self._own_first = True
        self._next_claim = 0.0
        self._known: dict[str, float] = {}  # entries handed out or failed, and when

    async def read(self, count: int, wait_s: float) -> list[Entry]:
        """At most `count` entries, or none after `wait_s` (2 s at most, so that who reads can be told to stop between two reads).

        What this consumer left unsettled before a restart comes first, then what others abandoned, then what is new. An entry
        that was delivered repeatedly without an outcome comes alone, and rests `claim_after_s` before it comes alone again.
        Raises StreamUnavailable; nothing is lost or counts as failed by it, and reading goes on where it stood once the server
        is back.
        """
        try:
            while True:
                try:
                    entries = await self._left_behind(count) or await self._new(count, wait_s)
                except GroupMissingError:
                    await self._make_anew()
                    continue
                now = time.monotonic()
                self._known.update((entry.id, now) for entry in entries)
                return entries
        except BaseException:  # also a cancelled read: its answer may have been on the way
            self._own_first = True
            raise

    async def settle(self, done: Sequence[Entry], failed: Mapping[str, str] | None = None) -> None:
        """Ends `done` for good. `failed` (id to error) come again after `claim_after_s`; at the fifth time they are set aside.

        Safe to repeat. An entry that somebody else has taken over meanwhile is theirs to fail. Raises StreamUnavailable.
        """
        try:
            await self._end(done)
            await self._fail({entry_id: _bounded(error) for entry_id, error in (failed or {}).items()})
        except GroupMissingError:  # what is gone needs no settling
            await self._make_anew()

    async def renew(self, entries: Sequence[Entry]) -> None:
        """Says that a long batch is still being worked on. Raises StreamUnavailable."""
        await self._rest(0, [(entry.id, -1) for entry in entries])
        now = time.monotonic()
        self._known.update((entry.id, now) for entry in entries)

    async def hand_back(self, entries: Sequence[Entry]) -> None:
        """Lets anyone take these entries at once; this delivery does not count. Raises StreamUnavailable."""
        await self._rest(_AT_ONCE_MS, [(entry.id, entry.deliveries - 1) for entry in entries])
        for entry in entries:
            self._known.pop(entry.id, None)

    async def close(self) -> None:
        """Lets go of the connection. Entries in hand stay pending."""
        await self._blocking.close()

    async def _left_behind(self, count: int) -> list[Entry]:
        if self._own_first:
            entries = await self._claim(count, idle_ms=0, own=True)
            if entries:
                return entries
            self._own_first = False
        if time.monotonic() < self._next_claim:
            return []
        entries = await self._claim(count, idle_ms=max(1, int(self._claim_after_s * 1000)), own=False)
        if not entries:
            self._next_claim = time.monotonic() + min(CLAIM_EVERY_S, self._claim_after_s / 2)
        return entries

    async def _claim(self, count: int, *, idle_ms: int, own: bool) -> list[Entry]:
        while True:
            more, buried, *taken = await self._commands.script(
                CLAIM,
                self._keys,
                [
                    *(GROUP, self.consumer, idle_ms, count, SUSPECT_AFTER, ABANDONED_LIMIT, int(own), _ABANDONED),
                    *(self._in_hand() if own else ()),
                ],
            )
            for raw in buried:
                log.error("an entry is set aside, its worker died or stalled every time", entry=raw.decode())
            if taken or not more:
                return [
                    Entry(entry_id.decode(), self.partition, data, deliveries, first.decode())
                    for entry_id, deliveries, data, first in taken
                ]

    def _in_hand(self) -> list[str]:
        """What is pending under our name and known to us. After `claim_after_s` an entry is anyone's and forgotten here."""
        oldest = time.monotonic() - self._claim_after_s
        self._known = {entry_id: when for entry_id, when in self._known.items() if when > oldest}
        return list(self._known)

    async def _new(self, count: int, wait_s: float) -> list[Entry]:
        wait_s = min(wait_s, MAX_BLOCK_S, self._next_claim - time.monotonic())
        block = ("BLOCK", max(1, int(wait_s * 1000))) if wait_s > 0 else ()
        reply = await self._blocking.run(
            *("XREADGROUP", "GROUP", GROUP, self.consumer, "COUNT", count, *block, "STREAMS", self._keys[0], ">")
        )
        if not reply:
            return []
        found: list[tuple[bytes, dict[bytes, Any]]] = reply[0][1]
        return [
            Entry(entry_id.decode(), self.partition, fields.get(b"d", b""), 1, fields.get(b"first", b"").decode())
            for entry_id, fields in found
        ]

    async def _end(self, done: Sequence[Entry]) -> None:
        if done:
            ids = [entry.id for entry in done]
            key = self._keys[0]
            await self._commands.together(("XACK", key, GROUP, *ids), ("XDEL", key, *ids))
            for entry_id in ids:
                self._known.pop(entry_id, None)

    async def _fail(self, errors: Mapping[str, str]) -> None:
        if not errors:
            return
        pairs = [part for pair in errors.items() for part in pair]
        buried = await self._commands.script(FAIL, self._keys, [GROUP, self.consumer, MAX_DELIVERIES, *pairs])
        self._known.update(dict.fromkeys(errors, time.monotonic()))
        for entry_id in (raw.decode() for raw in buried):
            self._known.pop(entry_id, None)
            log.error("an entry failed too often and is set aside", entry=entry_id, error=errors[entry_id][:200])

    async def _make_anew(self) -> None:
        if await make_group(self._commands, self.partition):
            log.error("the consumer group was gone and is made anew", partition=self.partition, consumer=self.consumer)

    async def _rest(self, idle_ms: int, counts: Sequence[tuple[str, int]]) -> None:
        if counts:
            pairs = [part for pair in counts for part in pair]
            try:
                await self._commands.script(REST, self._keys[:1], [GROUP, self.consumer, idle_ms, *pairs])
            except GroupMissingError:
                await self._make_anew()


def _bounded(error: str) -> str:
    """An error that can be stored and shown: of bounded length, and UTF-8 whatever it quotes."""
    return error[:MAX_ERROR].encode("utf-8", "replace").decode()
