"""Labelled posts as what the network learns from: the pieces of each window, and which of them carry which claim."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from monitor.topic import Lexicon, fold
from monitor.words import CLAIM_TYPES
from workers.classify.learned import PUT_FORWARD
from workers.classify.segment import sentence_ends
from workers.classify.windows import WINDOW, windows
from workers.classify.wordpiece import WordPieces

NO_KEY = -100  # of a claim that the network started out without
STANCES = ("asserts", "denies", "asks", "reports", "reports with distance")


class Claim(msgspec.Struct, frozen=True):
    """A claim in a window: its pieces (half-open) and labels, as places in CLAIM_TYPES, STANCES and the keys."""

    first: int
    last: int
    kind: int
    stance: int
    own: bool
    key: int
    alerting: bool


class Example(msgspec.Struct, frozen=True):
    """One window of a post. `harm` is None where the post is longer than a window: which of them tells of it is not labelled."""

    pieces: tuple[int, ...]
    claims: tuple[Claim, ...]
    harm: bool | None
    relevant: bool
    language: str


def read_posts(files: Iterable[Path]) -> list[dict[str, Any]]:
    """All labelled posts (JSON lines as docs/judgement.md describes) of the files."""
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def with_base_keys(posts: Iterable[dict[str, Any]], lexicon: Lexicon) -> set[str]:
    """Puts the key of the proposition in the place of keys that name a number or a particular too: these are read from the words.
    The keys of which the lexicon has no proposition."""
    unknown = set()
    for post in posts:
        for claim in post["claims"]:
            key = claim.get("proposition") or claim["claim_key"]  # exported reviews name both
            base = lexicon.base_of(key)
            if base is None:
                unknown.add(key)
            else:
                claim["claim_key"] = base
    return unknown


def examples_of(post: dict[str, Any], words: WordPieces, keys: dict[str, int]) -> Iterator[Example]:
    """The windows of a post, cut as the classifier cuts them."""
    folded = fold(post["text"])
    pieces = words.cut(folded.text)
    places = [folded.span(start, end) for _, start, end in pieces]
    quotes = []
    for claim in post["claims"]:
        at = claim.get("start", post["text"].find(claim["quote"]))
        if at >= 0:
            quotes.append((at, at + len(claim["quote"]), claim))
    found = windows(pieces, sentence_ends(folded.text))
    for first, last in found:
        claims = []
        for start, end, claim in quotes:
            inside = [n for n in range(first, last) if places[n][0] < end and start < places[n][1]]
            if inside:
                claims.append(_claim(claim, inside[0] - first, inside[-1] + 1 - first, keys))
        yield Example(
            tuple(number for number, _, _ in pieces[first:last]),
            tuple(claims),
            post["adverse_event"] if len(found) == 1 else None,
            post["relevant"],
            post["lang"],
        )


def joined(examples: Sequence[Example], share: float, dice: random.Random) -> list[Example]:
    """The examples with a share of them set behind another of the same language, as paragraphs of one text stand."""
    by_language: dict[str, list[Example]] = {}
    for example in examples:
        by_language.setdefault(example.language, []).append(example)
    made = []
    for example in examples:
        other = dice.choice(by_language[example.language])
        if dice.random() < share and len(example.pieces) + len(other.pieces) <= WINDOW:
            example = _behind(example, other)  # noqa: PLW2901
        made.append(example)
    return made


def _behind(one: Example, other: Example) -> Example:
    shift = len(one.pieces)
    moved = tuple(msgspec.structs.replace(c, first=c.first + shift, last=c.last + shift) for c in other.claims)
    harm = None if one.harm is None or other.harm is None else one.harm or other.harm
    return Example(one.pieces + other.pieces, one.claims + moved, harm, one.relevant or other.relevant, one.language)


def _claim(claim: dict[str, Any], first: int, last: int, keys: dict[str, int]) -> Claim:
    stance = "reports with distance" if claim["stance"] == "reports" and claim["distance"] else claim["stance"]
    kind = CLAIM_TYPES.index(claim["type"])
    alerting = stance in PUT_FORWARD and claim["verdict"] != "supported"
    return Claim(first, last, kind, STANCES.index(stance), claim["testimonial"], keys.get(claim["claim_key"], NO_KEY), alerting)
