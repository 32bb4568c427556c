"""How like two wordings are of which the lexicon knows neither: vectors whose cosine says it.

Three views of a wording stand in one vector: how the network sees the claim, how it sees the words without asking which claim
they make, and which words they are. The last is a sketch of word beginnings (Weinberger et al. 2009, arXiv 0902.2206).
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

# Of the three views in the likeness: chosen on claims that a network had not learned (docs/judgement.md).
WEIGHTS = (1.0, 0.5, 0.5)
_SKETCH = 256
_BEGINNING = 5  # letters of a word: what follows is grammar in most languages
_WORD = re.compile(r"[^\W_]+")


class Likeness:
    """What is usual in the wordings of the training posts (`claim.mean`, `state.mean`, `sketch.mean`, `sketch.spread` among the
    model's heads) counts for little: that words speak of the topic, or of a cure, makes no two claims one."""

    def __init__(self, heads: Mapping[str, Array]) -> None:
        nothing, one = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)
        self._usual = [heads.get(f"{view}.mean", nothing) for view in ("claim", "state", "sketch")]
        self._spread = heads.get("sketch.spread", one)

    def vector(self, claim: Array, words: Array, text: str) -> Array:
        """A vector of length 1. `claim` and `words` are the network's views, `text` is the folded wording."""
        views = views_of(claim, words, text)
        parts = [view - usual for view, usual in zip(views, self._usual, strict=True)]
        parts[2] = parts[2] / self._spread
        return _unit(np.concatenate([math.sqrt(weight) * _unit(part) for weight, part in zip(WEIGHTS, parts, strict=True)]))


def views_of(claim: Array, words: Array, text: str) -> tuple[Array, Array, Array]:
    """The three views, before what is usual in them is taken off."""
    return _unit(claim), words, _unit(_sketch(text))


def _sketch(text: str) -> Array:
    found = np.zeros(_SKETCH, dtype=np.float32)
    for word in _WORD.findall(text):
        for part in _parts(word):
            mark = zlib.crc32(part.encode())
            found[mark % _SKETCH] += 1 if mark >> 16 & 1 else -1
    return found


def _parts(word: str) -> set[str]:
    """The beginning of a word that is not a small one; in a script that runs words together also its pairs of letters."""
    if word.isascii():
        return {word[:_BEGINNING]} if len(word) > 2 else set()
    return {word[:_BEGINNING], *(word[at : at + 2] for at in range(len(word) - 1))}


def _unit(vector: Array) -> Array:
    return np.asarray(vector / (float(np.linalg.norm(vector)) or 1.0), dtype=np.float32)
