"""Publishing, cursors, signals, figures and dead entries; `reader` gives out the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

import structlog

from monitor.stream import names, sayings
from monitor.stream.buckets import Buckets
from monitor.stream.connection import GroupMissingError, LeaseLost, Link, StreamRewound, StreamUnavailable
from monitor.stream.dead import by_partition, dead_entry
from monitor.stream.keys import (
    CLAIM_AFTER_S,
    CURSORS,
    GROUP,
    LEASES,
    LEASES_TIMEOUT_S,
    MAX_BLOCK_S,
    MAX_PART_BYTES,
    MAX_PART_ITEMS,
    MAX_PROCESSES,
    MAX_WAITING,
    METRICS_KEPT_S,
    METRICS_TIMEOUT_S,
    PROCESSES,
    SEEN_KEPT_S,
    SIGNALS,
    SIGNALS_KEPT,
    TIMEOUT_S,
    dead_key,
    mentions_key,
    metrics_key,
    moves_key,
    partition_of,
    seen_keys,
)
from monitor.stream.leases import Leases
from monitor.stream.reader import Reader, make_group
from monitor.stream.records import DeadEntry, Item, Place, Signal, StreamStats, ms_of, place_of
from monitor.stream.room import Room, agree_on_partitions, check_servers
from monitor.stream.sayings import Saying
from monitor.stream.scripts import HORIZON, PUBLISH, REPLAY, SHARE
from monitor.stream.servers import Argument
from monitor.stream.signals import kept, last_position, tail
from monitor.times import now_ms

log = structlog.get_logger()

_CONNECTIONS = 8  # for commands; each reader and each tail has one of its own
_REPLAY_PAGE = 100


class Stream:
    """The stream of one Redis. Made by `open`; safe to use from many tasks of one event loop."""

    def __init__(
        self,
        url: str,
        partitions: int,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], int] = now_ms,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.partitions = partitions
        self._url = url
        self._timeout_s = timeout_s
        self._clock = clock
        self._link = Link(url, connections=_CONNECTIONS, timeout_s=timeout_s)
        # Apart, so that metrics never take a connection from the work; it connects when it is first used.
        self._metrics_link = Link(url, connections=2, timeout_s=min(timeout_s, METRICS_TIMEOUT_S))
        # Apart too: a lease has to be renewed however busy the others are.
        self._lease_link = Link(url, connections=1, timeout_s=min(timeout_s, LEASES_TIMEOUT_S))
        self.leases = Leases(self._lease_link)
        self.owner = ""  # under which this process holds leases; where it is set, no cursor moves of a source that is another's
        self.buckets = Buckets(self._link)
        self._closed = asyncio.Event()
        self._room = Room(self._link, partitions, max_waiting)
        # Of sources whose cursor was asked for: how often they published into a partition, as far as we know.
        self._moves: dict[tuple[str, int], int] = {}

    @classmethod
    async def open(
        cls,
        url: str,
        partitions: int = 1,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], int] = now_ms,
        max_waiting: int = MAX_WAITING,
    ) -> Stream:
        """The stream at an address (`monitor.settings.redis_url`), ready to be read and written.

        `timeout_s` bounds the wait for any answer; `clock` (ms) says which day it is; producers wait while `max_waiting` entries
        of a partition are not done. Raises StreamUnavailable where the server is not to be had now, and StreamError where it
        never will: wrong password, too old, other partitions.
        """
        stream = cls(url, partitions, timeout_s=timeout_s, clock=clock, max_waiting=max_waiting)
        try:
            await check_servers(stream._link, partitions)
            await agree_on_partitions(stream._link, partitions)
            for partition in range(partitions):
                await make_group(stream._link, partition)
        except BaseException:
            await stream.close()
            raise
        return stream

    async def publish(self, items: Sequence[Item], *, source: str | None = None, cursor: str | None = None) -> list[bool]:
        """Appends what was not seen today or yesterday, and says of each item whether it was new.

        `cursor` becomes the cursor of `source` in the same step as the last items. Safe to repeat after a failure: what got
        through is then reported as seen. Raises StreamUnavailable; StreamFull where the work has to catch up first; LeaseLost
        where another process than this (`owner`) has the source now; StreamRewound where this object has given out the source's
        cursor, and the server has lost something that was published since.
        """
        if cursor is not None and source is None:
            raise ValueError("a cursor belongs to a source")
        if items:
            await self._room.check()
            named = [name for item in items for name in item.names]
            for start in range(0, len(named), MAX_PART_ITEMS):  # before the items: a name too many does no harm
                await names.remember(self._link, named[start : start + MAX_PART_ITEMS], self._clock())
        new: list[bool] = []
        parts = list(_parts(items)) or [()]
        for part in parts[:-1]:
            new += await self._publish_part(part, "", None)
        return new + await self._publish_part(parts[-1], source or "", cursor)

    async def last_said(self, names: Sequence[str]) -> dict[str, Saying]:
        """What sources last said of posts, by `said_name`. Raises StreamUnavailable."""
        return await sayings.last_said(self._link, names, self._clock())

    async def note_said(self, said: Mapping[str, Saying]) -> None:
        """Keeps what sources said of posts, by `said_name`, once it is published. Raises StreamUnavailable."""
        await sayings.note(self._link, said, self._clock())

    async def cursor(self, source: str) -> str | None:
        """Where a source's collector got to; None where it never did.

        From now on `publish` sees whether the server loses anything of the source. Raises StreamUnavailable; StreamRewound, once,
        where it has done so since the last time.
        """
        lost = False
        for partition in range(self.partitions):  # before the cursor: what is lost between the two is then seen by `publish`
            moves = int(await self._link.run("HGET", moves_key(partition), source) or 0)
            known, self._moves[source, partition] = self._moves.get((source, partition), 0), moves
            lost |= moves < known
        if lost:
            raise self._rewound()
        cursor = await self._link.run("HGET", CURSORS, source)
        return None if cursor is None else str(cursor.decode())

    async def horizon(self, source: str) -> list[tuple[Place, Place] | None]:
        """The oldest and the newest entry of each partition that is not done; None where all are.

        Raises StreamUnavailable; StreamRewound as `publish` does.
        """
        found: list[tuple[Place, Place] | None] = []
        for partition in range(self.partitions):
            keys = (mentions_key(partition), moves_key(partition))
            ids = await self._link.script(HORIZON, keys, (source, self._moves.get((source, partition), 0)))
            if ids == [b"LOST"]:
                raise self._rewound()
            found.append((place_of(ids[0]), place_of(ids[1])) if ids else None)
        return found

    def reader(self, consumer: str, partition: int = 0, *, claim_after_s: float = CLAIM_AFTER_S) -> Reader:
        """A reader of one partition with a connection of its own; its owner closes it, before the stream."""
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")
        return Reader(self._link, self._own_link(), consumer, partition, claim_after_s)

    async def signal(self, *events: Signal) -> None:
        """Wakes whoever tails the signals. Where the server is away, the wake-up is dropped: nothing may depend on one."""
        if not events:
            return
        commands = [("XADD", SIGNALS, "MAXLEN", "~", SIGNALS_KEPT, "*", "k", event.kind, "i", event.id) for event in events]
        try:
            await self._link.together(*commands)
        except StreamUnavailable as error:
            log.warning("a wake-up was dropped", error=str(error), events=len(events))

    async def signal_position(self) -> str:
        """The position of the last signal, to tail from once the store has been looked at. Raises StreamUnavailable."""
        return await last_position(self._link)

    async def signals_kept(self) -> tuple[str, str] | None:
        """The positions of the first and the last signal that are kept; None where there is none. Raises StreamUnavailable."""
        return await kept(self._link)

    def signals(self, after: str = "$") -> AsyncGenerator[Signal, None]:
        """Signals after a position, as they come, by a connection of its own; it ends when the stream is closed.

        "$" means from the first wait on. It outlives a server that goes away and comes back. Close the iterator where it is
        left early (`aclose`), so that its connection goes too.
        """
        return tail(self._own_link(), after, self._closed)

    async def stats(self) -> StreamStats:
        """How the stream stands. Raises StreamUnavailable."""
        seconds, micros = await self._link.run("TIME")
        length = pending = dead = 0
        oldest: int | None = None
        for partition in range(self.partitions):
            key = mentions_key(partition)
            figures = (
                ("XLEN", key),
                ("XPENDING", key, GROUP),
                ("XRANGE", key, "-", "+", "COUNT", 1),
                ("XLEN", dead_key(partition)),
            )
            try:
                answers = await self._link.together(*figures)
            except GroupMissingError:  # figures can be had after a flush as well
                await make_group(self._link, partition)
                answers = await self._link.together(*figures)
            own, in_hand, first, own_dead = answers
            length, pending, dead = length + own, pending + in_hand["pending"], dead + own_dead
            if first:
                ms = ms_of(first[0][0])
                oldest = ms if oldest is None else min(oldest, ms)
        age = None if oldest is None else max(0.0, int(seconds) + int(micros) / 1e6 - oldest / 1000)
        # What is done is deleted at once, so what is neither done nor pending is what nobody has been given yet. Redis counts its
        # own lag from 7.0 on, but not always right before 7.4.2.
        return StreamStats(length=length, pending=pending, lag=max(0, length - pending), oldest_age_s=age, dead=dead)

    async def share_metrics(self, process: str, snapshot: bytes) -> None:
        """Lets the others see what this process counts, for METRICS_KEPT_S or until it says more. Raises StreamError."""
        keys = (PROCESSES, metrics_key(process))
        await self._metrics_link.script(SHARE, keys, (process, snapshot, METRICS_KEPT_S))

    async def shared_metrics(self) -> list[bytes]:
        """What other processes shared and what is not too old; of the MAX_PROCESSES that spoke last. Raises StreamError."""
        return [snapshot for _, snapshot in await self.shared_ago()]

    async def shared_ago(self) -> list[tuple[float, bytes]]:
        """As `shared_metrics`, each with how many seconds ago it was shared, the latest first. Raises StreamError."""
        seconds, _ = await self._metrics_link.run("TIME")
        flat = await self._metrics_link.run("ZREVRANGE", PROCESSES, 0, MAX_PROCESSES - 1, "WITHSCORES")
        if not flat:
            return []
        names, shared_at = flat[::2], flat[1::2]
        found = await self._metrics_link.run("MGET", *(metrics_key(name.decode("utf-8", "replace")) for name in names))
        return [
            (max(0.0, int(seconds) - float(at)), snapshot)
            for at, snapshot in zip(shared_at, found, strict=True)
            if snapshot is not None
        ]

    async def dead(self, limit: int = 100) -> list[DeadEntry]:
        """What was set aside, the newest first. Raises StreamUnavailable."""
        entries: list[DeadEntry] = []
        for partition in range(self.partitions):
            for entry_id, fields in await self._link.run("XREVRANGE", dead_key(partition), "+", "-", "COUNT", limit):
                entries.append(dead_entry(partition, entry_id, fields))
        entries.sort(key=lambda entry: entry.died_at, reverse=True)
        return entries[:limit]

    async def replay_dead(self, ids: Sequence[str] | None = None) -> int:
        """Puts dead entries (None: all that are dead now) back into the stream, and says how many. Raises StreamUnavailable.

        An id that names no dead entry is skipped.
        """
        wanted = await self._all_dead() if ids is None else by_partition(ids, self.partitions)
        count = 0
        for partition, entry_ids in wanted.items():
            keys = (dead_key(partition), mentions_key(partition))
            for start in range(0, len(entry_ids), _REPLAY_PAGE):
                count += await self._link.script(REPLAY, keys, entry_ids[start : start + _REPLAY_PAGE])
        return count

    async def published_lately(self, wanted: Sequence[str]) -> set[str]:
        """Those of the names (`Item.names`) under which something was published within three days. Raises StreamUnavailable."""
        return await names.known(self._link, wanted, self._clock())

    async def purge(self, matches: Callable[[bytes], bool]) -> int:
        """Takes entries whose data match out of the stream: waiting, pending, dead ones; how many. Raises StreamUnavailable."""
        return await names.purge(self._link, self.partitions, matches)

    async def ping(self) -> None:
        """Returns where the server answers. Raises StreamUnavailable."""
        await self._link.run("PING")

    async def close(self) -> None:
        """Lets go of the connections and ends the tails of the signals."""
        self._closed.set()
        await self._metrics_link.close()
        await self._lease_link.close()
        await self._link.close()

    def _rewound(self) -> StreamRewound:
        return StreamRewound(f"Redis at {self._link.where} has lost what came last; it is fetched again where its source can")

    def _own_link(self) -> Link:
        return Link(self._url, connections=1, timeout_s=self._timeout_s, answer_after_s=MAX_BLOCK_S)

    async def _publish_part(self, items: Sequence[Item], source: str, cursor: str | None) -> list[bool]:
        new = [False] * len(items)
        counted = (source, 0) in self._moves
        places: dict[int, list[int]] = {0: []} if counted or cursor is not None else {}
        for place, item in enumerate(items):
            places.setdefault(partition_of(item.key, self.partitions), []).append(place)
        now = self._clock()
        for partition in sorted(places, reverse=True):  # 0 comes last and takes the cursor along
            last = partition == 0
            keys = [
                mentions_key(partition),
                *seen_keys(partition, now),
                moves_key(partition),
                *([CURSORS, LEASES] if last else []),
            ]
            with_cursor = last and cursor is not None
            arguments: list[Argument] = [SEEN_KEPT_S, int(with_cursor), source, (cursor or "") if with_cursor else ""]
            arguments += (self.owner, self._moves.get((source, partition), -1))
            for place in places[partition]:
                arguments += (items[place].key, items[place].data)
            marks, moves = await self._link.script(PUBLISH, keys, arguments)
            if marks == b"LOST":
                raise LeaseLost(f"another process collects {source} now")
            if moves < 0:
                raise self._rewound()
            if counted:
                self._moves[source, partition] = max(self._moves[source, partition], moves)
            for place, mark in zip(places[partition], marks.decode(), strict=True):
                new[place] = mark == "1"
        return new

    async def _all_dead(self) -> dict[int, list[str]]:
        """The ids of all dead entries by partition, read in pages; those that die again meanwhile are not among them."""
        ids: dict[int, list[str]] = {}
        for partition in range(self.partitions):
            key, start = dead_key(partition), "-"
            last = await self._link.run("XREVRANGE", key, "+", "-", "COUNT", 1)
            while last:
                page = await self._link.run("XRANGE", key, start, last[0][0], "COUNT", _REPLAY_PAGE)
                if not page:
                    break
                ids.setdefault(partition, []).extend(entry_id.decode() for entry_id, _ in page)
                start = f"({page[-1][0].decode()}"
        return ids


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in runs that are small enough for one script call."""
    start = size = 0
    for place, item in enumerate(items):
        if place > start and (place - start == MAX_PART_ITEMS or size + len(item.data) > MAX_PART_BYTES):
            yield items[start:place]
            start, size = place, 0
        size += len(item.data)
    if start < len(items):
        yield items[start:]
