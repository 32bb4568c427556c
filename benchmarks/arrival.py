"""From arrival to webhook: posts handed in one by one at 50 a second to the whole daemon, until the receiver has the signed body.

Each post makes a claim that nobody made before, so each raises an alert: a stream of nothing but news.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks import posts
from benchmarks.daemon import daemon
from benchmarks.measure import Figure, Scale, at_most, drained, in_turn, quantile
from benchmarks.receiver import Receiver, receiver

PER_SECOND = 50
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def run(scale: Scale) -> list[Figure]:
    count = scale.count(500, least=25)
    middle: list[float] = []
    numbers = itertools.count(11)
    with tempfile.TemporaryDirectory(prefix="exowatch-bench-") as folder:
        async with receiver() as hook, daemon(Path(folder), hook.url, SECRET) as running, aiohttp.ClientSession() as session:

            async def once() -> float:
                waits = await _waits(session, running.address, hook, list(itertools.islice(numbers, count)))
                middle.append(quantile(waits, 0.5) * 1000)
                return quantile(waits, 0.99) * 1000

            (late,) = await in_turn(scale.repeats, once)
    name, note = (
        "arrival to webhook received, 50 new claims/s",
        "from the POST of a post's first byte; every post raises an alert",
    )
    return [
        at_most(f"{name}, p50", "ms", middle[1:], 50, "DESIGN.md", note),
        at_most(f"{name}, p99", "ms", late, 250, "DESIGN.md", note),
    ]


async def _waits(session: aiohttp.ClientSession, address: str, hook: Receiver, numbers: list[int]) -> list[float]:
    """Seconds from handing in to receipt, of each post. A number in a claim makes it another claim, so each is new."""
    sent: dict[str, float] = {}
    texts = {number: _news(number) for number in numbers}

    async def hand_in(number: int) -> None:
        post = {"platform": "clinic", "id": str(number), "text": texts[number]}
        sent[str(number)] = time.monotonic()
        async with session.post(f"{address}/api/v1/mentions", json=post) as answer:
            assert answer.status == 202, await answer.text()

    before = await hook.taken()
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for n, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, started + n / PER_SECOND - time.monotonic()))
            group.create_task(hand_in(number))

    async def all_there() -> bool:
        return await hook.taken() >= before + len(numbers)

    async with asyncio.timeout(60):
        await drained(all_there)
    arrived = await hook.arrivals()
    return [arrived[name] - at for name, at in sent.items() if name in arrived]


def _news(number: int) -> str:
    """A text with a claim of this number that is put forward; what stands below may take it back, then something else does."""
    dice = random.Random(number)
    while True:
        text = f"Exosomes raise collagen production by {number} percent.\n\n{dice.choice(posts.sample())}"
        claims = posts.judge().judge(str(number), text).claims
        if any(str(number) in claim.claim and claim.stance == "asserts" for claim in claims):
            return text
