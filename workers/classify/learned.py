"""Finds claims with the trained network: cuts the text, looks, and says of each find what it is, and how sure that is."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from monitor.topic import Folded, TopicError
from monitor.topic.lexicon import Proposition
from monitor.topic.patterns import glued
from monitor.words import ClaimType, Stance, Wording
from workers.classify.found import Finds, Found
from workers.classify.network import Array, Card, Network, Opinion, Sight
from workers.classify.numbers import read_number
from workers.classify.particulars import claims_in
from workers.classify.segment import sentence_ends
from workers.classify.spans import Span, find_spans, words_of
from workers.classify.windows import windows, worth_reading
from workers.classify.wordpiece import Piece, WordPieces

_EDGES = ".,;:!¡¿…•*|·-–—()\"'“”„«»‘’、。，！：；"
MAX_FINDS = 120  # of one text, the surest: twice what a dense page of 2,000 words holds, and each costs a look
_WITH_DISTANCE = "reports with distance"
PUT_FORWARD = ("asserts", "reports")  # what is said of a doubted claim so is to be alerted about
_WORD = re.compile(r"[^\W_]+")
_SHORT, _UNSPACED = 3, 5  # letters of a word, and of a run without spaces, from which on they may make a claim


class _Kept(NamedTuple):
    """A span that may carry a claim, its quote in the original, the hints that agree, and the chance that it makes one."""

    span: Span
    quote: tuple[int, int]
    agreeing: list[Found]
    chance: float


class Learned:
    """A network and the propositions that its keys stand for. Raises TopicError where the lexicon lacks one."""

    def __init__(self, network: Network, propositions: Mapping[str, Proposition]) -> None:
        card = network.card
        for key in card.keys:
            if key not in propositions:
                raise TopicError(
                    f"the model knows a claim {key!r} that the lexicon lacks; add it there, or train anew (`make train`)"
                )
        self.card = card
        self.version = network.version
        self._network = network
        self._words = WordPieces(network.vocabulary)
        self._propositions = [propositions[key] for key in card.keys]
        self._numbers = {key: number for number, key in enumerate(card.keys)}
        self._of_kind = [[n for n, p in enumerate(self._propositions) if p.type == kind] for kind in card.types]
        self._doubted = np.array([key in card.doubted for key in card.keys])
        self._put_forward = np.array([stance in PUT_FORWARD for stance in card.stances])

    def find(self, folded: Folded, places: Sequence[tuple[int, int]], hints: Sequence[Found] = ()) -> Finds:
        """The claims of a text. `places` are the sorted spans of the folded text where the topic is named; `hints` are the claims
        that the rules find: where they agree a find is surer, and the lexicon knows rare propositions by name."""
        seen = [(part, sight, self._kept(folded, part, sight, hints)) for part, sight in self.look(folded, places)]
        surest = sorted((-one.chance, at, n) for at, (_, _, kept) in enumerate(seen) for n, one in enumerate(kept))[:MAX_FINDS]
        claims: list[Found] = []
        for at, (part, sight, kept) in enumerate(seen):
            claims += self._claims(folded, part, sight, [kept[n] for n in sorted(n for _, one, n in surest if one == at)])
        added = [hint for hint in hints if hint.proposition.base not in self._numbers]
        harm = max((sight.harm for _, sight, _ in seen), default=0.0) >= self.card.harm
        harm = harm or any(hint.proposition.harm and hint.stance in PUT_FORWARD for hint in added)
        relevant = max((sight.relevant for _, sight, _ in seen), default=0.0)
        return Finds(with_added(claims, added, hints), harm, relevant >= self.card.relevant)

    def look(self, folded: Folded, places: Sequence[tuple[int, int]]) -> Iterator[tuple[list[Piece], Sight]]:
        """The windows of a text, and what the network sees in each."""
        pieces = self._words.cut(folded.text)
        for first, last in worth_reading(windows(pieces, sentence_ends(folded.text)), pieces, places):
            part = pieces[first:last]
            yield part, self._network.look([self._words.first, *(number for number, _, _ in part), self._words.last])

    def judge(self, sight: Sight, span: Span) -> Opinion:
        """What the network thinks of one span of a window."""
        return self._network.judge(sight.states, span.kind, span.first, span.last)

    def likeness_vector(self, folded: Folded) -> Array:
        """The vector by which a whole text, of which the first window is read, is likened to others (docs/judgement.md)."""
        part, sight = next(self.look(folded, ()))
        kind = int(np.argmax(sight.types))
        opinion = self._network.judge(sight.states, kind, 0, len(part))
        return self._network.likeness.vector(opinion.vector, opinion.words, folded.text)

    def _kept(self, folded: Folded, part: Sequence[Piece], sight: Sight, hints: Sequence[Found]) -> list[_Kept]:
        """The spans of a window that are likely enough to carry a claim."""
        kept = []
        spans = spans_of(part, folded, sight)
        for span in [*spans, *self._overlooked(folded, part, sight, spans, hints)]:
            quote = quote_of(folded, part, span)
            agreeing = hints_for(self.card.types[span.kind], quote, hints)
            chance = chance_of(span, sight, bool(agreeing), self.card)
            if chance >= self.card.keep:
                kept.append(_Kept(span, quote, agreeing, chance))
        return kept

    def _claims(self, folded: Folded, part: Sequence[Piece], sight: Sight, kept: Sequence[_Kept]) -> list[Found]:
        found: dict[tuple[str, str | None, str, bool], Found] = {}
        for span, quote, agreeing, chance in kept:
            text = folded.text[part[span.first][1] : part[span.last - 1][2]]
            for claim in self._found(text, span.kind, quote, agreeing, chance, sight, self.judge(sight, span)):
                said = (claim.proposition.key, claim.number, claim.stance, claim.distance)
                if said not in found or found[said].confidence < claim.confidence:  # the same thing said twice in one breath
                    found[said] = claim
        return sorted(found.values(), key=lambda claim: (claim.start, claim.end))

    def _overlooked(
        self, folded: Folded, part: Sequence[Piece], sight: Sight, spans: Sequence[Span], hints: Sequence[Found]
    ) -> list[Span]:
        """The words where the rules find a claim and the network sees none of its type; how sure they are is weighed as ever."""
        places = [folded.span(start, end) for _, start, end in part]
        found = []
        for hint in hints:
            kind = self.card.types.index(hint.type)
            inside = [n for n, (start, end) in enumerate(places) if start < hint.end and hint.start < end]
            if inside and not any(s.kind == kind and s.first <= inside[-1] and inside[0] < s.last for s in spans):
                chance = float(sight.inside[inside[0] : inside[-1] + 1, kind].mean())
                found.append(Span(kind, inside[0], inside[-1] + 1, chance))
        return found

    def _found(
        self, text: str, kind: int, quote: tuple[int, int], hints: Sequence[Found], chance: float, sight: Sight, opinion: Opinion
    ) -> list[Found]:
        """The claims of a find: one, or several where its words name several conditions or the like."""
        stances = weighed_stances(opinion, hints, self.card)
        proposition, likely, familiar, said = self._likeliest(kind, hints, stances, sight, opinion)
        by, wording = "", None
        if familiar < self.card.own:
            if not says_something(text):
                return []
            by = f"read by the model as a claim that the lexicon does not know ({proposition.key} is likeliest, at {likely:.0%})"
            proposition = own_proposition(proposition, text)
            vector = self._network.likeness.vector(opinion.vector, opinion.words, text).astype(np.float16).tobytes()
            wording = Wording(vector=vector, maybe=self.card.like[0], sure=self.card.like[1])
        named = [hint for hint in hints if hint.proposition.base == proposition.key]
        number = read_number(proposition.number, text) if proposition.number else None
        claims = claims_in(proposition, text)
        for hint in named:
            # What makes a claim another is part of it, so the quote reaches as far as that stands.
            reach = (min(quote[0], hint.start), max(quote[1], hint.end))
            if number is None and hint.number is not None:
                number, quote = hint.number, reach
            if claims == (proposition,) and hint.proposition.of:
                claims, quote = tuple(one.proposition for one in named if one.proposition.of), reach
        stance = self.card.stances[said]
        found = [
            Found(
                start=quote[0],
                end=quote[1],
                type=proposition.type,
                stance=_stance(stance),
                distance=stance == _WITH_DISTANCE,
                testimonial=opinion.own > 0.5,
                proposition=one,
                number=number,
                confidence=round(chance, 3),
                by=", and ".join([by or f"read as the claim {one.key} by the model", *(hint.by for hint in named[:1])]),
                cue=f"{float(stances[said] / np.sum(stances)):.0%} sure",
                sure=wording is not None or likely >= self.card.sure,
                wording=wording,
            )
            for one in claims
        ]
        return [*found, *self._listed_beside(found[0], hints)]

    def _listed_beside(self, chosen: Found, hints: Sequence[Found]) -> list[Found]:
        """The other claims of an enumeration: "better than Botox, PRP and lasers" is one span, of which the network names one.

        Only where the rules see that one too, and the others in other words; and all of them are doubted alike, so that whether a
        post is to be alerted about never hangs on the rules alone.
        """
        own = chosen.proposition.base
        seen = {(hint.start, hint.end) for hint in hints if hint.proposition.base == own}
        listed: dict[str, Found] = {}
        for hint in hints if seen else ():
            base = hint.proposition.base
            beside = (hint.start, hint.end) not in seen and base not in (own, *listed) and base in self._numbers
            if beside and self._is_doubted(base) == self._is_doubted(own):
                listed[base] = msgspec.structs.replace(
                    chosen,
                    start=hint.start,
                    end=hint.end,
                    proposition=hint.proposition,
                    number=hint.number,
                    by=f"{hint.by}, listed beside {chosen.proposition.key}",
                )
        return list(listed.values())

    def _is_doubted(self, key: str) -> bool:
        return bool(self._doubted[self._numbers[key]])

    def _likeliest(
        self, kind: int, hints: Sequence[Found], stances: Array, sight: Sight, opinion: Opinion
    ) -> tuple[Proposition, float, float, int]:
        """The likeliest proposition of a type, its chance among them, how familiar the claim is, and the likeliest stance (its
        number).

        Stance and proposition are chosen together, for what the network thinks of an alert speaks of both. A proposition that the
        lexicon names by its words is likelier, and where it is chosen it is sure.
        """
        named = [self._numbers[hint.proposition.base] for hint in hints if hint.proposition.base in self._numbers]
        open_to = np.array(self._of_kind[kind])
        keys = opinion.keys[open_to] * np.where(np.isin(open_to, named), self.card.named, 1.0)
        alerting = alert_chance(opinion, sight, self.card)
        alerts = np.outer(self._put_forward, self._doubted[open_to])
        joint = np.outer(stances, keys) * np.where(alerts, alerting, 1 - alerting)
        said, place = np.unravel_index(int(np.argmax(joint)), joint.shape)
        best = int(open_to[place])
        if best in named:
            return self._propositions[best], 1.0, math.inf, int(said)
        likely = float(opinion.keys[best] / opinion.keys[open_to].sum())
        return self._propositions[best], likely, self._network.familiarity(opinion, best), int(said)


def with_added(claims: Sequence[Found], added: Sequence[Found], hints: Sequence[Found]) -> tuple[Found, ...]:
    """The claims of the network, and those that were added to the lexicon since it was trained, as the rules read them.

    The network cannot know these, and takes their words for the nearest that it knows: that gives way where the rules do not see
    it too.
    """
    if not added:
        return tuple(claims)
    named = {hint.proposition.base for hint in hints}

    def mistaken(claim: Found) -> bool:
        return claim.proposition.base not in named and bool(hints_for(claim.type, (claim.start, claim.end), added))

    return tuple(sorted([*(one for one in claims if not mistaken(one)), *added], key=lambda claim: (claim.start, claim.end)))


def own_proposition(nearest: Proposition, text: str) -> Proposition:
    """A claim that the lexicon does not know, named by its words. Its sentence holds none of them, since posts must be deletable:
    it says what of the lexicon is nearest, and a mark."""
    words = " ".join(sorted(set(_WORD.findall(text))))
    mark = hashlib.blake2b(words.encode(), digest_size=6).hexdigest()
    kind = nearest.type.replace("_", " ")
    sentence = f"A {kind} claim that the lexicon does not know, nearest to {nearest.key.replace('-', ' ')} (no. {mark[:6]})."
    return Proposition(key=f"own-{nearest.type}-{mark}", type=nearest.type, claim=sentence, patterns=())


def says_something(text: str) -> bool:
    """Whether a folded text has enough words to be a claim: two of some length, or as much in a script without spaces."""
    words = _WORD.findall(text)
    unspaced = sum(len(word) for word in words if any(glued(char) and not "\u0600" <= char <= "\u06ff" for char in word))
    return unspaced >= _UNSPACED or sum(len(word) >= _SHORT for word in words) >= 2


def spans_of(part: Sequence[Piece], folded: Folded, sight: Sight) -> list[Span]:
    """The spans of a window that may carry a claim, however sure. None goes over a blank line."""
    inside, begin = sight.inside.tolist(), sight.begin.tolist()
    spans: list[Span] = []
    paragraph: list[tuple[int, int]] = []
    for word in words_of(part, folded.text):
        if paragraph and folded.text.count("\n", part[paragraph[-1][1] - 1][2], part[word[0]][1]) > 1:
            spans += find_spans(paragraph, inside, begin)
            paragraph = []
        paragraph.append(word)
    return spans + find_spans(paragraph, inside, begin)


def hints_for(kind: ClaimType, quote: tuple[int, int], hints: Sequence[Found]) -> list[Found]:
    """The hints of a type that share words with a quote."""
    return [hint for hint in hints if hint.type == kind and hint.start < quote[1] and quote[0] < hint.end]


def weighed_stances(opinion: Opinion, hints: Sequence[Found], card: Card) -> Array:
    """The chances of the stances, where the rules' reading of the same words counts as well; they need not sum to 1."""
    stances = opinion.stances.copy()
    if hints:
        read = stance_name(hints[0])
        stances[card.stances.index(read)] *= card.hints[read]
    return stances


