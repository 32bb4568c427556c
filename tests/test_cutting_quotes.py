"""Which words make a quote: the likeliest way to cut a text, word by word, and what counts as one word."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest

from workers.classify.spans import Span, find_spans, words_of

OPENING, PARTING, BEGINNING, SURE = (
    1.6,
    1.2,
    0.7,
    1e-3,
)  # as spans.py says: nats to open a quote, to part one, and what a start counts


def quotes(inside: Sequence[float], begin: Sequence[float]) -> list[tuple[int, int]]:
    words = [(n, n + 1) for n in range(len(inside))]
    return [(one.first, one.last) for one in find_spans(words, [[chance] for chance in inside], [[chance] for chance in begin])]


def odds(chance: float) -> float:
    kept = min(max(chance, SURE), 1 - SURE)
    return math.log(kept) - math.log(1 - kept)


def worth(runs: Sequence[tuple[int, int]], inside: Sequence[float], begin: Sequence[float]) -> float:
    """What one way to cut a text brings, in nats."""
    total = 0.0
    for number, (first, last) in enumerate(runs):
        parted = number > 0 and runs[number - 1][1] == first
        total += BEGINNING * odds(begin[first]) - PARTING if parted else -OPENING
        total += sum(map(odds, inside[first:last]))
    return total


def ways(length: int) -> list[list[tuple[int, int]]]:
    """Every way to cut a text of so many words: each stands outside (0), begins a quote (1) or goes on with one (2)."""
    found = []
    for marks in itertools.product((0, 1, 2), repeat=length):
        if all(mark != 2 or (at and marks[at - 1]) for at, mark in enumerate(marks)):
            starts = [at for at, mark in enumerate(marks) if mark == 1]
            found.append([(at, next((n for n in range(at + 1, length) if marks[n] != 2), length)) for at in starts])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_of_all_ways_to_cut_a_text_the_likeliest_is_taken(seed: int) -> None:
    chosen = random.Random(seed)
    for length in (1, 2, 3, 5, 6):
        every = ways(length)
        for _ in range(25):
            # Chances of 0 and 1 are what a network says of words that it is sure of; odds of them would be endless.
            inside = [chosen.choice([0.0, 0.35, 0.6, 0.8, 1.0, chosen.random()]) for _ in range(length)]
            begin = [chosen.choice([0.0, 0.5, 0.9, 1.0, chosen.random()]) for _ in range(length)]
            if max(inside) < 0.3:
                continue
            best = max(every, key=lambda runs: worth(runs, inside, begin))
            assert worth(quotes(inside, begin), inside, begin) == pytest.approx(worth(best, inside, begin))


def test_a_type_of_which_no_word_is_likely_enough_has_no_quote() -> None:
    assert quotes([0.29, 0.29, 0.29], [0.999] * 3) == []
    assert quotes([0.3, 0.3, 0.3], [0.999] * 3) == [(0, 1), (1, 2), (2, 3)]


def test_no_words_have_no_quotes() -> None:
    assert find_spans([], [], []) == []
    assert find_spans([], [[0.9]], [[0.9]]) == []


def test_a_quote_says_its_type_its_pieces_and_how_sure_its_words_are_on_average() -> None:
    inside = [[0.0, 0.0], [0.0, 0.9], [0.0, 0.7], [0.0, 0.9], [0.0, 0.95], [0.0, 0.0], [0.0, 0.0]]
    (one,) = find_spans([(0, 1), (1, 3), (3, 5), (5, 6), (6, 7)], inside, [[0.02, 0.02]] * 7)
    assert (one.kind, one.first, one.last) == (1, 1, 5)
    assert one.inside == pytest.approx((0.8 + 0.925) / 2), "each word counts once, with the mean of its pieces"


def test_quotes_of_several_types_stand_in_the_order_of_the_text_then_of_the_types() -> None:
    none, both, first, last = [0.0, 0.0, 0.0], [0.95, 0.95, 0.0], [0.95, 0.0, 0.0], [0.0, 0.0, 0.95]
    inside = [last, last, none, both, both, first]
    found = find_spans([(n, n + 1) for n in range(6)], inside, [[0.02] * 3] * 6)
    assert [(one.kind, one.first, one.last) for one in found] == [(2, 0, 2), (1, 3, 5), (0, 3, 6)]
    again = find_spans([(n, n + 1) for n in range(3)], [both, both, none], [[0.02] * 3] * 3)
    assert [(one.kind, one.first, one.last) for one in again] == [(0, 0, 2), (1, 0, 2)]


def test_a_quote_begins_where_the_first_piece_of_its_word_may_begin_one() -> None:
    inside = [[0.95]] * 4
    assert find_spans([(0, 2), (2, 4)], inside, [[0.5], [0.5], [0.99], [0.0]]) == [Span(0, 0, 2, 0.95), Span(0, 2, 4, 0.95)]
    assert find_spans([(0, 2), (2, 4)], inside, [[0.5], [0.5], [0.0], [0.99]]) == [Span(0, 0, 4, 0.95)]


def words(text: str, *pieces: str) -> list[str]:
    """The words of a text of these pieces, which stand in it in this order."""
    places, at = [], 0
    for piece in pieces:
        at = text.index(piece, at)
        places.append((7, at, at + len(piece)))
        at += len(piece)
    found = words_of(places, text)
    assert [piece for first, last in found for piece in range(first, last)] == list(range(len(pieces))), "each piece once"
    return [text[places[first][1] : places[last - 1][2]] for first, last in found]


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("skin care", ("skin", "care"), ["skin", "care"]),
        ("skincare", ("skin", "care"), ["skincare"]),
        ("ab skincares now", ("ab", "skin", "care", "s", "now"), ["ab", "skincares", "now"]),
        ("a b", ("a", "b"), ["a", "b"]),
        ("300mg", ("3", "00", "mg"), ["300mg"]),
        ("50%", ("50", "%"), ["50", "%"]),
        ("50%off", ("50", "%", "off"), ["50", "%", "off"]),
        ("no-risk", ("no", "-", "risk"), ["no", "-", "risk"]),
        ("!go", ("!", "go"), ["!", "go"]),
        ("a!", ("a", "!"), ["a", "!"]),
        ("x!!y", ("x", "!", "!", "y"), ["x", "!", "!", "y"]),
        ("ну-ка", ("ну", "-", "ка"), ["ну", "-", "ка"]),
        ("치료를", ("치료", "를"), ["치료를"]),
        # each sign of scripts without spaces may begin a word: of the kana and the Han letters the first and the last
        ("皮膚炎", ("皮膚", "炎"), ["皮膚", "炎"]),
        ("a皮膚", ("a", "皮膚"), ["a", "皮膚"]),
        ("皮膚a", ("皮膚", "a"), ["皮膚a"]),
        ("aぁ", ("a", "ぁ"), ["a", "ぁ"]),
        ("aヿ", ("a", "ヿ"), ["a", "ヿ"]),
        ("a\u3400", ("a", "\u3400"), ["a", "\u3400"]),
        ("a\u9fff", ("a", "\u9fff"), ["a", "\u9fff"]),
        ("aㄅ", ("a", "ㄅ"), ["aㄅ"]),
        ("aꀀ", ("a", "ꀀ"), ["aꀀ"]),
    ],
)
def test_pieces_that_touch_within_letters_or_digits_are_one_word(text: str, pieces: tuple[str, ...], expected: list[str]) -> None:
    assert words(text, *pieces) == expected
