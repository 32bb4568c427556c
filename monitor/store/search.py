"""Text search: how words are folded for it, and how a query is read. The same on both databases.

Words are cut and folded here and not by a database's own tokenizer, so that SQLite and PostgreSQL find the same. Case and accents
are folded. Runs of Chinese, Japanese and Korean letters, which stand without blanks or glue endings to words, are cut into
overlapping pairs (a common practice), so that any two letters in a row can be found inside a longer run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, literal_column
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

MAX_QUERY = 500  # characters
MAX_WORD = 500  # characters: PostgreSQL refuses a text with a word of more than 2,046 bytes, and with it the whole batch
MAX_POSITION = 16_383  # of a lexeme in a PostgreSQL tsvector
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_WORD = re.compile(r"[^\W_]+")
_SPECIAL = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
_FIRST_MARK = "\u0300"  # below it nothing combines
_NO_WORD = "\uffff"
_KEEP = frozenset("\u3099\u309a")  # the Japanese voicing marks make other letters, not accents


class QueryError(ValueError):
    """The text of a search cannot be read; the message says what may be written."""


class Term(msgspec.Struct, frozen=True):
    """Words in a row that must all stand so; with `prefix` the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


def fold_for_search(text: str) -> str:
    """Lower case without accents, compatibility forms made plain."""
    if text.isascii():  # most are, and there the rest changes nothing
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if c < _FIRST_MARK or c in _KEEP or not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).translate(_SPECIAL)


def index_words(text: str) -> list[str]:
    """The words of a text as they stand in the index, in order."""
    folded = fold_for_search(text)
    runs: list[str] = _WORD.findall(folded)
    if not _CJK.search(folded):  # then each run is one word
        return [run[:MAX_WORD] for run in runs]
    words: list[str] = []
    for run in runs:
        words.extend(_cut(run, closing=True))
    return words


def _cut(run: str, *, closing: bool) -> list[str]:
    """One run of letters as index words: itself, or pairs where it is Chinese, Japanese or Korean.

    With `closing` the last letter of such a run is a word too, so that a search for one letter finds it as a prefix anywhere.
    """
    words: list[str] = []
    position = 0
    for match in _CJK.finditer(run):
        if match.start() > position:
            words.append(run[position : match.start()][:MAX_WORD])
        cjk = match.group()
        words.extend(cjk[i : i + 2] for i in range(len(cjk) - 1))
        if closing or len(cjk) == 1:
            words.append(cjk[-1])
        position = match.end()
    if position < len(run):
        words.append(run[position:][:MAX_WORD])
    return words


def parse_query(query: str) -> list[Term]:
    """What `text=` means: all words; `"a phrase"`; `prefix*`. Raises QueryError where there is nothing to look for."""
    if len(query) > MAX_QUERY:
        raise QueryError(f"a search has at most {MAX_QUERY} characters")
    terms = []
    for phrase, word in re.findall(r'"([^"]*)"|([^\s"]+)', query):
        written = phrase or word
        runs = _WORD.findall(fold_for_search(written))
        words = [piece for run in runs for piece in _cut(run, closing=False)]
        if not words:
            continue
        one_letter = len(words[-1]) == 1 and _CJK.fullmatch(words[-1]) is not None
        terms.append(Term(tuple(words), prefix=one_letter or (not phrase and written.endswith("*"))))
    if not terms and not query.isascii():
        return [Term((_NO_WORD,))]  # signs of some script, which stand in no index
    if not terms:
        raise QueryError('a search needs a word: words, "a phrase" or prefix*')
    return terms


def says(sentence: str, terms: Sequence[Term]) -> bool:
    """Whether a sentence holds all of the terms: what `search_clause` means, for short texts that have no index."""
    words = index_words(sentence)
    return all(_stands_in(term, words) for term in terms)


def _stands_in(term: Term, words: Sequence[str]) -> bool:
    *before, last = term.words
    for end in range(len(before), len(words)):
        fits = words[end].startswith(last) if term.prefix else words[end] == last
        if fits and words[end - len(before) : end] == before:
            return True
    return False


async def first_saying(
    connection: AsyncConnection, query: Select[Any], column: str, terms: Sequence[Term], number: int
) -> list[Any]:
    """The first `number` rows of a query whose `column`, a short sentence, holds all of the terms."""
    if not terms:
        return list(await connection.execute(query.limit(number)))
    # Claims and alerts are far fewer than mentions and their sentences short, so they are read through and have no index.
    rows: list[Any] = []
    async with connection.stream(query) as found:
        async for row in found:
            if says(getattr(row, column), terms):
                rows.append(row)
            if len(rows) == number:
                break
    return rows


def search_clause(dialect: str, terms: Sequence[Term]) -> ColumnElement[bool]:
    """The condition on `mention_search` for this database."""
    if dialect == "sqlite":
        return sql("mention_search MATCH :search").bindparams(bindparam("search", _fts5(terms)))  # type: ignore[return-value]
    return sql("mention_search.words @@ CAST(:search AS tsquery)").bindparams(bindparam("search", _tsquery(terms)))  # type: ignore[return-value]


def search_rowid(dialect: str) -> ColumnElement[int]:
    """The column of `mention_search` that holds the mention's id."""
    return literal_column("mention_search.rowid" if dialect == "sqlite" else "mention_search.id")


def index_statement(dialect: str) -> str:
    """Puts one mention, a row of `index_row`, into the index."""
    if dialect == "sqlite":
        return "INSERT INTO mention_search (rowid, words) VALUES (:id, :words)"
    return "INSERT INTO mention_search (id, words, tags) VALUES (:id, CAST(:words AS tsvector), CAST(:tags AS text[]))"


def index_row(dialect: str, number: int, text: str, tags: Sequence[str]) -> dict[str, Any]:
    """What `index_statement` takes, for a mention's text and, on PostgreSQL, what else it can be found by."""
    row = {"id": number, "words": index_value(dialect, text)}
    return row if dialect == "sqlite" else row | {"tags": tags}


def unindex_statement(dialect: str) -> str:
    """Takes one mention (`:id`) out of the index."""
    return f"DELETE FROM mention_search WHERE {'rowid' if dialect == 'sqlite' else 'id'} = :id"


def index_value(dialect: str, text: str) -> str:
    """The words of a text as this database's index takes them."""
    words = index_words(text)
    if dialect == "sqlite":
        return " ".join(words)
    places: dict[str, list[str]] = {}
    for place, word in enumerate(words[:MAX_POSITION], start=1):
        here = places.setdefault(word, [])
        if len(here) < 255:  # PostgreSQL keeps no more positions of one word
            here.append(str(place))
    return " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())


def _fts5(terms: Sequence[Term]) -> str:
    # The words hold letters and digits only, so nothing in them can be read as syntax.
    return " AND ".join('"' + " ".join(term.words) + '"' + ("*" if term.prefix else "") for term in terms)


def _tsquery(terms: Sequence[Term]) -> str:
    def lexemes(term: Term) -> str:
        quoted = [f"'{word}'" for word in term.words]
        if term.prefix:
            quoted[-1] += ":*"
        return "(" + " <-> ".join(quoted) + ")"

    return " & ".join(lexemes(term) for term in terms)
