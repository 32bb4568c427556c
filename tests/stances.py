"""A handful of claims of this test's own, and what the rules read in a text that makes one of them: stance, distance and cue."""

from __future__ import annotations

import functools

import msgspec

from monitor.topic import Keywords, Lexicon, Proposition, fold, load_topic
from monitor.topic.patterns import parse_pattern
from monitor.words import ClaimType
from tests.test_plain_cases import PACK
from workers.classify.rules import Rules

Told = tuple[str, bool, str]  # stance, distance, cue
PLAIN: Told = ("asserts", False, "plain")
ASKS: Told = ("asks", False, "ask")
WHETHER: Told = ("asks", False, "whether")
NOT: Told = ("denies", False, "not")
FALSE: Told = ("denies", False, "false")
UNPROVEN: Told = ("denies", False, "unproven")
MOCK: Told = ("denies", False, "mock")
SAYS: Told = ("reports", False, "says")
ALLEGES: Told = ("reports", True, "alleges")


def _claim(
    key: str,
    kind: ClaimType,
    when: str,
    denied: tuple[str, ...] = (),
    negative: bool = False,
    harm: bool = False,
) -> Proposition:
    return Proposition(
        key=key,
        type=kind,
        claim=f"It is {key}.",
        patterns=(parse_pattern(when),),
        denied=tuple(parse_pattern(one) for one in denied),
        negative=negative,
        harm=harm,
    )


_CLAIMS = (
    _claim("a-cure", "disease_treatment", "cure*|heal|heals|healed|heilen|curan|guerissent|curano .. arthritis"),
    _claim("of-roses", "composition", "rose"),
    _claim("painless", "safety", "painless"),
    _claim("without-risk", "safety", "no|without .. risk", negative=True),
    _claim("a-cause-of-hives", "safety", "hives", harm=True),
    _claim("approved", "regulatory_status", "approved", ("banned",)),
    _claim("magic", "skin_efficacy", "unicorn skin"),
)


@functools.cache
def _rules() -> tuple[Rules, Keywords]:
    lexicon = Lexicon(cues={}, propositions={one.key: one for one in _CLAIMS})
    topic = msgspec.structs.replace(load_topic(PACK), lexicon=lexicon, model=None)
    return Rules(topic), topic.keywords


def told(text: str, *languages: str) -> Told:
    """How the text puts the one claim that it makes; its cues are read as English and in the languages given."""
    rules, keywords = _rules()
    folded = fold(text)
    claims = rules.find(folded, keywords.places(folded), frozenset(("en", *languages))).claims
    assert len(claims) == 1, [claim.proposition.key for claim in claims]
    return claims[0].stance, claims[0].distance, claims[0].cue.removeprefix("cue: ")
