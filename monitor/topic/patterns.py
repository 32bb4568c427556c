"""The small pattern language that the lexicon is written in, so that an editor needs no regular expressions.

A *phrase* is words in a row: `hair loss`. In place of a word may stand
  `grow*`            any word that starts so
  `grow|regrow*`     one of several
  `@hair`            any phrase of the cue named hair
  `..`               up to four further words
A *pattern* is phrases joined by ` + `, which must all stand in one sentence, in any order; what follows ` - ` must not.
Scripts without spaces between words, and Arabic, are found inside a word.
"""

from __future__ import annotations

import functools
import re

import msgspec

from monitor.topic.fold import fold

_WORD = re.compile(r"^[^\W_]+\*?$")
_NAME = re.compile(r"^@[a-z][a-z0-9_-]*$")
GAP_WORDS = 4


class Item(msgspec.Struct, frozen=True):
    """One place of a phrase: what may stand there. `gap` says that up to GAP_WORDS further words may stand before it."""

    words: tuple[str, ...]
    prefixes: tuple[str, ...]
    inside: tuple[str, ...]
    cues: tuple[str, ...]
    gap: bool


class Pattern(msgspec.Struct, frozen=True):
    """Phrases that must all stand in a sentence, phrases that must not, and the wording as its editor wrote it."""

    wording: str
    needs: tuple[tuple[Item, ...], ...]
    bars: tuple[tuple[Item, ...], ...]


class PatternError(ValueError):
    """A wording that is not of the pattern language; the text says what is allowed."""


def parse_phrase(text: str) -> tuple[Item, ...]:
    """The items of one phrase. Raises PatternError."""
    items: list[Item] = []
    gap = False
    for part in text.split():
        if part == "..":
            if not items or gap:
                raise PatternError(f"{text!r}: '..' stands between two words")
            gap = True
            continue
        items.append(_item(part, gap, text))
        gap = False
    if not items or gap:
        raise PatternError(f"{text!r}: a phrase is words with spaces between them, and ends in a word")
    return tuple(items)


def parse_pattern(text: str) -> Pattern:
    """A whole pattern. Raises PatternError."""
    wanted, *barred = re.split(r"\s+-\s+", text.strip())
    needs = tuple(parse_phrase(part) for part in re.split(r"\s+\+\s+", wanted))
    return Pattern(text.strip(), needs, tuple(parse_phrase(part) for part in barred))


def cue_names(pattern: Pattern) -> set[str]:
    """The cues that a pattern speaks of."""
    return {cue for phrase in (*pattern.needs, *pattern.bars) for item in phrase for cue in item.cues}


def _item(part: str, gap: bool, whole: str) -> Item:
    words: list[str] = []
    prefixes: list[str] = []
    inside: list[str] = []
    cues: list[str] = []
    for choice in part.split("|"):
        if _NAME.match(choice):
            cues.append(choice[1:])
            continue
        plain = _folded(choice.rstrip("*")) + ("*" if choice.endswith("*") else "")
        if not _WORD.match(plain):
            raise PatternError(
                f"{whole!r}: {choice!r} is not a word, a word with * at its end, or @ and the name of a cue; "
                "words have no apostrophes or hyphens (write don t, cell free)"
            )
        if not plain.isascii() and any(glued(c) for c in plain) and not _particle(plain):
            inside.append(plain.rstrip("*"))
        elif plain.endswith("*"):
            if len(plain) < 3:
                raise PatternError(f"{whole!r}: {choice!r} is too short; two letters at least stand before *")
            prefixes.append(plain[:-1])
        else:
            words.append(plain)
    return Item(tuple(words), tuple(prefixes), tuple(inside), tuple(cues), gap)


@functools.lru_cache(maxsize=16384)  # a lexicon has each word three times over
def _folded(word: str) -> str:
    return fold(word).text


def glued(char: str) -> bool:
    """Scripts that put no space between words or glue particles to them."""
    return "\u0600" <= char <= "\u06ff" or "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"


def _particle(word: str) -> bool:
    """Arabic words of up to three letters and single Korean syllables stand inside many longer words: matched as whole words."""
    return (len(word) <= 3 and "\u0600" <= word[0] <= "\u06ff") or (len(word) == 1 and "\uac00" <= word <= "\ud7af")
