"""All that a Redis keeps for exowatch, to be carried to another one as a whole: what waits, what is dead, cursors, what was seen.

It is read and written by ordinary commands and not by DUMP and RESTORE: so any version takes it from any other, and the target
needs no rights but those that exowatch has anyway. The source has to allow SCAN.

A source may be in use while it is read. The order then matters. What says that something was heard (cursors, keys that were seen)
comes before what waits to be judged, and the caller copies the record after both: so all that counts as heard is among what waits
or in the record. What is not counted as heard is merely fetched again. Wake-ups, leases and metrics are of the moment and stay
behind.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal

import msgspec

from monitor.stream.connection import Link, StreamError
from monitor.stream.keys import (
    CURSORS,
    LEASES,
    PARTITIONS,
    PREFIX,
    PROCESSES,
    SIGNALS,
    TIMEOUT_S,
    dead_key,
    mentions_key,
    metrics_key,
)
from monitor.stream.servers import Argument
from monitor.times import now_ms

_PAGE = 500
_PASSING = (SIGNALS, PROCESSES, LEASES, metrics_key(""))
_STREAM = re.compile(re.escape(PREFIX) + r":\{p\d+\}:(mentions|dead)")
_SCANS = {b"set": "SSCAN", b"hash": "HSCAN", b"zset": "ZSCAN"}

Kind = Literal["stream", "set", "hash", "zset", "string"]


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of one key. A row is an entry (id, then names and values), a member, a field with its value, a score with its
    member, or the value. `expires_ms`: when the key goes, 0 for never. `last`, at a stream's end: the last id that it gave."""

    key: str
    kind: Kind
    rows: list[list[bytes]]
    expires_ms: int = 0
    last: str = ""

    @property
    def what(self) -> str:
        """What its rows are, for people."""
        if self.key == CURSORS:
            return "cursors"
        found = _STREAM.fullmatch(self.key)
        return "" if found is None else "waiting" if found[1] == "mentions" else "dead"


class Contents:
    """What the Redis at this address keeps for exowatch. Every method raises StreamError, and StreamUnavailable."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, connections=1, timeout_s=TIMEOUT_S)
        self.where = self._link.where

    async def partitions(self) -> int:
        """How many partitions exowatch uses there; 0 where it was never used."""
        return int(await self._link.run("GET", PARTITIONS) or 0)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Everything, in the order in which it is safe to read while others write."""
        partitions = await self.partitions()
        streams = {of(number) for number in range(partitions) for of in (mentions_key, dead_key)}
        for key in sorted(await self._keys(partitions) - streams, key=lambda key: (key != CURSORS, key)):
            async for piece in self._of_key(key):
                yield piece
        # An entry may die or be replayed between two looks, so what is dead is looked at before and after.
        for number in range(partitions):
            looked = ""
            async for piece in self._of_stream(dead_key(number)):
                looked = piece.rows[-1][0].decode() if piece.rows else looked
                yield piece
            async for piece in self._of_stream(mentions_key(number)):
                yield piece
            async for piece in self._of_stream(dead_key(number), looked):
                yield piece

    async def put(self, piece: Piece) -> int:
        """Writes a part, and says how many of its rows were not there yet. Safe to repeat."""
        if piece.kind == "stream":
            return await self._put_entries(piece)
        left_ms = piece.expires_ms - now_ms()
        if piece.expires_ms and left_ms <= 0:
            return 0
        lasting: list[Sequence[Argument]] = [("PEXPIRE", piece.key, left_ms)] if piece.expires_ms else []
        await self._link.together(*_writing(piece), *lasting)
        return len(piece.rows)

    async def finish(self, partitions: int) -> None:
        """Says that all of it is there."""
        await self._link.run("SET", PARTITIONS, partitions)

    async def close(self) -> None:
        """Lets go of the connection."""
        await self._link.close()

    async def _keys(self, partitions: int) -> set[str]:
        found: set[str] = set()
        for partition in range(partitions if self._link.spread else min(partitions, 1)):  # on a Cluster each may have its node
            cursor: Any = 0
            while True:
                scan = ("SCAN", cursor, "MATCH", f"{PREFIX}:*", "COUNT", 1_000)
                cursor, names = await self._link.run(*scan, at=mentions_key(partition))
                found |= {name.decode() for name in names}
                if not int(cursor):
                    break
        return {key for key in found if key != PARTITIONS and not key.startswith(_PASSING)}

    async def _of_key(self, key: str) -> AsyncIterator[Piece]:
        kind = await self._link.run("TYPE", key)
        left_ms = int(await self._link.run("PTTL", key))
        if kind == b"none" or left_ms == -2:  # its time was up
            return
        expires_ms = now_ms() + left_ms if left_ms >= 0 else 0
        if kind == b"string":
            value = await self._link.run("GET", key)
            if value is not None:
                yield Piece(key=key, kind="string", rows=[[value]], expires_ms=expires_ms)
            return
        if kind not in _SCANS:
            raise StreamError(f"Redis at {self.where} keeps a {kind.decode()} under {key}, which this version does not know")
        cursor: Any = 0
        while True:
            cursor, found = await self._link.run(_SCANS[kind], key, cursor, "COUNT", _PAGE)
            if rows := _rows(kind, found):
                yield Piece(key=key, kind=kind.decode(), rows=rows, expires_ms=expires_ms)
            if not int(cursor):
                return

    async def _of_stream(self, key: str, after: str = "") -> AsyncIterator[Piece]:
        start = f"({after}" if after else "-"
        while page := await self._link.run("XRANGE", key, start, "+", "COUNT", _PAGE):
            start = f"({page[-1][0].decode()}"
            yield Piece(key=key, kind="stream", rows=[[id_, *_flat(fields)] for id_, fields in page])
        if await self._link.run("TYPE", key) == b"stream":
            last = (await self._link.run("XINFO STREAM", key))["last-generated-id"].decode()
            yield Piece(key=key, kind="stream", rows=[], last=last)

    async def _put_entries(self, piece: Piece) -> int:
        newest = await self._link.run("XREVRANGE", piece.key, "+", "-", "COUNT", 1)
        there = _place(newest[0][0]) if newest else (0, 0)
        missing = [row for row in piece.rows if _place(row[0]) > there]
        if missing:
            adding: list[Sequence[Argument]] = [("XADD", piece.key, *row) for row in missing]
            await self._link.together(*adding)
        if piece.last and _place(piece.last.encode()) > there:
            await self._give_id(piece.key, piece.last)
        return len(missing)

    async def _give_id(self, key: str, last: str) -> None:
        """Makes the ids that the stream gives from now on later than this one: a mention's id is made of its entry's."""
        try:
            await self._link.together(("XADD", key, last, "v", ""), ("XDEL", key, last))
        except StreamError as error:
            if "equal or smaller" not in str(error):  # then it does so already
                raise


def _writing(piece: Piece) -> Iterator[Sequence[Argument]]:
    words = {"set": "SADD", "hash": "HSET", "zset": "ZADD", "string": "SET"}
    yield (words[piece.kind], piece.key, *(value for row in piece.rows for value in row))


def _rows(kind: bytes, found: Any) -> list[list[bytes]]:
    if kind == b"set":
        return [[member] for member in found]
    if kind == b"hash":
        return [[name, value] for name, value in found.items()]
    return [[repr(score).encode(), member] for member, score in found]


def _flat(fields: dict[bytes, bytes]) -> Iterator[bytes]:
    for name, value in fields.items():
        yield name
        yield value


def _place(entry_id: bytes) -> tuple[int, int]:
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)