def alert_chance(opinion: Opinion, sight: Sight, card: Card) -> float:
    """The chance that a claim is to be alerted about. That of its whole window only lessens it: another claim may be meant."""
    odds = card.alerting[0] * logit(opinion.alerting) + card.alerting[1] * min(0.0, logit(sight.alerting))
    return 1 / (1 + math.exp(-odds))


def stance_name(found: Found) -> str:
    """The stance as the network names it: distance is a stance of its own."""
    return _WITH_DISTANCE if found.stance == "reports" and found.distance else found.stance


def chance_of(span: Span, sight: Sight, agreed: bool, card: Card) -> float:
    """The calibrated chance that the text makes a claim of the span's type. `agreed`: the rules find one there too."""
    a, b, c = card.calibration[card.types[span.kind]]
    odds = a + b * logit(span.inside) + c * logit(float(sight.types[span.kind])) + card.agreement * agreed
    return 1 / (1 + math.exp(-odds))


def logit(chance: float) -> float:
    """The log odds of a chance, kept finite."""
    chance = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(chance / (1 - chance))


def _stance(name: str) -> Stance:
    found: Stance = "reports" if name == _WITH_DISTANCE else name  # type: ignore[assignment]
    return found


def quote_of(folded: Folded, part: Sequence[Piece], span: Span) -> tuple[int, int]:
    """The span in the original without signs and white space at its ends; a hashtag keeps its sign."""
    first, last = folded.span(part[span.first][1], part[span.last - 1][2])
    text = folded.original
    if text[last : last + 1] in ("%", "％", "٪"):
        last += 1
    low, high = first, last
    while low < high and (text[low] in _EDGES or text[low].isspace()):
        low += 1
    while high > low and (text[high - 1] in _EDGES or text[high - 1].isspace()):
        high -= 1
    if low == high:
        return first, last
    if low > 0 and text[low - 1] == "#":
        low -= 1
    return low, high
