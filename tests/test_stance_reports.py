"""Whose word a claim is: another's, told straight or at a distance, or the writer's own."""

from __future__ import annotations

import pytest

from tests.stances import ALLEGES, PLAIN, SAYS, Told, told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes allegedly cure arthritis", ALLEGES),
        ("Exosomes cure arthritis and boast a fair price", PLAIN),
        ("My doctor says exosomes cure arthritis", SAYS),
        ("My doctor says exosomes cure arthritis. Hmm.", ("reports", True, "says")),
        ("My doctor says exosomes cure arthritis, hmm", ("reports", True, "says")),
    ],
)
def test_a_report_is_told_straight_or_at_a_distance(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('My nurse: "exosomes cure arthritis"', SAYS),
        ('Overheard: "exosomes cure arthritis"', ALLEGES),
        ('"Exosomes cure arthritis" again', ALLEGES),
        ('Look at "exosomes let nurses cure arthritis" above', ALLEGES),
        ('"Exosomes cure arthritis" in the words of a nurse', ALLEGES),
        ('Our "exosomes cure arthritis" week. Book now.', PLAIN),
        ('"Exosomes cure arthritis"', PLAIN),
        ('My "golden" exosomes cure arthritis', PLAIN),
        ('Exosomes cure arthritis in my "golden" years', PLAIN),
    ],
)
def test_quotation_marks_are_anothers_word_where_the_sentence_says_more(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Doctors say exosomes cure arthritis", SAYS),
        ("Says doctor Smith, exosomes cure arthritis", SAYS),
        ("Say doctor, exosomes cure arthritis", PLAIN),
        ("Goes well, doctor, exosomes cure arthritis", PLAIN),
        ("I say what my doctor says: exosomes cure arthritis", SAYS),
        ("My doctor in that big old house by mine says exosomes cure arthritis", SAYS),
        ("My doctor in that very big old house by mine says exosomes cure arthritis", PLAIN),
        ("Said by my old doctor, exosomes cure arthritis", SAYS),
        ("Said by my very old doctor, exosomes cure arthritis", PLAIN),
        ("Exosomes cure, says my doctor, arthritis", SAYS),
        ("Exosomes cure bad, says my doctor, arthritis", PLAIN),
        ("Exosomes cure arthritis, says my doctor", SAYS),
        ("Exosomes cure arthritis, said by my old doctor", SAYS),
        ("Exosomes cure arthritis, said by my very old doctor", PLAIN),
    ],
)
def test_who_says_it_stands_near_the_verb_of_saying(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("According to Karl, exosomes cure arthritis", "en"),
        ("Laut Karl heilen Exosomen Arthritis", "de"),
        ("Según Carlos los exosomas curan arthritis", "es"),
        ("Selon Carl les exosomes guérissent arthritis", "fr"),
        ("Secondo Carlo gli esosomi curano arthritis", "it"),
    ],
)
def test_according_to_needs_no_known_source(text: str, language: str) -> None:
    assert told(text, language) == SAYS


def test_according_to_after_the_claim_needs_a_known_source() -> None:
    assert told("Exosomes cure arthritis, according to Karl") == PLAIN
    assert told("Exosomes cure arthritis, according to nurses") == SAYS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My aunt (a nurse!) says exosomes cure arthritis.", SAYS),
        ("My aunt rang! It states exosomes cure arthritis.", PLAIN),
        ("Lovely weather! Says exosomes cure arthritis.", PLAIN),
        ("My doctor says hello. Exosomes cure arthritis.", PLAIN),
        ("My doctor waved. Exosomes cure arthritis.", PLAIN),
    ],
)
def test_who_says_it_may_be_cut_off_before_the_verb(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Claimed: exosomes cure arthritis", ALLEGES),
        ("I claim exosomes cure arthritis", PLAIN),
        ("We claim exosomes cure arthritis", PLAIN),
        ("Ill claim exosomes cure arthritis", PLAIN),
        ("Id claim exosomes cure arthritis", PLAIN),
        ("Our claim: exosomes cure arthritis", PLAIN),
        ("My claim: exosomes cure arthritis", PLAIN),
        ("I'd claim exosomes cure arthritis", PLAIN),
        ("I'm claiming exosomes cure arthritis", PLAIN),
        ("I'll claim exosomes cure arthritis", PLAIN),
        ("We've claimed exosomes cure arthritis", PLAIN),
        ("We will claim exosomes cure arthritis", PLAIN),
        ("We gladly will claim exosomes cure arthritis", PLAIN),
        ("I can claim exosomes cure arthritis", PLAIN),
        ("We will be claiming exosomes cure arthritis", PLAIN),
        ("What can claim to cure arthritis like exosomes do", PLAIN),
        ("I can't claim from a mere three visits that exosomes carry no risk", PLAIN),
        ("I will not claim from a mere three visits that exosomes carry no risk", PLAIN),
        ("Nobody will claim from a mere three visits that exosomes carry no risk", PLAIN),
        ("I plus many will claim exosomes cure arthritis", ALLEGES),
        ("They will claim exosomes cure arthritis", ALLEGES),
        ("I heard them claim exosomes cure arthritis", ALLEGES),
    ],
)
def test_ones_own_word_is_a_statement_and_not_a_report(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text", ["Wir behaupten, Exosomen heilen Arthritis", "Hier darf ich behaupten, Exosomen heilen Arthritis"]
)
def test_ones_own_word_in_german_too(text: str) -> None:
    assert told(text, "de") == PLAIN


def test_anothers_word_in_german_is_a_report() -> None:
    assert told("Kliniken behaupten, Exosomen heilen Arthritis", "de") == ALLEGES
