"""The formats: records in, bytes out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from monitor import words
from monitor.cells import csv_cell
from monitor.export.rows import ROWS, Kind
from monitor.extras import not_installed

CONTENT_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
FORMATS = tuple(CONTENT_TYPES)


class FormatMissing(Exception):  # noqa: N818 - a state of the installation, named as one
    """The format needs a library that is not installed; the text says how to get it."""


class Writer(Protocol):
    """Makes a file: `begin`, `add` as often as wanted, `end`, in that order; what each gives back follows what was before it."""

    def begin(self) -> bytes: ...
    def add(self, items: Sequence[Any]) -> bytes: ...
    def end(self) -> bytes: ...


def writer(form: str, kind: Kind) -> Writer:
    """A writer of records of this kind. Raises FormatMissing."""
    if form == "csv":
        return _Csv(ROWS[kind])
    if form == "jsonl":
        return _JsonLines()
    try:
        from monitor.export.parquet import ParquetFile  # noqa: PLC0415 - pyarrow is an extra, and big
    except ImportError:
        raise FormatMissing(not_installed("Parquet needs pyarrow")) from None
    return ParquetFile(ROWS[kind])


class _JsonLines:
    """One record a line, as HTTP answers it."""

    def begin(self) -> bytes:
        return b""

    def add(self, items: Sequence[Any]) -> bytes:
        return b"".join(words.encode(item) + b"\n" for item in items)

    def end(self) -> bytes:
        return b""


class _Csv:
    """A row of names, then one a record; what is nested stands in its cell as JSON."""

    def __init__(self, of: type[msgspec.Struct]) -> None:
        self._names = of.__struct_fields__

    def begin(self) -> bytes:
        return _csv([self._names])

    def add(self, items: Sequence[Any]) -> bytes:
        return _csv([[csv_cell(getattr(item, name)) for name in self._names] for item in items])

    def end(self) -> bytes:
        return b""


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
