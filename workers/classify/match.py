"""Finds cues and propositions in sentences. Everything is compiled once; a sentence costs a look-up a word and little more."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import msgspec

from monitor.topic.lexicon import TOPIC_CUE, Lexicon, Proposition
from monitor.topic.patterns import GAP_WORDS, Item, Pattern, glued
from workers.classify.segment import Sentence

Phrase = tuple[Item, ...]
Span = tuple[int, int]  # of words in a sentence, the end exclusive
Place = tuple[Span, ...]  # the words that matched, without those of gaps
Step = tuple[frozenset[int], tuple[str, ...], int]  # an item's literals and cues, and how many words on it may stand

MAX_EXTENT = 30  # words between the first and last word of a match; what lies further apart is chance
_MAX_WORD = 80
_SMALL_WORDS = frozenset(["no", "of", "is", "my", "by", "me", "it", "to", "i"])


class Hit(msgspec.Struct, frozen=True):
    """A proposition found in a sentence: the words that carry it, and the wording of the lexicon that found it."""

    proposition: Proposition
    pattern: Pattern
    spans: Place
    denial: bool  # the pattern is one of those that deny the proposition

    @property
    def first(self) -> int:
        return min(start for start, _ in self.spans)

    @property
    def last(self) -> int:
        return max(end for _, end in self.spans) - 1

    @property
    def weight(self) -> int:
        """How much text carries the match: of two for the same words, the heavier is the more specific."""
        return sum(end - start for start, end in self.spans) * 2 + len(self.spans)


class View:
    """A sentence with what the matcher knows of its words; made by `Matcher.view`."""

    def __init__(self, sentence: Sentence, atoms: list[frozenset[int]], cues: dict[str, list[Span]]) -> None:
        self.sentence = sentence
        self.atoms = atoms
        self.cues = cues
        self.phrases: dict[int, list[Place]] = {}
        self.words: dict[int, list[int]] = {}  # where in the sentence each atom stands
        for at, present in enumerate(atoms):
            for atom in present:
                self.words.setdefault(atom, []).append(at)

    def has(self, cue: str) -> bool:
        """Whether the cue stands in the sentence."""
        return cue in self.cues


class Matcher:
    """The lexicon and the stance cues of all languages, compiled."""

    def __init__(self, lexicon: Lexicon, more_cues: Mapping[str, tuple[Phrase, ...]]) -> None:
        self._words: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._inside: dict[str, int] = {}
        self._literals: dict[int, frozenset[int]] = {}
        self._kept: list[Item] = []
        self._steps: dict[int, list[Step]] = {}
        self._phrases: list[Phrase] = []
        cues: dict[str, list[Phrase]] = {}
        for source in (lexicon.cues, more_cues):
            for name, phrases in source.items():
                cues.setdefault(name, []).extend(phrases)
        self._cue_starts: dict[int, list[tuple[str, Phrase]]] = {}
        for name, all_phrases in cues.items():
            for phrase in all_phrases:
                for atom in self._atoms_of(phrase):
                    self._cue_starts.setdefault(atom, []).append((name, phrase))
        self._by_atom: dict[int, list[tuple[Proposition, Pattern, bool]]] = {}
        self._by_cue: dict[str, list[tuple[Proposition, Pattern, bool]]] = {}
        for proposition in lexicon.propositions.values():
            for pattern in proposition.patterns:
                self._index(proposition, pattern, False)
            for pattern in proposition.denied:
                self._index(proposition, pattern, True)
            for phrase in proposition.unless:
                self._atoms_of(phrase)
        self._prefix_lengths = sorted({len(prefix) for prefix in self._prefixes})
        self._ids = functools.lru_cache(maxsize=32768)(self._look_up)
        self._parts = functools.lru_cache(maxsize=8192)(self._is_word)

    def knows(self, part: str) -> bool:
        """Whether a part of a hashtag is a word of the lexicon, with at most three letters of ending."""
        return self._parts(part)

    def _is_word(self, part: str) -> bool:
        if len(part) < 3:
            return part in _SMALL_WORDS
        return part in self._words or any(part[:-cut] in self._prefixes for cut in range(1, 4)) or part in self._prefixes

    def view(self, sentence: Sentence, topic_places: Iterable[Span], languages: frozenset[str]) -> View:
        """The sentence with its cues. `topic_places` are spans of the folded text where the topic is named.

        Of the cues named for a language (`es:not`) those of the text's likely languages count.
        """
        atoms = [self._ids(word.text) if len(word.text) <= _MAX_WORD else self._look_up(word.text) for word in sentence.words]
        view = View(sentence, atoms, {})
        for at, present in enumerate(atoms):
            for atom in present:
                for name, phrase in self._cue_starts.get(atom, ()):
                    place = self._match_at(view, phrase, at)
                    if place:
                        own, _, plain = name.rpartition(":")
                        if not own or own in languages:
                            view.cues.setdefault(plain, []).append((at, place[-1][1]))
        for start, end in topic_places:
            inside = [n for n, word in enumerate(sentence.words) if word.start < end and start < word.end]
            if inside:
                view.cues.setdefault(TOPIC_CUE, []).append((inside[0], inside[-1] + 1))
        return view

    def hits(self, view: View) -> list[Hit]:
        """Every proposition found in the sentence, the best pattern of each."""
        tried: set[int] = set()
        best: dict[str, Hit] = {}
        candidates = [pair for present in view.atoms for atom in present for pair in self._by_atom.get(atom, ())]
        candidates += [pair for cue in view.cues for pair in self._by_cue.get(cue, ())]
        for proposition, pattern, denial in candidates:
            if id(pattern) in tried:
                continue
            tried.add(id(pattern))
            spans = self._match_pattern(view, pattern)
            if spans is None or any(self._find(view, phrase) for phrase in proposition.unless):
                continue
            hit = Hit(proposition, pattern, spans, denial)
            known = best.get(proposition.key)
            if known is None or (denial, hit.weight, known.last - known.first) > (
                known.denial,
                known.weight,
                hit.last - hit.first,
            ):
                best[proposition.key] = hit
        return list(best.values())

    def _index(self, proposition: Proposition, pattern: Pattern, denial: bool) -> None:
        for phrase in (*pattern.needs, *pattern.bars):
            for item in phrase:
                self._literal_ids(item)
        head = pattern.needs[0][0]
        for atom in self._literal_ids(head):
            self._by_atom.setdefault(atom, []).append((proposition, pattern, denial))
        for cue in head.cues:
            self._by_cue.setdefault(cue, []).append((proposition, pattern, denial))

    def _atoms_of(self, phrase: Phrase) -> frozenset[int]:
        for item in phrase:
            self._literal_ids(item)
        return self._literal_ids(phrase[0])

    def _literal_ids(self, item: Item) -> frozenset[int]:
        known = self._literals.get(id(item))
        if known is None:
            known = frozenset(
                table.setdefault(literal, len(self._words) + len(self._prefixes) + len(self._inside))
                for table, literals in ((self._words, item.words), (self._prefixes, item.prefixes), (self._inside, item.inside))
                for literal in literals
            )
            self._literals[id(item)] = known
            self._kept.append(item)  # so that its id stays its own
        return known

    def _look_up(self, word: str) -> frozenset[int]:
        found = []
        exact = self._words.get(word)
        if exact is not None:
            found.append(exact)
        for length in self._prefix_lengths:
            if length > len(word):
                break
            prefix = self._prefixes.get(word[:length])
            if prefix is not None:
                found.append(prefix)
        if not word.isascii() and any(glued(char) for char in word[:_MAX_WORD]):
            found += [atom for part, atom in self._inside.items() if part in word]
        return frozenset(found)

    def _match_pattern(self, view: View, pattern: Pattern) -> Place | None:
        found = []
        for phrase in pattern.needs:
            places = self._find(view, phrase)
            if not places:
                return None
            found.append(places)
        if any(self._find(view, phrase) for phrase in pattern.bars):
            return None
        best: Place | None = None
        best_extent = MAX_EXTENT + 1
        for anchor in found[0][:8]:
            at = anchor[0][0]
            chosen = [anchor, *(min(places, key=lambda place: abs(place[0][0] - at)) for places in found[1:])]
            spans = tuple(span for place in chosen for span in place)
            extent = max(end for _, end in spans) - min(start for start, _ in spans)
            if extent < best_extent:
                best, best_extent = spans, extent
        return best

    def _find(self, view: View, phrase: Phrase) -> list[Place]:
        """Every place of a phrase in the sentence."""
        known = view.phrases.get(id(phrase))
        if known is None:
            head = phrase[0]
            starts = {at for atom in view.words.keys() & self._literal_ids(head) for at in view.words[atom]}
            starts |= {start for cue in head.cues for start, _ in view.cues.get(cue, ())}
            known = [place for at in sorted(starts) if (place := self._match_at(view, phrase, at))]
            view.phrases[id(phrase)] = known
        return known

    def _match_at(self, view: View, phrase: Phrase, at: int) -> Place:
        """The words of the phrase where it starts at word `at`, the nearest of several ways; () where it does not."""
        ways: dict[int, Place] = {at: ()}
        for literals, cues, reach in self._steps_of(phrase):
            further: dict[int, Place] = {}
            for place, way in ways.items():
                for start in range(place, min(place + reach, len(view.atoms))):
                    if not literals.isdisjoint(view.atoms[start]):
                        further.setdefault(start + 1, (*way, (start, start + 1)))
                    for cue in cues:
                        for first, end in view.cues.get(cue, ()):
                            if first == start:
                                further.setdefault(end, (*way, (start, end)))
            if not further:
                return ()
            ways = further
        return ways[min(ways)]

    def _steps_of(self, phrase: Phrase) -> list[Step]:
        """What each item of a phrase is matched by, looked up once."""
        known = self._steps.get(id(phrase))
        if known is None:
            reaches = (GAP_WORDS + 1 if item.gap and number else 1 for number, item in enumerate(phrase))
            known = [(self._literal_ids(item), tuple(item.cues), reach) for item, reach in zip(phrase, reaches, strict=True)]
            self._steps[id(phrase)] = known
            self._phrases.append(phrase)  # so that its id stays its own
        return known
