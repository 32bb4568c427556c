"""Reads posts from files that people hand in: JSONL, a post a line, and CSV with a line of names. Files may hold anything."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from monitor.intake import PostError, post_from
from monitor.lines import MAX_LINE, LineError, bounded_lines, text_of
from monitor.words import Post

SUFFIXES = (".jsonl", ".ndjson", ".csv")
_DELIMITERS = (",", ";", "\t")
csv.field_size_limit(MAX_LINE)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A post of a file, or why there is none. `number` is its line (of CSV the last of them); `end`: bytes read up to here."""

    number: int
    end: int
    post: Post | None = None
    error: str | None = None


def read_posts(file: IO[bytes], name: str, platform: str | None = None) -> Iterator[Row]:
    """The posts of an open file of this name, as `post_from` reads them; where one names no platform it is from `platform`.

    What is not CSV by its name is JSONL. Empty lines are left out.
    """
    rows = _read_csv if Path(name).suffix.lower() == ".csv" else _read_jsonl
    return rows(file, lambda raw: _post_from(raw, platform))


def _post_from(raw: Any, platform: str | None) -> Post:
    if platform is not None and isinstance(raw, dict) and not raw.get("platform"):
        raw = {**raw, "platform": platform}
    return post_from(raw)


def _read_jsonl(file: IO[bytes], to_post: Callable[[Any], Post]) -> Iterator[Row]:
    end = 0
    for number, line, length in bounded_lines(file):
        end += length
        try:
            text = text_of(line)
            if text:
                yield Row(number=number, end=end, post=to_post(_parsed(text)))
        except (LineError, PostError) as error:
            yield Row(number=number, end=end, error=str(error))


def _parsed(text: str) -> Any:
    """What a line of JSON holds. Raises PostError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise PostError(f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    except RecursionError:
        raise PostError("not JSON that can be read: nested too deeply") from None
    except ValueError:  # Python's guard against numbers of thousands of digits
        raise PostError("not JSON that can be read: a number has too many digits") from None


def _read_csv(file: IO[bytes], to_post: Callable[[Any], Post]) -> Iterator[Row]:
    at = _At()
    lines = at.follow(file)
    try:
        first = next(lines, None)
        if first is None:
            return
        delimiter = max(_DELIMITERS, key=first.count)
        names = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter), [])]
    except (LineError, csv.Error) as error:
        yield Row(number=at.number, end=at.end, error=str(error))
        return
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            cells = next(rows, None)
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                # An empty cell says nothing, as a key that is not there.
                raw = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
                yield Row(number=at.number, end=at.end, post=to_post(raw))
        except (LineError, PostError, csv.Error) as error:
            yield Row(number=at.number, end=at.end, error=str(error))
            if isinstance(error, LineError):
                return  # it cannot be said where the next row begins


class _At:
    """How far a file was read: CSV's rows may go over several lines."""

    def __init__(self) -> None:
        self.number = 0
        self.end = 0

    def follow(self, file: IO[bytes]) -> Iterator[str]:
        for number, line, length in bounded_lines(file):
            self.number = number
            self.end += length
            if len(line) > MAX_LINE:
                raise LineError(f"longer than {MAX_LINE:,} bytes")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").replace("\0", "\ufffd")
            except UnicodeDecodeError:
                raise LineError("not UTF-8; nothing after it is read") from None
