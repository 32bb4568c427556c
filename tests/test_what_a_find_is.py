"""What is made of the network's numbers: spans, quotes, chances, hints of the rules, and names for claims that nobody knows."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from msgspec.structs import replace

from monitor.topic.fold import fold
from monitor.topic.lexicon import Proposition
from monitor.words import Stance
from tests.tiny_reader import STANCES, card, hint, opinion, propositions, sight
from workers.classify.learned import (
    alert_chance,
    chance_of,
    hints_for,
    logit,
    own_proposition,
    quote_of,
    says_something,
    spans_of,
    stance_name,
    weighed_stances,
    with_added,
)
from workers.classify.spans import Span
from workers.classify.wordpiece import Piece

KNOWN = propositions()
TREATS, APPROVED, DIABETES = KNOWN["treats-arthritis"], KNOWN["fda-approved"], KNOWN["treats-diabetes"]
ADDED = Proposition(key="treats-hiccups", type="disease_treatment", claim="It treats hiccups.", patterns=())
TEXT = "it cures arthritis and is approved"


def pieces(text: str) -> list[Piece]:
    return [(5, word.start(), word.end()) for word in re.finditer(r"[^\W_]+|[^\w\s]", text)]


def quoted(text: str, first: int, last: int) -> str:
    """The quote of a span of the pieces of a text."""
    folded = fold(text)
    start, end = quote_of(folded, pieces(folded.text), Span(0, first, last, 0.9))
    return text[start:end]


@pytest.mark.parametrize(
    ("text", "first", "last", "quote"),
    [
        ("it cures warts now", 1, 3, "cures warts"),
        ("it cures", 0, 1, "it"),
        ("so (cures) it", 1, 4, "cures"),
        ("so “cures”! yes", 1, 5, "cures"),
        ("..cures.. warts", 0, 6, "cures.. warts"),
        ("we - cures - it", 1, 4, "cures"),
        ("a!?b", 0, 4, "a!?b"),
        ("x", 0, 1, "x"),
        ("!x", 0, 2, "x"),
        ("x!", 0, 2, "x"),
        # nothing but signs stays as it is
        ("so !!! yes", 1, 4, "!!!"),
        ("!", 0, 1, "!"),
        # a number keeps the sign that follows it, whichever script that is of
        ("up by 30% now", 1, 3, "by 30%"),
        ("up by 30%", 1, 3, "by 30%"),
        ("up by 30％ now", 1, 3, "by 30％"),
        ("up by 30٪ now", 1, 3, "by 30٪"),
        ("up by 30 % now", 1, 3, "by 30"),
        ("up by 30; now", 1, 3, "by 30"),
        ("100% pure", 0, 1, "100%"),
        # a hashtag keeps its own
        ("new #glow here", 2, 3, "#glow"),
        ("new #glow here", 1, 3, "#glow"),
        ("#glow here", 1, 2, "#glow"),
        ("#glow here", 0, 2, "#glow"),
        ("##glow here", 2, 3, "#glow"),
        ("glow # here", 0, 1, "glow"),
        ("glow #", 0, 1, "glow"),
        ("# glow", 1, 2, "glow"),
        ("a#b glow", 3, 4, "glow"),
        # as it stands in the post, and not as it was folded
        ("it CÙRES wârts now", 1, 3, "CÙRES wârts"),
        ("ｃｕｒｅｓ — warts", 0, 3, "ｃｕｒｅｓ — warts"),
        ("。治す。", 1, 2, "治す"),
        ("。治す。", 0, 3, "治す"),
    ],
)
def test_a_quote_has_no_signs_at_its_ends_but_those_that_belong_to_it(text: str, first: int, last: int, quote: str) -> None:
    assert quoted(text, first, last) == quote


def runs(text: str, **unlikely: float) -> list[str]:
    """The spans of a text of which every word, but these, lies in a quote."""
    folded = fold(text)
    part = pieces(folded.text)
    inside = np.array([[unlikely.get(folded.text[start:end], 0.9)] for _, start, end in part], dtype=np.float32)
    seen = sight(inside=inside, begin=np.full((len(part), 1), 0.02, dtype=np.float32))
    return [folded.text[part[one.first][1] : part[one.last - 1][2]] for one in spans_of(part, folded, seen)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cures warts", ["cures warts"]),
        ("cures\nwarts", ["cures\nwarts"]),
        ("cures\n\nwarts", ["cures", "warts"]),
        ("cures \n \n warts", ["cures", "warts"]),
        ("cures\n\nheals warts", ["cures", "heals warts"]),
        ("it cures\n\nheals warts\nfast", ["it cures", "heals warts\nfast"]),
        ("it\ncures\nwarts\nfast", ["it\ncures\nwarts\nfast"]),
        ("a\n\nb\n\nc", ["a", "b", "c"]),
        ("\n\ncures warts\n\n", ["cures warts"]),
        ("", []),
    ],
)
def test_no_quote_goes_over_a_blank_line(text: str, expected: list[str]) -> None:
    assert runs(text) == expected


def test_pieces_of_one_word_stay_together_at_a_blank_line() -> None:
    folded = fold("abc\n\ndefg hi")
    part = [(5, 0, 2), (5, 2, 3), (5, 5, 7), (5, 7, 9), (5, 10, 12)]
    likely = np.full((5, 1), 0.9, dtype=np.float32)
    found = spans_of(part, folded, sight(inside=likely, begin=np.full((5, 1), 0.02, dtype=np.float32)))
    assert [(one.first, one.last) for one in found] == [(0, 2), (2, 5)]


def test_a_likely_beginning_parts_a_quote_of_a_text() -> None:
    folded = fold("cures warts heals boils")
    begin = np.array([[0.02], [0.02], [0.98], [0.02]], dtype=np.float32)
    found = spans_of(pieces(folded.text), folded, sight(inside=np.full((4, 1), 0.9, dtype=np.float32), begin=begin))
    assert [(one.first, one.last) for one in found] == [(0, 2), (2, 4)]


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("cures warts", True),
        ("cures", False),
        ("cures it", False),
        ("now fit", True),
        ("no fit", False),
        ("it is so on me", False),
        ("", False),
        ("cures_warts", True),
        # as much in a script without spaces
        ("皮膚炎治療", True),
        ("皮膚炎治", False),
        ("皮膚 炎治療", True),
        ("しみが消", False),
        ("しみが消え", True),
        ("치료했습니다", True),
        ("치료했다", False),
        # Arabic has spaces, though it glues particles
        ("والعلاج", False),
        ("علاج البشرة", True),
        ("\u06ff" * 6, False),
        # letters of its kind in a word that has others
        ("ab治", False),
        ("abcd治", True),
    ],
)
def test_two_words_or_as_much_without_spaces_are_enough_to_say_something(text: str, enough: bool) -> None:
    assert says_something(text) is enough


def test_a_claim_that_nobody_knows_is_named_by_its_words_and_shows_none() -> None:
    one = own_proposition(TREATS, "wipes out my tinnitus")  # the name is kept on record, so it may never change
    assert one == Proposition(
        key="own-disease_treatment-b8f83ede5926",
        type="disease_treatment",
        claim="A disease treatment claim that the lexicon does not know, nearest to treats arthritis (no. b8f83e).",
        patterns=(),
    )


def test_the_same_words_in_another_order_or_twice_have_the_same_name() -> None:
    name = own_proposition(TREATS, "wipes out my tinnitus").key
    assert own_proposition(TREATS, "my tinnitus... wipes out, out!").key == name
    assert own_proposition(TREATS, "wipes out tinnitus").key != name
    assert own_proposition(TREATS, "wipesout my tinnitus").key != name
    assert own_proposition(APPROVED, "wipes out my tinnitus").key == name.replace("disease_treatment", "regulatory_status")


@pytest.mark.parametrize(
    ("quote", "agrees"),
    [((3, 8), False), ((3, 9), True), ((9, 18), True), ((17, 20), True), ((18, 22), False), ((0, 34), True), ((11, 12), True)],
)
def test_hints_agree_where_they_share_a_letter_with_the_quote(quote: tuple[int, int], agrees: bool) -> None:
    one = replace(hint(TEXT, "arthritis", TREATS), start=8, end=18)
    assert hints_for("disease_treatment", quote, [one]) == ([one] if agrees else [])
    assert hints_for("regulatory_status", quote, [one]) == []


def test_of_several_hints_those_that_agree_are_taken_in_their_order() -> None:
    first, second, other = hint(TEXT, "arthritis", TREATS), hint(TEXT, "cures", DIABETES), hint(TEXT, "approved", APPROVED)
    assert hints_for("disease_treatment", (3, 18), [first, other, second]) == [first, second]


@pytest.mark.parametrize(
    ("stance", "distance", "name"),
    [
        ("asserts", False, "asserts"),
        ("asserts", True, "asserts"),
        ("denies", True, "denies"),
        ("reports", False, "reports"),
        ("reports", True, "reports with distance"),
    ],
)
def test_distance_is_a_stance_of_its_own(stance: Stance, distance: bool, name: str) -> None:
    assert stance_name(hint(TEXT, "cures", TREATS, stance=stance, distance=distance)) == name


def test_the_stance_that_the_rules_read_there_first_is_so_many_times_likelier() -> None:
    about = card(hints={"asserts": 3.0, "denies": 5.0, "asks": 1.0, "reports": 1.0, "reports with distance": 7.0})
    seen = opinion(stances=np.array([0.4, 0.1, 0.1, 0.2, 0.2], dtype=np.float32))
    denial, told = hint(TEXT, "cures", TREATS, stance="denies"), hint(TEXT, "cures", TREATS, stance="reports", distance=True)
    assert weighed_stances(seen, [denial, told], about) == pytest.approx([0.4, 0.5, 0.1, 0.2, 0.2])
    assert weighed_stances(seen, [told], about) == pytest.approx([0.4, 0.1, 0.1, 0.2, 1.4])
    assert weighed_stances(seen, [], about) == pytest.approx([0.4, 0.1, 0.1, 0.2, 0.2])
    assert seen.stances == pytest.approx([0.4, 0.1, 0.1, 0.2, 0.2]), "what the network said stays"
    assert len(STANCES) == len(seen.stances)


def odds(chance: float) -> float:
    return math.log(chance) - math.log(1 - chance)


@pytest.mark.parametrize(("agreed", "more"), [(False, 0.0), (True, 0.9)])
def test_a_find_is_as_sure_as_its_words_and_its_window_by_the_calibration_of_its_type(agreed: bool, more: float) -> None:
    about = card(calibration={"disease_treatment": (9, 9, 9), "regulatory_status": (-0.4, 0.5, 0.3), "superiority": (9, 9, 9)})
    about = replace(about, agreement=0.9)
    seen = sight(types=np.array([0.5, 0.7, 0.5], dtype=np.float32))
    chance = chance_of(Span(1, 0, 1, 0.8), seen, agreed, about)
    assert odds(chance) == pytest.approx(-0.4 + 0.5 * odds(0.8) + 0.3 * odds(0.7) + more, abs=1e-5)


@pytest.mark.parametrize(
    ("own", "whole", "expected"),
    [(0.9, 0.5, 0.5 * odds(0.9)), (0.2, 0.9, 0.5 * odds(0.2)), (0.9, 0.2, 0.5 * odds(0.9) + 2 * odds(0.2)), (0.5, 0.6, 0.0)],
)
def test_the_chance_of_an_alert_is_only_lessened_by_that_of_the_window(own: float, whole: float, expected: float) -> None:
    chance = alert_chance(opinion(alerting=own), sight(alerting=whole), card(alerting=(0.5, 2.0)))
    assert odds(chance) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.5, 0.0), (0.8, math.log(4)), (0.2, -math.log(4)), (0.0, -9.2102), (1.0, 9.2102)]
)
def test_log_odds_are_kept_finite(chance: float, expected: float) -> None:
    assert logit(chance) == pytest.approx(expected, abs=1e-4)


def test_claims_that_were_added_stand_beside_the_networks_in_the_order_of_the_text() -> None:
    approved, added = hint(TEXT, "approved", APPROVED), hint(TEXT, "cures", ADDED)
    assert with_added([approved], [], []) == (approved,)
    assert with_added([approved], [added], [added]) == (added, approved)
    longer = hint(TEXT, "cures arthritis", ADDED)
    assert with_added([], [longer, added], [longer, added]) == (added, longer)


def test_what_the_network_took_for_an_added_claim_gives_way_unless_the_rules_see_it_too() -> None:
    taken, added = hint(TEXT, "cures arthritis", TREATS), hint(TEXT, "cures", ADDED)
    assert with_added([taken], [added], [added]) == (added,)
    assert with_added([taken], [added], [added, hint(TEXT, "arthritis", TREATS)]) == (added, taken)
    elsewhere = hint(TEXT, "arthritis", TREATS)
    assert with_added([elsewhere], [added], [added]) == (added, elsewhere), "it is about other words"
    of_another_type = hint(TEXT, "cures", APPROVED)
    assert set(with_added([of_another_type], [added], [added])) == {added, of_another_type}
