"""Reads a text: is it about the topic, which claims does it make, with what stance, and does it report harm."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import msgspec

from monitor.topic import Folded, Topic, fold
from monitor.topic.lexicon import Proposition
from monitor.words import MAX_TEXT, ClaimType, Stance
from workers.classify.choose import choose
from workers.classify.language import guess_language, likely_languages
from workers.classify.match import Hit, Matcher
from workers.classify.numbers import read_number
from workers.classify.quote import quote_span
from workers.classify.segment import Sentence, sentences
from workers.classify.stance import Surroundings, read_stance
from workers.classify.tongues import stance_cues

RULES_VERSION = "rules-1"
MAX_WORDS_READ = 4_000  # twice a long article
MAX_CLAIMS = 40  # of one text; a page that makes more repeats itself
_LONG_TEXT = 12  # sentences; in a longer text a claim stands near a mention of the topic
_NEAR = 2  # sentences


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A claim found in a text. `start` and `end` are code points of the original text; `number` belongs to the claim's identity.

    `wording` is the lexicon's own wording that matched, never the post's, and `cue` is what decided the stance.
    """

    start: int
    end: int
    type: ClaimType
    stance: Stance
    distance: bool
    testimonial: bool
    proposition: Proposition
    number: str | None
    confidence: float
    wording: str
    cue: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the classifier makes of one text."""

    relevant: bool
    language: str | None
    adverse_event: bool
    claims: tuple[Found, ...]


class Scorer(Protocol):
    """Something that knows better than the rules how sure a find is, such as a trained model: it may re-rate or drop finds."""

    version: str

    def rate(self, text: str, found: Sequence[Found]) -> Sequence[Found]:
        """The finds that stand, with their confidence."""
        ...


class Classifier:
    """The rules over a topic pack. Pure: the same text and pack give the same reading on every machine."""

    def __init__(self, topic: Topic, scorer: Scorer | None = None) -> None:
        self._topic = topic
        self._scorer = scorer
        self._matcher = Matcher(topic.lexicon, stance_cues())
        self.version = f"{RULES_VERSION}+{topic.version}" + (f"+{scorer.version}" if scorer else "")

    def read(self, text: str, lang: str | None = None) -> Reading:
        """The reading of a text, of which MAX_TEXT characters are read. `lang` is the platform's word for the language."""
        text = text[:MAX_TEXT]
        folded = fold(text)
        relevant = bool(self._topic.keywords.find_folded(folded))
        language = (lang or "").replace("_", "-").split("-")[0].lower() or guess_language(text)
        if not relevant:
            return Reading(relevant=False, language=language, adverse_event=False, claims=())
        found: Sequence[Found] = self._claims(folded, likely_languages(text) | {language or "en"})
        if self._scorer is not None:
            found = self._scorer.rate(text, found)
        harm = any(f.proposition.harm and f.stance in ("asserts", "reports") and f.cue != "general" for f in found)
        return Reading(relevant=True, language=language, adverse_event=harm, claims=tuple(found))

    def _claims(self, folded: Folded, languages: frozenset[str]) -> list[Found]:
        places = self._topic.keywords.places(folded)
        parts = _worth_reading(sentences(folded.text, self._matcher.knows), places)
        views = [self._matcher.view(part, _inside(places, part), languages) for part in parts]
        doubt = any(view.has("doubt") for view in views)
        seller = any(view.has("we") for view in views)
        found: list[Found] = []
        seen: set[tuple[str, Stance, str | None]] = set()
        for at, view in enumerate(views):
            before = views[at - 1] if at else None
            after = views[at + 1] if at + 1 < len(views) and not views[at + 1].sentence.hashtag else None
            place = Surroundings(view, before, after, doubt, seller)
            for hit in choose(self._matcher.hits(view), view):
                claim = self._found(folded, hit, place)
                key = (claim.proposition.key, claim.stance, claim.number)
                if key not in seen and len(found) < MAX_CLAIMS:
                    seen.add(key)
                    found.append(claim)
        return sorted(found, key=lambda claim: (claim.start, claim.end, claim.proposition.key))

    def _found(self, folded: Folded, hit: Hit, place: Surroundings) -> Found:
        proposition = hit.proposition
        stance = read_stance(hit, place)
        start, end = quote_span(folded.text, hit, place.view)
        number = read_number(proposition.number, folded.text[start:end]) if proposition.number else None
        original_start, original_end = _trimmed(folded, start, end)
        return Found(
            start=original_start,
            end=original_end,
            type=proposition.type,
            stance=stance.stance,
            distance=stance.distance,
            testimonial=_testimonial(proposition.type, place),
            proposition=proposition,
            number=number,
            confidence=proposition.sure,
            wording=hit.pattern.wording,
            cue=stance.cue,
        )


def _worth_reading(parts: list[Sentence], places: list[tuple[int, int]]) -> list[Sentence]:
    """The sentences that may carry a claim: in a short text all, in a long one those near a mention of the topic, each wording
    once, and not more than MAX_WORDS_READ words of them, so that no text costs much more than an article does."""
    if len(parts) > _LONG_TEXT:
        named = [at for at, part in enumerate(parts) if _inside(places, part)]
        parts = [
            parts[at]
            for at in sorted(
                {near for at in named for near in range(max(0, at - _NEAR), at + _NEAR + 1)} & set(range(len(parts)))
            )
        ]
    kept: list[Sentence] = []
    seen: set[tuple[str, ...]] = set()
    words = 0
    for part in parts:
        wording = tuple(word.text for word in part.words)
        words += len(wording)
        if wording in seen:
            continue
        if words > MAX_WORDS_READ and kept:
            break
        seen.add(wording)
        kept.append(part)
    return kept


def _inside(places: list[tuple[int, int]], part: Sentence) -> list[tuple[int, int]]:
    """Those of the sorted places that lie in a sentence."""
    return places[bisect_left(places, (part.start, 0)) : bisect_left(places, (part.end, 0))]


def _testimonial(kind: ClaimType, place: Surroundings) -> bool:
    """Whether the writer speaks of their own body or a relative's."""
    own = place.view.has("own") or (place.before is not None and place.before.has("own") and not place.post_seller)
    return (
        own and kind in ("skin_efficacy", "hair_efficacy", "disease_treatment", "safety", "superiority") and not place.post_seller
    )


def _trimmed(folded: Folded, start: int, end: int) -> tuple[int, int]:
    """The span in the original, without white space at its ends. Never empty: a quote has at least one word."""
    first, last = folded.span(start, end)
    original = folded.original
    while first < last and original[first].isspace():
        first += 1
    while last > first and original[last - 1].isspace():
        last -= 1
    return first, last
