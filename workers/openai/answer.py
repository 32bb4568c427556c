"""Makes a reading of a model's answer. Pure, and it believes nothing: what is not in the post or not in the lexicon is dropped.

A post may have talked the model into anything, so an answer is treated like the post itself. All that can come through is a
choice of propositions, places in the text, stances and flags; and, where the lexicon knows none, one plain bounded sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec

from monitor.topic import Proposition, Topic, fold
from monitor.words import MAX_TEXT, ClaimType, Stance
from workers.classify import Found, Reading
from workers.classify.language import guess_language
from workers.classify.numbers import read_number
from workers.classify.particulars import claims_in
from workers.openai.prompt import MAX_SENT, OTHER

MAX_CLAIMS = 40  # of one post, as the local classifier has it
MAX_QUOTE = 1_000  # characters
MAX_SENTENCE = 200  # characters of a proposition in the model's words
_MIN_SENTENCE = 10
_COPIED = 12  # words in a row that a proposition may share with the post; posts get deleted, propositions stay
# How sure a find is. Nobody has measured a model's, so these are plain settings: above the default `alerts.min_confidence`.
_SURE, _SURE_OF_OTHER = 0.8, 0.6
# Links, handles, hashtags and markup, none of which a plain sentence holds.
_NO_SENTENCE = re.compile(r"://|www\.|[@#<>{}\[\]|\\`~^*_=]")
_WORD = re.compile(r"\w+")


class InvalidAnswer(Exception):  # noqa: N818 - a state of the answer, and named as one
    """The answer is not what was asked for; the text says how, in words of our own."""


class _Claim(msgspec.Struct, frozen=True):
    quote: str
    key: str
    stance: Stance
    distance: bool = False
    testimonial: bool = False
    other_type: ClaimType | None = None
    other_claim: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    relevant: bool
    adverse_event: bool
    claims: tuple[_Claim, ...]


_decoder = msgspec.json.Decoder(_Answer)


class Answers:
    """Reads answers about one topic. `model` is who gave them, for `why`."""

    def __init__(self, topic: Topic, model: str) -> None:
        self._topic = topic
        self._by = f"read by {model}"
        self._by_sentence = {_words(one.claim): one for one in topic.lexicon.propositions.values()}

    def reading(self, content: str, text: str, lang: str | None) -> Reading:
        """The reading of `text` that an answer holds. Raises InvalidAnswer where it is not of the form that was asked for."""
        try:
            answer = _decoder.decode(content)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            raise InvalidAnswer("it is not JSON of the form that was asked for") from None
        except RecursionError:
            raise InvalidAnswer("it is nested too deeply") from None
        language = (lang or "").replace("_", "-").split("-")[0].lower() or guess_language(text[:MAX_TEXT])
        if not answer.relevant:
            return Reading(relevant=False, language=language, adverse_event=False, claims=())
        claims = self._claims(answer.claims, text[:MAX_SENT])
        return Reading(relevant=True, language=language, adverse_event=answer.adverse_event, claims=claims)

    def _claims(self, claims: Sequence[_Claim], text: str) -> tuple[Found, ...]:
        said = _words(text)
        kept: dict[tuple[str, Stance, str | None], Found] = {}
        for claim in claims:
            proposition = self._proposition(claim, said)
            span = _place(claim.quote, text)
            if proposition is None or span is None:
                continue
            for one in claims_in(proposition, fold(text[span[0] : span[1]]).text):
                found = self._found(claim, one, span, text)
                kept.setdefault((one.key, found.stance, found.number), found)
            if len(kept) >= MAX_CLAIMS:
                break
        return tuple(sorted(kept.values(), key=lambda one: (one.start, one.end, one.proposition.key)))

    def _found(self, claim: _Claim, proposition: Proposition, span: tuple[int, int], text: str) -> Found:
        start, end = span
        number = read_number(proposition.number, fold(text[start:end]).text) if proposition.number else None
        known = self._topic.lexicon.find(proposition.key) is not None
        return Found(
            start=start,
            end=end,
            type=proposition.type,
            stance=claim.stance,
            distance=claim.distance and claim.stance == "reports",
            testimonial=claim.testimonial,
            proposition=proposition,
            number=number,
            confidence=_SURE if known else _SURE_OF_OTHER,
            by=self._by,
            cue="as it said",
        )

    def _proposition(self, claim: _Claim, said: str) -> Proposition | None:
        """The lexicon's proposition, or one made of the model's sentence where that is a plain one about the topic; else None."""
        if claim.key != OTHER:
            return self._topic.lexicon.propositions.get(claim.key)
        sentence = " ".join((claim.other_claim or "").split())
        words = _words(sentence)
        known = self._by_sentence.get(words)
        if known is not None:
            return known
        if claim.other_type is None or not self._is_plain(sentence) or _copies(words, said):
            return None
        mark = hashlib.blake2b(words.encode(), digest_size=6).hexdigest()
        sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
        return Proposition(key=f"{OTHER}-{claim.other_type}-{mark}", type=claim.other_type, claim=sentence, patterns=())

    def _is_plain(self, sentence: str) -> bool:
        return (
            _MIN_SENTENCE <= len(sentence) <= MAX_SENTENCE
            and sentence.isprintable()
            and _NO_SENTENCE.search(sentence) is None
            and bool(self._topic.keywords.find(sentence))
        )


def _place(quote: str, text: str) -> tuple[int, int] | None:
    """Where the quote stands in the text, blanks at its ends apart; None where it does not, or is none."""
    quote = quote.strip()
    if not quote or len(quote) > MAX_QUOTE:
        return None
    start = text.find(quote)
    return None if start < 0 else (start, start + len(quote))


def _words(text: str) -> str:
    """The folded words of a text, a blank between them."""
    return " ".join(_WORD.findall(fold(text).text))


def _copies(words: str, said: str) -> bool:
    """Whether a proposition holds a long run of the post's own words."""
    parts = words.split(" ")
    runs = (" ".join(parts[at : at + _COPIED]) for at in range(len(parts) - _COPIED + 1))
    return any(f" {run} " in f" {said} " for run in runs)
