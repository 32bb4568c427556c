"""What weighs how much in the guess of a language: scripts, small words by how few languages have them, letters with marks."""

from __future__ import annotations

import pytest

from workers.classify.language import LANGUAGES, guess_language, likely_languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("vesicles", "en"),
        ("300", None),
        ("Οδύσσεια", None),
        ("ist", "de"),
        ("Łódź", "pl"),
        ("Mañana", "es"),
        ("Don’t", "en"),
        ("Ist Herr O hier", "de"),  # "o" is a word of five languages, and speaks for each of them a fifth
        ("the żółć", "pl"),  # three marks are more than one word
        ("the Łeba", "en"),  # one mark is less than a word
        ("El niño y yo, the end", "es"),  # marks are added to what the words say
    ],
)
def test_words_weigh_by_how_few_languages_have_them_and_marks_weigh_half(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("가가가", "ko"),
        ("ヿ", "ja"),
        ("abcde가나", "ko"),
        ("abc가", None),
        ("the 가나다라 and", "ko"),
    ],
)
def test_a_script_decides_where_more_than_a_quarter_of_the_letters_are_of_it(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("die ist und der mit, che di gli", {"de", "it"}),
        ("die ist und der mit, che di", {"de"}),
        ("sin", {"es"}),
        ("sin los muy", {"es"}),
        ("부작용이 없어요", {"ko"}),
        ("300 %", LANGUAGES),
        ("Οδύσσεια", LANGUAGES),
        ("vesicles", LANGUAGES),
    ],
)
def test_the_languages_near_the_best_guess_are_likely_and_all_where_nothing_is_known(text: str, languages: set[str]) -> None:
    assert likely_languages(text) == languages
