"""Which keywords of a topic a text mentions. A text that mentions none is not about the topic.

The firehose passes here, so the work is done in two steps: one linear search over the raw text for anything that folding could
turn into a keyword, and the folding itself only for what that search let through. The first step is derived from the keywords and
from the folding tables, so it can never miss what the second would find.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import re2

from monitor.topic.errors import TopicError, fields_of, read_yaml, texts_of
from monitor.topic.fold import LEET, Folded, fold, loosely, may_change

_SYNTAX = re.compile(r"^\*?[^\W_]+(?:[ '-][^\W_]+)*\*?$")
_GAP = r"[^a-z0-9]*"  # whatever a wording's space may stand for, and more
_TIGHT = r"[^a-z0-9 \t\r\n]*"  # whatever folding may drop inside a word, and more
_SPACED = r"[^a-z0-9]+"  # between letters that all stand apart
_WORD = 40  # letters by which a place is widened to its word, at either end
_HINT_LETTERS = 8  # the first letters of a wording are hint enough; more would only make the search bigger


class Keyword:
    """One keyword: a name and the ways it is written, compiled."""

    def __init__(self, name: str, wordings: tuple[str, ...], needs: tuple[str, ...], where: str) -> None:
        self.name = name
        self.wordings = tuple(_checked(w, where) for w in wordings)
        self.needs = tuple(_checked(w, where) for w in needs)
        self.find = re.compile("|".join(_expression(w) for w in self.wordings))
        self.context = re.compile("|".join(_expression(w) for w in self.needs)) if needs else None


class Meaning:
    """Another meaning of the topic's words: where one of `wordings` stands and none of `but`, the text is not about the topic."""

    def __init__(self, wordings: tuple[str, ...], but: tuple[str, ...], where: str) -> None:
        self.find = re.compile("|".join(_expression(_checked(w, where)) for w in wordings))
        self.but = re.compile("|".join(_expression(_checked(w, where)) for w in but)) if but else None


