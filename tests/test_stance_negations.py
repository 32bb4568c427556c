"""How far a negation reaches, and which negations leave the statement standing."""

from __future__ import annotations

import pytest

from tests.stances import NOT, PLAIN, Told, told

_MIDDLE = "in the long dull pages of all the free papers in town"  # twelve words

_NO_DENIAL = (
    "appointment", "blood", "brainer", "but", "cap", "comparison", "control", "doubt", "drugs", "else", "even", "exceptions",
    "excuses", "filler", "idea", "joke", "judgment", "just", "kidding", "knife", "lie", "longer", "matter", "mentions",
    "more", "needle", "needles", "notes", "only", "pain", "pills", "placebo", "questions", "regrets", "scalpel", "secret",
    "shame", "sniffles", "surgery", "talks", "tells", "wants", "wonder",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes do not cure arthritis", NOT),
        ("It is not cheap, but exosomes cure arthritis", PLAIN),
        ("Exosomes cure arthritis, but not wrinkles", PLAIN),
        ("Exosomes cure arthritis never", NOT),
        ("Exosomes cure arthritis in patients never", NOT),
        ("Exosomes cure arthritis in elderly patients never", PLAIN),
        ("Exosomes cure arthritis and never fade", PLAIN),
        ("Exosomes heal hips and arthritis never", NOT),
        (f"Never {_MIDDLE} exosomes cure arthritis", NOT),
        (f"Never {_MIDDLE} did exosomes cure arthritis", PLAIN),
        (f"Slowly {_MIDDLE} exosomes never cure arthritis", NOT),
    ],
)
def test_a_negation_reaches_fourteen_words_on_and_three_back_in_its_clause(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was not hives", NOT),
        ("Exosomes did not once give my sister hives", NOT),
        ("Exosomes did not once give my poor sister hives", PLAIN),
        ("I have never, not once, had hives", NOT),
        ("There was no cream for my hives", PLAIN),
        ("Hives, and they did not fade", PLAIN),
        ("Exosomes carry no risk", PLAIN),
        ("Exosomes are not without risk", NOT),
        ("I am not new to this, exosomes carry no risk", PLAIN),
    ],
)
def test_harm_and_what_is_itself_a_negation_are_denied_from_five_words_before_them(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes not only cure arthritis", PLAIN),
        ("Here, I tell you, with no doubt exosomes cure arthritis", PLAIN),
        ("No doubt exosomes do not cure arthritis", NOT),
        ("I can't believe exosomes cured my arthritis", PLAIN),
        ("I can't quite believe exosomes cured my arthritis", PLAIN),
        ("I can't with reason believe exosomes cured my arthritis", NOT),
        ("I couldn't wait for exosomes to cure my arthritis", PLAIN),
        ("I cant stop cheering how exosomes cured my arthritis", PLAIN),
        ("I cannot recommend exosomes enough to cure arthritis", PLAIN),
        ("I can't get over how exosomes cured my arthritis", PLAIN),
        ("Exosomes can't cure arthritis", NOT),
        ("You do not get exosomes to cure arthritis", NOT),
    ],
)
def test_some_negations_leave_the_statement_standing(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize("word", _NO_DENIAL)
def test_no_and_a_word_of_this_kind_denies_nothing(word: str) -> None:
    assert told(f"No {word} here exosomes cure arthritis") == PLAIN
    assert told("No chance here exosomes cure arthritis") == NOT
