"""Cuts a folded text into the pieces that the model knows, with the place of each.

The rule is WordPiece as BERT uses it (Wu et al. 2016, arXiv 1609.08144): the longest known beginning of a word, then the
longest known continuations (`##`). Two things differ. Korean is read letter by letter, so that endings can be pieces too; and
words may begin at any Han character, since Chinese and Japanese are written without spaces.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

Piece = tuple[int, int, int]  # number of the piece, start and end in the text; the end exclusive

_WORD = re.compile(r"[^\W_]+|_|[^\w\s]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LONGEST_WORD = 100  # what is longer is no word of any language
_LONGEST_HAN = 8


class WordPieces:
    """A vocabulary of pieces. The number of a piece is its line in the vocabulary's file."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self.unknown = self._numbers["[UNK]"]
        self.first = self._numbers["[CLS]"]
        self.last = self._numbers["[SEP]"]
        self._longest = max(len(piece) for piece in vocabulary)
        self._pieces = functools.lru_cache(maxsize=32768)(self._cut)

    def cut(self, text: str) -> list[Piece]:
        """The pieces of a text in order."""
        pieces: list[Piece] = []
        for word in _WORD.finditer(text):
            at = word.start()
            known = self._pieces(word[0]) if len(word[0]) <= _LONGEST_WORD else ((self.unknown, 0, len(word[0])),)
            pieces += [(number, at + start, at + end) for number, start, end in known]
        return pieces

    def _cut(self, word: str) -> tuple[Piece, ...]:
        if _HAN.search(word):
            return tuple(self._cut_at_han(word))
        if _HANGUL.search(word):
            return tuple(self._cut_hangul(word))
        return tuple(self._greedy(word))

    def _greedy(self, word: str) -> Iterable[Piece]:
        at = 0
        while at < len(word):
            for end in range(min(len(word), at + self._longest), at, -1):
                number = self._numbers.get(word[at:end] if at == 0 else "##" + word[at:end])
                if number is not None:
                    break
            else:
                number, end = self.unknown, at + 1
            yield number, at, end
            at = end

    def _cut_hangul(self, word: str) -> Iterable[Piece]:
        """Syllables are taken apart into letters; a piece that ends inside one covers all of it."""
        letters = [(letter, at) for at, syllable in enumerate(word) for letter in unicodedata.normalize("NFD", syllable)]
        for number, start, end in self._greedy("".join(letter for letter, _ in letters)):
            yield number, letters[start][1], letters[end - 1][1] + 1

    def _cut_at_han(self, word: str) -> Iterable[Piece]:
        at = 0
        while at < len(word):
            if _HAN.match(word[at]):
                longest = min(len(word), at + _LONGEST_HAN)
                end = next((end for end in range(longest, at + 1, -1) if word[at:end] in self._numbers), at + 1)
                yield self._numbers.get(word[at:end], self.unknown), at, end
            else:
                han = _HAN.search(word, at)
                end = han.start() if han else len(word)
                yield from ((number, at + start, at + stop) for number, start, stop in self._greedy(word[at:end]))
            at = end
