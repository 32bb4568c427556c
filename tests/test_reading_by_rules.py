"""Reading by the lexicon's wordings alone: which sentences are read, how claims are told apart, who speaks of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.topic import Topic, fold, load_topic
from monitor.words import MAX_TEXT
from workers.classify.found import Found
from workers.classify.language import guess_language
from workers.classify.reader import Classifier, Reading, version_of
from workers.classify.rules import MAX_CLAIMS, MAX_WORDS_READ, Rules

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes"
FILES = {
    "topic.yaml": "name: kefir\ntitle: Kefir claims\n",
    "keywords.yaml": 'keywords:\n  - name: kefir\n    written: ["*kefir*"]\n',
    "lexicon/cues/all.yaml": "cues:\n  gout: [gout]\n",
    "lexicon/cues/en.yaml": "language: en\ncues:\n  itch: [itch]\n",
    "lexicon/cues/es.yaml": "language: es\ncues:\n  gout: [gota]\n",
    "lexicon/claims/skin.yaml": """
type: skin_efficacy
claims:
  - {key: clears-skin, claim: It clears skin., when: [clear* + skin]}
""",
    "lexicon/claims/hair.yaml": """
type: hair_efficacy
claims:
  - {key: regrows-hair, claim: It regrows hair., when: [regrow* + hair]}
""",
    "lexicon/claims/disease.yaml": """
type: disease_treatment
claims:
  - {key: heals-gout, claim: Kefir heals gout., when: ["heal*|cura + @gout"], sure: 0.9}
  - {key: stops-itch, claim: Kefir stops itch., when: ["stop* + @itch"]}
""",
    "lexicon/claims/safety.yaml": """
type: safety
claims:
  - {key: brings-rash, claim: Kefir brings a rash., when: [rash], harm: true}
  - {key: no-risk, claim: Kefir has no risk., when: [no risk], negative: true}
""",
    "lexicon/claims/superiority.yaml": """
type: superiority
claims:
  - {key: beats-milk, claim: It beats milk., when: [beats milk]}
""",
    "lexicon/claims/composition.yaml": """
type: composition
claims:
  - {key: pure, claim: Kefir is pure., when: [pure]}
  - {key: live-cells, claim: Kefir has live cells., when: ["live cells"], number: count}
  - {key: all-milk, claim: Kefir is all milk., when: ["made .. of milk"]}
  - key: for-drink
    claim: Kefir is for everyone to drink.
    when: [for .. to drink]
    differs_by: {who: {instead_of: everyone, values: {women: [women], men: [men]}}}
""",
    "register/all.yaml": """
entries:
  - id: pure
    type: composition
    claim: Kefir is pure.
    verdicts: {global: unsupported}
    as_of: 2026-03-01
    citations:
      - {id: BOOK, citation: A book on dairies, kind: review, mark: from memory}
