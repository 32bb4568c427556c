"""A reader of a few words, written out by hand: a whole model folder, of which a test knows what it sees in every word.

The encoder is a table: each word has its state and its chances, and the whole sees what its strongest word sees. It stands in a
real `encoder.onnx`, of which this writes the bytes, so that all that reads a shipped model reads this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from monitor.topic.lexicon import Proposition
from monitor.words import ClaimType, Stance
from workers.classify.found import Found
from workers.classify.learned import Learned
from workers.classify.network import Array, Card, Network, Opinion, Sight

TYPES: tuple[ClaimType, ...] = ("disease_treatment", "regulatory_status", "superiority")
STANCES = ("asserts", "denies", "asks", "reports", "reports with distance")
KEYS: dict[str, ClaimType] = {
    "treats-arthritis": "disease_treatment",
    "fda-approved": "regulatory_status",
    "treats-diabetes": "disease_treatment",
    "cures-aging": "disease_treatment",
    "beats-botox": "superiority",
    "beats-lasers": "superiority",
    "beats-water": "superiority",
}
DOUBTED = ("treats-arthritis", "treats-diabetes", "fda-approved", "beats-botox", "beats-lasers")
MARKS = (*STANCES, *KEYS, "own", "alerting")  # what a word can say, one number of its state each
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
GLANCES = 4


@dataclass(frozen=True)
class Word:
    """What is seen in a word: chances by type that it lies in a quote, or begins one, those of the whole, and what it says."""

    inside: Mapping[str, float] = field(default_factory=dict)
    begin: Mapping[str, float] = field(default_factory=dict)
    whole: Mapping[str, float] = field(default_factory=dict)  # of the types, and of harm, relevant and alerting
    says: Mapping[str, float] = field(default_factory=dict)  # of MARKS


def disease(chance: float = 0.95, **says: float) -> Word:
    """A word of a quote of a treatment."""
    return Word(inside={"disease_treatment": chance}, says={name.replace("_", "-"): much for name, much in says.items()})


def law(chance: float = 0.95, **says: float) -> Word:
    """A word of a quote of what is approved."""
    return Word(inside={"regulatory_status": chance}, says={name.replace("_", "-"): much for name, much in says.items()})


def better(chance: float = 0.95, **says: float) -> Word:
    """A word of a quote of what is better."""
    return Word(inside={"superiority": chance}, says={name.replace("_", "-"): much for name, much in says.items()})


# Numbers are whole words here, which a vocabulary would have in pieces.
WORDS: dict[str, Word] = {
    "we": Word(),
    "the": Word(),
    "and": Word(),
    ".": Word(),
    "!": Word(),
    "#": Word(),
    "cures": disease(0.9),
    "heals": disease(0.9),
    "arthritis": disease(0.9, treats_arthritis=8),
    "diabetes": disease(0.9, treats_diabetes=8),
    "aging": disease(0.9, cures_aging=8),
    "sugar": disease(0.9, treats_arthritis=4, treats_diabetes=4.4),
    "never": disease(0.9, denies=8),
    "maybe": disease(0.9, asks=8),
    "says": disease(0.9, reports=8),
    "allegedly": Word(inside={"disease_treatment": 0.9}, says={"reports with distance": 8}),
    "my": disease(0.9, own=8),
    "fda": law(0.9),
    "approved": law(0.9, fda_approved=8),
    "beats": better(0.9),
    "botox": better(0.9, beats_botox=8),
    "lasers": better(0.9, beats_lasers=8),
    "water": better(0.9, beats_water=8),
    "faint": disease(0.4),
    "harm": Word(whole={"harm": 0.9}),
    "exosomes": Word(whole={"relevant": 0.9}),
}


def card(**more: Any) -> Card:
    """What the model says of itself: its chances are those of the words, and nothing else weighs unless a test says so."""
    values: dict[str, Any] = {
        "name": "tiny",
        "trained": "2026-01-01",
        "types": TYPES,
        "stances": STANCES,
        "keys": tuple(KEYS),
        "calibration": dict.fromkeys(TYPES, (0.0, 1.0, 0.0)),
        "agreement": 0.0,
        "hints": dict.fromkeys(STANCES, 1.0),
        "named": 1.0,
        "doubted": DOUBTED,
        "alerting": (0.0, 0.0),
        "keep": 0.5,
        "harm": 0.5,
        "relevant": 0.5,
    }
    return Card(**(values | more))


def propositions(**more: Any) -> dict[str, Proposition]:
    """The propositions of KEYS; `treats_arthritis={"number": "percent"}` sets fields of one."""
    fields = {name.replace("_", "-"): values for name, values in more.items()}
    return {
        key: Proposition(**({"key": key, "type": kind, "claim": f"It {key}.", "patterns": ()} | fields.get(key, {})))
        for key, kind in KEYS.items()
    }


def learned(
    folder: Path, words: Mapping[str, Word] | None = None, lexicon: Mapping[str, Proposition] | None = None, **of_card: Any
) -> Learned:
    """The reader over a model of these words."""
    return Learned(network(folder, WORDS if words is None else words, **of_card), lexicon or propositions())


def network(folder: Path, words: Mapping[str, Word] = WORDS, **of_card: Any) -> Network:
    """The model of these words, written and loaded."""
    seen = [*[Word()] * len(SPECIAL), *words.values()]
    chances = [name for kind in ("inside", "begin") for name in (f"{kind} {of}" for of in TYPES)]
    tags = [[_logit(getattr(word, name.split()[0]).get(name.split()[1], 0.02)) for name in chances] for word in seen]
    whole = [[_logit(word.whole.get(name, 0.01)) for name in (*TYPES, "harm", "relevant", "alerting")] for word in seen]
    states = [[word.says.get(mark, 0.0) for mark in MARKS] for word in seen]
    return write(folder, card(**of_card), [*SPECIAL, *words], heads(), states, tags, whole)


def write(
    folder: Path,
    about: Card,
    vocabulary: Sequence[str],
    values: Mapping[str, Array],
    states: Sequence[Sequence[float]],
    tags: Sequence[Sequence[float]],
    whole: Sequence[Sequence[float]],
) -> Network:
    """A model folder, and the network that is loaded from it. Each table has a row for each piece of the vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_bytes(msgspec.json.encode(about))
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / "encoder.onnx").write_bytes(encoder(states, tags, whole))
    np.savez(folder / "heads.npz", **values)  # type: ignore[arg-type]
    return Network(folder)


