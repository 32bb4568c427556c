"""What a lexicon's wordings find in a sentence: which words carry a claim, and which of several wordings is taken."""

from __future__ import annotations

import pytest

from monitor.topic import Lexicon, Proposition, fold
from monitor.topic.patterns import Item, parse_pattern, parse_phrase
from workers.classify.match import MAX_EXTENT, Hit, Matcher, Span, View
from workers.classify.segment import sentences

ENGLISH = frozenset(["en"])
Cues = dict[str, tuple[tuple[Item, ...], ...]]


def cues(named: dict[str, str]) -> Cues:
    return {name: tuple(parse_phrase(text) for text in texts.split(",")) for name, texts in named.items()}


def claim(key: str, *when: str, denied: tuple[str, ...] = (), unless: tuple[str, ...] = ()) -> Proposition:
    return Proposition(
        key=key,
        type="disease_treatment",
        claim=f"It is so with {key}.",
        patterns=tuple(parse_pattern(wording) for wording in when),
        denied=tuple(parse_pattern(wording) for wording in denied),
        unless=tuple(parse_phrase(phrase) for phrase in unless),
    )


def matcher(*claims: Proposition, topic_pack: dict[str, str] | None = None, more: dict[str, str] | None = None) -> Matcher:
    lexicon = Lexicon(cues=cues(topic_pack or {}), propositions={one.key: one for one in claims})
    return Matcher(lexicon, cues(more or {}))


def seen(by: Matcher, text: str, topic: tuple[Span, ...] = (), languages: frozenset[str] = ENGLISH) -> View:
    (sentence,) = sentences(fold(text).text)
    return by.view(sentence, topic, languages)


def hits(by: Matcher, text: str) -> list[Hit]:
    return by.hits(seen(by, text))


def places(wording: str, text: str, **named: str) -> tuple[Span, ...] | None:
    """The words that carry a wording in a sentence, or None."""
    found = hits(matcher(claim("c", wording), topic_pack=named), text)
    return found[0].spans if found else None


@pytest.mark.parametrize(
    ("wording", "text", "carried"),
    [
        ("glow", "a glow is seen", ((1, 2),)),
        ("glow", "a glowing skin", None),
        ("glow*", "a glowing skin", ((1, 2),)),
        ("glow*", "a glow", ((1, 2),)),
        ("glow*", "a glo", None),
        ("hair loss", "ends hair loss", ((1, 2), (2, 3))),
        ("hair loss", "loss hair", None),
        ("hair loss", "hair", None),
        ("hair loss", "hair and loss", None),
        ("hair loss again", "no hair loss again", ((1, 2), (2, 3), (3, 4))),
        ("hair|fur loss", "a fur loss", ((1, 2), (2, 3))),
        ("hair .. loss", "hair loss", ((0, 1), (1, 2))),
        ("hair .. loss", "hair one two three four loss", ((0, 1), (5, 6))),
        ("hair .. loss", "hair one two three four five loss", None),
        ("hair .. loss", "hair and loss or loss", ((0, 1), (2, 3))),
        ("hair .. loss ends", "hair and loss or loss ends", ((0, 1), (4, 5), (5, 6))),
        ("heals + knee", "a knee that heals", ((3, 4), (1, 2))),
        ("heals + knee", "it heals", None),
        ("heals + knee", "a knee", None),
        ("heals + knee - dog", "it heals a knee", ((1, 2), (3, 4))),
        ("heals + knee - dog", "it heals a dog with a knee", None),
        ("주름", "피부주름이 준다", ((0, 1),)),
        ("주름", "피부가 준다", None),
    ],
)
def test_a_wording_is_found_where_its_words_stand(wording: str, text: str, carried: tuple[Span, ...] | None) -> None:
    assert places(wording, text) == carried


