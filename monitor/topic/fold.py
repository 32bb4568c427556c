"""Folds a text to the plain form that keywords and cues are written in, and remembers where every character came from.

People hide words from filters (`mirac1e`, `сurеs` with Cyrillic letters, zero-width joiners, `c u r e s`). Folding
undoes that without touching real numbers such as 300%, 5G or 20 billion. Each pass is linear in the text; 100,000 characters
take well under a second.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from array import array
from typing import Any

import re2

# Letters of other scripts that are drawn like a Latin one: only read so inside a word that has Latin letters, or in a Latin text.
LOOK_ALIKES = dict(
    zip(
        "авсеікмнорѕтухјԁһүԛԝαβεικνορτυχγηω",
        "abceikmhopstuxjdhyqwabeikvoptuxynw",
        strict=True,
    )
)
LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"}
_OTHER_LETTERS = {
    **dict(zip("łøđðıħŧ🅰🅱🅾🅿", "loddihtabop", strict=True)),
    **dict(zip("أإآىة", "ااايه", strict=True)),
    **dict(zip("’‘ʼ´`“”„«»", "'''''" + '"' * 5, strict=True)),
    **dict(zip("–−‑×、，؟،؛", "---x,,?,;", strict=True)),
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "ـ": "",
    "—": " - ",
}
_MAX_EXPANSION = 4  # one ligature can stand for eighteen letters; no word that is looked for needs more than four of them

_LETTERS = r"[^\W\d_]"
_MIXED_WORD = re.compile(rf"{_LETTERS}+")
_LEET_WORD = re.compile(r"(?<![a-z0-9@$])[a-z]*[0-9@$][a-z0-9@$]*")  # the look-behind keeps it linear in long words
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:([ .*_-])[^\W_])(?:\1[^\W_])+(?![^\W_])")
_PIECES = re.compile(rf"(?<![\w.])(?:{_LETTERS}{{1,4}}\.){{2,}}{_LETTERS}{{1,4}}(?![\w.])")
_CUT = re.compile(r"(?<=[a-z])[*|~•·\U0001F000-\U0001FAFF\u2600-\u27BF]+(?=[a-z])")


class Folded:
    """A folded text. `text` is what to search; `span` leads from a place in it back to the original's code points."""

    __slots__ = ("_ends", "_starts", "original", "text")

    def __init__(self, original: str, text: str, starts: array[int] | None, ends: array[int] | None) -> None:
        self.original = original
        self.text = text
        self._starts = starts
        self._ends = ends

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the original that `text[start:end]` was folded from. An empty span stays empty."""
        if self._starts is None or self._ends is None:
            return start, end
        if start >= end:
            at = self._starts[start] if start < len(self._starts) else len(self.original)
            return at, at
        return self._starts[start], self._ends[end - 1]


def fold(text: str) -> Folded:
    """The folded form of `text`: compatible forms unified, case and accents dropped, disguises undone."""
    if text.isascii():
        return _undisguise(text, text.lower(), None, None)
    pieces: list[str] = []
    starts, ends = array("I"), array("I")
    position, length = 0, len(text)
    while position < length:
        char = text[position]
        end = position + 1
        while end < length and _joins(text[end]):
            end += 1
        folded = fold_char(char) if end == position + 1 else _fold_cluster(text[position : min(end, position + 4)])
        if folded:
            pieces.append(folded)
            for _ in folded:
                starts.append(position)
                ends.append(end)
        position = end
    return _undisguise(text, "".join(pieces), starts, ends)


@functools.lru_cache(maxsize=8192)
def fold_char(char: str) -> str:
    """One code point without its context: at most four characters, none for what is invisible."""
    known = _OTHER_LETTERS.get(char)
    if known is not None:
        return known
    if "\u3131" <= char <= "\u318e":  # single Korean letters (ㅋㅋ) stay what they are
        return char
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me", "Cc", "Zl", "Zp"):
        return "\n" if char in "\n\r\u2028\u2029" else " " if char == "\t" else ""
    if category == "Nd":
        return str(unicodedata.digit(char))
    plain = unicodedata.normalize("NFKC", char).casefold()
    if len(plain) > _MAX_EXPANSION:
        return char
    return "".join(_bare(c) for c in plain)


def _bare(char: str) -> str:
    """A letter without its accents; kana and Hangul keep their marks, which are part of the letter."""
    known = _OTHER_LETTERS.get(char)
    if known is not None:
        return known
    if char.isascii() or "\u3040" <= char <= "\ud7ff":
        return char
    base = [c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) not in ("Mn", "Cf")]
    return "".join(_OTHER_LETTERS.get(c, c) for c in base)


@functools.lru_cache(maxsize=16384)
def _joins(char: str) -> bool:
    """Whether a code point belongs to the letter before it: combining marks, and Korean vowels and finals written apart."""
    return unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff"


def _fold_cluster(cluster: str) -> str:
    whole = unicodedata.normalize("NFC", cluster)
    if len(whole) == 1 or "\u1100" <= cluster[0] <= "\u115f" or "\u3040" <= cluster[0] <= "\u30ff":
        return fold_char(whole[0])
    return fold_char(cluster[0])


def _undisguise(original: str, text: str, starts: array[int] | None, ends: array[int] | None) -> Folded:
    if not text.isascii():
        text = _read_look_alikes(text)
    text = _LEET_WORD.sub(_read_leet, text)
    dropped = _separators(text)
    if dropped:
        kept = [index for index in range(len(text)) if index not in dropped]
        starts = array("I", (starts[i] for i in kept)) if starts is not None else array("I", kept)
        ends = array("I", (ends[i] for i in kept)) if ends is not None else array("I", (i + 1 for i in kept))
        text = "".join(text[i] for i in kept)
        text = _LEET_WORD.sub(_read_leet, text)
    return Folded(original, text, starts, ends)


def _read_look_alikes(text: str) -> str:
    """Latin for Cyrillic and Greek look-alikes, in words that mix scripts and in look-alike words of a text that is Latin."""
    foreign = any("\u0370" <= c <= "\u052f" and c not in LOOK_ALIKES for c in text)
    latin_text = not foreign and any("a" <= c <= "z" for c in text)

    def read(match: re.Match[str]) -> str:
        word = match[0]
        if word.isascii() or not any(c in LOOK_ALIKES for c in word):
            return word
        if latin_text or any("a" <= c <= "z" for c in word):
            return "".join(LOOK_ALIKES.get(c, c) for c in word)
        return word

    return _MIXED_WORD.sub(read, text)


def _read_leet(match: re.Match[str]) -> str:
    """`c0ll4gen` to `collagen`; `300`, `5g`, `20billion`, `cd63`, `b12` stay."""
    word = match[0]
    if sum("a" <= c <= "z" for c in word) < 2 or len(word) > 40:
        return word
    chars = list(word)
    inner = 0
    for at in range(1, len(word) - 1):
        # Digits side by side are a number, and so is what stands beside a sign of money.
        if word[at] in LEET and not (word[at].isdigit() and (word[at - 1].isdigit() or word[at + 1].isdigit())):
            chars[at] = LEET[word[at]]
            inner += 1
    letters = sum("a" <= c <= "z" for c in word)
    if word[0] in LEET and (inner >= 1 or (word[1] == "x" and letters >= 4)) and not word[1].isdigit():
        chars[0] = LEET[word[0]]
    if word[-1] in "0134" and inner >= 1 and not word[-2].isdigit():
        chars[-1] = LEET[word[-1]]
    if letters < 2 or (letters == 2 and inner > 1):
        return word
    return "".join(chars)


def _separators(text: str) -> set[int]:
    """Places of what is put between the letters of a word to hide it: `e.x.o`, `exo*somes`, `f d a`."""
    dropped: set[int] = set()
    for match in _SPACED.finditer(text):
        dropped.update(range(match.start() + 1, match.end(), 2))
        if match[1] == "." and text[match.end() : match.end() + 2] == ". ":
            dropped.add(match.end())  # the last dot of "F.D.A. approved" ends no sentence
    for match in _PIECES.finditer(text):
        dropped.update(i for i in range(*match.span()) if text[i] == ".")
    for match in _CUT.finditer(text):
        dropped.update(range(*match.span()))
    return dropped


def may_change(text: str) -> bool:
    """Whether a text holds a letter or digit outside ASCII that folding reads as another."""
    return _changing().search(text) is not None


def loosely(text: str) -> str:
    """A quick reading of a text that takes every look-alike for the Latin letter. It serves only to rule texts out."""
    return _FOREIGN.sub(lambda run: _read_run(run[0]), text)


_FOREIGN = re.compile(r"[^\x00-\x7f]+")


@functools.lru_cache(maxsize=65536)
def _read_run(run: str) -> str:
    return "".join(LOOK_ALIKES.get(c, c) for char in run for c in fold_char(char)) if len(run) < 64 else _read_long(run)


def _read_long(run: str) -> str:
    return "".join(_read_run(run[at : at + 32]) for at in range(0, len(run), 32))


@functools.cache
def _changing() -> Any:
    """One set of all code points outside ASCII that fold to another letter or digit, or look like a Latin one."""
    points = (*range(0x80, 0x3000), *range(0x3190, 0x3400), *range(0xA640, 0xA800), *range(0xF900, 0xFFF0))
    points = (*points, *range(0x1D400, 0x1D800), *range(0x1F100, 0x1F200))
    changed = [p for p in points if _is_disguise(chr(p))]
    ranges: list[list[int]] = []
    for point in changed:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return re2.compile("[" + "".join(f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in ranges) + "]")


def _is_disguise(char: str) -> bool:
    folded = fold_char(char)
    return char.lower() in LOOK_ALIKES or (folded != char and any(c.isalnum() for c in folded))
