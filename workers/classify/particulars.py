"""Which of a proposition's claims some words make: the condition, material, comparator or authority that they name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from monitor.topic.lexicon import Proposition
from monitor.topic.particulars import Difference, Phrase, Value, with_values
from monitor.topic.patterns import GAP_WORDS, Item

MOST = 6  # claims of one proposition in one quote; who names more means them all
_READ = 600  # characters of a quote
# Latin names stand in Korean, Japanese and Arabic words without spaces, and numbers in names: words are cut both ways.
_CUTS = (re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+"), re.compile(r"[^\W_]+"))
_Word = tuple[str, int, int]


def claims_in(proposition: Proposition, text: str) -> tuple[Proposition, ...]:
    """The proposition with what the folded text names of what it differs by, one for each combination; itself where it names
    nothing of that."""
    if not proposition.differs_by:
        return (proposition,)
    words = [[(match[0], match.start(), match.end()) for match in cut.finditer(text[:_READ])] for cut in _CUTS]
    chosen: list[Sequence[Value | None]] = [_named(difference, words) or [None] for difference in proposition.differs_by]
    return tuple(with_values(proposition, values) for values in itertools.islice(itertools.product(*chosen), MOST))


def _named(difference: Difference, words: Sequence[Sequence[_Word]]) -> list[Value]:
    """The values that are named, in their order in the lexicon; not one whose words are only a part of another's."""
    places = {
        value.mark: {place for phrase in value.phrases for cut in words for place in _places(phrase, cut)}
        for value in difference.values
    }
    named = []
    for value in difference.values:
        others = {place for mark, theirs in places.items() if mark != value.mark for place in theirs}
        if any(not any(_within(place, other) for other in others) for place in places[value.mark]):
            named.append(value)
    return named


def _within(place: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= place[0] and place[1] <= other[1] and place != other


def _places(phrase: Phrase, words: Sequence[_Word]) -> set[tuple[int, int]]:
    """The spans of the text at which a phrase stands."""
    found = set()
    for at in range(len(words)):
        ends = [at]
        for number, item in enumerate(phrase):
            reach = GAP_WORDS + 1 if item.gap and number else 1
            ends = [
                place + 1
                for end in ends[:8]
                for place in range(end, min(end + reach, len(words)))
                if _stands(item, words[place][0])
            ]
        if ends:
            found.add((words[at][1], words[min(ends) - 1][2]))
    return found


def _stands(item: Item, word: str) -> bool:
    return word in item.words or word.startswith(item.prefixes) or any(part in word for part in item.inside)
