"""Reading posts line by line from files that may hold anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

MAX_LINE = 10_000_000  # bytes: far more than is kept of a post, and nothing that fills the memory
_BOM = b"\xef\xbb\xbf"


class LineError(ValueError):
    """A line that cannot be read as text; the message says why."""


def bounded_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """The lines with their numbers, from 1, and their lengths in bytes; of one that is too long only its beginning."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        length, rest = len(line), line
        while rest and not rest.endswith(b"\n") and len(rest) > MAX_LINE:
            rest = file.readline(MAX_LINE + 1)
            length += len(rest)
        yield number, line, length


def text_of(line: bytes) -> str:
    """The text of a line, without blanks around it. Raises LineError."""
    if len(line.rstrip(b"\r\n")) > MAX_LINE:
        raise LineError(f"longer than {MAX_LINE:,} bytes")
    try:
        return line.removeprefix(_BOM).decode().strip()  # a mark on any line: files are put together of others
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None
