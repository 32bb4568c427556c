"""The coverage of a source as a strip: what was surely heard of it, where posts may be missing, where some came late.

The time is cut into cells, so that a gap of a minute can be seen on a strip of days, and the page stays small however many gaps
there were. A gap wins over what is covered beside it in the same cell.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

import msgspec
from markupsafe import Markup

from monitor.times import parse_time
from monitor.words import Coverage

DAYS = 7
CELLS = DAYS * 24 * 2  # half hours
CELL_MS = 1_800_000
_HEIGHT = 14
_LATE_HEIGHT = 4  # of the mark above
_SAID = {"covered": "covered", "gap": "possible gap", "unknown": "nothing known"}

What = Literal["covered", "gap", "unknown"]
_COVERED: What = "covered"
_GAP: What = "gap"


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """A strip, cell by cell from `first` (ms) on. `share` is how much of the time of which anything is known is covered, None
    where nothing is; `late` the cell in which the last late post came, if it is here: the ledger counts the
    others and does not know when they came."""

    first: int
    cells: tuple[What, ...]
    share: float | None
    late: int | None


def strip(found: Coverage, now: int) -> Strip:
    """What the ledger of a source says of the last DAYS before `now` (ms)."""
    first = now - CELLS * CELL_MS
    covered = [(parse_time(one.since) - first, parse_time(one.until) - first) for one in found.covered]
    missed = [(parse_time(one.since) - first, parse_time(one.until) - first) for one in found.gaps if one.state != "refilled"]
    cells: list[What] = ["unknown"] * CELLS
    for spans, what in ((covered, _COVERED), (missed, _GAP)):
        for start, end in spans:
            for place in _places(start, end):
                cells[place] = what
    known = _length(covered) + _length(missed)
    late = parse_time(found.last_late) - first if found.last_late else -1
    return Strip(
        first=first,
        cells=tuple(cells),
        share=_length(covered) / known if known else None,
        late=late // CELL_MS if 0 <= late < CELLS * CELL_MS else None,
    )


def _places(start: int, end: int) -> range:
    """The cells that a time touches; also one without length is in a cell."""
    return range(max(0, start // CELL_MS), min(CELLS, max(end - 1, start) // CELL_MS + 1))


def _length(spans: Sequence[tuple[int, int]]) -> int:
    """Their time within the strip, in ms."""
    return sum(max(0, min(end, CELLS * CELL_MS) - max(start, 0)) for start, end in spans)


def drawn(of: Strip, name: str, late: int) -> Markup:
    """The strip as SVG, with all of it in words."""
    return Markup(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>'
    ).format(CELLS, _HEIGHT, in_words(of, name, late), Markup("").join(_stretches(of)), _late_mark(of, late))


def in_words(of: Strip, name: str, late: int) -> str:
    """The strip in a sentence."""
    gaps = sum(1 for what, _ in groupby(of.cells) if what == "gap")
    said = "nothing known yet"
    if of.share is not None:
        share = f"{math.floor(of.share * 1_000) / 10:g}%"  # all of it only where nothing is missing
        said = f"{share} covered, {gaps} {'gap' if gaps == 1 else 'gaps'}"
    last = f", the last at {_at(of, of.late)} UTC" if of.late is not None else ""
    return f"{name}, the last {DAYS} days: {said}" + (f", {late:,} late{last}" if late else "")


def _at(of: Strip, cell: int) -> str:
    """When a cell begins: `22 Nov 14:30`, in UTC."""
    moment = time.gmtime((of.first + cell * CELL_MS) / 1000)
    return f"{moment.tm_mday} {time.strftime('%b %H:%M', moment)}"


def _stretches(of: Strip) -> Iterator[Markup]:
    place = 0
    for what, run in groupby(of.cells):
        length = len(list(run))
        if what != "unknown":
            when = Markup("<title>{}, {} to {} UTC</title>").format(_SAID[what], _at(of, place), _at(of, place + length))
            yield Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
                what, place, _LATE_HEIGHT, length, _HEIGHT - _LATE_HEIGHT, when
            )
        place += length


def _late_mark(of: Strip, late: int) -> Markup:
    if of.late is None:
        return Markup("")
    width = 3
    return Markup('<rect class="late" x="{}" y="0" width="{}" height="{}"><title>{}</title></rect>').format(
        min(of.late, CELLS - width), width, _LATE_HEIGHT - 1, f"{late:,} came late, the last at {_at(of, of.late)} UTC"
    )
