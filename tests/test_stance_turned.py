"""Sentences that turn their words round: a denial denied, a ban that is none, a wondering, a quotation that stands alone."""

from __future__ import annotations

import pytest

from tests.stances import NOT, PLAIN, SAYS, WHETHER, Told, told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nobody can deny that exosomes cure arthritis", PLAIN),
        ("We cannot deny exosomes cure arthritis", PLAIN),
        ("There is no denying that exosomes cure arthritis", PLAIN),
        ("Exosomes never cured arthritis, whoever may deny that", NOT),
    ],
)
def test_who_cannot_deny_it_says_it(text: str, expected: Told) -> None:
    assert told(text) == expected


@pytest.mark.parametrize("verb", ["aren't", "weren't"])
def test_a_ban_that_is_not_there_denies_nothing(verb: str) -> None:
    assert told(f"Human exosomes {verb} banned here") == PLAIN
    assert told(f"Human exosomes {verb} what they were, and are banned here")[0] == "denies"


@pytest.mark.parametrize("lead", ["I wonder if", "we wonder whether", "I'm wondering if", "wondering whether"])
def test_who_wonders_whether_asks(lead: str) -> None:
    assert told(f"{lead} exosomes cure arthritis") == WHETHER


def test_who_wonders_why_takes_it_for_granted() -> None:
    assert told("I wonder why exosomes cure arthritis so well") == PLAIN


def test_a_quotation_of_its_own_is_of_whoever_spoke_before_it() -> None:
    assert told('My aunt told me this. "Exosomes cure arthritis."') == SAYS
    assert told("My aunt told me this. Exosomes cure arthritis.") == PLAIN
