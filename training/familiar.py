"""What the network knows: where the claims of each proposition lie in how it sees them, and how far from there known ones lie.

`training.export` writes the centres beside the heads; `training.calibrate` chooses from which distance on a find is a claim that
the lexicon does not know. `python -m training.familiar FOLDER --hold-out 12` brings both into a model that is exported already.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.topic import fold, load_topic
from training.examples import read_posts, with_base_keys
from training.train import HERE, PACK, kept_apart
from workers.classify.learned import Learned
from workers.classify.likeness import views_of
from workers.classify.network import NEARNESS_COUNTS, Network, Opinion

_LEAST_SPREAD = 1e-3
_STRANGE = 0.03  # of the known claims that are read right, so many may be taken for unknown ones


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of an exported model")
    parser.add_argument("--posts", type=Path, nargs="+", default=sorted((HERE / "posts").glob("*.jsonl")))
    parser.add_argument("--hold-out", type=int, required=True, metavar="N", help="as it was trained with")
    options = parser.parse_args()
    posts = read_posts(options.posts)
    add_centres(options.folder, [post for post in posts if not kept_apart(post, options.hold_out)])
    card = options.folder / "model.json"
    chosen = familiar_scale(options.folder, [post for post in posts if kept_apart(post, options.hold_out)])
    card.write_text(json.dumps(json.loads(card.read_text()) | chosen, indent=1) + "\n", encoding="utf-8")


def add_centres(folder: Path, posts: Sequence[dict[str, Any]]) -> None:
    """Writes into the heads of the model in `folder` the centre of each key (whole numbers of 8 bits; zeros without an example),
    and what is usual in the three views by which wordings are likened."""
    network = Network(folder)
    places = {key: n for n, key in enumerate(network.card.keys)}
    centres: npt.NDArray[np.float32] | None = None
    views: list[tuple[npt.NDArray[np.float32], ...]] = []
    for key, _, quote, opinion in claims_seen(network, posts):
        if centres is None:
            centres = np.zeros((len(places), len(opinion.vector)), dtype=np.float32)
        if key in places:
            centres[places[key]] += opinion.vector / np.linalg.norm(opinion.vector)
        views.append(views_of(opinion.vector, opinion.words, quote))
    if centres is None:
        raise SystemExit("familiar: none of the posts makes a claim; name posts that do (--posts)")
    with np.load(folder / "heads.npz", allow_pickle=False) as heads:
        kept: dict[str, Any] = {name: heads[name] for name in heads.files}
    kept["key.centre"] = np.rint(centres * 127 / np.maximum(np.abs(centres).max(axis=1, keepdims=True), 1e-6)).astype(np.int8)
    for view, seen in zip(("claim", "state", "sketch"), map(np.stack, zip(*views, strict=True)), strict=True):
        kept[f"{view}.mean"] = seen.mean(axis=0).astype(np.float16)
    kept["sketch.spread"] = (seen.std(axis=0) + _LEAST_SPREAD).astype(np.float16)
    np.savez_compressed(folder / "heads.npz", **kept)


def familiar_scale(folder: Path, posts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The part of the model's card that says what is familiar, from posts that the network has not seen."""
    network = Network(folder)
    types = network.card.types
    propositions = load_topic(PACK).lexicon.propositions
    of_kind = {kind: [n for n, key in enumerate(network.card.keys) if propositions[key].type == kind] for kind in types}
    seen = []
    for key, kind, _, opinion in claims_seen(network, posts):
        best = max(of_kind[kind], key=lambda n: float(opinion.logits[n]))
        seen.append((float(opinion.logits[best]), network.nearness(opinion, best), network.card.keys[best] == key))
    right = np.array([one[:2] for one in seen if one[2]])
    if not len(right):
        raise SystemExit("familiar: no claim of these posts is read right; train longer, or keep other posts apart")
    mean, spread = right.mean(axis=0), np.maximum(right.std(axis=0), 1e-3)
    weights = np.array([1, NEARNESS_COUNTS]) / (1 + NEARNESS_COUNTS)
    scores = (right - mean) / spread @ weights
    own = float(np.quantile(scores, _STRANGE))
    everything = (np.array([one[:2] for one in seen]) - mean) / spread @ weights
    print(f"{len(seen)} claims, {len(right)} read right: own below {own:.3f}, which {np.mean(everything < own):.1%} of all are")
    return {
        "familiar": [round(float(number), 4) for number in (mean[0], spread[0], mean[1], spread[1])],
        "own": round(own, 3),
    }


def claims_seen(network: Network, posts: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str, Opinion]]:
    """Key, type and folded quote of each labelled claim, and what the network thinks of it."""
    topic = load_topic(PACK)
    with_base_keys(posts, topic.lexicon)
    learned = Learned(network, topic.lexicon.propositions)
    for post in posts:
        if not post["claims"]:
            continue
        folded = fold(post["text"])
        looks = list(learned.look(folded, topic.keywords.places(folded)))
        for claim in post["claims"]:
            first = post["text"].find(claim["quote"])
            last = first + len(claim["quote"])
            for part, sight in looks:
                places = [folded.span(start, end) for _, start, end in part]
                inside = [n for n, (start, end) in enumerate(places) if start < last and first < end]
                if first >= 0 and inside:
                    kind = network.card.types.index(claim["type"])
                    opinion = network.judge(sight.states, kind, inside[0], inside[-1] + 1)
                    yield claim["claim_key"], claim["type"], fold(claim["quote"]).text, opinion
                    break


if __name__ == "__main__":
    main()
