"""A claim put as a question is no statement, with a mark or without, before it or after it; and what only looks like one."""

from __future__ import annotations

import pytest

from tests.stances import ASKS, PLAIN, SAYS, WHETHER, Told, told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis", PLAIN),
        ("#CureArthritis with exosomes", ("asserts", False, "hashtag")),
        ("Do exosomes cure arthritis?", ASKS),
        ("Do exosomes not cure arthritis?", ASKS),
        ("Are exosomes banned?", ASKS),
        ("Is there no evidence that exosomes cure arthritis?", ("denies", False, "unproven")),
        ("I'm wondering why exosomes do not cure arthritis", ("denies", False, "not")),
        ("I'm wondering why exosomes cure arthritis", WHETHER),
        ("Exosomes cure arthritis, wondering if anyone agrees", WHETHER),
        ("They heal whether mild arthritis or severe", WHETHER),
        ("They heal hips whether mild arthritis or severe", PLAIN),
    ],
)
def test_a_question_asks_and_a_statement_asserts(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Do exosomes cure arthritis? Yes, they do.", PLAIN),
        ("Do exosomes cure arthritis? Well, of course I hope so.", ASKS),
        ("Do exosomes cure arthritis? Sunday is my birthday, absolutely.", ASKS),
    ],
)
def test_a_question_that_the_writer_affirms_at_once_is_a_statement(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who needs surgery when exosomes cure arthritis?", PLAIN),
        ("Who need crutches now exosomes cure arthritis?", PLAIN),
        ("One needs exosomes to cure arthritis?", ASKS),
        ("Who here thinks exosomes cure arthritis?", ASKS),
    ],
)
def test_who_needs_is_no_question(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis by next weekend? Book now.", PLAIN),
        ("Exosomes cure arthritis by the next weekend? Book now.", ASKS),
        ("Exosomes cure arthritis by next weekend? Lovely weather.", ASKS),
        ("Do exosomes cure arthritis today? Book now.", ASKS),
    ],
)
def test_a_sellers_lead_in_of_six_words_is_no_question(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis, has my neighbour tried?", PLAIN),
        ("Do exosomes cure arthritis, has my neighbour tried?", ASKS),
        ("Can exosomes bring on hives?", ASKS),
        ("Hives since yesterday, has this happened to others?", PLAIN),
        ("Did exosomes bring hives, or has it been the sun?", PLAIN),
        ("Anyone with hives after exosomes?", PLAIN),
        ("Exosomes brought up hives on anyone?", PLAIN),
        ("Has anyone had hives after exosomes?", ASKS),
        ("Are hives what anyone gets?", ASKS),
        ("Anyone seen exosomes cure arthritis?", ASKS),
    ],
)
def test_a_question_in_a_later_clause_is_not_about_the_claim(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis. Is that true?", WHETHER),
        ("Exosomes cure arthritis. Are they serious?", WHETHER),
        ("Exosomes cure arthritis. Does it last?", WHETHER),
        ("Exosomes cure arthritis. True or false?", WHETHER),
        ("Exosomes cure arthritis. Really this quick?", WHETHER),
        ("Exosomes cure arthritis. Is that really what got Karl walking yesterday?", WHETHER),
        ("Exosomes cure arthritis. Is that really what got old Karl walking yesterday?", PLAIN),
        ("Exosomes cure arthritis. Is it?", PLAIN),
        ("Exosomes cure arthritis. Is that so, then.", PLAIN),
        ("Exosomes cure arthritis. Is Botox any cheaper?", PLAIN),
        ("Exosomes cure arthritis. Seen this before?", PLAIN),
    ],
)
def test_a_short_question_afterwards_asks_about_the_sentence_before_it(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("do exosomes cure arthritis", ASKS),
        ("will exosomes cure arthritis", ASKS),
        ("do they cure arthritis", ASKS),
        ("so do exosomes cure arthritis", ASKS),
        ("ok so do exosomes cure arthritis", ASKS),
        ("do exosomes not cure arthritis", ASKS),
        ("is rose", ASKS),
        ("are rose exosomes in this serum", ASKS),
        ("question: painless", PLAIN),
        ("Exosomes are what cures arthritis", PLAIN),
        ("does anything here cure arthritis like exosomes", PLAIN),
        ("may help cure arthritis like exosomes do", PLAIN),
        ("my guess is exosomes cure arthritis", PLAIN),
        ("Exosomes cure arthritis, do they", PLAIN),
    ],
)
def test_a_verb_before_its_subject_asks_without_a_mark(text: str, expected: Told) -> None:
    assert told(text) == expected


def test_a_question_of_someone_elses_word_is_a_question() -> None:
    assert told("Does my doctor say exosomes cure arthritis?") == ASKS
    assert told("My doctor says exosomes cure arthritis") == SAYS
