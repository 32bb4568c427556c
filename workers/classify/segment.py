"""Cuts a folded text into sentences, clauses and words. Offsets are those of the folded text."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

MAX_WORDS = 120  # a sentence longer than this is cut: no claim needs more, and matching stays quick on hostile text
MAX_HASHTAG = 48

_WORD = re.compile(
    r"[a-z0-9]+|[^\W_a-z0-9]+"
)  # a change of script ends a word: Japanese and Korean set Latin names without spaces
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)|[.!?]+(?=[^\x00-\x7f])|[。！？]+|\n+|\s[|•·▪►✅✔➡→]\s?")
_ABBREVIATIONS = frozenset(
    [
        "dr",
        "mr",
        "mrs",
        "ms",
        "prof",
        "st",
        "vs",
        "approx",
        "no",
        "nr",
        "eg",
        "ie",
        "e.g",
        "i.e",
        "etc",
        "inc",
        "ltd",
        "u.s",
        "u.k",
        "ca",
        "bzw",
        "dra",
        "sra",
        "art",
        "al",
    ]
)
_BREAK = re.compile(r"[,;:()\"]| - |\.\.\.|[*•✅✔]")
_QUOTE = re.compile(r"\"[^\"]{2,400}\"|(?<!\w)'[^']{3,400}'(?!\w)")
_HASHTAG = re.compile(r"#(\w{3,})")
_JOINTS = frozenset(
    [
        "but",
        "yet",
        "however",
        "although",
        "though",
        "because",
        "whereas",
        "while",
        "so",
        "then",
        "which",
        "since",
        "unless",
        "when",
        "where",
        "if",
        "until",
        "after",
        "pero",
        "aunque",
        "porque",
        "mais",
        "porem",
        "car",
        "aber",
        "weil",
        "denn",
        "obwohl",
        "ma",
        "perche",
        "pero",
        "ama",
        "cunku",
        "ale",
        "bo",
        "poniewaz",
        "لكن",
    ]
)


class Word(msgspec.Struct, frozen=True):
    """A word of the folded text and the number of its clause in the sentence."""

    text: str
    start: int
    end: int
    clause: int


class Sentence(msgspec.Struct, frozen=True):
    """A sentence: its words, the spans of its clauses and of its quotations, and whether it ends as a question.

    `hashtag`: it is one hashtag taken apart.
    """

    start: int
    end: int
    words: tuple[Word, ...]
    clauses: tuple[tuple[int, int], ...]
    question: bool
    hashtag: bool = False
    quotes: tuple[tuple[int, int], ...] = ()


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a folded text end, the last one's end left out."""
    ends: list[int] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if not (match[0].startswith(".") and _abbreviates(text, match.start(), start)):
            ends.append(match.end())
            start = match.end()
    return ends


def sentences(text: str, knows: Callable[[str], bool] = lambda _: False) -> list[Sentence]:
    """The sentences of a folded text, then one for each hashtag that is several words that `knows` knows, run together."""
    found = []
    hashtags = _hashtags(text, knows)
    taken = frozenset(match.start() for hashtag in hashtags for match in _WORD.finditer(text, hashtag.start, hashtag.end))
    start = 0
    for end in sentence_ends(text):
        found += _sentence(text, start, end, "?" in text[max(start, end - 4) : end], taken)
        start = end
    found += _sentence(text, start, len(text), False, taken)
    return _with_answers(found) + hashtags


_ASKING = frozenset(
    re.findall(
        r"\w+",
        "is are was were do does did has have can could will would should who what why how which when where anyone any "
        "es son ist sind est czy hal",
    )
)


def _with_answers(found: list[Sentence]) -> list[Sentence]:
    """A catchword put as a question and its short answer ("Side effects? None.") read as one statement."""
    joined: list[Sentence] = []
    for part in found:
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.question
            and len(before.words) <= 3
            and len(part.words) <= 6
            and not part.question
            and before.words[0].text not in _ASKING
        ):
            shift = len(before.clauses) - 1  # the answer belongs to the question's last clause, so that its "none" reaches it
            words = (*before.words, *(Word(w.text, w.start, w.end, w.clause + shift) for w in part.words))
            joined[-1] = Sentence(
                before.start,
                part.end,
                words,
                (*before.clauses[:-1], (before.clauses[-1][0], part.clauses[0][1]), *part.clauses[1:]),
                False,
                quotes=before.quotes + part.quotes,
            )
        else:
            joined.append(part)
    return joined


def _abbreviates(text: str, dot: int, start: int) -> bool:
    last = text[max(start, dot - 12) : dot].rsplit(None, 1)
    return bool(last) and last[-1].lstrip("(\"'") in _ABBREVIATIONS


def _sentence(text: str, start: int, end: int, question: bool, taken: frozenset[int]) -> list[Sentence]:
    """The words from start to end as one sentence, or several where there are too many. `taken`: starts of hashtags' words."""
    breaks = [match.start() for match in _BREAK.finditer(text, start, end)]
    words: list[Word] = []
    clauses: list[tuple[int, int]] = []
    clause_start, at_break = start, 0
    found: list[Sentence] = []
    for match in _WORD.finditer(text, start, end):
        if match.start() in taken:
            continue
        crossed = False
        while at_break < len(breaks) and breaks[at_break] < match.start():
            crossed = True
            at_break += 1
        if words and (crossed or match[0] in _JOINTS):
            clauses.append((clause_start, words[-1].end))
            clause_start = match.start()
        elif not words:
            clause_start = match.start()
        words.append(Word(match[0], match.start(), match.end(), len(clauses)))
        if len(words) == MAX_WORDS:
            clauses.append((clause_start, words[-1].end))
            found.append(Sentence(words[0].start, words[-1].end, tuple(words), tuple(clauses), False))
            words, clauses = [], []
    if words:
        clauses.append((clause_start, words[-1].end))
        quotes = tuple(match.span() for match in _QUOTE.finditer(text, start, end))
        found.append(Sentence(words[0].start, end, tuple(words), tuple(clauses), question, quotes=quotes))
    return found


def _hashtags(text: str, knows: Callable[[str], bool]) -> list[Sentence]:
    found = []
    for match in _HASHTAG.finditer(text):
        parts = _split(match[1], knows) if len(match[1]) <= MAX_HASHTAG else []
        if len(parts) > 1:
            words, at = [], match.start(1)
            for part in parts:
                words.append(Word(part.strip("_"), at, at + len(part), 0))
                at += len(part)
            words = [word for word in words if word.text]
            span = (match.start(), match.end())
            found.append(Sentence(*span, tuple(words), (span,), False, True))
    return found


def _split(tag: str, knows: Callable[[str], bool]) -> list[str]:
    """The fewest known words that make up the tag; [] where there are none."""
    best: list[list[str] | None] = [[]] + [None] * len(tag)
    for end in range(1, len(tag) + 1):
        for start in range(max(0, end - 20), end):
            before = best[start]
            if before is None:
                continue
            part = tag[start:end]
            known = best[end]
            if (known is None or len(before) + 1 < len(known)) and (part == "_" or part.isdigit() or knows(part)):
                best[end] = [*before, part]
    return best[len(tag)] or []
