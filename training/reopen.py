"""Reads a model's files back as a checkpoint, from which `training.train --start` goes on: `python -m training.reopen --help`.

For where the checkpoint is gone, or the processor too slow for the whole. The weights come back as the 8-bit numbers that they
were rounded to, a little off; what is trained from there gets used to that.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from training.export import SPAN_HEADS
from training.network import LAYERS, Reader
from workers.classify.network import Card


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of an exported model")
    parser.add_argument("checkpoint", type=Path, help="the checkpoint to write")
    options = parser.parse_args()
    torch.save(reopened(options.model), options.checkpoint)


def reopened(model: Path) -> dict[str, object]:
    """State, vocabulary and keys.

    Raises ValueError or RuntimeError, which names the weights, where the files are not those that `training.export` writes.
    """
    card = msgspec.json.decode((model / "model.json").read_bytes(), type=Card)
    vocabulary = (model / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    network = Reader(len(vocabulary), len(card.types), len(card.stances), len(card.keys))
    state = dict(_encoder(model / "encoder.onnx")) | dict(_heads(model / "heads.npz"))
    network.load_state_dict(state)
    return {"state": network.state_dict(), "vocabulary": vocabulary, "keys": list(card.keys)}


def _encoder(file: Path) -> Iterator[tuple[str, Tensor]]:
    """The weights by their names in `Reader`. Those that vectors are multiplied by lost theirs, and stand in the order of use."""
    found = {one.name: numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
    products = [f"layers.{n}.{part}" for n in range(LAYERS) for part in ("qkv", "o", "up", "down")] + ["tag", "post"]
    nameless = []
    for name, value in found.items():
        if name.endswith(("_scale", "_zero_point")):
            continue
        if not name.endswith("_quantized"):
            yield name, torch.from_numpy(value.copy())
            continue
        name = name.removesuffix("_quantized")  # noqa: PLW2901
        weight = (value.astype(np.float32) - found[f"{name}_zero_point"]) * found[f"{name}_scale"]
        if name == "words.weight":
            yield name, torch.from_numpy(weight)
        else:
            nameless.append(torch.from_numpy(weight.T.copy()))
    for name, weight in zip(products, nameless, strict=True):
        yield f"{name}.weight", weight


def _heads(file: Path) -> Iterator[tuple[str, Tensor]]:
    with np.load(file, allow_pickle=False) as heads:
        for head in SPAN_HEADS:
            weight = torch.from_numpy(heads[f"{head}.weight"].astype(np.float32))
            yield f"{head}.weight", weight if head == "kind" else weight.T.contiguous()
            if head != "kind":
                yield f"{head}.bias", torch.from_numpy(heads[f"{head}.bias"].astype(np.float32))


if __name__ == "__main__":
    main()
