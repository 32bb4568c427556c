"""Which words of a post are quoted for a claim: those of its clauses, without who says so."""

from __future__ import annotations

import pytest

from monitor.topic import Lexicon, Proposition
from monitor.topic.patterns import parse_pattern
from workers.classify.match import Matcher
from workers.classify.quote import quote_span
from workers.classify.segment import sentences
from workers.classify.tongues import stance_cues

PATTERNS = ("heal* + gout", "so pure", "300 + collagen", "collagen + by 300")
CLAIM = Proposition(
    key="c", type="disease_treatment", claim="It heals gout.", patterns=tuple(parse_pattern(wording) for wording in PATTERNS)
)
MATCHER = Matcher(Lexicon(cues={}, propositions={"c": CLAIM}), stance_cues())


def quoted(text: str) -> str:
    """The quote of the text's one find. The text is as folding leaves it."""
    views = [MATCHER.view(part, (), frozenset(["en"])) for part in sentences(text, MATCHER.knows)]
    ((hit, view),) = [(hit, view) for view in views for hit in MATCHER.hits(view)]
    start, end = quote_span(text, hit, view)
    assert 0 <= start < end <= len(text)
    return text[start:end]


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("it heals gout", "it heals gout"),
        ("dear all, it heals gout, see you", "it heals gout"),
        ("nice. it heals gout. bye", "it heals gout"),
        ("dear all, it heals, they think, all gout, see you", "it heals, they think, all gout"),
        ("gout, they think, it heals", "gout, they think, it heals"),
    ],
)
def test_the_clauses_that_carry_the_claim_are_quoted(text: str, quote: str) -> None:
    assert quoted(text) == quote


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("my vet says it heals gout", "it heals gout"),
        ("my vet says heals gout", "heals gout"),
        ("well, says it heals gout", "it heals gout"),
        ("my vet told me, it heals gout", "it heals gout"),
        ("it heals gout says my vet", "it heals gout says my vet"),
        ("gout is what he says it heals", "gout is what he says it heals"),
    ],
)
def test_who_says_so_is_left_out_before_the_claim(text: str, quote: str) -> None:
    assert quoted(text) == quote


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("and it heals gout", "it heals gout"),
        ("and also it heals gout", "it heals gout"),
        ("dear all of you, and well it heals gout", "it heals gout"),
        ("he says that it heals gout", "it heals gout"),
        ("so pure", "so pure"),
        ("and so pure", "so pure"),
        ("it heals gout and skin", "it heals gout and skin"),
    ],
)
def test_joining_words_are_left_out_before_the_claim_but_not_its_own(text: str, quote: str) -> None:
    assert quoted(text) == quote


def words(letter: str, count: int) -> str:
    return " ".join([letter * 3] * count)


@pytest.mark.parametrize(
    ("before", "after", "kept_before", "kept_after"),
    [
        (13, 13, 13, 13),  # 28 words in all
        (13, 14, 6, 6),
        (20, 7, 6, 6),
        (7, 20, 6, 6),
        (3, 24, 3, 6),
        (24, 3, 6, 3),
        (27, 0, 6, 0),
        (0, 27, 0, 6),
    ],
)
def test_of_a_long_run_only_what_lies_close_is_quoted(before: int, after: int, kept_before: int, kept_after: int) -> None:
    text = f"{words('b', before)} heals gout {words('f', after)}".strip()
    assert quoted(text) == f"{words('b', kept_before)} heals gout {words('f', kept_after)}".strip()


def test_a_clause_late_in_a_long_sentence_is_not_a_long_one() -> None:
    late = f"{words('b', 12)} heals gout"
    assert quoted(f"{words('x', 12)}, {late}") == late


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("collagen up by 300%", "collagen up by 300%"),
        ("collagen up by 300% now", "collagen up by 300% now"),
        ("collagen up by 300%, wow", "collagen up by 300%"),
        ("collagen up by 300", "collagen up by 300"),
        ("collagen up by 300, wow", "collagen up by 300"),
        ("+300% collagen", "+300% collagen"),
        ("wow, +300% collagen", "+300% collagen"),
        ("wow, 300% collagen", "300% collagen"),
        ("wow: #healing the gout", "#healing the gout"),
        ("#healing the gout", "#healing the gout"),
        ("healing the gout #", "healing the gout"),
        (",healing the gout", "healing the gout"),
        ("+ healing the gout", "healing the gout"),
    ],
)
def test_the_signs_of_a_percentage_a_rise_and_a_hashtag_belong_to_the_quote(text: str, quote: str) -> None:
    assert quoted(text) == quote


def test_a_hashtag_of_several_words_is_quoted_whole() -> None:
    assert quoted("new, in! #healsgout today") == "#healsgout"
