"""Posts and the earlier claims that they repeat, in the files of CheckThat! 2022, task 2A; and how well a ranking finds them."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_WORD = re.compile(r"\w+")
_DEPTH = 5
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # one set holds whole articles


class ClaimSet(msgspec.Struct, frozen=True):
    """Posts and claims by their ids, and for each post the ids of the claims that it repeats."""

    queries: dict[str, str]
    claims: dict[str, str]
    relevant: dict[str, set[str]]


class ClaimSetError(Exception):
    """The folder is no such set; the text says what is missing."""


def read_set(folder: Path) -> ClaimSet:
    """The set in a folder. Files are found by their names, however deep they lie:

    *queries*.tsv   tweet_id, tweet_content; a first line that names them is passed over
    *qrels*.tsv     tweet_id, 0, vclaim_id, relevance
    *vclaims*       a folder of JSON files (vclaim_id, vclaim, title), or a TSV whose first line names these

    Raises ClaimSetError.
    """
    relevant: dict[str, set[str]] = {}
    for row in _rows(folder, "qrel"):
        if len(row) >= 4 and row[3].strip().isdigit() and int(row[3]):
            relevant.setdefault(row[0], set()).add(row[2])
    queries = {row[0]: row[1] for row in _rows(folder, "quer") if len(row) >= 2 and row[0] in relevant}
    claims = {**_json_claims(folder), **_tsv_claims(folder)}
    for what, found in (("qrels", relevant), ("queries that the qrels name", queries), ("vclaims", claims)):
        if not found:
            raise ClaimSetError(f"{folder}: found no {what}; docs/benchmarks.md says which files a set is made of")
    return ClaimSet(queries, claims, {key: relevant[key] for key in queries})


def map_at_5(found: ClaimSet, rankings: Mapping[str, Sequence[str]]) -> float:
    """The mean over posts of the average precision within the first five: as trec_eval's map_cut_5."""
    return sum(_average_precision(rankings[key], found.relevant[key]) for key in found.queries) / len(found.queries)


class BM25:
    """Robertson's BM25 over words (k1 1.2, b 0.75): the plain way to look for a text among texts."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._bags = {key: Counter(words_of(text)) for key, text in texts.items()}
        self._where: dict[str, list[str]] = {}
        for key, bag in self._bags.items():
            for word in bag:
                self._where.setdefault(word, []).append(key)
        self._mean = sum(bag.total() for bag in self._bags.values()) / len(self._bags)

    def best(self, text: str) -> list[str]:
        """The ids of the five best."""
        scores: dict[str, float] = defaultdict(float)
        for word in set(words_of(text)) & self._where.keys():
            having = self._where[word]
            rare = math.log(1 + (len(self._bags) - len(having) + 0.5) / (len(having) + 0.5))
            for key in having:
                often = self._bags[key][word]
                length = 0.25 + 0.75 * self._bags[key].total() / self._mean
                scores[key] += rare * often * 2.2 / (often + 1.2 * length)
        return [key for key, _ in sorted(scores.items(), key=lambda one: (-one[1], one[0]))[:_DEPTH]]


def words_of(text: str) -> list[str]:
    """The words of a text, small, links left out."""
    return _WORD.findall(re.sub(r"(?:https?://|pic\.twitter\.com/)\S+", " ", text).lower())


def _average_precision(ranking: Sequence[str], relevant: set[str]) -> float:
    hits, total = 0, 0.0
    for place, key in enumerate(ranking[:_DEPTH], 1):
        if key in relevant:
            hits += 1
            total += hits / place
    return total / len(relevant)


def _rows(folder: Path, name: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for file in sorted(folder.rglob("*")):
        if file.is_file() and name in file.name.lower() and file.suffix in (".tsv", ".qrels", ".txt"):
            with file.open(encoding="utf-8", newline="") as lines:
                rows += csv.reader(lines, delimiter="\t")
    return rows


def _json_claims(folder: Path) -> dict[str, str]:
    claims: dict[str, str] = {}
    for file in sorted(folder.rglob("*.json")):
        if "vclaim" in str(file.relative_to(folder)).lower() or "vclaim" in folder.name.lower():
            one = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(one, dict) and "vclaim" in one:
                claims[str(one["vclaim_id"])] = _claim_text(one)
    return claims


def _tsv_claims(folder: Path) -> dict[str, str]:
    claims: dict[str, str] = {}
    for file in sorted(folder.rglob("*.tsv")):
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t")
            if reader.fieldnames and {"vclaim_id", "vclaim"} <= set(reader.fieldnames):
                claims |= {row["vclaim_id"]: _claim_text(row) for row in reader}
    return claims


def _claim_text(one: Mapping[str, object]) -> str:
    """The claim and the heading of the article that checks it."""
    return " ".join(str(one.get(part) or "") for part in ("vclaim", "title")).strip()
