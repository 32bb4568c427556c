"""Which of a proposition's claims some words make: the condition, material, comparator or authority that they name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from monitor.topic.lexicon import Proposition
from monitor.topic.particulars import Difference, Phrase, Value, with_values
from monitor.topic.patterns import GAP_WORDS, Item

MOST = 6  # claims of one proposition in one quote; who names more means them all
_READ = 600  # characters of a quote
_LONGEST_PREFIX = 80  # letters
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
    places: dict[int, set[tuple[int, int]]] = {}
    for cut in words:
        for at in range(len(cut)):
            for number, phrase in _beginning_with(cut[at][0], difference):
                end = _end(phrase, cut, at)
                if end:
                    places.setdefault(number, set()).add((cut[at][1], cut[end - 1][2]))
    named = []
    for number in sorted(places):
        others = {place for other, theirs in places.items() if other != number for place in theirs}
        if any(not any(_within(place, other) for other in others) for place in places[number]):
            named.append(difference.values[number])
    return named


def _within(place: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= place[0] and place[1] <= other[1] and place != other


def _beginning_with(word: str, difference: Difference) -> Iterator[tuple[int, Phrase]]:
    """The phrases whose first word this may be, and the places of their values."""
    yield from difference.heads.get(word, ())
    for length in range(2, min(len(word), _LONGEST_PREFIX) + 1):
        yield from difference.prefixes.get(word[:length], ())
    if not word.isascii():
        for part, phrases in difference.inside.items():
            if part in word:
                yield from phrases


def _end(phrase: Phrase, words: Sequence[_Word], at: int) -> int:
    """The end of the phrase that begins at this word, in words; 0 where it does not stand there."""
    ends = [at + 1]
    for item in phrase[1:]:
        reach = GAP_WORDS + 1 if item.gap else 1
        ends = [
            place + 1 for end in ends[:8] for place in range(end, min(end + reach, len(words))) if _stands(item, words[place][0])
        ]
    return min(ends, default=0)


def _stands(item: Item, word: str) -> bool:
    return word in item.words or word.startswith(item.prefixes) or any(part in word for part in item.inside)
