"""How a text is cut into sentences, clauses and words: what a quote covers and how far a negation reaches hang on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workers.classify.segment import MAX_HASHTAG, MAX_WORDS, Sentence, Word, sentence_ends, sentences

KNOWN = frozenset(["no", "needles", "risk", "side", "effects", "glow", "i", "my", "skin"])


def knows(part: str) -> bool:
    return part in KNOWN


def shown(text: str, known: Callable[[str], bool] = knows) -> list[str]:
    """Each sentence as its words, a stroke between clauses, and a question mark where it asks."""
    return [
        " | ".join(" ".join(word.text for word in sentence.words if word.clause == n) for n in range(len(sentence.clauses)))
        + ("?" if sentence.question else "")
        for sentence in sentences(text, known)
    ]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("it heals", ["it heals"]),
        ("it heals. it glows. it lasts", ["it heals", "it glows", "it lasts"]),
        ("it heals! it glows", ["it heals", "it glows"]),
        ("it heals.", ["it heals"]),
        ("does it heal? it glows", ["does it heal?", "it glows"]),
        ("does it heal? does it glow?", ["does it heal?", "does it glow?"]),
        ("it is 2.5 times better", ["it is 2 5 times better"]),
        ("one\ntwo", ["one", "two"]),
        ("one • two", ["one", "two"]),
        ("dr. brown heals", ["dr brown heals"]),
        ("ask my dr. brown. he heals", ["ask my dr brown", "he heals"]),
        ("my scars (e.g. on knees) heal", ["my scars | e g on knees | heal"]),
        ("it heals (or so says dr. brown)", ["it heals | or | so says dr brown"]),
        ("it heals scars.\n. then it glows", ["it heals scars", "then it glows"]),
        ("no dr! he heals", ["no dr", "he heals"]),
        ("脂肪が減る。肌が光る", ["脂肪が減る", "肌が光る"]),
        ("脂肪exosomes減る", ["脂肪 exosomes 減る"]),
        ("", []),
        (" ... ", []),
    ],
)
def test_sentences_and_their_words(text: str, cut: list[str]) -> None:
    assert shown(text) == cut


def test_where_sentences_end_is_told_but_for_the_last() -> None:
    assert sentence_ends("it heals. dr. brown says so! yes") == [9, 28]
    assert sentence_ends("no end") == []


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("cheap, quick, safe", ["cheap | quick | safe"]),
        ("it heals but it hurts", ["it heals | but it hurts"]),
        ("but it hurts", ["but it hurts"]),
        ("price (low): good", ["price | low | good"]),
        ("a cure - for some", ["a cure | for some"]),
        ("a cell-free cure", ["a cell free cure"]),
        (", , it heals,, then, it glows ,", ["it heals | then | it glows"]),
        ("well, it heals. so, it glows. ok, it lasts", ["well | it heals", "so | it glows", "ok | it lasts"]),
    ],
)
def test_clauses_end_at_marks_and_before_joining_words(text: str, cut: list[str]) -> None:
    assert shown(text) == cut


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("does it heal?", True),
        ("does it heal?!", True),
        ("(does it heal?)", True),
        ("does it heal?)))", True),
        ("does it heal?))))", False),  # a face made of marks, not a question
        ("is it a cure? it heals!", False),
        ("it heals", False),
    ],
)
def test_the_last_sentence_asks_where_a_question_mark_stands_near_its_end(text: str, asks: bool) -> None:
    assert sentences(text)[-1].question is asks


def test_places_are_those_of_the_text() -> None:
    text = '  "good stuff", he said. buy, "no risk" now'
    assert sentences(text) == [
        Sentence(
            3,
            24,
            (Word("good", 3, 7, 0), Word("stuff", 8, 13, 0), Word("he", 16, 18, 1), Word("said", 19, 23, 1)),
            ((3, 13), (16, 23)),
            False,
            quotes=((2, 14),),
        ),
        Sentence(
            25,
            len(text),
            (Word("buy", 25, 28, 0), Word("no", 31, 33, 1), Word("risk", 34, 38, 1), Word("now", 40, 43, 2)),
            ((25, 28), (31, 38), (40, 43)),
            False,
            quotes=((30, 39),),
        ),
    ]


def test_a_question_keeps_its_quotation() -> None:
    (asked,) = sentences('is it "a cure"?')
    assert (asked.question, asked.quotes, asked.end) == (True, ((6, 14),), 15)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("pain? none", ["pain none"]),
        ("side effects? none.", ["side effects none"]),
        ("pain or swelling? none", ["pain or swelling none"]),
        ("pain from the jab? none", ["pain from the jab?", "none"]),
        ("pain? none that i know of now", ["pain none that i know of now"]),
        ("pain? none that i have known of now", ["pain?", "none that i have known of now"]),
        ("pain? really?", ["pain?", "really?"]),
        ("is it? no", ["is it?", "no"]),
        ("what? no", ["what?", "no"]),
        ("pain. none", ["pain", "none"]),
        ("it heals. pain? none", ["it heals", "pain none"]),
        ("pain? none. risk? none", ["pain none", "risk none"]),
    ],
)
def test_a_catchword_that_asks_is_one_statement_with_its_short_answer(text: str, cut: list[str]) -> None:
    assert shown(text) == cut


def test_an_answer_belongs_to_the_last_clause_of_its_question() -> None:
    text = 'itch, pain, "swelling"? "none", ever, anywhere'
    assert sentences(text) == [
        Sentence(
            0,
            len(text),
            (
                Word("itch", 0, 4, 0),
                Word("pain", 6, 10, 1),
                Word("swelling", 13, 21, 2),
                Word("none", 25, 29, 2),
                Word("ever", 32, 36, 3),
                Word("anywhere", 38, 46, 4),
            ),
            ((0, 4), (6, 10), (13, 29), (32, 36), (38, 46)),
            False,
            quotes=((12, 22), (24, 30)),
        )
    ]


def test_a_sentence_without_end_is_cut_after_so_many_words() -> None:
    text = "go, " + "on " * (MAX_WORDS - 1) + "now, then"
    first, second = sentences(text)
    assert len(first.words) == MAX_WORDS
    last = first.words[-1]
    assert (first.start, first.end, first.question) == (0, last.end, False)
    assert first.clauses == ((0, 2), (4, last.end))
    assert [word.text for word in second.words] == ["now", "then"]
    now = len(text) - len("now, then")
    assert (second.start, second.end) == (now, len(text))
    assert second.clauses == ((now, now + 3), (now + 5, len(text)))
    assert [word.clause for word in second.words] == [0, 1]


def test_only_the_last_part_of_a_long_question_asks() -> None:
    parts = sentences("is " * MAX_WORDS + "it true?")
    assert [part.question for part in parts] == [False, True]


def test_a_sentence_of_just_so_many_words_is_not_cut() -> None:
    assert [len(part.words) for part in sentences("on " * MAX_WORDS)] == [MAX_WORDS]
    assert [len(part.words) for part in sentences("on " * (MAX_WORDS - 1))] == [MAX_WORDS - 1]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("try #noneedles now", ["try now", "no needles"]),
        ("try #botox now", ["try botox now"]),
        ("try #needles now", ["try needles now"]),
        ("#noneedlesnorisk", ["no needles no risk"]),
        ("#7glow", ["7 glow"]),
        ("#glow7risk", ["glow 7 risk"]),
        ("#imyskin", ["i my skin"]),
        ("#noxneedles", ["noxneedles"]),
        ("#noneedlesx", ["noneedlesx"]),
        ("#noneedles #norisk", ["no needles", "no risk"]),
    ],
)
def test_a_hashtag_of_known_words_is_a_sentence_of_its_own(text: str, cut: list[str]) -> None:
    assert shown(text) == cut


def test_the_words_of_a_hashtag_taken_apart_are_not_in_the_sentence_too() -> None:
    assert shown("now #no_needles77glow here") == ["now here", "no needles 77 glow"]


def test_a_hashtag_taken_apart_covers_its_sign_and_says_what_it_is() -> None:
    text = "now #no_needles77glow"
    assert sentences(text, knows)[-1] == Sentence(
        4,
        21,
        (Word("no", 5, 7, 0), Word("needles", 8, 15, 0), Word("77", 15, 17, 0), Word("glow", 17, 21, 0)),
        ((4, 21),),
        False,
        True,
    )


@pytest.mark.parametrize(
    ("tag", "words", "cut"),
    [
        ("noneedles", "no needles need les", "no needles"),
        ("internationals", "in ter nationals internation als", "internation als"),
        ("superbowl", "super bowl superb owl", "super bowl"),  # of as many words the longest last one
        ("aaaaaaaaaaaaaaaaaaaanow", f"{'a' * 20} now", f"{'a' * 20} now"),
        ("aaaaaaaaaaaaaaaaaaaaanow", f"{'a' * 21} now", None),
        ("nowaaaaaaaaaaaaaaaaaaaa", f"{'a' * 20} now", f"now {'a' * 20}"),
        ("nowaaaaaaaaaaaaaaaaaaaaa", f"{'a' * 21} now", None),
        ("now" * (MAX_HASHTAG // 3), "now", " ".join(["now"] * (MAX_HASHTAG // 3))),
        ("now" * (MAX_HASHTAG // 3) + "7", "now", None),
    ],
)
def test_a_hashtag_is_the_fewest_known_words_and_neither_they_nor_it_very_long(tag: str, words: str, cut: str | None) -> None:
    assert shown(f"#{tag}", lambda part: part in words.split()) == [cut or tag]
