"""What a model finds, in every part: the place, whose words the claim is in, how sure it is, and what makes two claims one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import shipped
from tests.standins.chat_server import answer, claim
from workers.classify import Found, Reading
from workers.openai.answer import Answers, InvalidAnswer

TOPIC = shipped.topic()
ANSWERS = Answers(TOPIC, "reader-1")
TEXT = "Exosomes treat gout and eczema. They raise collagen by 300%, some say by 200%. Exosomes treat gout."


def read(text: str, *claims: dict[str, Any], lang: str | None = None, **more: Any) -> Reading:
    return ANSWERS.reading(json.dumps(answer(*claims, **more)), text, lang)


def found(*claims: dict[str, Any], text: str = TEXT) -> tuple[Found, ...]:
    return read(text, *claims).claims


def other(sentence: str | None, text: str = TEXT, quote: str = "Exosomes", kind: str = "safety") -> tuple[Found, ...]:
    return found(claim(quote, "other", other_type=kind, other_claim=sentence), text=text)


@pytest.mark.parametrize(
    ("lang", "text", "language"),
    [
        ("pt_BR", TEXT, "pt"),
        ("EN-gb", TEXT, "en"),
        ("fr", TEXT, "fr"),
        (None, "Exosomen sind gut für die Haut und das ist auch nicht neu", "de"),
        ("", "Los exosomas son muy buenos para la piel y para la cara", "es"),
    ],
)
@pytest.mark.parametrize("relevant", [True, False])
def test_the_language_is_the_platforms_word_or_guessed(lang: str | None, text: str, language: str, relevant: bool) -> None:
    assert read(text, lang=lang, relevant=relevant).language == language


@pytest.mark.parametrize(
    ("relevant", "adverse_event", "expected"),
    [
        (True, True, (True, True)),
        (True, False, (True, False)),
        (False, True, (False, False)),
        (False, False, (False, False)),
    ],
)
def test_whether_it_is_about_the_topic_and_reports_harm(relevant: bool, adverse_event: bool, expected: tuple[bool, bool]) -> None:
    reading = read(TEXT, lang="en", relevant=relevant, adverse_event=adverse_event)
    assert reading == Reading(relevant=expected[0], language="en", adverse_event=expected[1], claims=())


def test_a_find_in_every_part() -> None:
    (one,) = found(claim("Exosomes treat gout", "treats-gout", "reports", distance=True, testimonial=True))
    assert one == Found(
        start=0,
        end=19,
        type="disease_treatment",
        stance="reports",
        distance=True,
        testimonial=True,
        proposition=TOPIC.lexicon.propositions["treats-gout"],
        number=None,
        confidence=0.8,
        by="read by reader-1",
        cue="as it said",
    )
    assert found(claim("Exosomes treat gout", "treats-gout"))[0].testimonial is False


@pytest.mark.parametrize("stance", ["asserts", "denies", "asks", "reports"])
@pytest.mark.parametrize("distance", [True, False])
def test_distance_is_kept_to_reports(stance: str, distance: bool) -> None:
    (one,) = found(claim("Exosomes treat gout", "treats-gout", stance, distance=distance))
    assert (one.stance, one.distance) == (stance, distance and stance == "reports")


def test_a_claim_of_the_models_own_words_is_less_sure_than_one_of_the_lexicon() -> None:
    (one,) = other("Exosomes keep for years in a drawer", kind="composition")
    assert (one.confidence, one.type, one.number, one.proposition.patterns) == (0.6, "composition", None, ())


def test_what_a_quote_names_in_particular_is_a_claim_of_its_own() -> None:
    text = "Early studies show that exosomes ease eczema"
    (one,) = found(claim("exosomes ease eczema", "small-disease-studies-exist"), text=text)
    assert one.proposition.key == "small-disease-studies-exist-eczema-or-psoriasis"
    assert one.confidence == 0.8
    (general,) = found(claim("Early studies", "small-disease-studies-exist"), text=text)
    assert general.proposition.key == "small-disease-studies-exist", "what stands outside the quote is not named in it"


def test_the_number_is_that_of_the_quote() -> None:
    key = "boosts-collagen-elastin"
    quotes = ("raise collagen by 300%", "some say by 200%", "They raise collagen")
    assert [one.number for quote in quotes for one in found(claim(quote, key))] == ["300", "200", None]


def test_one_claim_is_one_proposition_stance_and_number_and_its_first_quote_counts() -> None:
    collagen = "boosts-collagen-elastin"
    both = found(claim("They raise collagen by 300%", collagen), claim("some say by 200%", collagen))
    assert [one.number for one in both] == ["300", "200"]
    gout = [claim("gout and eczema", "treats-gout", stance) for stance in ("asserts", "denies")]
    assert {one.stance for one in found(*gout)} == {"asserts", "denies"}
    (once,) = found(claim("gout and eczema", "treats-gout"), claim("Exosomes treat gout", "treats-gout"))
    assert (once.start, once.end) == (15, 30)


def test_finds_are_told_in_the_order_of_the_text() -> None:
    said = [("eczema", "treats-gout"), ("gout and eczema", "knee-osteoarthritis-treated"), ("gout", "regrows-cartilage")]
    same = [("Exosomes", "treats-gout", "denies"), ("Exosomes", "regrows-cartilage", "denies")]
    told = found(*(claim(quote, key) for quote, key in said), *(claim(*one) for one in same))
    assert [(one.start, one.end, one.proposition.key) for one in told] == [
        (0, 8, "regrows-cartilage"),
        (0, 8, "treats-gout"),
        (15, 19, "regrows-cartilage"),
        (15, 30, "knee-osteoarthritis-treated"),
        (24, 30, "treats-gout"),
    ]


def test_a_quote_that_stands_twice_is_where_it_stands_first() -> None:
    assert [(one.start, one.end) for one in found(claim("gout", "treats-gout"))] == [(15, 19)]


@pytest.mark.parametrize(("length", "count"), [(1_000, 1), (1_001, 0)])
def test_a_quote_has_a_bound(length: int, count: int) -> None:
    assert len(found(claim("x" * length, "treats-gout"), text="x" * 2_000)) == count


def test_what_is_dropped_does_not_end_the_list() -> None:
    dropped = [claim("nowhere to be seen", "treats-gout"), claim("Exosomes", "nonsense")]
    assert [one.proposition.key for one in found(*dropped, claim("gout", "treats-gout"))] == ["treats-gout"]


# Claims in the model's own words


def test_a_sentence_is_kept_with_single_blanks() -> None:
    (one,) = other("  Exosomes  make\n the teeth   whiter ")
    assert one.proposition.claim == "Exosomes make the teeth whiter."


@pytest.mark.parametrize("end", [".", "!", "?"])
def test_a_sentence_that_has_an_end_gets_no_other(end: str) -> None:
    assert other(f"Exosomes make the teeth whiter{end}")[0].proposition.claim == f"Exosomes make the teeth whiter{end}"


def test_the_identity_of_a_sentence_is_its_type_and_twelve_digits_of_its_words() -> None:
    keys = {other(f"Exosomes make the {what} whiter")[0].proposition.key for what in ("teeth", "bones", "TEETH")}
    assert len(keys) == 2
    for key in keys:
        kind, _, mark = key.rpartition("-")
        assert kind == "other-safety"
        assert len(bytes.fromhex(mark)) == 6


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("Exosomes!", 0),
        ("Exosomes A", 1),
        (f"Exosomes {'x' * 191}", 1),
        (f"Exosomes {'x' * 192}", 0),
        ("Moons make the teeth whiter", 0),
        ("Exosomes make the teeth_whiter", 0),
        ("Exosomes make the te\x00eth whiter", 0),
    ],
    ids=["nine-letters", "ten", "two-hundred", "one-more", "off-the-topic", "markup", "unprintable"],
)
def test_a_plain_sentence_about_the_topic_of_ten_to_two_hundred_letters(sentence: str, count: int) -> None:
    assert len(other(sentence)) == count


LONG_POST = "Exosomes gave my old aunt in the blue house her deep sleep back"  # thirteen words


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("Exosomes gave my old aunt in the blue house her deep sleep", 0),  # twelve, from its beginning
        ("gave my old aunt in the blue house her deep sleep back", 0),  # twelve, to its end
        ("Exosomes: gave MY old aunt, in the blue house, her deep sleep", 0),
        ("So exosomes gave my old aunt in the blue house her deep sleep", 0),
        ("Exosomes gave my old aunt in the blue house her deep", 1),  # eleven
        ("Exosomes gave my old aunt in the blue house her deep sleep.", 0),
        ("Exosomes gave my old aunt in the blue house her deep slee", 1),  # eleven and a part of a word
        ("Some exosomes: my old aunt in the blue house her deep sleep back", 1),  # its last eleven
    ],
)
def test_a_sentence_may_repeat_eleven_words_of_the_post_and_not_twelve(sentence: str, count: int) -> None:
    told = sentence if "xosomes" in sentence else f"Exosomes {sentence}"
    assert len(other(told, text=LONG_POST)) == count


# What is no answer


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("Sure!", "it is not JSON of the form that was asked for"),
        ('{"relevant": true}', "it is not JSON of the form that was asked for"),
        ("\ud800", "it is not JSON of the form that was asked for"),
        ('{"claims": ' + '{"x": ' * 100_000, "it is not JSON of the form that was asked for"),
        ('{"more": ' + "[" * 100_000, "it is nested too deeply"),
    ],
    ids=["prose", "a-part", "half-a-character", "an-object-for-a-list", "nested"],
)
def test_what_is_wrong_with_an_answer_is_said(content: str, why: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        ANSWERS.reading(content, TEXT, None)
    assert str(caught.value) == why
