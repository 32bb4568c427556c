"""The trained network of a topic pack: numbers in, chances out. `training/` makes it; docs/judgement.md describes it.

The folder holds `model.json` (a Card), `vocabulary.txt` (one piece a line), `encoder.onnx` (whole numbers of pieces to a vector
and chances for each piece) and `heads.npz` (what is said of a span that was found). It runs on one core and asks no server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.topic import TopicError
from monitor.words import ClaimType
from workers.classify.likeness import Likeness

Array = npt.NDArray[np.float32]

_GLANCES = 4  # as in training/network.py
NEARNESS_COUNTS = 0.5  # against the log odds, in what is familiar: chosen on claims that a network had not learned
NEVER = -1_000.0  # spreads below the mean: nothing is as unfamiliar
_FILES = ("model.json", "vocabulary.txt", "encoder.onnx", "heads.npz")


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model says of itself. `types`, `stances` and `keys` are the meaning of its outputs, in their order.

    calibration   by claim type, [a, b, c]: a find is right with the chance logistic(a + b * logit(span) + c * logit(post))
    agreement     what is added to those log odds where the rules find a claim of the type in the same words
    hints         by stance, how many times likelier it becomes where the rules read it there
    named         how many times likelier a claim becomes where the lexicon names it by its words
    doubted       keys of the claims that are unsupported or contradicted in the labelled posts
    alerting      how much the chances of an alert about the claim and about its window weigh where stance and key are chosen
    keep          a find whose chance is below it is dropped
    sure          a claim is surely the likeliest of the lexicon from this chance on, below it is joined to that for review
    familiar      mean and spread of the likeliest proposition's log odds, and of the cosine with its centre, where it is known
    own           a find less familiar than this is a claim of its own, which the lexicon does not know (`Network.familiarity`)
    like          from what cosine of their vectors on two such claims are likely one, and from what surely
    harm          a post whose chance of reporting harm is at least this is an adverse event
    relevant      a post whose chance of being about the topic is below this is not
    """

    name: str
    trained: str
    types: tuple[ClaimType, ...]
    stances: tuple[str, ...]
    keys: tuple[str, ...]
    calibration: dict[str, tuple[float, float, float]]
    agreement: float
    hints: dict[str, float]
    named: float
    doubted: tuple[str, ...]
    alerting: tuple[float, float]
    keep: float
    harm: float
    relevant: float
    sure: float = 0.0
    familiar: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)
    own: float = NEVER
    like: tuple[float, float] = (1.0, 1.0)


class Sight(msgspec.Struct, frozen=True):
    """What the network sees in one window: a vector for each piece, chances by piece and type, and chances of the whole."""

    states: Array  # [CLS] first, then one row a piece, then [SEP]
    inside: Array  # pieces x types
    begin: Array  # pieces x types
    types: Array  # types: that the window makes a claim of it
    harm: float
    relevant: float
    alerting: float


class Opinion(msgspec.Struct, frozen=True):
    """What the network thinks of one span: chances by stance and by key, that the writer speaks of their own result, and that it
    is to be alerted about, which sees stance and key together.

    `logits` are those of the keys; `vector` is how it saw the claim before it says any of this, `words` how it saw the pieces.
    """

    stances: Array
    keys: Array
    own: float
    alerting: float
    logits: Array
    vector: Array
    words: Array


