"""Cuts a text into windows that the model reads one at a time: whole sentences, as many as fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from workers.classify.wordpiece import Piece

WINDOW = 160  # pieces; most posts fit into one window
MAX_WINDOWS = 48  # of one text: three times an article of 2,000 words, and well under a second

Window = tuple[int, int]  # a half-open run of pieces


def windows(pieces: Sequence[Piece], ends: Sequence[int]) -> list[Window]:
    """The pieces as windows. `ends` are the places where sentences end; a sentence that is too long is cut."""
    if len(pieces) <= WINDOW:
        return [(0, len(pieces))] if pieces else []
    found: list[Window] = []
    start = 0
    for stop in _sentence_stops(pieces, ends):
        if stop - start <= WINDOW:
            if found and found[-1][1] == start and stop - found[-1][0] <= WINDOW:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((start, stop))
        else:
            found += [(at, min(at + WINDOW, stop)) for at in range(start, stop, WINDOW)]
        start = stop
    return found


def worth_reading(found: list[Window], pieces: Sequence[Piece], places: Sequence[tuple[int, int]]) -> list[Window]:
    """Of more than MAX_WINDOWS windows those that name the topic, then their neighbours, then the first; in the text's order.

    `places` are the sorted spans where the topic is named.
    """
    if len(found) <= MAX_WINDOWS:
        return found
    starts = [start for start, _ in places]
    named = {
        at
        for at, (first, last) in enumerate(found)
        if bisect_left(starts, pieces[first][1]) < bisect_left(starts, pieces[last - 1][2])
    }
    beside = {near for at in named for near in (at - 1, at + 1) if 0 <= near < len(found)} - named
    ranked = [*sorted(named), *sorted(beside), *sorted(set(range(len(found))) - named - beside)]
    return [found[at] for at in sorted(ranked[:MAX_WINDOWS])]


def _sentence_stops(pieces: Sequence[Piece], ends: Sequence[int]) -> list[int]:
    starts = [start for _, start, _ in pieces]
    stops = sorted({bisect_left(starts, end) for end in ends} | {len(pieces)})
    return [stop for stop in stops if stop > 0]