@pytest.mark.parametrize(
    ("wording", "text", "carried"),
    [
        ("@cure", "a real cure", ((2, 3),)),
        ("@cure", "it makes whole again", ((1, 3),)),
        ("@cure knee", "it makes whole knee after knee", ((1, 3), (3, 4))),
        ("knee @cure now", "knee makes whole now", ((0, 1), (1, 3), (3, 4))),
        ("knee @cure", "knee or cure", None),
        ("knee .. @cure", "knee or cure", ((0, 1), (2, 3))),
        ("@cure|fix + knee", "fix the knee", ((0, 1), (2, 3))),
        ("@cure|fix + knee", "cure the knee", ((0, 1), (2, 3))),
        ("knee + @cure|fix", "knee fix", ((0, 1), (1, 2))),
        ("knee + @cure|fix", "knee cure", ((0, 1), (1, 2))),
        ("@cure", "nothing of it", None),
    ],
)
def test_a_cue_stands_for_each_of_its_phrases(wording: str, text: str, carried: tuple[Span, ...] | None) -> None:
    assert places(wording, text, cure="cure,makes whole") == carried


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("knee heals one two three four five knee", ((1, 2), (0, 1))),
        ("knee one two three four heals knee", ((5, 6), (6, 7))),
        ("one two three knee four heals one two knee", ((5, 6), (3, 4))),  # two words before it, three after
        ("one two knee one two heals one knee", ((5, 6), (7, 8))),  # three words before it, two after
        ("heals knee heals", ((0, 1), (1, 2))),
        ("heals one two knee heals", ((4, 5), (3, 4))),
        ("one two three four five six heals one two three four heals knee", ((11, 12), (12, 13))),
    ],
)
def test_of_several_places_those_that_lie_nearest_are_taken(text: str, carried: tuple[Span, ...]) -> None:
    assert places("heals + knee", text) == carried


def test_only_the_first_eight_places_are_looked_at() -> None:
    """A bound for texts that say one word over and over."""
    assert places("heals + knee", "heals " * 8 + "knee") == ((7, 8), (8, 9))
    assert places("heals + knee", "heals " * 9 + "knee") == ((7, 8), (9, 10))


@pytest.mark.parametrize("lead", ["", "so it was said one evening in the old town hall by a very old man and "])
def test_what_lies_too_far_apart_is_chance(lead: str) -> None:
    between = MAX_EXTENT - 2
    assert places("heals + knee", lead + "heals " + "on " * between + "knee") is not None
    assert places("heals + knee", lead + "heals " + "on " * (between + 1) + "knee") is None


def test_each_word_is_found_as_itself_however_the_lexicon_is_mixed() -> None:
    words = ["glow", "skin", "lift*", "주름", "tone", "탄력", "firm*", "calm", "피부", "smooth*", "dew", "leg", "arm*", "rose"]
    by = matcher(*(claim(f"c-{word.rstrip('*')}", word) for word in words))
    for word in words:
        assert [hit.proposition.key for hit in hits(by, word.rstrip("*"))] == [f"c-{word.rstrip('*')}"]


def test_an_arabic_word_is_found_by_its_beginning_and_by_what_is_inside_it() -> None:
    by = matcher(claim("begins", "دم*"), claim("inside", "دموي"))
    assert {hit.proposition.key for hit in hits(by, "دموي")} == {"begins", "inside"}


def test_a_word_of_any_length_is_looked_up() -> None:
    assert places("glow*", "glow" + "x" * 77) == ((0, 1),)


def test_a_claim_is_not_found_where_a_phrase_makes_it_chance() -> None:
    by = matcher(claim("c", "heals + knee", unless=("in theory", "dog")))
    assert len(hits(by, "it heals the knee")) == 1
    assert hits(by, "it heals the knee in theory") == []
    assert hits(by, "it heals the knee of a dog") == []


def test_every_claim_of_a_sentence_is_found() -> None:
    by = matcher(
        claim("knee", "heals + knee"),
        claim("back", "heals + back"),
        claim("hair", "grows + @hair"),
        claim("glow", "@hair|glow"),
        topic_pack={"hair": "hair,locks"},
    )

    def keys(text: str) -> list[str]:
        return sorted(hit.proposition.key for hit in hits(by, text))

    assert keys("it heals, yes it heals, a back, and grows locks") == ["back", "glow", "hair"]
    assert keys("heals back and knee with glow") == ["back", "glow", "knee"]
    assert keys("nothing") == []


def test_a_denial_is_told_from_an_assertion() -> None:
    by = matcher(claim("c", "approved", denied=("banned",)))
    (said,), (denied,) = hits(by, "it is approved"), hits(by, "it is banned")
    assert (said.denial, denied.denial) == (False, True)
    assert (said.pattern.wording, denied.pattern.wording) == ("approved", "banned")


