"""The vocabulary: BERT's English pieces, and the words of ten more languages.

A new piece starts with the vector of its English meaning where the glossary gives one, so that what the network learns from
English posts holds for it at once; else with the mean of the pieces that it was cut into before.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.topic import fold
from workers.classify.wordpiece import WordPieces

_WORD = re.compile(r"[^\W_]+")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_COMPOUNDING = ("de", "ko", "ja", "tr")  # languages whose words are found inside others
_OFTEN = 3
_LONGEST_HAN = 8


def extend(
    vocabulary: Sequence[str], glossary: Path, texts: Iterable[tuple[str, str]]
) -> tuple[list[str], list[tuple[int, ...]]]:
    """The longer vocabulary, and for each new piece the old ones whose mean vector it starts with (none: at random).

    `glossary` holds one file a language, `xx.tsv`, of lines "foreign word, tab, English words"; `texts` are (language, text).
    """
    old = WordPieces(vocabulary)
    known = set(vocabulary)
    new: dict[str, tuple[int, ...]] = {}

    def add(piece: str, meaning: tuple[int, ...]) -> None:
        if piece and piece not in known and piece not in new:
            new[piece] = tuple(number for number in meaning if number != old.unknown)

    counts: Counter[tuple[str, str]] = Counter()
    letters: Counter[str] = Counter()
    for language, text in texts:
        folded = fold(text).text
        letters.update(char for char in _letters(folded) if not char.isspace())
        if language != "en":
            counts.update((language, word) for word in _WORD.findall(folded) if not _HAN.search(word))
    for file in sorted(glossary.glob("*.tsv")):
        for line in file.read_text(encoding="utf-8").splitlines():
            foreign, _, english = line.partition("\t")
            word = _letters(fold(foreign.strip()).text)
            meaning = tuple(number for number, _, _ in old.cut(fold(english.strip()).text))
            if not _WORD.fullmatch(fold(foreign.strip()).text) or not meaning:
                continue
            letters.update(word)
            add(word, meaning)
            if file.stem in _COMPOUNDING and (len(foreign.strip()) > (3 if word.isascii() else 1)) and not _HAN.match(word):
                add("##" + word, meaning)
    for (_, word), count in counts.items():
        if count >= _OFTEN and len(word) > 1:
            add(_letters(word), tuple(number for number, _, _ in old.cut(word)))
    for syllable, count in Counter(char for (_, word), n in counts.items() for char in word * min(n, 3)).items():
        if _HANGUL.match(syllable) and count >= _OFTEN:
            add(_letters(syllable), ())
            add("##" + _letters(syllable), ())
    for letter in letters:
        add(letter, ())
        if not _HAN.match(letter):
            add("##" + letter, ())
    return [*vocabulary, *new], list(new.values())


def _letters(word: str) -> str:
    """A word as WordPieces looks it up: Hangul taken apart."""
    return "".join(unicodedata.normalize("NFD", char) if _HANGUL.match(char) else char for char in word)