def heads() -> dict[str, Array]:
    """Heads by which a span says what the strongest of its words says; an assertion, where none says otherwise."""
    width = len(MARKS)
    seen = np.zeros((3 * width + GLANCES, width), dtype=np.float32)
    seen[width : 2 * width] = np.eye(width)
    marks = np.eye(width, dtype=np.float32)
    own = marks[:, [MARKS.index("own"), MARKS.index("alerting")]]
    keys = marks[:, len(STANCES) : len(STANCES) + len(KEYS)]
    nothing = np.zeros((width, width * GLANCES), dtype=np.float32)
    return {
        "span.weight": seen,
        "span.bias": np.zeros(width, dtype=np.float32),
        "kind.weight": np.zeros((len(TYPES), width), dtype=np.float32),
        "stance.weight": marks[:, : len(STANCES)],
        "stance.bias": np.array([2, 0, 0, 0, 0], dtype=np.float32),
        "own.weight": own,
        "own.bias": np.array([-4, 0], dtype=np.float32),
        "key.weight": keys,
        "key.bias": np.zeros(len(KEYS), dtype=np.float32),
        "ask.weight": nothing,
        "ask.bias": np.zeros(width * GLANCES, dtype=np.float32),
        "name.weight": nothing,
        "told.weight": nothing[:, :GLANCES],
        "told.bias": np.zeros(GLANCES, dtype=np.float32),
    }


def sight(**more: Any) -> Sight:
    """What is seen in a window of which nothing is known."""
    nothing = np.zeros((1, len(TYPES)), dtype=np.float32)
    values = {"states": nothing, "inside": nothing, "begin": nothing, "types": np.full(len(TYPES), 0.5, dtype=np.float32)}
    return Sight(**({**values, "harm": 0.0, "relevant": 0.0, "alerting": 0.5} | more))


def opinion(**more: Any) -> Opinion:
    """What is thought of a span of which nothing is known."""
    values: dict[str, Any] = {
        "stances": np.full(len(STANCES), 0.2, dtype=np.float32),
        "keys": np.full(len(KEYS), 1 / len(KEYS), dtype=np.float32),
        "own": 0.0,
        "alerting": 0.5,
        "logits": np.zeros(len(KEYS), dtype=np.float32),
        "vector": np.ones(4, dtype=np.float32),
        "words": np.ones(4, dtype=np.float32),
    }
    return Opinion(**(values | more))


def hint(text: str, quote: str, proposition: Proposition, *, stance: Stance = "asserts", **more: Any) -> Found:
    """What the rules find in a text."""
    start = text.index(quote)
    values: dict[str, Any] = {
        "start": start,
        "end": start + len(quote),
        "type": proposition.type,
        "stance": stance,
        "distance": False,
        "testimonial": False,
        "proposition": proposition,
        "number": None,
        "confidence": 0.8,
        "by": f"the wording of {proposition.key}",
        "cue": "plain",
    }
    return Found(**(values | more))


def encoder(states: Sequence[Sequence[float]], tags: Sequence[Sequence[float]], whole: Sequence[Sequence[float]]) -> bytes:
    """The bytes of an ONNX graph: `ids` to their rows of two tables, and to the greatest of each column of the third."""
    nodes = [
        *(
            _node("Gather", [f"{name}.table", "ids"], f"{name}.rows" if name == "post" else name)
            for name in ("states", "tags", "post")
        ),
        _node("ReduceMax", ["post.rows"], "post", _ints("axes", [1]), _int("keepdims", 0)),
    ]
    tables = [_table(f"{name}.table", rows) for name, rows in (("states", states), ("tags", tags), ("post", whole))]
    graph = b"".join(_part(1, node) for node in nodes) + _part(2, b"tiny") + b"".join(_part(5, table) for table in tables)
    graph += _part(11, _port("ids", 7)) + b"".join(_part(12, _port(name, 1)) for name in ("states", "tags", "post"))
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))


def _node(kind: str, given: Sequence[str], made: str, *attributes: bytes) -> bytes:
    ports = b"".join(_part(1, name.encode()) for name in given) + _part(2, made.encode())
    return ports + _part(4, kind.encode()) + b"".join(_part(5, one) for one in attributes)


def _int(name: str, value: int) -> bytes:
    return _part(1, name.encode()) + _number(3, value) + _number(20, 2)


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _part(1, name.encode()) + b"".join(_number(8, value) for value in values) + _number(20, 7)


def _table(name: str, rows: Sequence[Sequence[float]]) -> bytes:
    table = np.asarray(rows, dtype="<f4")
    sizes = b"".join(_number(1, size) for size in table.shape)
    return sizes + _number(2, 1) + _part(8, name.encode()) + _part(9, table.tobytes())


def _port(name: str, element: int) -> bytes:
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, element)))


def _part(place: int, content: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(content)) + content


def _number(place: int, value: int) -> bytes:
    return _varint(place << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _logit(chance: float) -> float:
    return float(np.log(chance / (1 - chance)))
