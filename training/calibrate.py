"""Chooses, on posts that the network has not seen, how sure a find must be: `python -m training.calibrate --help`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.nn.functional as F  # noqa: N812

from monitor.topic import fold, load_topic
from monitor.words import CLAIM_TYPES
from training.examples import read_posts
from training.familiar import familiar_scale
from training.train import HERE, PACK, kept_apart
from workers.classify.language import likely_languages
from workers.classify.learned import Learned, hints_for, logit, quote_of, spans_of
from workers.classify.network import Network
from workers.classify.rules import Rules

_GRID = [n / 100 for n in range(5, 96)]
_TIES = 200.0  # how strongly the types share one offset: some have few posts


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of an exported model that was trained with --hold-out N")
    parser.add_argument("out", type=Path, help="the JSON to write")
    parser.add_argument("--posts", type=Path, nargs="+", default=sorted((HERE / "posts").glob("*.jsonl")))
    parser.add_argument("--hold-out", type=int, required=True, metavar="N")
    options = parser.parse_args()
    posts = [post for post in read_posts(options.posts) if kept_apart(post, options.hold_out)]
    options.out.write_text(json.dumps(calibrate(options.model, posts), indent=1) + "\n")


class Find(msgspec.Struct, frozen=True):
    """A find on a post that was kept apart: how sure its parts are, and whether it is right."""

    kind: int
    inside: float  # log odds
    whole: float  # log odds
    agreed: bool
    right: bool


def calibrate(model: Path, posts: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of the model's card that is chosen here."""
    topic = load_topic(PACK)
    learned, rules = Learned(Network(model), topic.lexicon.propositions), Rules(topic)
    finds: list[Find] = []
    harm, relevant, missed = [], [], 0
    for post in posts:
        folded = fold(post["text"])
        places = topic.keywords.places(folded)
        hints = rules.find(folded, places, likely_languages(post["text"]) | {post["lang"]}).claims
        made = {claim["type"] for claim in post["claims"]}
        before = len(finds)
        most_harm = most_relevant = 0.0
        for part, sight in learned.look(folded, places):
            most_harm, most_relevant = max(most_harm, sight.harm), max(most_relevant, sight.relevant)
            for span in spans_of(part, folded, sight):
                kind = CLAIM_TYPES[span.kind]
                agreed = bool(hints_for(kind, quote_of(folded, part, span), hints))
                whole = logit(float(sight.types[span.kind]))
                finds.append(Find(span.kind, logit(span.inside), whole, agreed, kind in made))
        missed += len(made - {CLAIM_TYPES[find.kind] for find in finds[before:]})
        harm.append((most_harm, post["adverse_event"]))
        if topic.keywords.find_folded(folded):
            relevant.append((most_relevant, post["relevant"]))
    weights = _fit(finds)
    chances = torch.sigmoid(_logits(weights, finds)).tolist()
    keep, score = _best([(chance, find.right) for chance, find in zip(chances, finds, strict=True)], missed)
    harm_at, harm_score = _best(harm, 0)
    relevant_at, relevant_score = _best(relevant, 0)
    print(f"{len(posts)} posts, {len(finds)} finds: keep {keep} (F1 {score:.3f}), harm {harm_at} ({harm_score:.3f}), ", end="")
    print(f"relevant {relevant_at} ({relevant_score:.3f})")
    a, b, c, d = (weight.tolist() for weight in weights)
    return {
        "calibration": {kind: [round(number, 4) for number in (a[n], b, c)] for n, kind in enumerate(CLAIM_TYPES)},
        "agreement": round(d, 4),
        "keep": keep,
        "harm": harm_at,
        "relevant": relevant_at,
        **familiar_scale(model, posts),
    }


def _fit(finds: list[Find]) -> list[torch.Tensor]:
    """A logistic of the chances and of the rules' agreement, with an offset by type (Platt 1999)."""
    weights = [torch.zeros(len(CLAIM_TYPES)), torch.tensor(0.5), torch.tensor(0.5), torch.tensor(0.5)]
    for weight in weights:
        weight.requires_grad_()
    right = torch.tensor([float(find.right) for find in finds])
    optimiser = torch.optim.LBFGS(weights, max_iter=200)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        apart = (weights[0] - weights[0].mean()).square().sum()
        value = F.binary_cross_entropy_with_logits(_logits(weights, finds), right) + apart / _TIES
        value.backward()
        return value

    optimiser.step(loss)
    return [weight.detach() for weight in weights]


def _logits(weights: list[torch.Tensor], finds: list[Find]) -> torch.Tensor:
    kinds = torch.tensor([find.kind for find in finds])
    inside, whole, agreed = (
        torch.tensor([float(getattr(find, name)) for find in finds]) for name in ("inside", "whole", "agreed")
    )
    return weights[0][kinds] + weights[1] * inside + weights[2] * whole + weights[3] * agreed


def _best(rated: list[tuple[float, bool]], missed: int) -> tuple[float, float]:
    """The threshold with the best F1, and that F1. `missed` are right ones that are not even rated."""

    def f1(at: float) -> float:
        kept = sum(chance >= at for chance, _ in rated)
        hits = sum(right for chance, right in rated if chance >= at)
        return 2 * hits / (kept + missed + sum(right for _, right in rated) or 1)

    best = max(_GRID, key=f1)
    return best, f1(best)


if __name__ == "__main__":
    main()
