"""Writes a checkpoint as the files that the classifier reads: `python -m training.export --help`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from monitor.topic import fold
from monitor.words import CLAIM_TYPES
from training.examples import STANCES, read_posts
from training.familiar import add_centres
from training.network import Reader
from training.train import kept_apart
from workers.classify.wordpiece import WordPieces

HERE = Path(__file__).resolve().parent
# How many times likelier a stance becomes where the rules read it: chosen on the posts for choosing (docs/judgement.md).
_HINTS = {"asserts": 16.0, "denies": 8.0, "asks": 2.0, "reports": 8.0, "reports with distance": 4.0}
# How sure one must be of the likeliest proposition, and how like two wordings that none fits must be to be one claim: chosen on
# the posts kept apart (docs/judgement.md).
_JOINED = {"sure": 0.6, "like": (0.57, 0.65)}
_NAMED = 10.0  # how many times likelier a claim becomes where the lexicon names it: likewise
_ALERTING = (0.5, 1.0)  # of the weights tried the best on the posts kept apart (docs/judgement.md)
_ENGLISH = 30_522  # pieces that BERT brought along
_MOST_PIECES = 41_200  # so that all files together stay below 30 MB
SPAN_HEADS = ("span", "kind", "ask", "name", "told", "stance", "own", "key")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path, help="where the model's files go")
    parser.add_argument("--calibration", type=Path, help="JSON that `training.calibrate` wrote; without it nothing is calibrated")
    parser.add_argument("--name", default="minilm6")
    parser.add_argument("--hold-out", type=int, default=0, metavar="N", help="as it was trained with")
    options = parser.parse_args()
    export(options.checkpoint, options.folder, options.calibration, options.name, options.hold_out)


def export(checkpoint: Path, folder: Path, calibration: Path | None, name: str, hold_out: int) -> None:
    """Writes encoder.onnx (8-bit whole numbers), heads.npz, vocabulary.txt and model.json."""
    saved = torch.load(checkpoint, weights_only=True)
    network = Reader(len(saved["vocabulary"]), len(CLAIM_TYPES), len(STANCES), len(saved["keys"]))
    network.load_state_dict(saved["state"])
    network.eval()
    vocabulary = _fitting(network, saved["vocabulary"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        names = ["states", "tags", "post"]
        axes = {"ids": {0: "rows", 1: "pieces"}, "states": {0: "rows", 1: "pieces"}, "tags": {0: "rows", 1: "pieces"}}
        axes["post"] = {0: "rows"}
        torch.onnx.export(
            network,
            (torch.tensor([[1, 2, 3]]),),
            str(plain),
            input_names=["ids"],
            output_names=names,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(plain, folder / "encoder.onnx", weight_type=QuantType.QInt8, per_channel=True)
    heads: dict[str, Any] = {}
    for head in SPAN_HEADS:
        module = getattr(network, head)
        weight = module.weight.detach().numpy()
        heads[f"{head}.weight"] = (weight if head == "kind" else weight.T).astype(np.float16)
        if head != "kind":
            heads[f"{head}.bias"] = module.bias.detach().numpy().astype(np.float16)
    np.savez(folder / "heads.npz", **heads)
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    card = {
        "name": name,
        "trained": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "types": CLAIM_TYPES,
        "stances": STANCES,
        "keys": saved["keys"],
        "hints": _HINTS,
        "named": _NAMED,
        "doubted": _doubted(),
        "alerting": _ALERTING,
        **_JOINED,
        **(json.loads(calibration.read_text()) if calibration else uncalibrated()),
    }
    (folder / "model.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    posts = read_posts(sorted((HERE / "posts").glob("*.jsonl")))
    add_centres(folder, [post for post in posts if not kept_apart(post, hold_out)])


def _fitting(network: Reader, vocabulary: list[str]) -> list[str]:
    """The vocabulary without BERT's thousand spare places, and without the rarest of its English pieces that no labelled post
    uses, until the model is small enough; the network's vectors likewise."""
    words = WordPieces(vocabulary)
    used = {
        number
        for post in read_posts(sorted((HERE / "posts").glob("*.jsonl")))
        for number, _, _ in words.cut(fold(post["text"]).text)
    }
    spare = {number for number, piece in enumerate(vocabulary) if piece.startswith("[unused")}
    unused = [number for number in range(min(_ENGLISH, len(vocabulary))) if number not in used and vocabulary[number][0] != "["]
    too_many = max(0, len(vocabulary) - len(spare) - _MOST_PIECES)
    dropped = spare | set(unused[len(unused) - too_many :])  # BERT's pieces stand in the order of their frequency
    kept = [number for number in range(len(vocabulary)) if number not in dropped]
    network.words = torch.nn.Embedding.from_pretrained(network.words.weight.detach()[kept])
    return [vocabulary[number] for number in kept]


def _doubted() -> list[str]:
    """The keys of the claims that are not supported in the labelled posts, by which the network learned what to alert about."""
    posts = read_posts(sorted((HERE / "posts").glob("*.jsonl")))
    return sorted({claim["claim_key"] for post in posts for claim in post["claims"] if claim["verdict"] != "supported"})


def uncalibrated() -> dict[str, Any]:
    """Takes the chances as they are, and keeps nearly all finds."""
    return {
        "calibration": dict.fromkeys(CLAIM_TYPES, (0.0, 0.5, 0.5)),
        "agreement": 0.0,
        "keep": 0.2,
        "harm": 0.5,
        "relevant": 0.5,
    }


if __name__ == "__main__":
    main()
