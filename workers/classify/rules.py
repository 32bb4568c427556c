"""Finds claims by rules: the lexicon's wordings, and what surrounds them. A topic pack without a model runs on this alone."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from monitor.topic import Folded, Topic
from monitor.words import ClaimType, Stance
from workers.classify.choose import choose
from workers.classify.found import Finds, Found
from workers.classify.match import Hit, Matcher
from workers.classify.numbers import read_number
from workers.classify.particulars import claims_in
from workers.classify.quote import quote_span
from workers.classify.segment import Sentence, sentences
from workers.classify.stance import Surroundings, read_stance
from workers.classify.tongues import stance_cues

MAX_WORDS_READ = 4_000  # twice a long article
MAX_CLAIMS = 40  # of one text; a page that makes more repeats itself
_LONG_TEXT = 12  # sentences; in a longer text a claim stands near a mention of the topic
_NEAR = 2  # sentences


class Rules:
    """The lexicon, compiled. Pure: the same text and pack give the same finds on every machine."""

    version = "rules-1"

    def __init__(self, topic: Topic) -> None:
        self._matcher = Matcher(topic.lexicon, stance_cues())

    def find(self, folded: Folded, places: list[tuple[int, int]], languages: frozenset[str]) -> Finds:
        """The claims of a text. `places` are the sorted spans of the folded text where the topic is named; cues are read in the
        languages given."""
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
                for claim in self._found(folded, hit, place):
                    key = (claim.proposition.key, claim.stance, claim.number)
                    if key not in seen and len(found) < MAX_CLAIMS:
                        seen.add(key)
                        found.append(claim)
        found.sort(key=lambda claim: (claim.start, claim.end, claim.proposition.key))
        harm = any(f.proposition.harm and f.stance in ("asserts", "reports") for f in found)
        return Finds(tuple(found), harm)

    def _found(self, folded: Folded, hit: Hit, place: Surroundings) -> list[Found]:
        """The claims that a hit makes: one, or several where it names several conditions or the like."""
        proposition = hit.proposition
        stance = read_stance(hit, place)
        start, end = quote_span(folded.text, hit, place.view)
        number = read_number(proposition.number, folded.text[start:end]) if proposition.number else None
        original_start, original_end = _trimmed(folded, start, end)
        one = Found(
            start=original_start,
            end=original_end,
            type=proposition.type,
            stance=stance.stance,
            distance=stance.distance,
            testimonial=_testimonial(proposition.type, place),
            proposition=proposition,
            number=number,
            confidence=proposition.sure,
            by=f"the lexicon's claim {proposition.key} matched by the wording [{hit.pattern.wording}]",
            cue=f"cue: {stance.cue}",
        )
        return [msgspec.structs.replace(one, proposition=each) for each in claims_in(proposition, folded.text[start:end])]


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
        if wording in seen:
            continue
        words += len(wording)
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
