"""Keyword match on a firehose: JSON posts of 300 characters, one in a thousand on topic, decoded and matched on one core."""

from __future__ import annotations

import random
import time

import msgspec

from benchmarks import posts
from benchmarks.measure import Figure, Scale, at_least, in_turn

LENGTH = 300
_LATIN = "the a to and of in is it you that for was on with my this so just have are not be at as but one all like what".split()  # noqa: SIM905
_OTHER = {
    "emoji": ["so good ✨", "😂😂", "love this 💖", "🔥", "can’t wait…", "“really”", "naïve", "café"],
    "es": "la que de en el y los una para piel mañana también después años está".split(),  # noqa: SIM905
    "ko": "오늘 피부 정말 좋아요 그리고 내일 친구 병원 가격 사람들".split(),  # noqa: SIM905
    "ja": "今日は 肌が とても きれい ですね 明日 病院 値段 みんな".split(),  # noqa: SIM905
    "ru": "сегодня кожа очень хорошая и завтра друзья цена люди".split(),  # noqa: SIM905
    "ar": "اليوم البشرة جيدة جدا وغدا الأصدقاء السعر الناس".split(),  # noqa: SIM905
}


class _Wire(msgspec.Struct):
    """What is decoded of each post of the firehose."""

    id: str
    text: str


def firehose(count: int, *, other_share: float, on_topic: float = 0.001, seed: int = 1) -> list[bytes]:
    """JSON posts of about 300 characters; `other_share` of them hold letters beyond ASCII, `on_topic` of them a keyword."""
    dice = random.Random(seed)
    found = []
    for n in range(count):
        words = _LATIN + [posts.word(dice.randrange(5_000)) for _ in range(20)]
        if n < count * other_share:
            words = words + 8 * dice.choice(list(_OTHER.values()))
        text = ""
        while len(text) < LENGTH:
            text += dice.choice(words) + " "
        found.append(text[:LENGTH])
    for n in dice.sample(range(count), max(1, round(count * on_topic))):
        found[n] = (dice.choice(posts.sample()) + " " + found[n])[:LENGTH]
    dice.shuffle(found)
    return [msgspec.json.encode({"id": str(n), "text": text, "lang": "en", "author": "a"}) for n, text in enumerate(found)]


async def run(scale: Scale) -> list[Figure]:
    keywords = posts.topic().keywords
    decoder = msgspec.json.Decoder(_Wire)
    count = scale.count(20_000, least=1_000)
    figures = []
    for title, share in (("all ASCII", 0.0), ("30 % with letters beyond ASCII", 0.3), ("all beyond ASCII", 1.0)):
        wire = firehose(count, other_share=share)
        assert sum(bool(keywords.find(decoder.decode(data).text)) for data in wire) >= 1

        async def match(wire: list[bytes] = wire) -> float:
            started = time.process_time()
            for data in wire:
                keywords.find(decoder.decode(data).text)
            return count / (time.process_time() - started)

        async def decode(wire: list[bytes] = wire) -> float:
            started = time.process_time()
            for data in wire:
                decoder.decode(data)
            return count / (time.process_time() - started)

        own, decoded = await in_turn(scale.repeats, match, decode)
        alone = f"decoding alone: {sorted(decoded)[len(decoded) // 2]:,.0f}/s"
        figures.append(at_least(f"keyword match, {title}", "posts/s", own, 100_000, "DESIGN.md", alone))
    return figures
