"""Classify: whole judgements (classify, identify, judge) of mixed posts on one core, as the worker asks for them."""

from __future__ import annotations

import time

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_least, at_most, in_turn, quantile


async def run(scale: Scale) -> list[Figure]:
    judge = posts.judge()
    texts = posts.mixed_texts(scale.count(1_000, least=50))
    slowest: list[float] = []

    async def once() -> float:
        took = []
        for n, text in enumerate(texts):
            started = time.process_time()
            judge.judge(str(n), text)
            took.append(time.process_time() - started)
        slowest.append(quantile(took, 0.95) * 1000)
        return len(texts) / sum(took)

    (rates,) = await in_turn(scale.repeats, once)
    words = sum(len(text.split()) for text in texts) / len(texts)
    note = f"mean {words:.0f} words"
    return [
        at_least("classify", "mentions/s", rates, 200, "DESIGN.md", note),
        at_most("classify, 95th percentile of one", "ms", slowest[1:], 15, "DESIGN.md", note),
    ]
