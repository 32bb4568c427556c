"""Names that somebody keeps an eye on (brands, products, clinics, persons), and which of them a text speaks of.

A name is its words run together: each run of a text's words that is short enough is looked up in one table of all names. So the
work is linear in the text, however many names there are.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from monitor.topic.errors import TopicError, fields_of, read_yaml, texts_of
from monitor.topic.fold import fold

WatchKind = Literal["brand", "product", "clinic", "person"]
KINDS: tuple[WatchKind, ...] = get_args(WatchKind)
FILE = "watchlist.yaml"
MAX_NAMES = 2_000
MAX_SPELLINGS = 20  # of one name, beside the name itself
MAX_NAME = 100  # characters

_GAP = 3  # signs that may stand between two words of a name
_GLUED = r"\u0600-\u06ff\u3040-\u9fff\uac00-\ud7af"  # scripts without blanks between words, or with particles glued to them
_GLUED_CHAR = re.compile(f"[{_GLUED}]")
_WORD = re.compile(rf"([{_GLUED}]+|[^\W_{_GLUED}]+)(\s?\+)?")

_Word = tuple[str, bool]  # letters and digits, and whether a plus stands after them


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A name on the watchlist, and how else it is written. To be listed means to be watched and nothing else."""

    name: str
    kind: WatchKind
    also: tuple[str, ...] = ()


class _Spelling(msgspec.Struct, frozen=True):
    """One way to write the name at `place`: at which of its letters another word may begin."""

    place: int
    breaks: frozenset[int]


class Watchlist:
    """The names of a watchlist, ready to be looked for."""

    def __init__(self, entries: Sequence[Watched] = ()) -> None:
        self.entries = tuple(entries)
        self._whole: dict[str, list[_Spelling]] = {}  # by all their letters, and the plus that they end in
        self._inside: dict[str, set[int]] = {}  # those that are found inside a word, and the places of their names
        self._lengths: dict[str, set[int]] = {}  # of these, by their first letter
        self._most_words = self._most_letters = 0
        for place, entry in enumerate(self.entries):
            for spelling in (entry.name, *entry.also):
                self._add(place, _words_of(spelling))

    def _add(self, place: int, words: Sequence[_Word]) -> None:
        key = "".join(word for word, _ in words)
        if _GLUED_CHAR.match(key) or _GLUED_CHAR.match(key[-1]):
            self._inside.setdefault(key, set()).add(place)
            self._lengths.setdefault(key[0], set()).add(len(key))
            return
        key += "+" if words[-1][1] else ""
        self._whole.setdefault(key, []).append(_Spelling(place, frozenset(_breaks(words))))
        self._most_words = max(self._most_words, len(words))
        self._most_letters = max(self._most_letters, len(key))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the list."""
        return tuple(entry.name for entry in self.entries)

    def find(self, text: str) -> tuple[str, ...]:
        """The names that `text` speaks of, in the order of the list. Case, accents and disguises do not matter."""
        if not self.entries:
            return ()
        places: set[int] = set()
        # The text is looked at as it stands too: in `@xoglo` folding takes the @ for a letter in disguise.
        for reading in {fold(text).text, text.casefold()}:
            for words in _runs(reading, gap=_GAP):
                places.update(self._whole_in(words))
                if self._inside:
                    places.update(self._inside_of("".join(word for word, _ in words)))
        return tuple(self.entries[place].name for place in sorted(places))

    def _whole_in(self, words: Sequence[_Word]) -> Iterator[int]:
        for start in range(len(words)):
            key = ""
            for end in range(start, min(start + self._most_words, len(words))):
                word, plus = words[end]
                key += word
                if len(key) > self._most_letters:
                    break
                for written in (key, key + "+") if plus else (key,):
                    for spelling in self._whole.get(written, ()):
                        if spelling.breaks.issuperset(_breaks(words[start : end + 1])):
                            yield spelling.place

    def _inside_of(self, letters: str) -> Iterator[int]:
        for start, letter in enumerate(letters):
            for length in self._lengths.get(letter, ()):
                yield from self._inside.get(letters[start : start + length], ())


def _runs(text: str, gap: int) -> Iterator[list[_Word]]:
    """The words of a text, in runs with no more than so many signs between two words."""
    words: list[_Word] = []
    last = 0
    for match in _WORD.finditer(text):
        if words and match.start() - last > gap:
            yield words
            words = []
        words.append((match[1], match[2] is not None))
        last = match.end(1)
    if words:
        yield words


def _words_of(spelling: str) -> list[_Word]:
    return list(itertools.chain.from_iterable(_runs(fold(spelling).text, _GAP)))


def _breaks(words: Sequence[_Word]) -> Iterable[int]:
    """How many letters stand before each word but the first."""
    return itertools.accumulate(len(word) for word, _ in words[:-1])


def load_watchlist(folder: Path, own: Path | None = None) -> Watchlist:
    """The watchlist of the pack in `folder`, which may have none, together with the user's own file.

    Where both have a name, the user's entry holds. Raises TopicError.
    """
    shipped = folder / FILE
    entries = _read(shipped) if shipped.exists() else {}
    if own is not None:
        if not own.is_file():
            raise TopicError(f"{own}: there is no such file; the setting watchlist names it")
        entries |= _read(own)
    if len(entries) > MAX_NAMES:
        raise TopicError(f"{own or shipped}: {len(entries)} names are on the watchlist; at most {MAX_NAMES} can be watched")
    return Watchlist(tuple(entries.values()))


def _read(file: Path) -> dict[str, Watched]:
    """The entries of a file by their folded names. Raises TopicError."""
    content = read_yaml(file)
    if content is None:  # all lines are comments
        return {}
    if not isinstance(content, list):
        raise TopicError(f"{file}: expected a list of names, each as '- name: …' with kind and, where wanted, also below it")
    entries: dict[str, Watched] = {}
    for number, raw in enumerate(content, 1):
        where = f"{file}, name {number}"
        entry = _entry(raw, where)
        key = "".join(word + "+" * plus for word, plus in _words_of(entry.name))
        if key in entries:
            raise TopicError(f"{where}: {entry.name!r} stands there already; names are distinct, other spellings go under also")
        entries[key] = entry
    return entries


def _entry(raw: Any, where: str) -> Watched:
    if isinstance(raw, dict) and isinstance(raw.get("name"), str):
        where = f"{where} ({raw['name'][:MAX_NAME]})"
    values = fields_of(raw, where, {"name": str, "kind": str}, {"also": list})
    if values["kind"] not in KINDS:
        raise TopicError(f"{where}: unknown kind {values['kind']!r}; allowed are {', '.join(KINDS)}")
    also = texts_of(values["also"], f"{where}, also") if values.get("also") else ()
    if len(also) > MAX_SPELLINGS:
        raise TopicError(f"{where}, also: {len(also)} spellings; at most {MAX_SPELLINGS} can be given")
    for spelling in (values["name"], *also):
        letters = sum(len(word) for word, _ in _words_of(spelling))
        if len(spelling) > MAX_NAME or not spelling.strip().isprintable() or letters < 2:
            raise TopicError(
                f"{where}: {spelling[:MAX_NAME]!r} cannot be watched; write it on one line, in at most {MAX_NAME} characters, "
                "at least two of them letters or digits"
            )
    return Watched(name=values["name"].strip(), kind=values["kind"], also=also)