class Network:
    """A loaded model. `version` names its content."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - a fifth of a process's start, and most roles and packs have no model to run

        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise TopicError(f"{folder}: the model lacks {', '.join(missing)}; `make train` writes it whole")
        try:
            self.card = msgspec.json.decode((folder / "model.json").read_bytes(), type=Card)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1  # a worker is one core; more workers take more
            options.log_severity_level = 3
            # Without it, processors that lack VNNI cut sums of products to 16 bits and read posts otherwise than the rest.
            options.add_session_config_entry("session.x64quantprecision", "1")
            self._encoder = onnxruntime.InferenceSession(
                str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
            )
            with np.load(folder / "heads.npz", allow_pickle=False) as heads:
                self._heads: dict[str, Array] = {name: heads[name].astype(np.float32) for name in heads.files}
        except Exception as error:  # each of the three libraries has its own; a broken file is one story
            raise TopicError(f"{folder}: the model cannot be read ({error}); `make train` writes it anew") from error
        centres = self._heads.get("key.centre")
        self._centres = None if centres is None else centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-6)
        self.likeness = Likeness(self._heads)
        self.vocabulary = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
        self.version = _version(self.card, folder)

    def look(self, numbers: Sequence[int]) -> Sight:
        """What is seen in a window, given the numbers of its pieces between [CLS] and [SEP]."""
        ids = np.asarray([numbers], dtype=np.int64)
        states, tags, whole = self._run(ids)
        kinds = len(self.card.types)
        chances = _logistic(tags[0, 1:-1])
        post = _logistic(whole[0])
        harm, relevant, alerting = (float(chance) for chance in post[kinds:])
        return Sight(states[0], chances[:, :kinds], chances[:, kinds:], post[:kinds], harm, relevant, alerting)

    def judge(self, states: Array, kind: int, first: int, last: int) -> Opinion:
        """What is thought of a span of a window: its type, its first and its last piece, the last exclusive."""
        heads = self._heads
        part = states[first + 1 : last + 1]
        mean = part.mean(axis=0)
        seen = np.concatenate([mean, part.max(axis=0), states[0], self._glance(states, mean)])
        hidden = _gelu(seen @ heads["span.weight"] + heads["span.bias"] + heads["kind.weight"][kind])
        stances = _softmax(hidden @ heads["stance.weight"] + heads["stance.bias"])
        own, alerting = (float(chance) for chance in _logistic(hidden @ heads["own.weight"] + heads["own.bias"]))
        logits = np.asarray(hidden @ heads["key.weight"] + heads["key.bias"], dtype=np.float32)
        return Opinion(stances, _softmax(logits), own, alerting, logits, hidden, mean)

    def _glance(self, states: Array, mean: Array) -> Array:
        """What a span finds elsewhere in its window (a limit, a denial): attention with a few questions.

        As `training.network.Reader.glance`, with the products in the order that costs least for one span.
        """
        heads = self._heads
        width = len(mean)
        ask = (mean @ heads["ask.weight"] + heads["ask.bias"]).reshape(_GLANCES, -1)
        name = heads["name.weight"].reshape(width, _GLANCES, -1)
        weight = np.einsum("dgw,gw->gd", name, ask) @ states.T / np.sqrt(np.float32(ask.shape[1]))
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        found = (weight / weight.sum(axis=1, keepdims=True)) @ states
        told = np.einsum("gd,dgw->gw", found, heads["told.weight"].reshape(width, _GLANCES, -1))
        return np.asarray(told.reshape(-1) + heads["told.bias"], dtype=np.float32)

    def nearness(self, opinion: Opinion, key: int) -> float:
        """The cosine of how a claim is seen with the centre of how the training posts' claims of that key are; 0 without one."""
        if self._centres is None:
            return 0.0
        return float(self._centres[key] @ opinion.vector) / (float(np.linalg.norm(opinion.vector)) or 1.0)

    def familiarity(self, opinion: Opinion, key: int) -> float:
        """How far a claim is what those of its likeliest key are, in spreads from the mean of these; less is stranger.

        The chance alone does not tell: among propositions that all do not fit, one is always the likeliest.
        """
        logit_mean, logit_spread, near_mean, near_spread = self.card.familiar
        strong = (float(opinion.logits[key]) - logit_mean) / logit_spread
        near = (self.nearness(opinion, key) - near_mean) / near_spread
        return (strong + NEARNESS_COUNTS * near) / (1 + NEARNESS_COUNTS)

    def _run(self, ids: npt.NDArray[np.int64]) -> tuple[Any, Any, Any]:
        states, tags, whole = self._encoder.run(["states", "tags", "post"], {"ids": ids})
        return states, tags, whole


def version_of(folder: Path) -> str:
    """The version of the model in a folder, without loading it. Raises TopicError."""
    try:
        return _version(msgspec.json.decode((folder / "model.json").read_bytes(), type=Card), folder)
    except (OSError, msgspec.DecodeError) as error:
        raise TopicError(f"{folder}: the model cannot be read ({error}); `make train` writes it anew") from error


def _version(card: Card, folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for name in _FILES:
        digest.update((folder / name).read_bytes())
    return f"{card.name}-{digest.hexdigest()}"


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), dtype=np.float32)


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum(), dtype=np.float32)


def _gelu(x: Array) -> Array:
    """As `torch.nn.functional.gelu(approximate="tanh")`, with which the heads were trained."""
    return np.asarray(0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + 0.044715 * x**3))), dtype=np.float32)
