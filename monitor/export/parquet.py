"""Parquet by pyarrow: the records' own types, nested ones included; times as times."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import inspect

_GROUP = 5_000  # rows in one row group, which is what is held in memory
_GROUP_BYTES = 32_000_000  # or so much text
_TIMES = frozenset({"created_at", "seen_at", "edited_at", "first_seen", "last_seen"})
_TIME = pa.timestamp("ms", tz="UTC")


class ParquetFile:
    """A Parquet file of records of one type."""

    def __init__(self, of: type[msgspec.Struct]) -> None:
        self._schema = pa.schema(_fields(inspect.type_info(of)))
        self._out = _Outlet()
        self._writer = pq.ParquetWriter(self._out, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def begin(self) -> bytes:
        return self._out.take()

    def add(self, items: Sequence[Any]) -> bytes:
        for item in items:
            self._rows.append(_row(msgspec.to_builtins(item)))
            self._bytes += len(getattr(item, "text", None) or "")
        if len(self._rows) >= _GROUP or self._bytes >= _GROUP_BYTES:
            self._write()
        return self._out.take()

    def end(self) -> bytes:
        self._write()
        self._writer.close()
        return self._out.take()

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


class _Outlet(io.RawIOBase):
    """A file that is only written to, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._length += len(part)
        return len(part)

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts = []
        return found


def _fields(record: Any) -> list[Any]:
    return [pa.field(one.name, _TIME if one.name in _TIMES else _type(one.type)) for one in record.fields]


def _type(of: Any) -> Any:  # noqa: PLR0911 - a type each
    """The Arrow type for one of msgspec's."""
    if isinstance(of, inspect.UnionType):
        (inner,) = (one for one in of.types if not isinstance(one, inspect.NoneType))
        return _type(inner)
    if isinstance(of, inspect.StructType):
        return pa.struct(_fields(of))
    if isinstance(of, inspect.VarTupleType | inspect.ListType):
        return pa.list_(_type(of.item_type))
    if isinstance(of, inspect.DictType):
        return pa.map_(pa.string(), _type(of.value_type))
    if isinstance(of, inspect.BoolType):
        return pa.bool_()
    if isinstance(of, inspect.IntType):
        return pa.int64()
    if isinstance(of, inspect.FloatType):
        return pa.float64()
    return pa.string()  # texts, and literals, which here are texts all


def _row(record: dict[str, Any]) -> dict[str, Any]:
    return {name: _time(value) if name in _TIMES and value else value for name, value in record.items()}


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