""",
}


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory) -> Topic:
    folder = tmp_path_factory.mktemp("kefir")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return load_topic(folder)


@pytest.fixture(scope="module")
def classifier(topic: Topic) -> Classifier:
    return Classifier(topic)


def stances(reading: Reading) -> list[tuple[str, str]]:
    return [(claim.proposition.key, claim.stance) for claim in reading.claims]


def keys(reading: Reading) -> list[str]:
    return [claim.proposition.key for claim in reading.claims]


def quotes(reading: Reading, text: str) -> list[str]:
    return [text[claim.start : claim.end] for claim in reading.claims]


def test_all_that_is_known_of_a_claim_is_told(topic: Topic, classifier: Classifier) -> None:
    text = "Hello. Ünser Kefir heals gout, really"
    assert classifier.read(text, "en").claims == (
        Found(
            start=7,
            end=29,
            type="disease_treatment",
            stance="asserts",
            distance=False,
            testimonial=False,
            proposition=topic.lexicon.propositions["heals-gout"],
            number=None,
            confidence=0.9,
            by="the lexicon's claim heals-gout matched by the wording [heal*|cura + @gout]",
            cue="cue: plain",
        ),
    )


@pytest.mark.parametrize(
    "text", ["Kefir clears skin like vitamin C", "K e f i r clears skin", "A kefir clears skin", "I say kefir beats milk 2 a"]
)
def test_a_quote_begins_and_ends_with_whole_words(classifier: Classifier, text: str) -> None:
    assert quotes(classifier.read(f"Hello, all. {text}, bye"), f"Hello, all. {text}, bye") == [text.removeprefix("I say ")]


def test_a_number_is_read_from_the_words_of_its_claim(classifier: Classifier) -> None:
    text = "After 7 million years: kefir with 20 billion live cells!"
    (claim,) = classifier.read(text).claims
    assert (claim.number, text[claim.start : claim.end]) == ("20-billion", "kefir with 20 billion live cells")


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("Kefir for women to drink", ["Kefir is for women to drink."]),
        ("Kefir for women and men to drink", ["Kefir is for women to drink.", "Kefir is for men to drink."]),
        ("All women say: kefir for the dog to drink, not men", ["Kefir is for everyone to drink."]),
    ],
)
def test_what_a_claim_differs_by_is_read_from_the_words_of_its_quote(
    classifier: Classifier, text: str, claimed: list[str]
) -> None:
    assert {claim.proposition.claim for claim in classifier.read(text).claims} == set(claimed)


def test_what_is_said_again_is_one_claim_and_what_differs_is_another(classifier: Classifier) -> None:
    text = (
        "Kefir heals gout. This kefir really heals all gout! Kefir does not heal gout, though. "
        "It has 5 billion live cells. It has 9 billion live cells. Kefir with 5 billion live cells!"
    )
    assert [(c.proposition.key, c.stance, c.number) for c in classifier.read(text).claims] == [
        ("heals-gout", "asserts", None),
        ("heals-gout", "denies", None),
        ("live-cells", "asserts", "5-billion"),
        ("live-cells", "asserts", "9-billion"),
    ]


def test_a_sentence_said_twice_is_read_once(classifier: Classifier) -> None:
    reading = classifier.read("Kefir heals gout. Kefir heals gout. False. And kefir is pure.")
    assert stances(reading) == [("heals-gout", "denies"), ("pure", "asserts")]


def test_claims_come_in_the_order_of_the_text(classifier: Classifier) -> None:
    text = "#puremilk kefir is pure, it regrows all the hair and clears the skin"
    assert keys(classifier.read("Kefir is pure, and it is made all of milk")) == ["pure", "all-milk"]
    assert keys(classifier.read("Kefir is pure and is made all of milk and beats milk")) == ["all-milk", "beats-milk", "pure"]
    assert keys(classifier.read(text)) == ["pure", "clears-skin", "regrows-hair"]


def test_a_page_that_makes_ever_more_claims_repeats_itself(classifier: Classifier) -> None:
    def numbers(count: int) -> list[str | None]:
        text = " ".join(f"Kefir with {n} million live cells." for n in range(1, count + 1))
        return [claim.number for claim in classifier.read(text).claims]

    assert len(numbers(MAX_CLAIMS)) == MAX_CLAIMS
    assert numbers(MAX_CLAIMS + 1) == [f"{n}-million" for n in range(1, MAX_CLAIMS + 1)]


@pytest.mark.parametrize(
    ("text", "stance"),
    [
        ("Kefir heals gout. False.", "denies"),
        ("Milk. Kefir heals gout. False.", "denies"),
        ("Kefir heals gout. False. #puremilk", "denies"),
        ("Kefir heals gout. False. We met. Bye.", "denies"),
        ("Kefir heals gout. We met. False.", "asserts"),
        ("False. Kefir heals gout.", "asserts"),
        ("It is a myth. Kefir heals gout.", "denies"),
        ("It is a myth. We met. Kefir heals gout.", "asserts"),
        ("Kefir heals gout. We met. It is a myth.", "asserts"),
        ("Kefir heals gout #puremyth", "asserts"),
        ("Kefir heals gout. Is that true?", "asks"),
    ],
)
def test_the_sentences_beside_a_claim_bear_on_its_stance(classifier: Classifier, text: str, stance: str) -> None:
    assert dict(stances(classifier.read(text)))["heals-gout"] == stance


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("My doctor says kefir heals gout.", False),
        ("My doctor says kefir heals gout. We met. It rained. I am not convinced.", True),
        ("I am not convinced. It rained. We met. My doctor says kefir heals gout.", True),
    ],
)
def test_a_doubt_anywhere_in_the_post_is_distance_to_what_it_reports(classifier: Classifier, text: str, distance: bool) -> None:
    (claim,) = classifier.read(text).claims
    assert (claim.stance, claim.distance) == ("reports", distance)


@pytest.mark.parametrize(
    ("text", "testimonial"),
    [
        ("Kefir cleared my skin", True),
        ("Kefir regrew, no, regrows my hair", True),
        ("Kefir healed my gout", True),
        ("Kefir gave me a rash", True),
        ("Kefir beats milk for me", True),
        ("My kefir is pure", False),
        ("Kefir clears the skin", False),
        ("Kefir clears the skin. It rained. My dog sleeps.", False),
        ("My dog sleeps. Kefir clears the skin.", True),
        ("It rained. My dog sleeps. Kefir clears the skin.", True),
        ("My dog sleeps. It rained. Kefir clears the skin.", False),
        ("It rained. Kefir clears the skin.", False),
        ("Kefir cleared my skin. Book a table.", False),
        ("My dog sleeps. Kefir clears the skin. Book a table.", False),
        ("Book a table. It rained. Kefir cleared my skin.", False),
    ],
)
def test_who_speaks_of_their_own_body_and_sells_nothing_gives_a_testimonial(
    classifier: Classifier, text: str, testimonial: bool
) -> None:
    (claim,) = classifier.read(text).claims
    assert claim.testimonial is testimonial


@pytest.mark.parametrize(
    ("text", "harm"),
    [
        ("Kefir gave me a rash", True),
        ("My doctor says kefir brought the rash", True),
        ("Kefir is pure. Kefir gave me a rash. Kefir beats milk.", True),
        ("Does kefir bring a rash?", False),
        ("Kefir did not bring a rash", False),
        ("Kefir has no risk", False),
        ("Kefir heals gout", False),
        ("I had a drink of kefir", False),
    ],
)
def test_harm_that_is_told_is_an_adverse_event(classifier: Classifier, text: str, harm: bool) -> None:
    assert classifier.read(text).adverse_event is harm


FILLER = [f"Day {n} was dry and calm." for n in range(40)]


def page(sentences: int, **said: str) -> str:
    """So many sentences, all about the weather but those given by their place (`at_3`)."""
    lines = FILLER[:sentences]
    for place, text in said.items():
        lines[int(place.removeprefix("at_"))] = text
    return " ".join(lines)


def test_a_short_text_is_read_whole_and_a_long_one_near_its_topic(classifier: Classifier) -> None:
    assert keys(classifier.read(page(12, at_0="I drink kefir.", at_11="It heals gout."))) == ["heals-gout"]
    assert keys(classifier.read(page(13, at_0="I drink kefir.", at_11="It heals gout."))) == []


@pytest.mark.parametrize(
    ("named", "claimed", "read"),
    [
        *((20, claimed, 18 <= claimed <= 22) for claimed in range(17, 24)),
        *((0, 0, True), (0, 2, True), (0, 3, False), (1, 0, True), (2, 0, True)),
        *((39, 37, True), (39, 36, False), (38, 39, True), (39, 39, True)),
    ],
)
def test_in_a_long_text_a_claim_stands_within_two_sentences_of_the_topic(
    classifier: Classifier, named: int, claimed: int, read: bool
) -> None:
    said = {f"at_{claimed}": "It heals gout."} | {f"at_{named}": "I drink kefir."}
    if named == claimed:
        said = {f"at_{named}": "Kefir heals gout."}
    assert keys(classifier.read(page(40, **said))) == (["heals-gout"] if read else [])


def test_places_far_from_each_other_are_read_in_their_order(classifier: Classifier) -> None:
    text = page(40, at_5="Kefir heals gout.", at_20="It clears skin.", at_30="Kefir is pure.", at_31="It beats milk.")
    assert keys(classifier.read(text)) == ["heals-gout", "pure", "beats-milk"]


def test_no_more_than_so_many_words_are_read(classifier: Classifier) -> None:
    full = [f"Kefir {n} " + "on " * 97 + "now." for n in range(MAX_WORDS_READ // 100 - 1)]

    def read(words: int) -> list[str]:
        last = "Kefir " + "or " * (words - 4) + "it heals gout."
        return keys(classifier.read(" ".join([*full, last, "Kefir is pure."])))

    assert read(100) == ["heals-gout"]
    assert read(101) == []
    assert read(97) == ["heals-gout", "pure"]


def test_what_a_page_says_again_takes_no_room_from_what_it_says_once(classifier: Classifier) -> None:
    menu = "Kefir " + "on " * 98 + "offer."
    assert keys(classifier.read(" ".join([menu] * (MAX_WORDS_READ // 100 + 1) + ["Kefir heals gout."]))) == ["heals-gout"]


def test_hashtags_are_read_by_the_words_of_the_lexicon(classifier: Classifier) -> None:
    text = "Kefir time #healsgout #clearskin"
    reading = classifier.read(text)
    assert quotes(reading, text) == ["#healsgout", "#clearskin"]
    assert [claim.cue for claim in reading.claims] == ["cue: hashtag"] * 2


def nothing(language: str | None) -> Reading:
    return Reading(relevant=False, language=language, adverse_event=False, claims=())


def test_what_is_not_about_the_topic_has_only_a_language(classifier: Classifier) -> None:
    assert classifier.read("Milk heals gout and gave me a rash") == nothing("en")
    assert classifier.read("La leche cura la gota", "es") == nothing("es")
    assert classifier.read("12345") == nothing(None)


def test_what_is_about_the_topic_may_claim_nothing(classifier: Classifier) -> None:
    assert classifier.read("I drink kefir and milk") == Reading(relevant=True, language="en", adverse_event=False, claims=())


@pytest.mark.parametrize(
    ("lang", "language"), [("pt-BR", "pt"), ("pt_BR", "pt"), ("PT", "pt"), ("zh-hant-tw", "zh"), ("zh_Hant-TW", "zh")]
)
def test_the_platforms_language_is_taken_without_its_country(classifier: Classifier, lang: str, language: str) -> None:
    assert classifier.read("Kefir", lang).language == language
    assert classifier.read("Milk", lang).language == language


@pytest.mark.parametrize("lang", [None, ""])
def test_the_language_is_guessed_where_the_platform_says_none(classifier: Classifier, lang: str | None) -> None:
    text = "Der Kefir ist nicht rein und das ist gut"
    assert guess_language(text) == "de"
    assert classifier.read(text, lang).language == "de"


def test_cues_of_the_platforms_language_and_of_the_texts_are_read(classifier: Classifier) -> None:
    english = "This is the kefir that is good and it cura gota and it stops all itch"
    assert keys(classifier.read(english)) == ["stops-itch"]
    assert sorted(keys(classifier.read(english, "es"))) == ["heals-gout", "stops-itch"]
    assert keys(classifier.read("El kefir es bueno y cura la gota de los pies y no es caro")) == ["heals-gout"]


def test_what_lies_beyond_the_longest_text_is_not_read(classifier: Classifier) -> None:
    lead, claim = "Kefir. ", "It heals gout"
    text = lead + "\n" * (MAX_TEXT - len(lead) - len(claim)) + claim
    assert keys(classifier.read(text)) == ["heals-gout"]
    assert keys(classifier.read(" " + text)) == []


def test_the_version_names_model_rules_and_lexicon(topic: Topic, classifier: Classifier) -> None:
    assert classifier.version == version_of(topic) == f"rules-1+{topic.version}"
    shipped = load_topic(SHIPPED)
    model, rules, lexicon = version_of(shipped).split("+")
    assert (rules, lexicon) == ("rules-1", shipped.version)
    assert model


def test_rules_read_cues_in_the_languages_they_are_given_alone(topic: Topic) -> None:
    folded = fold("kefir stops itch and cura gota")

    def found(*languages: str) -> list[str]:
        finds = Rules(topic).find(folded, [(0, 5)], frozenset(languages))
        assert (finds.harm, finds.relevant) == (False, True)
        return sorted(claim.proposition.key for claim in finds.claims)

    assert (found("en"), found("es"), found()) == (["stops-itch"], ["heals-gout"], [])
