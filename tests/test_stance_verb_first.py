"""The words by which a question without its mark is known: what comes before it, its verb, and its subject."""

from __future__ import annotations

import pytest

from tests.stances import ASKS, PLAIN, told

_VERBS = (
    "is", "are", "was", "were", "do", "does", "did", "has", "have", "will", "should", "can", "could", "would", "may", "might",
)  # fmt: skip
_SUBJECTS = (
    "i", "we", "you", "u", "they", "it", "these", "this", "a", "an", "the", "my", "your", "any", "there", "plant", "people",
    "anyone", "human",
)  # fmt: skip
_FILLERS = ("wait", "so", "ok", "and", "but", "hey", "sorry", "guys", "question", "also", "honest")


@pytest.mark.parametrize("verb", _VERBS)
def test_these_verbs_before_the_topic_ask(verb: str) -> None:
    assert told(f"{verb} exosomes cure for arthritis") == ASKS
    assert told(f"exosomes {verb} cure for arthritis") == PLAIN


@pytest.mark.parametrize("subject", _SUBJECTS)
def test_a_verb_before_these_subjects_asks(subject: str) -> None:
    assert told(f"do {subject} really cure arthritis") == ASKS


@pytest.mark.parametrize("filler", _FILLERS)
def test_these_words_may_come_before_the_verb(filler: str) -> None:
    assert told(f"{filler} do they cure arthritis") == ASKS
    assert told(f"{filler} {filler} do exosomes cure arthritis") == ASKS
    assert told(f"Tuesday {filler} do they cure arthritis") == PLAIN


@pytest.mark.parametrize("verb", ["ist", "sind", "hat", "haben", "wirken", "helfen", "kann", "können"])
def test_german_verbs_before_the_topic_ask_in_a_german_text(verb: str) -> None:
    assert told(f"{verb} Exosomen heilen arthritis", "de") == ASKS


@pytest.mark.parametrize("word", ["and", "y", "e", "et", "und", "i", "ve", "oraz"])
def test_a_negation_after_and_is_of_something_else(word: str) -> None:
    assert told(f"Exosomes cure arthritis {word} never fade") == PLAIN
    assert told("Exosomes cure arthritis almost never here")[0] == "denies"


@pytest.mark.parametrize("word", ["no", "zero", "nil", "nobody"])
def test_a_noun_of_its_own_takes_the_negation(word: str) -> None:
    assert told(f"{word} in my family gave me hives") == PLAIN
    assert told("never had hives")[0] == "denies"
