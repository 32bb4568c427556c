"""Of several claims that the lexicon sees in one sentence, those that its words really carry."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.topic.lexicon import Proposition
from monitor.topic.patterns import parse_pattern
from monitor.words import ClaimType
from workers.classify.choose import choose
from workers.classify.match import Hit, View
from workers.classify.segment import Sentence

SENTENCE = Sentence(0, 0, (), (), False)


def hit(key: str, *spans: tuple[int, int], kind: ClaimType = "skin_efficacy", denial: bool = False, **more: Any) -> Hit:
    """A find that rests on these words, by their places in the sentence."""
    return Hit(Proposition(key=key, type=kind, claim=f"It {key}.", patterns=(), **more), parse_pattern("words"), spans, denial)


def stand(*hits: Hit, topic: tuple[tuple[int, int], ...] = ()) -> list[str]:
    """The keys of those that stand, in their order."""
    return [one.proposition.key for one in choose(list(hits), View(SENTENCE, [], {"topic": list(topic)} if topic else {}))]


def test_one_alone_stands_and_none_give_none() -> None:
    assert stand(hit("firms", (0, 2))) == ["firms"]
    assert stand() == []


@pytest.mark.parametrize(
    ("places", "standing"),
    [
        ([(0, 2), (2, 4)], ["lifts", "firms"]),
        ([(0, 2), (1, 3)], ["lifts"]),
        ([(0, 2), (0, 1)], ["lifts"]),
    ],
)
def test_a_claim_gives_way_to_one_that_is_over_it_where_they_share_a_word(
    places: list[tuple[int, int]], standing: list[str]
) -> None:
    over, under = places
    assert stand(hit("lifts", over, over=("firms",)), hit("firms", under)) == standing


def test_the_one_that_is_over_another_stands_though_it_weighs_less() -> None:
    assert stand(hit("firms", (0, 5)), hit("lifts", (4, 5), over=("firms",))) == ["lifts"]


def test_shared_words_that_only_name_the_topic_let_neither_give_way() -> None:
    found = (hit("lifts", (0, 2), over=("firms",)), hit("firms", (1, 4)))
    assert stand(*found) == ["lifts"]
    assert stand(*found, topic=((1, 2),)) == ["firms", "lifts"]
    assert stand(*found, topic=((5, 6),)) == ["lifts"]


def test_all_claims_of_a_type_give_way_to_one_that_is_over_any_of_it() -> None:
    vague = hit("safe", (0, 3), kind="safety", over=("any-skin_efficacy",))
    assert stand(vague, hit("firms", (2, 4)), hit("lifts", (0, 1))) == ["safe"]
    assert stand(vague, hit("firms", (2, 4)), hit("grows", (2, 4), kind="hair_efficacy")) == ["safe", "grows"]


def test_of_two_that_are_over_any_of_their_type_neither_gives_way() -> None:
    one = hit("safe", (0, 3), kind="safety", over=("any-safety",))
    other = hit("riskless", (2, 5), kind="safety", over=("any-safety",))
    plain = hit("mild", (2, 4), kind="safety")
    assert stand(one, other, plain) == ["safe", "riskless"]


def test_a_denial_that_yields_gives_way_to_any_other_claim() -> None:
    denied = hit("works", (0, 3), denial=True, yields=True)
    assert stand(denied, hit("grows", (5, 6), kind="hair_efficacy")) == ["grows"]
    assert stand(denied) == ["works"]
    assert stand(hit("works", (0, 3), yields=True), hit("grows", (5, 6), kind="hair_efficacy")) == ["works", "grows"]
    assert stand(hit("works", (0, 3), denial=True), hit("grows", (5, 6), kind="hair_efficacy")) == ["works", "grows"]


@pytest.mark.parametrize(
    ("kind", "standing"),
    [
        ("skin_efficacy", ["burns"]),
        ("hair_efficacy", ["burns"]),
        ("disease_treatment", ["burns"]),
        ("mechanism", ["works", "burns"]),
        ("superiority", ["works", "burns"]),
    ],
)
def test_where_a_sentence_tells_of_harm_words_of_disease_are_the_harm(kind: ClaimType, standing: list[str]) -> None:
    assert stand(hit("works", (0, 3), kind=kind), hit("burns", (5, 6), kind="safety", harm=True)) == standing
    assert stand(hit("works", (0, 3), kind=kind), hit("burns", (5, 6), kind="safety")) == ["works", "burns"]


def test_the_same_words_carry_one_claim_of_a_type_and_the_heavier_stands() -> None:
    assert stand(hit("firms", (0, 2)), hit("lifts", (0, 3))) == ["lifts"]
    assert stand(hit("lifts", (0, 3)), hit("firms", (0, 2))) == ["lifts"]
    assert stand(hit("firms", (0, 3)), hit("lifts", (2, 4))) == ["firms", "lifts"], "one word more is a claim more"
    assert stand(hit("grows", (0, 2), kind="hair_efficacy"), hit("lifts", (0, 3))) == ["lifts", "grows"]


def test_words_that_only_name_the_topic_do_not_make_it_another_claim() -> None:
    found = (hit("lifts", (0, 3)), hit("firms", (2, 4)))
    assert stand(*found, topic=((3, 4),)) == ["lifts"]
    assert stand(*found, topic=((0, 1),)) == ["lifts", "firms"]


def test_one_that_rests_on_the_topics_words_alone_gives_way_to_any_of_its_type() -> None:
    bare, other = hit("firms", (4, 5)), hit("lifts", (0, 3))
    assert stand(other, bare, topic=((4, 5),)) == ["lifts"]
    assert stand(bare, topic=((4, 5),)) == ["firms"]
    assert stand(other, hit("grows", (4, 5), kind="hair_efficacy"), topic=((4, 5),)) == ["lifts", "grows"]


def test_words_of_several_places_count_together() -> None:
    assert stand(hit("lifts", (0, 1), (4, 6)), hit("firms", (4, 5))) == ["lifts"]
    assert stand(hit("lifts", (0, 1), (4, 6)), hit("firms", (2, 3))) == ["lifts", "firms"]


def test_they_stand_by_weight_then_by_place_then_by_name() -> None:
    light, later, early = hit("a", (0, 1)), hit("b", (4, 6)), hit("c", (2, 4))
    assert stand(light, later, early) == ["c", "b", "a"]
    same = (hit("lifts", (0, 2)), hit("firms", (0, 2)))
    assert stand(*same) == ["firms"], "of equals the first by name, whichever was found first"
    assert stand(*same[::-1]) == ["firms"]
