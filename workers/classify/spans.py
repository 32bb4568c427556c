"""Which words of a text carry a claim, from what the model says of each piece: pure functions over numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from workers.classify.wordpiece import Piece

_WORTH_A_LOOK = 0.3  # a type whose best word is below it makes no claim here
_SURE = 1e-3  # probabilities are kept this far from 0 and 1, so that one word outweighs no sentence
_OPENING = 1.6  # nats that a run of words must bring to count as a claim of its own: keeps out crumbs
_PARTING = 1.2  # nats against cutting one run in two
_BEGIN_WEIGHT = 0.7


class Span(msgspec.Struct, frozen=True):
    """A run of pieces that carries a claim: `first` to `last`, the last exclusive. `inside` is how sure they are."""

    kind: int
    first: int
    last: int
    inside: float


def words_of(pieces: Sequence[Piece], text: str) -> list[tuple[int, int]]:
    """The pieces of each word as half-open runs. Pieces that touch within letters or digits are one word."""
    runs: list[tuple[int, int]] = []
    for at, (_, start, _) in enumerate(pieces):
        touches = at > 0 and pieces[at - 1][2] == start and text[start].isalnum() and text[start - 1].isalnum()
        if touches and not _ideographic(text[start]):
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs


def find_spans(
    words: Sequence[tuple[int, int]], inside: Sequence[Sequence[float]], begin: Sequence[Sequence[float]]
) -> list[Span]:
    """The claims of each type. `inside[piece][type]` is the chance that a piece lies in a quote of that type, `begin` that one
    starts there. Of all ways to cut the words into quotes the likeliest is taken (Viterbi over outside, first and further)."""
    spans: list[Span] = []
    for kind in range(len(inside[0]) if len(inside) else 0):
        chances = [sum(inside[piece][kind] for piece in range(a, b)) / (b - a) for a, b in words]
        if max(chances, default=0.0) < _WORTH_A_LOOK:
            continue
        starts = [begin[a][kind] for a, _ in words]
        for first, last in _cut(chances, starts):
            chance = sum(chances[first:last]) / (last - first)
            spans.append(Span(kind, words[first][0], words[last - 1][1], chance))
    return sorted(spans, key=lambda span: (span.first, span.last, span.kind))


def _cut(chances: Sequence[float], starts: Sequence[float]) -> list[tuple[int, int]]:
    """The likeliest runs of words, as half-open pairs."""
    outside, in_run = 0.0, -math.inf  # the score of the best way that ends outside, or in a run
    ways: list[tuple[bool, bool, bool]] = []  # for each word: outside came of a run; the run is new; it came of another run
    for chance, start in zip(chances, starts, strict=True):
        odds = _logit(chance)
        bonus = _BEGIN_WEIGHT * _logit(start)
        new_after_none, new_after_run, going_on = outside + odds - _OPENING, in_run + odds + bonus - _PARTING, in_run + odds
        left_run = in_run > outside
        outside, in_run, way = (
            max(outside, in_run),
            max(new_after_none, new_after_run, going_on),
            (
                left_run,
                going_on < max(new_after_none, new_after_run),
                new_after_run > new_after_none,
            ),
        )
        ways.append(way)
    runs: list[tuple[int, int]] = []
    state_in_run, end = in_run > outside, len(ways)
    for at in range(len(ways) - 1, -1, -1):
        left_run, is_new, after_run = ways[at]
        if not state_in_run:
            if left_run:
                state_in_run, end = True, at
            continue
        if is_new:
            runs.append((at, end))
            state_in_run, end = after_run, at
    return runs[::-1]


def _logit(chance: float) -> float:
    chance = min(max(chance, _SURE), 1 - _SURE)
    return math.log(chance / (1 - chance))


def _ideographic(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff"
