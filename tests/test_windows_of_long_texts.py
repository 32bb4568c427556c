"""Windows of a long text: as many whole sentences as fit, and of too many those that speak of the topic."""

from __future__ import annotations

import pytest

from workers.classify.windows import MAX_WINDOWS, WINDOW, windows, worth_reading
from workers.classify.wordpiece import Piece


def test_the_numbers_below_are_made_for_these_sizes() -> None:
    assert (WINDOW, MAX_WINDOWS) == (160, 48)


def line(length: int) -> list[Piece]:
    """Pieces of one letter with a space after each."""
    return [(5, 2 * n, 2 * n + 1) for n in range(length)]


def cut(length: int, *stops: int) -> list[tuple[int, int]]:
    """The windows of a text of which sentences end before these pieces."""
    return windows(line(length), [2 * stop - 1 for stop in stops])


@pytest.mark.parametrize(
    ("length", "stops", "expected"),
    [
        (1, (), [(0, 1)]),
        (160, (40, 80), [(0, 160)]),
        (161, (), [(0, 160), (160, 161)]),
        (161, (160,), [(0, 160), (160, 161)]),
        (161, (161,), [(0, 160), (160, 161)]),
        (161, (1,), [(0, 1), (1, 161)]),
        (162, (1,), [(0, 1), (1, 161), (161, 162)]),
        (200, (100,), [(0, 100), (100, 200)]),
        (200, (100, 100), [(0, 100), (100, 200)]),
        (200, (100, 160), [(0, 160), (160, 200)]),
        (200, (100, 161), [(0, 100), (100, 200)]),
        (200, (40, 80, 120), [(0, 120), (120, 200)]),
        (320, (160,), [(0, 160), (160, 320)]),
        (400, (100, 150, 300, 310), [(0, 150), (150, 310), (310, 400)]),
        (600, (100, 500), [(0, 100), (100, 260), (260, 420), (420, 500), (500, 600)]),
        (600, (100, 500, 510), [(0, 100), (100, 260), (260, 420), (420, 510), (510, 600)]),
        (400, (330,), [(0, 160), (160, 320), (320, 400)]),
    ],
)
def test_a_window_is_as_many_whole_sentences_as_fit(length: int, stops: tuple[int, ...], expected: list[tuple[int, int]]) -> None:
    assert cut(length, *stops) == expected


def test_the_end_of_a_sentence_before_all_words_begins_no_window() -> None:
    assert windows(line(161), [0, 100]) == [(0, 50), (50, 161)]


def many(count: int, size: int = 10) -> tuple[list[tuple[int, int]], list[Piece]]:
    return [(n * size, (n + 1) * size) for n in range(count)], line(count * size)


def read(count: int, *places: tuple[int, int]) -> list[int]:
    """Which windows of so many are read of a text that names the topic in these places (by piece)."""
    found, pieces = many(count)
    kept = worth_reading(found, pieces, [(2 * first, 2 * last) for first, last in places])
    assert set(kept) <= set(found)
    return [first // 10 for first, _ in kept]


def test_of_as_many_as_may_be_read_all_are() -> None:
    assert read(48) == list(range(48))
    assert read(48, (475, 476)) == list(range(48))


def test_without_the_topic_the_first_are_read() -> None:
    assert read(49) == list(range(48))


@pytest.mark.parametrize("piece", [600, 604, 609])
def test_a_window_is_read_that_names_the_topic_anywhere_in_it_and_its_neighbours(piece: int) -> None:
    assert read(100, (piece, piece + 1)) == [*range(45), 59, 60, 61]


def test_a_topic_that_is_named_just_before_a_window_counts_for_the_one_before() -> None:
    assert read(100, (599, 602)) == [*range(45), 58, 59, 60]


def test_neighbours_stay_within_the_text() -> None:
    assert read(100, (0, 1), (999, 1000)) == [*range(46), 98, 99]


def test_windows_that_name_the_topic_go_before_neighbours_and_neighbours_before_the_first() -> None:
    every_other = [(10 * n, 10 * n + 1) for n in range(1, 99, 2)]
    assert read(100, *every_other[-48:]) == list(range(3, 99, 2))
    half = [(10 * n, 10 * n + 1) for n in range(50, 90, 2)]
    named = set(range(50, 90, 2))
    beside = set(range(49, 91, 2))
    assert read(100, *half) == sorted([*range(48 - len(named) - len(beside)), *named, *beside])
    assert read(60, *[(10 * n, 10 * n + 1) for n in range(12, 60)]) == list(range(12, 60)), "all that name it, and no neighbour"
    assert read(60, *[(10 * n, 10 * n + 1) for n in range(13, 60)]) == list(range(12, 60)), "one neighbour, and not the first"
    odd = list(range(1, 95, 2))
    assert read(100, *[(10 * n, 10 * n + 1) for n in odd]) == [0, *odd], "the first window can be a neighbour, too"
