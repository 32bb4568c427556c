"""Cutting words into known pieces: what is longest, what is unknown, and scripts that need their own way."""

from __future__ import annotations

import unicodedata

import pytest

from workers.classify.wordpiece import WordPieces

KNOWN = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def cut(text: str, *pieces: str) -> list[tuple[str, str]]:
    """The pieces of a text, with what of the vocabulary each is."""
    vocabulary = [*KNOWN, *pieces]
    return [(text[start:end], vocabulary[number]) for number, start, end in WordPieces(vocabulary).cut(text)]


def spelled(text: str) -> str:
    """Korean syllables letter by letter, as the vocabulary has them."""
    return unicodedata.normalize("NFD", text)


def test_the_marks_are_found_wherever_they_stand_in_the_vocabulary() -> None:
    pieces = WordPieces(["a", "[SEP]", "[CLS]", "b", "[UNK]"])
    assert (pieces.unknown, pieces.first, pieces.last) == (4, 2, 1)
    assert pieces.cut("b a c") == [(3, 0, 1), (0, 2, 3), (4, 4, 5)]


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("skin", ("skin", "sk", "s"), [("skin", "skin")]),
        ("skins", ("skin", "skins", "##s"), [("skins", "skins")]),
        ("skinny", ("sk", "skin", "##ny", "##n"), [("skin", "skin"), ("ny", "##ny")]),
        ("skinskin", ("skin",), [("skin", "skin"), *((letter, "[UNK]") for letter in "skin")]),
        ("kin", ("##kin",), [(letter, "[UNK]") for letter in "kin"]),
        ("a a", ("a",), [("a", "a"), ("a", "a")]),
        ("xa", ("a", "##a"), [("x", "[UNK]"), ("a", "##a")]),
        ("a_b", ("a", "_", "b"), [("a", "a"), ("_", "_"), ("b", "b")]),
        ("a!?", ("a", "!", "!?"), [("a", "a"), ("!", "!"), ("?", "[UNK]")]),
        ("", ("a",), []),
        ("ab", ("a", "##b"), [("a", "a"), ("b", "##b")]),
        ("abcdefgh", ("abcdefgh",), [("abcdefgh", "abcdefgh")]),
        ("x abcdefgh", ("x", "abcdefgh"), [("x", "x"), ("abcdefgh", "abcdefgh")]),
    ],
)
def test_a_word_is_its_longest_known_beginning_and_then_the_longest_that_goes_on(
    text: str, pieces: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert cut(text, *pieces) == expected


def test_a_word_of_over_a_hundred_letters_is_one_unknown_piece() -> None:
    assert cut("n" + "o" * 99, "n", "##o") == [("n", "n"), *[("o", "##o")] * 99]
    assert cut("n" + "o" * 100 + " n", "n", "##o") == [("n" + "o" * 100, "[UNK]"), ("n", "n")]


def test_a_piece_as_long_as_the_longest_of_the_vocabulary_is_found_in_the_middle_of_a_word() -> None:
    assert cut("abcdefghij", "ab", "##cdefghij") == [("ab", "ab"), ("cdefghij", "##cdefghij")]


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("치료를", (spelled("치료"), "##" + spelled("를")), [("치료", spelled("치료")), ("를", "##" + spelled("를"))]),
        (
            "암을",
            (spelled("아"), "##" + spelled("암")[2:], "##" + spelled("을")),
            [("암", spelled("아")), ("암", "##ᆷ"), ("을", "##을")],
        ),
        ("를치", (spelled("를"),), [("를", spelled("를")), ("치", "[UNK]"), ("치", "[UNK]")]),
        # a piece that ends inside a syllable covers all of it
        ("바르", (spelled("바") + "ᄅ", "##ᅳ"), [("바르", spelled("바") + "ᄅ"), ("르", "##ᅳ")]),
    ],
)
def test_korean_is_cut_between_letters_and_shown_in_syllables(
    text: str, pieces: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert [(shown, spelled(piece)) for shown, piece in cut(text, *pieces)] == [
        (shown, spelled(piece)) for shown, piece in expected
    ]


@pytest.mark.parametrize("syllable", ["가", "힣"])
def test_every_korean_syllable_is_read_letter_by_letter(syllable: str) -> None:
    letters = spelled(syllable)
    assert cut(syllable, letters[0], *("##" + letter for letter in letters[1:]))[-1] == (syllable, "##" + letters[-1])


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("皮膚", ("皮膚", "皮", "膚"), [("皮膚", "皮膚")]),
        ("皮膚炎", ("皮", "膚炎", "膚"), [("皮", "皮"), ("膚炎", "膚炎")]),
        ("皮膚炎", ("皮膚",), [("皮膚", "皮膚"), ("炎", "[UNK]")]),
        ("皮膚", ("膚",), [("皮", "[UNK]"), ("膚", "膚")]),
        ("一二三四五六七八", ("一二三四五六七八",), [("一二三四五六七八", "一二三四五六七八")]),
        ("一二三四五六七八九", ("一二三四五六七八九", "九"), [(sign, "[UNK]") for sign in "一二三四五六七八"] + [("九", "九")]),
        # what stands between Han signs is cut as elsewhere
        ("治る", ("治", "る"), [("治", "治"), ("る", "る")]),
        ("治るよ皮", ("治", "る", "##よ", "皮"), [("治", "治"), ("る", "る"), ("よ", "##よ"), ("皮", "皮")]),
        ("ab皮", ("ab", "皮"), [("ab", "ab"), ("皮", "皮")]),
        ("皮ab", ("皮", "a", "##b"), [("皮", "皮"), ("a", "a"), ("b", "##b")]),
        ("x 治るよ", ("x", "治", "る", "##よ"), [("x", "x"), ("治", "治"), ("る", "る"), ("よ", "##よ")]),
        ("治療する", ("治療す", "治療"), [("治療す", "治療す"), ("る", "[UNK]")]),
        ("皮", ("皮",), [("皮", "皮")]),
    ],
)
def test_words_may_begin_at_any_han_sign(text: str, pieces: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert cut(text, *pieces) == expected
