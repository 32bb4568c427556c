"""Judgement: the figures of `exowatch evaluate` on the posts that were held back from training, beside what is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_least
from workers.evaluate import Labelled, Pair, evaluate

HELD = {"English": "english", "ten other languages": "other-languages"}
WANTED = {
    "detection": 0.96,
    "type_macro": 0.88,
    "stance": 0.86,
    "verdict": 0.85,
    "alert_precision": 0.95,
    "alert_recall": 0.93,
    "adverse_event": 0.92,
    "identity": 0.85,
}


async def run(scale: Scale) -> list[Figure]:
    figures = []
    for name, file in HELD.items():
        lines = (posts.ROOT / "training" / "held" / f"{file}.jsonl").read_bytes().splitlines()
        found = evaluate(_judged(lines[: scale.count(len(lines), least=20)]))
        figures += [
            at_least(f"judgement, held back, {name}: {figure}", "share", [found.figures[figure]], wanted, "DESIGN.md")
            for figure, wanted in WANTED.items()
            if found.figures.get(figure)
        ]
    return figures


def _judged(lines: Sequence[bytes]) -> list[Pair]:
    labelled = [msgspec.json.decode(line, type=Labelled) for line in lines if line.strip()]
    return [(one, posts.judge().judge(one.id, one.text, one.lang)) for one in labelled]
