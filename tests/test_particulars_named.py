"""Which of a claim's particulars some words name: whole words, beginnings, phrases with gaps, and names within longer names."""

from __future__ import annotations

import pytest

from monitor.topic import Proposition, fold
from monitor.topic.particulars import load_differences
from monitor.topic.patterns import parse_pattern
from workers.classify.particulars import claims_in

_PLACES = {
    "hip": ["hip"],
    "knee": ["knee"],
    "knee cap": ["knee cap*"],
    "back": ["back"],
    "low back": ["low back"],
    "jaw": ["jaw*"],
    "MS": ["ms*"],
    "little finger": ["tip .. of finger"],
    "kneecap": ["무릎"],
    "leg": ["다리 통증*"],
    "cold toes": ["toes that freeze"],
}
_CLAIM = "Exosomes treat pain."
_PROPOSITION = Proposition(
    key="treats-pain",
    type="disease_treatment",
    claim=_CLAIM,
    patterns=(parse_pattern("treat*"),),
    differs_by=load_differences({"place": {"instead_of": "pain", "values": _PLACES}}, "here", [_CLAIM], {}),
)


def named(text: str) -> list[str]:
    """The places that the claims of a text are about."""
    return [one.claim.removeprefix("Exosomes treat ").removesuffix(".") for one in claims_in(_PROPOSITION, fold(text).text)]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("ouch", ["pain"]),
        ("hip", ["hip"]),
        ("my jaw", ["jaw"]),
        ("two jaws", ["jaw"]),
        ("ms", ["MS"]),
        ("back, knee and hip", ["hip", "knee", "back"]),
        ("knee cap pain", ["knee cap"]),
        ("knee caps", ["knee cap"]),
        ("knee and knee cap", ["knee", "knee cap"]),
        ("the knee", ["knee"]),
        ("knee pain", ["knee"]),
        ("knee old cap", ["knee"]),
        ("cap knee", ["knee"]),
        ("low back", ["low back"]),
        ("low", ["pain"]),
        ("back low", ["back"]),
        ("tip of finger", ["little finger"]),
        ("tip at the far end of finger", ["little finger"]),
        ("tip at the very far end of finger", ["pain"]),
        ("tip of my finger", ["pain"]),
        ("tip finger", ["pain"]),
        ("toes that freeze", ["cold toes"]),
        ("toes that", ["pain"]),
        ("무릎관절", ["kneecap"]),
        ("다리 통증이", ["leg"]),
        ("다리 수술", ["pain"]),
        ("통증 다리", ["pain"]),
    ],
)
def test_a_place_is_named_by_all_of_its_words(text: str, places: list[str]) -> None:
    assert named(text) == places


def test_who_names_many_makes_six_claims_and_of_a_long_quote_six_hundred_characters_are_read() -> None:
    assert named("hip, knee, back, jaw, ms, 무릎") == ["hip", "knee", "back", "jaw", "MS", "kneecap"]
    assert named("hip, knee, back, jaw, ms, 무릎, 다리 통증") == ["hip", "knee", "back", "jaw", "MS", "kneecap"]
    assert named("x" * 596 + " hip") == ["hip"]
    assert named("x" * 597 + " hip") == ["pain"]


def test_a_claim_that_differs_by_nothing_is_itself() -> None:
    plain = Proposition(key="treats", type="disease_treatment", claim=_CLAIM, patterns=_PROPOSITION.patterns)
    assert claims_in(plain, "hip") == (plain,)
    assert claims_in(_PROPOSITION, "ouch") == (_PROPOSITION,)