@pytest.mark.parametrize(
    ("wordings", "text", "taken"),
    [
        (("heals", "heals fast"), "it heals fast", "heals fast"),
        (("heals fast", "heals"), "it heals fast", "heals fast"),
        (("heals knee*", "heals knee"), "it heals knee pain", "heals knee*"),  # of equals the first of the lexicon
        (("heals + skin", "heals + knee"), "on it goes and on it goes skin yes heals knee", "heals + knee"),
        (("heals + knee", "heals + skin"), "on it goes and on it goes skin yes heals knee", "heals + knee"),
        (("skin + heals", "knee + heals"), "on it goes and on it goes skin yes yes heals knee", "knee + heals"),
        (("skin + heals", "knee + heals"), "on it goes and on it goes skin heals yes yes knee", "skin + heals"),
    ],
)
def test_of_several_wordings_the_one_with_most_words_is_taken_then_the_one_that_lies_closest(
    wordings: tuple[str, ...], text: str, taken: str
) -> None:
    (hit,) = hits(matcher(claim("c", *wordings)), text)
    assert hit.pattern.wording == taken


def test_a_wording_that_denies_goes_before_any_that_asserts() -> None:
    by = matcher(claim("c", "fully approved here", denied=("banned",)))
    for text in ("fully approved here or banned", "banned or fully approved here"):
        (hit,) = hits(by, text)
        assert hit.denial is True


def test_a_find_tells_its_first_and_last_word_and_how_much_carries_it() -> None:
    (hit,) = hits(matcher(claim("c", "hair loss + ends")), "it ends all hair loss now")
    assert (hit.first, hit.last) == (1, 4)
    (lighter,) = hits(matcher(claim("c", "loss + ends")), "it ends all hair loss now")
    assert hit.weight > lighter.weight


def test_cues_of_the_topic_and_those_of_every_topic_count_together() -> None:
    by = matcher(topic_pack={"not": "nix", "own": "my"}, more={"not": "not,by no means"})
    view = seen(by, "nix, this is not my cure, by no means")
    assert view.cues == {"not": [(0, 1), (3, 4), (6, 9)], "own": [(4, 5)]}
    assert (view.has("not"), view.has("own"), view.has("says")) == (True, True, False)


@pytest.mark.parametrize(
    ("languages", "found"),
    [
        (["en"], {"not": [(0, 1)]}),
        (["es"], {"not": [(0, 1), (1, 2)]}),
        (["de", "es"], {"not": [(0, 1), (1, 2), (2, 3)]}),
        ([], {"not": [(0, 1)]}),
    ],
)
def test_the_cues_of_a_language_count_where_the_text_may_be_of_it(languages: list[str], found: dict[str, list[Span]]) -> None:
    by = matcher(more={"not": "not", "es:not": "nunca", "de:not": "nie"})
    assert seen(by, "not nunca nie", languages=frozenset(languages)).cues == found


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("the exosome cure", (4, 11), (1, 2)),
        ("a stem cell serum that", (2, 17), (1, 4)),
        ("exosome치료", (0, 7), (0, 1)),
        ("치료exosome", (2, 9), (1, 2)),
        ("exosome", (0, 7), (0, 1)),
    ],
)
def test_the_topic_is_a_cue_where_it_is_named(text: str, place: Span, words: Span) -> None:
    assert seen(matcher(), text, (place,)).cues == {"topic": [words]}


def test_each_place_of_the_topic_in_the_sentence_counts_and_none_beside_it() -> None:
    by = matcher(claim("c", "cure @topic"))
    view = seen(by, "exosome or exosome", ((0, 7), (11, 18), (90, 97)))
    assert view.cues == {"topic": [(0, 1), (2, 3)]}
    assert [hit.spans for hit in by.hits(seen(by, "cure exosome", ((5, 12),)))] == [((0, 1), (1, 2))]


@pytest.mark.parametrize(
    ("part", "known"),
    [
        ("fda", True),
        ("needle", True),
        ("needles", False),
        ("heal", True),
        ("heals", True),
        ("healed", True),
        ("healing", True),
        ("healable", False),
        ("hea", False),
        ("no", True),
        ("of", True),
        ("xo", False),
        ("ox", False),
        ("other", False),
    ],
)
def test_a_part_of_a_hashtag_is_a_word_of_the_lexicon_or_one_with_a_short_ending(part: str, known: bool) -> None:
    assert matcher(claim("c", "fda + needle|ox + heal*")).knows(part) is known
