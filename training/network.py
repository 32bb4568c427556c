"""The network: a small BERT that sees pieces, and heads that say which of them carry a claim, and what claim it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from safetensors.torch import load_file
from torch import Tensor, nn

WIDTH, HEADS, INNER, PLACES, LAYERS = 384, 12, 1536, 512, 6
GLANCES, GLANCE = 4, 32  # what a span looks for elsewhere in its window: so many questions, each a vector so wide


class Layer(nn.Module):
    """One layer of BERT (Devlin et al. 2018, arXiv 1810.04805)."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.qkv, self.o, self.n1 = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, 1e-12)
        self.up, self.down, self.n2 = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH), nn.LayerNorm(WIDTH, 1e-12)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        seen = F.softmax(q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + mask, -1) @ v
        x = self.n1(x + self.drop(self.o(seen.transpose(1, 2).reshape(rows, length, WIDTH))))
        return self.n2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Reader(nn.Module):
    """Pieces in (0 is padding), and out a vector for each, chances (as logits) by piece and type, and of the whole."""

    def __init__(self, pieces: int, kinds: int, stances: int, keys: int, layers: int = LAYERS, dropout: float = 0.1) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(pieces, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.norm, self.drop = nn.LayerNorm(WIDTH, 1e-12), nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.tag = nn.Linear(WIDTH, 2 * kinds)  # inside a quote of the type; where one begins
        self.post = nn.Linear(2 * WIDTH, kinds + 3)  # a claim of the type; harm; relevant; something to alert about
        self.span, self.kind = nn.Linear(4 * WIDTH, WIDTH), nn.Embedding(kinds, WIDTH)
        self.ask, self.name = nn.Linear(WIDTH, GLANCES * GLANCE), nn.Linear(WIDTH, GLANCES * GLANCE)
        self.told = nn.Linear(WIDTH, WIDTH)
        self.stance, self.own, self.key = nn.Linear(WIDTH, stances), nn.Linear(WIDTH, 2), nn.Linear(WIDTH, keys)
        nn.init.constant_(self.tag.bias, -3.0)  # most pieces carry nothing

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        valid = (ids != 0).to(self.norm.weight.dtype)
        x = self.drop(self.norm(self.words(ids) + self.places.weight[: ids.shape[1]]))
        mask = (1 - valid)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, mask)
        x = self.drop(x)
        mean = (x * valid[:, :, None]).sum(1) / valid.sum(1, keepdim=True)
        top = (x - (1 - valid)[:, :, None] * 1e4).max(1).values
        return x, self.tag(x), self.post(torch.cat([mean, top], -1))

    def judge(
        self, x: Tensor, valid: Tensor, spans: Sequence[tuple[int, int, int]], kinds: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of stance, (own result, to alert about) and key of spans (row, first, last) of the vectors."""
        means = torch.stack([x[row, a:b].mean(0) for row, a, b in spans])
        tops = torch.stack([x[row, a:b].max(0).values for row, a, b in spans])
        rows = [row for row, *_ in spans]
        seen = torch.cat([means, tops, x[rows, 0], self.glance(x[rows], valid[rows], means)], -1)
        hidden = self.drop(F.gelu(self.span(seen) + self.kind(kinds), approximate="tanh"))
        return self.stance(hidden), self.own(hidden), self.key(hidden)

    def glance(self, x: Tensor, valid: Tensor, means: Tensor) -> Tensor:
        """What each span finds elsewhere in its window (a limit, a denial, whose result it is): attention."""
        count, length, _ = x.shape
        ask = self.ask(means).view(count, GLANCES, GLANCE)
        name = self.name(x).view(count, length, GLANCES, GLANCE)
        weight = torch.einsum("cgw,clgw->cgl", ask, name) / math.sqrt(GLANCE) - (1 - valid)[:, None, :] * 1e4
        told = self.told(x).view(count, length, GLANCES, WIDTH // GLANCES)
        return torch.einsum("cgl,clgw->cgw", weight.softmax(-1), told).reshape(count, WIDTH)

    def start_from(self, weights: Path, meanings: Sequence[tuple[int, ...]]) -> None:
        """Takes over the weights of MiniLM-L6-H384-uncased; new pieces start at the mean of the old ones named in `meanings`."""
        w = load_file(weights)
        with torch.no_grad():
            old = w["embeddings.word_embeddings.weight"]
            fresh = [old[list(m)].mean(0) if m else torch.randn(WIDTH) * old.std() for m in meanings]
            self.words.weight.copy_(torch.cat([old, torch.stack(fresh)]) if fresh else old)
            places, kind = w["embeddings.position_embeddings.weight"], w["embeddings.token_type_embeddings.weight"][0]
            self.places.weight.copy_(places + kind)
            self.norm.weight.copy_(w["embeddings.LayerNorm.weight"])
            self.norm.bias.copy_(w["embeddings.LayerNorm.bias"])
            for number, layer in enumerate(self.layers):
                for part in ("weight", "bias"):
                    at = f"encoder.layer.{number}."
                    attention = [w[f"{at}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
                    getattr(layer.qkv, part).copy_(torch.cat(attention))
                    getattr(layer.o, part).copy_(w[f"{at}attention.output.dense.{part}"])
                    getattr(layer.n1, part).copy_(w[f"{at}attention.output.LayerNorm.{part}"])
                    getattr(layer.up, part).copy_(w[f"{at}intermediate.dense.{part}"])
                    getattr(layer.down, part).copy_(w[f"{at}output.dense.{part}"])
                    getattr(layer.n2, part).copy_(w[f"{at}output.LayerNorm.{part}"])
