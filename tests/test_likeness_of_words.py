"""How like two wordings are: three views in one vector of length 1, less what is usual."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workers.classify.likeness import WEIGHTS, Array, Likeness, views_of

NO_VIEW = np.zeros(2, dtype=np.float32)


def numbers(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


def words_alike(one: str, other: str) -> float:
    """The cosine of two wordings of which only the words are looked at."""
    like = Likeness({})
    first, second = (like.vector(NO_VIEW, NO_VIEW, text) for text in (one, other))
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / (lengths or 1.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("cures warts", "cures warts", 1.0),
        ("cures warts", "warts, cures!", 1.0),
        ("cures warts", "cures, cures warts", 3 / math.sqrt(10)),
        ("cures warts", "cures boils", 0.5),
        ("regrowing", "regrown", 1.0),  # five letters of a word count
        ("regrown", "regress", 0.0),
        ("healthy", "healths", 1.0),
        ("he is fit", "fit", 1.0),  # words of one or two letters do not
        ("fit", "fits", 0.0),
        ("b12 b6", "b12", 1.0),
        # elsewhere also every pair of letters, and words of two
        ("né", "né", 1.0),
        ("皮膚", "皮膚", 1.0),
        ("皮膚", "皮膚の", 1 / math.sqrt(3)),
        ("éàü", "àü", 1 / math.sqrt(3)),
        ("аб", "вг", 0.0),
    ],
)
def test_words_are_alike_by_their_beginnings(one: str, other: str, expected: float) -> None:
    assert words_alike(one, other) == pytest.approx(expected, abs=1e-6)


def test_words_of_two_latin_letters_say_nothing() -> None:
    assert not Likeness({}).vector(NO_VIEW, NO_VIEW, "he is ok").any()


def test_each_word_has_one_place_of_256_and_a_sign() -> None:
    _, _, sketch = views_of(NO_VIEW, NO_VIEW, "warts")
    assert sketch.shape == (256,)
    assert np.abs(sketch).sum() == 1.0
    # The places are part of what is stored: a claim on record is compared with the vectors of later versions.
    places = {"warts": (238, -1.0), "boils": (231, 1.0), "scars": (10, 1.0), "spots": (247, 1.0)}
    for word, (place, sign) in places.items():
        sketch = views_of(NO_VIEW, NO_VIEW, word)[2]
        assert (int(np.flatnonzero(sketch)[0]), float(sketch.sum())) == (place, sign)


def test_the_three_views_weigh_as_chosen_and_make_a_vector_of_length_one() -> None:
    made = Likeness({}).vector(numbers(3, 4), numbers(0, 7, 0), "warts")
    assert float(np.linalg.norm(made)) == pytest.approx(1.0)
    assert made.shape == (2 + 3 + 256,)
    parts = (made[:2], made[2:5], made[5:])
    assert [float(np.linalg.norm(part)) ** 2 for part in parts] == pytest.approx([weight / sum(WEIGHTS) for weight in WEIGHTS])
    assert made[:2] / made[0] == pytest.approx([1, 4 / 3])
    assert made[2] == made[4] == 0
    assert made[3] > 0


def test_a_view_that_sees_nothing_is_left_empty() -> None:
    made = Likeness({}).vector(numbers(0, 0), numbers(0, 0), "")
    assert made.tolist() == [0.0] * (4 + 256)


def test_of_the_views_the_claim_is_measured_before_the_usual_is_taken_off_and_the_words_are_not() -> None:
    claim, words, sketch = views_of(numbers(3, 4), numbers(3, 4), "warts boils")
    assert claim == pytest.approx([0.6, 0.8])
    assert words == pytest.approx([3, 4])
    assert float(np.linalg.norm(sketch)) == pytest.approx(1.0)


def test_what_is_usual_in_a_view_is_taken_off() -> None:
    usual = {"claim.mean": numbers(0.6, 0), "state.mean": numbers(3, 0), "sketch.mean": views_of(NO_VIEW, NO_VIEW, "warts")[2]}
    made = Likeness(usual).vector(numbers(3, 4), numbers(3, 4), "warts")
    assert made[:4] == pytest.approx([0, math.sqrt(2 / 3), 0, math.sqrt(1 / 3)])
    assert not made[4:].any(), "words that all wordings have say nothing"


def test_a_word_that_comes_and_goes_counts_less_than_one_that_is_rare() -> None:
    places = {word: int(np.flatnonzero(views_of(NO_VIEW, NO_VIEW, word)[2])[0]) for word in ("warts", "boils")}
    spread = np.ones(256, dtype=np.float32)
    spread[places["warts"]] = 4
    made = Likeness({"sketch.spread": spread}).vector(NO_VIEW, NO_VIEW, "warts boils")[4:]
    assert abs(made[places["boils"]]) == pytest.approx(4 * abs(made[places["warts"]]))
