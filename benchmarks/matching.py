"""Matching: how well the likeness by which wordings of an unknown claim are joined finds the claim that a post repeats."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks import posts
from benchmarks.claim_set import BM25, ClaimSet, ClaimSetError, map_at_5, read_set
from benchmarks.measure import Figure, Scale, beside
from monitor.topic import fold
from workers.classify.learned import Learned
from workers.classify.network import Network


async def run(_: Scale, folder: Path | None = None) -> list[Figure]:
    """MAP@5 of the matcher beside BM25 on the same set; nothing without a set, which cannot be shipped."""
    if folder is None:
        print("matching: left out; --set FOLDER names a public set of claims (docs/benchmarks.md)", file=sys.stderr)
        return []
    try:
        found = read_set(folder)
    except ClaimSetError as error:
        print(f"matching: left out; {error}", file=sys.stderr)
        return []
    bm25 = BM25(found.claims)
    plain = map_at_5(found, {key: bm25.best(text) for key, text in found.queries.items()})
    ours = map_at_5(found, _by_likeness(found))
    note = f"{len(found.queries)} posts, {len(found.claims)} claims"
    return [beside("matching, MAP@5", "", [ours], "BM25", [plain or 1e-4], note=note)]


def _by_likeness(found: ClaimSet) -> dict[str, list[str]]:
    """The five likest claims of each post."""
    topic = posts.topic()
    assert topic.model is not None, "the shipped pack has a model"
    learned = Learned(Network(topic.model), topic.lexicon.propositions)
    names = list(found.claims)
    vectors = np.stack([learned.likeness_vector(fold(found.claims[name])) for name in names])
    best = {}
    for key, text in found.queries.items():
        order = np.argsort(-(vectors @ learned.likeness_vector(fold(text))), kind="stable")
        best[key] = [names[n] for n in order[:5]]
    return best
