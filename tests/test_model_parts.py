"""The small parts that the trained reader is made of: pieces, windows, spans."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.classify.spans import find_spans, words_of
from workers.classify.windows import MAX_WINDOWS, WINDOW, windows, worth_reading
from workers.classify.wordpiece import WordPieces

VOCABULARY = [
    *(
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "exo",
        "##some",
        "##s",
        "skin",
        "##y",
        ".",
        "3",
        "##00",
        "%",
        "治療",
        "治",
        "す",
        "##る",
    ),
    *("ᄎ", "##ᅵ", "##ᄅ", "##ᅭ", "치료", "##를"),
]


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return WordPieces([unicodedata.normalize("NFD", piece) if "가" <= piece[-1] <= "힣" else piece for piece in VOCABULARY])


def cut(pieces: WordPieces, text: str) -> list[str]:
    return [text[start:end] for _, start, end in pieces.cut(text)]


def test_a_word_is_cut_into_its_longest_known_pieces(pieces: WordPieces) -> None:
    assert cut(pieces, "exosomes skiny.") == ["exo", "some", "s", "skin", "y", "."]
    assert cut(pieces, "300%") == ["3", "00", "%"]


def test_an_unknown_letter_costs_one_piece_and_no_more(pieces: WordPieces) -> None:
    assert [number for number, _, _ in pieces.cut("skinщs")] == [7, pieces.unknown, 6]


def test_words_without_spaces_are_found_inside_a_japanese_run(pieces: WordPieces) -> None:
    assert cut(pieces, "治療する") == ["治療", "す", "る"]


def test_korean_endings_are_pieces_of_their_own(pieces: WordPieces) -> None:
    assert cut(pieces, "치료를") == ["치료", "를"]
    assert cut(pieces, "치") == ["치", "치"], "both letters of a syllable that is no piece point at all of it"


@given(st.text(max_size=300))
def test_pieces_stand_in_order_inside_the_text(text: str) -> None:
    found = WordPieces(VOCABULARY).cut(text)
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    assert [start for _, start, _ in found] == sorted(start for _, start, _ in found)


def line(length: int) -> list[tuple[int, int, int]]:
    return [(5, 2 * n, 2 * n + 1) for n in range(length)]


def test_a_short_text_is_one_window_and_an_empty_one_none() -> None:
    assert windows(line(WINDOW), [10, 20]) == [(0, WINDOW)]
    assert windows([], []) == []


def test_windows_hold_whole_sentences_and_every_piece_once() -> None:
    ends = [2 * n for n in (100, 150, 260, 270, 900)]
    found = windows(line(1_000), ends)
    assert found[:3] == [(0, 150), (150, 270), (270, 270 + WINDOW)]
    assert [n for first, last in found for n in range(first, last)] == list(range(1_000))
    assert all(last - first <= WINDOW for first, last in found)


def test_of_an_endless_text_the_windows_that_name_the_topic_are_read() -> None:
    pieces = line(WINDOW * 100)
    found = windows(pieces, [])
    named = pieces[WINDOW * 90 + 5]
    kept = worth_reading(found, pieces, [(named[1], named[2])])
    assert len(kept) == MAX_WINDOWS
    assert {(WINDOW * at, WINDOW * (at + 1)) for at in (0, 89, 90, 91)} <= set(kept)
    assert kept == sorted(kept)


def test_pieces_of_one_word_belong_together_and_signs_stand_alone() -> None:
    text = "exosomes!治療"
    pieces = [(1, 0, 3), (2, 3, 7), (3, 7, 8), (4, 8, 9), (5, 9, 10), (6, 10, 11)]
    assert words_of(pieces, text) == [(0, 3), (3, 4), (4, 5), (5, 6)]


def spans(inside: list[float], begin: list[float] | None = None) -> list[tuple[int, int]]:
    words = [(n, n + 1) for n in range(len(inside))]
    found = find_spans(words, [[chance] for chance in inside], [[chance] for chance in (begin or [0.1] * len(inside))])
    return [(span.first, span.last) for span in found]


def test_a_run_of_likely_words_is_one_quote() -> None:
    assert spans([0.02, 0.9, 0.95, 0.9, 0.03]) == [(1, 4)]


def test_a_doubtful_word_between_sure_ones_does_not_cut_the_quote() -> None:
    assert spans([0.95, 0.95, 0.4, 0.95, 0.95]) == [(0, 5)]


def test_a_likely_beginning_cuts_a_run_in_two() -> None:
    assert spans([0.95] * 6, [0.9, 0.05, 0.05, 0.97, 0.05, 0.05]) == [(0, 3), (3, 6)]


def test_a_crumb_is_no_quote() -> None:
    assert spans([0.02, 0.02, 0.6, 0.02, 0.02]) == []


@given(st.lists(st.floats(0, 1), max_size=40), st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_quotes_never_overlap_nor_leave_the_text(inside: list[float], begin: list[float]) -> None:
    found = spans(inside, begin[: len(inside)])
    flat = [n for first, last in found for n in range(first, last)]
    assert flat == sorted(set(flat))
    assert all(0 <= first < last <= len(inside) for first, last in found)
