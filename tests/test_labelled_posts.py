"""The labelled posts keep the rules of their making: what is learned from bad labels is learned for good."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from monitor.topic import Topic
from monitor.words import CLAIM_TYPES
from tests import shipped
from tests.test_register_labels import reached

TRAINING = Path(__file__).parents[1] / "training"
STANCES = ("asserts", "denies", "asks", "reports")
Labelled = dict[str, Any]


def read(files: Iterable[Path]) -> list[Labelled]:
    return [json.loads(line) for file in sorted(files) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def learned() -> list[Labelled]:
    return read((TRAINING / "posts").glob("*.jsonl"))


@pytest.fixture(scope="module")
def held_back() -> list[Labelled]:
    return read((TRAINING / "held").glob("*.jsonl"))


@pytest.fixture(scope="module")
def topic() -> Topic:
    return shipped.topic()


def test_labels_are_whole(learned: list[Labelled], held_back: list[Labelled]) -> None:
    wrong = [post["id"] for post in (*learned, *held_back) if not _whole(post)]
    assert not wrong
    twice = [name for name, count in Counter(post["id"] for post in (*learned, *held_back)).items() if count > 1]
    assert not twice


def _whole(post: Labelled) -> bool:
    """Quotes from the text, words of the codebook, and an alert exactly where a claim puts forward what is not supported."""
    put_forward = False
    for claim in post["claims"]:
        if claim["quote"] not in post["text"] or claim["type"] not in CLAIM_TYPES or claim["stance"] not in STANCES:
            return False
        if claim["distance"] and claim["stance"] != "reports":
            return False
        vouched = claim["stance"] == "asserts" or (claim["stance"] == "reports" and not claim["distance"])
        put_forward |= vouched and claim["verdict"] != "supported"
    return put_forward == post["alert"] and (post["relevant"] or not post["claims"])


def test_a_proposition_has_one_type_and_the_verdict_that_the_register_reaches(
    learned: list[Labelled], held_back: list[Labelled], topic: Topic
) -> None:
    labels: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for post in (*learned, *held_back):
        for claim in post["claims"]:
            labels[claim["claim_key"]].add((claim["type"], claim["verdict"]))
    bases = {key: topic.lexicon.base_of(key) for key in labels}
    wanted = {key: {(topic.lexicon.propositions[base].type, reached(topic, base))} for key, base in bases.items() if base}
    assert {key: given for key, given in labels.items() if given != wanted.get(key, given)} == {}


def test_every_proposition_that_is_learned_is_in_the_lexicon(learned: list[Labelled], topic: Topic) -> None:
    unknown = {
        claim["claim_key"] for post in learned for claim in post["claims"] if topic.lexicon.base_of(claim["claim_key"]) is None
    }
    assert not unknown


def test_nothing_that_is_learned_is_like_what_is_measured_with(
    learned: list[Labelled], held_back: list[Labelled], shared: Path
) -> None:
    measured = [*held_back, *read([shared / "data" / "dev.jsonl"])]
    where: dict[str, list[Labelled]] = defaultdict(list)
    for post in measured:
        for run in _runs(post["text"], 16):  # to share one is enough to be looked at
            where[run].append(post)
    alike = set()
    for post in learned:
        near = {other["id"]: other for run in _runs(post["text"], 16) & where.keys() for other in where[run]}
        alike |= {(post["id"], name) for name, other in near.items() if _likeness(post["text"], other["text"]) > 0.5}
    assert not alike


def _likeness(one: str, other: str) -> float:
    mine, theirs = _runs(one, 8), _runs(other, 8)
    return len(mine & theirs) / len(mine | theirs)


def _runs(text: str, length: int) -> set[str]:
    """Its runs of so many letters and digits, spaces and signs left out."""
    letters = re.sub(r"[\W_]+", "", text.lower())
    return {letters[n : n + length] for n in range(max(1, len(letters) - length + 1))}
