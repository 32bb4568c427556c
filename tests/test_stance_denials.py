"""What denies a claim: irony, the word of evidence, a ban, and a short sentence before or after it that calls it false."""

from __future__ import annotations

import pytest

from tests.stances import FALSE, MOCK, NOT, PLAIN, UNPROVEN, Told, told

BANNED: Told = ("denies", False, "banned")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis, and pigs fly", MOCK),
        ("Exosomes give you unicorn skin", PLAIN),
        ("There is no evidence that exosomes cure arthritis", UNPROVEN),
        ("That exosomes carry no risk is nonsense", UNPROVEN),
        ("With exosomes there is no evidence of risk", PLAIN),
    ],
)
def test_irony_and_want_of_evidence_deny_unless_they_are_the_claims_own_words(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes are approved", PLAIN),
        ("Exosomes are banned", BANNED),
        ("Exosomes are not banned", PLAIN),
        ("Exosomes were never banned", PLAIN),
        ("No country banned exosomes", PLAIN),
    ],
)
def test_a_ban_denies_approval_unless_it_is_denied_itself(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis. False.", FALSE),
        ("Exosomes cure arthritis. False, friends.", FALSE),
        ("Exosomes cure arthritis. None.", FALSE),
        ("Exosomes cure arthritis. No data.", FALSE),
        ("Exosomes cure arthritis. No needles.", PLAIN),
        ("Exosomes cure arthritis. I never lied.", PLAIN),
        ("Exosomes cure arthritis. Wrong, am I?", PLAIN),
        ("Exosomes carry no risk. None.", PLAIN),
        ("Exosomes carry no risk. False.", FALSE),
        ("Exosomes cure arthritis. Nope, adverts are wishful.", FALSE),
        ("Exosomes cure arthritis. Nope, all adverts are wishful.", PLAIN),
        ("Exosomes cure arthritis. Not true in any way here.", FALSE),
        ("Exosomes cure arthritis. Not true in any way at all.", UNPROVEN),
        ("Exosomes cure arthritis. They didn't work for me.", FALSE),
        ("Exosomes cure arthritis. They didn't work one bit there.", PLAIN),
    ],
)
def test_a_short_answer_denies_the_sentence_before_it(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exosomes cure arthritis. There is no evidence in people.", UNPROVEN),
        ("Exosomes cure arthritis. Frankly there is no evidence in people.", PLAIN),
        ("Exosomes cure arthritis. There is no evidence in people from here to Leeds.", UNPROVEN),
        ("Exosomes cure arthritis. There is no evidence in people from here up to Leeds.", PLAIN),
        ("Exosomes cure arthritis. Parking round the corner costs little.", PLAIN),
        ("Exosomes cure arthritis. And my toaster sings.", MOCK),
        ("Exosomes cure arthritis. And my toaster sings every single morning at half past six sharp.", MOCK),
    ],
)
def test_the_next_sentence_can_deny(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Myth of the day. Exosomes cure arthritis.", UNPROVEN),
        ("Myth of the day again. Exosomes cure arthritis.", PLAIN),
        ("Joy of the day. Exosomes cure arthritis.", PLAIN),
    ],
)
def test_a_heading_of_four_words_can_deny(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't say exosomes don't cure arthritis", PLAIN),
        ("I honestly really can't say exosomes don't cure arthritis", PLAIN),
        ("You can't deny nothing has cured arthritis like exosomes", PLAIN),
        ("It's not that exosomes can't cure arthritis", PLAIN),
        ("I can't complain exosomes didn't cure arthritis", PLAIN),
        ("Not a single exosome didn't cure arthritis", PLAIN),
        ("Not one exosome failed to cure arthritis", PLAIN),
        ("I can't say exosomes cure arthritis", NOT),
        ("Exosomes do not help and do not cure arthritis", NOT),
        ("Exosomes do not help for one and do not cure arthritis", NOT),
        ("That never helped and never cured arthritis", NOT),
        ("In truth no one cures arthritis", NOT),
        ("Aint no one cured of arthritis by exosomes", NOT),
    ],
)
def test_one_negation_takes_another_back(text: str, expected: Told) -> None:
    assert told(text) == expected
