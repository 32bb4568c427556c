"""Quotes marked in the text that they stand in. Pure; offsets count code points of the text as it was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from monitor.words import Occurrence

# Marks that turn the direction of whatever follows them, also outside of the text that they came with.
_TURNING = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_ROUND = 160  # characters that an excerpt shows before and after a quote
_WHOLE = 600  # characters: a text that is not longer is shown whole


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a text: `said` is the occurrence that it belongs to, None between them."""

    text: str
    said: Occurrence | None


def readable(text: str) -> str:
    """The text without the marks that turn its direction: what is shown then stands where it was written."""
    return text.translate(_TURNING)


def pieces(text: str, found: Sequence[Occurrence], start: int = 0, end: int | None = None) -> list[Piece]:
    """The text from `start` to `end` in stretches, each marked or not. Of quotes that overlap the one that begins first has the
    shared part."""
    end = len(text) if end is None else min(end, len(text))
    made: list[Piece] = []
    at = start
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        begin, stop = max(one.start, at), min(one.end, end)
        if begin >= stop:
            continue
        if begin > at:
            made.append(Piece(readable(text[at:begin]), None))
        made.append(Piece(readable(text[begin:stop]), one))
        at = stop
    if at < end:
        made.append(Piece(readable(text[at:end]), None))
    return made


def excerpts(text: str, found: Sequence[Occurrence]) -> list[Piece]:
    """A short text whole; of a long one what stands around the quotes, or its beginning, with `…` where something is left out."""
    if len(text) <= _WHOLE:
        return pieces(text, found)
    made: list[Piece] = []
    last = 0
    for start, end in _windows(text, found):
        if start > last:
            made.append(Piece(" … " if made else "… ", None))
        made += pieces(text, found, start, end)
        last = end
    return [*made, Piece(" …", None)] if last < len(text) else made


def _windows(text: str, found: Sequence[Occurrence]) -> Iterator[tuple[int, int]]:
    """Stretches around the quotes, in order, those that touch as one."""
    if not found:
        yield 0, _word_end(text, _WHOLE // 2)
        return
    spans = sorted((max(0, one.start - _ROUND), min(len(text), one.end + _ROUND)) for one in found)
    start, end = spans[0]
    for begin, stop in spans[1:]:
        if begin <= end:
            end = max(end, stop)
        else:
            yield _word_start(text, start), _word_end(text, end)
            start, end = begin, stop
    yield _word_start(text, start), _word_end(text, end)


def _word_start(text: str, at: int) -> int:
    if at == 0:
        return 0
    blank = text.find(" ", at, at + 30)
    return blank + 1 if blank >= 0 else at


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    blank = text.rfind(" ", at - 30, at)
    return blank if blank >= 0 else at