class Keywords:
    """The keywords of a topic."""

    def __init__(self, keywords: tuple[Keyword, ...], meanings: tuple[Meaning, ...]) -> None:
        self.keywords = keywords
        self._meanings = meanings
        options = re2.Options()
        options.case_sensitive = False
        options.max_mem = 32 << 20  # bytes; the automaton is built as texts need it
        options.log_errors = False  # beyond that it falls back to a slower search, silently
        wordings = dict.fromkeys(_hint(w) for keyword in keywords for w in keyword.wordings)
        self._hint = re2.compile("|".join((*wordings, *_APART)), options)

    def may_match(self, text: str | bytes) -> bool:
        """The quick first step: False means surely no keyword. Bytes are UTF-8, without JSON's `\\u` escapes."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if text.isascii():
            return self._hint.search(text) is not None
        try:
            return self._hint.search(text) is not None or (may_change(text) and self._hint.search(loosely(text)) is not None)
        except UnicodeEncodeError:  # lone surrogates, which no sound source sends
            return True

    def find(self, text: str) -> tuple[str, ...]:
        """The names of the keywords that `text` mentions, in the order of the pack; empty where it is not about the topic."""
        return self.find_folded(fold(text)) if self.may_match(text) else ()

    def find_folded(self, folded: Folded) -> tuple[str, ...]:
        """As `find`, on a text already folded and without the first step."""
        text = folded.text
        found = tuple(k.name for k in self.keywords if k.find.search(text) and (k.context is None or k.context.search(text)))
        if found and any(m.find.search(text) and not (m.but and m.but.search(text)) for m in self._meanings):
            return ()
        return found

    def where(self, text: str) -> list[tuple[str, int, int]]:
        """The keywords that `text` mentions, with the half-open spans of it where they stand, in their order in the text.

        A span reaches to the ends of the word, of which a wording with * is only a part.
        """
        folded = fold(text)
        names = self.find_folded(folded)
        found = [
            (keyword.name, *folded.span(*_whole_words(folded.text, *match.span())))
            for keyword in self.keywords
            if keyword.name in names
            for match in keyword.find.finditer(folded.text)
        ]
        return sorted(found, key=lambda one: one[1:])

    def places(self, folded: Folded) -> list[tuple[int, int]]:
        """Where keywords stand in a folded text, as sorted half-open spans of it."""
        return sorted(match.span() for k in self.keywords for match in k.find.finditer(folded.text))


def load_keywords(file: Path) -> Keywords:
    """The keywords of a topic pack. Raises TopicError."""
    content = fields_of(read_yaml(file), str(file), {"keywords": list}, {"other_meanings": list})
    keywords, names = [], set()
    for number, raw in enumerate(content["keywords"], 1):
        where = f"{file}, keyword {number}"
        values = fields_of(raw, where, {"name": str, "written": list}, {"needs": list})
        if values["name"] in names:
            raise TopicError(f"{where}: the name {values['name']!r} is used twice; names are distinct")
        names.add(values["name"])
        needs = texts_of(values["needs"], f"{where}, needs") if values.get("needs") else ()
        keywords.append(Keyword(values["name"], texts_of(values["written"], f"{where}, written"), needs, where))
    if not keywords:
        raise TopicError(f"{file}: keywords is empty; a topic needs at least one")
    return Keywords(tuple(keywords), tuple(_meanings(content.get("other_meanings") or [], file)))


def _meanings(raw: list[Any], file: Path) -> list[Meaning]:
    meanings = []
    for number, item in enumerate(raw, 1):
        where = f"{file}, other meaning {number}"
        values = fields_of(item, where, {"written": list}, {"unless": list, "what": str})
        unless = texts_of(values["unless"], f"{where}, unless") if values.get("unless") else ()
        meanings.append(Meaning(texts_of(values["written"], f"{where}, written"), unless, where))
    return meanings


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with the letters that go on at either end, in scripts that part words by spaces."""

    def goes_on(at: int) -> bool:
        return 0 <= at < len(text) and text[at].isalnum() and not _joined_script(text[at])

    first, last = max(0, start - _WORD), end + _WORD  # a text can be one word
    while start > first and goes_on(start - 1):
        start -= 1
    while end < last and goes_on(end):
        end += 1
    return start, end


def _checked(wording: str, where: str) -> str:
    folded = fold(wording.strip("*")).text
    plain = ("*" if wording.startswith("*") else "") + folded + ("*" if wording.endswith("*") else "")
    if not _SYNTAX.match(plain):
        raise TopicError(
            f"{where}: {wording!r} is not a wording; write words with single spaces, and * at either end for any further letters"
        )
    return plain


def _joined_script(char: str) -> bool:
    """Scripts that put no space between words, or glue particles to them: there a keyword is found inside a word."""
    return "\u0600" <= char <= "\u06ff" or "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"


def _expression(wording: str) -> str:
    """A wording as an expression over folded text; a space stands for up to three signs between words, or none."""
    core = wording.strip("*")
    body = r"[\W_]{0,3}".join(re.escape(part) for part in re.split(r"[ '-]", core))
    inside = any(_joined_script(c) for c in core)
    before = "" if inside or wording.startswith("*") else r"(?<![^\W_])"
    after = "" if inside or wording.endswith("*") else r"(?![^\W_])"
    return before + body + after


# Korean letters and kana marks written apart from their base: only folding can put them together.
_APART = (r"[\x{1100}-\x{11ff}]", r"[\x{3099}\x{309a}\x{ff9e}\x{ff9f}]")


def _hint(wording: str) -> str:
    """An expression that finds whatever folds to the wording, and more, in a text that `loosely` has read."""
    parts, left = [], _HINT_LETTERS
    for word in re.split(r"[ '-]", wording.strip("*")):
        letters = ["[" + re.escape(c + "".join(k for k, v in LEET.items() if v == c)) + "]" for c in word[:left]]
        left -= len(letters)
        if letters:
            parts.append(f"(?:{_TIGHT.join(letters)}|{_SPACED.join(letters)})" if len(letters) > 2 else _GAP.join(letters))
    return _GAP.join(parts)
